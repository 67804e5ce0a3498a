//! The servers around Neutron, real ones, thrown away afterwards: MariaDB, RabbitMQ, memcached, Keystone.
//!
//! They run on a host: on one with the machine's network for tests (free ports of 127.0.0.1), on the controller of
//! a laboratory at their usual ports. `make services` installs them. Nothing of the machine's own is used: data,
//! sockets, logs and configuration are the host's, and its end ends them all, however it comes.

pub mod certificates;
pub mod command;
pub mod http;
mod keystone;
mod mariadb;
mod memcached;
mod rabbitmq;

use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::daemon::Daemon;
use crate::host::Host;

/// Where data is on the machine's disk; the number of its host's process follows.
pub const DISK: &str = "/var/tmp/neutron-lab-";
/// Their names as daemons.
pub const DAEMONS: [&str; 4] = ["mariadb", "rabbitmq", "memcached", "keystone"];
/// How long a server may take to answer on a machine that has much else to do.
const START_MAX: Duration = Duration::from_secs(180);

/// Where each of them listens.
#[derive(Clone, Copy, Debug)]
pub struct Ports {
    /// MariaDB.
    pub mariadb: u16,
    /// RabbitMQ, AMQP 0-9-1.
    pub rabbitmq: u16,
    /// RabbitMQ over TLS.
    pub rabbitmq_tls: u16,
    /// Erlang's name server of that RabbitMQ.
    pub epmd: u16,
    /// Between Erlang's nodes.
    pub distribution: u16,
    /// memcached.
    pub memcached: u16,
    /// Keystone.
    pub keystone: u16,
    /// Keystone's administrators' port of old, where there is one.
    pub keystone_admin: Option<u16>,
}

impl Ports {
    /// The usual ones, as the guides have them.
    pub const USUAL: Ports = Ports {
        mariadb: 3306,
        rabbitmq: 5672,
        rabbitmq_tls: 5671,
        epmd: 4369,
        distribution: 25672,
        memcached: 11211,
        keystone: 5000,
        keystone_admin: Some(35357),
    };

    /// Free ones of 127.0.0.1.
    ///
    /// # Errors
    /// There are none.
    pub fn free() -> io::Result<Ports> {
        // All are held until the last is found, or one would be found twice.
        let held: Vec<TcpListener> =
            (0..7).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<io::Result<_>>()?;
        let mut found = held.iter().map(|listener| listener.local_addr().map(|address| address.port()));
        let mut next = || found.next().unwrap_or_else(|| Err(io::Error::other("no free port")));
        Ok(Ports {
            mariadb: next()?,
            rabbitmq: next()?,
            rabbitmq_tls: next()?,
            epmd: next()?,
            distribution: next()?,
            memcached: next()?,
            keystone: next()?,
            keystone_admin: None,
        })
    }
}

/// What the databases are written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    /// Memory: a commit costs no disk. For tests.
    Memory,
    /// The machine's disk, with MariaDB's own settings: each commit is flushed. For measurements.
    Disk,
}

/// What they are started with.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where they listen.
    pub ports: Ports,
    /// The address they listen on.
    pub bind: Ipv4Addr,
    /// What the databases are written to.
    pub durability: Durability,
    /// RabbitMQ's user and password.
    pub rabbitmq_user: (String, String),
    /// Keystone's folder: a virtual environment of Python's.
    pub keystone: PathBuf,
    /// The host's name that stands in Keystone's own endpoints.
    pub name: String,
    /// Who there is in Keystone.
    pub people: &'static People,
}

/// Projects and users beside those that Keystone makes itself.
#[derive(Debug)]
pub struct People {
    /// The administrator's password.
    pub admin: &'static str,
    /// Projects of the default domain.
    pub projects: &'static [&'static str],
    /// Users: name, password, project, roles.
    pub users: &'static [(&'static str, &'static str, &'static str, &'static [&'static str])],
}

/// MariaDB's root, by password from anywhere; without one on the host itself.
pub const MARIADB_PASSWORD: &str = "mariadb-secret";

/// Servers that run on a host.
pub struct Services {
    host: Arc<Host>,
    setup: Setup,
    /// Where data is kept, as the host sees it.
    data: PathBuf,
    /// Removed with it when it is outside of the host's own memory.
    outside: Option<PathBuf>,
}

impl Services {
    /// Starts all of them and waits until they answer.
    ///
    /// # Errors
    /// One is not installed or does not start: the words hold its log's end.
    pub fn start(host: Arc<Host>, setup: Setup) -> Result<Services, String> {
        let (data, outside) = match setup.durability {
            Durability::Memory => (PathBuf::from("/run/lab-data"), None),
            Durability::Disk => {
                let path = PathBuf::from(format!("{DISK}{}", host.pid()));
                (path.clone(), Some(path))
            }
        };
        std::fs::create_dir_all(host.path(&data.to_string_lossy())).map_err(|error| error.to_string())?;
        let services = Services { host, setup, data, outside };
        services.certificates()?;
        services.rabbitmq_start()?;
        services.memcached_start()?;
        services.mariadb_prepare()?;
        services.mariadb_start()?;
        services.mariadb_wait()?;
        services.keystone_prepare()?;
        services.keystone_start()?;
        services.keystone_wait()?;
        services.rabbitmq_wait()?;
        services.keystone_people()?;
        Ok(services)
    }

    /// Leaves them running and tells where their data is.
    pub fn leave(mut self) -> PathBuf {
        self.outside = None;
        self.data.clone()
    }

    /// The host they run on.
    pub fn host(&self) -> &Host {
        &self.host
    }

    /// A folder of data, made when it is missing.
    fn folder(&self, name: &str) -> Result<PathBuf, String> {
        let path = self.data.join(name);
        std::fs::create_dir_all(self.host.path(&path.to_string_lossy()))
            .map_err(|error| error.to_string())?;
        Ok(path)
    }

    /// Writes a file on the host.
    fn write(&self, path: &Path, text: &str) -> Result<(), String> {
        std::fs::write(self.host.path(&path.to_string_lossy()), text).map_err(|error| error.to_string())
    }

    /// Waits for a server; when it ends or does not answer in time, the end of its log says why.
    fn wait(&self, daemon: &str, mut probe: impl FnMut() -> Result<(), String>) -> Result<(), String> {
        let begin = Instant::now();
        loop {
            let Err(why) = probe() else { return Ok(()) };
            let ended = !self.host.daemon_runs(daemon);
            if ended || begin.elapsed() > START_MAX {
                let state = if ended { "it has ended" } else { "it does not answer" };
                let log = self.host.daemon_log(daemon, 20);
                return Err(format!("{daemon}: {state}: {why}\n{log}"));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Runs words on the host.
    fn run(&self, words: &[&str]) -> Result<String, String> {
        self.host.run(words).map_err(|error| error.to_string())
    }

    /// Starts a daemon on the host.
    fn daemon(&self, daemon: &Daemon) -> Result<(), String> {
        self.host.start_daemon(daemon).map_err(|error| error.to_string())
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if let Some(path) = &self.outside {
            for daemon in DAEMONS {
                // It may have ended by itself.
                let _ = self.host.end_daemon(daemon, "KILL");
            }
            let _ = std::fs::remove_dir_all(path);
        }
    }
}
