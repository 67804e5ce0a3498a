//! Policy files: names and rules, in the YAML that oslo.policy writes and operators edit, or in JSON.

use super::parse::Source;
use serde_json::Value;

/// What is wrong with a policy file, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}: {what}")]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line; 0 where it is about the whole.
    pub line: usize,
    /// What is wrong.
    pub what: String,
}

impl Problem {
    pub(super) fn new(file: &str, line: usize, what: impl Into<String>) -> Problem {
        Problem { file: file.to_string(), line, what: what.into() }
    }
}

/// One rule of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) line: usize,
    pub(super) name: String,
    pub(super) source: Source,
}

pub(super) fn entries(file: &str, text: &str) -> Result<Vec<Entry>, Problem> {
    if text.trim_start().starts_with('{') {
        return json(file, text);
    }
    let lines: Vec<&str> = text.lines().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(line) = lines.get(at) {
        let number = at + 1;
        at += 1;
        let bare = line.trim_end();
        if bare.trim_start().is_empty() || bare.trim_start().starts_with('#') || bare == "---" {
            continue;
        }
        if bare == "{}" {
            continue;
        }
        let problem = |what: &str| Problem::new(file, number, what);
        if bare.starts_with([' ', '\t']) {
            return Err(problem("a rule starts at the beginning of its line"));
        }
        let (name, value) =
            key(bare).ok_or_else(|| problem("this is no rule: \"<name>\": \"<check>\" is one"))?;
        let mut value = value.trim().to_string();
        let folded = matches!(value.as_str(), ">" | ">-" | "|" | "|-" | ">+" | "|+");
        if folded {
            value.clear();
        }
        // What is indented belongs to the rule above.
        while let Some(more) =
            lines.get(at).filter(|l| l.starts_with([' ', '\t']) || (folded && l.is_empty()))
        {
            value = format!("{value} {}", more.trim()).trim().to_string();
            at += 1;
        }
        let source = scalar(&value, folded).map_err(|what| problem(&format!("rule {name}: {what}")))?;
        all.push(Entry { line: number, name, source });
    }
    Ok(all)
}

fn json(file: &str, text: &str) -> Result<Vec<Entry>, Problem> {
    let value: Value = serde_json::from_str(text).map_err(|e| Problem::new(file, e.line(), e.to_string()))?;
    let Value::Object(map) = value else { return Err(Problem::new(file, 1, "this is no JSON object")) };
    map.into_iter()
        .map(|(name, value)| {
            let source = source(&value)
                .map_err(|w| Problem::new(file, line_of(text, &name), format!("rule {name}: {w}")))?;
            Ok(Entry { line: line_of(text, &name), name, source })
        })
        .collect()
}

/// The line of a JSON text where a rule of this name begins; 0 where it is spelled otherwise.
fn line_of(text: &str, name: &str) -> usize {
    let quoted = format!("\"{name}\"");
    let begins = |line: &str| line.trim_start_matches(['{', ' ', '\t']).starts_with(&quoted);
    text.lines().position(begins).map_or(0, |at| at + 1)
}

/// The name before the first `: ` (a name may hold colons itself), and what follows.
fn key(line: &str) -> Option<(String, &str)> {
    for quote in ['"', '\''] {
        if let Some(rest) = line.strip_prefix(quote) {
            let (name, rest) = rest.split_once(quote)?;
            return Some((name.to_string(), rest.trim_start().strip_prefix(':')?));
        }
    }
    match line.split_once(": ") {
        Some((name, rest)) => Some((name.to_string(), rest)),
        None => line.strip_suffix(':').map(|name| (name.to_string(), "")),
    }
}

fn scalar(value: &str, folded: bool) -> Result<Source, String> {
    if folded {
        return Ok(Source::Text(value.to_string()));
    }
    if value.starts_with('[') {
        let list: Value = serde_json::from_str(value)
            .or_else(|_| serde_json::from_str(&value.replace('\'', "\"")))
            .map_err(|e| format!("the list is not understood: {e}"))?;
        return source(&list);
    }
    if value.starts_with("- ") {
        return Err("write the list on one line: [[\"a\", \"b\"], [\"c\"]]".to_string());
    }
    if let Some(rest) = value.strip_prefix('"') {
        let end = rest.rfind('"').ok_or("a \" is not closed")?;
        only_comment(&rest[end + 1..])?;
        return Ok(Source::Text(rest[..end].replace("\\\"", "\"").replace("\\\\", "\\")));
    }
    if let Some(rest) = value.strip_prefix('\'') {
        let end = rest.rfind('\'').ok_or("a ' is not closed")?;
        only_comment(&rest[end + 1..])?;
        return Ok(Source::Text(rest[..end].replace("''", "'")));
    }
    let plain = value.split_once(" #").map_or(value, |(before, _)| before).trim();
    Ok(Source::Text(if plain.starts_with('#') { String::new() } else { plain.to_string() }))
}

fn only_comment(rest: &str) -> Result<(), String> {
    let rest = rest.trim();
    if rest.is_empty() || rest.starts_with('#') { Ok(()) } else { Err(format!("{rest} behind the check")) }
}

fn source(value: &Value) -> Result<Source, String> {
    let text = |value: &Value| value.as_str().map(str::to_string);
    let wrong = || format!("{value} is neither a text nor a list of lists of texts");
    match value {
        Value::String(text) => Ok(Source::Text(text.clone())),
        Value::Array(items) => {
            let any = items.iter().map(|item| match item {
                Value::String(one) => Some(vec![one.clone()]),
                Value::Array(all) => all.iter().map(text).collect(),
                _ => None,
            });
            any.collect::<Option<_>>().map(Source::List).ok_or_else(wrong)
        }
        _ => Err(wrong()),
    }
}
