//! YAML in block style, as PyYAML's `safe_dump` writes it.

use serde_json::{Map, Value};

use crate::python;

/// A list of objects, their keys sorted.
pub fn list(items: Vec<Value>) -> String {
    let mut out = String::new();
    node(&mut out, &Value::Array(items), 0);
    out
}

/// Field by field, in the order given.
pub fn one(fields: &[(String, Value)]) -> String {
    let mut out = String::new();
    for (name, value) in fields {
        mapping(&mut out, &Map::from_iter([(name.clone(), value.clone())]), 0, false);
    }
    out
}

fn node(out: &mut String, value: &Value, indent: usize) {
    match value {
        Value::Array(items) if items.is_empty() => out.push_str("[]\n"),
        Value::Array(items) => sequence(out, items, indent),
        Value::Object(map) if map.is_empty() => out.push_str("{}\n"),
        Value::Object(map) => mapping(out, map, indent, false),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
            out.push_str(&scalar(value));
            out.push('\n');
        }
    }
}

fn sequence(out: &mut String, items: &[Value], indent: usize) {
    for item in items {
        out.push_str(&format!("{:indent$}- ", ""));
        match item {
            Value::Object(map) if !map.is_empty() => mapping(out, map, indent + 2, true),
            other => node(out, other, indent + 2),
        }
    }
}

fn mapping(out: &mut String, map: &Map<String, Value>, indent: usize, mut inline: bool) {
    let mut keys: Vec<&String> = map.keys().collect();
    keys.sort();
    for key in keys {
        if !inline {
            out.push_str(&" ".repeat(indent));
        }
        inline = false;
        out.push_str(&text(key));
        out.push(':');
        match &map[key] {
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                sequence(out, items, indent);
            }
            Value::Object(inner) if !inner.is_empty() => {
                out.push('\n');
                mapping(out, inner, indent + 2, false);
            }
            other => {
                out.push(' ');
                node(out, other, indent);
            }
        }
    }
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(string) => text(string),
        Value::Array(_) | Value::Object(_) => python::json(value, None),
    }
}

/// Plain where YAML would read the same text back, else in single quotes, else in double quotes.
fn text(string: &str) -> String {
    let printable = string.chars().all(|c| matches!(c, ' '..='~'));
    if !printable {
        return double_quoted(string);
    }
    if is_plain(string) { string.to_owned() } else { format!("'{}'", string.replace('\'', "''")) }
}

fn double_quoted(string: &str) -> String {
    let mut out = String::from('"');
    for c in string.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            ' '..='~' => out.push(c),
            c if u32::from(c) <= 0xff => out.push_str(&format!("\\x{:02X}", u32::from(c))),
            c if u32::from(c) <= 0xffff => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push_str(&format!("\\U{:08X}", u32::from(c))),
        }
    }
    out.push('"');
    out
}

fn is_plain(string: &str) -> bool {
    const WORDS: [&str; 12] = ["null", "~", "true", "false", "yes", "no", "on", "off", "y", "n", "=", "<<"];
    let Some(first) = string.chars().next() else { return false };
    let digits =
        |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || "_:.eE+-".contains(c));
    let number = string.starts_with(|c: char| c.is_ascii_digit() || "+-.".contains(c))
        && (string.parse::<f64>().is_ok() || is_sexagesimal_or_date(string) || string.starts_with("0x"));
    let opens = "!&*%@`#,[]{}|>'\"".contains(first)
        || ("-?:".contains(first) && string.chars().nth(1).is_none_or(|c| c == ' '))
        || string.starts_with("---");
    let inside =
        string.contains(": ") || string.contains(" #") || string.ends_with(':') || string.contains(" :");
    let edges = string.starts_with(' ') || string.ends_with(' ');
    let word = WORDS.contains(&string.to_lowercase().as_str())
        && !["y", "n"].contains(&string.to_lowercase().as_str());
    !(word
        || is_timestamp(string)
        || (number && digits(string))
        || string.starts_with("0x")
        || opens
        || inside
        || edges)
}

/// `12:30:00` and `2026-01-01` are numbers and dates to YAML.
fn is_sexagesimal_or_date(string: &str) -> bool {
    let groups = |separator: char| {
        string.split(separator).all(|part| !part.is_empty() && part.chars().all(|c| c.is_ascii_digit()))
    };
    (string.contains(':') && groups(':')) || (string.split('-').count() == 3 && groups('-'))
}

/// `2026-01-02T03:04:05Z` and the like.
fn is_timestamp(string: &str) -> bool {
    let Some((date, time)) = string.split_once(['T', 't', ' ']) else { return false };
    is_sexagesimal_or_date(date)
        && time.len() >= 5
        && time.chars().all(|c| c.is_ascii_digit() || ":.Z+-".contains(c))
}
