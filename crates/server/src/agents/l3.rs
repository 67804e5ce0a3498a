//! Which L3 agent runs which router: the one with the fewest routers of those that can.

use super::{Agent, L3, Options, bound, hints, list, moment, on_host, raced};
use crate::db::{Stop, Tx, Val, marks};
use crate::p;
use serde_json::Value;
use std::collections::BTreeMap;

/// The L3 agents of some routers: (router, agent).
pub async fn hosting(tx: &mut Tx, routers: &[String]) -> Result<Vec<(String, Agent)>, Stop> {
    bound(tx, "routerl3agentbindings", "router_id", "l3_agent_id", routers).await
}

/// What a scheduler asks of a router.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// The router's id.
    pub id: String,
    /// The external network that its gateway is on.
    pub external: Option<String>,
    /// Whether it is distributed.
    pub distributed: bool,
    /// The zones it may run in; none = any.
    pub zones: Vec<String>,
}

/// Whether an agent can run a router, its `admin_state_up` and heartbeat aside.
pub fn can_run(agent: &Agent, router: &Wanted) -> bool {
    let mode = agent.config("agent_mode").unwrap_or("legacy");
    let only = agent.config("router_id").filter(|id| !id.is_empty());
    // Agents up to 2016 may be told to serve one external network only.
    let network = agent.config("gateway_external_network_id").filter(|id| !id.is_empty());
    let internal = agent.configurations.get("handle_internal_only_routers").and_then(Value::as_bool);
    mode != "dvr"
        && mode != "dvr_no_external"
        && !(mode == "legacy" && router.distributed)
        && only.is_none_or(|id| id == router.id)
        && match (&router.external, network) {
            (Some(external), Some(network)) => external == network,
            (Some(_), None) => true,
            (None, _) => internal.unwrap_or(true),
        }
}

fn in_zones(agent: &Agent, zones: &[String]) -> bool {
    zones.is_empty() || agent.availability_zone.as_ref().is_some_and(|zone| zones.contains(zone))
}

/// The agent for a router: alive, up, able, in its zones, with the fewest routers (`routers` counts them).
pub fn choose<'a>(
    agents: &'a [Agent],
    router: &Wanted,
    routers: &BTreeMap<String, i64>,
    options: &Options,
    now: i64,
) -> Option<&'a Agent> {
    agents
        .iter()
        .filter(|a| a.admin_state_up && a.alive(now, options.agent_down_time))
        .filter(|a| can_run(a, router) && in_zones(a, &router.zones))
        .min_by_key(|a| routers.get(&a.id).copied().unwrap_or_default())
}

const WANTED: &str = "SELECT r.id, p.network_id, x.distributed, x.availability_zone_hints FROM routers AS r \
     LEFT JOIN ports AS p ON p.id = r.gw_port_id LEFT JOIN router_extra_attributes AS x ON x.router_id = r.id";

fn wanted(row: &crate::db::Row) -> Wanted {
    Wanted {
        id: row.text(0),
        external: row.opt_text(1),
        distributed: row.flag(2),
        zones: hints(&row.text(3)),
    }
}

/// What a scheduler asks of a router; none when there is no such router.
pub async fn wants(tx: &mut Tx, router: &str) -> Result<Option<Wanted>, Stop> {
    let row = tx.opt(&format!("{WANTED} WHERE r.id = ?"), p![router]).await?;
    Ok(row.as_ref().map(wanted))
}

/// Gives routers that no agent runs to one each; returns what is new: (router, agent).
pub async fn schedule(
    tx: &mut Tx,
    options: &Options,
    now: i64,
    routers: &[String],
) -> Result<Vec<(String, Agent)>, Stop> {
    if routers.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "{WANTED} WHERE r.id IN ({}) AND NOT EXISTS \
         (SELECT 1 FROM routerl3agentbindings AS b JOIN agents AS a ON a.id = b.l3_agent_id \
          WHERE b.router_id = r.id AND a.admin_state_up = 1) ORDER BY r.id",
        marks(routers.len())
    );
    let params: Vec<Val> = routers.iter().map(Val::from).collect();
    let lonely: Vec<Wanted> = tx.all(&sql, &params).await?.iter().map(wanted).collect();
    if lonely.is_empty() {
        return Ok(Vec::new());
    }
    let agents = list(tx, Some(L3), None).await?;
    let mut counts = router_counts(tx).await?;
    let mut added = Vec::new();
    for router in lonely {
        let Some(agent) = choose(&agents, &router, &counts, options, now) else {
            tracing::warn!(router = router.id, "no L3 agent can run the router");
            continue;
        };
        if bind(tx, &router.id, &agent.id).await? {
            *counts.entry(agent.id.clone()).or_default() += 1;
            added.push((router.id, agent.clone()));
        }
    }
    Ok(added)
}

async fn router_counts(tx: &mut Tx) -> Result<BTreeMap<String, i64>, Stop> {
    let sql = "SELECT l3_agent_id, COUNT(*) FROM routerl3agentbindings GROUP BY l3_agent_id";
    Ok(tx.all(sql, &[]).await?.iter().map(|row| (row.text(0), row.int(1))).collect())
}

/// Binds a router to an agent; false when it is bound to one already.
pub async fn bind(tx: &mut Tx, router: &str, agent: &str) -> Result<bool, Stop> {
    let bound = tx.opt("SELECT 1 FROM routerl3agentbindings WHERE router_id = ?", p![router]).await?;
    if bound.is_some() {
        return Ok(false);
    }
    tx.exec(
        "INSERT INTO routerl3agentbindings (router_id, l3_agent_id, binding_index) VALUES (?, ?, 1)",
        p![router, agent],
    )
    .await
    .map_err(raced)?;
    Ok(true)
}

/// Takes a router from an agent; false when it was not bound to it.
pub async fn unbind(tx: &mut Tx, router: &str, agent: &str) -> Result<bool, Stop> {
    let done = tx
        .exec("DELETE FROM routerl3agentbindings WHERE router_id = ? AND l3_agent_id = ?", p![router, agent])
        .await?;
    Ok(done.affected > 0)
}

/// Gives an agent that asks for its routers those that nobody runs.
pub async fn auto_schedule(tx: &mut Tx, options: &Options, host: &str) -> Result<(), Stop> {
    if !options.router_auto_schedule {
        return Ok(());
    }
    let Some(agent) = on_host(tx, L3, host).await?.filter(|a| a.admin_state_up) else { return Ok(()) };
    let sql = format!(
        "{WANTED} WHERE NOT EXISTS (SELECT 1 FROM routerl3agentbindings AS b WHERE b.router_id = r.id) \
         ORDER BY r.id"
    );
    let lonely: Vec<Wanted> = tx.all(&sql, &[]).await?.iter().map(wanted).collect();
    for router in lonely.iter().filter(|r| can_run(&agent, r) && in_zones(&agent, &r.zones)) {
        bind(tx, &router.id, &agent.id).await?;
    }
    Ok(())
}

/// The ids of an agent's routers, of those asked for, or of all.
pub async fn routers_of(tx: &mut Tx, agent: &str, asked: Option<&[String]>) -> Result<Vec<String>, Stop> {
    let mut sql = "SELECT router_id FROM routerl3agentbindings WHERE l3_agent_id = ?".to_string();
    let mut params: Vec<Val> = vec![agent.into()];
    if let Some(asked) = asked.filter(|asked| !asked.is_empty()) {
        sql += &format!(" AND router_id IN ({})", marks(asked.len()));
        params.extend(asked.iter().map(Val::from));
    }
    sql += " ORDER BY router_id";
    Ok(tx.all(&sql, &params).await?.iter().map(|row| row.text(0)).collect())
}

/// Routers whose agent is up by will and not heard of for twice `agent_down_time`: (router, agent).
pub async fn dead_bindings(tx: &mut Tx, options: &Options, now: i64) -> Result<Vec<(String, Agent)>, Stop> {
    let dead: Vec<Agent> = list(tx, Some(L3), None)
        .await?
        .into_iter()
        .filter(|a| a.admin_state_up && !a.alive(now, 2 * options.agent_down_time))
        .collect();
    let mut bindings = Vec::new();
    for agent in dead {
        let routers = routers_of(tx, &agent.id, None).await?;
        bindings.extend(routers.into_iter().map(|router| (router, agent.clone())));
    }
    Ok(bindings)
}

/// Whether an agent serves one external network only, so that a router may have to leave it with its gateway.
pub fn is_of_one_network(agent: &Agent) -> bool {
    agent.config("gateway_external_network_id").is_some_and(|id| !id.is_empty())
}

/// Takes a router from an agent that its gateway is not for, if another can run it; returns who. Without another it stays:
/// its agent says why it leaves it alone.
pub async fn follow_gateway(
    tx: &mut Tx,
    options: &Options,
    now: i64,
    router: &str,
    from: &Agent,
) -> Result<Option<Agent>, Stop> {
    let Some(wanted) = wants(tx, router).await?.filter(|wanted| !can_run(from, wanted)) else {
        return Ok(None);
    };
    let taker = hand_over(tx, options, now, &wanted, from).await?;
    if taker.is_none() {
        tracing::warn!(router, "no L3 agent serves the router's external network");
    }
    Ok(taker)
}

/// Takes a router from a dead agent if another can run it; returns who. Without another it stays: the dead
/// agent may come back.
pub async fn move_away(
    tx: &mut Tx,
    options: &Options,
    now: i64,
    router: &str,
    from: &Agent,
) -> Result<Option<Agent>, Stop> {
    let Some(wanted) = wants(tx, router).await? else { return Ok(None) };
    let taker = hand_over(tx, options, now, &wanted, from).await?;
    match taker {
        Some(_) => {
            let since = moment(from.heartbeat);
            tracing::warn!(router, agent = from.id, since, "the router's L3 agent is dead");
        }
        None => tracing::warn!(router, "no L3 agent can take the router over"),
    }
    Ok(taker)
}

/// Gives a router of `from` to whoever can run it best; returns who, if there is one.
async fn hand_over(
    tx: &mut Tx,
    options: &Options,
    now: i64,
    wanted: &Wanted,
    from: &Agent,
) -> Result<Option<Agent>, Stop> {
    let agents = list(tx, Some(L3), None).await?;
    let counts = router_counts(tx).await?;
    let Some(agent) = choose(&agents, wanted, &counts, options, now) else { return Ok(None) };
    unbind(tx, &wanted.id, &from.id).await?;
    bind(tx, &wanted.id, &agent.id).await?;
    Ok(Some(agent.clone()))
}

#[cfg(test)]
mod tests {
    use super::super::testing::agent;
    use super::*;
    use serde_json::json;

    #[test]
    fn the_able_agent_with_the_fewest_routers_is_chosen() {
        let now = 10_000;
        let with = |id: &str, configurations: Value| Agent { configurations, ..agent(id, L3, now - 10, 0) };
        let plain = |id: &str| with(id, json!({}));
        let router = Wanted { id: "r".into(), ..Wanted::default() };
        let outside = Wanted { external: Some("n".into()), ..router.clone() };
        let only = |network: &str| with("e", json!({"gateway_external_network_id": network}));
        let distributed = Wanted { distributed: true, ..router.clone() };
        let zoned = Wanted { zones: vec!["z".into()], ..router.clone() };
        let cases = [
            ("fewest", vec![plain("a"), plain("b")], &router, Some("b")),
            ("dvr", vec![with("d", json!({"agent_mode": "dvr"}))], &router, None),
            ("legacy", vec![plain("c")], &distributed, None),
            ("snat", vec![with("s", json!({"agent_mode": "dvr_snat"}))], &distributed, Some("s")),
            ("other", vec![with("o", json!({"router_id": "x"}))], &router, None),
            ("inner", vec![with("i", json!({"handle_internal_only_routers": false}))], &router, None),
            ("outer", vec![with("i", json!({"handle_internal_only_routers": false}))], &outside, Some("i")),
            ("its network", vec![only("n")], &outside, Some("e")),
            ("another network", vec![only("m")], &outside, None),
            ("no network named", vec![only("")], &outside, Some("e")),
            ("no gateway", vec![only("m")], &router, Some("e")),
            ("zone", vec![plain("c")], &zoned, None),
            ("dead", vec![Agent { heartbeat: now - 76, ..plain("c") }], &router, None),
            ("off", vec![Agent { admin_state_up: false, ..plain("c") }], &router, None),
        ];
        let counts = [("a".to_string(), 3), ("b".to_string(), 2)].into();
        for (case, agents, router, expected) in cases {
            let chosen = choose(&agents, router, &counts, &Options::default(), now);
            assert_eq!(chosen.map(|a| a.id.as_str()), expected, "{case}");
        }
    }
}
