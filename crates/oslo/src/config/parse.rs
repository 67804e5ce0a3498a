//! The text of an oslo.config file: sections, assignments, continuation lines, each with its place.

use super::Problem;

/// One assignment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Assignment {
    pub(super) group: String,
    pub(super) name: String,
    pub(super) value: String,
    pub(super) line: usize,
}

/// Reads a whole file; every line that is none of section, assignment, continuation or comment is a problem.
pub(super) fn parse(file: &str, text: &str) -> (Vec<Assignment>, Vec<Problem>) {
    let (mut all, mut problems) = (Vec::<Assignment>::new(), Vec::new());
    let mut group: Option<String> = None;
    let mut open = false; // whether a continuation line has something to continue
    for (at, raw) in text.lines().enumerate() {
        let line = raw.trim_end();
        let wrong = |what: &str| Problem::error(file, at + 1, format!("{what}: {}", line.trim()));
        if line.trim().is_empty() {
            open = false;
        } else if line.starts_with(['#', ';']) {
        } else if line.starts_with([' ', '\t']) && open {
            if let Some(last) = all.last_mut() {
                last.value.push('\n');
                last.value.push_str(line.trim_start());
            }
        } else if let Some(section) = line.trim_start().strip_prefix('[') {
            open = false;
            match section.strip_suffix(']') {
                Some("") => problems.push(wrong("a section without a name")),
                Some(name) => group = Some(name.to_string()),
                None => problems.push(wrong("a section that does not end with ]")),
            }
        } else {
            open = false;
            let Some(at_sign) = line.find(['=', ':']) else {
                // Guides write it for what a file holds already.
                let what = match line.trim() {
                    "..." => "stands for lines that are left out and is none itself, remove it",
                    _ => "neither a section, an assignment nor a comment",
                };
                problems.push(wrong(what));
                continue;
            };
            let name = line[..at_sign].trim();
            let Some(group) = &group else {
                problems.push(wrong("an assignment before the first [section]"));
                continue;
            };
            if name.is_empty() {
                problems.push(wrong("an assignment without a name"));
                continue;
            }
            let value = unquote(line[at_sign + 1..].trim()).to_string();
            all.push(Assignment { group: group.clone(), name: name.to_string(), value, line: at + 1 });
            open = true;
        }
    }
    (all, problems)
}

fn unquote(value: &str) -> &str {
    for quote in ['"', '\''] {
        if let Some(inner) = value.strip_prefix(quote).and_then(|v| v.strip_suffix(quote)) {
            return inner;
        }
    }
    value
}
