//! MariaDB and MySQL: connections that are set up once and kept, statements prepared once per connection, and
//! round trips saved wherever nobody waits for the answer.
//!
//! `autocommit = 0` in each session: the first statement begins the transaction, no `BEGIN` is sent. Those that
//! write read what is committed (READ COMMITTED: fewer gap locks, so fewer deadlocks); those that only read
//! see one state throughout (REPEATABLE READ, READ ONLY).

mod refusal;
mod text;
mod tx;

use super::options::Limits;
use super::url::{Server, Tls};
use super::{Stop, Val};
use mysql_async::prelude::Queryable;
use mysql_async::{ClientIdentity, Conn, Opts, OptsBuilder, SslOpts};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

pub(super) use tx::MariaTx;

/// Statements that each connection keeps prepared.
const STATEMENTS_MAX: usize = 512;
/// A packet's bound, both ways; MariaDB's own default.
const PACKET_BYTES_MAX: usize = 16 << 20;
/// Connections beyond `max_pool_size` are kept for so long after their last use: opening one costs more than a
/// transaction.
const SPARE_FOR: Duration = Duration::from_secs(30);
/// How long a connection may take to be opened.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// What a transaction is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    Read,
    Write,
}

/// The connections to one database. Cloning shares them.
#[derive(Clone)]
pub(super) struct Maria(Arc<Pool>);

struct Pool {
    server: Server,
    opts: Opts,
    limits: Limits,
    idle: Mutex<Idle>,
    free: Arc<Semaphore>,
    /// How often an answer was waited for.
    trips: AtomicU64,
}

/// Connections that wait for work, the one used last at the end.
#[derive(Default)]
struct Idle {
    read: Vec<Open>,
    write: Vec<Open>,
}

impl Idle {
    fn shelf(&mut self, purpose: Purpose) -> &mut Vec<Open> {
        match purpose {
            Purpose::Read => &mut self.read,
            Purpose::Write => &mut self.write,
        }
    }
}

struct Open {
    conn: Conn,
    born: Instant,
    used: Instant,
}

impl Maria {
    /// Connects nowhere yet.
    pub(super) fn new(server: Server, limits: Limits) -> Maria {
        let opts = opts(&server);
        let free = Arc::new(Semaphore::new(limits.connections_max()));
        let (idle, trips) = (Mutex::new(Idle::default()), AtomicU64::new(0));
        Maria(Arc::new(Pool { server, opts, limits, idle, free, trips }))
    }

    /// How often an answer of the server was waited for.
    pub(super) fn trips(&self) -> u64 {
        self.0.trips.load(Ordering::Relaxed)
    }

    /// A transaction; nothing is sent before its first statement.
    pub(super) async fn begin(&self, purpose: Purpose) -> Result<MariaTx, Stop> {
        let permit = self.0.permit().await?;
        let open = match self.0.take(purpose) {
            Some(open) => open,
            None => self.0.connect(purpose).await?,
        };
        Ok(MariaTx::new(self.0.clone(), open, purpose, permit))
    }

    /// Runs a script of statements on a connection of its own, in one round trip; for DDL, which commits by itself.
    pub(super) async fn script(&self, script: &str) -> Result<(), Stop> {
        let mut open = self.0.connect(Purpose::Write).await?;
        let done = open.conn.query_drop(script).await.map_err(refusal::stop);
        let _ = open.conn.disconnect().await;
        done
    }

    /// Holds a lock of the server by name while the value lives; waits for it at most so long.
    pub(super) async fn lock(&self, name: &str, within: Duration) -> Result<Lock, Stop> {
        let mut open = self.0.connect(Purpose::Write).await?;
        let sql = format!("SELECT GET_LOCK('{name}', {})", within.as_secs());
        let got: Option<Option<i64>> = open.conn.query_first(sql).await.map_err(refusal::stop)?;
        match got.flatten() {
            Some(1) => Ok(Lock { _conn: open.conn }),
            _ => Err(Stop::Retry(format!("another program holds the lock {name}"))),
        }
    }
}

/// A lock that the server gives back when the connection ends.
pub(super) struct Lock {
    _conn: Conn,
}

impl Pool {
    async fn permit(&self) -> Result<OwnedSemaphorePermit, Stop> {
        let wait = tokio::time::timeout(self.limits.pool_timeout, self.free.clone().acquire_owned()).await;
        match wait {
            Ok(permit) => permit.map_err(|e| Stop::Database(e.to_string())),
            Err(_) => Err(Stop::Busy(format!(
                "no database connection became free within {} s; [database] max_pool_size + max_overflow = {}",
                self.limits.pool_timeout.as_secs(),
                self.limits.connections_max()
            ))),
        }
    }

    fn take(&self, purpose: Purpose) -> Option<Open> {
        let mut idle = self.idle.lock().ok()?;
        let now = Instant::now();
        let recycle = self.limits.recycle_after;
        let shelf = idle.shelf(purpose);
        while let Some(open) = shelf.pop() {
            if recycle.is_none_or(|after| now.duration_since(open.born) < after) {
                return Some(open);
            }
        }
        None
    }

    /// Takes a connection back that is between transactions.
    fn put(&self, purpose: Purpose, mut open: Open) {
        let Ok(mut idle) = self.idle.lock() else { return };
        let now = Instant::now();
        open.used = now;
        let shelf = idle.shelf(purpose);
        shelf.push(open);
        let old = |open: &Open| now.duration_since(open.used) > SPARE_FOR;
        while shelf.len() > self.limits.pool_size && shelf.first().is_some_and(old) {
            shelf.remove(0);
        }
    }

    /// Forgets connections that wait: one was lost, so the server has probably lost them all.
    fn forget(&self) {
        if let Ok(mut idle) = self.idle.lock() {
            *idle = Idle::default();
        }
    }

    async fn connect(&self, purpose: Purpose) -> Result<Open, Stop> {
        let connecting = async {
            let mut conn = Conn::new(self.opts.clone()).await?;
            conn.query_drop(self.session(purpose)).await?;
            Ok(conn)
        };
        let conn = match tokio::time::timeout(CONNECT_WITHIN, connecting).await {
            Ok(conn) => conn.map_err(refusal::stop)?,
            Err(_) => {
                let within = CONNECT_WITHIN.as_secs();
                return Err(Stop::Lost(format!("{} did not answer within {within} s", self.server)));
            }
        };
        let now = Instant::now();
        Ok(Open { conn, born: now, used: now })
    }

    /// What every session is told, once.
    fn session(&self, purpose: Purpose) -> String {
        let mut mode = String::new();
        text::append(&mut mode, "?", &[Val::Text(self.limits.sql_mode.clone())]);
        let charset = &self.server.charset;
        let mut set = format!("SET NAMES {charset}, autocommit = 0, time_zone = '+00:00', sql_mode = {mode}");
        if let Some(wait) = self.limits.wsrep_sync_wait {
            set.push_str(&format!(", wsrep_sync_wait = {wait}"));
        }
        set.push_str(match purpose {
            Purpose::Write => "; SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
            Purpose::Read => "; SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        });
        set
    }
}

fn opts(server: &Server) -> Opts {
    let builder = OptsBuilder::default()
        .ip_or_hostname(&server.host)
        .tcp_port(server.port)
        .user(server.user.clone())
        .pass(server.password.clone())
        .db_name(Some(&server.database))
        .socket(server.socket.clone())
        // A socket that the server names may be another server's where this program sees other files.
        .prefer_socket(false)
        .tcp_nodelay(true)
        .tcp_keepalive(Some(Duration::from_secs(60)))
        .stmt_cache_size(STATEMENTS_MAX)
        // Asked of the server otherwise, a round trip more for each connection.
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(28_800))
        // An update that changes nothing has still found its row, as on SQLite.
        .client_found_rows(true)
        .ssl_opts(server.tls.as_ref().map(ssl_opts));
    builder.into()
}

fn ssl_opts(tls: &Tls) -> SslOpts {
    let opts = SslOpts::default().with_client_identity(
        tls.identity.clone().map(|(cert, key)| ClientIdentity::new(cert.into(), key.into())),
    );
    match &tls.ca {
        Some(ca) => opts
            .with_root_certs(vec![ca.clone().into()])
            .with_disable_built_in_roots(true)
            .with_danger_skip_domain_validation(!tls.verify_name),
        None => opts.with_danger_accept_invalid_certs(true),
    }
}
