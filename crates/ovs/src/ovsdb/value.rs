//! Values of columns: RFC 7047 section 5.1, between JSON and Rust.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value as Json, json};
use uuid::Uuid;

use super::Malformed;

/// A number with a fraction, ordered totally so that it may be an element of a set.
#[derive(Debug, Clone, Copy)]
pub struct Real(pub f64);

impl PartialEq for Real {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}
impl Eq for Real {}
impl PartialOrd for Real {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Real {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// `<atom>` of RFC 7047.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Atom {
    /// `integer`
    Integer(i64),
    /// `real`
    Real(Real),
    /// `boolean`
    Boolean(bool),
    /// `string`
    String(String),
    /// `uuid`
    Uuid(Uuid),
    /// `named-uuid`: a row that the same transaction inserts.
    Named(String),
}

/// `<value>` of RFC 7047. An atom alone is a set of one: the protocol makes no difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// Any number of atoms.
    Set(BTreeSet<Atom>),
    /// Keys and values.
    Map(BTreeMap<Atom, Atom>),
}

/// Values by column.
pub type Row = BTreeMap<String, Value>;

/// A row from a list of columns.
pub fn row<const N: usize>(columns: [(&str, Value); N]) -> Row {
    columns.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// A column's text; empty when it has none, as `monitor_cond` leaves out what is the default.
#[must_use]
pub fn text<'a>(row: &'a Row, column: &str) -> &'a str {
    row.get(column).and_then(Value::text).unwrap_or_default()
}

/// A column's number.
#[must_use]
pub fn integer(row: &Row, column: &str) -> Option<i64> {
    row.get(column).and_then(Value::integer)
}

impl Atom {
    /// Reads an atom.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &Json) -> Result<Atom, Malformed> {
        let wrong = || Malformed::new("an atom", json);
        match json {
            Json::String(text) => Ok(Atom::String(text.clone())),
            Json::Bool(value) => Ok(Atom::Boolean(*value)),
            Json::Number(number) => match number.as_i64() {
                Some(value) => Ok(Atom::Integer(value)),
                None => number.as_f64().map(|value| Atom::Real(Real(value))).ok_or_else(wrong),
            },
            Json::Array(pair) => match pair.as_slice() {
                [Json::String(tag), Json::String(id)] if tag == "uuid" => {
                    id.parse().map(Atom::Uuid).map_err(|_| wrong())
                }
                [Json::String(tag), Json::String(name)] if tag == "named-uuid" => {
                    Ok(Atom::Named(name.clone()))
                }
                _ => Err(wrong()),
            },
            Json::Null | Json::Object(_) => Err(wrong()),
        }
    }

    /// Writes it.
    #[must_use]
    pub fn json(&self) -> Json {
        match self {
            Atom::Integer(value) => json!(value),
            Atom::Real(value) => json!(value.0),
            Atom::Boolean(value) => json!(value),
            Atom::String(text) => json!(text),
            Atom::Uuid(id) => json!(["uuid", id.to_string()]),
            Atom::Named(name) => json!(["named-uuid", name]),
        }
    }
}

impl Value {
    /// No value: an optional column that is not set.
    #[must_use]
    pub fn empty() -> Value {
        Value::Set(BTreeSet::new())
    }

    /// Several atoms.
    pub fn set<T: Into<Atom>>(atoms: impl IntoIterator<Item = T>) -> Value {
        Value::Set(atoms.into_iter().map(Into::into).collect())
    }

    /// Keys and values.
    pub fn map<K: Into<Atom>, V: Into<Atom>>(pairs: impl IntoIterator<Item = (K, V)>) -> Value {
        Value::Map(pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect())
    }

    /// Reads a value.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(json: &Json) -> Result<Value, Malformed> {
        let wrong = || Malformed::new("a value", json);
        let parts = match json.as_array().map(Vec::as_slice) {
            Some([Json::String(tag), Json::Array(parts)]) if tag == "set" || tag == "map" => (tag, parts),
            _ => return Ok(Value::Set(BTreeSet::from([Atom::read(json)?]))),
        };
        if parts.0 == "set" {
            return Ok(Value::Set(parts.1.iter().map(Atom::read).collect::<Result<_, _>>()?));
        }
        let pair = |pair: &Json| match pair.as_array().map(Vec::as_slice) {
            Some([key, value]) => Ok((Atom::read(key)?, Atom::read(value)?)),
            _ => Err(wrong()),
        };
        Ok(Value::Map(parts.1.iter().map(pair).collect::<Result<_, _>>()?))
    }

    /// Writes it.
    #[must_use]
    pub fn json(&self) -> Json {
        match self {
            Value::Set(atoms) => match atoms.first() {
                Some(only) if atoms.len() == 1 => only.json(),
                _ => json!(["set", atoms.iter().map(Atom::json).collect::<Vec<_>>()]),
            },
            Value::Map(pairs) => {
                json!(["map", pairs.iter().map(|(k, v)| json!([k.json(), v.json()])).collect::<Vec<_>>()])
            }
        }
    }

    /// The atoms of a set; none of a map.
    pub fn atoms(&self) -> impl Iterator<Item = &Atom> {
        match self {
            Value::Set(atoms) => Some(atoms.iter()),
            Value::Map(_) => None,
        }
        .into_iter()
        .flatten()
    }

    fn only(&self) -> Option<&Atom> {
        match self {
            Value::Set(atoms) if atoms.len() == 1 => atoms.first(),
            Value::Set(_) | Value::Map(_) => None,
        }
    }

    /// The text, if it is one.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        match self.only()? {
            Atom::String(text) => Some(text),
            _ => None,
        }
    }

    /// The number, if it is one.
    #[must_use]
    pub fn integer(&self) -> Option<i64> {
        match self.only()? {
            Atom::Integer(value) => Some(*value),
            _ => None,
        }
    }

    /// The truth, if it is one.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        match self.only()? {
            Atom::Boolean(value) => Some(*value),
            _ => None,
        }
    }

    /// The rows referred to.
    pub fn uuids(&self) -> impl Iterator<Item = Uuid> {
        self.atoms().filter_map(|atom| match atom {
            Atom::Uuid(id) => Some(*id),
            _ => None,
        })
    }

    /// The texts in a set.
    pub fn texts(&self) -> impl Iterator<Item = &str> {
        self.atoms().filter_map(|atom| match atom {
            Atom::String(text) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The text under a key of a map.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&str> {
        let Value::Map(pairs) = self else { return None };
        match pairs.get(&Atom::String(key.to_owned()))? {
            Atom::String(text) => Some(text),
            _ => None,
        }
    }

    /// The pairs of a map from text to text.
    pub fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        match self {
            Value::Map(pairs) => Some(pairs.iter()),
            Value::Set(_) => None,
        }
        .into_iter()
        .flatten()
        .filter_map(|pair| match pair {
            (Atom::String(key), Atom::String(value)) => Some((key.as_str(), value.as_str())),
            _ => None,
        })
    }
}

impl From<&str> for Atom {
    fn from(text: &str) -> Atom {
        Atom::String(text.to_owned())
    }
}
impl From<String> for Atom {
    fn from(text: String) -> Atom {
        Atom::String(text)
    }
}
impl From<i64> for Atom {
    fn from(value: i64) -> Atom {
        Atom::Integer(value)
    }
}
impl From<bool> for Atom {
    fn from(value: bool) -> Atom {
        Atom::Boolean(value)
    }
}
impl From<Uuid> for Atom {
    fn from(id: Uuid) -> Atom {
        Atom::Uuid(id)
    }
}
impl<T: Into<Atom>> From<T> for Value {
    fn from(atom: T) -> Value {
        Value::Set(BTreeSet::from([atom.into()]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_and_go() {
        for text in [
            r#"7"#,
            r#""br-int""#,
            r#"true"#,
            r#"1.5"#,
            r#"["uuid","36bef046-7da7-43a5-905a-c17899216fcb"]"#,
            r#"["named-uuid","row1"]"#,
            r#"["set",[]]"#,
            r#"["set",[1,2]]"#,
            r#"["map",[["tag","3"],["x","y"]]]"#,
        ] {
            let json: Json = serde_json::from_str(text).unwrap();
            assert_eq!(Value::read(&json).unwrap().json().to_string(), text);
        }
        // A set of one is the atom itself.
        assert_eq!(Value::read(&json!(["set", [4]])).unwrap(), Value::from(4));
        for wrong in [json!(null), json!({}), json!(["uuid", "x"]), json!(["map", [["k"]]]), json!([1, 2, 3])]
        {
            assert!(Value::read(&wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_in_them() {
        let value = Value::read(&json!(["map", [["iface-id", "p1"], ["n", 3]]])).unwrap();
        assert_eq!((value.get("iface-id"), value.get("n"), value.get("x")), (Some("p1"), None, None));
        assert_eq!(Value::from(3).integer(), Some(3));
        assert_eq!(Value::empty().integer(), None);
        assert_eq!(Value::set([1, 2]).integer(), None);
    }
}
