//! Python's format strings, `%(levelname)s`, as far as oslo.log uses them. Pure.

/// A part of a format string.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// Text as it is.
    Text(String),
    /// A value by its name, filled up with zeros or blanks to a width.
    Value { name: String, zeros: bool, width: usize },
}

/// A format string, taken apart.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Takes a format string apart. What is no `%(name)s` or `%(name)03d` stays as it is.
    pub(super) fn read(text: &str) -> Template {
        let mut parts = Vec::new();
        let mut plain = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('%') {
            plain.push_str(&rest[..at]);
            let after = &rest[at + 1..];
            if let Some(tail) = after.strip_prefix('%') {
                plain.push('%');
                rest = tail;
            } else if let Some((value, tail)) = value(after) {
                if !plain.is_empty() {
                    parts.push(Part::Text(std::mem::take(&mut plain)));
                }
                parts.push(value);
                rest = tail;
            } else {
                plain.push('%');
                rest = after;
            }
        }
        plain.push_str(rest);
        if !plain.is_empty() {
            parts.push(Part::Text(plain));
        }
        Template(parts)
    }

    /// Writes it with values; `put` writes the one of a name, and nothing for a name it does not know.
    pub(super) fn write(&self, out: &mut String, mut put: impl FnMut(&str, &mut String)) {
        for part in &self.0 {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Value { name, width: 0, .. } => put(name, out),
                Part::Value { name, zeros, width } => {
                    let mut text = String::new();
                    put(name, &mut text);
                    let fill = if *zeros { '0' } else { ' ' };
                    out.extend(std::iter::repeat_n(fill, width.saturating_sub(text.chars().count())));
                    out.push_str(&text);
                }
            }
        }
    }
}

/// `(name)03d` and what follows.
fn value(text: &str) -> Option<(Part, &str)> {
    let (name, tail) = text.strip_prefix('(')?.split_once(')')?;
    let end = tail.find(['s', 'd'])?;
    let (width, tail) = (&tail[..end], &tail[end + 1..]);
    if !width.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let part = Part::Value {
        name: name.to_string(),
        zeros: width.starts_with('0'),
        width: width.parse().unwrap_or(0),
    };
    Some((part, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn format_strings_are_pythons() {
        for (format, expected) in [
            ("%(asctime)s.%(msecs)03d %(process)d", "asctime.0ms process"),
            ("%(a)s%% of %(b)8s|", "a% of        b|"),
            ("100% %(a)s %x", "100% a %x"),
            ("", ""),
        ] {
            let mut out = String::new();
            Template::read(format).write(&mut out, |name, out| match name {
                "msecs" => out.push_str("ms"),
                name => out.push_str(name),
            });
            assert_eq!(out, expected, "{format}");
        }
    }
}
