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

/// Everything of a server that is not HTTP. Dropping it stops at once; [`Running::stop`] does so in order.
pub struct Running {
    listeners: Vec<Listener>,
    last: Option<oneshot::Sender<()>>,
    notifier: JoinHandle<()>,
    periodic: JoinHandle<()>,
}

/// Listens to agents as `host`, tells them of `changes`, and looks after agents that are gone.
pub fn start(app: &Shared, transport: &Transport, host: &str, changes: Subscriber) -> Running {
    let listen = |(topic, endpoints): handlers::Served| transport.listen(topic, host, endpoints);
    let (last, stopped) = oneshot::channel();
    Running {
        last: Some(last),
        notifier: tokio::spawn(notifier::run(app.clone(), changes, stopped)),
        periodic: tokio::spawn(periodic::run(app.clone())),
        listeners: handlers::endpoints(app).into_iter().map(listen).collect(),
    }
}

impl Running {
    /// Stops: no more questions, then the agents hear of what was committed so far. HTTP has to be closed
    /// before.
    pub async fn stop(mut self) {
        self.listeners.clear();
        self.periodic.abort();
        if let Some(last) = self.last.take() {
            // An error means that the notifier is gone already.
            let _ = last.send(());
        }
        if tokio::time::timeout(LAST_WORDS, &mut self.notifier).await.is_err() {
            tracing::warn!("agents could not be told of the last changes in time");
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.notifier.abort();
        self.periodic.abort();
    }
}
