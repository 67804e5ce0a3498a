//! What the server tells the L3 agent: which router to look at again. Messages may be lost, doubled or late, so
//! nothing else is taken from them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc::{BoxFuture, Endpoint, Failure};
use serde_json::{Map, Value};
use tokio::sync::Notify;

/// What to look at again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Dirty {
    /// Everything.
    pub all: bool,
    /// Routers by id.
    pub routers: BTreeSet<String>,
    /// Networks whose routers are meant.
    pub networks: BTreeSet<String>,
}

/// Collects what messages say until the agent comes round to it.
#[derive(Debug, Clone, Default)]
pub struct Wake(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    dirty: Mutex<Dirty>,
    notify: Notify,
}

impl Wake {
    /// Asks for a look at everything.
    pub fn all(&self) {
        self.lock().all = true;
        self.0.notify.notify_one();
    }

    /// What was asked for since the last time.
    pub fn take(&self) -> Dirty {
        std::mem::take(&mut *self.lock())
    }

    /// Waits until something is asked for.
    pub async fn asked(&self) {
        self.0.notify.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Dirty> {
        self.0.dirty.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note of one message; false when the method is unknown.
    fn note(&self, method: &str, args: &Map<String, Value>) -> bool {
        let args = Value::Object(args.clone());
        let mut dirty = self.lock();
        match method {
            "routers_updated" => dirty.routers.extend(ids(args.get("routers"))),
            "router_deleted" => dirty.routers.extend(ids(args.get("router_id"))),
            "router_removed_from_agent" => dirty.routers.extend(ids(args.pointer("/payload/router_id"))),
            "router_added_to_agent" => dirty.routers.extend(ids(args.get("payload"))),
            "network_update" => dirty.networks.extend(ids(args.pointer("/network/id"))),
            "agent_updated" => dirty.all = true,
            // Of distributed routers only, which this agent does not serve.
            "add_arp_entry" | "del_arp_entry" | "fipnamespace_delete_on_ext_net" => return true,
            _ => return false,
        }
        drop(dirty);
        self.0.notify.notify_one();
        true
    }
}

/// Ids out of an id, a list of them, or (as servers of 2013 sent them) a list of routers.
fn ids(value: Option<&Value>) -> Vec<String> {
    let id = |value: &Value| value.as_str().or_else(|| value.get("id")?.as_str()).map(str::to_owned);
    match value {
        Some(Value::Array(values)) => values.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

impl Endpoint for Wake {
    fn version(&self) -> &str {
        "1.4"
    }

    fn dispatch<'a>(
        &'a self,
        _ctx: &'a Value,
        method: &'a str,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        let known = self.note(method, &args);
        Box::pin(async move { if known { Ok(Value::Null) } else { Err(Failure::no_such_method(method)) } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn messages_name_routers_to_look_at() {
        for (method, args) in [
            ("routers_updated", json!({"routers": ["r"]})),
            ("routers_updated", json!({"routers": [{"id": "r"}]})),
            ("router_deleted", json!({"router_id": "r"})),
            ("router_removed_from_agent", json!({"payload": {"router_id": "r"}})),
            ("router_added_to_agent", json!({"payload": ["r"]})),
        ] {
            let wake = Wake::default();
            assert!(wake.note(method, args.as_object().unwrap()));
            let dirty = Dirty { routers: ["r".to_owned()].into(), ..Dirty::default() };
            assert_eq!(wake.take(), dirty, "{method}");
        }
        let wake = Wake::default();
        assert!(!wake.note("reboot", &Map::new()));
        assert!(wake.note("agent_updated", &Map::new()));
        assert!(wake.take().all);
    }
}
