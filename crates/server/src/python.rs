//! Values as Python prints them: upstream's messages show what a client sent that way, and clients read them.

use serde_json::Value;

/// `str(value)`: a text as it is, anything else as [`repr`].
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => repr(value),
    }
}

/// `repr(value)`: `None`, `True`, `'text'`, `[1, 'two']`, `{'key': None}`.
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => format!("[{}]", joined(items.iter().map(repr))),
        Value::Object(map) => {
            format!(
                "{{{}}}",
                joined(map.iter().map(|(key, item)| format!("{}: {}", quoted(key), repr(item))))
            )
        }
    }
}

/// Whether `not value` holds: null, false, 0, and everything empty.
pub fn is_false(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(flag) => !flag,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// A text in single quotes, or in double ones where it holds only single ones.
fn quoted(text: &str) -> String {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut all = String::from(quote);
    for c in text.chars() {
        match c {
            '\n' => all.push_str("\\n"),
            '\r' => all.push_str("\\r"),
            '\t' => all.push_str("\\t"),
            '\\' => all.push_str("\\\\"),
            c if c == quote => all.extend(['\\', c]),
            c if (c as u32) < 0x20 || (0x7f..0xa1).contains(&(c as u32)) => {
                all.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => all.push(c),
        }
    }
    all.push(quote);
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_print_as_in_python() {
        let cases = [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(4.5), "4.5"),
            (json!("it's"), "\"it's\""),
            (json!("both ' and \""), "'both \\' and \"'"),
            (json!("a\u{0}\n\u{e4}"), "'a\\x00\\n\u{e4}'"),
            (json!([1, "x", {"a": null}]), "[1, 'x', {'a': None}]"),
            (json!({"destination": "x", "nexthop": false}), "{'destination': 'x', 'nexthop': False}"),
        ];
        for (value, printed) in cases {
            assert_eq!(repr(&value), printed);
        }
        assert_eq!(text(&json!("x")), "x");
    }
}
