//! Tells L3 agents which of their routers to look at again, and gives a router its agent.

use super::{cast, differs, text};
use crate::agents::l3::{follow_gateway, hosting, is_of_one_network, schedule};
use crate::agents::{Agent, L3, Options, list};
use crate::app::App;
use crate::attr::Body;
use crate::db::{Stop, Tx, Val, marks};
use crate::notify::{Change, Verb};
use oslo::context::Context;
use rpc::Target;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The topic of L3 agents.
pub const TOPIC: &str = "l3_agent";
/// How often an agent is asked to take a router.
const ATTEMPTS_MAX: u32 = 2;

/// What changes mean for routers.
#[derive(Debug, Default, PartialEq)]
struct Touched {
    updated: BTreeSet<String>,
    deleted: BTreeSet<String>,
    /// Subnets whose gateway changed: routers with a port there look again.
    subnets: BTreeSet<String>,
    /// Networks whose MTU changed: likewise.
    networks: BTreeSet<String>,
}

fn touched(changes: &[Change]) -> Touched {
    let mut touched = Touched::default();
    for change in changes {
        let sides = || change.before.iter().chain(&change.after);
        match (change.resource, change.verb) {
            ("router", Verb::Deleted) => {
                touched.deleted.insert(change.id.clone());
            }
            ("router", Verb::Updated) => {
                touched.updated.insert(change.id.clone());
            }
            // A router without a gateway is of interest once it has an interface, which is a change.
            ("router", Verb::Created) if sides().any(has_gateway) => {
                touched.updated.insert(change.id.clone());
            }
            ("floatingip", _) => {
                let routers = sides().map(|ip| text(ip, "router_id").to_string());
                touched.updated.extend(routers.filter(|id| !id.is_empty()));
            }
            ("port", Verb::Updated) => touched.updated.extend(router_of_port(change)),
            ("subnet", Verb::Updated) if changed(change, &["gateway_ip", "dns_nameservers"]) => {
                touched.subnets.insert(change.id.clone());
            }
            ("network", Verb::Updated) if changed(change, &["mtu"]) => {
                touched.networks.insert(change.id.clone());
            }
            _ => {}
        }
    }
    touched.updated.retain(|id| !touched.deleted.contains(id));
    touched
}

fn has_gateway(router: &Body) -> bool {
    router.get("external_gateway_info").is_some_and(Value::is_object)
}

fn changed(change: &Change, names: &[&str]) -> bool {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => differs(before, after, names),
        _ => false,
    }
}

/// The router whose port changed in a way that its agent acts on.
fn router_of_port(change: &Change) -> Option<String> {
    let after = change.after.as_ref()?;
    let owner = text(after, "device_owner");
    let routers = owner.starts_with("network:router") && changed(change, &["fixed_ips", "admin_state_up"]);
    routers.then(|| text(after, "device_id").to_string()).filter(|id| !id.is_empty())
}

/// Tells L3 agents of changes.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    let mut touched = touched(changes);
    touched.updated.extend(routers_on(app, &touched.subnets, &touched.networks).await?);
    for router in &touched.deleted {
        cast(app, &Target::fanout(TOPIC), "router_deleted", "1.0", json!({"router_id": router})).await;
    }
    routers_updated(app, &touched.updated).await
}

/// The routers with a port on some subnets or networks.
async fn routers_on(
    app: &App,
    subnets: &BTreeSet<String>,
    networks: &BTreeSet<String>,
) -> Result<BTreeSet<String>, Stop> {
    let mut routers = BTreeSet::new();
    for (sql, ids) in [
        (
            "SELECT DISTINCT r.router_id FROM routerports AS r JOIN ipallocations AS i ON i.port_id = r.port_id \
             WHERE i.subnet_id",
            subnets,
        ),
        (
            "SELECT DISTINCT r.router_id FROM routerports AS r JOIN ports AS p ON p.id = r.port_id \
             WHERE p.network_id",
            networks,
        ),
    ] {
        if !ids.is_empty() {
            let params: Vec<Val> = ids.iter().map(Val::from).collect();
            let rows = app.db.read().await?.all(&format!("{sql} IN ({})", marks(ids.len())), &params).await?;
            routers.extend(rows.iter().map(|row| row.text(0)));
        }
    }
    Ok(routers)
}

struct Lonely<'a> {
    options: &'a Options,
    now: i64,
    routers: Vec<String>,
}

async fn schedule_all(tx: &mut Tx, input: &Lonely<'_>) -> Result<Vec<(String, Agent)>, Stop> {
    schedule(tx, input.options, input.now, &input.routers).await
}

struct Leaving<'a> {
    options: &'a Options,
    now: i64,
    router: &'a str,
    from: &'a Agent,
}

async fn leave(tx: &mut Tx, input: &Leaving<'_>) -> Result<Option<Agent>, Stop> {
    follow_gateway(tx, input.options, input.now, input.router, input.from).await
}

/// Routers have changed: each gets an agent if it has none, and every agent hears which of its routers.
pub(crate) async fn routers_updated(app: &App, routers: &BTreeSet<String>) -> Result<(), Stop> {
    if routers.is_empty() {
        return Ok(());
    }
    let ids: Vec<String> = routers.iter().cloned().collect();
    let (mut bound, any) = {
        let mut tx = app.db.read().await?;
        (hosting(&mut tx, &ids).await?, !list(&mut tx, Some(L3), None).await?.is_empty())
    };
    let lonely: Vec<String> =
        ids.into_iter().filter(|id| !bound.iter().any(|(router, _)| router == id)).collect();
    if any && !lonely.is_empty() {
        let input = Lonely { options: &app.agents, now: (app.clock)(), routers: lonely };
        bound.extend(app.write(schedule_all, &input).await?);
    }
    for (router, agent) in bound.iter_mut().filter(|(_, agent)| is_of_one_network(agent)) {
        let input = Leaving { options: &app.agents, now: (app.clock)(), router, from: agent };
        if let Some(other) = app.write(leave, &input).await? {
            router_removed(app, router, &agent.host).await;
            *agent = other;
        }
    }
    let now = (app.clock)();
    let options = &app.agents;
    let serves = |a: &Agent| a.admin_state_up || options.enable_services_on_agents_with_admin_state_down;
    let mut by_host: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (router, agent) in bound {
        if serves(&agent) && agent.alive(now, options.agent_down_time) {
            by_host.entry(agent.host).or_default().push(router);
        }
    }
    for (host, routers) in by_host {
        let args = json!({"routers": routers});
        cast(app, &Target::server(TOPIC, &host), "routers_updated", "1.1", args).await;
    }
    Ok(())
}

/// A router was taken from the agent on a host.
pub(crate) async fn router_removed(app: &App, router: &str, host: &str) {
    let args = json!({"payload": {"router_id": router}});
    cast(app, &Target::server(TOPIC, host), "router_removed_from_agent", "1.0", args).await;
}

/// A router was given to the agent on a host, which is asked to take it; whether it answered.
pub(crate) async fn router_added(app: &App, router: &str, host: &str) -> bool {
    let ctx = Value::Object(Context::admin().to_message());
    let target = Target::server(TOPIC, host);
    for attempt in 1..=ATTEMPTS_MAX {
        let args = json!({"payload": [router]});
        match app.rpc.call(&ctx, &target, "router_added_to_agent", "1.0", args).await {
            Ok(_) => return true,
            Err(error) => {
                tracing::warn!(%error, router, host, attempt, "the L3 agent does not take a router")
            }
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_routers_are_looked_at_again() {
        let body = |value: Value| value.as_object().cloned();
        let gw = |owner: &str, ip: &str| json!({"id": "p", "device_id": "r", "device_owner": owner, "fixed_ips": ip});
        let router = |gateway: Value| json!({"id": "r", "external_gateway_info": gateway});
        let floating = |router: Value| json!({"id": "f", "router_id": router});
        let owner = "network:router_gateway";
        for (case, resource, verb, before, after, updated) in [
            ("made without gateway", "router", Verb::Created, None, Some(router(Value::Null)), &[][..]),
            ("made with gateway", "router", Verb::Created, None, Some(router(json!({}))), &["r"]),
            ("changed", "router", Verb::Updated, None, Some(router(Value::Null)), &["r"]),
            (
                "associated",
                "floatingip",
                Verb::Updated,
                Some(floating(Value::Null)),
                Some(floating(json!("r"))),
                &["r"],
            ),
            (
                "moved",
                "floatingip",
                Verb::Updated,
                Some(floating(json!("o"))),
                Some(floating(json!("r"))),
                &["o", "r"],
            ),
            ("free", "floatingip", Verb::Deleted, Some(floating(Value::Null)), None, &[]),
            ("gateway's address", "port", Verb::Updated, Some(gw(owner, "1")), Some(gw(owner, "2")), &["r"]),
            ("gateway's name", "port", Verb::Updated, Some(gw(owner, "1")), Some(gw(owner, "1")), &[]),
            (
                "an instance",
                "port",
                Verb::Updated,
                Some(gw("compute:nova", "1")),
                Some(gw("compute:nova", "2")),
                &[],
            ),
        ] {
            let (before, after) = (before.and_then(body), after.and_then(body));
            let change = Change { resource, verb, id: "r".into(), before, after };
            let found: Vec<String> = touched(&[change]).updated.into_iter().collect();
            assert_eq!(found, updated, "{case}");
        }
    }
}
