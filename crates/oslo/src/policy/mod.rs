//! oslo.policy: the rule language, decided as far as the caller alone decides it.
//!
//! [`Policy::decide`] looks at a rule once per caller and answers always, never, or what is left to ask of each
//! target. A list of an admin so costs nothing per row.

mod file;
mod parse;

use crate::context::Context;
use regex_lite::Regex;
use serde_json::Value;
use std::collections::{HashMap, HashSet};

pub use file::Problem;
use parse::{Check, FieldTest, Piece, Source};

/// The rule that stands in for one that does not exist.
const DEFAULT_RULE: &str = "default";

/// Rules by name.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: HashMap<String, Check>,
    default_rule: String,
}

/// A rule as a file writes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Its name.
    pub name: String,
    /// The line, from 1; 0 where it is not known.
    pub line: usize,
    /// The check, where it is a text.
    pub text: Option<String>,
}

/// What a rule says about a caller.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// Allowed, whatever the target.
    Always,
    /// Refused, whatever the target.
    Never,
    /// It depends on the target.
    Depends(Rest),
}

/// What is left of a rule once the caller is known.
#[derive(Debug, Clone)]
pub enum Rest {
    /// The opposite.
    Not(Box<Rest>),
    /// All of them.
    All(Vec<Rest>),
    /// Any of them.
    Any(Vec<Rest>),
    /// A text made of the target's fields is one of these.
    Equal(Vec<Piece>, Vec<String>),
    /// A field of the target has a value.
    Field(FieldTest),
}

/// How a rule reads a target: its fields by name, as JSON values; none where there is no such field.
pub type Target<'a> = dyn Fn(&str) -> Option<Value> + 'a;

/// How a rule reads a target of which not everything is known: as [`Target`], and none where a field is not known yet.
pub type Known<'a> = dyn Fn(&str) -> Option<Option<Value>> + 'a;

impl Default for Policy {
    fn default() -> Policy {
        Policy::with_default(DEFAULT_RULE)
    }
}

impl Policy {
    /// No rules yet; the rule of this name stands in for one that does not exist.
    pub fn with_default(rule: &str) -> Policy {
        Policy { rules: HashMap::new(), default_rule: rule.to_string() }
    }

    /// Adds (or replaces) the rules of a policy file: YAML as oslo.policy writes it, or JSON.
    /// `file` is what problems are reported with. Answers with what is written there.
    ///
    /// # Errors
    /// A rule that is not understood, or that refers to itself.
    pub fn overlay(&mut self, file: &str, text: &str) -> Result<Vec<Written>, Problem> {
        let mut written = Vec::new();
        for entry in file::entries(file, text)? {
            let check = parse::check(&entry.source)
                .map_err(|what| Problem::new(file, entry.line, format!("rule {}: {what}", entry.name)))?;
            let text = match entry.source {
                Source::Text(text) => Some(text),
                Source::List(_) => None,
            };
            written.push(Written { name: entry.name.clone(), line: entry.line, text });
            self.rules.insert(entry.name, check);
        }
        self.cycles().map_err(|rule| {
            Problem::new(file, 0, format!("rule {rule} refers to itself, directly or through others"))
        })?;
        Ok(written)
    }

    /// Makes a rule hold also where another check does.
    ///
    /// # Errors
    /// A check that is not understood.
    pub fn also(&mut self, name: &str, text: &str) -> Result<(), Problem> {
        let more = parse::check(&Source::Text(text.to_string()))
            .map_err(|what| Problem::new("a declaration", 0, format!("rule {name}: {what}")))?;
        if let Some(check) = self.rules.remove(name) {
            self.rules.insert(name.to_string(), Check::Or(vec![check, more]));
        }
        Ok(())
    }

    /// Makes rule `to` what rule `from` is.
    pub fn copy(&mut self, from: &str, to: &str) {
        if let Some(check) = self.rules.get(from).cloned() {
            self.rules.insert(to.to_string(), check);
        }
    }

    /// The names of all rules that rules refer to.
    pub fn references(&self) -> HashSet<&str> {
        self.rules.values().flat_map(Check::rules).collect()
    }

    /// The rules that a rule refers to and that do not exist.
    pub fn missing(&self, name: &str) -> Vec<&str> {
        let named = self.rules.get(name).map(Check::rules).unwrap_or_default();
        named.into_iter().filter(|name| !self.rules.contains_key(*name)).collect()
    }

    /// Adds rules that code declares, by name and check.
    pub fn declare<'a>(
        &mut self,
        rules: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<(), Problem> {
        for (name, text) in rules {
            let check = parse::check(&Source::Text(text.to_string()))
                .map_err(|what| Problem::new("a declaration", 0, format!("rule {name}: {what}")))?;
            self.rules.insert(name.to_string(), check);
        }
        Ok(())
    }

    /// Whether there is a rule of this name.
    pub fn has(&self, name: &str) -> bool {
        self.rules.contains_key(name)
    }

    /// The names of all rules.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.rules.keys().map(String::as_str)
    }

    /// What a rule says about a caller. A rule that does not exist is the rule `default`.
    pub fn decide(&self, name: &str, who: &Context) -> Verdict {
        match self.rules.get(name).or_else(|| self.rules.get(&self.default_rule)) {
            Some(check) => self.reduce(check, who),
            None => Verdict::Never,
        }
    }

    fn reduce(&self, check: &Check, who: &Context) -> Verdict {
        match check {
            Check::True => Verdict::Always,
            Check::False => Verdict::Never,
            Check::Rule(name) => self.decide(name, who),
            Check::Not(inner) => match self.reduce(inner, who) {
                Verdict::Always => Verdict::Never,
                Verdict::Never => Verdict::Always,
                Verdict::Depends(rest) => Verdict::Depends(Rest::Not(Box::new(rest))),
            },
            Check::And(parts) => self.all(parts, who),
            Check::Or(parts) => self.any(parts, who),
            Check::Role(pieces) => equal(pieces, who.roles.iter().cloned().collect(), true),
            Check::Match(kind, pieces) => equal(pieces, credentials(kind, who), false),
            Check::Literal(value, pieces) => equal(pieces, vec![value.clone()], false),
            Check::Field(test) => Verdict::Depends(Rest::Field(test.clone())),
        }
    }

    fn all(&self, parts: &[Check], who: &Context) -> Verdict {
        let mut left = Vec::new();
        for part in parts {
            match self.reduce(part, who) {
                Verdict::Always => {}
                Verdict::Never => return Verdict::Never,
                Verdict::Depends(rest) => left.push(rest),
            }
        }
        match left.len() {
            0 => Verdict::Always,
            1 => left.pop().map_or(Verdict::Always, Verdict::Depends),
            _ => Verdict::Depends(Rest::All(left)),
        }
    }

    fn any(&self, parts: &[Check], who: &Context) -> Verdict {
        let mut left = Vec::new();
        for part in parts {
            match self.reduce(part, who) {
                Verdict::Always => return Verdict::Always,
                Verdict::Never => {}
                Verdict::Depends(rest) => left.push(rest),
            }
        }
        match left.len() {
            0 => Verdict::Never,
            1 => left.pop().map_or(Verdict::Never, Verdict::Depends),
            _ => Verdict::Depends(Rest::Any(left)),
        }
    }

    /// A rule that refers to itself, if there is one.
    fn cycles(&self) -> Result<(), String> {
        let mut sound = HashSet::new();
        for name in self.rules.keys() {
            self.follow(name, &mut Vec::new(), &mut sound)?;
        }
        Ok(())
    }

    fn follow<'a>(
        &'a self,
        name: &'a str,
        way: &mut Vec<&'a str>,
        sound: &mut HashSet<&'a str>,
    ) -> Result<(), String> {
        if sound.contains(name) {
            return Ok(());
        }
        if way.contains(&name) {
            return Err(name.to_string());
        }
        way.push(name);
        if let Some(check) = self.rules.get(name) {
            for next in check.rules() {
                self.follow(next, way, sound)?;
            }
        }
        way.pop();
        sound.insert(name);
        Ok(())
    }
}

/// The caller's values of one kind, as Python prints them.
fn credentials(kind: &str, who: &Context) -> Vec<String> {
    let text = |value: &Option<String>| vec![value.clone().unwrap_or_else(|| "None".to_string())];
    match kind {
        "user_id" | "user" => text(&who.user_id),
        "project_id" | "tenant_id" | "tenant" | "project" => text(&who.project_id),
        "project_name" | "tenant_name" => text(&who.project_name),
        "user_name" => text(&who.user_name),
        "user_domain_id" | "user_domain" => text(&who.user_domain_id),
        "project_domain_id" | "project_domain" => text(&who.project_domain_id),
        "domain_id" | "domain" => text(&who.domain_id),
        "service_user_id" => text(&who.service_user_id),
        "service_project_id" => text(&who.service_project_id),
        "service_roles" => who.service_roles.iter().cloned().collect(),
        "system_scope" => text(&who.system_scope),
        "is_admin" => vec![if who.is_admin { "True" } else { "False" }.to_string()],
        "is_admin_project" => vec![if who.is_admin_project { "True" } else { "False" }.to_string()],
        "roles" => who.roles.iter().cloned().collect(),
        _ => Vec::new(),
    }
}

/// A match of a text made of pieces against the values allowed.
fn equal(pieces: &[Piece], allowed: Vec<String>, lower: bool) -> Verdict {
    if allowed.is_empty() {
        return Verdict::Never;
    }
    match parse::plain(pieces) {
        Some(text) => {
            let text = if lower { text.to_lowercase() } else { text };
            if allowed.contains(&text) { Verdict::Always } else { Verdict::Never }
        }
        None => Verdict::Depends(Rest::Equal(pieces.to_vec(), allowed)),
    }
}

impl Verdict {
    /// Whether it allows this target.
    pub fn holds(&self, target: &Target<'_>) -> bool {
        match self {
            Verdict::Always => true,
            Verdict::Never => false,
            Verdict::Depends(rest) => rest.holds(target),
        }
    }

    /// Whether it allows a target of which not everything is known: none where that depends on the rest. `known` says of
    /// a field what the target has there, none where that is not known yet.
    pub fn settled(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Verdict::Always => Some(true),
            Verdict::Never => Some(false),
            Verdict::Depends(rest) => rest.settled(known),
        }
    }

    /// The names of the target's fields that it looks at.
    pub fn looks_at(&self) -> Vec<&str> {
        let mut names = Vec::new();
        if let Verdict::Depends(rest) = self {
            rest.collect(&mut names);
        }
        names
    }
}

impl Rest {
    fn holds(&self, target: &Target<'_>) -> bool {
        match self {
            Rest::Not(rest) => !rest.holds(target),
            Rest::All(parts) => parts.iter().all(|part| part.holds(target)),
            Rest::Any(parts) => parts.iter().any(|part| part.holds(target)),
            Rest::Equal(pieces, allowed) => {
                parse::filled(pieces, target).is_some_and(|text| allowed.contains(&text))
            }
            Rest::Field(test) => target(&test.field).is_some_and(|value| test.fits(&value)),
        }
    }

    fn settled(&self, known: &Known<'_>) -> Option<bool> {
        match self {
            Rest::Not(rest) => rest.settled(known).map(|held| !held),
            Rest::All(parts) => every(parts.iter().map(|part| part.settled(known))),
            Rest::Any(parts) => {
                every(parts.iter().map(|part| part.settled(known).map(|held| !held))).map(|none| !none)
            }
            Rest::Equal(..) | Rest::Field(_) => {
                let mut names = Vec::new();
                self.collect(&mut names);
                let whole = names.into_iter().all(|name| known(name).is_some());
                whole.then(|| self.holds(&|name: &str| known(name).flatten()))
            }
        }
    }

    fn collect<'a>(&'a self, names: &mut Vec<&'a str>) {
        match self {
            Rest::Not(rest) => rest.collect(names),
            Rest::All(parts) | Rest::Any(parts) => parts.iter().for_each(|part| part.collect(names)),
            Rest::Equal(pieces, _) => names.extend(pieces.iter().filter_map(|piece| match piece {
                Piece::Field(name) => Some(name.as_str()),
                Piece::Text(_) => None,
            })),
            Rest::Field(test) => names.push(&test.field),
        }
    }
}

/// Whether all of some hold: no as soon as one does not, whatever is not known of the others.
fn every(parts: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let mut all = Some(true);
    for part in parts {
        match part {
            Some(false) => return Some(false),
            Some(true) => {}
            None => all = None,
        }
    }
    all
}

impl FieldTest {
    /// Whether a field's value is the one that the rule names: booleans and numbers by value, texts as they are.
    fn fits(&self, value: &Value) -> bool {
        match (value, &self.pattern) {
            (Value::String(text), Some(pattern)) => pattern.is_match(text),
            (Value::String(text), None) => *text == self.value,
            (Value::Bool(flag), _) => {
                let wanted = self.value.to_lowercase();
                let truth = matches!(wanted.as_str(), "1" | "t" | "true" | "on" | "y" | "yes");
                truth == *flag
            }
            (Value::Number(number), _) => number.to_string() == self.value,
            (Value::Null | Value::Array(_) | Value::Object(_), _) => false,
        }
    }
}

/// A pattern as Python's `re.match` takes it: it fits from the start.
fn anchored(pattern: &str) -> Result<Regex, String> {
    Regex::new(&format!("^(?:{pattern})"))
        .map_err(|e| format!("{pattern} is no regular expression that is understood: {e}"))
}

#[cfg(test)]
mod tests;
