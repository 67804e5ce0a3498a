//! What committed transactions have to announce, kept with them until it is announced.
//!
//! A transaction that announces changes writes one row of `neutronrs_outbox` with them, so that a server that
//! dies between its commit and its messages, or whose broker is away, loses none: the row is deleted only after
//! the messages are sent. A row that a sweep finds twice belongs to nobody who is quick about it: whichever
//! server finds it sends it, so no server needs to know of the others, and no two clocks are compared. What is
//! sent twice does no harm: agents take a message as a reason to look again.
//!
//! Rows are small: a creation is an id, an update the values it replaced. Everything else is read again when a
//! row has to be sent from here.
//!
//! Only a server with a message broker keeps it. Agents in the server's own process end with it, and read
//! everything anew when they start.

use crate::attr::Body;
use crate::db::{Stop, Tx, Val, marks};
use crate::handlers::bodies;
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::store::Query;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Rows that one sweep takes up.
pub const ROWS_PER_SWEEP_MAX: usize = 500;

/// One change as a row keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Entry {
    resource: String,
    verb: String,
    id: String,
    /// Of an update the attributes that it changed, as they were; of a deletion the whole resource.
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<Body>,
}

fn word(verb: Verb) -> &'static str {
    match verb {
        Verb::Created => "created",
        Verb::Updated => "updated",
        Verb::Deleted => "deleted",
    }
}

fn verb(word: &str) -> Option<Verb> {
    [Verb::Created, Verb::Updated, Verb::Deleted].into_iter().find(|verb| self::word(*verb) == word)
}

/// The attributes whose values differ, as they were before; null where there was none.
fn replaced(before: &Body, after: &Body) -> Body {
    let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    names
        .into_iter()
        .filter(|name| before.get(*name) != after.get(*name))
        .map(|name| (name.clone(), before.get(name).cloned().unwrap_or(Value::Null)))
        .collect()
}

fn entry(change: &Change) -> Entry {
    let before = match (&change.before, &change.after) {
        (Some(before), Some(after)) => Some(replaced(before, after)),
        (before, _) => before.clone(),
    };
    Entry { resource: change.resource.into(), verb: word(change.verb).into(), id: change.id.clone(), before }
}

/// Writes down what a transaction announced so far; returns the row's id, none when it announced nothing.
pub async fn record(tx: &mut Tx) -> Result<Option<String>, Stop> {
    if tx.announced().is_empty() {
        return Ok(None);
    }
    let entries: Vec<Entry> = tx.announced().iter().map(entry).collect();
    let text = serde_json::to_string(&entries).map_err(|error| Stop::Database(error.to_string()))?;
    let id = uuid::Uuid::new_v4().to_string();
    tx.queue("INSERT INTO neutronrs_outbox (id, changes) VALUES (?, ?)", p![&id, text]).await?;
    Ok(Some(id))
}

/// Deletes rows whose changes are announced.
pub async fn forget(tx: &mut Tx, ids: &[String]) -> Result<(), Stop> {
    let sql = format!("DELETE FROM neutronrs_outbox WHERE id IN ({})", marks(ids.len()));
    let params: Vec<Val> = ids.iter().map(Val::from).collect();
    tx.exec(&sql, &params).await.map(drop)
}

/// The ids of rows that wait, at most [`ROWS_PER_SWEEP_MAX`].
pub async fn waiting(tx: &mut Tx) -> Result<BTreeSet<String>, Stop> {
    let sql = format!("SELECT id FROM neutronrs_outbox ORDER BY id LIMIT {ROWS_PER_SWEEP_MAX}");
    Ok(tx.all(&sql, &[]).await?.iter().map(|row| row.text(0)).collect())
}

/// The changes of some rows as they are to be announced now. Rows that are gone meanwhile, and what they
/// created or changed that is gone meanwhile, are left out: the deletion has a row of its own.
pub async fn restore(rq: Rq<'_>, tx: &mut Tx, ids: &[String]) -> Result<Vec<Change>, Stop> {
    let sql = format!("SELECT changes FROM neutronrs_outbox WHERE id IN ({})", marks(ids.len()));
    let params: Vec<Val> = ids.iter().map(Val::from).collect();
    let mut entries: Vec<Entry> = Vec::new();
    for row in tx.all(&sql, &params).await? {
        match serde_json::from_str::<Vec<Entry>>(&row.text(0)) {
            Ok(list) => entries.extend(list),
            Err(error) => tracing::error!(%error, "a row of neutronrs_outbox cannot be read"),
        }
    }
    let mut wanted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for entry in entries.iter().filter(|entry| entry.verb != word(Verb::Deleted)) {
        wanted.entry(&entry.resource).or_default().insert(&entry.id);
    }
    let mut now: HashMap<(String, String), Body> = HashMap::new();
    for (resource, ids) in wanted {
        let ids: Vec<&str> = ids.into_iter().collect();
        for body in bodies(rq, tx, resource, |r| Query::among(r, "id", &ids)).await? {
            let id = body.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
            now.insert((resource.to_string(), id), body);
        }
    }
    Ok(entries.into_iter().filter_map(|entry| change(rq, entry, &now)).collect())
}

fn change(rq: Rq<'_>, entry: Entry, now: &HashMap<(String, String), Body>) -> Option<Change> {
    let verb = verb(&entry.verb)?;
    let resource = rq.app.catalog.shape(&entry.resource)?.resource.name;
    if verb == Verb::Deleted {
        return Some(Change { resource, verb, id: entry.id, before: entry.before, after: None });
    }
    let after = now.get(&(entry.resource, entry.id.clone()))?.clone();
    let before = entry.before.map(|replaced| {
        let mut before = after.clone();
        before.extend(replaced);
        before
    });
    Some(Change { resource, verb, id: entry.id, before, after: Some(after) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_row_holds_no_more_than_cannot_be_read_again() {
        let body = |value: Value| value.as_object().cloned();
        let old = || body(json!({"id": "p", "name": "a", "status": "DOWN"}));
        let new = || body(json!({"id": "p", "name": "a", "status": "BUILD", "x": 1}));
        for (verb, before, after, kept) in [
            (Verb::Created, None, new(), json!(null)),
            (Verb::Updated, old(), new(), json!({"status": "DOWN", "x": null})),
            (Verb::Updated, None, new(), json!(null)),
            (Verb::Deleted, old(), None, json!({"id": "p", "name": "a", "status": "DOWN"})),
        ] {
            let kept_now = entry(&Change { resource: "port", verb, id: "p".into(), before, after });
            assert_eq!(json!(kept_now.before), kept, "{verb:?}");
            assert_eq!(super::verb(&kept_now.verb), Some(verb));
        }
    }
}
