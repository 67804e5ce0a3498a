//! The server as a value: what all requests share.

use crate::agents;
use crate::api::{auth, health};
use crate::catalog::Catalog;
use crate::db::{Db, Stop, Tx};
use crate::ipam::Hints;
use crate::live::Live;
use crate::ml2::Ml2;
use crate::notifier::nova::Nova;
use crate::notify::Publisher;
use crate::resources::router;
use crate::store::Habits;
use crate::{policy, quota};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

/// What all requests share.
pub struct App {
    /// The store.
    pub db: Db,
    /// What the loaded extensions add up to.
    pub catalog: Catalog,
    /// Messages to agents.
    pub rpc: rpc::Client,
    /// Where committed changes go: the notifier tells agents and others.
    pub publisher: Publisher,
    /// Whether what is to be announced is kept in the database until it is ([`crate::outbox`]).
    pub outbox: bool,
    /// How many messages to agents could not be handed to the broker so far.
    pub unsent: AtomicU64,
    /// The way to Nova; none where it is not to be told.
    pub nova: Option<Arc<Nova>>,
    /// Who says who asks.
    pub auth: auth::Strategy,
    /// The rules of policy.
    pub policy: policy::Rules,
    /// The quotas of projects that have none of their own.
    pub limits: Live<quota::Limits>,
    /// `pagination_max_limit`: the most rows of a list; none = no bound.
    pub pagination_max_limit: Option<u64>,
    /// What routers are where nobody says otherwise.
    pub routers: router::options::Options,
    /// What is done with agents.
    pub agents: agents::Options,
    /// What agents reported last, so that a report without news costs no write.
    pub reports: agents::state::Memory,
    /// Which versions of objects agents listen for.
    pub versions: agents::versions::Versions,
    /// Seconds since 1970 (UTC).
    pub clock: Clock,
    /// Network types, their ranges, mechanism drivers, and what else the core reads from its configuration.
    pub ml2: Ml2,
    /// Where to look first for a free address.
    pub hints: Hints,
    /// Which lists are long.
    pub habits: Habits,
    /// What `/healthcheck` looks at.
    pub health: health::Options,
    /// The port the API listens on.
    pub port: u16,
}

/// A source of seconds since 1970 (UTC); tests bring their own.
pub type Clock = Box<dyn Fn() -> i64 + Send + Sync>;

impl App {
    /// A server over a store, with what is loaded, a way to the agents and one to the notifier. Everything
    /// else is as upstream's defaults have it; change the fields before sharing it.
    pub fn new(db: Db, catalog: Catalog, rpc: rpc::Client, publisher: Publisher) -> App {
        // The defaults are part of the program, and a test reads them.
        let policy = policy::Rules::defaults(&catalog).unwrap_or_else(|problem| panic!("{problem}"));
        App {
            db,
            catalog,
            rpc,
            publisher,
            outbox: false,
            unsent: AtomicU64::new(0),
            nova: None,
            auth: auth::Strategy::Noauth,
            policy,
            limits: Live::default(),
            pagination_max_limit: None,
            routers: router::options::Options::default(),
            agents: agents::Options::default(),
            reports: agents::state::Memory::default(),
            versions: agents::versions::Versions::default(),
            clock: Box::new(|| jiff::Timestamp::now().as_second()),
            ml2: Ml2::default(),
            hints: Hints::default(),
            habits: Habits::default(),
            health: health::Options::default(),
            port: 0,
        }
    }

    /// The same server with what its configuration says of ML2.
    #[must_use]
    pub fn with_ml2(self, ml2: Ml2) -> App {
        App { ml2, ..self }
    }

    /// Runs `work` in a transaction, again where the database asks for it, and publishes what it announced
    /// after the commit. `work` is a named function and may run twice.
    pub async fn write<I: ?Sized, T>(
        &self,
        work: impl AsyncFn(&mut Tx, &I) -> Result<T, Stop>,
        input: &I,
    ) -> Result<T, Stop> {
        let (done, committed) = self.db.write_with(work, input, self.outbox).await?;
        self.publisher.publish(committed).await;
        Ok(done)
    }

    /// Waits until Nova has heard of everything.
    pub async fn nova_is_told(&self) {
        if let Some(nova) = &self.nova {
            nova.is_told().await;
        }
    }

    /// The moment, as the database keeps it (UTC, whole seconds): `2026-11-21 22:08:34`.
    pub fn now(&self) -> String {
        agents::moment((self.clock)())
    }

    /// A random number below `sides`; 0 where there is nothing to choose from.
    pub fn dice(&self, sides: usize) -> usize {
        if sides < 2 { 0 } else { rand::random_range(0..sides) }
    }

    /// A fresh id.
    pub fn fresh_id(&self) -> String {
        uuid::Uuid::new_v4().to_string()
    }
}

/// How the parts of the server hold on to it.
pub type Shared = Arc<App>;
