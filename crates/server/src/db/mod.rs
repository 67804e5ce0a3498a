//! The database behind one narrow facade: statements in, rows out, transactions that may run again.
//!
//! Nothing outside this folder names a driver. SQLite is the embedded store, MariaDB (or MySQL) the one for
//! several servers. Statements are written so that both accept them: `?` parameters, backticks allowed; the
//! few words that differ are written by [`Tx`].

mod install;
mod lite;
mod maria;
pub mod options;
pub mod revisions;
pub mod schema;
pub mod url;
mod words;

use crate::fault::Fault;
use crate::notify::{Change, Committed};
use crate::outbox;
use crate::store::known::Known;
use std::borrow::Cow;
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
    /// As [`Row::text`], where it stands.
    pub fn str(&self, column: usize) -> &str {
        match self.0.get(column) {
            Some(Val::Text(text)) => text,
            _ => "",
        }
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
    /// The connection was lost, the server is going down or not yet ready: run the whole transaction again,
    /// after a longer pause.
    Lost(String),
    /// The client is told that the database is busy, without another try: no connection became free in time, or
    /// it is not known whether a commit was done.
    Busy(String),
    /// A value that the column cannot hold: too long, not in the list, a character beyond the column's set.
    Value(String),
    /// Anything else the database said: a defect or an outage.
    Database(String),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        Stop::Fault(fault)
    }
}

impl Stop {
    /// What happened, without the kind.
    pub fn words(&self) -> String {
        match self {
            Stop::Fault(fault) => format!("{fault:?}"),
            Stop::Retry(why) | Stop::Lost(why) | Stop::Busy(why) | Stop::Value(why) | Stop::Database(why) => {
                why.clone()
            }
            Stop::Duplicate(key) => format!("duplicate key {key}"),
            Stop::ForeignKey => "a foreign key refused".into(),
        }
    }

    /// The answer to the client when nothing more can be tried.
    pub fn into_fault(self) -> Fault {
        match self {
            Stop::Fault(fault) => fault,
            Stop::Retry(why) | Stop::Lost(why) | Stop::Busy(why) => Fault::DatabaseBusy { detail: why },
            Stop::Value(why) => crate::convert::invalid(format!("Invalid input for operation: {why}.")),
            Stop::Duplicate(key) => Fault::Internal { detail: format!("duplicate key {key}") },
            Stop::ForeignKey => Fault::Internal { detail: "foreign key refused".into() },
            Stop::Database(what) => Fault::Internal { detail: what },
        }
    }
}

/// How often a transaction is tried before the client is told that the database is busy.
const ATTEMPTS_MAX: u32 = 10;

/// How often a transaction that a key refused is tried again.
const LOST_RACES_MAX: u32 = 4;

/// The longest pause before a transaction whose connection was lost is tried again.
const PAUSE_MAX: Duration = Duration::from_secs(2);

/// The store of one server. Cloning shares it.
#[derive(Clone)]
pub struct Db {
    store: Store,
    statements: Arc<AtomicU64>,
}

#[derive(Clone)]
enum Store {
    Lite(lite::Lite),
    Maria(maria::Maria),
}

impl Db {
    /// Opens (and creates) the SQLite file at `path` and brings its schema up to date.
    pub async fn open_sqlite(path: &std::path::Path) -> Result<Db, Stop> {
        let db = Db::new(Store::Lite(lite::Lite::open(path)?));
        db.prepare(Make::WhenEmpty).await?;
        Ok(db)
    }

    /// Starts a transaction that may write. On SQLite there is one writer at a time: the wait is in order of
    /// arrival. Use [`Db::write`] wherever possible: it runs again what the database asks to be run again.
    pub async fn begin(&self) -> Result<Tx, Stop> {
        Ok(self.tx(match &self.store {
            Store::Lite(lite) => Arm::Lite(lite.begin_write().await?),
            Store::Maria(maria) => Arm::Maria(maria.begin(maria::Purpose::Write).await?),
        }))
    }

    /// Starts a transaction that only reads, and sees one state of the database throughout.
    pub async fn read(&self) -> Result<Tx, Stop> {
        Ok(self.tx(match &self.store {
            Store::Lite(lite) => Arm::Lite(lite.begin_read().await?),
            Store::Maria(maria) => Arm::Maria(maria.begin(maria::Purpose::Read).await?),
        }))
    }

    fn new(store: Store) -> Db {
        Db { store, statements: Arc::default() }
    }

    fn tx(&self, arm: Arm) -> Tx {
        let statements = self.statements.clone();
        let (changes, revised, known) = (Vec::new(), HashSet::new(), Known::default());
        Tx { arm, statements, changes, revised, known, attempt: 0 }
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
        let (done, committed) = self.write_with(work, input, false).await?;
        Ok((done, committed.changes))
    }

    /// Like [`Db::write`]; with `outbox`, what `work` announced is kept with it ([`crate::outbox`]) until it is
    /// announced.
    pub async fn write_with<I: ?Sized, T>(
        &self,
        work: impl AsyncFn(&mut Tx, &I) -> Result<T, Stop>,
        input: &I,
        outbox: bool,
    ) -> Result<(T, Committed), Stop> {
        let mut why = String::new();
        for attempt in 0..ATTEMPTS_MAX {
            let done = match self.begin().await {
                Ok(mut tx) => {
                    tx.attempt = attempt;
                    run(tx, &work, input, outbox).await
                }
                Err(stop) => Err(stop),
            };
            let pause = match done {
                // Somebody was quicker between what the work read and what it wrote: tried again, it sees that and
                // can say so. What no work sees stays the defect that it is.
                Err(Stop::Duplicate(_) | Stop::ForeignKey) if attempt < LOST_RACES_MAX => {
                    Duration::from_micros(rand::random_range(500..=(1000 << attempt)))
                }
                Err(Stop::Retry(reason)) => {
                    why = reason;
                    // Two that were in each other's way must not meet again.
                    Duration::from_micros(rand::random_range(500..=(1000 << attempt)))
                }
                Err(Stop::Lost(reason)) => {
                    why = reason;
                    Duration::from_millis(100 << attempt).min(PAUSE_MAX)
                }
                Ok(done) => {
                    crate::metrics::transaction(attempt);
                    return Ok(done);
                }
                Err(stop) => return Err(stop),
            };
            tokio::time::sleep(pause).await;
        }
        Err(Stop::Retry(why))
    }
}

/// One attempt at a transaction, with the row of its outbox where it is to have one.
async fn run<I: ?Sized, T>(
    mut tx: Tx,
    work: &impl AsyncFn(&mut Tx, &I) -> Result<T, Stop>,
    input: &I,
    outbox: bool,
) -> Result<(T, Committed), Stop> {
    let done = work(&mut tx, input).await?;
    let row = if outbox { outbox::record(&mut tx).await? } else { None };
    let changes = tx.commit().await?;
    Ok((done, Committed { row, changes }))
}

/// A question that is asked before its answer is needed ([`Tx::ahead`]).
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// The statement, to the letter as it is asked later by [`Tx::all_once`].
    pub sql: Cow<'static, str>,
    /// Its parameters.
    pub params: Vec<Val>,
}

impl Ask {
    /// A statement that is written out in the program.
    pub fn new(sql: &'static str, params: &[Val]) -> Ask {
        Ask { sql: Cow::Borrowed(sql), params: params.to_vec() }
    }
}

/// A transaction. Dropping it without [`Tx::commit`] undoes it.
pub struct Tx {
    arm: Arm,
    statements: Arc<AtomicU64>,
    changes: Vec<Change>,
    revised: HashSet<(&'static str, String)>,
    /// How often this transaction was tried before.
    attempt: u32,
    /// Rows as they are: read or made in this transaction, until a statement that writes.
    pub(crate) known: Known,
}

enum Arm {
    Lite(lite::LiteTx),
    Maria(maria::MariaTx),
}

impl Tx {
    /// Runs a statement that returns no rows.
    pub async fn exec(&mut self, sql: &str, params: &[Val]) -> Result<Done, Stop> {
        self.known.clear();
        self.exec_noted(sql, params).await
    }

    /// As [`Tx::exec`], for callers that say themselves what became of the rows known so far: nothing, or what
    /// they tell [`Tx::known`].
    pub(crate) async fn exec_noted(&mut self, sql: &str, params: &[Val]) -> Result<Done, Stop> {
        words::storable(params)?;
        self.count(sql);
        match &mut self.arm {
            Arm::Lite(lite) => lite.exec(sql, params),
            Arm::Maria(maria) => maria.exec(sql, params).await,
        }
    }

    /// Runs a statement whose answer nobody needs: no count of rows, no drawn key, no refusal to be turned into
    /// something else on the spot.
    ///
    /// On MariaDB it is kept and travels with the next statement ([`Tx::exec`], [`Tx::all`], [`Tx::opt`]) or with
    /// the COMMIT, all of them in one round trip and in the order in which they were given; the next read
    /// sees what they wrote. On SQLite it runs at once. So queue every INSERT, UPDATE and DELETE after the last
    /// read of a transaction, and they cost nothing but the COMMIT. Where a foreign key asks for the key that an insert draws
    /// (`standardattributes`), that insert is an [`Tx::exec`] and what refers to it is queued.
    ///
    /// # Errors
    /// A refusal ([`Stop::Duplicate`], [`Stop::ForeignKey`] …) comes from whatever call sends the statement: that
    /// later statement, [`Tx::flush`], or [`Tx::commit`]. What stood behind the refused one has not run. Where a
    /// Duplicate means something to the caller, call [`Tx::flush`] right after and match there.
    pub async fn queue(&mut self, sql: &str, params: &[Val]) -> Result<(), Stop> {
        self.known.clear();
        self.queue_noted(sql, params).await
    }

    /// As [`Tx::queue`], for callers that say themselves what became of the rows known so far.
    pub(crate) async fn queue_noted(&mut self, sql: &str, params: &[Val]) -> Result<(), Stop> {
        words::storable(params)?;
        self.count(sql);
        match &mut self.arm {
            Arm::Lite(lite) => lite.exec(sql, params).map(drop),
            Arm::Maria(maria) => maria.queue(sql, params).await,
        }
    }

    /// Sends what is queued now, so that its refusals surface here.
    pub async fn flush(&mut self) -> Result<(), Stop> {
        match &mut self.arm {
            Arm::Lite(_) => Ok(()),
            Arm::Maria(maria) => maria.flush().await,
        }
    }

    /// All rows of a statement.
    pub async fn all(&mut self, sql: &str, params: &[Val]) -> Result<Vec<Row>, Stop> {
        self.count(sql);
        match &mut self.arm {
            Arm::Lite(lite) => lite.all(sql, params),
            Arm::Maria(maria) => maria.all(sql, params).await,
        }
    }

    fn count(&self, sql: &str) {
        self.statements.fetch_add(1, Ordering::Relaxed);
        tracing::trace!(target: "server::sql", sql);
    }

    /// Asks questions whose answers will be needed, in one round trip; [`Tx::all_once`] then finds them. What is queued
    /// goes before them. On SQLite, where a question costs no round trip, nothing is asked before it is needed.
    pub async fn ahead(&mut self, asks: Vec<Ask>) -> Result<(), Stop> {
        let Arm::Maria(_) = &self.arm else { return Ok(()) };
        let mut open: Vec<Ask> = Vec::with_capacity(asks.len());
        for ask in asks {
            if self.known.answer(&ask.sql, &ask.params).is_none() && !open.contains(&ask) {
                words::storable(&ask.params)?;
                self.count(&ask.sql);
                open.push(ask);
            }
        }
        if let (Arm::Maria(maria), false) = (&mut self.arm, open.is_empty()) {
            let answers = maria.all_of(&open).await?;
            for (ask, rows) in open.into_iter().zip(answers) {
                self.known.answered(&ask.sql, &ask.params, rows);
            }
        }
        Ok(())
    }

    /// Whether this transaction was tried before, and something was in its way: what may be left to the unique keys
    /// at first is to be looked at now.
    pub fn is_again(&self) -> bool {
        self.attempt > 0
    }

    /// As [`Tx::all`], for what only a statement that writes could change: asked for again, it is remembered.
    pub async fn all_once(&mut self, sql: &str, params: &[Val]) -> Result<Vec<Row>, Stop> {
        if let Some(rows) = self.known.answer(sql, params) {
            return Ok(rows);
        }
        let rows = self.all(sql, params).await?;
        self.known.answered(sql, params, rows.clone());
        Ok(rows)
    }

    /// The first row of a statement, if there is one.
    pub async fn opt(&mut self, sql: &str, params: &[Val]) -> Result<Option<Row>, Stop> {
        Ok(self.all(sql, params).await?.into_iter().next())
    }

    /// Announces a change: published after the commit, forgotten when the transaction is undone.
    pub fn announce(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// What was announced so far.
    pub fn announced(&self) -> &[Change] {
        &self.changes
    }

    /// Whether this is the first time in this transaction that a row's revision is to be raised: one
    /// transaction raises it once, however many of its parts change.
    pub fn revises(&mut self, table: &'static str, id: &str) -> bool {
        self.revised.insert((table, id.to_string()))
    }

    /// Makes everything lasting and hands over what is to be published.
    pub async fn commit(self) -> Result<Vec<Change>, Stop> {
        match self.arm {
            Arm::Lite(lite) => lite.commit()?,
            Arm::Maria(maria) => maria.commit().await?,
        }
        Ok(self.changes)
    }
}

pub use install::{Make, Revision};
pub use url::Place;

/// `?, ?, ?` for `n` parameters of an `IN (…)`.
pub fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}

#[cfg(test)]
mod tests;
