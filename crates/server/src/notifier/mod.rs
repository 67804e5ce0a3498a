//! Tells agents what was committed.
//!
//! Messages may be lost, doubled or late: agents resync, and take a message as a reason to look again. So a
//! failure here is logged and forgotten, never undone. What several transactions changed while a message was
//! on its way is told together: a group's members once, a host's routers in one message.

pub mod dhcp;
pub mod l2;
pub mod l2pop;
pub mod l3;
pub mod security;

use crate::app::{App, Shared};
use crate::attr::Body;
use crate::db::Stop;
use crate::notify::{Change, Subscriber, Verb};
use oslo::context::Context;
use rpc::Target;
use serde_json::Value;
use tokio::sync::oneshot;

/// Changes told together.
const CHANGES_PER_ROUND_MAX: usize = 1000;

/// Tells agents of changes until it is asked to stop, and then of those that wait.
pub async fn run(app: Shared, mut changes: Subscriber, mut stop: oneshot::Receiver<()>) {
    loop {
        let (mut round, last) = tokio::select! {
            biased;
            first = changes.recv() => match first {
                Some(first) => (first, false),
                None => return,
            },
            _ = &mut stop => (Vec::new(), true),
        };
        while (last || round.len() < CHANGES_PER_ROUND_MAX)
            && let Ok(more) = changes.try_recv()
        {
            round.extend(more);
        }
        // A task of its own: a defect in telling one round must not silence all that follow.
        let teller = app.clone();
        if let Err(error) = tokio::spawn(async move { tell(&teller, &round).await }).await {
            tracing::error!(%error, "agents were not told of a round of changes");
        }
        if last {
            return;
        }
    }
}

/// Tells agents of changes, each kind of agent for itself.
pub async fn tell(app: &App, changes: &[Change]) {
    log("L2 agents", l2::tell(app, changes).await);
    log("l2population", l2pop::tell(app, changes).await);
    security::tell(app, changes).await;
    log("DHCP agents", dhcp::tell(app, changes).await);
    log("L3 agents", l3::tell(app, changes).await);
    for change in changes.iter().filter(|c| c.resource == "agent" && c.verb == Verb::Updated) {
        agent_updated(app, change).await;
    }
}

fn log(whom: &str, told: Result<(), Stop>) {
    if let Err(stop) = told {
        tracing::error!(?stop, "{whom} could not be told of a change");
    }
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
