//! SQLite through rusqlite: one connection that writes, a few that read, statements run where they are called.
//! A connection that reads is opened when all others are busy: each knows the whole schema and keeps its statements.
//!
//! WAL lets readers go on beside the writer. `BEGIN IMMEDIATE` takes the write lock at once: a deferred
//! transaction that upgrades later gets BUSY_SNAPSHOT, which no busy timeout cures.

use super::{Done, Row, Stop, Val};
use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, ErrorCode, ToSql, ffi, params_from_iter};
use std::path::Path;
use std::sync::Arc;
use tokio::sync::{Mutex, OwnedMutexGuard, OwnedSemaphorePermit, Semaphore};

/// Connections that read at the same time.
const READERS_MAX: usize = 4;
/// Pages that the writer keeps: it visits the indexes of a dozen tables for every port.
const WRITER_CACHE_KIB: u32 = 8 << 10;
/// Pages that each reader keeps.
const READER_CACHE_KIB: u32 = 2 << 10;
/// Prepared statements kept per connection.
const STATEMENTS_MAX: usize = 256;

#[derive(Clone)]
pub(super) struct Lite {
    writer: Arc<Mutex<Connection>>,
    /// Those that are idle, the last one used at the end.
    readers: Arc<std::sync::Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
    path: Arc<Path>,
}

impl Lite {
    pub(super) fn open(path: &Path) -> Result<Lite, Stop> {
        Ok(Lite {
            writer: Arc::new(Mutex::new(connect(path, WRITER_CACHE_KIB)?)),
            readers: Arc::default(),
            free: Arc::new(Semaphore::new(READERS_MAX)),
            path: path.into(),
        })
    }

    pub(super) async fn begin_write(&self) -> Result<LiteTx, Stop> {
        let guard = self.writer.clone().lock_owned().await;
        guard.execute_batch("BEGIN IMMEDIATE").map_err(stop)?;
        Ok(LiteTx { connection: Held::Writer(guard), open: true })
    }

    pub(super) async fn begin_read(&self) -> Result<LiteTx, Stop> {
        let permit = self.free.clone().acquire_owned().await.map_err(|e| Stop::Database(e.to_string()))?;
        let idle = self.readers.lock().map_err(|e| Stop::Database(e.to_string()))?.pop();
        let connection = idle.map_or_else(|| connect(&self.path, READER_CACHE_KIB), Ok)?;
        let held = Held::Reader(Reader {
            connection: Some(connection),
            home: self.readers.clone(),
            _permit: permit,
        });
        held.connection()?.execute_batch("BEGIN").map_err(stop)?;
        Ok(LiteTx { connection: held, open: true })
    }
}

fn connect(path: &Path, cache_kib: u32) -> Result<Connection, Stop> {
    let connection = Connection::open(path)
        .map_err(|e| Stop::Database(format!("cannot open the SQLite file {}: {e}", path.display())))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    let pragmas = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;
         PRAGMA busy_timeout = 5000; PRAGMA cache_size = -{cache_kib}; PRAGMA temp_store = MEMORY;"
    );
    connection.execute_batch(&pragmas).map_err(stop)?;
    Ok(connection)
}

/// A reader that goes back to the shelf when it is done with; the permit is released after that.
struct Reader {
    connection: Option<Connection>,
    home: Arc<std::sync::Mutex<Vec<Connection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let (Some(connection), Ok(mut home)) = (self.connection.take(), self.home.lock()) {
            home.push(connection);
        }
    }
}

enum Held {
    Writer(OwnedMutexGuard<Connection>),
    Reader(Reader),
}

impl Held {
    fn connection(&self) -> Result<&Connection, Stop> {
        match self {
            Held::Writer(guard) => Ok(guard),
            Held::Reader(reader) => reader
                .connection
                .as_ref()
                .ok_or_else(|| Stop::Database("a reader that was given back".into())),
        }
    }
}

pub(super) struct LiteTx {
    connection: Held,
    open: bool,
}

impl LiteTx {
    pub(super) fn writes(&self) -> bool {
        matches!(self.connection, Held::Writer(_))
    }

    pub(super) fn exec(&mut self, sql: &str, params: &[Val]) -> Result<Done, Stop> {
        let connection = self.connection.connection()?;
        let mut statement = connection.prepare_cached(sql).map_err(|e| with_statement(e, sql))?;
        let affected =
            statement.execute(params_from_iter(params)).map_err(|e| with_statement(e, sql))? as u64;
        Ok(Done { affected, last_id: connection.last_insert_rowid() })
    }

    pub(super) fn script(&mut self, script: &str) -> Result<(), Stop> {
        self.connection.connection()?.execute_batch(script).map_err(stop)
    }

    pub(super) fn all(&mut self, sql: &str, params: &[Val]) -> Result<Vec<Row>, Stop> {
        let connection = self.connection.connection()?;
        let mut statement = connection.prepare_cached(sql).map_err(|e| with_statement(e, sql))?;
        let width = statement.column_count();
        let mut rows = statement.query(params_from_iter(params)).map_err(|e| with_statement(e, sql))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next().map_err(|e| with_statement(e, sql))? {
            let mut cells = Vec::with_capacity(width);
            for column in 0..width {
                cells.push(val(row.get_ref(column).map_err(stop)?));
            }
            all.push(Row(cells));
        }
        Ok(all)
    }

    pub(super) fn commit(mut self) -> Result<(), Stop> {
        self.connection.connection()?.execute_batch("COMMIT").map_err(stop)?;
        self.open = false;
        Ok(())
    }
}

impl Drop for LiteTx {
    fn drop(&mut self) {
        if self.open
            && let Ok(connection) = self.connection.connection()
            && let Err(error) = connection.execute_batch("ROLLBACK")
        {
            tracing::error!(%error, "a transaction could not be rolled back");
        }
    }
}

impl ToSql for Val {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Val::Null => ToSqlOutput::Owned(Value::Null),
            Val::Int(number) => ToSqlOutput::Owned(Value::Integer(*number)),
            Val::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

fn val(value: ValueRef<'_>) -> Val {
    match value {
        ValueRef::Null => Val::Null,
        ValueRef::Integer(number) => Val::Int(number),
        ValueRef::Real(number) => Val::Int(number as i64),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => Val::Text(match std::str::from_utf8(bytes) {
            Ok(text) => text.to_string(),
            Err(_) => String::from_utf8_lossy(bytes).into_owned(),
        }),
    }
}

fn with_statement(error: rusqlite::Error, sql: &str) -> Stop {
    match stop(error) {
        Stop::Database(what) => Stop::Database(format!("{what} in: {sql}")),
        other => other,
    }
}

/// SQLite's refusals in the facade's words. SQLite names a unique key by its columns, upstream by its name.
fn stop(error: rusqlite::Error) -> Stop {
    let rusqlite::Error::SqliteFailure(code, text) = &error else { return Stop::Database(error.to_string()) };
    let text = text.clone().unwrap_or_default();
    match (code.code, code.extended_code) {
        (ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked, _) => Stop::Retry(text),
        (_, ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
            let columns = text.trim_start_matches("UNIQUE constraint failed: ");
            Stop::Duplicate(super::schema::key_name(columns).unwrap_or(columns).to_string())
        }
        (_, ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Stop::ForeignKey,
        _ => Stop::Database(error.to_string()),
    }
}
