//! Pushes changed resources as versioned objects, in every version that an agent listens for.
//!
//! What is pushed is what is there now, whatever the change was: a creation is pushed as an update, and a
//! change to something that is gone meanwhile as its deletion, so that no order of messages misleads an agent.

use super::cast;
use crate::app::App;
use crate::db::Stop;
use crate::notify::Change;
use crate::objects::{self, Kind, Object, Version, Which};
use rpc::Target;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Objects of one message.
const OBJECTS_PER_PUSH_MAX: usize = 50;

/// Pushes what changed.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    let wanted = app.versions.wanted(app).await?;
    if wanted.is_empty() {
        return Ok(());
    }
    let mut touched: BTreeMap<Kind, BTreeSet<&str>> = BTreeMap::new();
    for change in changes {
        if let Some(kind) = Kind::of(change.resource).filter(|kind| wanted.contains_key(kind)) {
            touched.entry(kind).or_default().insert(&change.id);
        }
    }
    for (kind, ids) in touched {
        let ids: Vec<&str> = ids.into_iter().collect();
        let Some(versions) = wanted.get(&kind) else { continue };
        for ids in ids.chunks(OBJECTS_PER_PUSH_MAX) {
            let found = {
                let mut tx = app.db.read().await?;
                objects::read(&mut tx, kind, &Which::ids(ids)).await?
            };
            let is_gone = |id: &&str| !found.iter().any(|object| object.id() == *id);
            let gone: Vec<Object> =
                ids.iter().copied().filter(|id| is_gone(id)).map(|id| Object::gone(kind, id)).collect();
            for version in versions {
                push(app, kind, *version, &found, "updated").await;
                push(app, kind, *version, &gone, "deleted").await;
            }
        }
    }
    Ok(())
}

async fn push(app: &App, kind: Kind, version: Version, objects: &[Object], event_type: &str) {
    if objects.is_empty() {
        return;
    }
    let topic = format!("neutron-vo-{}-{}.{}", kind.name(), version.0, version.1);
    let list: Vec<Value> = objects.iter().map(|object| object.primitive(version)).collect();
    let args = json!({"resource_list": list, "event_type": event_type});
    cast(app, &Target::fanout(&topic), "push", "1.1", args).await;
}
