//! Names for what is random in answers: the same rules as in `tests/api/record.py`.

use serde_json::Value;
use std::collections::{BTreeMap, HashSet};

const ADDRESS_KEYS: &[&str] = &["ip_address", "floating_ip_address", "fixed_ip_address"];
const NUMBER_KEYS: &[&str] = &["provider:segmentation_id", "segmentation_id"];
/// Their elements come in no order, so that a path means nothing inside.
const UNORDERED_INSIDE: &[&str] = &["security_group_rules"];

/// Raw values that change from run to run, and what they are called.
pub struct Names {
    raw_by_name: BTreeMap<String, String>,
    name_by_raw: Vec<(String, String)>,
    literals: HashSet<String>,
    fixed_numbers: HashSet<u64>,
}

impl Names {
    /// `text` is all that the requests say: what is spelled out there is not random.
    pub fn new(text: &str) -> Names {
        let literals = without_pools(text)
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == ':' || c == '.'))
            .map(String::from)
            .chain(windows(text, 36).filter(|w| is_uuid(w)).map(String::from))
            .collect();
        let fixed_numbers = text
            .match_indices("segmentation_id")
            .filter_map(|(at, key)| {
                let rest = text[at + key.len()..].trim_start_matches(['"', '=', ':', ' ']);
                rest[..rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len())].parse().ok()
            })
            .collect();
        Names { raw_by_name: BTreeMap::new(), name_by_raw: Vec::new(), literals, fixed_numbers }
    }

    /// A resource was made: its id is called `name`, its other random values by their path.
    pub fn learn(&mut self, name: &str, found: &Value) {
        self.walk(name, "", found, "");
    }

    fn walk(&mut self, name: &str, path: &str, value: &Value, key: &str) {
        match value {
            Value::Object(map) => {
                for (k, v) in map.iter().filter(|(k, _)| !UNORDERED_INSIDE.contains(&k.as_str())) {
                    self.walk(name, &format!("{path}.{k}"), v, k);
                }
            }
            Value::Array(list) => {
                for (i, v) in list.iter().enumerate() {
                    self.walk(name, &format!("{path}.{i}"), v, key);
                }
            }
            Value::String(raw) if self.random(key, raw) => {
                // An address is given to one after the other, an id never changes its owner.
                if let Some(at) = self.name_by_raw.iter().position(|(known, _)| known == raw) {
                    if !ADDRESS_KEYS.contains(&key) || self.name_by_raw[at].1.starts_with(&format!("{name}."))
                    {
                        return;
                    }
                    self.name_by_raw.remove(at);
                }
                let full = if path == ".id" { name.to_string() } else { format!("{name}{path}") };
                self.raw_by_name.insert(full.clone(), raw.clone());
                self.name_by_raw.push((raw.clone(), full));
                self.name_by_raw.sort_by_key(|(raw, _)| std::cmp::Reverse(raw.len()));
            }
            Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => (),
        }
    }

    fn random(&self, key: &str, value: &str) -> bool {
        !self.literal(value)
            && (is_uuid(value) || is_mac(value) || (ADDRESS_KEYS.contains(&key) && !value.is_empty()))
    }

    fn literal(&self, value: &str) -> bool {
        self.literals.contains(value.split('/').next().unwrap_or_default())
    }

    fn random_number(&self, key: &str, value: u64) -> bool {
        NUMBER_KEYS.contains(&key) && !self.fixed_numbers.contains(&value)
    }

    /// Gateways follow from the CIDR, they are not drawn.
    pub fn note(&mut self, body: &Value) {
        match body {
            Value::Object(map) => {
                for (k, v) in map {
                    if let ("gateway_ip", Value::String(ip)) = (k.as_str(), v) {
                        self.literals.insert(ip.clone());
                    }
                    self.note(v);
                }
            }
            Value::Array(list) => list.iter().for_each(|v| self.note(v)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => (),
        }
    }

    /// The value with names for what is random.
    pub fn hide(&self, value: &Value, key: &str) -> Value {
        match value {
            Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), self.hide(v, k))).collect(),
            Value::Array(list) => list.iter().map(|v| self.hide(v, key)).collect(),
            Value::String(text) => Value::String(self.hide_text(text, key)),
            Value::Number(_) if value.as_u64().is_some_and(|n| self.random_number(key, n)) => {
                Value::String("<number>".into())
            }
            Value::Number(_) | Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    /// A text with names for what is random.
    pub fn hide_text(&self, text: &str, key: &str) -> String {
        let mut named = text.to_string();
        for (raw, name) in &self.name_by_raw {
            named = replace(&named, raw, &format!("<{name}>"));
            let dashed = raw.replace('.', "-");
            if dashed != *raw {
                named = replace(&named, &dashed, &format!("<{name}>"));
            }
        }
        if ADDRESS_KEYS.contains(&key) && !named.contains('<') && !named.is_empty() && !self.literal(&named) {
            return "<address>".to_string();
        }
        let named = if ["hostname", "fqdn"].contains(&key) { self.hide_host(named) } else { named };
        let named = if key == "message" {
            sweep(&named, ipv4_at, |s| if self.literals.contains(s) { None } else { Some("<address>") })
        } else {
            named
        };
        let keep = |s: &str| self.literals.contains(s);
        let named = sweep(&named, |rest, _| uuid_at(rest), |s| if keep(s) { None } else { Some("<id>") });
        let named = sweep(&named, mac_at, |s| if keep(s) { None } else { Some("<mac>") });
        if key == "updated" { named } else { sweep(&named, |rest, _| time_at(rest), |_| Some("<time>")) }
    }

    /// `host-10-0-0-5` is named after an address.
    fn hide_host(&self, text: String) -> String {
        let Some(rest) = text.strip_prefix("host-") else { return text };
        let end = rest.find(|c: char| !matches!(c, '0'..='9' | 'a'..='f' | '-')).unwrap_or(rest.len());
        let dashed = &rest[..end];
        let plain = [".", ":"].map(|by| dashed.replace('-', by));
        if !dashed.contains('-') || plain.iter().any(|p| self.literals.contains(p)) {
            return text;
        }
        format!("host-<address>{}", &rest[end..])
    }

    /// `<name>` in a request becomes the raw value.
    pub fn fill(&self, text: &str) -> String {
        let mut out = text.to_string();
        for (name, raw) in &self.raw_by_name {
            out = out.replace(&format!("<{name}>"), raw);
        }
        out
    }
}

/// The edges of allocation pools do not count as spelled out: what is drawn from a pool may be its edge.
fn without_pools(text: &str) -> String {
    let mut out = text.to_string();
    for key in ["\"start\": \"", "\"end\": \""] {
        while let Some(at) = out.find(key) {
            let value = at + key.len();
            let end = out[value..].find('"').map_or(out.len(), |n| value + n + 1);
            out.replace_range(at..end, "");
        }
    }
    out
}

fn windows(text: &str, size: usize) -> impl Iterator<Item = &str> {
    text.char_indices().filter_map(move |(i, _)| text.get(i..i + size))
}

/// Replaces whole tokens only: 10.0.0.1 is no part of 10.0.0.12.
fn replace(text: &str, raw: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(raw) {
        let before = rest[..at].chars().next_back().or_else(|| out.chars().next_back());
        let mut after = rest[at + raw.len()..].chars();
        let next = after.next();
        let inside = before.is_some_and(|c| c.is_ascii_alphanumeric() || c == ':' || c == '.')
            || next.is_some_and(|c| c.is_ascii_alphanumeric() || c == ':')
            || (next == Some('.') && after.next().is_some_and(|c| c.is_ascii_digit()));
        out.push_str(&rest[..at]);
        out.push_str(if inside { raw } else { by });
        rest = &rest[at + raw.len()..];
    }
    out + rest
}

/// Replaces what `find` finds at a position (its length), unless `by` keeps it.
fn sweep(
    text: &str,
    find: impl Fn(&str, Option<char>) -> Option<usize>,
    by: impl Fn(&str) -> Option<&'static str>,
) -> String {
    let mut out = String::new();
    let mut rest = text;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let length = find(rest, before);
        let end = length.unwrap_or(c.len_utf8());
        match length {
            Some(end) => out.push_str(by(&rest[..end]).unwrap_or(&rest[..end])),
            None => out.push(c),
        }
        before = rest[..end].chars().next_back();
        rest = &rest[end..];
    }
    out
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && uuid_at(text) == Some(36)
}

fn is_mac(text: &str) -> bool {
    text.len() == 17 && mac_at(text, None) == Some(17)
}

fn fits(text: &str, pattern: &str, hex: bool) -> Option<usize> {
    let bytes = text.as_bytes().get(..pattern.len())?;
    let digit = |b: u8| b.is_ascii_digit() || (hex && (b'a'..=b'f').contains(&b));
    let fits = pattern.bytes().zip(bytes).all(|(p, b)| if p == b'x' { digit(*b) } else { p == *b });
    fits.then_some(pattern.len())
}

fn uuid_at(text: &str) -> Option<usize> {
    fits(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx", true)
}

fn ipv4_at(text: &str, before: Option<char>) -> Option<usize> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let address = text[..end].trim_end_matches('.');
    let fits = address.split('.').count() == 4 && address.split('.').all(|part| !part.is_empty());
    let alone = !before.is_some_and(|c| c.is_ascii_digit() || c == '.') && !text[end..].starts_with('/');
    (fits && alone).then_some(address.len())
}

fn mac_at(text: &str, before: Option<char>) -> Option<usize> {
    let word = |c: char| c.is_alphanumeric() || c == '_';
    let length = fits(text, "xx:xx:xx:xx:xx:xx", true)?;
    (!before.is_some_and(word) && !text[length..].chars().next().is_some_and(word)).then_some(length)
}

fn time_at(text: &str) -> Option<usize> {
    let mut end =
        fits(text, "xxxx-xx-xxTxx:xx:xx", false).or_else(|| fits(text, "xxxx-xx-xx xx:xx:xx", false))?;
    if let Some(fraction) = text[end..].strip_prefix('.') {
        let digits = fraction.len() - fraction.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        if digits > 0 {
            end += 1 + digits;
        }
    }
    let zone = ["+00:00", "Z"].into_iter().find(|z| text[end..].starts_with(z)).map_or(0, str::len);
    Some(end + zone)
}
