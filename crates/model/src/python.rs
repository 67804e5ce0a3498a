//! Values in Python's spelling: answers of the API and the users' command quote them as `str()` and `repr()` do.

use serde_json::Value;

/// `str(value)`
pub fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => repr(other),
    }
}

/// `repr(value)`
pub fn repr(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::Number(number) => float(number),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(repr).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Object(map) => {
            let items: Vec<String> =
                map.iter().map(|(key, value)| format!("{}: {}", quoted(key), repr(value))).collect();
            format!("{{{}}}", items.join(", "))
        }
    }
}

/// `not value`: null, false, 0, and everything empty.
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

/// `repr(['a', 'b'])`
pub fn list<S: AsRef<str>>(items: &[S]) -> String {
    let items: Vec<String> = items.iter().map(|item| quoted(item.as_ref())).collect();
    format!("[{}]", items.join(", "))
}

fn float(number: &serde_json::Number) -> String {
    match number.as_f64() {
        // An integer beyond 64 bits arrives as a float; Python keeps it an integer.
        Some(float) if number.is_f64() && float.fract() == 0.0 && float.abs() < 1e16 => format!("{float:.1}"),
        Some(float) if number.is_f64() => format!("{float}"),
        _ => number.to_string(),
    }
}

/// `repr('text')`
pub fn quoted(text: &str) -> String {
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
            c if (c as u32) < 0x20 || (0x7f..0xa0).contains(&(c as u32)) || c == '\u{ad}' => {
                out.push_str(&format!("\\x{:02x}", c as u32));
            }
            c => out.push(c),
        }
    }
    out.push(quote);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_read_as_python_writes_them() {
        for (value, wanted) in [
            (json!(null), "None"),
            (json!(true), "True"),
            (json!(1.0), "1.0"),
            (json!("it's"), "it's"),
            (json!(["it's", "a\"b", "c\n"]), r#"["it's", 'a"b', 'c\n']"#),
            (json!({"a": {"b": [1, null]}}), "{'a': {'b': [1, None]}}"),
            (json!({"b": ["say \"x\" 'y'"], "c": {}}), r#"{'b': ['say "x" \'y\''], 'c': {}}"#),
        ] {
            assert_eq!(text(&value), wanted);
        }
        assert!(is_false(&json!([])) && !is_false(&json!("0")));
    }
}
