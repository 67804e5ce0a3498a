//! Agents: what they report, who is alive, and who is given which network or router.
//!
//! Everything here takes the moment as an argument (seconds since 1970, UTC): what is alive is a question of
//! the clock, and tests bring their own.

pub mod dhcp;
pub mod l3;
pub mod periodic;
pub mod state;
pub mod versions;

use crate::db::{Row, Stop, Tx, Val, marks};
use crate::p;
use serde_json::Value;

/// `agent_type` of DHCP agents.
pub const DHCP: &str = "DHCP agent";
/// `agent_type` of L3 agents.
pub const L3: &str = "L3 agent";

oslo::options! {
    /// What the server does with its agents.
    pub struct Options in "DEFAULT" {
        /// Seconds without a report after which an agent counts as dead: at least twice its report_interval.
        agent_down_time: i64 = 75;
        /// Whether an agent that reports for the first time is put into service, or waits for an admin.
        enable_new_agents: bool = true;
        /// Give networks that nobody serves to a DHCP agent that asks for work.
        network_auto_schedule: bool = true;
        /// Take networks from dead DHCP agents and give them to living ones.
        allow_automatic_dhcp_failover: bool = true;
        /// How many DHCP agents serve a network.
        dhcp_agents_per_network: usize = 1;
        /// What makes a DHCP agent busy: networks, subnets or ports.
        dhcp_load_type: String = "networks".into();
        /// Give routers that nobody serves to an L3 agent that asks for work.
        router_auto_schedule: bool = true;
        /// Take routers from dead L3 agents and give them to living ones.
        allow_automatic_l3agent_failover: bool = false;
        /// Availability zones of networks and routers that name none.
        default_availability_zones: Vec<String> = Vec::new();
        /// Keep serving from agents that an admin took out of service; new work still goes to them only by hand.
        enable_services_on_agents_with_admin_state_down: bool = false;
        /// Tell DHCP agents at once what changed.
        dhcp_agent_notification: bool = true;
    }
}

/// One row of `agents`.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its id, drawn by the server.
    pub id: String,
    /// `DHCP agent`, `L3 agent`, `Linux bridge agent` …
    pub agent_type: String,
    /// The topic it listens to; `N/A` for L2 agents.
    pub topic: String,
    /// Its host.
    pub host: String,
    /// False takes it out of service.
    pub admin_state_up: bool,
    /// When it last started, in seconds since 1970.
    pub started_at: i64,
    /// When it was last heard of, in seconds since 1970.
    pub heartbeat: i64,
    /// What it says of itself.
    pub configurations: Value,
    /// What the scheduler takes for its load.
    pub load: i64,
    /// Its availability zone.
    pub availability_zone: Option<String>,
}

/// The columns of [`Agent`] in the order in which it reads them.
const COLUMNS: &str = "agents.id, agents.agent_type, agents.topic, agents.host, agents.admin_state_up, \
     agents.started_at, agents.heartbeat_timestamp, agents.configurations, agents.`load`, agents.availability_zone";

impl Agent {
    /// Reads [`COLUMNS`] from `column` on.
    fn read(row: &Row, column: usize) -> Agent {
        Agent {
            id: row.text(column),
            agent_type: row.text(column + 1),
            topic: row.text(column + 2),
            host: row.text(column + 3),
            admin_state_up: row.flag(column + 4),
            started_at: seconds(&row.text(column + 5)),
            heartbeat: seconds(&row.text(column + 6)),
            configurations: serde_json::from_str(&row.text(column + 7)).unwrap_or(Value::Null),
            load: row.int(column + 8),
            availability_zone: row.opt_text(column + 9),
        }
    }

    /// Whether it was heard of lately.
    pub fn alive(&self, now: i64, down_time: i64) -> bool {
        now - self.heartbeat <= down_time
    }

    /// A text of its configurations.
    pub fn config(&self, key: &str) -> Option<&str> {
        self.configurations.get(key).and_then(Value::as_str)
    }
}

/// All agents, or those of a type, or the one of a type on a host; in the order of their ids.
pub async fn list(tx: &mut Tx, agent_type: Option<&str>, host: Option<&str>) -> Result<Vec<Agent>, Stop> {
    let mut sql = format!("SELECT {COLUMNS} FROM agents WHERE 1 = 1");
    let mut params: Vec<Val> = Vec::new();
    for (column, value) in [("agent_type", agent_type), ("host", host)] {
        if let Some(value) = value {
            sql += &format!(" AND {column} = ?");
            params.push(value.into());
        }
    }
    sql += " ORDER BY id";
    Ok(tx.all(&sql, &params).await?.iter().map(|row| Agent::read(row, 0)).collect())
}

/// The agent of a type on a host.
pub async fn on_host(tx: &mut Tx, agent_type: &str, host: &str) -> Result<Option<Agent>, Stop> {
    Ok(list(tx, Some(agent_type), Some(host)).await?.into_iter().next())
}

/// One agent.
pub async fn get(tx: &mut Tx, id: &str) -> Result<Option<Agent>, Stop> {
    let row = tx.opt(&format!("SELECT {COLUMNS} FROM agents WHERE id = ?"), p![id]).await?;
    Ok(row.map(|row| Agent::read(&row, 0)))
}

/// Agents with what they are bound to: `table`'s `resource` column first.
async fn bound(
    tx: &mut Tx,
    table: &str,
    resource: &str,
    agent: &str,
    ids: &[String],
) -> Result<Vec<(String, Agent)>, Stop> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "SELECT b.{resource}, {COLUMNS} FROM {table} AS b JOIN agents ON agents.id = b.{agent} \
         WHERE b.{resource} IN ({}) ORDER BY b.{resource}, b.binding_index",
        marks(ids.len())
    );
    let ids: Vec<Val> = ids.iter().map(Val::from).collect();
    Ok(tx.all(&sql, &ids).await?.iter().map(|row| (row.text(0), Agent::read(row, 1))).collect())
}

/// A binding that another server made at the same moment: who lost looks again.
fn raced(stop: Stop) -> Stop {
    match stop {
        Stop::Duplicate(key) => Stop::Retry(format!("another server was first: {key}")),
        other => other,
    }
}

/// The lowest free `binding_index`; none when `wanted` bindings are there already and no more are forced.
fn vacant_index(taken: &[i64], wanted: usize, forced: bool) -> Option<i64> {
    if taken.len() >= wanted && !forced {
        return None;
    }
    (1..).find(|index| !taken.contains(index))
}

/// Database time (`2026-11-21 22:08:34`, UTC, a fraction is ignored) as seconds since 1970; 0 when it is none.
pub fn seconds(text: &str) -> i64 {
    let whole = text.split('.').next().unwrap_or(text).replace('T', " ");
    let parsed = jiff::civil::DateTime::strptime("%Y-%m-%d %H:%M:%S", whole.trim_end_matches('Z'));
    parsed
        .ok()
        .and_then(|t| t.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map_or(0, |t| t.timestamp().as_second())
}

/// Seconds since 1970 as the database keeps them.
pub fn moment(seconds: i64) -> String {
    let stamp = jiff::Timestamp::from_second(seconds).unwrap_or_default();
    stamp.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// The availability zones of a column of hints: a JSON list, or empty.
fn hints(column: &str) -> Vec<String> {
    serde_json::from_str(column).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_there_and_back() {
        for text in ["2026-11-21 22:08:34", "1999-12-31 23:59:59"] {
            assert_eq!(moment(seconds(text)), text);
        }
        assert_eq!(seconds("2026-11-21T19:54:12.507753"), seconds("2026-11-21 19:54:12"));
        assert_eq!(seconds("yesterday"), 0);
    }

    #[test]
    fn the_lowest_free_index_is_taken() {
        for (taken, wanted, forced, index) in [
            (&[][..], 1, false, Some(1)),
            (&[1], 1, false, None),
            (&[1], 1, true, Some(2)),
            (&[1, 3], 3, false, Some(2)),
            (&[2], 2, false, Some(1)),
        ] {
            assert_eq!(vacant_index(taken, wanted, forced), index, "{taken:?} {wanted} {forced}");
        }
    }
}

#[cfg(test)]
mod testing {
    use super::Agent;

    /// An agent that is up, on a host of its own name.
    pub(super) fn agent(id: &str, agent_type: &str, heartbeat: i64, load: i64) -> Agent {
        Agent {
            id: id.into(),
            agent_type: agent_type.into(),
            topic: "N/A".into(),
            host: id.into(),
            admin_state_up: true,
            started_at: 0,
            heartbeat,
            configurations: serde_json::json!({}),
            load,
            availability_zone: None,
        }
    }
}
