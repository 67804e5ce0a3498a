//! Compares an answer with the recorded one.

use super::differences::Differences;
use serde_json::Value;

/// Lists whose order is part of what they say.
const ORDERED: &[&str] = &["dns_nameservers"];

/// How ours differs; `kind` groups, `text` tells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: String,
    pub text: String,
}

fn difference(kind: String, text: String) -> Difference {
    Difference { kind, text }
}

/// Compares two JSON values; `ordered`: whether the outermost list's order counts.
pub fn json(ours: &Value, theirs: &Value, ordered: bool, known: &Differences) -> Vec<Difference> {
    let mut found = Vec::new();
    Compare { ordered, known }.value("", "", ours, theirs, &mut found);
    found
}

struct Compare<'a> {
    ordered: bool,
    known: &'a Differences,
}

impl Compare<'_> {
    fn value(&self, path: &str, inside: &str, ours: &Value, theirs: &Value, found: &mut Vec<Difference>) {
        match (ours, theirs) {
            (Value::Object(o), Value::Object(t)) => {
                for (key, value) in o {
                    match t.get(key) {
                        Some(their) => self.value(&format!("{path}.{key}"), key, value, their, found),
                        None => found.push(difference(
                            format!("extra key {inside}.{key}"),
                            format!("{path}.{key}: only ours has it: {value}"),
                        )),
                    }
                }
                for (key, value) in t.iter().filter(|(k, _)| !o.contains_key(*k)) {
                    if !self.known.lacks(inside, key) {
                        found.push(difference(
                            format!("missing key {inside}.{key}"),
                            format!("{path}.{key}: ours lacks it: {value}"),
                        ));
                    }
                }
            }
            (Value::Array(o), Value::Array(t)) => self.list(path, inside, o, t, found),
            (ours, theirs) if sets(ours) == sets(theirs) => (),
            (ours, theirs) => {
                let kind = if path.starts_with(".NeutronError") { "words" } else { "value" };
                found.push(difference(
                    format!("{kind} {inside}"),
                    format!("{path}:\n      ours   {ours}\n      theirs {theirs}"),
                ));
            }
        }
    }

    fn list(&self, path: &str, inside: &str, ours: &[Value], theirs: &[Value], found: &mut Vec<Difference>) {
        let top = path.matches('.').count() == 1;
        let ordered = ORDERED.contains(&inside) || (top && self.ordered);
        let mut left: Vec<&Value> = theirs.iter().collect();
        let mut odd = Vec::new();
        if ordered && ours.len() == theirs.len() {
            odd = ours.iter().collect();
        } else {
            for our in ours {
                match left.iter().position(|their| self.differences(path, inside, our, their).is_empty()) {
                    Some(at) => drop(left.remove(at)),
                    None => odd.push(our),
                }
            }
        }
        if odd.len() == left.len() {
            for our in odd {
                let nearest = |their: &&Value| {
                    if ordered { 0 } else { self.differences(path, inside, our, their).len() }
                };
                if let Some(at) = (0..left.len()).min_by_key(|at| nearest(&left[*at])) {
                    self.value(&format!("{path}[]"), inside, our, left.remove(at), found);
                }
            }
        } else if !(odd.is_empty() && self.known.shortens(inside)) {
            let show = |list: &[&Value]| list.iter().map(|v| brief(v)).collect::<Vec<_>>().join(" ");
            found.push(difference(
                format!("length {inside}"),
                format!("{path}: only ours: {}; only theirs: {}", show(&odd), show(&left)),
            ));
        }
    }

    fn differences(&self, path: &str, inside: &str, ours: &Value, theirs: &Value) -> Vec<Difference> {
        let mut found = Vec::new();
        self.value(path, inside, ours, theirs, &mut found);
        found
    }
}

/// Python prints its sets, `{'b', 'a'}`, in no order.
fn sets(value: &Value) -> Value {
    let Value::String(text) = value else { return value.clone() };
    let mut out = String::new();
    let mut rest = text.as_str();
    while let Some((before, inside, after)) = rest.split_once("{'").and_then(|(before, rest)| {
        let (inside, after) = rest.split_once("'}")?;
        Some((before, inside, after))
    }) {
        let mut elements: Vec<_> = inside.split("', '").collect();
        elements.sort_unstable();
        out += &format!("{before}{{'{}'}}", elements.join("', '"));
        rest = after;
    }
    Value::String(out + rest)
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(300) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}
