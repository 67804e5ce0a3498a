//! `agents/{id}/l3-routers` and `routers/{id}/l3-agents`: who runs which router, by an admin's hand.

use super::dhcp::allowed;
use super::{gone, made, parameter, shown, wanted_id};
use crate::agents::{self, Agent, L3};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::extension::{Answer, Call, Method, Route};
use crate::fault::Fault;
use crate::handlers::bodies;
use crate::handlers::router::with_extra;
use crate::notifier;
use crate::p;
use crate::policy::enforce_rule;
use crate::request::Rq;
use crate::store::Query;
use futures_util::future::BoxFuture;
use serde_json::json;

/// The paths.
pub const ROUTES: &[Route] = &[
    Route { method: Method::Get, path: "/agents/{agent_id}/l3-routers", run: list_routers },
    Route { method: Method::Post, path: "/agents/{agent_id}/l3-routers", run: add },
    Route { method: Method::Delete, path: "/agents/{agent_id}/l3-routers/{id}", run: remove },
    Route { method: Method::Get, path: "/routers/{router_id}/l3-agents", run: list_agents },
];

type Run<'a> = BoxFuture<'a, Result<Answer, Fault>>;

fn not_found(router: &str) -> Stop {
    Fault::RouterNotFound { router_id: router.into() }.into()
}

fn list_routers(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { routers(rq, parameter(&call.path, 0)).await.map_err(Stop::into_fault) })
}

async fn routers(rq: Rq<'_>, agent: &str) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    enforce_rule(rq, &mut tx, "get_l3-routers", &Body::new()).await?;
    let ids = agents::l3::routers_of(&mut tx, agent, None).await?;
    if ids.is_empty() && agents::get(&mut tx, agent).await?.is_none() {
        return Err(Fault::AgentNotFound { id: agent.into() }.into());
    }
    let mut found = match ids.is_empty() {
        true => Vec::new(),
        false => bodies(rq, &mut tx, "router", |r| Query::among(r, "id", &ids)).await?,
    };
    with_extra(&mut tx, &mut found).await?;
    for router in &mut found {
        router.shift_remove("standard_attr_id");
    }
    Ok(Answer { status: 200, body: Some(json!({"routers": found})) })
}

fn list_agents(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { agents_of(rq, parameter(&call.path, 0)).await.map_err(Stop::into_fault) })
}

async fn agents_of(rq: Rq<'_>, router: &str) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    enforce_rule(rq, &mut tx, "get_l3-agents", &Body::new()).await?;
    if tx.opt("SELECT 1 FROM routers WHERE id = ?", p![router]).await?.is_none() {
        return Err(not_found(router));
    }
    let bound = agents::l3::hosting(&mut tx, &[router.to_string()]).await?;
    let ids: Vec<String> = bound.into_iter().map(|(_, agent)| agent.id).collect();
    let agents = shown(rq, &mut tx, &ids, &["ha_chassis_priority", "ha_state"]).await?;
    Ok(Answer { status: 200, body: Some(json!({"agents": agents})) })
}

struct Pair<'a> {
    rq: Rq<'a>,
    agent: &'a str,
    router: &'a str,
}

/// Binds a router to an agent; none where it is bound to it already.
async fn bind(tx: &mut Tx, pair: &Pair<'_>) -> Result<Option<Agent>, Stop> {
    let Pair { rq, agent: id, router } = *pair;
    let wanted = agents::l3::wants(tx, router).await?.ok_or_else(|| not_found(router))?;
    let agent = agents::get(tx, id).await?.ok_or_else(|| Fault::AgentNotFound { id: id.into() })?;
    let invalid = || Stop::from(Fault::InvalidL3Agent { id: id.into() });
    if agent.agent_type != L3 {
        return Err(invalid());
    }
    match agent.config("agent_mode").unwrap_or("legacy") {
        "dvr" | "dvr_no_external" => return Err(Fault::DVRL3CannotAssignToDvrAgent {}.into()),
        "legacy" if wanted.distributed => {
            let (router_id, agent_id) = (router.into(), id.into());
            return Err(Fault::RouterL3AgentMismatch { router_id, agent_id }.into());
        }
        _ => {}
    }
    let options = &rq.app.agents;
    let serves = agent.admin_state_up || options.enable_services_on_agents_with_admin_state_down;
    if !serves || !agents::l3::can_run(&agent, &wanted) {
        return Err(invalid());
    }
    match agents::l3::hosting(tx, &[router.to_string()]).await?.first() {
        Some((_, other)) if other.id == agent.id => Ok(None),
        Some((_, other)) => {
            let (router_id, agent_id) = (router.into(), other.id.clone());
            Err(Fault::RouterHostedByL3Agent { router_id, agent_id }.into())
        }
        None => {
            agents::l3::bind(tx, router, id).await?;
            Ok(Some(agent))
        }
    }
}

fn add(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        allowed(rq, "create_l3-router").await?;
        let router = wanted_id(&call.body, "router_id")?;
        let pair = Pair { rq, agent: parameter(&call.path, 0), router: &router };
        if let Some(agent) = rq.app.write(bind, &pair).await.map_err(Stop::into_fault)? {
            // An agent that does not answer finds the router when it resyncs.
            notifier::l3::router_added(rq.app, &router, &agent.host).await;
        }
        Ok(made())
    })
}

async fn unbind(tx: &mut Tx, pair: &Pair<'_>) -> Result<Agent, Stop> {
    let Pair { agent: id, router, .. } = *pair;
    let agent = agents::get(tx, id).await?.ok_or_else(|| Fault::AgentNotFound { id: id.into() })?;
    if matches!(agent.config("agent_mode"), Some("dvr" | "dvr_no_external")) {
        return Err(Fault::DVRL3CannotRemoveFromDvrAgent {}.into());
    }
    if agents::l3::wants(tx, router).await?.is_none() {
        return Err(not_found(router));
    }
    agents::l3::unbind(tx, router, id).await?;
    Ok(agent)
}

fn remove(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        allowed(rq, "delete_l3-router").await?;
        let router = parameter(&call.path, 1);
        let pair = Pair { rq, agent: parameter(&call.path, 0), router };
        let agent = rq.app.write(unbind, &pair).await.map_err(Stop::into_fault)?;
        notifier::l3::router_removed(rq.app, router, &agent.host).await;
        Ok(gone())
    })
}
