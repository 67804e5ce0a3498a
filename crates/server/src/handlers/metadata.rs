//! The metadata agent's question (`q-plugin`, version 1.0): whose address is this?

use super::args::Args;
use super::{failure, find};
use crate::app::Shared;
use crate::request::Rq;
use crate::store;
use oslo::context::Context;
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::Value;

/// The metadata endpoint.
pub struct Metadata(pub Shared);

/// Resources that fit filters, with the fields asked for.
pub(super) async fn list(app: &Shared, resource: &str, args: &Args) -> Result<Value, Failure> {
    let ctx = Context::admin();
    let rq = Rq { app, ctx: &ctx };
    let Some(shape) = app.catalog.shape(resource) else { return Ok(Value::Array(Vec::new())) };
    let query = find::query(shape.resource, &args.object("filters")).map_err(Failure::internal)?;
    let mut tx = app.db.read().await.map_err(failure)?;
    let page = store::list(rq, &mut tx, shape.resource, &query).await.map_err(failure)?;
    let fields = args.texts("fields");
    let wanted = |name: &String| fields.is_empty() || fields.contains(name);
    let body = |row| page.body(row).into_iter().filter(|(name, _)| wanted(name)).collect();
    Ok(Value::Array((0..page.rows.len()).map(body).map(Value::Object).collect()))
}

impl Endpoint for Metadata {
    fn version(&self) -> &str {
        "1.0"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            match method {
                "get_ports" => list(&self.0, "port", &Args(args)).await,
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
