//! Changes: the operations of RFC 7047 section 5.2, built with types and done all or none.

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Malformed;
use super::value::{Atom, Row, Value};

/// One comparison of a `where`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition(String, Test, Value);

/// How a column is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Test {
    /// The column has exactly this value.
    Is,
    /// It has not.
    IsNot,
    /// The column has at least these elements or pairs.
    Includes,
    /// It has none of them.
    Excludes,
}

impl Condition {
    /// A comparison of a column.
    pub fn new(column: &str, test: Test, value: impl Into<Value>) -> Condition {
        Condition(column.to_owned(), test, value.into())
    }

    /// The row itself.
    #[must_use]
    pub fn uuid(id: Uuid) -> Condition {
        Condition::new("_uuid", Test::Is, id)
    }

    fn json(&self) -> Json {
        let test = match self.1 {
            Test::Is => "==",
            Test::IsNot => "!=",
            Test::Includes => "includes",
            Test::Excludes => "excludes",
        };
        json!([self.0, test, self.2.json()])
    }
}

/// A change of part of a column, whatever else is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Mutation {
    /// Elements or pairs come. A pair whose key is there already stays as it is.
    Insert(String, Value),
    /// Elements go; of a map, pairs (given as map) or keys (given as set).
    Delete(String, Value),
    /// A number grows.
    Add(String, i64),
}

impl Mutation {
    fn json(&self) -> Json {
        match self {
            Mutation::Insert(column, value) => json!([column, "insert", as_set(value)]),
            Mutation::Delete(column, value) => json!([column, "delete", as_set(value)]),
            Mutation::Add(column, by) => json!([column, "+=", by]),
        }
    }
}

/// Written out even when it holds one element: what has one element may stand for a column's whole value.
fn as_set(value: &Value) -> Json {
    match value {
        Value::Set(atoms) => json!(["set", atoms.iter().map(Atom::json).collect::<Vec<_>>()]),
        Value::Map(_) => value.json(),
    }
}

/// Operations that are done all or none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Transaction {
    operations: Vec<Json>,
    names: usize,
}

impl Transaction {
    /// Without operations.
    #[must_use]
    pub fn new() -> Transaction {
        Transaction::default()
    }

    /// Whether it changes nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.operations.is_empty()
    }

    /// How many operations it has.
    #[must_use]
    pub fn len(&self) -> usize {
        self.operations.len()
    }

    /// Adds a row; what comes back refers to it within this transaction.
    pub fn insert(&mut self, table: &str, row: Row) -> Atom {
        self.names += 1;
        let name = format!("new{}", self.names);
        self.push(json!({"op": "insert", "table": table, "row": row_json(&row), "uuid-name": name}));
        Atom::Named(name)
    }

    /// Sets columns of the rows for which all conditions hold.
    pub fn update(&mut self, table: &str, conditions: &[Condition], row: Row) {
        self.push(json!({"op": "update", "table": table, "where": all(conditions), "row": row_json(&row)}));
    }

    /// Changes parts of columns.
    pub fn mutate(&mut self, table: &str, conditions: &[Condition], mutations: &[Mutation]) {
        let mutations: Vec<Json> = mutations.iter().map(Mutation::json).collect();
        self.push(json!({"op": "mutate", "table": table, "where": all(conditions), "mutations": mutations}));
    }

    /// Removes rows. Open vSwitch's own tables are cleaned up by themselves: what nothing refers to goes.
    pub fn delete(&mut self, table: &str, conditions: &[Condition]) {
        self.push(json!({"op": "delete", "table": table, "where": all(conditions)}));
    }

    /// Reads rows.
    pub fn select(&mut self, table: &str, conditions: &[Condition], columns: &[&str]) {
        self.push(json!({"op": "select", "table": table, "where": all(conditions), "columns": columns}));
    }

    /// Goes on only if the rows for which all conditions hold have exactly these columns now: guards
    /// against another's change since we looked.
    pub fn wait(&mut self, table: &str, conditions: &[Condition], columns: &[&str], rows: &[Row]) {
        let rows: Vec<Json> = rows.iter().map(row_json).collect();
        self.push(json!({
            "op": "wait", "table": table, "where": all(conditions), "columns": columns, "until": "==",
            "rows": rows, "timeout": 0,
        }));
    }

    /// A word for the database's log.
    pub fn comment(&mut self, text: &str) {
        self.push(json!({"op": "comment", "comment": text}));
    }

    fn push(&mut self, operation: Json) {
        self.operations.push(operation);
    }

    /// The parameters of `transact`.
    #[must_use]
    pub fn params(&self, database: &str) -> Json {
        let mut params = vec![json!(database)];
        params.extend(self.operations.iter().cloned());
        Json::Array(params)
    }

    /// Reads the answer: an outcome for each operation.
    ///
    /// # Errors
    /// With the operation that was refused, or why the whole was.
    pub fn outcomes(&self, answer: &Json) -> Result<Vec<Outcome>, Refused> {
        let odd = || Refused {
            error: "odd answer".into(),
            details: Malformed::new("an answer", answer).to_string(),
            operation: String::new(),
        };
        let list = answer.as_array().ok_or_else(odd)?;
        let mut outcomes = Vec::with_capacity(list.len());
        for (at, result) in list.iter().enumerate() {
            if let Some(error) = result.get("error").and_then(Json::as_str) {
                let text =
                    |name: &str| result.get(name).and_then(Json::as_str).unwrap_or_default().to_owned();
                let operation = self.operations.get(at).map(Json::to_string).unwrap_or_default();
                return Err(Refused { error: error.to_owned(), details: text("details"), operation });
            }
            outcomes.push(Outcome::read(result).map_err(|_| odd())?);
        }
        if outcomes.len() < self.operations.len() {
            return Err(odd());
        }
        Ok(outcomes)
    }
}

fn all(conditions: &[Condition]) -> Json {
    Json::Array(conditions.iter().map(Condition::json).collect())
}

fn row_json(row: &Row) -> Json {
    Json::Object(row.iter().map(|(name, value)| (name.clone(), value.json())).collect::<Map<_, _>>())
}

/// Reads a `<row>`.
pub(crate) fn read_row(json: &Json) -> Result<Row, Malformed> {
    let columns = json.as_object().ok_or_else(|| Malformed::new("a row", json))?;
    columns.iter().map(|(name, value)| Ok((name.clone(), Value::read(value)?))).collect()
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The row it made.
    Inserted(Uuid),
    /// How many rows it changed or removed.
    Count(u64),
    /// What it read.
    Rows(Vec<Row>),
    /// Nothing to say: a wait that held, a comment.
    Done,
}

impl Outcome {
    fn read(json: &Json) -> Result<Outcome, Malformed> {
        if let Some(count) = json.get("count").and_then(Json::as_u64) {
            return Ok(Outcome::Count(count));
        }
        if let Some(rows) = json.get("rows").and_then(Json::as_array) {
            return Ok(Outcome::Rows(rows.iter().map(read_row).collect::<Result<_, _>>()?));
        }
        if let Some(id) = json.get("uuid") {
            return match Atom::read(id)? {
                Atom::Uuid(id) => Ok(Outcome::Inserted(id)),
                _ => Err(Malformed::new("an outcome", json)),
            };
        }
        Ok(Outcome::Done)
    }
}

/// A transaction that was not done, no part of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Open vSwitch's database refused: {error}: {details} {operation}")]
pub struct Refused {
    /// `constraint violation`, `timed out` (a wait that did not hold) …
    pub error: String,
    /// In words.
    pub details: String,
    /// The operation, as JSON; empty when the whole was refused at its end.
    pub operation: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ovsdb::value::row;
    use expect_test::expect;

    #[test]
    fn operations() {
        let mut change = Transaction::new();
        let interface = change.insert("Interface", row([("name", "tap1".into()), ("type", "".into())]));
        let port =
            change.insert("Port", row([("name", "tap1".into()), ("interfaces", Value::set([interface]))]));
        let bridge = [Condition::new("name", Test::Is, "br-int")];
        change.mutate("Bridge", &bridge, &[Mutation::Insert("ports".into(), Value::set([port]))]);
        change.mutate("Open_vSwitch", &[], &[Mutation::Add("next_cfg".into(), 1)]);
        change.update("Port", &[Condition::uuid(Uuid::nil())], row([("tag", 3.into())]));
        change.wait("Bridge", &bridge, &["fail_mode"], &[row([("fail_mode", Value::empty())])]);
        change.comment("wire tap1");
        let text: String = change.operations.iter().map(|op| format!("{op}\n")).collect();
        expect![[r#"
            {"op":"insert","table":"Interface","row":{"name":"tap1","type":""},"uuid-name":"new1"}
            {"op":"insert","table":"Port","row":{"interfaces":["named-uuid","new1"],"name":"tap1"},"uuid-name":"new2"}
            {"op":"mutate","table":"Bridge","where":[["name","==","br-int"]],"mutations":[["ports","insert",["set",[["named-uuid","new2"]]]]]}
            {"op":"mutate","table":"Open_vSwitch","where":[],"mutations":[["next_cfg","+=",1]]}
            {"op":"update","table":"Port","where":[["_uuid","==",["uuid","00000000-0000-0000-0000-000000000000"]]],"row":{"tag":3}}
            {"op":"wait","table":"Bridge","where":[["name","==","br-int"]],"columns":["fail_mode"],"until":"==","rows":[{"fail_mode":["set",[]]}],"timeout":0}
            {"op":"comment","comment":"wire tap1"}
        "#]]
        .assert_eq(&text);
    }

    #[test]
    fn answers() {
        let mut change = Transaction::new();
        change.insert("Port", Row::new());
        change.delete("Port", &[]);
        let id = "36bef046-7da7-43a5-905a-c17899216fcb";
        assert_eq!(
            change.outcomes(&json!([{"uuid": ["uuid", id]}, {"count": 2}])),
            Ok(vec![Outcome::Inserted(id.parse().unwrap()), Outcome::Count(2)])
        );
        let refused =
            change.outcomes(&json!([{"uuid": ["uuid", id]}, {"error": "timed out", "details": "x"}]));
        assert_eq!(refused.unwrap_err().operation, r#"{"op":"delete","table":"Port","where":[]}"#);
        // Refused when it was to be made durable: one more element than operations.
        let late = json!([{"uuid": ["uuid", id]}, {"count": 2}, {"error": "constraint violation"}]);
        assert_eq!(change.outcomes(&late).unwrap_err().error, "constraint violation");
        assert!(change.outcomes(&json!([null])).is_err());
        assert!(change.outcomes(&json!({})).is_err());
    }
}
