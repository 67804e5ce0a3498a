//! Which versions of objects agents listen for: each distinct one is pushed.

use super::moment;
use crate::app::App;
use crate::db::{Stop, Tx};
use crate::objects::{Kind, Version, version};
use crate::p;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

/// Seconds after which the database is asked again: agents that died are no longer pushed to, and what another
/// server's message did not tell is found.
const LIFETIME_SECONDS: i64 = 60;

/// Agents that report versions of everything, and listen to messages only: nothing is pushed for them.
const LISTEN_TO_MESSAGES: &[&str] = &["Linux bridge agent", "Macvtap agent", "NIC Switch agent"];

/// Versions by kind.
pub type Wanted = BTreeMap<Kind, BTreeSet<Version>>;

/// What agents listen for, as far as this server knows.
#[derive(Default)]
pub struct Versions(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// When the database was asked; none = never.
    at: Option<i64>,
    wanted: Wanted,
}

/// What one agent asks for: of the kinds that are made here, in versions that are made here.
fn read(agent_type: &str, reported: &Map<String, Value>, wanted: &mut Wanted) {
    if LISTEN_TO_MESSAGES.contains(&agent_type) {
        return;
    }
    for (name, text) in reported {
        if let (Some(kind), Some(version)) = (Kind::named(name), text.as_str().and_then(version))
            && version <= kind.newest()
        {
            wanted.entry(kind).or_default().insert(version);
        }
    }
}

async fn stored(tx: &mut Tx, since: &str) -> Result<Wanted, Stop> {
    let sql = "SELECT agent_type, resource_versions FROM agents \
         WHERE resource_versions IS NOT NULL AND heartbeat_timestamp >= ?";
    let mut wanted = Wanted::new();
    for row in tx.all(sql, p![since]).await? {
        let reported = serde_json::from_str(&row.text(1)).unwrap_or_default();
        read(&row.text(0), &reported, &mut wanted);
    }
    Ok(wanted)
}

impl Versions {
    /// What living agents listen for; nothing where no agent takes objects.
    pub async fn wanted(&self, app: &App) -> Result<Wanted, Stop> {
        let now = (app.clock)();
        {
            let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            if known.at.is_some_and(|at| now - at < LIFETIME_SECONDS) {
                return Ok(known.wanted.clone());
            }
        }
        let since = moment(now - app.agents.agent_down_time);
        let wanted = stored(&mut app.db.read().await?, &since).await?;
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Known { at: Some(now), wanted: wanted.clone() };
        Ok(wanted)
    }

    /// An agent has reported what it listens for, here or to another server.
    pub fn reported(&self, agent_type: &str, versions: &Map<String, Value>) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        read(agent_type, versions, &mut known.wanted);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn versions_that_are_made_here_are_pushed_to_those_who_listen() {
        let report = json!({"Port": "1.9", "Network": "1.4", "QosPolicy": "1.10", "Subnet": "new"});
        let read = |agent_type| {
            let mut wanted = Wanted::new();
            super::read(agent_type, report.as_object().unwrap(), &mut wanted);
            wanted
        };
        assert_eq!(read("Open vSwitch agent"), [(Kind::Port, [(1, 9)].into())].into());
        assert_eq!(read("Linux bridge agent"), Wanted::new());
    }
}
