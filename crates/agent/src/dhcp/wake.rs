//! What the server tells the DHCP agent: which network to look at again. Messages may be lost, doubled or late,
//! so nothing else is taken from them.

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
    /// Networks by id.
    pub networks: BTreeSet<String>,
    /// Subnets whose network is not known from the message.
    pub subnets: BTreeSet<String>,
    /// Ports whose readiness the server waits for.
    pub ports: BTreeSet<String>,
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
    fn note(&self, method: &str, payload: &Value) -> bool {
        let text = |path: &str| payload.pointer(path).and_then(Value::as_str).map(str::to_owned);
        let mut dirty = self.lock();
        match method {
            "network_create_end" | "network_update_end" => dirty.networks.extend(text("/network/id")),
            "network_delete_end" => dirty.networks.extend(text("/network_id")),
            "subnet_create_end" | "subnet_update_end" => dirty.networks.extend(text("/subnet/network_id")),
            "subnet_delete_end" => dirty.subnets.extend(text("/subnet_id")),
            "port_create_end" | "port_update_end" => {
                dirty.networks.extend(text("/port/network_id"));
                dirty.ports.extend(text("/port/id"));
            }
            "port_delete_end" => match text("/network_id") {
                Some(network) => dirty.networks.extend([network]),
                // Older servers name the port only.
                None => dirty.all = true,
            },
            "agent_updated" => dirty.all = true,
            _ => return false,
        }
        drop(dirty);
        self.0.notify.notify_one();
        true
    }
}

impl Endpoint for Wake {
    fn version(&self) -> &str {
        "1.0"
    }

    fn dispatch<'a>(
        &'a self,
        _ctx: &'a Value,
        method: &'a str,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, Result<Value, Failure>> {
        let payload = args.get("payload").cloned().unwrap_or(Value::Null);
        let known = self.note(method, &payload);
        Box::pin(async move { if known { Ok(Value::Null) } else { Err(Failure::no_such_method(method)) } })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noted(method: &str, payload: &Value) -> Dirty {
        let wake = Wake::default();
        assert!(wake.note(method, payload));
        wake.take()
    }

    #[test]
    fn messages_name_networks_to_look_at() {
        let network = || Dirty { networks: ["n".to_owned()].into(), ..Dirty::default() };
        for (method, payload) in [
            ("network_create_end", json!({"network": {"id": "n"}, "priority": 0})),
            ("network_update_end", json!({"network": {"id": "n"}})),
            ("network_delete_end", json!({"network_id": "n"})),
            ("subnet_create_end", json!({"subnet": {"id": "s", "network_id": "n"}})),
            ("subnet_update_end", json!({"subnet": {"id": "s", "network_id": "n"}})),
            ("port_delete_end", json!({"port_id": "p", "network_id": "n", "fixed_ips": []})),
        ] {
            assert_eq!(noted(method, &payload), network(), "{method}");
        }
        let port = json!({"port": {"id": "p", "network_id": "n"}});
        assert_eq!(noted("port_update_end", &port), Dirty { ports: ["p".to_owned()].into(), ..network() });
        let subnet = Dirty { subnets: ["s".to_owned()].into(), ..Dirty::default() };
        assert_eq!(noted("subnet_delete_end", &json!({"subnet_id": "s"})), subnet);
        let all = Dirty { all: true, ..Dirty::default() };
        assert_eq!(noted("agent_updated", &json!({"admin_state_up": true})), all);
        assert_eq!(noted("port_delete_end", &json!({"port_id": "p"})), all);
        assert!(!Wake::default().note("reboot", &json!({})));
    }
}
