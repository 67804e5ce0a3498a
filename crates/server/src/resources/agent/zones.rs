//! `availability_zones`: what the DHCP and L3 agents say of where they are. A zone is available while one of its
//! agents is switched on.

use crate::agents::{self, DHCP, L3};
use crate::attr::Body;
use crate::db::Stop;
use crate::extension::{Answer, Call, Method, Route};
use crate::fault::Fault;
use crate::policy::enforce_rule;
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The path.
pub const ROUTES: &[Route] = &[Route { method: Method::Get, path: "/availability_zones", run: list }];

fn list(rq: Rq<'_>, call: Call) -> BoxFuture<'_, Result<Answer, Fault>> {
    Box::pin(async move { list_in(rq, &call.query).await.map_err(Stop::into_fault) })
}

async fn list_in(rq: Rq<'_>, query: &[(String, String)]) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    enforce_rule(rq, &mut tx, "get_availability_zone", &Body::new()).await?;
    let mut zones: BTreeMap<(String, &str), bool> = BTreeMap::new();
    for agent in agents::list(&mut tx, None, None).await? {
        let resource = match agent.agent_type.as_str() {
            DHCP => "network",
            L3 => "router",
            _ => continue,
        };
        if let Some(zone) = agent.availability_zone.filter(|zone| !zone.is_empty()) {
            *zones.entry((zone, resource)).or_default() |= agent.admin_state_up;
        }
    }
    let state = |up: bool| if up { "available" } else { "unavailable" };
    let all = zones
        .iter()
        .map(|((name, resource), up)| json!({"name": name, "resource": resource, "state": state(*up)}));
    let fields: Vec<&str> = query.iter().filter(|(n, _)| n == "fields").map(|(_, v)| v.as_str()).collect();
    let shown: Vec<Value> =
        all.filter(|zone| fits(zone, query)).map(|zone| narrowed(zone, &fields)).collect();
    Ok(Answer { status: 200, body: Some(json!({"availability_zones": shown})) })
}

/// Whether a zone has one of the values asked for, for each attribute asked about.
fn fits(zone: &Value, query: &[(String, String)]) -> bool {
    ["name", "resource", "state"].into_iter().all(|attribute| {
        let mut asked = query.iter().filter(|(name, _)| name == attribute).peekable();
        asked.peek().is_none() || asked.any(|(_, value)| zone[attribute] == value.as_str())
    })
}

fn narrowed(mut zone: Value, fields: &[&str]) -> Value {
    if let Some(map) = zone.as_object_mut().filter(|_| !fields.is_empty()) {
        map.retain(|name, _| fields.contains(&name.as_str()));
    }
    zone
}
