//! What the server tells the DHCP agent: which network to look at again. Messages may be lost, doubled or late,
//! so nothing else is taken from them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::inbox::Notes;

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

impl Notes for Dirty {
    const VERSION: &'static str = "1.0";

    fn take_note(&mut self, method: &str, args: &Map<String, Value>) -> bool {
        let payload = args.get("payload").unwrap_or(&Value::Null);
        let text = |path: &str| payload.pointer(path).and_then(Value::as_str).map(str::to_owned);
        match method {
            "network_create_end" | "network_update_end" => self.networks.extend(text("/network/id")),
            "network_delete_end" => self.networks.extend(text("/network_id")),
            "subnet_create_end" | "subnet_update_end" => self.networks.extend(text("/subnet/network_id")),
            "subnet_delete_end" => self.subnets.extend(text("/subnet_id")),
            "port_create_end" | "port_update_end" => {
                self.networks.extend(text("/port/network_id"));
                self.ports.extend(text("/port/id"));
            }
            "port_delete_end" => match text("/network_id") {
                Some(network) => self.networks.extend([network]),
                // Older servers name the port only.
                None => self.all = true,
            },
            "agent_updated" => self.all = true,
            _ => return false,
        }
        true
    }

    fn want_all(&mut self) {
        self.all = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn noted(method: &str, payload: &Value) -> Dirty {
        let mut dirty = Dirty::default();
        assert!(dirty.take_note(method, json!({"payload": payload}).as_object().unwrap()));
        dirty
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
        assert!(!Dirty::default().take_note("reboot", &Map::new()));
    }
}
