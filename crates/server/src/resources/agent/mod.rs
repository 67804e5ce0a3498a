//! Agents as a resource: they make themselves by reporting; an admin switches them on and off, describes and
//! removes them.

pub mod dhcp;
pub mod l3;
pub mod zones;

use crate::agents::{moment, seconds};
use crate::attr::{self, Attr, Body, Check, Condition, Filter, Home};
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Answer, Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::handlers::bodies;
use crate::notify::{Change, Verb};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store::{self, Query};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;

/// `agents`
pub static AGENT: Resource = Resource {
    name: "agent",
    collection: "agents",
    table: "agents",
    standard: false,
    attributes: &[
        attr::ID,
        Attr::new("agent_type").read_only().listed(),
        Attr::new("binary").read_only().listed(),
        Attr::new("topic").read_only().listed(),
        Attr::new("host").read_only().listed(),
        Attr::new("admin_state_up").put_only().convert(convert::to_boolean).listed(),
        read_only_time("created_at"),
        read_only_time("started_at"),
        read_only_time("heartbeat_timestamp"),
        Attr::new("alive").read_only().home(Home::Filled(fill)).filter(Filter::Custom(by_alive)),
        Attr::new("configurations").read_only().home(Home::Filled(fill)),
        Attr::new("description").put_only().check(Check::StringOrNone(255)).listed(),
    ],
    quota: None,
    not_found: |id| Fault::AgentNotFound { id: id.into() },
    rules: &Agents,
    actions: &[],
    visible: None,
    verbs: Verbs::SINGLE,
};

const fn read_only_time(name: &'static str) -> Attr {
    Attr { sort: true, ..Attr::new(name).read_only() }
}

/// `alive` follows from the last heartbeat; `configurations` is kept as JSON text.
fn fill<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let ids: Vec<String> = page.column("id").into_iter().map(str::to_string).collect();
        let sql = format!(
            "SELECT id, heartbeat_timestamp, configurations FROM agents WHERE id IN ({})",
            marks(ids.len())
        );
        let params: Vec<Val> = ids.iter().map(Val::from).collect();
        let rows = tx.all(&sql, &params).await?;
        let known: HashMap<String, (i64, String)> =
            rows.iter().map(|row| (row.text(0), (seconds(&row.text(1)), row.text(2)))).collect();
        let (now, down) = ((rq.app.clock)(), rq.app.agents.agent_down_time);
        for (at, id) in ids.iter().enumerate() {
            let Some((heartbeat, configurations)) = known.get(id) else { continue };
            page.set(at, "alive", Cell::Bool(now - heartbeat <= down));
            let valid = serde_json::from_str::<Value>(configurations).is_ok_and(|v| v.is_object());
            let shown = if valid { configurations.clone() } else { "{}".to_string() };
            page.set(at, "configurations", Cell::Json(shown));
        }
        Ok(())
    })
}

fn by_alive(rq: Rq<'_>, given: &[String]) -> Result<Condition, Fault> {
    let wanted = given.first().cloned().map_or(Value::Null, Value::String);
    let alive = convert::to_boolean(wanted)? == Value::Bool(true);
    let since = moment((rq.app.clock)() - rq.app.agents.agent_down_time);
    let sql = format!("agents.heartbeat_timestamp {} ?", if alive { ">=" } else { "<" });
    Ok(Condition { sql, params: vec![since.into()] })
}

struct Agents;

impl Rules for Agents {
    /// Agents make themselves: see [`crate::agents::state`].
    fn create<'a>(&'a self, _: Rq<'a>, _: &'a mut Tx, _: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async {
            let msg = "Agent creation using API is not supported.".to_string();
            Err(Fault::BadResourceRequest { resource: "agents".into(), msg }.into())
        })
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = text(old, "id");
            store::update(rq, tx, &AGENT, id, &changes).await?;
            let after = store::get(rq, tx, &AGENT, id).await?;
            let (before, verb) = (Some(old.clone()), Verb::Updated);
            tx.announce(Change { resource: "agent", verb, id: id.to_string(), before, after });
            Ok(())
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = text(old, "id");
            store::delete(rq, tx, &AGENT, id).await?;
            // Should this be undone, the agent's next report is written once too often.
            rq.app.reports.forget(text(old, "agent_type"), text(old, "host"));
            let (before, verb) = (Some(old.clone()), Verb::Deleted);
            tx.announce(Change { resource: "agent", verb, id: id.to_string(), before, after: None });
            Ok(())
        })
    }
}

pub(crate) fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Agents in full, as the schedulers' lists show them: with what the collection leaves out.
async fn shown(rq: Rq<'_>, tx: &mut Tx, ids: &[String], extra: &[&str]) -> Result<Vec<Value>, Stop> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!("SELECT id, resource_versions FROM agents WHERE id IN ({})", marks(ids.len()));
    let params: Vec<Val> = ids.iter().map(Val::from).collect();
    let rows = tx.all(&sql, &params).await?;
    let versions: HashMap<String, Value> = rows
        .iter()
        .map(|row| (row.text(0), serde_json::from_str(&row.text(1)).unwrap_or_else(|_| json!({}))))
        .collect();
    let mut agents = bodies(rq, tx, "agent", |r| Query::among(r, "id", ids)).await?;
    for agent in &mut agents {
        let versions = versions.get(text(agent, "id")).cloned().unwrap_or_else(|| json!({}));
        agent.insert("resource_versions".into(), versions);
        for name in extra {
            agent.insert((*name).to_string(), Value::Null);
        }
    }
    Ok(agents.into_iter().map(Value::Object).collect())
}

/// The text under a key of a body as Python would print it in a refusal; a missing key is a client's mistake.
fn wanted_id(body: &Value, key: &str) -> Result<String, Fault> {
    match body.get(key) {
        Some(Value::String(id)) => Ok(id.clone()),
        Some(Value::Null) => Ok("None".into()),
        Some(other) => Ok(other.to_string()),
        None => Err(Fault::RequiredAttribute { attr: key.to_string() }),
    }
}

/// 201 with nothing to say: upstream writes `null`.
fn made() -> Answer {
    Answer { status: 201, body: Some(Value::Null) }
}

fn gone() -> Answer {
    Answer { status: 204, body: None }
}

/// A parameter of the path.
fn parameter(path: &[String], at: usize) -> &str {
    path.get(at).map(String::as_str).unwrap_or_default()
}
