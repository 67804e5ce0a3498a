//! What rules look at: the resource's own fields, and those of its parents.

use crate::api::pipeline::visibility;
use crate::db::{Stop, Tx};
use crate::record::Page;
use crate::request::Rq;
use crate::store::{self, Query};
use serde_json::Value;
use std::collections::HashMap;

/// How a target's own fields are read.
pub(super) type Read<'a> = dyn Fn(&str) -> Option<Value> + Sync + 'a;

/// A row of a page as a target.
pub(super) fn row(page: &Page, row: usize) -> impl Fn(&str) -> Option<Value> + Sync {
    move |name| page.rows.get(row)?.get(page.place(name)?)?.value()
}

/// The parents that rules can ask for: their name in rules, and the field that refers to them.
const PARENTS: &[(&str, &str)] = &[("network", "network_id"), ("security_group", "security_group_id")];

/// A field of a parent that a rule's key names: `network:project_id`, or `shared` of what has a network.
fn parent_of(key: &str) -> Option<(&'static str, &'static str, &str)> {
    if key == "shared" {
        // Upstream asks the network of what is not shared by itself.
        return Some(("network", "network_id", "shared"));
    }
    let (parent, field) = key.split_once(':').or_else(|| key.split_once('_'))?;
    let (parent, reference) = PARENTS.iter().find(|(name, _)| *name == parent)?;
    Some((parent, reference, field))
}

/// Whether a key asks the target's network.
pub(super) fn asks_network(key: &str) -> bool {
    parent_of(key).is_some_and(|(parent, ..)| parent == "network")
}

/// Refuses a target whose network the caller cannot know of: upstream's check reads the network as the caller,
/// and what it does not find is the answer.
pub(super) async fn network_is_visible(rq: Rq<'_>, tx: &mut Tx, target: &Read<'_>) -> Result<(), Stop> {
    let (Some(Value::String(id)), Some(shape)) = (target("network_id"), rq.app.catalog.shape("network"))
    else {
        return Ok(());
    };
    let mut query = Query::by(shape.resource, "id", &id);
    query.wheres.extend(visibility(rq, shape));
    query.fields = Some(Vec::new());
    let page = store::list(rq, tx, shape.resource, &query).await?;
    if page.rows.is_empty() { Err((shape.resource.not_found)(&id).into()) } else { Ok(()) }
}

/// Fields of parents: by parent, its id, and field.
#[derive(Default)]
pub(super) struct Parents(HashMap<(&'static str, String, String), Value>);

impl Parents {
    /// Reads what `keys` ask for beyond the targets' own fields: one statement per kind of parent.
    pub(super) async fn read(
        rq: Rq<'_>,
        tx: &mut Tx,
        keys: &[&str],
        targets: &[&Read<'_>],
    ) -> Result<Parents, Stop> {
        let mut parents = Parents::default();
        for (parent, reference) in PARENTS {
            let mut fields: Vec<String> = Vec::new();
            let mut ids: Vec<String> = Vec::new();
            for key in keys {
                let Some((_, _, field)) = parent_of(key).filter(|(p, ..)| p == parent) else { continue };
                for target in targets.iter().filter(|target| target(key).is_none()) {
                    if let Some(Value::String(id)) = target(reference) {
                        ids.push(id);
                    }
                }
                fields.push(field.to_string());
            }
            ids.sort_unstable();
            ids.dedup();
            let Some(shape) = rq.app.catalog.shape(parent).filter(|_| !ids.is_empty()) else { continue };
            let mut query = Query::among(shape.resource, "id", &ids);
            query.fields = Some(fields.clone());
            let page = store::list(rq, tx, shape.resource, &query).await?;
            let there = page.column("id");
            if let Some(gone) =
                ids.iter().find(|id| !there.iter().any(|there| there.eq_ignore_ascii_case(id)))
            {
                return Err((shape.resource.not_found)(gone).into());
            }
            for at in 0..page.rows.len() {
                let value = row(&page, at);
                for field in &fields {
                    let id = page.text(at, "id").to_string();
                    parents.0.insert((parent, id, field.clone()), value(field).unwrap_or(Value::Null));
                }
            }
        }
        Ok(parents)
    }

    /// What a key names beyond the target's own fields.
    pub(super) fn value(&self, key: &str, target: &Read<'_>) -> Option<Value> {
        let (parent, reference, field) = parent_of(key)?;
        let Some(Value::String(id)) = target(reference) else { return None };
        self.0.get(&(parent, id, field.to_string())).cloned()
    }
}
