//! Fields of objects as columns of statements.

use super::{Data, IDS_PER_STATEMENT_MAX, Which, wrap};
use crate::db::{Row, Stop, Tx, Val, marks};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What a column holds.
#[derive(Clone, Copy)]
enum Holds {
    Text,
    Int,
    Bool,
    /// A time of the database (UTC), written `2026-11-21T19:54:13Z`.
    Time,
    /// JSON text that is passed on as text (`DictOfMiscValuesField`); empty is null.
    Dict,
    /// The same, and empty is an empty object.
    DictOrEmpty,
    /// JSON text of a list.
    List,
}

/// One field.
pub(super) struct Column {
    name: &'static str,
    sql: &'static str,
    holds: Holds,
    /// Whether the field is written as null where the column is NULL. Upstream leaves out what is NULL in an
    /// object's own table, and writes null where a table beside it has no row.
    null: bool,
}

const fn column(name: &'static str, sql: &'static str, holds: Holds) -> Column {
    Column { name, sql, holds, null: false }
}

/// A text.
pub(super) const fn text(name: &'static str, sql: &'static str) -> Column {
    column(name, sql, Holds::Text)
}
/// A text that is written as null where there is none.
pub(super) const fn text_or_null(name: &'static str, sql: &'static str) -> Column {
    Column { null: true, ..text(name, sql) }
}
/// A number.
pub(super) const fn int(name: &'static str, sql: &'static str) -> Column {
    column(name, sql, Holds::Int)
}
/// A boolean.
pub(super) const fn flag(name: &'static str, sql: &'static str) -> Column {
    column(name, sql, Holds::Bool)
}
/// A boolean that is written as null where there is none.
pub(super) const fn flag_or_null(name: &'static str, sql: &'static str) -> Column {
    Column { null: true, ..flag(name, sql) }
}
/// A JSON object as text; null where it is empty.
pub(super) const fn dict(name: &'static str, sql: &'static str) -> Column {
    Column { null: true, ..column(name, sql, Holds::Dict) }
}
/// A JSON object as text; `{}` where it is empty.
pub(super) const fn dict_or_empty(name: &'static str, sql: &'static str) -> Column {
    column(name, sql, Holds::DictOrEmpty)
}
/// A list.
pub(super) const fn list(name: &'static str, sql: &'static str) -> Column {
    column(name, sql, Holds::List)
}

/// What every object with standard attributes has; its statement joins `standardattributes AS a`.
pub(super) const STANDARD: &[Column] = &[
    int("revision_number", "a.revision_number"),
    text("description", "a.description"),
    column("created_at", "a.created_at", Holds::Time),
    column("updated_at", "a.updated_at", Holds::Time),
];

impl Column {
    fn value(&self, value: &Val) -> Option<Value> {
        let text = match value {
            Val::Null => "",
            Val::Int(number) => {
                return Some(match self.holds {
                    Holds::Bool => json!(*number != 0),
                    _ => json!(number),
                });
            }
            Val::Text(text) => text.as_str(),
        };
        let absent = *value == Val::Null;
        let shown = match self.holds {
            Holds::DictOrEmpty if text.is_empty() => json!("{}"),
            Holds::Dict if text.is_empty() => Value::Null,
            _ if absent => Value::Null,
            Holds::Time => {
                let whole = text.split('.').next().unwrap_or(text);
                json!(format!("{}Z", whole.replace(' ', "T")))
            }
            Holds::List => serde_json::from_str(text).unwrap_or_else(|_| json!([])),
            Holds::Text | Holds::Int | Holds::Bool | Holds::Dict | Holds::DictOrEmpty => json!(text),
        };
        (!absent || self.null || shown != Value::Null).then_some(shown)
    }
}

fn selected(columns: &[&[Column]]) -> String {
    let names: Vec<&str> = columns.iter().copied().flatten().map(|column| column.sql).collect();
    names.join(", ")
}

fn data(columns: &[&[Column]], row: &Row, first: usize) -> Data {
    let columns = columns.iter().copied().flatten().enumerate();
    columns
        .filter_map(|(at, column)| Some((column.name.to_string(), column.value(&row.value(first + at))?)))
        .collect()
}

/// Objects from their own table (`o` in `from`), in the order of their ids.
pub(super) async fn objects(
    tx: &mut Tx,
    columns: &[&[Column]],
    from: &str,
    which: &Which,
) -> Result<Vec<Data>, Stop> {
    let sql = format!("SELECT {} FROM {from} WHERE {} ORDER BY o.id", selected(columns), which.sql);
    let rows = tx.all(&sql, &which.params).await?;
    Ok(rows.iter().map(|row| data(columns, row, 0)).collect())
}

/// Objects inside of others, by their parent's id, which `parent` selects.
pub(super) struct Children {
    /// The name and the version of the object; none where only one text column is listed.
    pub(super) object: Option<(&'static str, &'static str)>,
    /// Its fields.
    pub(super) columns: &'static [Column],
    /// Whether it has standard attributes.
    pub(super) standard: bool,
    /// The tables.
    pub(super) from: &'static str,
    /// The column with the parent's id.
    pub(super) parent: &'static str,
    /// The columns that order them.
    pub(super) order: &'static str,
}

impl Children {
    /// The fields of the children of some parents.
    pub(super) async fn data(&self, tx: &mut Tx, parents: &[String]) -> Result<Vec<(String, Data)>, Stop> {
        let columns: &[&[Column]] = match self.standard {
            true => &[self.columns, STANDARD],
            false => &[self.columns],
        };
        let mut found = Vec::new();
        for parents in parents.chunks(IDS_PER_STATEMENT_MAX) {
            let sql = format!(
                "SELECT {parent}, {} FROM {} WHERE {parent} IN ({}) ORDER BY {}",
                selected(columns),
                self.from,
                marks(parents.len()),
                self.order,
                parent = self.parent,
            );
            let params: Vec<Val> = parents.iter().map(Val::from).collect();
            for row in tx.all(&sql, &params).await? {
                found.push((row.text(0), data(columns, &row, 1)));
            }
        }
        Ok(found)
    }

    /// The children of some parents as they are written, by their parent's id.
    pub(super) async fn of(
        &self,
        tx: &mut Tx,
        parents: &[String],
    ) -> Result<HashMap<String, Vec<Value>>, Stop> {
        let mut found: HashMap<String, Vec<Value>> = HashMap::new();
        for (parent, data) in self.data(tx, parents).await? {
            let child = match self.object {
                Some((name, version)) => wrap(name, version, data),
                None => data.into_iter().next().map_or(Value::Null, |(_, value)| value),
            };
            found.entry(parent).or_default().push(child);
        }
        Ok(found)
    }
}
