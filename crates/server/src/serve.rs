//! A server that runs: it listens to agents, tells them of changes, and looks after those that are gone.

use crate::agents::periodic;
use crate::app::Shared;
use crate::notify::Subscriber;
use crate::{handlers, notifier};
use rpc::{Listener, Transport};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How long messages about the last commits may take when the server stops.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long Nova may take to hear of them.
const LAST_EVENTS: Duration = Duration::from_secs(2);

/// Everything of a server that is not HTTP. Dropping it stops at once; [`Running::stop`] does so in order.
pub struct Running {
    app: Shared,
    listeners: Vec<Listener>,
    last: Option<oneshot::Sender<()>>,
    notifier: JoinHandle<()>,
    sweeper: JoinHandle<()>,
    nova: JoinHandle<()>,
    periodic: Option<JoinHandle<()>>,
}

/// What a process does of what is not HTTP. All of them tell agents of the changes they make themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Does {
    /// It answers agents.
    pub rpc: bool,
    /// It looks after agents that are gone.
    pub periodic: bool,
}

/// Listens to agents as `host`, tells them of `changes`, and looks after agents that are gone.
pub fn start(app: &Shared, transport: &Transport, host: &str, changes: Subscriber) -> Running {
    start_parts(app, transport, host, changes, Does { rpc: true, periodic: true })
}

/// The same for a process that does a part of it.
pub fn start_parts(
    app: &Shared,
    transport: &Transport,
    host: &str,
    changes: Subscriber,
    does: Does,
) -> Running {
    let listen = |(topic, endpoints): handlers::Served| transport.listen(topic, host, endpoints);
    let topics = if does.rpc { handlers::endpoints(app) } else { Vec::new() };
    let (last, stopped) = oneshot::channel();
    Running {
        app: app.clone(),
        last: Some(last),
        notifier: tokio::spawn(notifier::run(app.clone(), changes, stopped)),
        sweeper: tokio::spawn(notifier::sweep::run(app.clone())),
        nova: tokio::spawn(notifier::nova::run(app.clone())),
        periodic: does.periodic.then(|| tokio::spawn(periodic::run(app.clone()))),
        listeners: topics.into_iter().map(listen).collect(),
    }
}

impl Running {
    /// Stops: no more questions, then the agents hear of what was committed so far. HTTP has to be closed
    /// before.
    pub async fn stop(mut self) {
        self.listeners.clear();
        self.stop_periodic();
        if let Some(last) = self.last.take() {
            // An error means that the notifier is gone already.
            let _ = last.send(());
        }
        if tokio::time::timeout(LAST_WORDS, &mut self.notifier).await.is_err() {
            tracing::warn!("agents could not be told of the last changes in time");
        }
        if tokio::time::timeout(LAST_EVENTS, self.app.nova_is_told()).await.is_err() {
            tracing::warn!("Nova could not be told of the last changes in time");
        }
    }

    fn stop_periodic(&self) {
        self.sweeper.abort();
        if let Some(periodic) = &self.periodic {
            periodic.abort();
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.notifier.abort();
        self.nova.abort();
        self.stop_periodic();
    }
}
