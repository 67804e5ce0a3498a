//! `tag-ports-during-bulk-creation`: the tags that a new port brings are kept. An extension driver of ML2
//! upstream, and loaded by its name there: without it, such tags are accepted and forgotten.

use crate::api::tags;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::extension::{Extension, Hook, NOTHING};
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "tag-ports-during-bulk-creation",
    name: "Tag Ports During Bulk Creation",
    description: "Allow to tag ports during bulk creation",
    updated: "2019-12-29T19:00:00-00:00",
    driver: Some("tag_ports_during_bulk_creation"),
    requires: &["standard-attr-tag"],
    hooks: &[Hook { resource: "port", stored }],
    ..NOTHING
};

/// Stores the tags that a new port brings.
fn stored<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    id: &'a str,
    old: Option<&'a Body>,
    body: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let wanted = body.get("tags").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if old.is_some() || wanted.is_empty() {
            return Ok(());
        }
        let wanted: Vec<String> = wanted.iter().filter_map(Value::as_str).map(str::to_string).collect();
        tags::store_new(rq, tx, "port", id, &wanted).await
    })
}
