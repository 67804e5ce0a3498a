//! What `[database]` says: where the data is, how many connections, how long to wait for a server that is down.

use super::url::{self, Place};
use oslo::config::{Config, Problem};
use std::time::Duration;

oslo::options! {
    /// The store.
    pub struct DatabaseOptions in "database" {
        /// Where the data is: mysql+pymysql://USER:PASSWORD@HOST/DATABASE or sqlite:////absolute/path.
        connection: Option<String> = None, was [("DEFAULT", "sql_connection"), ("DATABASE", "sql_connection"), ("sql", "connection")];
        /// Parameters to append to the URL: name=value&name=value.
        connection_parameters: String = String::new();
        /// Connections to MariaDB that are kept open for each purpose (reading, writing).
        max_pool_size: u32 = 5, was [("DEFAULT", "sql_max_pool_size"), ("DATABASE", "sql_max_pool_size")];
        /// Further connections that are opened when these are busy; 0 for none.
        max_overflow: u32 = 50, was [("DEFAULT", "sql_max_overflow"), ("DATABASE", "sqlalchemy_max_overflow")];
        /// Seconds that a request waits for a connection before it is answered 503.
        pool_timeout: Option<u64> = None, was [("DATABASE", "sqlalchemy_pool_timeout")];
        /// Seconds after which a connection is replaced; -1 = never.
        connection_recycle_time: i64 = 3600, was [("DEFAULT", "sql_idle_timeout"), ("DATABASE", "sql_idle_timeout"), ("database", "idle_timeout"), ("sql", "idle_timeout")];
        /// How often a server that is down is tried at start; -1 = for ever.
        max_retries: i64 = 10, was [("DEFAULT", "sql_max_retries"), ("DATABASE", "sql_max_retries")];
        /// Seconds between two of these tries.
        retry_interval: u64 = 10, was [("DEFAULT", "sql_retry_interval"), ("DATABASE", "reconnect_interval")];
        /// The sql_mode of each session.
        mysql_sql_mode: String = "TRADITIONAL".into();
        /// Galera: wsrep_sync_wait of each session; not set = the server's.
        mysql_wsrep_sync_wait: Option<u32> = None;
    }
}

/// Seconds that a request waits for a connection where nothing is said, as SQLAlchemy's pool.
const POOL_TIMEOUT_SECONDS: u64 = 30;

/// How the connections to a server are kept.
#[derive(Debug, Clone, PartialEq)]
pub struct Limits {
    /// Connections kept for each purpose.
    pub pool_size: usize,
    /// Further ones.
    pub overflow: usize,
    /// How long a request waits for one.
    pub pool_timeout: Duration,
    /// After which age one is replaced; none = never.
    pub recycle_after: Option<Duration>,
    /// The sql_mode of each session.
    pub sql_mode: String,
    /// Galera's wsrep_sync_wait of each session.
    pub wsrep_sync_wait: Option<u32>,
    /// How often a server that is down is tried at start; none = for ever.
    pub tries_max: Option<u64>,
    /// The pause between two tries.
    pub try_every: Duration,
}

impl Limits {
    /// Connections that may be open at the same time.
    pub fn connections_max(&self) -> usize {
        (self.pool_size + self.overflow).max(1)
    }
}

impl From<&DatabaseOptions> for Limits {
    fn from(options: &DatabaseOptions) -> Limits {
        Limits {
            pool_size: options.max_pool_size as usize,
            overflow: options.max_overflow as usize,
            pool_timeout: Duration::from_secs(options.pool_timeout.unwrap_or(POOL_TIMEOUT_SECONDS)),
            recycle_after: u64::try_from(options.connection_recycle_time).ok().map(Duration::from_secs),
            sql_mode: options.mysql_sql_mode.clone(),
            wsrep_sync_wait: options.mysql_wsrep_sync_wait,
            tries_max: u64::try_from(options.max_retries).ok(),
            try_every: Duration::from_secs(options.retry_interval),
        }
    }
}

/// Where the configuration says that the data is, how it is to be reached, and the words with which a message
/// about it begins (file, line, option).
#[derive(Debug)]
pub struct Found {
    /// Which database.
    pub place: Place,
    /// How to reach it.
    pub limits: Limits,
    /// `neutron.conf:12: [database] connection`.
    pub said: String,
}

/// Reads `[database]`.
///
/// # Errors
/// What is wrong, where, and what to write.
pub fn find(config: &Config) -> Result<Found, String> {
    let options = DatabaseOptions::load(config).map_err(|problem: Problem| problem.to_string())?;
    let place = config.place("database", "connection").map_or_else(String::new, |place| format!("{place}: "));
    let said = format!("{place}[database] connection");
    let url = options.connection.clone().ok_or(
        "[database] connection is not set; write mysql+pymysql://neutron:PASSWORD@controller/neutron, \
         or sqlite:////var/lib/neutron/neutron.sqlite",
    )?;
    let more = options.connection_parameters.trim_start_matches('&');
    let joint = if url.contains('?') { "&" } else { "?" };
    let url = if more.is_empty() { url } else { format!("{url}{joint}{more}") };
    let place = url::parse(&url).map_err(|why| format!("{said}: {why}"))?;
    Ok(Found { place, limits: Limits::from(&options), said })
}
