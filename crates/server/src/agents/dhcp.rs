//! Which DHCP agents serve which networks: least load first, `dhcp_agents_per_network` of them.

use super::{Agent, DHCP, Options, bound, hints, list, moment, on_host, raced, vacant_index};
use crate::app::App;
use crate::db::{Stop, Tx, Val, marks};
use crate::ml2::mech::{self, Mechanism};
use crate::p;
use crate::resources::network::segments;
use std::collections::BTreeMap;

/// Seconds that a starting agent is given for each of its networks before it counts as dead.
const SECONDS_PER_NETWORK: i64 = 2;

/// The DHCP agents of some networks: (network, agent).
pub async fn hosting(tx: &mut Tx, networks: &[String]) -> Result<Vec<(String, Agent)>, Stop> {
    bound(tx, "networkdhcpagentbindings", "network_id", "dhcp_agent_id", networks).await
}

/// The networks of an agent that are up.
pub async fn active_networks(tx: &mut Tx, agent: &str) -> Result<Vec<String>, Stop> {
    let rows = tx
        .all(
            "SELECT n.id FROM networkdhcpagentbindings AS b JOIN networks AS n ON n.id = b.network_id \
             WHERE b.dhcp_agent_id = ? AND n.admin_state_up = 1 ORDER BY n.id",
            p![agent],
        )
        .await?;
    Ok(rows.iter().map(|row| row.text(0)).collect())
}

/// Whether an agent counts as starting: it may be too busy with its networks to report.
fn starting(agent: &Agent, networks: i64, now: i64, down_time: i64) -> bool {
    agent.started_at + 2 * down_time + SECONDS_PER_NETWORK * networks > now
}

/// Who shall serve a network besides those that do. `networks` counts each agent's networks.
pub fn choose<'a>(
    agents: &'a [Agent],
    hosting: &[String],
    zones: &[String],
    networks: &BTreeMap<String, i64>,
    options: &Options,
    now: i64,
) -> Vec<&'a Agent> {
    let wanted = options.dhcp_agents_per_network.saturating_sub(hosting.len());
    let zones = if zones.is_empty() { &options.default_availability_zones } else { zones };
    let down = options.agent_down_time;
    let count = |a: &Agent| networks.get(&a.id).copied().unwrap_or_default();
    let mut fit: Vec<&Agent> = agents
        .iter()
        .filter(|a| a.admin_state_up && !hosting.contains(&a.id))
        .filter(|a| in_zones(a, zones))
        .filter(|a| a.alive(now, down) || starting(a, count(a), now, down))
        .collect();
    fit.sort_by_key(|a| a.load);
    fit.truncate(wanted);
    fit
}

fn in_zones(agent: &Agent, zones: &[String]) -> bool {
    zones.is_empty() || agent.availability_zone.as_ref().is_some_and(|zone| zones.contains(zone))
}

async fn network_counts(tx: &mut Tx) -> Result<BTreeMap<String, i64>, Stop> {
    let sql = "SELECT dhcp_agent_id, COUNT(*) FROM networkdhcpagentbindings GROUP BY dhcp_agent_id";
    Ok(tx.all(sql, &[]).await?.iter().map(|row| (row.text(0), row.int(1))).collect())
}

/// The hosts that reach a network: those with an L2 agent that can wire one of its segments. None = all, where
/// no mechanism driver has agents.
async fn reachable(
    tx: &mut Tx,
    mechanisms: &[Mechanism],
    network: &str,
) -> Result<Option<Vec<String>>, Stop> {
    let drivers: Vec<(Mechanism, &str)> =
        mechanisms.iter().filter_map(|driver| Some((*driver, driver.agent_type()?))).collect();
    if drivers.is_empty() {
        return Ok(None);
    }
    let segments = segments::of(tx, network).await?;
    let mut hosts = Vec::new();
    for (driver, agent_type) in drivers {
        for agent in list(tx, Some(agent_type), None).await? {
            let wirer = mech::Agent { alive: true, configurations: agent.configurations };
            if segments.iter().any(|segment| driver.refusal(&wirer, &segment.what).is_none()) {
                hosts.push(agent.host);
            }
        }
    }
    Ok(Some(hosts))
}

/// Gives a network the agents it lacks; returns those that are new.
pub async fn schedule(tx: &mut Tx, app: &App, now: i64, network: &str) -> Result<Vec<Agent>, Stop> {
    let options = &app.agents;
    if !options.network_auto_schedule {
        return Ok(Vec::new());
    }
    let Some(row) = tx.opt("SELECT availability_zone_hints FROM networks WHERE id = ?", p![network]).await?
    else {
        return Ok(Vec::new());
    };
    let agents = list(tx, Some(DHCP), None).await?;
    let known = agents.len();
    let hosting: Vec<String> =
        hosting(tx, &[network.to_string()]).await?.into_iter().map(|(_, agent)| agent.id).collect();
    let counts = network_counts(tx).await?;
    let hosts = reachable(tx, &app.ml2.mechanisms, network).await?;
    let reaches = |agent: &Agent| hosts.as_ref().is_none_or(|hosts| hosts.contains(&agent.host));
    let agents: Vec<Agent> = agents.into_iter().filter(reaches).collect();
    let chosen = choose(&agents, &hosting, &hints(&row.text(0)), &counts, options, now);
    let mut added = Vec::new();
    for agent in chosen {
        if bind(tx, network, &agent.id, options.dhcp_agents_per_network.min(known), false).await? {
            // The next choice sees it; the agent's next report corrects it.
            tx.exec("UPDATE agents SET `load` = `load` + 1 WHERE id = ?", p![&agent.id]).await?;
            added.push(agent.clone());
        }
    }
    Ok(added)
}

/// Binds a network to an agent; false when it is bound already or no index is free.
pub async fn bind(
    tx: &mut Tx,
    network: &str,
    agent: &str,
    wanted: usize,
    forced: bool,
) -> Result<bool, Stop> {
    let rows = tx
        .all(
            "SELECT binding_index, dhcp_agent_id FROM networkdhcpagentbindings WHERE network_id = ?",
            p![network],
        )
        .await?;
    if rows.iter().any(|row| row.text(1) == agent) {
        return Ok(false);
    }
    let taken: Vec<i64> = rows.iter().map(|row| row.int(0)).collect();
    let Some(index) = vacant_index(&taken, wanted, forced) else { return Ok(false) };
    tx.exec(
        "INSERT INTO networkdhcpagentbindings (network_id, dhcp_agent_id, binding_index) VALUES (?, ?, ?)",
        p![network, agent, index],
    )
    .await
    .map_err(raced)?;
    Ok(true)
}

/// Takes a network from an agent; false when it was not bound to it. The agent's port is reserved, so that the
/// next agent takes over its address.
pub async fn unbind(tx: &mut Tx, network: &str, agent: &Agent) -> Result<bool, Stop> {
    let done = tx
        .exec(
            "DELETE FROM networkdhcpagentbindings WHERE network_id = ? AND dhcp_agent_id = ?",
            p![network, &agent.id],
        )
        .await?;
    if done.affected == 0 {
        return Ok(false);
    }
    tx.exec(
        "UPDATE ports SET device_id = ? WHERE device_id = ? AND network_id = ?",
        p![model::dhcp::DEVICE_ID_RESERVED_DHCP_PORT, device_id(network, &agent.host), network],
    )
    .await?;
    Ok(true)
}

/// The `device_id` of a host's DHCP port on a network.
pub fn device_id(network: &str, host: &str) -> String {
    let local = host.split('.').next().unwrap_or(host);
    format!("dhcp{}-{network}", uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_DNS, local.as_bytes()))
}

/// Gives an agent that asks for its networks those with a DHCP subnet that nobody serves.
pub async fn auto_schedule(tx: &mut Tx, options: &Options, now: i64, host: &str) -> Result<(), Stop> {
    if !options.network_auto_schedule {
        return Ok(());
    }
    let Some(agent) = on_host(tx, DHCP, host).await? else { return Ok(()) };
    if !agent.admin_state_up || !agent.alive(now, options.agent_down_time) {
        return Ok(());
    }
    let agents = list(tx, Some(DHCP), None).await?.len();
    let wanted = options.dhcp_agents_per_network;
    let rows = tx
        .all(
            "SELECT n.id, n.availability_zone_hints FROM networks AS n \
             WHERE EXISTS (SELECT 1 FROM subnets AS s WHERE s.network_id = n.id AND s.enable_dhcp = 1) \
             AND (SELECT COUNT(*) FROM networkdhcpagentbindings AS b WHERE b.network_id = n.id) < ? \
             AND NOT EXISTS (SELECT 1 FROM networkdhcpagentbindings AS b \
                             WHERE b.network_id = n.id AND b.dhcp_agent_id = ?) ORDER BY n.id",
            p![i64::try_from(wanted).unwrap_or(i64::MAX), &agent.id],
        )
        .await?;
    for row in rows {
        let hinted = hints(&row.text(1));
        let zones = if hinted.is_empty() { &options.default_availability_zones } else { &hinted };
        if in_zones(&agent, zones) {
            bind(tx, &row.text(0), &agent.id, wanted.min(agents), false).await?;
        }
    }
    Ok(())
}

/// Bindings to agents that are up by will and not heard of for twice `agent_down_time`, and not starting:
/// (network, agent). Nothing when no DHCP agent is left to take over.
pub async fn dead_bindings(tx: &mut Tx, options: &Options, now: i64) -> Result<Vec<(String, Agent)>, Stop> {
    let down = options.agent_down_time;
    let agents = list(tx, Some(DHCP), None).await?;
    let counts = network_counts(tx).await?;
    let count = |a: &Agent| counts.get(&a.id).copied().unwrap_or_default();
    if !agents.iter().any(|a| a.alive(now, down) || starting(a, count(a), now, down)) {
        return Ok(Vec::new());
    }
    let dead: Vec<Val> = agents
        .iter()
        .filter(|a| a.admin_state_up && !a.alive(now, 2 * down) && !starting(a, count(a), now, down))
        .map(|a| Val::from(&a.id))
        .collect();
    if dead.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT network_id, dhcp_agent_id FROM networkdhcpagentbindings WHERE dhcp_agent_id IN ({}) \
         ORDER BY network_id",
        marks(dead.len())
    );
    let rows = tx.all(&sql, &dead).await?;
    let agent = |id: String| agents.iter().find(|a| a.id == id).cloned();
    Ok(rows.iter().filter_map(|row| Some((row.text(0), agent(row.text(1))?))).collect())
}

/// Takes a network from a dead agent and gives it to another; returns who is new.
pub async fn move_away(
    tx: &mut Tx,
    app: &App,
    now: i64,
    network: &str,
    from: &Agent,
) -> Result<Vec<Agent>, Stop> {
    tracing::warn!(
        network,
        agent = from.id,
        since = moment(from.heartbeat),
        "the network's DHCP agent is dead"
    );
    unbind(tx, network, from).await?;
    schedule(tx, app, now, network).await
}

#[cfg(test)]
mod tests {
    use super::super::testing::agent;
    use super::*;

    #[test]
    fn the_least_loaded_fitting_agents_are_chosen() {
        let now = 10_000;
        let fresh = |id: &str, load| agent(id, DHCP, now - 10, load);
        let down = Agent { heartbeat: now - 100, started_at: now - 5_000, ..fresh("d", 0) };
        let starting = Agent { heartbeat: now - 100, started_at: now - 100, ..fresh("s", 0) };
        let off = Agent { admin_state_up: false, ..fresh("o", 0) };
        let zoned = Agent { availability_zone: Some("z".into()), ..fresh("z", 9) };
        let cases = [
            (vec![fresh("a", 5), fresh("b", 1)], vec![], 1, vec![], vec!["b"]),
            (vec![fresh("a", 5), fresh("b", 1)], vec![], 3, vec![], vec!["b", "a"]),
            (vec![fresh("a", 5), fresh("b", 1)], vec!["b"], 1, vec![], vec![]),
            (vec![fresh("a", 5), fresh("b", 1)], vec!["b"], 2, vec![], vec!["a"]),
            (vec![down.clone(), off.clone()], vec![], 1, vec![], vec![]),
            (vec![down, starting], vec![], 2, vec![], vec!["s"]),
            (vec![fresh("a", 0), zoned], vec![], 2, vec!["z"], vec!["z"]),
        ];
        for (agents, hosting, wanted, zones, expected) in cases {
            let texts = |list: Vec<&str>| list.into_iter().map(str::to_string).collect::<Vec<_>>();
            let options = Options { dhcp_agents_per_network: wanted, ..Options::default() };
            let chosen = choose(&agents, &texts(hosting), &texts(zones), &BTreeMap::new(), &options, now);
            assert_eq!(chosen.iter().map(|a| a.id.as_str()).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_dhcp_port_is_known_by_its_host_and_network() {
        let id = device_id("74f45ea4-8df5-4445-a6e8-dac22316fcf9", "net1.example.org");
        assert_eq!(id, device_id("74f45ea4-8df5-4445-a6e8-dac22316fcf9", "net1"));
        assert!(id.starts_with("dhcp") && id.ends_with("-74f45ea4-8df5-4445-a6e8-dac22316fcf9"));
    }
}
