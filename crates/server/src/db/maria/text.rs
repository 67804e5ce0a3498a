//! Statements as text with their values in them: what lets many of them travel in one packet.

use super::super::Val;
use std::borrow::Cow;
use std::fmt::Write as _;

/// Appends `sql` with each `?` outside of quotes replaced by the next value. Values left over or missing make
/// the statement wrong, and the server says so.
pub(super) fn append(out: &mut String, sql: &str, params: &[Val]) {
    let mut values = params.iter();
    let mut quote = None;
    let mut plain = 0;
    for (at, byte) in sql.bytes().enumerate() {
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'`' | b'"') => quote = Some(byte),
            (None, b'?') => {
                out.push_str(&sql[plain..at]);
                plain = at + 1;
                match values.next() {
                    Some(value) => literal(out, value),
                    None => out.push('?'),
                }
            }
            _ => {}
        }
    }
    out.push_str(&sql[plain..]);
}

/// A text that is compared with utf8mb3 columns: what they cannot hold equals nothing in them.
pub(super) fn storable(text: &str) -> Cow<'_, str> {
    let beyond = |character: char| character > '\u{FFFF}';
    if text.contains(beyond) { Cow::Owned(text.replace(beyond, "\u{FFFD}")) } else { Cow::Borrowed(text) }
}

/// A value as MySQL's grammar writes it. The session's sql_mode has no NO_BACKSLASH_ESCAPES, and its
/// character set is UTF-8, where no byte of a longer character looks like a quote.
fn literal(out: &mut String, value: &Val) {
    match value {
        Val::Null => out.push_str("NULL"),
        Val::Int(number) => {
            let _ = write!(out, "{number}");
        }
        Val::Text(text) => {
            out.push('\'');
            for character in storable(text).chars() {
                match character {
                    '\'' => out.push_str("\\'"),
                    '\\' => out.push_str("\\\\"),
                    '\0' => out.push_str("\\0"),
                    '\n' => out.push_str("\\n"),
                    '\r' => out.push_str("\\r"),
                    '\x1a' => out.push_str("\\Z"),
                    other => out.push(other),
                }
            }
            out.push('\'');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::p;

    #[test]
    fn values_take_the_places_of_marks() {
        let cases: &[(&str, &[Val], &str)] = &[
            ("SELECT ?", p!["a"], "SELECT 'a'"),
            ("SELECT '?', `?`, ?", p![1i64], "SELECT '?', `?`, 1"),
            (
                "INSERT INTO t VALUES (?, ?, ?)",
                p![Val::Null, -5i64, true],
                "INSERT INTO t VALUES (NULL, -5, 1)",
            ),
            ("SELECT ?", p!["'; DROP TABLE ports; -- "], "SELECT '\\'; DROP TABLE ports; -- '"),
            ("SELECT ?", p!["\\'\0\n\r\u{1a}\"é?"], "SELECT '\\\\\\'\\0\\n\\r\\Z\"é?'"),
            ("SELECT ?, ?", p!["?", "b"], "SELECT '?', 'b'"),
            ("SELECT ?", p!["a😀"], "SELECT 'a\u{FFFD}'"),
            ("SELECT ?", p![], "SELECT ?"),
        ];
        for (sql, params, wanted) in cases {
            let mut out = String::new();
            append(&mut out, sql, params);
            assert_eq!(out, *wanted);
        }
    }
}
