//! A server from its configuration: the store, what is loaded, everything that requests share.

use crate::api::{auth, health};
use crate::app::{App, Shared};
use crate::catalog::Catalog;
use crate::db::options::{self, DatabaseOptions};
use crate::db::{Db, Make, Place, Stop, Tx};
use crate::extensions;
use crate::ml2::{self, Ml2};
use crate::notifier::nova::{self, Nova};
use crate::notify::{self, Subscriber};
use crate::resources::router;
use crate::{agents, policy, quota};
use oslo::config::{Config, Opt, Problem};
use rpc::Transport;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

oslo::options! {
    /// The server itself.
    pub struct ServerOptions in "DEFAULT" {
        /// The name of this host, as agents and ports know it; empty = what the machine calls itself.
        host: String = String::new();
        /// The folder for everything that must outlive the process.
        state_path: String = "/var/lib/neutron".into();
        /// The address the API listens on.
        bind_host: IpAddr = IpAddr::from([0, 0, 0, 0]);
        /// The port the API listens on.
        bind_port: u16 = 9696;
        /// Who says who asks: keystone has Keystone check tokens, noauth trusts the headers of a request.
        auth_strategy: String = "keystone".into();
        /// The most rows of a list; -1 or "infinite" = no bound.
        pagination_max_limit: String = "-1".into();
    }
}

/// Every option that a server reads.
pub fn declared() -> Vec<Opt> {
    [
        ServerOptions::declared(),
        DatabaseOptions::declared(),
        ml2::options::Groups::declared(),
        router::options::Options::declared(),
        agents::Options::declared(),
        policy::Options::declared(),
        auth::start::declared(),
        nova::declared(),
        quota::Limits::declared(),
        health::Options::declared(),
    ]
    .concat()
}

/// The values of [`declared`] that cannot be read.
pub fn unreadable(config: &Config) -> Vec<Problem> {
    let all = [
        auth::start::unreadable(config),
        nova::unreadable(config),
        ServerOptions::load(config).err(),
        DatabaseOptions::load(config).err(),
        ml2::options::Groups::load(config).err(),
        router::options::Options::load(config).err(),
        agents::Options::load(config).err(),
        policy::Options::load(config).err(),
        quota::Limits::load(config).err(),
        health::Options::load(config).err(),
    ];
    all.into_iter().flatten().collect()
}

/// A server that is ready to run.
pub struct Server {
    /// What all requests share.
    pub app: Shared,
    /// What the notifier takes: hand it to [`crate::serve::start`].
    pub changes: Subscriber,
    /// Where the API listens.
    pub listen: SocketAddr,
}

/// Puts a server together. `home` is the folder of its configuration file, where relative paths of policy files
/// begin.
///
/// # Errors
/// What is wrong with the configuration or the database, where, and what to do.
pub async fn server(config: &Config, home: &Path, transport: &Transport) -> Result<Server, String> {
    let words = |problem: Problem| problem.to_string();
    let options = ServerOptions::load(config).map_err(words)?;
    let listen = address(config, &options)?;
    let auth = auth::start::strategy(config, home, &options.auth_strategy)?;
    let ml2 = Ml2::new(ml2::options::Groups::load(config).map_err(words)?)?;
    let catalog = catalog(&ml2)?;
    let policy = policy::Rules::load(&policy::Options::load(config).map_err(words)?, home, &catalog);
    let db = open(config).await?;
    db.write(sync, &ml2)
        .await
        .map_err(|stop| format!("the ranges of network ids cannot be stored: {stop:?}"))?;
    let (publisher, changes) = notify::channel();
    let mut app = App::new(db, catalog, transport.client(), publisher).with_ml2(ml2);
    app.policy = policy.map_err(|problem| problem.to_string())?;
    app.auth = auth;
    app.nova = Nova::load(config)?;
    app.limits.put(quota::Limits::load(config).map_err(words)?);
    app.routers = router::options::Options::load(config).map_err(words)?;
    app.agents = agents::Options::load(config).map_err(words)?;
    // Agents inside this process end with it and read everything anew when they start: nothing to keep for them.
    app.outbox = !transport.in_process();
    app.health = health::Options::load(config).map_err(words)?;
    app.port = listen.port();
    app.pagination_max_limit = page_limit(config, &options)?;
    Ok(Server { app: Shared::new(app), changes, listen })
}

/// Options that [`reload`] takes over, as (section, name); an empty name stands for the whole section.
pub const RELOADED: &[(&str, &str)] = &[("quotas", "")];

/// Takes over what a running server can of a configuration that was read again. Policy files need no reload:
/// the server follows them by itself.
///
/// # Errors
/// What is wrong with it; nothing is taken over then.
pub fn reload(app: &App, config: &Config) -> Result<(), Problem> {
    app.limits.put(quota::Limits::load(config)?);
    Ok(())
}

async fn sync(tx: &mut Tx, ml2: &Ml2) -> Result<(), Stop> {
    ml2::allocation::sync(tx, ml2).await
}

/// What is in force: all that is known, without those whose driver is not configured, and without those that
/// build on one of these.
///
/// # Errors
/// Declarations that do not fit together.
pub fn catalog(ml2: &Ml2) -> Result<Catalog, String> {
    let mut loaded = extensions::ALL.to_vec();
    loaded.retain(|e| e.driver.is_none_or(|driver| ml2.extension_drivers.iter().any(|d| d == driver)));
    Catalog::everything(&loaded)
}

/// Where to listen. Whoever reaches a server without authentication is an administrator: it is not to be
/// reached from elsewhere.
fn address(config: &Config, options: &ServerOptions) -> Result<SocketAddr, String> {
    let place =
        |name: &str| config.place("DEFAULT", name).map_or_else(String::new, |place| format!("{place}: "));
    if options.auth_strategy == "noauth" && !options.bind_host.is_loopback() {
        return Err(format!(
            "{}[DEFAULT] bind_host = {}: with auth_strategy = noauth everybody who connects is an administrator; \
             set bind_host to a loopback address such as 127.0.0.1, or auth_strategy = keystone",
            place("bind_host"),
            options.bind_host
        ));
    }
    Ok(SocketAddr::new(options.bind_host, options.bind_port))
}

/// Opens the database that the configuration names. A SQLite file gets its tables when it is empty; MariaDB gets
/// them by `neutron-db-manage upgrade head`.
///
/// # Errors
/// What is wrong, where, and what to do.
pub async fn open(config: &Config) -> Result<Db, String> {
    let found = options::find(config)?;
    let db = Db::connect(&found).await?;
    let make = match found.place {
        Place::Lite(_) => Make::WhenEmpty,
        Place::Maria(_) => Make::Never,
    };
    db.prepare(make).await.map_err(|stop| format!("{}: {}", found.said, stop.words()))?;
    Ok(db)
}

/// Connects to the database that the configuration names, whatever its tables; with it comes where the
/// configuration does so, for messages.
///
/// # Errors
/// What is wrong, where, and what to do.
pub async fn connect(config: &Config) -> Result<(Db, String), String> {
    let found = options::find(config)?;
    Ok((Db::connect(&found).await?, found.said))
}

fn page_limit(config: &Config, options: &ServerOptions) -> Result<Option<u64>, String> {
    match options.pagination_max_limit.as_str() {
        "-1" | "infinite" => Ok(None),
        text => text.parse().map(Some).map_err(|_| {
            let place = config.place("DEFAULT", "pagination_max_limit").unwrap_or_default();
            format!(
                "{place}: [DEFAULT] pagination_max_limit: \"{text}\" is neither a number nor \"infinite\""
            )
        }),
    }
}
