//! Ports that routers and floating IPs make for themselves: with all rights, beyond what the API allows.

use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::request::Rq;
use crate::resources::port;
use oslo::context::Context;
use serde_json::Value;

fn elevated(ctx: &Context) -> Context {
    Context { is_admin: true, ..ctx.clone() }
}

/// Makes a port.
pub async fn create(rq: Rq<'_>, tx: &mut Tx, body: Value) -> Result<String, Stop> {
    let ctx = elevated(rq.ctx);
    let body = body.as_object().cloned().unwrap_or_default();
    port::create_in(Rq { ctx: &ctx, ..rq }, tx, body).await
}

/// Changes a port.
pub async fn update(rq: Rq<'_>, tx: &mut Tx, id: &str, changes: Body) -> Result<(), Stop> {
    let ctx = elevated(rq.ctx);
    port::update_in(Rq { ctx: &ctx, ..rq }, tx, id, changes).await
}

/// Removes a port; one that is gone is no error.
pub async fn delete(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<(), Stop> {
    let ctx = elevated(rq.ctx);
    port::delete_in(Rq { ctx: &ctx, ..rq }, tx, id).await
}
