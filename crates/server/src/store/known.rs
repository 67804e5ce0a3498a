//! Rows whose state a transaction knows, because it read or made them: what is announced and shown of them needs
//! no statement.
//!
//! A statement that writes forgets all of them ([`Tx::exec`](crate::db::Tx::exec)); those who write with
//! `exec_noted` say here what became of them.

use crate::db::{Row, Val};
use crate::record::{Cell, Page};
use std::sync::Arc;

/// Rows remembered by one transaction: beyond, the oldest are forgotten.
const ROWS_MAX: usize = 256;

/// Answers of whole statements remembered by one transaction.
const ANSWERS_MAX: usize = 64;

/// The rows that a transaction knows.
#[derive(Default)]
pub(crate) struct Known {
    rows: Vec<Entry>,
    answers: Vec<Answer>,
}

/// A statement with its parameters, and what it answered.
type Answer = (String, Vec<Val>, Vec<Row>);

/// What is filled may depend on who asks: the caller's project, and whether all rows are visible.
pub(crate) type Who = (Option<String>, bool);

struct Entry {
    who: Who,
    resource: &'static str,
    id: String,
    names: Arc<[&'static str]>,
    /// Cells that are [`Cell::Absent`] are not known yet.
    cells: Vec<Cell>,
}

impl Entry {
    /// The database compares ids without case.
    fn is(&self, resource: &str, id: &str) -> bool {
        self.resource == resource && self.id.eq_ignore_ascii_case(id)
    }
}

impl Known {
    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.rows.clear();
        self.answers.clear();
    }

    /// What a statement answered before.
    pub(crate) fn answer(&self, sql: &str, params: &[Val]) -> Option<Vec<Row>> {
        let same = |known: &&Answer| known.0 == sql && known.1 == params;
        self.answers.iter().find(same).map(|known| known.2.clone())
    }

    /// Remembers what a statement answered.
    pub(crate) fn answered(&mut self, sql: &str, params: &[Val], rows: Vec<Row>) {
        if self.answers.len() < ANSWERS_MAX {
            self.answers.push((sql.to_string(), params.to_vec(), rows));
        }
    }

    /// Hands over what a statement answered; it is forgotten here.
    pub(crate) fn take_answer(&mut self, sql: &str, params: &[Val]) -> Option<Vec<Row>> {
        let at = self.answers.iter().position(|known| known.0 == sql && known.1 == params)?;
        Some(self.answers.swap_remove(at).2)
    }

    /// Forgets what a statement answered.
    pub(crate) fn unanswered(&mut self, sql: &str, params: &[Val]) {
        self.answers.retain(|known| known.0 != sql || known.1 != params);
    }

    /// Forgets one row.
    pub(crate) fn forget(&mut self, resource: &str, id: &str) {
        self.rows.retain(|entry| !entry.is(resource, id));
    }

    /// Remembers a row; `page` holds it alone.
    pub(crate) fn put(&mut self, who: Who, resource: &'static str, page: &Page) {
        let Some(cells) = page.rows.first() else { return };
        let id = page.text(0, "id");
        self.forget(resource, id);
        if self.rows.len() >= ROWS_MAX {
            self.rows.remove(0);
        }
        let (names, cells) = (page.names.clone(), cells.clone());
        self.rows.push(Entry { who, resource, id: id.to_string(), names, cells });
    }

    /// Hands a row over, as a page of its own; it is forgotten here.
    pub(crate) fn take(&mut self, who: &Who, resource: &str, id: &str) -> Option<Page> {
        let is = |entry: &Entry| entry.is(resource, id) && entry.who == *who;
        let at = self.rows.iter().rposition(is)?;
        let entry = self.rows.remove(at);
        Some(Page::new(entry.names, vec![entry.cells]))
    }

    /// Says what an attribute of a row is now. Nothing happens where the row is not known.
    pub(crate) fn note(&mut self, resource: &str, id: &str, name: &str, cell: Cell) {
        if let Some(place) = self.place(resource, id, name) {
            *place = cell;
        }
    }

    /// Says that attributes of a row are no longer known.
    pub(crate) fn unsettle(&mut self, resource: &str, id: &str, names: &[&str]) {
        names.iter().for_each(|name| self.note(resource, id, name, Cell::Absent));
    }

    /// Says that a row was touched: its revision is higher by `by`, and it was updated at `moment`.
    pub(crate) fn touched(&mut self, resource: &str, id: &str, by: i64, moment: &str) {
        if let Some(Cell::Int(revision)) = self.place(resource, id, "revision_number") {
            *revision += by;
        }
        self.note(resource, id, "updated_at", Cell::Text(moment.to_string()));
    }

    /// Whether all of some rows are known.
    pub(crate) fn holds(&self, who: &Who, resource: &str, ids: &[String]) -> bool {
        let known = |id: &String| self.rows.iter().any(|e| e.is(resource, id) && e.who == *who);
        ids.iter().all(known)
    }

    /// A cell of a known row.
    pub(crate) fn cell(&self, resource: &str, id: &str, name: &str) -> Option<&Cell> {
        let entry = self.rows.iter().rev().find(|e| e.is(resource, id))?;
        entry.cells.get(entry.names.iter().position(|n| *n == name)?)
    }

    fn place(&mut self, resource: &str, id: &str, name: &str) -> Option<&mut Cell> {
        let entry = self.rows.iter_mut().rev().find(|e| e.is(resource, id))?;
        let at = entry.names.iter().position(|n| *n == name)?;
        entry.cells.get_mut(at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_known_to_who_read_it_until_it_is_forgotten() {
        let who = (Some("p".to_string()), false);
        let names: Arc<[&'static str]> = ["id", "name", "revision_number", "tags"].into();
        let id = Cell::Text("x1".into());
        let cells = vec![id.clone(), Cell::Text("a".into()), Cell::Int(3), Cell::Json("[]".into())];
        let page = Page::new(names, vec![cells]);
        let mut known = Known::default();
        known.put(who.clone(), "port", &page);
        known.note("port", "X1", "name", Cell::Text("b".into()));
        known.note("port", "2", "name", Cell::Text("c".into()));
        known.touched("port", "X1", 2, "now");
        known.unsettle("port", "X1", &["tags"]);
        assert!(known.take(&(None, true), "port", "X1").is_none(), "somebody else asks");
        let row = known.take(&who, "port", "X1").map(|page| page.rows);
        assert_eq!(row, Some(vec![vec![id, Cell::Text("b".into()), Cell::Int(5), Cell::Absent]]));
        assert!(known.take(&who, "port", "X1").is_none());
    }
}
