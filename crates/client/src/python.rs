//! Values in Python's spelling: `str()`, `repr()` and `json.dumps()`.
//!
//! The old client was written in Python and its output shows it: `True`, `None`, `['a', 'b']`. Scripts parse that.

use std::fmt::Write as _;

use serde_json::Value;

pub use model::python::{list as repr_list, quoted as repr_text, repr, text};

/// `repr()` of a tuple of texts.
pub fn repr_tuple<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| repr_text(item.as_ref())).collect();
    match items.as_slice() {
        [one] => format!("({one},)"),
        _ => format!("({})", items.join(", ")),
    }
}

/// Whether Python takes the value for true.
pub fn truthy(value: &Value) -> bool {
    !model::python::is_false(value)
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
        assert_eq!(repr_tuple(&["a"]), "('a',)");
        assert_eq!(repr_tuple(&["a", "b"]), "('a', 'b')");
        assert_eq!(json(&json!({"k": ["é\u{1f600}\t", []]}), None), r#"{"k": ["\u00e9\ud83d\ude00\t", []]}"#);
        assert_eq!(
            json(&json!({"k": [1, {"a": 2}]}), Some(2)),
            "{\n  \"k\": [\n    1,\n    {\n      \"a\": 2\n    }\n  ]\n}"
        );
    }
}
