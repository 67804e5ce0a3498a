//! Tells agents what was committed.
//!
//! Messages may be lost, doubled or late: agents resync, and take a message as a reason to look again. So a
//! failure here is logged, never undone; with an outbox it is told again until the broker took it. What several transactions changed while a message was
//! on its way is told together: a group's members once, a host's routers in one message.

pub mod dhcp;
pub mod l2;
pub mod l2pop;
pub mod l3;
pub mod nova;
mod objects;
pub mod security;
pub mod sweep;

use crate::app::{App, Shared};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::notify::{Change, Committed, Subscriber, Verb};
use crate::outbox;
use oslo::context::Context;
use rpc::Target;
use serde_json::Value;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// Changes told together.
const CHANGES_PER_ROUND_MAX: usize = 1000;

/// Rows of the outbox deleted by one statement.
const ROWS_PER_DELETION_MAX: usize = 500;
/// How long a row stays in the outbox after its changes are told, so that one statement deletes many.
const ROW_LIFE_AFTER: Duration = Duration::from_millis(500);

/// Rows remembered until the broker has their messages. Rows beyond are left to a sweep.
const ROWS_TOLD_MAX: usize = 100_000;
/// How long the broker is given for the last messages when the server stops.
const LAST_MESSAGES: Duration = Duration::from_secs(3);

/// Rows of the outbox whose changes are told, on their way out of it.
struct Told {
    app: Shared,
    /// Rows, with how many messages had been given to the transport when theirs were.
    rows: Vec<(u64, String)>,
    /// When they are to be deleted.
    due: Instant,
}

impl Told {
    fn add(&mut self, rows: Vec<String>) {
        if self.rows.is_empty() {
            self.due = Instant::now() + ROW_LIFE_AFTER;
        }
        let given = self.app.rpc.given();
        if self.rows.len() < ROWS_TOLD_MAX {
            self.rows.extend(rows.into_iter().map(|row| (given, row)));
        }
    }

    /// Deletes those whose messages the broker has. Should that fail, a sweep finds them again and tells their
    /// changes once more.
    async fn forget(&mut self) {
        let settled = self.app.rpc.settled();
        let (ready, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.rows).into_iter().partition(|(given, _)| *given <= settled);
        self.rows = waiting;
        self.due = Instant::now() + ROW_LIFE_AFTER;
        let ready: Vec<String> = ready.into_iter().map(|(_, row)| row).collect();
        for rows in ready.chunks(ROWS_PER_DELETION_MAX) {
            if let Err(stop) = self.app.db.write(forget, rows).await {
                tracing::warn!(?stop, "what was told could not be deleted from the outbox");
            }
        }
    }

    /// Deletes them all, as far as the broker takes their messages in time.
    async fn forget_last(&mut self) {
        let until = Instant::now() + LAST_MESSAGES;
        self.forget().await;
        while !self.rows.is_empty() && Instant::now() < until {
            tokio::time::sleep(Duration::from_millis(20)).await;
            self.forget().await;
        }
    }
}

async fn forget(tx: &mut Tx, rows: &[String]) -> Result<(), Stop> {
    outbox::forget(tx, rows).await
}

/// Tells agents of changes until it is asked to stop, and then of those that wait.
pub async fn run(app: Shared, mut changes: Subscriber, mut stop: oneshot::Receiver<()>) {
    let mut told = Told { app: app.clone(), rows: Vec::new(), due: Instant::now() };
    loop {
        let full = told.rows.len() >= ROWS_PER_DELETION_MAX;
        let (first, last) = tokio::select! {
            biased;
            _ = &mut stop => (None, true),
            () = tokio::time::sleep_until(told.due), if full || !told.rows.is_empty() => (None, false),
            first = changes.recv() => match first {
                Some(first) => (Some(first), false),
                None => return told.forget_last().await,
            },
        };
        let mut round = Round::default();
        round.extend(first);
        while (last || (!round.changes.is_empty() && round.changes.len() < CHANGES_PER_ROUND_MAX))
            && let Ok(more) = changes.try_recv()
        {
            round.extend(Some(more));
        }
        if round.tell(&app).await {
            told.add(round.rows);
        }
        if last {
            return told.forget_last().await;
        }
        if full || Instant::now() >= told.due {
            told.forget().await;
        }
    }
}

/// Changes that are told together.
#[derive(Default)]
struct Round {
    changes: Vec<Change>,
    rows: Vec<String>,
}

impl Round {
    fn extend(&mut self, committed: Option<Committed>) {
        let Some(committed) = committed else { return };
        self.changes.extend(committed.changes);
        self.rows.extend(committed.row);
    }

    /// Tells agents of it; false when it has to be told again.
    async fn tell(&mut self, app: &Shared) -> bool {
        let (teller, changes) = (app.clone(), std::mem::take(&mut self.changes));
        if changes.is_empty() {
            return true;
        }
        // A task of its own: a defect in telling one round must not silence all that follow.
        tokio::spawn(async move { tell(&teller, &changes).await }).await.unwrap_or_else(|error| {
            tracing::error!(%error, "agents were not told of a round of changes");
            // It would break again.
            true
        })
    }
}

/// Tells agents of changes, each kind of agent for itself; false when somebody was not reached and all is to be
/// told again.
pub async fn tell(app: &App, changes: &[Change]) -> bool {
    let unsent = app.unsent.load(Ordering::Relaxed);
    let all = [
        log("agents that take objects", objects::tell(app, changes).await),
        log("L2 agents", l2::tell(app, changes).await),
        log("l2population", l2pop::tell(app, changes).await),
        log("DHCP agents", dhcp::tell(app, changes).await),
        log("L3 agents", l3::tell(app, changes).await),
        log("Nova", nova::tell(app, changes).await),
    ];
    security::tell(app, changes).await;
    for change in changes.iter().filter(|c| c.resource == "agent" && c.verb == Verb::Updated) {
        agent_updated(app, change).await;
    }
    all.into_iter().all(|told| told) && app.unsent.load(Ordering::Relaxed) == unsent
}

fn log(whom: &str, told: Result<(), Stop>) -> bool {
    if let Err(stop) = &told {
        tracing::error!(?stop, "{whom} could not be told of a change");
    }
    told.is_ok()
}

/// An agent was switched on or off by an admin: DHCP and L3 agents are told.
async fn agent_updated(app: &App, change: &Change) {
    let (Some(before), Some(after)) = (&change.before, &change.after) else { return };
    let up = after.get("admin_state_up").cloned().unwrap_or(Value::Null);
    let topic = match text(after, "agent_type") {
        crate::agents::DHCP => dhcp::TOPIC,
        crate::agents::L3 => l3::TOPIC,
        _ => return,
    };
    if before.get("admin_state_up") != Some(&up) {
        let args = serde_json::json!({"payload": {"admin_state_up": up}});
        cast(app, &Target::server(topic, text(after, "host")), "agent_updated", "1.0", args).await;
    }
}

/// Sends a message in the server's own name.
pub(crate) async fn cast(app: &App, target: &Target, method: &str, version: &str, args: Value) {
    let ctx = Value::Object(Context::admin().to_message());
    if let Err(error) = app.rpc.cast(&ctx, target, method, version, args).await {
        app.unsent.fetch_add(1, Ordering::Relaxed);
        tracing::warn!(%error, method, topic = target.topic, "a message could not be sent");
    }
}

/// A text of a resource; empty where it has none.
pub(crate) fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Whether one of some attributes differs.
fn differs(before: &Body, after: &Body, names: &[&str]) -> bool {
    names.iter().any(|name| before.get(*name) != after.get(*name))
}
