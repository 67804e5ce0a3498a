//! Rows that belong to many resources at once: one statement per five hundred ids, never one per row.

use crate::attr::Body;
use crate::convert;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::record::{Cell, Page};
use crate::store::ROWS_PER_STATEMENT_MAX;
use serde_json::Value;
use std::collections::HashMap;

/// All rows of `head IN (ids) tail`.
pub async fn among<S: AsRef<str>>(tx: &mut Tx, head: &str, ids: &[S], tail: &str) -> Result<Vec<Row>, Stop> {
    let mut rows = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT_MAX) {
        let params: Vec<Val> = ids.iter().map(|id| Val::from(id.as_ref())).collect();
        rows.extend(tx.all(&format!("{head} IN ({}) {tail}", marks(ids.len())), &params).await?);
    }
    Ok(rows)
}

/// The ids of a page.
pub fn ids(page: &Page) -> Vec<String> {
    page.column("id").into_iter().map(str::to_string).collect()
}

/// Rows by the text in their first column.
pub fn by_first(rows: Vec<Row>) -> HashMap<String, Vec<Row>> {
    let mut all: HashMap<String, Vec<Row>> = HashMap::new();
    for row in rows {
        all.entry(row.text(0)).or_default().push(row);
    }
    all
}

/// Sets an attribute of every row of a page from what belongs to its id.
pub fn fill(
    page: &mut Page,
    name: &str,
    rows: &HashMap<String, Vec<Row>>,
    cell: impl Fn(usize, &[Row]) -> Cell,
) {
    if page.place(name).is_none() {
        return;
    }
    let own = |id: &str| rows.get(id).map(Vec::as_slice).unwrap_or_default();
    let cells: Vec<Cell> =
        page.column("id").into_iter().enumerate().map(|(at, id)| cell(at, own(id))).collect();
    for (at, cell) in cells.into_iter().enumerate() {
        page.set(at, name, cell);
    }
}

/// A list of one text column as JSON.
pub fn texts(rows: &[Row], column: usize) -> Cell {
    let list: Vec<String> = rows.iter().map(|r| r.text(column)).collect();
    Cell::Json(Value::from(list).to_string())
}

/// The text under a key; empty where there is none.
pub fn text<'a>(body: &'a Body, key: &str) -> &'a str {
    body.get(key).and_then(Value::as_str).unwrap_or_default()
}

/// The flag under a key; false where there is none.
pub fn flag(body: &Body, key: &str) -> bool {
    body.get(key).and_then(Value::as_bool).unwrap_or_default()
}

/// The number under a key; 0 where there is none.
pub fn number(body: &Body, key: &str) -> i64 {
    body.get(key).and_then(Value::as_i64).unwrap_or_default()
}

/// The items of the list under a key.
pub fn items<'a>(body: &'a Body, key: &str) -> &'a [Value] {
    body.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Parameters of an `IN (…)`.
pub fn params(values: &[String]) -> Vec<Val> {
    values.iter().map(Val::from).collect()
}

/// `NOT ` where a filter of a flag asks for false.
pub fn not_unless(values: &[String]) -> Result<&'static str, Fault> {
    let wanted = values.first().map(|v| convert::to_boolean(Value::from(v.as_str()))).transpose()?;
    Ok(if wanted == Some(Value::Bool(false)) { "NOT " } else { "" })
}
