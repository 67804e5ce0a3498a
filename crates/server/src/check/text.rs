//! Validators of texts.

use super::Checked;
use crate::py;
use serde_json::Value;

fn not_a_string(value: &Value) -> String {
    format!("'{}' is not a valid string", py::text(value))
}

/// `validate_string`
pub(super) fn string(value: &Value, max_len: usize) -> Checked {
    let text = value.as_str().ok_or_else(|| not_a_string(value))?;
    if text.chars().count() > max_len {
        return Err(format!("'{text}' exceeds maximum length of {max_len}"));
    }
    Ok(())
}

/// `validate_not_empty_string`
pub(super) fn not_empty(value: &Value, max_len: usize) -> Checked {
    string(value, max_len)?;
    let text = value.as_str().unwrap_or_default();
    if text.trim().is_empty() {
        return Err(format!("'{text}' Blank strings are not permitted"));
    }
    Ok(())
}

/// `validate_oneline_not_empty_string`
pub(super) fn oneline(value: &Value, max_len: usize) -> Checked {
    not_empty(value, max_len)?;
    let text = value.as_str().unwrap_or_default();
    if text.lines().count() > 1 {
        return Err(format!("Multi-line string is not allowed: '{text}'"));
    }
    Ok(())
}

/// `validate_name_string`: printable characters of the basic plane, no blank at either end.
pub(super) fn name_string(value: &Value, max_len: usize) -> Checked {
    string(value, max_len)?;
    let text = value.as_str().unwrap_or_default();
    let ends = text.chars().next().into_iter().chain(text.chars().next_back());
    let good = text.chars().all(printable) && ends.into_iter().all(|c| !is_space(c));
    if good { Ok(()) } else { Err(not_a_string(value)) }
}

/// Unicode's category Zs.
fn is_space(c: char) -> bool {
    matches!(c, ' ' | '\u{a0}' | '\u{1680}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}')
}

/// Neither control, format, private, surrogate nor separator of lines and paragraphs; below U+FFFF, as far as
/// upstream's expression reaches. Unassigned code points, which differ between versions of Unicode, pass.
fn printable(c: char) -> bool {
    let hidden = c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}'
            | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{ffff}');
    !hidden && c < '\u{ffff}'
}
