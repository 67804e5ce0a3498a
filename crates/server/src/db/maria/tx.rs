//! A transaction on MariaDB: what is queued travels with the next statement, or with the COMMIT.

use super::super::{Ask, Done, Row, Stop, Val};
use super::{Open, Pool, Purpose, refusal, text};
use mysql_async::consts::ColumnType;
use mysql_async::prelude::{Protocol, Queryable};
use mysql_async::{Params, QueryResult, Value};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use tokio::sync::OwnedSemaphorePermit;

/// Statements with more values than this are one of a kind (`IN` lists): preparing them would only push others out.
const PREPARED_PARAMS_MAX: usize = 48;
/// Queued statements are sent at the latest when they have come to this, far below a packet's bound.
const QUEUE_BYTES_MAX: usize = 256 << 10;

pub(crate) struct MariaTx {
    pool: Arc<Pool>,
    /// None only after the end of the transaction.
    open: Option<Open>,
    purpose: Purpose,
    permit: Option<OwnedSemaphorePermit>,
    queue: String,
    /// A statement has run, so the server has a transaction.
    begun: bool,
    /// An answer is awaited: dropped now, the connection is of no use any more.
    waiting: bool,
}

/// What statements that were sent together gave back.
struct Answer {
    /// What the last of them did.
    done: Done,
    /// The rows of each of them, in their order; none where a statement has no rows by its nature.
    sets: Vec<Vec<Row>>,
}

impl MariaTx {
    pub(super) fn new(
        pool: Arc<Pool>,
        open: Open,
        purpose: Purpose,
        permit: OwnedSemaphorePermit,
    ) -> MariaTx {
        MariaTx {
            pool,
            open: Some(open),
            purpose,
            permit: Some(permit),
            queue: String::new(),
            begun: false,
            waiting: false,
        }
    }

    pub(crate) fn writes(&self) -> bool {
        self.purpose == Purpose::Write
    }

    pub(crate) async fn exec(&mut self, sql: &str, params: &[Val]) -> Result<Done, Stop> {
        Ok(self.run(sql, params).await?.done)
    }

    pub(crate) async fn all(&mut self, sql: &str, params: &[Val]) -> Result<Vec<Row>, Stop> {
        Ok(self.run(sql, params).await?.sets.pop().unwrap_or_default())
    }

    /// The rows of each of some statements, asked in one round trip.
    pub(crate) async fn all_of(&mut self, asks: &[Ask]) -> Result<Vec<Vec<Row>>, Stop> {
        let mut script = std::mem::take(&mut self.queue);
        for ask in asks {
            if !script.is_empty() {
                script.push_str("; ");
            }
            text::append(&mut script, &ask.sql, &ask.params);
        }
        let mut sets = self.first(Statement::Text(&script)).await?.sets;
        // What was queued answered before them.
        let queued = sets.len().saturating_sub(asks.len());
        Ok(sets.split_off(queued))
    }

    /// Keeps a statement for the next round trip.
    pub(crate) async fn queue(&mut self, sql: &str, params: &[Val]) -> Result<(), Stop> {
        if !self.queue.is_empty() {
            self.queue.push_str("; ");
        }
        text::append(&mut self.queue, sql, params);
        if self.queue.len() > QUEUE_BYTES_MAX { self.flush().await } else { Ok(()) }
    }

    /// Runs a script in one round trip; DDL in it commits by itself.
    pub(crate) async fn script(&mut self, script: &str) -> Result<(), Stop> {
        self.flush().await?;
        self.first(Statement::Text(script)).await.map(drop)
    }

    /// Sends what is queued, so that its refusals are known.
    pub(crate) async fn flush(&mut self) -> Result<(), Stop> {
        if self.queue.is_empty() {
            return Ok(());
        }
        let script = std::mem::take(&mut self.queue);
        self.first(Statement::Text(&script)).await.map(drop)
    }

    async fn run(&mut self, sql: &str, params: &[Val]) -> Result<Answer, Stop> {
        if self.queue.is_empty() && params.len() <= PREPARED_PARAMS_MAX {
            return match self.first(Statement::Prepared(sql, params)).await {
                // The server keeps no more prepared statements (max_prepared_stmt_count): as text it needs none.
                Err(Stop::Database(why)) if why.ends_with("(1461)") => self.as_text(sql, params).await,
                other => other.map_err(|stop| with_statement(stop, sql)),
            };
        }
        self.as_text(sql, params).await
    }

    async fn as_text(&mut self, sql: &str, params: &[Val]) -> Result<Answer, Stop> {
        let mut script = std::mem::take(&mut self.queue);
        if !script.is_empty() {
            script.push_str("; ");
        }
        text::append(&mut script, sql, params);
        self.first(Statement::Text(&script)).await.map_err(|stop| with_statement(stop, sql))
    }

    /// Runs a statement; the first of a transaction once more on a new connection when the one from the shelf
    /// turns out to be dead: nothing was done yet.
    async fn first(&mut self, statement: Statement<'_>) -> Result<Answer, Stop> {
        let fresh = !self.begun;
        match self.send(statement).await {
            Err(Stop::Lost(_)) if fresh => {
                self.pool.forget();
                self.open = Some(self.pool.connect(self.purpose).await?);
                self.send(statement).await
            }
            other => other,
        }
    }

    async fn send(&mut self, statement: Statement<'_>) -> Result<Answer, Stop> {
        let open = self.open.as_mut().ok_or_else(|| Stop::Lost("the transaction is over".into()))?;
        self.waiting = true;
        self.pool.trips.fetch_add(1, Ordering::Relaxed);
        let answer = match statement {
            Statement::Text(script) => match open.conn.query_iter(script).await {
                Ok(result) => gather(result).await,
                Err(error) => Err(error),
            },
            Statement::Prepared(sql, params) => {
                let params = match params {
                    [] => Params::Empty,
                    some => Params::Positional(some.iter().map(bound).collect()),
                };
                match open.conn.exec_iter(sql, params).await {
                    Ok(result) => gather(result).await,
                    Err(error) => Err(error),
                }
            }
        };
        let answer = answer.map_err(refusal::stop);
        match &answer {
            // The connection is of no use: `waiting` stays, so that it is dropped.
            Err(Stop::Lost(why)) => tracing::warn!(%why, server = %self.pool.server, "lost the database"),
            _ => {
                self.waiting = false;
                self.begun = true;
            }
        }
        answer
    }

    pub(crate) async fn commit(mut self) -> Result<(), Stop> {
        if !self.begun && self.queue.is_empty() {
            self.give_back();
            return Ok(());
        }
        let mut script = std::mem::take(&mut self.queue);
        script.push_str(if script.is_empty() { "COMMIT" } else { "; COMMIT" });
        match self.send(Statement::Text(&script)).await {
            Ok(_) => {
                self.give_back();
                Ok(())
            }
            // Whether it was committed cannot be known: to run it again could do it twice.
            Err(Stop::Lost(why)) => {
                self.pool.forget();
                Err(Stop::Busy(format!("the database was lost during the commit: {why}")))
            }
            Err(other) => Err(other),
        }
    }

    /// Back to the shelf, between transactions.
    fn give_back(&mut self) {
        if let Some(open) = self.open.take() {
            self.pool.put(self.purpose, open);
        }
    }
}

impl Drop for MariaTx {
    /// What was begun is undone, behind the back of whoever waits; a connection in the middle of an answer ends.
    fn drop(&mut self) {
        let Some(mut open) = self.open.take() else { return };
        if self.waiting {
            return;
        }
        if !self.begun {
            self.pool.put(self.purpose, open);
            return;
        }
        let (pool, purpose, permit) = (self.pool.clone(), self.purpose, self.permit.take());
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                if open.conn.query_drop("ROLLBACK").await.is_ok() {
                    pool.put(purpose, open);
                }
                drop(permit);
            });
        }
    }
}

#[derive(Clone, Copy)]
enum Statement<'a> {
    Text(&'a str),
    Prepared(&'a str, &'a [Val]),
}

/// The answers to statements that were sent together.
async fn gather<P: Protocol>(mut result: QueryResult<'_, 'static, P>) -> Result<Answer, mysql_async::Error> {
    let mut sets = Vec::new();
    while !result.is_empty() {
        let mut rows = Vec::new();
        while let Some(row) = result.next().await? {
            rows.push(cells(row));
        }
        sets.push(rows);
    }
    let done = Done {
        affected: result.affected_rows(),
        last_id: result.last_insert_id().and_then(|id| i64::try_from(id).ok()).unwrap_or_default(),
    };
    result.drop_result().await?;
    Ok(Answer { done, sets })
}

fn cells(row: mysql_async::Row) -> Row {
    let columns = row.columns();
    Row(row.unwrap().into_iter().zip(columns.iter()).map(|(v, c)| cell(v, c.column_type())).collect())
}

fn cell(value: Value, kind: ColumnType) -> Val {
    match value {
        Value::NULL => Val::Null,
        Value::Int(number) => Val::Int(number),
        Value::UInt(number) => Val::Int(i64::try_from(number).unwrap_or(i64::MAX)),
        Value::Float(number) => Val::Int(number as i64),
        Value::Double(number) => Val::Int(number as i64),
        Value::Bytes(bytes) => {
            let text = match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
            };
            if is_number(kind) { number(&text) } else { Val::Text(text) }
        }
        Value::Date(year, month, day, hour, minute, second, 0) => {
            Val::Text(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"))
        }
        Value::Date(year, month, day, hour, minute, second, micro) => {
            Val::Text(format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}.{micro:06}"))
        }
        Value::Time(..) => Val::Text(value.as_sql(true).trim_matches('\'').to_string()),
    }
}

/// Sums come as DECIMAL, and everything comes as text where statements were sent together.
fn is_number(kind: ColumnType) -> bool {
    use ColumnType as C;
    matches!(
        kind,
        C::MYSQL_TYPE_TINY
            | C::MYSQL_TYPE_SHORT
            | C::MYSQL_TYPE_LONG
            | C::MYSQL_TYPE_LONGLONG
            | C::MYSQL_TYPE_INT24
            | C::MYSQL_TYPE_YEAR
            | C::MYSQL_TYPE_DECIMAL
            | C::MYSQL_TYPE_NEWDECIMAL
            | C::MYSQL_TYPE_FLOAT
            | C::MYSQL_TYPE_DOUBLE
    )
}

fn number(text: &str) -> Val {
    let whole = text.split(['.', 'e']).next().unwrap_or(text);
    whole.parse().map_or_else(|_| Val::Text(text.to_string()), Val::Int)
}

fn bound(value: &Val) -> Value {
    match value {
        Val::Null => Value::NULL,
        Val::Int(number) => Value::Int(*number),
        Val::Text(text) => Value::Bytes(text::storable(text).into_owned().into_bytes()),
    }
}

fn with_statement(stop: Stop, sql: &str) -> Stop {
    match stop {
        Stop::Database(what) => Stop::Database(format!("{what} in: {sql}")),
        other => other,
    }
}
