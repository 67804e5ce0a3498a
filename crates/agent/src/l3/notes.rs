//! What the server tells the L3 agent: which router to look at again. Messages may be lost, doubled or late, so
//! nothing else is taken from them.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use crate::inbox::Notes;

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

impl Notes for Dirty {
    const VERSION: &'static str = "1.4";

    fn take_note(&mut self, method: &str, args: &Map<String, Value>) -> bool {
        let inner = |name: &str, path: &str| args.get(name).and_then(|value| value.pointer(path));
        match method {
            "routers_updated" => self.routers.extend(ids(args.get("routers"))),
            "router_deleted" => self.routers.extend(ids(args.get("router_id"))),
            "router_removed_from_agent" => self.routers.extend(ids(inner("payload", "/router_id"))),
            "router_added_to_agent" => self.routers.extend(ids(args.get("payload"))),
            "network_update" => self.networks.extend(ids(inner("network", "/id"))),
            "agent_updated" => self.all = true,
            // Of distributed routers only, which this agent does not serve.
            "add_arp_entry" | "del_arp_entry" | "fipnamespace_delete_on_ext_net" => {}
            _ => return false,
        }
        true
    }

    fn want_all(&mut self) {
        self.all = true;
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
            let mut noted = Dirty::default();
            assert!(noted.take_note(method, args.as_object().unwrap()));
            let dirty = Dirty { routers: ["r".to_owned()].into(), ..Dirty::default() };
            assert_eq!(noted, dirty, "{method}");
        }
        let mut noted = Dirty::default();
        assert!(!noted.take_note("reboot", &Map::new()));
        assert!(noted.take_note("agent_updated", &Map::new()));
        assert!(noted.all);
    }
}
