//! What rules look at: the resource's own fields, and those of its parents.

use crate::api::pipeline::visibility;
use crate::db::{Ask, Stop, Tx, Val};
use crate::record::Page;
use crate::request::Rq;
use crate::store::{self, Query};
use serde_json::Value;
use std::collections::{BTreeSet, HashMap};

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

/// Names by which rules ask who owns a parent.
const OWNER: [&str; 2] = ["project_id", "tenant_id"];

/// The statement that reads who owns the parents with some ids.
fn owners(table: &str, ids: usize) -> String {
    format!("SELECT id, project_id FROM {table} WHERE id IN ({})", crate::db::marks(ids))
}

/// What rules ask of a parent whose owner decides, to be asked ahead ([`Tx::ahead`]); none where the caller alone decides.
pub fn owner_ask(rq: Rq<'_>, parent: &str, id: &str) -> Option<Ask> {
    let shape = rq.app.catalog.shape(parent).filter(|_| !rq.ctx.is_admin && !id.is_empty())?;
    Some(Ask { sql: owners(shape.resource.table, 1).into(), params: vec![id.into()] })
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

    /// Reads who owns the parents that `keys` ask for: what most rules look at, by one plain statement per kind of parent.
    pub(super) async fn owners(
        rq: Rq<'_>,
        tx: &mut Tx,
        keys: &[&str],
        targets: &[&Read<'_>],
    ) -> Result<Parents, Stop> {
        let mut parents = Parents::default();
        for (parent, reference) in PARENTS {
            let wanted = |key: &&&str| {
                parent_of(key).is_some_and(|(named, _, field)| named == *parent && OWNER.contains(&field))
            };
            let asked: Vec<&&str> = keys.iter().filter(wanted).collect();
            let lacks = |target: &&&Read<'_>| asked.iter().any(|key| target(key).is_none());
            let id = |target: &&Read<'_>| target(reference).and_then(|id| id.as_str().map(str::to_string));
            let ids: BTreeSet<String> = targets.iter().filter(lacks).filter_map(id).collect();
            let Some(shape) = rq.app.catalog.shape(parent).filter(|_| !ids.is_empty()) else { continue };
            let ids: Vec<String> = ids.into_iter().collect();
            for some in ids.chunks(store::ROWS_PER_STATEMENT_MAX) {
                let params: Vec<Val> = some.iter().map(Val::from).collect();
                let rows = tx.all_once(&owners(shape.resource.table, some.len()), &params).await?;
                for id in some {
                    // As the target writes it: the database compares without case.
                    let row = rows.iter().find(|row| row.str(0).eq_ignore_ascii_case(id));
                    let row = row.ok_or_else(|| (shape.resource.not_found)(id))?;
                    let owner = row.opt_text(1).map_or(Value::Null, Value::String);
                    for field in OWNER {
                        parents.0.insert((parent, id.clone(), field.to_string()), owner.clone());
                    }
                }
            }
        }
        Ok(parents)
    }

    /// What is known of a field: the target's own, what was read of its parents; none where a parent was not read.
    pub(super) fn known(&self, key: &str, target: &Read<'_>) -> Option<Option<Value>> {
        match target(key) {
            None if parent_of(key).is_some() => self.value(key, target).map(Some),
            own => Some(own),
        }
    }

    /// What a key names beyond the target's own fields.
    pub(super) fn value(&self, key: &str, target: &Read<'_>) -> Option<Value> {
        let (parent, reference, field) = parent_of(key)?;
        let Some(Value::String(id)) = target(reference) else { return None };
        self.0.get(&(parent, id, field.to_string())).cloned()
    }
}
