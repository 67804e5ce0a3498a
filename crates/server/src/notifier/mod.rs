//! Tells agents what was committed.
//!
//! Messages may be lost, doubled or late: agents resync, and take a message as a reason to look again. So a
//! failure here is logged and forgotten, never undone.

pub mod l2pop;

use crate::app::App;
use crate::attr::Body;
use oslo::context::Context;
use rpc::Target;
use serde_json::{Value, json};

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
