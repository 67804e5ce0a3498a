//! Values in Python's spelling: `str()`, `repr()` and `json.dumps()`.
//!
//! The old client was written in Python and its output shows it: `True`, `None`, `['a', 'b']`. Scripts parse that.

use std::fmt::Write as _;

use serde_json::Value;

/// `str(value)`.
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => repr(value),
    }
}

/// `repr(value)`.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_owned(),
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => repr_text(text),
        Value::Array(items) => format!("[{}]", join(items.iter().map(repr))),
        Value::Object(map) => {
            format!(
                "{{{}}}",
                join(map.iter().map(|(key, value)| format!("{}: {}", repr_text(key), repr(value))))
            )
        }
    }
}

/// `repr()` of a list of texts.
pub fn repr_list<S: AsRef<str>>(items: &[S]) -> String {
    format!("[{}]", join(items.iter().map(|item| repr_text(item.as_ref()))))
}

/// `repr()` of a tuple of texts.
pub fn repr_tuple<S: AsRef<str>>(items: &[S]) -> String {
    match items {
        [one] => format!("({},)", repr_text(one.as_ref())),
        _ => format!("({})", join(items.iter().map(|item| repr_text(item.as_ref())))),
    }
}

fn join(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// `repr()` of a text.
pub fn repr_text(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut out = String::with_capacity(text.len() + 2);
    out.push(quote);
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c == quote => {
                out.push('\\');
                out.push(c);
            }
            c if c.is_control() => push(&mut out, format_args!("\\x{:02x}", c as u32)),
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

/// Whether Python takes the value for true.
pub fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(yes) => *yes,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(items) => !items.is_empty(),
        Value::Object(map) => !map.is_empty(),
    }
}

/// `json.dumps(value, indent=indent)`: spaces after commas and colons, ASCII only.
pub fn json(value: &Value, indent: Option<usize>) -> String {
    let mut out = String::new();
    write_json(&mut out, value, indent, 0);
    out
}

fn write_json(out: &mut String, value: &Value, indent: Option<usize>, depth: usize) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(yes) => out.push_str(if *yes { "true" } else { "false" }),
        Value::Number(number) => push(out, format_args!("{number}")),
        Value::String(text) => write_text(out, text),
        Value::Array(items) if items.is_empty() => out.push_str("[]"),
        Value::Object(map) if map.is_empty() => out.push_str("{}"),
        Value::Array(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                separate(out, at, indent, depth + 1);
                write_json(out, item, indent, depth + 1);
            }
            end(out, indent, depth);
            out.push(']');
        }
        Value::Object(map) => {
            out.push('{');
            for (at, (key, item)) in map.iter().enumerate() {
                separate(out, at, indent, depth + 1);
                write_text(out, key);
                out.push_str(": ");
                write_json(out, item, indent, depth + 1);
            }
            end(out, indent, depth);
            out.push('}');
        }
    }
}

fn separate(out: &mut String, at: usize, indent: Option<usize>, depth: usize) {
    if at > 0 {
        out.push_str(if indent.is_some() { "," } else { ", " });
    }
    end(out, indent, depth);
}

fn end(out: &mut String, indent: Option<usize>, depth: usize) {
    if let Some(indent) = indent {
        push(out, format_args!("\n{:1$}", "", indent * depth));
    }
}

fn write_text(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            c => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    push(out, format_args!("\\u{unit:04x}"));
                }
            }
        }
    }
    out.push('"');
}

/// Writing to a `String` cannot fail.
fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(arguments);
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn spelled_as_python_does() {
        let value = json!({"a": null, "b": [true, 1, "it's", "say \"x\" 'y'", "\n"], "c": {}});
        assert_eq!(repr(&value), r#"{'a': None, 'b': [True, 1, "it's", 'say "x" \'y\'', '\n'], 'c': {}}"#);
        assert_eq!(json(&json!({"k": ["é\u{1f600}\t", []]}), None), r#"{"k": ["\u00e9\ud83d\ude00\t", []]}"#);
        assert_eq!(
            json(&json!({"k": [1, {"a": 2}]}), Some(2)),
            "{\n  \"k\": [\n    1,\n    {\n      \"a\": 2\n    }\n  ]\n}"
        );
    }
}
