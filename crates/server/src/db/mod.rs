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
mod value;
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
        Tx { arm, statements, changes, revised, known, attempt: 0, heard: None }
    }

    /// How many statements the store was asked to run since it was opened (BEGIN and COMMIT apart).
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// How often the store was waited for since it was opened, as far as that costs a round trip: not on SQLite.
    pub fn round_trips(&self) -> u64 {
        match &self.store {
            Store::Lite(_) => 0,
            Store::Maria(maria) => maria.trips(),
        }
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
    /// Questions about a page that are noted instead of asked ([`Tx::listen`]).
    heard: Option<Vec<Ask>>,
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
        if self.heard.is_some() {
            return Ok(Vec::new());
        }
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

    /// From here to [`Tx::heard`] nothing is asked of the database: [`Tx::all_of_page`] notes what it is to ask, and all
    /// answers are empty.
    pub(crate) fn listen(&mut self) {
        self.heard = Some(Vec::new());
    }

    /// What was asked since [`Tx::listen`].
    pub(crate) fn heard(&mut self) -> Vec<Ask> {
        self.heard.take().unwrap_or_default()
    }

    /// All rows of a statement; where it was asked ahead, that answer is handed over, once.
    pub(crate) async fn all_of_page(&mut self, sql: String, params: Vec<Val>) -> Result<Vec<Row>, Stop> {
        if let Some(heard) = &mut self.heard {
            heard.push(Ask { sql: sql.into(), params });
            return Ok(Vec::new());
        }
        match self.known.take_answer(&sql, &params) {
            Some(rows) => Ok(rows),
            None => self.all(&sql, &params).await,
        }
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
        if self.heard.is_some() {
            return Ok(Vec::new());
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
pub use value::{Done, Row, Val};

/// `?, ?, ?` for `n` parameters of an `IN (…)`.
pub fn marks(n: usize) -> String {
    vec!["?"; n].join(", ")
}

#[cfg(test)]
mod tests;
