//! The database behind one narrow facade: statements in, rows out, transactions that may run again.
//!
//! Nothing outside this folder names a driver. SQLite is the embedded store; MariaDB will be the second
//! arm of [`Tx`]. Statements are written so that both accept them: `?` parameters, backticks allowed.

mod lite;
pub mod schema;

use crate::fault::Fault;
use crate::notify::Change;
use crate::record::Page;
use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// A value bound to a statement or read from a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Val {
    /// SQL NULL.
    Null,
    /// Any integer column, booleans included (0 and 1).
    Int(i64),
    /// Text, times and enumerations included.
    Text(String),
}

impl From<&str> for Val {
    fn from(text: &str) -> Val {
        Val::Text(text.to_string())
    }
}
impl From<String> for Val {
    fn from(text: String) -> Val {
        Val::Text(text)
    }
}
impl From<&String> for Val {
    fn from(text: &String) -> Val {
        Val::Text(text.clone())
    }
}
impl From<i64> for Val {
    fn from(number: i64) -> Val {
        Val::Int(number)
    }
}
impl From<bool> for Val {
    fn from(flag: bool) -> Val {
        Val::Int(i64::from(flag))
    }
}
impl<T: Into<Val>> From<Option<T>> for Val {
    fn from(value: Option<T>) -> Val {
        value.map_or(Val::Null, Into::into)
    }
}

/// The parameters of a statement: `p![id, name, true]`.
#[macro_export]
macro_rules! p {
    ($($value:expr),* $(,)?) => { &[$($crate::db::Val::from($value)),*][..] };
}

/// One row of an answer; columns are read by position.
#[derive(Debug, Clone)]
pub struct Row(pub(crate) Vec<Val>);

impl Row {
    /// The text in a column; empty where it is NULL or a number.
    pub fn text(&self, column: usize) -> String {
        self.opt_text(column).unwrap_or_default()
    }
    /// The text in a column that may be NULL.
    pub fn opt_text(&self, column: usize) -> Option<String> {
        match self.0.get(column) {
            Some(Val::Text(text)) => Some(text.clone()),
            _ => None,
        }
    }
    /// The integer in a column; 0 where it is NULL or text.
    pub fn int(&self, column: usize) -> i64 {
        self.opt_int(column).unwrap_or_default()
    }
    /// The integer in a column that may be NULL.
    pub fn opt_int(&self, column: usize) -> Option<i64> {
        match self.0.get(column) {
            Some(Val::Int(number)) => Some(*number),
            _ => None,
        }
    }
    /// The boolean in a column; NULL is false.
    pub fn flag(&self, column: usize) -> bool {
        self.int(column) != 0
    }
    /// A column as it came.
    pub fn value(&self, column: usize) -> Val {
        self.0.get(column).cloned().unwrap_or(Val::Null)
    }
}

/// What a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done {
    /// Rows that matched, changed or not.
    pub affected: u64,
    /// The key that an insert into a table with an automatic key drew.
    pub last_id: i64,
}

/// Why a transaction did not commit.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// The caller's fault (or a conflict): goes to the client as it is.
    Fault(Fault),
    /// Deadlock, lock wait, lost certification, stale revision: run the whole transaction again.
    Retry(String),
    /// A unique key refused a row: the key's name as in upstream's schema (`uniq_ports0network_id0mac_address`,
    /// `PRIMARY`), or the columns of a key that is not upstream's.
    Duplicate(String),
    /// A row is still referred to, or refers to one that is gone.
    ForeignKey,
    /// Anything else the database said: a defect or an outage.
    Database(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl Stop {
    /// The answer to the client when nothing more can be tried.
    pub fn into_fault(self) -> Fault {
        match self {
            Stop::Fault(fault) => fault,
            Stop::Retry(why) => Fault::DatabaseBusy { detail: why },
            Stop::Duplicate(key) => Fault::Internal { detail: format!("duplicate key {key}") },
            Stop::ForeignKey => Fault::Internal { detail: "foreign key refused".into() },
            Stop::Database(what) => Fault::Internal { detail: what },
        }
    }
}

/// How often a transaction is tried before the client is told that the database is busy.
const ATTEMPTS_MAX: u32 = 10;

/// The store of one server. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    lite: lite::Lite,
    statements: Arc<AtomicU64>,
}

impl Db {
    /// Opens (and creates) the SQLite file at `path` and brings its schema up to date.
    pub async fn open_sqlite(path: &std::path::Path) -> Result<Db, Stop> {
        let db = Db { lite: lite::Lite::open(path)?, statements: Arc::default() };
        let mut tx = db.begin().await?;
        schema::install(&mut tx).await?;
        tx.commit()?;
        Ok(db)
    }

    /// Starts a transaction that may write. There is one writer at a time: the wait is in order of arrival.
    /// Use [`Db::write`] wherever possible: it runs again what the database asks to be run again.
    pub async fn begin(&self) -> Result<Tx, Stop> {
        Ok(self.tx(self.lite.begin_write().await?))
    }

    /// Starts a transaction that only reads, and sees one state of the database throughout.
    pub async fn read(&self) -> Result<Tx, Stop> {
        Ok(self.tx(self.lite.begin_read().await?))
    }

    fn tx(&self, lite: lite::LiteTx) -> Tx {
        let statements = self.statements.clone();
        Tx { lite, statements, changes: Vec::new(), revised: HashSet::new(), memo: None }
    }

    /// How many statements the store was asked to run since it was opened (BEGIN and COMMIT apart).
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// Runs `work` in a transaction and commits it; again from the start when the database asks for it.
    ///
    /// Returns what `work` returned and the changes it announced, to be published after the commit.
    /// `work` is a named function: it may run twice, so it sends no message and starts no process.
    pub async fn write<I: ?Sized, T>(
        &self,
        work: impl AsyncFn(&mut Tx, &I) -> Result<T, Stop>,
        input: &I,
    ) -> Result<(T, Vec<Change>), Stop> {
        let mut why = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            let mut tx = self.begin().await?;
            let done = match work(&mut tx, input).await {
                Ok(done) => tx.commit().map(|changes| (done, changes)),
                Err(stop) => Err(stop),
            };
            match done {
                Err(Stop::Retry(reason)) => why = reason,
                other => return other,
            }
            tokio::time::sleep(Duration::from_millis(1 << attempt)).await;
        }
        Err(Stop::Retry(why))
    }
}

/// A transaction. Dropping it without [`Tx::commit`] undoes it.
pub struct Tx {
    lite: lite::LiteTx,
    statements: Arc<AtomicU64>,
    changes: Vec<Change>,
    revised: HashSet<(&'static str, String)>,
    /// The row read last, until the next statement that writes: what a rule announces is what is shown.
    pub(crate) memo: Option<Memo>,
}

/// A row that was read, for whom, of which resource, by its id.
pub(crate) struct Memo {
    /// The caller's project, and whether all rows are visible: what is filled may depend on who asks.
    pub(crate) who: (Option<String>, bool),
    pub(crate) resource: &'static str,
    pub(crate) id: String,
    pub(crate) page: Page,
}

impl Tx {
    /// Runs a statement that returns no rows.
    pub async fn exec(&mut self, sql: &str, params: &[Val]) -> Result<Done, Stop> {
        self.memo = None;
        self.count(sql);
        self.lite.exec(sql, params)
    }

    /// All rows of a statement.
    pub async fn all(&mut self, sql: &str, params: &[Val]) -> Result<Vec<Row>, Stop> {
        self.count(sql);
        self.lite.all(sql, params)
    }

    fn count(&self, sql: &str) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        tracing::trace!(target: "server::sql", sql);
    }

    /// The first row of a statement, if there is one.
    pub async fn opt(&mut self, sql: &str, params: &[Val]) -> Result<Option<Row>, Stop> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// Announces a change: published after the commit, forgotten when the transaction is undone.
    pub fn announce(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Whether this is the first time in this transaction that a row's revision is to be raised: one
    /// transaction raises it once, however many of its parts change.
    pub fn revises(&mut self, table: &'static str, id: &str) -> bool {
        self.revised.insert((table, id.to_string()))
    }

    /// Makes everything lasting and hands over what is to be published.
    pub fn commit(self) -> Result<Vec<Change>, Stop> {
        self.lite.commit()?;
        Ok(self.changes)
    }
}

/// `?, ?, ?` for `n` parameters of an `IN (…)`.
pub fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}

#[cfg(test)]
mod tests;
