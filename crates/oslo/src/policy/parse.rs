//! From a rule's text to a check.

use super::anchored;
use regex_lite::Regex;
use serde_json::Value;

/// A rule, taken apart.
#[derive(Debug, Clone)]
pub(super) enum Check {
    True,
    False,
    Not(Box<Check>),
    And(Vec<Check>),
    Or(Vec<Check>),
    Rule(String),
    Role(Vec<Piece>),
    /// A value of the caller's (`project_id`) against a text.
    Match(String, Vec<Piece>),
    /// A fixed value (`'admin'`, `True`) against a text.
    Literal(String, Vec<Piece>),
    Field(FieldTest),
}

/// A piece of a text that is made of the target's fields.
#[derive(Debug, Clone, PartialEq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// `%(name)s`
    Field(String),
}

/// `field:networks:shared=True`
#[derive(Debug, Clone)]
pub struct FieldTest {
    /// `networks`
    pub resource: String,
    /// `shared`
    pub field: String,
    /// `True`
    pub value: String,
    /// What follows a `~`: the value is a pattern.
    pub pattern: Option<Regex>,
}

/// A rule as it is written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Source {
    /// The usual form.
    Text(String),
    /// The older form: any of these, each of which is all of those.
    List(Vec<Vec<String>>),
}

impl Check {
    /// The rules that it refers to.
    pub(super) fn rules(&self) -> Vec<&str> {
        match self {
            Check::Rule(name) => vec![name],
            Check::Not(inner) => inner.rules(),
            Check::And(parts) | Check::Or(parts) => parts.iter().flat_map(Check::rules).collect(),
            Check::True
            | Check::False
            | Check::Role(_)
            | Check::Match(..)
            | Check::Literal(..)
            | Check::Field(_) => Vec::new(),
        }
    }
}

pub(super) fn check(source: &Source) -> Result<Check, String> {
    match source {
        Source::Text(text) => expression(text),
        Source::List(any) if any.is_empty() => Ok(Check::True),
        Source::List(any) => {
            let all = |parts: &Vec<String>| {
                parts.iter().map(|part| leaf(part)).collect::<Result<_, _>>().map(Check::And)
            };
            any.iter().filter(|parts| !parts.is_empty()).map(all).collect::<Result<_, _>>().map(Check::Or)
        }
    }
}

fn expression(text: &str) -> Result<Check, String> {
    let tokens = tokens(text);
    if tokens.is_empty() {
        return Ok(Check::True);
    }
    let mut left = tokens.as_slice();
    let check = or(&mut left)?;
    match left.first() {
        None => Ok(check),
        Some(token) => Err(format!("unexpected {token} in {text:?}")),
    }
}

/// Words, and parentheses at their ends. A parenthesis that belongs to `%(name)s` stays in its word.
fn tokens(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    for word in text.split_whitespace() {
        let mut word = word;
        while let Some(rest) = word.strip_prefix('(') {
            all.push("(".to_string());
            word = rest;
        }
        let mut closing = 0;
        while let Some(rest) = word.strip_suffix(')') {
            closing += 1;
            word = rest;
        }
        if !word.is_empty() {
            all.push(word.to_string());
        }
        all.extend(std::iter::repeat_n(")".to_string(), closing));
    }
    all
}

fn or(tokens: &mut &[String]) -> Result<Check, String> {
    let mut parts = vec![and(tokens)?];
    while takes(tokens, "or") {
        parts.push(and(tokens)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Check::Or(parts) })
}

fn and(tokens: &mut &[String]) -> Result<Check, String> {
    let mut parts = vec![not(tokens)?];
    while takes(tokens, "and") {
        parts.push(not(tokens)?);
    }
    Ok(if parts.len() == 1 { parts.remove(0) } else { Check::And(parts) })
}

fn takes(tokens: &mut &[String], word: &str) -> bool {
    match tokens.split_first() {
        Some((first, rest)) if first.eq_ignore_ascii_case(word) => {
            *tokens = rest;
            true
        }
        _ => false,
    }
}

fn not(tokens: &mut &[String]) -> Result<Check, String> {
    if takes(tokens, "not") {
        return Ok(Check::Not(Box::new(not(tokens)?)));
    }
    if takes(tokens, "(") {
        let inner = or(tokens)?;
        return if takes(tokens, ")") { Ok(inner) } else { Err("a ( is not closed".to_string()) };
    }
    match tokens.split_first() {
        Some((word, rest)) if !matches!(word.as_str(), ")" | "and" | "or") => {
            *tokens = rest;
            leaf(word)
        }
        Some((word, _)) => Err(format!("a check is missing before {word}")),
        None => Err("a check is missing at the end".to_string()),
    }
}

fn leaf(word: &str) -> Result<Check, String> {
    match word {
        "@" => return Ok(Check::True),
        "!" => return Ok(Check::False),
        _ => {}
    }
    let (kind, wanted) =
        word.split_once(':').ok_or_else(|| format!("{word} is no check: <kind>:<match> is one"))?;
    Ok(match kind {
        "rule" => Check::Rule(wanted.to_string()),
        "role" => Check::Role(pieces(wanted)?),
        "field" => Check::Field(field(wanted)?),
        "http" | "https" => return Err("checks by a remote server are not understood".to_string()),
        _ => match literal(kind) {
            Some(value) => Check::Literal(value, pieces(wanted)?),
            None => Check::Match(kind.to_string(), pieces(wanted)?),
        },
    })
}

fn field(text: &str) -> Result<FieldTest, String> {
    let parts = text.split_once(':').and_then(|(resource, test)| Some((resource, test.split_once('=')?)));
    let (resource, (field, value)) =
        parts.ok_or_else(|| format!("field:{text} is no check: field:<resource>:<field>=<value> is one"))?;
    let pattern = value.strip_prefix('~').map(anchored).transpose()?;
    Ok(FieldTest { resource: resource.into(), field: field.into(), value: value.into(), pattern })
}

/// What Python's `ast.literal_eval` makes of the left side, as text.
fn literal(kind: &str) -> Option<String> {
    for quote in ['\'', '"'] {
        if let Some(inner) = kind.strip_prefix(quote).and_then(|k| k.strip_suffix(quote)) {
            return Some(inner.to_string());
        }
    }
    let number = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_digit());
    (number || matches!(kind, "True" | "False" | "None")).then(|| kind.to_string())
}

fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let mut all = Vec::new();
    let mut left = text;
    while let Some((before, rest)) = left.split_once("%(") {
        if !before.is_empty() {
            all.push(Piece::Text(before.to_string()));
        }
        let (name, rest) = rest.split_once(")s").ok_or_else(|| format!("%( without )s in {text}"))?;
        all.push(Piece::Field(name.to_string()));
        left = rest;
    }
    if !left.is_empty() || all.is_empty() {
        all.push(Piece::Text(left.to_string()));
    }
    Ok(all)
}

/// The text, where no field is part of it.
pub(super) fn plain(pieces: &[Piece]) -> Option<String> {
    filled(pieces, &|_| None)
}

/// The text with the target's fields in it; none where one is missing.
pub(super) fn filled(pieces: &[Piece], target: &super::Target<'_>) -> Option<String> {
    let mut text = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Field(name) => text.push_str(&printed(&target(name)?)),
        }
    }
    Some(text)
}

/// A value as Python prints it.
fn printed(value: &Value) -> String {
    match value {
        Value::Null => "None".to_string(),
        Value::Bool(true) => "True".to_string(),
        Value::Bool(false) => "False".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
