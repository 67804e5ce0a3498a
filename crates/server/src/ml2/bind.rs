//! Binding ports: which segment of its network a port is wired to on its host, and by whom.
//!
//! It happens outside of the transaction that made or changed the port, as upstream: what is decided is stored
//! only if the binding is still the one it was decided for.

use crate::agents;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::ml2::mech::{Agent, Mechanism};
use crate::ml2::segment::Wanted;
use crate::notify::{Change, Verb};
use crate::p;
use crate::record::Page;
use crate::request::Rq;
use crate::resources::network::segments::{self, Segment};
use crate::resources::port::PORT;
use crate::resources::port::binding::{self, Binding, FAILED, UNBOUND};
use crate::store;
use serde_json::Value;
use std::collections::HashMap;

/// Ports that are bound in one transaction.
const PORTS_PER_TRANSACTION_MAX: usize = 100;

/// Attempts to store a binding that somebody else keeps changing.
const ATTEMPTS_MAX: u32 = 10;

/// A port that waits to be bound, with all that decides.
#[derive(Debug, Clone)]
struct Waiting {
    port: String,
    binding: Binding,
    segments: Vec<Segment>,
    /// The agents of the port's host that each mechanism driver could use.
    agents: Vec<(Mechanism, Option<Agent>)>,
}

/// What was decided: a driver and a segment, or why there is none.
#[derive(Debug, Clone, PartialEq)]
enum Decision {
    Bound { driver: Mechanism, segment: String },
    Failed { reasons: Vec<String> },
}

/// Binds a port where it names a host and is not bound; does nothing otherwise, so it is safe at any time.
/// Answers with the port as it is then, where there was anything to do.
pub async fn bind(rq: Rq<'_>, port: &str) -> Result<Option<Page>, Stop> {
    bind_all(rq, &[port.to_string()]).await
}

/// As [`bind`], for some ports: those of one transaction together.
pub async fn bind_all(rq: Rq<'_>, ports: &[String]) -> Result<Option<Page>, Stop> {
    let mut bound: Option<Page> = None;
    for ports in ports.chunks(PORTS_PER_TRANSACTION_MAX) {
        if let Some(page) = bind_some(rq, ports).await? {
            match &mut bound {
                Some(bound) => bound.rows.extend(page.rows),
                none => *none = Some(page),
            }
        }
    }
    Ok(bound)
}

async fn bind_some(rq: Rq<'_>, ports: &[String]) -> Result<Option<Page>, Stop> {
    let (mut open, mut bound) = (ports.to_vec(), None::<Page>);
    for _ in 0..ATTEMPTS_MAX {
        let waiting = {
            let mut tx = rq.app.db.read().await?;
            waiting(rq, &mut tx, &open).await?
        };
        let decided: Vec<(Waiting, Decision)> =
            waiting.into_iter().map(|waiting| (decide(&waiting), waiting)).filter_map(news).collect();
        if decided.is_empty() {
            return Ok(bound);
        }
        let commit = Commit { rq, decided: &decided };
        let (page, changed) = rq.app.write(store_decisions, &commit).await?;
        match &mut bound {
            Some(bound) => bound.rows.extend(page.rows),
            none => *none = Some(page).filter(|page| !page.rows.is_empty()),
        }
        if changed.is_empty() {
            return Ok(bound);
        }
        open = changed;
    }
    tracing::warn!(ports = open.join(", "), "bindings of ports kept changing while they were decided");
    Ok(bound)
}

/// A decision that has to be stored; that a port could not be bound is told, and stored once.
fn news((decision, waiting): (Decision, Waiting)) -> Option<(Waiting, Decision)> {
    if let Decision::Failed { reasons } = &decision {
        let (port, host, vnic) = (&waiting.port, &waiting.binding.host, &waiting.binding.vnic_type);
        tracing::warn!(port, host, vnic, "the port could not be bound: {}", reasons.join("; "));
        if waiting.binding.vif_type == FAILED {
            return None;
        }
    }
    Some((waiting, decision))
}

/// Those of some ports that wait to be bound.
async fn waiting(rq: Rq<'_>, tx: &mut Tx, ports: &[String]) -> Result<Vec<Waiting>, Stop> {
    let mut segments: HashMap<String, Vec<Segment>> = HashMap::new();
    let mut agents: HashMap<String, Vec<(Mechanism, Option<Agent>)>> = HashMap::new();
    let mut all = Vec::new();
    for (port, binding, network) in binding::with_networks(tx, ports).await? {
        if binding.host.is_empty() || ![UNBOUND, FAILED].contains(&binding.vif_type.as_str()) {
            continue;
        }
        if !segments.contains_key(&network) {
            segments.insert(network.clone(), segments::of(tx, &network).await?);
        }
        let segments = segments.get(&network).cloned().unwrap_or_default();
        if segments.is_empty() {
            continue;
        }
        if !agents.contains_key(&binding.host) {
            agents.insert(binding.host.clone(), usable(rq, tx, &binding.host).await?);
        }
        let agents = agents.get(&binding.host).cloned().unwrap_or_default();
        all.push(Waiting { port, binding, segments, agents });
    }
    Ok(all)
}

/// The agents of a host that each mechanism driver could use.
async fn usable(rq: Rq<'_>, tx: &mut Tx, host: &str) -> Result<Vec<(Mechanism, Option<Agent>)>, Stop> {
    let there = agents::list(tx, None, Some(host)).await?;
    let (now, down) = ((rq.app.clock)(), rq.app.agents.agent_down_time);
    let mut found = Vec::new();
    for mechanism in &rq.app.ml2.mechanisms {
        let Some(agent_type) = mechanism.agent_type() else { continue };
        let agent = there.iter().find(|agent| agent.agent_type == agent_type);
        let agent =
            agent.map(|a| Agent { alive: a.alive(now, down), configurations: a.configurations.clone() });
        found.push((*mechanism, agent));
    }
    Ok(found)
}

/// The first driver whose agent on the host is alive and can wire a segment. Pure.
fn decide(waiting: &Waiting) -> Decision {
    let mut reasons = Vec::new();
    for (driver, agent) in &waiting.agents {
        let name = driver.name();
        if !driver.supports(&waiting.binding.vnic_type) {
            reasons.push(format!("{name} makes no ports of type {}", waiting.binding.vnic_type));
            continue;
        }
        let Some(agent) = agent else {
            reasons.push(format!("{name} has no agent on {}", waiting.binding.host));
            continue;
        };
        if !agent.alive {
            reasons.push(format!("{name}'s agent on {} has not reported lately", waiting.binding.host));
            continue;
        }
        for segment in &waiting.segments {
            match driver.refusal(agent, &segment.what) {
                None => return Decision::Bound { driver: *driver, segment: segment.id.clone() },
                Some(why) => reasons.push(format!("{name}, {}: {why}", describe(&segment.what))),
            }
        }
    }
    if reasons.is_empty() {
        reasons.push("there is no mechanism driver that binds ports ([ml2] mechanism_drivers)".into());
    }
    Decision::Failed { reasons }
}

fn describe(segment: &Wanted) -> String {
    let physical = segment.physical_network.as_deref().map(|n| format!(" {n}")).unwrap_or_default();
    let id = segment.segmentation_id.map(|id| format!(" {id}")).unwrap_or_default();
    format!("{} segment{physical}{id}", segment.kind.name())
}

struct Commit<'a> {
    rq: Rq<'a>,
    decided: &'a [(Waiting, Decision)],
}

/// Stores decisions, and answers with the ports as they are then, and with those whose binding has changed since.
async fn store_decisions(tx: &mut Tx, commit: &Commit<'_>) -> Result<(Page, Vec<String>), Stop> {
    let Commit { rq, decided } = *commit;
    let ids: Vec<String> = decided.iter().map(|(waiting, _)| waiting.port.clone()).collect();
    let now = binding::locked(tx, &ids).await?;
    let stands = |waiting: &Waiting| now.get(&waiting.port) == Some(&waiting.binding);
    let (still, changed): (Vec<_>, Vec<_>) = decided.iter().partition(|(waiting, _)| stands(waiting));
    let changed = changed.into_iter().map(|(waiting, _)| waiting.port.clone()).collect();
    let ids: Vec<String> = still.iter().map(|(waiting, _)| waiting.port.clone()).collect();
    let mut page = store::among(rq, tx, &PORT, &ids, None).await?;
    let before: HashMap<String, Body> =
        (0..page.rows.len()).map(|row| (page.text(row, "id").to_string(), page.body(row))).collect();
    store::remember(rq, tx, &PORT, &page);
    page.rows.clear();
    for (waiting, decision) in still {
        store_decision(rq, tx, waiting, decision).await?;
        let port = waiting.port.as_str();
        let bound = store::row(rq, tx, &PORT, port).await?;
        let after: Option<Body> = (!bound.rows.is_empty()).then(|| bound.body(0));
        let before = before.get(port).cloned();
        tx.announce(Change { resource: "port", verb: Verb::Updated, id: port.to_string(), before, after });
        page.rows.extend(bound.rows);
    }
    Ok((page, changed))
}

async fn store_decision(rq: Rq<'_>, tx: &mut Tx, waiting: &Waiting, decision: &Decision) -> Result<(), Stop> {
    let (port, old) = (waiting.port.as_str(), &waiting.binding);
    let (vif_type, details) = match decision {
        Decision::Failed { .. } => (FAILED, String::new()),
        Decision::Bound { driver, .. } => {
            let of_driver = waiting.agents.iter().find(|(mechanism, _)| mechanism == driver);
            let details = of_driver
                .and_then(|(_, agent)| agent.as_ref())
                .map(|agent| driver.vif_details(rq.app.ml2.port_filter, agent));
            (driver.vif_type(), Value::Object(details.unwrap_or_default()).to_string())
        }
    };
    let sql = "UPDATE ml2_port_bindings SET vif_type = ?, vif_details = ? WHERE port_id = ? AND host = ?";
    tx.queue_noted(sql, p![vif_type, &details, port, &old.host]).await?;
    let sql = "DELETE FROM ml2_port_binding_levels WHERE port_id = ? AND host = ?";
    tx.queue_noted(sql, p![port, &old.host]).await?;
    let mut drivers = Vec::new();
    if let Decision::Bound { driver, segment } = decision {
        let sql = "INSERT INTO ml2_port_binding_levels (port_id, host, level, driver, segment_id) VALUES (?, ?, 0, ?, ?)";
        tx.queue_noted(sql, p![port, &old.host, driver.name(), segment]).await?;
        drivers.push((0, driver.name()));
    }
    let bound = Binding { vif_type: vif_type.to_string(), ..old.clone() };
    binding::note(tx, port, &bound, &details, &drivers);
    // Upstream raises the revision for the binding and once more by hand, and clients see the number.
    let sql = "UPDATE standardattributes SET revision_number = revision_number + 2, updated_at = ? WHERE id = (SELECT standard_attr_id FROM ports WHERE id = ?)";
    let now = rq.app.now();
    tx.queue_noted(sql, p![&now, port]).await?;
    tx.known.touched("port", port, 2, &store::zulu(&now));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ml2::segment::Kind;
    use serde_json::json;

    fn decided(agent: Option<(bool, Value)>, vnic_type: &str) -> String {
        let segment = |id: &str, kind, physical: Option<&str>| Segment {
            id: id.into(),
            what: Wanted { kind, physical_network: physical.map(Into::into), segmentation_id: Some(7) },
        };
        let agent = agent.map(|(alive, configurations)| Agent { alive, configurations });
        let waiting = Waiting {
            port: "p".into(),
            binding: Binding {
                host: "compute1".into(),
                vif_type: UNBOUND.into(),
                vnic_type: vnic_type.into(),
                profile: String::new(),
            },
            segments: vec![segment("s1", Kind::Vlan, Some("physnet1")), segment("s2", Kind::Vxlan, None)],
            agents: vec![(Mechanism::LinuxBridge, agent)],
        };
        match decide(&waiting) {
            Decision::Bound { driver, segment } => format!("{} {segment}", driver.name()),
            Decision::Failed { reasons } => reasons.join("; "),
        }
    }

    #[test]
    fn the_first_segment_that_the_hosts_agent_can_wire_is_taken() {
        let both = json!({"interface_mappings": {"physnet1": "eth1"}, "tunnel_types": ["vxlan"]});
        let tunnels = json!({"tunnel_types": ["vxlan"]});
        let cases = [
            (Some((true, both.clone())), "normal", "linuxbridge s1"),
            (Some((true, tunnels)), "normal", "linuxbridge s2"),
            (
                Some((false, both.clone())),
                "normal",
                "linuxbridge's agent on compute1 has not reported lately",
            ),
            (None, "normal", "linuxbridge has no agent on compute1"),
            (Some((true, both)), "direct", "linuxbridge makes no ports of type direct"),
            (
                Some((true, json!({}))),
                "normal",
                "linuxbridge, vlan segment physnet1 7: the agent has no mapping for physical network physnet1; linuxbridge, vxlan segment 7: the agent has no tunnels of type vxlan",
            ),
        ];
        for (agent, vnic_type, expected) in cases {
            assert_eq!(decided(agent, vnic_type), expected);
        }
    }
}
