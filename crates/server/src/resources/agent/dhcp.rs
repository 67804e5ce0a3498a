//! `agents/{id}/dhcp-networks` and `networks/{id}/dhcp-agents`: who serves which network, by an admin's hand.

use super::{gone, made, parameter, shown, text, wanted_id};
use crate::agents::{self, Agent, DHCP};
use crate::attr::Body;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Answer, Call, Method, Route};
use crate::fault::Fault;
use crate::handlers::bodies;
use crate::notifier;
use crate::p;
use crate::policy::enforce_rule;
use crate::request::Rq;
use crate::store::Query;
use futures_util::future::BoxFuture;
use serde_json::json;

/// The paths.
pub const ROUTES: &[Route] = &[
    Route { method: Method::Get, path: "/agents/{agent_id}/dhcp-networks", run: list_networks },
    Route { method: Method::Post, path: "/agents/{agent_id}/dhcp-networks", run: add },
    Route { method: Method::Delete, path: "/agents/{agent_id}/dhcp-networks/{id}", run: remove },
    Route { method: Method::Get, path: "/networks/{network_id}/dhcp-agents", run: list_agents },
];

type Run<'a> = BoxFuture<'a, Result<Answer, Fault>>;

fn list_networks(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { networks(rq, parameter(&call.path, 0)).await.map_err(Stop::into_fault) })
}

async fn networks(rq: Rq<'_>, agent: &str) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    enforce_rule(rq, &mut tx, "get_dhcp-networks", &Body::new()).await?;
    let sql = "SELECT network_id FROM networkdhcpagentbindings WHERE dhcp_agent_id = ? ORDER BY network_id";
    let ids: Vec<String> = tx.all(sql, p![agent]).await?.iter().map(|row| row.text(0)).collect();
    if ids.is_empty() && agents::get(&mut tx, agent).await?.is_none() {
        return Err(Fault::AgentNotFound { id: agent.into() }.into());
    }
    let mut found = match ids.is_empty() {
        true => Vec::new(),
        false => bodies(rq, &mut tx, "network", |r| Query::among(r, "id", &ids)).await?,
    };
    whole(&mut tx, &mut found).await?;
    Ok(Answer { status: 200, body: Some(json!({"networks": found})) })
}

/// Upstream shows here what networks are beside what the API shows of them.
async fn whole(tx: &mut Tx, networks: &mut [Body]) -> Result<(), Stop> {
    let ids: Vec<Val> = networks.iter().map(|network| Val::from(text(network, "id"))).collect();
    let sql =
        format!("SELECT id, qinq, vlan_transparent FROM networks WHERE id IN ({})", marks(ids.len().max(1)));
    let rows = if ids.is_empty() { Vec::new() } else { tx.all(&sql, &ids).await? };
    for network in networks {
        // A key of the database is nobody's business.
        network.shift_remove("standard_attr_id");
        let row = rows.iter().find(|row| row.text(0) == text(network, "id"));
        for (name, column) in [("qinq", 1), ("vlan_transparent", 2)] {
            let flag = row.and_then(|row| row.opt_int(column)).map(|flag| flag != 0);
            network.entry(name).or_insert(json!(flag));
        }
    }
    Ok(())
}

fn list_agents(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { agents_of(rq, parameter(&call.path, 0)).await.map_err(Stop::into_fault) })
}

async fn agents_of(rq: Rq<'_>, network: &str) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    enforce_rule(rq, &mut tx, "get_dhcp-agents", &Body::new()).await?;
    let bound = agents::dhcp::hosting(&mut tx, &[network.to_string()]).await?;
    let ids: Vec<String> = bound.into_iter().map(|(_, agent)| agent.id).collect();
    let agents = shown(rq, &mut tx, &ids, &["ha_chassis_priority"]).await?;
    Ok(Answer { status: 200, body: Some(json!({"agents": agents})) })
}

struct Pair<'a> {
    rq: Rq<'a>,
    agent: &'a str,
    network: &'a str,
}

async fn bind(tx: &mut Tx, pair: &Pair<'_>) -> Result<Agent, Stop> {
    let Pair { rq, agent: id, network } = *pair;
    if tx.opt("SELECT 1 FROM networks WHERE id = ?", p![network]).await?.is_none() {
        return Err(Fault::NetworkNotFound { net_id: network.into() }.into());
    }
    let agent = agents::get(tx, id).await?.ok_or_else(|| Fault::AgentNotFound { id: id.into() })?;
    let options = &rq.app.agents;
    let serves = agent.admin_state_up || options.enable_services_on_agents_with_admin_state_down;
    if agent.agent_type != DHCP || !serves {
        return Err(Fault::InvalidDHCPAgent { id: id.into() }.into());
    }
    if !agents::dhcp::bind(tx, network, id, options.dhcp_agents_per_network, true).await? {
        return Err(
            Fault::NetworkHostedByDHCPAgent { network_id: network.into(), agent_id: id.into() }.into()
        );
    }
    Ok(agent)
}

fn add(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        allowed(rq, "create_dhcp-network").await?;
        let network = wanted_id(&call.body, "network_id")?;
        let pair = Pair { rq, agent: parameter(&call.path, 0), network: &network };
        let agent = rq.app.write(bind, &pair).await.map_err(Stop::into_fault)?;
        notifier::dhcp::network_added(rq.app, &network, &agent.host).await;
        Ok(made())
    })
}

async fn unbind(tx: &mut Tx, pair: &Pair<'_>) -> Result<Agent, Stop> {
    let Pair { agent: id, network, .. } = *pair;
    let agent = agents::get(tx, id).await?.ok_or_else(|| Fault::AgentNotFound { id: id.into() })?;
    if !agents::dhcp::unbind(tx, network, &agent).await? {
        let (network_id, agent_id) = (network.into(), id.into());
        return Err(Fault::NetworkNotHostedByDhcpAgent { network_id, agent_id }.into());
    }
    Ok(agent)
}

fn remove(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        allowed(rq, "delete_dhcp-network").await?;
        let network = parameter(&call.path, 1);
        let pair = Pair { rq, agent: parameter(&call.path, 0), network };
        let agent = rq.app.write(unbind, &pair).await.map_err(Stop::into_fault)?;
        notifier::dhcp::network_removed(rq.app, network, &agent.host).await;
        Ok(gone())
    })
}

/// Refuses who may not.
pub(super) async fn allowed(rq: Rq<'_>, rule: &str) -> Result<(), Fault> {
    let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
    enforce_rule(rq, &mut tx, rule, &Body::new()).await.map_err(Stop::into_fault)
}
