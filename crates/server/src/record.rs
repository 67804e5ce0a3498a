//! Rows on their way to the client: typed cells beside a shared list of names, written as JSON without maps.
//!
//! A list of 5,000 ports costs a tenth of what it costs through `serde_json::Value` objects; so the list path
//! carries [`Page`]s, and single resources become a [`Body`](crate::attr::Body) where a rule reads them.

use crate::attr::Body;
use crate::db::Val;
use serde_json::Value;
use std::sync::Arc;

/// One value of one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Not filled: the attribute is left out of the answer.
    Absent,
    /// null
    Null,
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A text.
    Text(String),
    /// JSON text that is written as it stands (lists and objects).
    Json(String),
}

/// Rows of one resource with the same attributes.
#[derive(Debug, Clone)]
pub struct Page {
    /// The attributes' names, in the order in which they are written.
    pub names: Arc<[&'static str]>,
    /// One list of cells per row, as long as `names`.
    pub rows: Vec<Vec<Cell>>,
    /// The query that found these rows, where it costs less than to name them one by one.
    pub query: Option<Arc<Origin>>,
}

/// The query that found some rows, to be put into another.
#[derive(Debug, Clone)]
pub struct Origin {
    /// The resource's table.
    pub table: &'static str,
    /// What stands behind its FROM: tables and conditions.
    pub rest: String,
    /// The conditions' parameters.
    pub params: Vec<Val>,
}

impl Origin {
    /// One column of the resource's table for each of the rows.
    pub fn column(&self, name: &str) -> String {
        format!("SELECT {}.{name} FROM {}", self.table, self.rest)
    }
}

impl Page {
    /// Rows that are named one by one.
    pub fn new(names: Arc<[&'static str]>, rows: Vec<Vec<Cell>>) -> Page {
        Page { names, rows, query: None }
    }

    /// The place of an attribute in every row.
    pub fn place(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| *n == name)
    }

    /// The text in a cell; empty where it holds none.
    pub fn text(&self, row: usize, name: &str) -> &str {
        match self.place(name).and_then(|at| self.rows.get(row)?.get(at)) {
            Some(Cell::Text(text)) => text,
            _ => "",
        }
    }

    /// All values of a text attribute, by row.
    pub fn column<'a>(&'a self, name: &str) -> Vec<&'a str> {
        let at = self.place(name);
        self.rows
            .iter()
            .map(|row| match at.and_then(|at| row.get(at)) {
                Some(Cell::Text(text)) => text.as_str(),
                _ => "",
            })
            .collect()
    }

    /// Sets a cell; a name that the page does not carry is ignored (`?fields=` left it out).
    pub fn set(&mut self, row: usize, name: &str, cell: Cell) {
        if let Some(at) = self.place(name)
            && let Some(row) = self.rows.get_mut(row)
            && let Some(place) = row.get_mut(at)
        {
            *place = cell;
        }
    }

    /// One row as a map of JSON values, for rules and messages.
    pub fn body(&self, row: usize) -> Body {
        let cells = self.rows.get(row).map(Vec::as_slice).unwrap_or_default();
        self.names.iter().zip(cells).filter_map(|(n, c)| Some(((*n).to_string(), c.value()?))).collect()
    }
}

impl Cell {
    /// The cell as a JSON value; none when it is absent.
    pub fn value(&self) -> Option<Value> {
        Some(match self {
            Cell::Absent => return None,
            Cell::Null => Value::Null,
            Cell::Bool(flag) => Value::Bool(*flag),
            Cell::Int(number) => Value::from(*number),
            Cell::Text(text) => Value::String(text.clone()),
            Cell::Json(text) => serde_json::from_str(text).unwrap_or(Value::Null),
        })
    }
}

impl From<Option<String>> for Cell {
    fn from(text: Option<String>) -> Cell {
        text.map_or(Cell::Null, Cell::Text)
    }
}
