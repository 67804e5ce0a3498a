//! Ports that routers and floating IPs make for themselves: with all rights, beyond what the API allows.

use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::internal;
use crate::request::Rq;
use oslo::context::Context;
use serde_json::Value;

const PORT: &str = "port";

fn elevated(ctx: &Context) -> Context {
    Context { is_admin: true, ..ctx.clone() }
}

/// Makes a port; what `body` leaves out is as in an admitted request.
pub async fn create(rq: Rq<'_>, tx: &mut Tx, body: Value) -> Result<String, Stop> {
    let ctx = elevated(rq.ctx);
    let body = body.as_object().cloned().unwrap_or_default();
    internal::create_in(Rq { ctx: &ctx, ..rq }, tx, PORT, body).await
}

/// Changes a port; one that is gone is no error.
pub async fn update(rq: Rq<'_>, tx: &mut Tx, id: &str, changes: Body) -> Result<(), Stop> {
    let ctx = elevated(rq.ctx);
    internal::update_in(Rq { ctx: &ctx, ..rq }, tx, PORT, id, changes).await.map(|_| ())
}

/// Removes a port; one that is gone is no error.
pub async fn delete(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<(), Stop> {
    let ctx = elevated(rq.ctx);
    crate::resources::port::delete_in(Rq { ctx: &ctx, ..rq }, tx, id).await
}
