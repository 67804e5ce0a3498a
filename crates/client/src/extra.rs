//! Unknown options that become attributes: `--provider:network_type flat`, `--foo type=dict a=b`, `--x list=true y`.
//!
//! What the old client understood: after an option may come `type=int|bool|str|dict`, `list=true` or `action=clear`,
//! then its values; none means true, several mean a list.

use serde_json::{Map, Value, json};

use crate::argparse::parse;
use crate::fault::Fault;
use crate::python;

#[derive(Clone, Copy, PartialEq)]
enum Type {
    Bool,
    Dict,
    Int,
    Text,
}

struct Spec<'a> {
    item: &'a str,
    name: &'a str,
    kind: Option<Type>,
    list: bool,
    clear: bool,
    values: Vec<&'a str>,
}

impl Spec<'_> {
    fn inline(&self) -> bool {
        self.item.contains('=')
    }
}

/// Reads the words no option of the command took.
///
/// # Errors
/// They do not follow the rules.
pub fn parse(words: &[String]) -> Result<Map<String, Value>, Fault> {
    let invalid = || Fault::Command(format!("Invalid values_specs {}", words.join(" ")));
    let mut specs: Vec<Spec<'_>> = Vec::new();
    for word in words.iter().skip(usize::from(words.first().is_some_and(|word| word == "--"))) {
        if word.starts_with("--") {
            let (name, value) =
                word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            if specs.last().is_some_and(|last| last.values.is_empty() && (last.kind.is_some() || last.list)) {
                return Err(invalid());
            }
            if specs.iter().any(|spec| spec.name == name) {
                return Err(Fault::Command(format!("Duplicated options {}", words.join(" "))));
            }
            if word.starts_with("---") {
                return Err(invalid());
            }
            let values = value.into_iter().collect();
            specs.push(Spec { item: word, name, kind: None, list: false, clear: false, values });
            continue;
        }
        let Some(spec) = specs.last_mut() else { return Err(invalid()) };
        match word.as_str() {
            "list=true" => spec.list = true,
            "action=clear" => spec.clear = true,
            _ if word.starts_with("type=") && spec.kind.is_none() => spec.kind = Some(kind(word, words)?),
            _ if spec.inline() || (word.starts_with('-') && !is_number(word)) => return Err(invalid()),
            _ => spec.values.push(word),
        }
    }
    if specs.last().is_some_and(|last| last.values.is_empty() && (last.kind.is_some() || last.list)) {
        return Err(invalid());
    }
    specs.iter().map(|spec| Ok((spec.name[2..].replace('-', "_"), value(spec)?))).collect()
}

fn kind(word: &str, words: &[String]) -> Result<Type, Fault> {
    match word.split('=').nth(1).unwrap_or_default() {
        "bool" => Ok(Type::Bool),
        "dict" => Ok(Type::Dict),
        "int" => Ok(Type::Int),
        "str" => Ok(Type::Text),
        other => Err(Fault::Command(format!(
            "Invalid value_specs {}: type {other} is not supported",
            words.join(" ")
        ))),
    }
}

fn is_number(word: &str) -> bool {
    word.parse::<f64>().is_ok()
}

fn value(spec: &Spec<'_>) -> Result<Value, Fault> {
    let mut values = spec
        .values
        .iter()
        .map(|word| convert(spec.kind.unwrap_or(Type::Text), word))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| Fault::Usage(format!("neutron: error: argument {}: {reason}", spec.name)))?;
    Ok(match values.len() {
        0 if spec.clear => Value::Null,
        0 => json!(true),
        1 if !spec.list => values.remove(0),
        _ => Value::Array(values),
    })
}

fn convert(kind: Type, word: &str) -> Result<Value, String> {
    match kind {
        Type::Bool => Ok(json!(word.to_lowercase() == "true")),
        Type::Dict => parse::dict(word, &[], &[]).map(Value::Object),
        Type::Int => word
            .trim()
            .parse::<i64>()
            .map(|number| json!(number))
            .map_err(|_| format!("invalid int value: {}", python::repr_text(word))),
        Type::Text => Ok(json!(word)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> String {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        match parse(&words) {
            Ok(map) => Value::Object(map).to_string(),
            Err(fault) => fault.to_string(),
        }
    }

    #[test]
    fn unknown_options_become_attributes() {
        for (line, expected) in [
            ("", "{}"),
            ("--router:external True", r#"{"router:external":"True"}"#),
            ("--router:external", r#"{"router:external":true}"#),
            ("--router:external=True --x", r#"{"router:external":"True","x":true}"#),
            ("-- --tag x y --key1 type=int 1", r#"{"tag":["x","y"],"key1":1}"#),
            ("--foo-bar type=dict a=b,c=d", r#"{"foo_bar":{"a":"b","c":"d"}}"#),
            ("--r type=dict list=true a=b,c=d", r#"{"r":[{"a":"b","c":"d"}]}"#),
            ("--up type=bool False", r#"{"up":false}"#),
            ("--routes action=clear", r#"{"routes":null}"#),
            ("--n -5", r#"{"n":"-5"}"#),
            ("--n -x", "Invalid values_specs --n -x"),
            ("x", "Invalid values_specs x"),
            ("--a type=int", "Invalid values_specs --a type=int"),
            ("--a=1 2", "Invalid values_specs --a=1 2"),
            ("--a --a", "Duplicated options --a --a"),
            ("--a type=list x", "Invalid value_specs --a type=list x: type list is not supported"),
            ("--a type=int x", "neutron: error: argument --a: invalid int value: 'x'"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }
}
