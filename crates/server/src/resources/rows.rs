//! Rows that belong to many resources at once: one statement per five hundred ids, never one per row.

use crate::api::view;
use crate::attr::Body;
use crate::convert;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::record::{Cell, Page};
use crate::store::ROWS_PER_STATEMENT_MAX;
use serde_json::Value;
use std::cmp::Ordering;

/// All rows of `head IN (ids) tail`.
pub async fn among<S: AsRef<str>>(tx: &mut Tx, head: &str, ids: &[S], tail: &str) -> Result<Vec<Row>, Stop> {
    let mut rows = Vec::new();
    for ids in ids.chunks(ROWS_PER_STATEMENT_MAX) {
        let params: Vec<Val> = ids.iter().map(|id| Val::from(id.as_ref())).collect();
        rows.extend(tx.all(&format!("{head} IN ({}) {tail}", marks(ids.len())), &params).await?);
    }
    Ok(rows)
}

/// All rows of `head IN (…) tail` for the ids of a page: by the ids, or by the query that found them.
pub async fn of_page(tx: &mut Tx, head: &str, page: &Page, tail: &str) -> Result<Vec<Row>, Stop> {
    match &page.query {
        Some(own) => {
            let sql = format!("{head} IN ({}) {tail}", own.column("id"));
            tx.all_of_page(sql, own.params.clone()).await
        }
        None => {
            let ids = ids(page);
            if ids.is_empty() || ids.len() > ROWS_PER_STATEMENT_MAX {
                return among(tx, head, &ids, tail).await;
            }
            tx.all_of_page(format!("{head} IN ({}) {tail}", marks(ids.len())), params(&ids)).await
        }
    }
}

/// The ids of a page.
pub fn ids(page: &Page) -> Vec<String> {
    page.column("id").into_iter().map(str::to_string).collect()
}

/// Rows by the text in their first column, each key's in the order in which they came.
pub struct ByFirst(Vec<Row>);

/// Sorts rows by the text in their first column.
pub fn by_first(mut rows: Vec<Row>) -> ByFirst {
    rows.sort_by(|a, b| a.str(0).cmp(b.str(0)));
    ByFirst(rows)
}

/// As [`by_first`], each key's rows by the texts and numbers in some columns. The database would sort them in a table of its
/// own, which costs it more than finding them.
pub fn by_first_then(mut rows: Vec<Row>, columns: &[usize]) -> ByFirst {
    let among = |a: &Row, b: &Row, column: usize| {
        a.str(column).cmp(b.str(column)).then_with(|| a.opt_int(column).cmp(&b.opt_int(column)))
    };
    let then = |a: &Row, b: &Row| {
        columns
            .iter()
            .map(|column| among(a, b, *column))
            .find(|order| order.is_ne())
            .unwrap_or(Ordering::Equal)
    };
    rows.sort_by(|a, b| a.str(0).cmp(b.str(0)).then_with(|| then(a, b)));
    ByFirst(rows)
}

impl ByFirst {
    /// Whether there are none at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The rows of a key.
    pub fn get(&self, key: &str) -> &[Row] {
        self.get_near(key, &mut 0)
    }

    /// As [`ByFirst::get`]; they stand at `near` where keys are asked for in order, and `near` is moved behind them.
    fn get_near(&self, key: &str, near: &mut usize) -> &[Row] {
        let rows = self.0.as_slice();
        let here = rows.get(*near).is_some_and(|row| row.str(0) == key)
            && near.checked_sub(1).is_none_or(|at| rows.get(at).is_none_or(|row| row.str(0) != key));
        let start = if here { *near } else { rows.partition_point(|row| row.str(0) < key) };
        let rest = rows.get(start..).unwrap_or_default();
        let count = rest.iter().take_while(|row| row.str(0) == key).count();
        *near = start + count;
        rest.get(..count).unwrap_or_default()
    }
}

/// Sets an attribute of every row of a page from what belongs to its id.
pub fn fill(page: &mut Page, name: &str, rows: &ByFirst, cell: impl Fn(usize, &[Row]) -> Cell) {
    let (Some(place), Some(key)) = (page.place(name), page.place("id")) else { return };
    let mut near = 0;
    for (at, row) in page.rows.iter_mut().enumerate() {
        let own = match row.get(key) {
            Some(Cell::Text(id)) => rows.get_near(id, &mut near),
            _ => &[],
        };
        let filled = cell(at, own);
        if let Some(place) = row.get_mut(place) {
            *place = filled;
        }
    }
}

/// A list of one text column as JSON.
pub fn texts(rows: &[Row], column: usize) -> Cell {
    let mut json = vec![b'['];
    for (at, row) in rows.iter().enumerate() {
        if at > 0 {
            json.push(b',');
        }
        view::text(&mut json, row.str(column));
    }
    json.push(b']');
    Cell::Json(String::from_utf8(json).unwrap_or_default())
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
