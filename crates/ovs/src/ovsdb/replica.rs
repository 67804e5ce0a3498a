//! A copy of the rows that are monitored, kept up by what the server tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::Malformed;
use super::schema::{Schema, Shape};
use super::transaction::read_row;
use super::value::{Atom, Row, Value};

/// A table and its columns to watch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Watch {
    /// `Interface`
    pub table: &'static str,
    /// `name`, `ofport` …
    pub columns: &'static [&'static str],
}

/// The parameters of `monitor` and `monitor_cond` for a list of tables; columns that the schema lacks are
/// left out, so that older switches can be watched too.
#[must_use]
pub fn monitor_params(database: &str, id: &str, watches: &[Watch], schema: &Schema) -> Json {
    let known = |watch: &Watch| -> Vec<&str> {
        watch.columns.iter().copied().filter(|column| schema.has(watch.table, column)).collect()
    };
    let requests: Map<String, Json> =
        watches.iter().map(|w| (w.table.to_owned(), json!([{"columns": known(w)}]))).collect();
    json!([database, id, requests])
}

/// Rows by id.
pub type Table = BTreeMap<Uuid, Arc<Row>>;

/// Tables by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Replica {
    tables: BTreeMap<String, Arc<Table>>,
}

impl Replica {
    /// The rows of a table.
    pub fn rows(&self, table: &str) -> impl Iterator<Item = (Uuid, &Row)> {
        self.tables.get(table).into_iter().flat_map(|rows| rows.iter().map(|(id, row)| (*id, row.as_ref())))
    }

    /// A row.
    #[must_use]
    pub fn row(&self, table: &str, id: Uuid) -> Option<&Row> {
        self.tables.get(table)?.get(&id).map(AsRef::as_ref)
    }

    /// The row with this `name`.
    #[must_use]
    pub fn named(&self, table: &str, name: &str) -> Option<(Uuid, &Row)> {
        self.rows(table).find(|(_, row)| row.get("name").and_then(Value::text) == Some(name))
    }

    /// Takes in the answer to `monitor`, or the tables of an `update`: whole rows, old and new.
    ///
    /// # Errors
    /// When it is not understood; then the copy is no copy any more.
    pub fn update(&mut self, updates: &Json) -> Result<(), Malformed> {
        for_each(updates, |table, id, change| {
            let rows = self.table(table);
            match change.get("new") {
                Some(new) => {
                    // Only columns that changed are in `old`; `new` has all that are monitored.
                    rows.insert(id, Arc::new(read_row(new)?));
                }
                None => _ = rows.remove(&id),
            }
            Ok(())
        })
    }

    /// Takes in the answer to `monitor_cond`, or the tables of an `update2`: differences.
    ///
    /// # Errors
    /// When it is not understood; then the copy is no copy any more.
    pub fn update2(&mut self, updates: &Json, schema: &Schema) -> Result<(), Malformed> {
        for_each(updates, |table, id, change| {
            let wrong = || Malformed::new("a change of a row", change);
            let (kind, columns) = change.as_object().and_then(|c| c.iter().next()).ok_or_else(wrong)?;
            let rows = self.table(table);
            match kind.as_str() {
                "initial" | "insert" => _ = rows.insert(id, Arc::new(read_row(columns)?)),
                "delete" => _ = rows.remove(&id),
                "modify" => {
                    let row = Arc::make_mut(rows.get_mut(&id).ok_or_else(wrong)?);
                    for (column, change) in read_row(columns)? {
                        let shape = schema.shape(table, &column);
                        let before = row.remove(&column).unwrap_or_else(Value::empty);
                        row.insert(column, changed(before, change, shape));
                    }
                }
                _ => return Err(wrong()),
            }
            Ok(())
        })
    }

    fn table(&mut self, name: &str) -> &mut Table {
        Arc::make_mut(self.tables.entry(name.to_owned()).or_default())
    }
}

fn for_each(
    updates: &Json,
    mut with: impl FnMut(&str, Uuid, &Json) -> Result<(), Malformed>,
) -> Result<(), Malformed> {
    let wrong = || Malformed::new("an update", updates);
    for (table, rows) in updates.as_object().ok_or_else(wrong)? {
        for (id, change) in rows.as_object().ok_or_else(wrong)? {
            with(table, id.parse().map_err(|_| wrong())?, change)?;
        }
    }
    Ok(())
}

/// A column after a change, by the rules of ovsdb-server(7), "Update2 Notification".
fn changed(before: Value, change: Value, shape: Shape) -> Value {
    match (shape, before, change) {
        (Shape::One, _, change) => change,
        (Shape::Set, Value::Set(before), Value::Set(change)) => {
            Value::Set(before.symmetric_difference(&change).cloned().collect::<BTreeSet<Atom>>())
        }
        (Shape::Map, before, Value::Map(change)) => {
            let mut pairs = match before {
                Value::Map(pairs) => pairs,
                Value::Set(_) => BTreeMap::new(),
            };
            for (key, value) in change {
                if pairs.get(&key) == Some(&value) {
                    pairs.remove(&key);
                } else {
                    pairs.insert(key, value);
                }
            }
            Value::Map(pairs)
        }
        // A shape that the schema does not have; the new value is the best there is.
        (Shape::Set | Shape::Map, _, change) => change,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ovsdb::value::row;

    const ID: &str = "36bef046-7da7-43a5-905a-c17899216fcb";

    fn schema() -> Schema {
        let shapes = [("name", Shape::One), ("tag", Shape::One), ("trunks", Shape::Set), ("ids", Shape::Map)];
        let columns = shapes.iter().map(|(name, shape)| ((*name).to_owned(), *shape)).collect();
        Schema { version: String::new(), tables: BTreeMap::from([("Port".to_owned(), columns)]) }
    }

    fn change(kind: &str, columns: Json) -> Json {
        json!({"Port": {ID: {kind: columns}}})
    }

    #[test]
    fn differences() {
        let mut copy = Replica::default();
        let first = json!({"name": "p", "trunks": ["set", [1, 2]], "ids": ["map", [["a", "1"], ["b", "2"]]]});
        copy.update2(&change("initial", first), &schema()).unwrap();
        let second = json!({"tag": 7, "trunks": ["set", [2, 3]],
            "ids": ["map", [["a", "1"], ["b", "9"], ["c", "3"]]]});
        copy.update2(&change("modify", second), &schema()).unwrap();
        let expected = row([
            ("name", "p".into()),
            ("tag", 7.into()),
            ("trunks", Value::set([1, 3])),
            ("ids", Value::map([("b", "9"), ("c", "3")])),
        ]);
        assert_eq!(copy.named("Port", "p"), Some((ID.parse().unwrap(), &expected)));
        // A set that lost all but the change; a tag that is unset.
        copy.update2(&change("modify", json!({"trunks": 3, "tag": ["set", []]})), &schema()).unwrap();
        let (_, now) = copy.named("Port", "p").unwrap();
        assert_eq!((now["trunks"].clone(), now["tag"].clone()), (Value::from(1), Value::empty()));
        copy.update2(&change("delete", json!(null)), &schema()).unwrap();
        assert_eq!(copy.rows("Port").count(), 0);
        assert!(copy.update2(&change("modify", json!({})), &schema()).is_err(), "of a row that is not there");
    }

    #[test]
    fn whole_rows() {
        let mut copy = Replica::default();
        copy.update(&change("new", json!({"name": "p", "tag": 1}))).unwrap();
        let both = json!({"Port": {ID: {"old": {"tag": 1}, "new": {"name": "p", "tag": 2}}}});
        copy.update(&both).unwrap();
        assert_eq!(copy.named("Port", "p").unwrap().1["tag"], 2.into());
        copy.update(&change("old", json!({"name": "p"}))).unwrap();
        assert_eq!(copy.named("Port", "p"), None);
    }

    #[test]
    fn what_is_asked_for() {
        let watches = [Watch { table: "Port", columns: &["name", "tag", "from_the_future"] }];
        assert_eq!(
            monitor_params("Open_vSwitch", "m", &watches, &schema()),
            json!(["Open_vSwitch", "m", {"Port": [{"columns": ["name", "tag"]}]}])
        );
    }
}
