//! State reports: who is there, with what configuration. Reports that say nothing new are absorbed in memory as
//! long as the database's heartbeat is young enough for every server to see the agent alive.

use super::{DHCP, Options, moment, seconds};
use crate::db::{Stop, Tx};
use crate::p;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

/// A heartbeat is written again when the written one is older than this part of `agent_down_time`.
const WRITE_PER_DOWN_TIME: i64 = 3;
/// Agents remembered; more are simply written each time.
const AGENTS_MAX: usize = 100_000;

/// What the server answers to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It was not known.
    New,
    /// It is known and was heard of lately.
    Alive,
    /// It is known and was taken for dead.
    Revived,
}

impl Status {
    /// The word on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Status::New => "new",
            Status::Alive => "alive",
            Status::Revived => "revived",
        }
    }
}

/// One report, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    agent_type: String,
    binary: String,
    host: String,
    topic: String,
    availability_zone: Option<String>,
    configurations: Value,
    resource_versions: Option<String>,
    start: bool,
}

impl Report {
    /// Reads the inner `agent_state`; says what is missing.
    pub fn read(state: &Map<String, Value>) -> Result<Report, String> {
        let text = |key: &str| {
            let value = state.get(key).and_then(Value::as_str).map(str::to_string);
            value.ok_or_else(|| format!("the agent's state has no {key}"))
        };
        let versions =
            state.get("resource_versions").filter(|v| v.as_object().is_some_and(|v| !v.is_empty()));
        Ok(Report {
            agent_type: text("agent_type")?,
            binary: text("binary")?,
            host: text("host")?,
            topic: text("topic")?,
            availability_zone: state.get("availability_zone").and_then(Value::as_str).map(str::to_string),
            configurations: state.get("configurations").cloned().unwrap_or_else(|| Value::Object(Map::new())),
            resource_versions: versions.map(Value::to_string),
            start: truth(state.get("start_flag")),
        })
    }

    /// The versions of objects that the agent listens for, and its type; none where it says nothing of them.
    pub fn versions(&self) -> Option<(&str, Map<String, Value>)> {
        let versions = serde_json::from_str(self.resource_versions.as_deref()?).ok()?;
        Some((&self.agent_type, versions))
    }

    /// Whether it is the first since the agent started.
    pub fn is_first(&self) -> bool {
        self.start
    }

    /// The agent's host.
    pub fn host(&self) -> &str {
        &self.host
    }

    fn key(&self) -> (String, String) {
        (self.agent_type.clone(), self.host.clone())
    }

    fn load(&self, options: &Options) -> i64 {
        if self.agent_type != DHCP {
            return 0;
        }
        self.configurations.get(&options.dhcp_load_type).and_then(Value::as_i64).unwrap_or_default()
    }
}

fn truth(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(flag)) => *flag,
        Some(Value::String(text)) => text.eq_ignore_ascii_case("true"),
        _ => false,
    }
}

struct Written {
    report: Report,
    at: i64,
}

/// What was written last for each agent, by this server.
#[derive(Default)]
pub struct Memory(Mutex<HashMap<(String, String), Written>>);

impl Memory {
    /// Whether a report says nothing that the database needs to hear now.
    pub fn absorbs(&self, report: &Report, now: i64, options: &Options) -> bool {
        let written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        !report.start
            && written.get(&report.key()).is_some_and(|w| {
                w.report == *report && now - w.at < options.agent_down_time / WRITE_PER_DOWN_TIME
            })
    }

    /// Remembers what was written.
    pub fn wrote(&self, report: Report, now: i64) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.len() < AGENTS_MAX {
            let report = Report { start: false, ..report };
            written.insert(report.key(), Written { report, at: now });
        }
    }

    /// Forgets an agent that was deleted: its next report makes it anew.
    pub fn forget(&self, agent_type: &str, host: &str) {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        written.remove(&(agent_type.to_string(), host.to_string()));
    }
}

/// What [`store`] needs.
pub struct Store<'a> {
    /// The report.
    pub report: &'a Report,
    /// The moment, in seconds since 1970.
    pub now: i64,
    /// The id of an agent that is not known yet.
    pub fresh_id: String,
    /// The server's options.
    pub options: &'a Options,
}

/// Writes a report: the agent's row is made or brought up to date.
pub async fn store(tx: &mut Tx, input: &Store<'_>) -> Result<Status, Stop> {
    let Store { report, now, fresh_id, options } = input;
    let known = tx
        .opt(
            "SELECT id, heartbeat_timestamp, availability_zone, resource_versions FROM agents \
             WHERE agent_type = ? AND host = ?",
            p![&report.agent_type, &report.host],
        )
        .await?;
    let at = moment(*now);
    let configurations = report.configurations.to_string();
    let load = report.load(options);
    let Some(known) = known else {
        let made = tx
            .exec(
                "INSERT INTO agents (id, agent_type, `binary`, topic, host, admin_state_up, created_at, \
                 started_at, heartbeat_timestamp, configurations, `load`, availability_zone, resource_versions) \
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                p![
                    fresh_id,
                    &report.agent_type,
                    &report.binary,
                    &report.topic,
                    &report.host,
                    options.enable_new_agents,
                    &at,
                    &at,
                    &at,
                    configurations,
                    load,
                    report.availability_zone.clone(),
                    report.resource_versions.clone(),
                ],
            )
            .await;
        return match made {
            Ok(_) => Ok(Status::New),
            Err(Stop::Duplicate(key)) => Err(Stop::Retry(format!("another server was first: {key}"))),
            Err(stop) => Err(stop),
        };
    };
    let zone = report.availability_zone.clone().or_else(|| known.opt_text(2));
    let versions = report.resource_versions.clone().or_else(|| known.opt_text(3));
    tx.exec(
        "UPDATE agents SET `binary` = ?, topic = ?, heartbeat_timestamp = ?, configurations = ?, `load` = ?, \
         availability_zone = ?, resource_versions = ? WHERE id = ?",
        p![&report.binary, &report.topic, &at, configurations, load, zone, versions, known.text(0)],
    )
    .await?;
    if report.start {
        tx.exec("UPDATE agents SET started_at = ? WHERE id = ?", p![&at, known.text(0)]).await?;
    }
    let silent = now - seconds(&known.text(1));
    Ok(if silent > options.agent_down_time { Status::Revived } else { Status::Alive })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn report(state: Value) -> Report {
        Report::read(state.as_object().unwrap()).unwrap()
    }

    #[test]
    fn only_what_is_new_or_due_is_written() {
        let (options, memory) = (Options::default(), Memory::default());
        let same = json!({"agent_type": "L3 agent", "binary": "b", "host": "h", "topic": "t",
                          "configurations": {"routers": 1}});
        let mut other = same.clone();
        other["configurations"]["routers"] = json!(2);
        let mut started = same.clone();
        started["start_flag"] = json!(true);
        assert!(!memory.absorbs(&report(same.clone()), 100, &options));
        memory.wrote(report(started.clone()), 100);
        for (case, state, now, absorbed) in [
            ("the same again", &same, 110, true),
            ("something new", &other, 110, false),
            ("a start", &started, 110, false),
            ("the heartbeat is due", &same, 125, false),
        ] {
            assert_eq!(memory.absorbs(&report(state.clone()), now, &options), absorbed, "{case}");
        }
        memory.forget("L3 agent", "h");
        assert!(!memory.absorbs(&report(same), 110, &options));
    }
}
