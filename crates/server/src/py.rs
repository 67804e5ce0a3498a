//! Python's reading and writing of JSON values: error messages quote values the way `'%s' % value` does.

use serde_json::Value;

pub use model::python::{is_false, list, quoted, repr, text};

/// `int(value)` where Python allows it: integers, floats cut off, booleans, texts that are integers.
pub fn int(value: &Value) -> Option<i64> {
    match value {
        Value::Bool(flag) => Some(i64::from(*flag)),
        Value::Number(number) => {
            number.as_i64().or_else(|| number.as_f64().filter(|f| f.is_finite()).map(|f| f.trunc() as i64))
        }
        Value::String(text) => int_of(text),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// `int(text)`: blanks around, a sign, single underscores between digits.
pub fn int_of(text: &str) -> Option<i64> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let well_formed = !digits.is_empty()
        && digits.split('_').all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()));
    if !well_formed {
        return None;
    }
    let plain = text.replace('_', "");
    let huge = if text.starts_with('-') { i64::MIN } else { i64::MAX };
    Some(plain.parse().unwrap_or(huge))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integers_are_read_as_python_reads_them() {
        assert_eq!(int_of(" 1_000 "), Some(1000));
        assert_eq!(int_of("1__0"), None);
        assert_eq!(int(&json!(1.9)), Some(1));
    }
}
