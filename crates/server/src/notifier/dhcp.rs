//! Tells DHCP agents of the networks they serve, and gives a network its agents when it gets its first subnet
//! or port.

use super::{cast, differs, text};
use crate::agents::dhcp::{hosting, schedule};
use crate::agents::{Agent, DHCP, list};
use crate::app::App;
use crate::db::{Stop, Tx};
use crate::notify::{Change, Verb};
use rpc::Target;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// The topic of DHCP agents.
pub const TOPIC: &str = "dhcp_agent";

/// The order in which an agent works off what it is told.
const NETWORK_CREATE: u8 = 0;
const NETWORK_UPDATE: u8 = 1;
const NETWORK_DELETE: u8 = 2;
const SUBNET_UPDATE: u8 = 3;
const SUBNET_DELETE: u8 = 4;
/// One agent of several takes a new port first, so that the others' work does not delay it.
const PORT_CREATE_FIRST: u8 = 5;
const PORT: u8 = 6;

/// What of a port a DHCP agent acts on.
const OF_PORTS: &[&str] =
    &["fixed_ips", "mac_address", "extra_dhcp_opts", "dns_name", "dns_assignment", "dns_domain"];

/// A message about a network.
#[derive(Debug, Clone, PartialEq)]
struct Message {
    network: String,
    method: &'static str,
    payload: Value,
    priority: u8,
    /// Whether the network has to have its agents before.
    schedules: bool,
}

/// What DHCP agents are told of a change; none where it is not theirs.
fn message(change: &Change) -> Option<Message> {
    let body = change.after.as_ref().or(change.before.as_ref())?;
    let network = text(body, if change.resource == "network" { "id" } else { "network_id" });
    let whole = |name: &str| json!({name: Value::Object(body.clone())});
    let (method, payload, priority) = match (change.resource, change.verb) {
        ("network", Verb::Updated) => ("network_update_end", whole("network"), NETWORK_UPDATE),
        ("network", Verb::Deleted) => ("network_delete_end", json!({"network_id": network}), NETWORK_DELETE),
        ("subnet", Verb::Created) => ("subnet_create_end", whole("subnet"), SUBNET_UPDATE),
        ("subnet", Verb::Updated) => ("subnet_update_end", whole("subnet"), SUBNET_UPDATE),
        ("subnet", Verb::Deleted) => {
            ("subnet_delete_end", json!({"subnet_id": change.id, "network_id": network}), SUBNET_DELETE)
        }
        ("port", Verb::Created) => ("port_create_end", whole("port"), PORT),
        ("port", Verb::Updated) if port_matters(change) => ("port_update_end", whole("port"), PORT),
        ("port", Verb::Deleted) => (
            "port_delete_end",
            json!({"port_id": change.id, "network_id": network, "fixed_ips": body.get("fixed_ips")}),
            PORT,
        ),
        _ => return None,
    };
    let reserved = text(body, "device_id") == model::dhcp::DEVICE_ID_RESERVED_DHCP_PORT;
    let schedules = method == "subnet_create_end" || (method == "port_create_end" && !reserved);
    Some(Message { network: network.to_string(), method, payload, priority, schedules })
}

fn port_matters(change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => differs(before, after, OF_PORTS),
        _ => true,
    }
}

/// Tells DHCP agents of changes.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    let messages: Vec<Message> = changes.iter().filter_map(message).collect();
    if messages.is_empty() || !app.agents.dhcp_agent_notification {
        return Ok(());
    }
    let networks: BTreeSet<String> = messages.iter().map(|m| m.network.clone()).collect();
    let wanting: BTreeSet<String> =
        messages.iter().filter(|m| m.schedules).map(|m| m.network.clone()).collect();
    let agents = agents_of(app, &networks, &wanting).await?;
    let none = Vec::new();
    for message in messages {
        if message.method == "network_delete_end" {
            send(app, &Target::fanout(TOPIC), message.method, message.payload, message.priority).await;
            continue;
        }
        let told: Vec<&Agent> =
            agents.get(&message.network).unwrap_or(&none).iter().filter(|a| serves(app, a)).collect();
        let first = spread(&message.payload, told.len());
        for (at, agent) in told.into_iter().enumerate() {
            let urgent = message.method == "port_create_end" && at == first;
            let priority = if urgent { PORT_CREATE_FIRST } else { message.priority };
            let target = Target::server(TOPIC, &agent.host);
            send(app, &target, message.method, message.payload.clone(), priority).await;
        }
    }
    Ok(())
}

fn serves(app: &App, agent: &Agent) -> bool {
    agent.admin_state_up || app.agents.enable_services_on_agents_with_admin_state_down
}

/// Which of some agents takes a port first: another one for another port.
fn spread(payload: &Value, agents: usize) -> usize {
    let id = payload.pointer("/port/id").and_then(Value::as_str).unwrap_or_default();
    id.bytes().map(usize::from).sum::<usize>() % agents.max(1)
}

async fn send(app: &App, target: &Target, method: &str, mut payload: Value, priority: u8) {
    if let Some(payload) = payload.as_object_mut() {
        payload.insert("priority".into(), json!(priority));
    }
    cast(app, target, method, "1.0", json!({"payload": payload})).await;
}

/// The agents of networks; those `wanting` get the ones they lack, which are told so.
async fn agents_of(
    app: &App,
    networks: &BTreeSet<String>,
    wanting: &BTreeSet<String>,
) -> Result<BTreeMap<String, Vec<Agent>>, Stop> {
    let ids: Vec<String> = networks.iter().cloned().collect();
    let (mut agents, known) = {
        let mut tx = app.db.read().await?;
        let mut agents: BTreeMap<String, Vec<Agent>> = BTreeMap::new();
        for (network, agent) in hosting(&mut tx, &ids).await? {
            agents.entry(network).or_default().push(agent);
        }
        (agents, list(&mut tx, Some(DHCP), None).await?.len())
    };
    let full = app.agents.dhcp_agents_per_network.min(known);
    let lacking: Vec<String> =
        wanting.iter().filter(|n| agents.get(*n).map_or(0, Vec::len) < full).cloned().collect();
    if lacking.is_empty() {
        return Ok(agents);
    }
    let input = Lacking { app, now: (app.clock)(), networks: lacking };
    for (network, agent) in app.write(schedule_all, &input).await? {
        network_added(app, &network, &agent.host).await;
        agents.entry(network).or_default().push(agent);
    }
    Ok(agents)
}

struct Lacking<'a> {
    app: &'a App,
    now: i64,
    networks: Vec<String>,
}

async fn schedule_all(tx: &mut Tx, input: &Lacking<'_>) -> Result<Vec<(String, Agent)>, Stop> {
    let mut added = Vec::new();
    for network in &input.networks {
        let agents = schedule(tx, input.app, input.now, network).await?;
        added.extend(agents.into_iter().map(|agent| (network.clone(), agent)));
    }
    Ok(added)
}

/// A network was given to the agent on a host.
pub(crate) async fn network_added(app: &App, network: &str, host: &str) {
    let payload = json!({"network": {"id": network}});
    send(app, &Target::server(TOPIC, host), "network_create_end", payload, NETWORK_CREATE).await;
}

/// A network was taken from the agent on a host.
pub(crate) async fn network_removed(app: &App, network: &str, host: &str) {
    let payload = json!({"network_id": network});
    send(app, &Target::server(TOPIC, host), "network_delete_end", payload, NETWORK_DELETE).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One change (resource, verb, before, after; null = none) and what is told of it: method, and whether the
    /// network is scheduled first.
    type Case = (&'static str, Verb, Value, Value, Option<(&'static str, bool)>);

    fn check(cases: Vec<Case>) {
        for (resource, verb, before, after, expected) in cases {
            let body = |value: &Value| value.as_object().cloned();
            let change =
                Change { resource, verb, id: "x".into(), before: body(&before), after: body(&after) };
            let message = message(&change);
            let told = message.as_ref().map(|m| (m.method, m.schedules));
            assert_eq!(told, expected, "{resource} {verb:?} {before} {after}");
            assert!(message.is_none_or(|m| m.network == "n"), "{resource} {verb:?}");
        }
    }

    #[test]
    fn what_is_told_of_networks_and_subnets() {
        let net = || json!({"id": "n", "mtu": 1});
        let subnet = || json!({"id": "s", "network_id": "n"});
        check(vec![
            ("network", Verb::Created, Value::Null, net(), None),
            ("network", Verb::Updated, net(), net(), Some(("network_update_end", false))),
            ("network", Verb::Deleted, net(), Value::Null, Some(("network_delete_end", false))),
            ("subnet", Verb::Created, Value::Null, subnet(), Some(("subnet_create_end", true))),
            ("subnet", Verb::Deleted, subnet(), Value::Null, Some(("subnet_delete_end", false))),
            ("router", Verb::Updated, net(), net(), None),
        ]);
    }

    #[test]
    fn what_is_told_of_ports() {
        let port =
            |ip: &str, status: &str| json!({"id": "p", "network_id": "n", "fixed_ips": ip, "status": status});
        let reserved = json!({"id": "p", "network_id": "n", "device_id": "reserved_dhcp_port"});
        check(vec![
            ("port", Verb::Created, Value::Null, port("1", "x"), Some(("port_create_end", true))),
            ("port", Verb::Created, Value::Null, reserved, Some(("port_create_end", false))),
            ("port", Verb::Updated, port("1", "x"), port("2", "x"), Some(("port_update_end", false))),
            ("port", Verb::Updated, port("1", "x"), port("1", "y"), None),
            ("port", Verb::Deleted, port("1", "x"), Value::Null, Some(("port_delete_end", false))),
        ]);
    }
}
