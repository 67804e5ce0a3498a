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

/// Refuses a target whose network is not there, or, where a rule asks whether it is shared, one that the caller
/// cannot know of: upstream reads the network as an admin for its owner, as the caller for that, and what it
/// does not find is the answer.
pub(super) async fn network_is_known(
    rq: Rq<'_>,
    tx: &mut Tx,
    keys: &[&str],
    target: &Read<'_>,
) -> Result<(), Stop> {
    let asked =
        |key: &&&str| target(key).is_none() && parent_of(key).is_some_and(|(parent, ..)| parent == "network");
    let asked: Vec<&&str> = keys.iter().filter(asked).collect();
    let (Some(Value::String(id)), Some(shape)) = (target("network_id"), rq.app.catalog.shape("network"))
    else {
        return Ok(());
    };
    if asked.is_empty() {
        return Ok(());
    }
    let mut query = Query::by(shape.resource, "id", &id);
    query.wheres.extend(visibility(rq, shape).filter(|_| asked.contains(&&"shared")));
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
            let page = store::among(rq, tx, shape.resource, &ids, Some(&fields)).await?;
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
