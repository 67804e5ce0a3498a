//! What Nova hears of: its ports were plugged, unplugged, changed, deleted. Pure.

use crate::attr::Body;
use crate::notifier::text;
use crate::notify::{Change, Verb};
use serde_json::{Value, json};
use std::collections::HashMap;

/// What of a port says nothing new to Nova: what follows from other changes, and the status, which has events of its
/// own.
const NO_NEWS: &[&str] =
    &["status", "revision_number", "updated_at", "binding:vif_type", "binding:vif_details"];

/// An event as Nova takes it, `os-server-external-events`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Event {
    /// What happened.
    pub name: Name,
    /// The instance.
    pub server_uuid: String,
    /// The port.
    pub tag: String,
}

/// What happened to a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Name {
    /// It became ACTIVE, or could not.
    Plugged {
        /// Whether it could not.
        failed: bool,
    },
    /// It was ACTIVE and is DOWN.
    Unplugged,
    /// It is gone.
    Deleted,
    /// Its addresses or something else may have changed.
    Changed,
}

impl Event {
    /// The event in Nova's words.
    pub fn to_json(&self) -> Value {
        let (name, status) = match self.name {
            Name::Plugged { failed: false } => ("network-vif-plugged", Some("completed")),
            Name::Plugged { failed: true } => ("network-vif-plugged", Some("failed")),
            Name::Unplugged => ("network-vif-unplugged", Some("completed")),
            Name::Deleted => ("network-vif-deleted", None),
            Name::Changed => ("network-changed", None),
        };
        let mut event = json!({"server_uuid": self.server_uuid, "name": name, "tag": self.tag});
        if let Some(status) = status {
            event["status"] = json!(status);
        }
        event
    }
}

/// The device of a port and what owns it.
pub type Device = (String, String);

/// An event of a port, where it is an instance's.
fn event(name: Name, port: &str, device_id: &str, device_owner: &str) -> Option<Event> {
    let instance = device_owner.starts_with("compute:") && uuid::Uuid::try_parse(device_id).is_ok();
    instance.then(|| Event { name, server_uuid: device_id.to_string(), tag: port.to_string() })
}

fn of_port(name: Name, port: &Body) -> Option<Event> {
    event(name, text(port, "id"), text(port, "device_id"), text(port, "device_owner"))
}

fn status_event(before: &Body, after: &Body) -> Option<Event> {
    let name = match (text(before, "status"), text(after, "status")) {
        ("ACTIVE", "DOWN") => Name::Unplugged,
        ("DOWN" | "BUILD" | "", "ACTIVE") => Name::Plugged { failed: false },
        ("DOWN" | "BUILD" | "", "ERROR") => Name::Plugged { failed: true },
        _ => return None,
    };
    of_port(name, after)
}

fn has_news(before: &Body, after: &Body) -> bool {
    let differs = |(name, value): (&String, &Value)| {
        !NO_NEWS.contains(&name.as_str()) && before.get(name).is_some_and(|old| old != value)
    };
    after.iter().any(differs)
}

/// The ports of floating IPs that changed: whose instances to tell has to be looked up.
pub fn ports_to_look_up(changes: &[Change]) -> Vec<String> {
    let floating = changes.iter().filter(|change| change.resource == "floatingip");
    let ports = floating.flat_map(|change| [&change.before, &change.after]).flatten();
    let mut ports: Vec<String> =
        ports.map(|fip| text(fip, "port_id").to_string()).filter(|port| !port.is_empty()).collect();
    ports.sort_unstable();
    ports.dedup();
    ports
}

/// What Nova hears of some changes. `devices`: those of the ports of floating IPs; `status`, `data`: which kinds of
/// events are wanted.
pub fn events(changes: &[Change], devices: &HashMap<String, Device>, status: bool, data: bool) -> Vec<Event> {
    let mut events: Vec<Event> = Vec::new();
    for change in changes {
        let found = match (change.resource, change.verb, &change.before, &change.after) {
            ("port", Verb::Updated, Some(before), Some(after)) => vec![
                status.then(|| status_event(before, after)).flatten(),
                (data && has_news(before, after)).then(|| of_port(Name::Changed, after)).flatten(),
            ],
            ("port", Verb::Deleted, Some(before), _) if data => vec![of_port(Name::Deleted, before)],
            ("floatingip", _, before, after) if data => [before, after]
                .into_iter()
                .flatten()
                .map(|fip| {
                    let port = text(fip, "port_id");
                    let (device_id, device_owner) = devices.get(port)?;
                    event(Name::Changed, port, device_id, device_owner)
                })
                .collect(),
            _ => Vec::new(),
        };
        for event in found.into_iter().flatten() {
            // Told once is enough for what says "look again".
            if event.name != Name::Changed || !events.contains(&event) {
                events.push(event);
            }
        }
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVER: &str = "6e0b0a51-6d4c-4f0e-8d0c-5b6f3d5a3a10";

    fn body(value: Value) -> Option<Body> {
        value.as_object().cloned()
    }

    fn port(status: &str, name: &str, owner: &str) -> Option<Body> {
        body(json!({"id": "p", "status": status, "name": name, "device_id": SERVER, "device_owner": owner,
            "revision_number": status.len()}))
    }

    fn told(resource: &'static str, before: Option<Body>, after: Option<Body>) -> Vec<String> {
        let verb = match (&before, &after) {
            (None, _) => Verb::Created,
            (_, None) => Verb::Deleted,
            _ => Verb::Updated,
        };
        let change = Change { resource, verb, id: "p".into(), before, after };
        let devices = HashMap::from([("p".to_string(), (SERVER.to_string(), "compute:nova".to_string()))]);
        let events = events(&[change], &devices, true, true);
        events
            .iter()
            .map(|event| {
                let event = event.to_json();
                assert_eq!((event["server_uuid"].as_str(), event["tag"].as_str()), (Some(SERVER), Some("p")));
                format!("{} {}", event["name"].as_str().unwrap(), event["status"].as_str().unwrap_or("-"))
            })
            .collect()
    }

    #[test]
    fn nova_hears_of_its_own_ports() {
        let nova = |status, name| port(status, name, "compute:nova");
        for (before, after, wanted) in [
            (nova("DOWN", "a"), nova("ACTIVE", "a"), vec!["network-vif-plugged completed"]),
            (nova("BUILD", "a"), nova("ERROR", "a"), vec!["network-vif-plugged failed"]),
            (nova("ACTIVE", "a"), nova("DOWN", "a"), vec!["network-vif-unplugged completed"]),
            (nova("ACTIVE", "a"), nova("BUILD", "a"), vec![]),
            (nova("ACTIVE", "a"), nova("ACTIVE", "b"), vec!["network-changed -"]),
            (None, nova("DOWN", "a"), vec![]),
            (nova("ACTIVE", "a"), None, vec!["network-vif-deleted -"]),
            (port("DOWN", "a", "network:dhcp"), port("ACTIVE", "b", "network:dhcp"), vec![]),
        ] {
            assert_eq!(told("port", before.clone(), after.clone()), wanted, "{before:?} {after:?}");
        }
    }

    #[test]
    fn nova_hears_of_floating_ips_of_its_ports() {
        let fip = |port: Value| body(json!({"id": "f", "port_id": port}));
        for (before, after, wanted) in [
            (None, fip(json!("p")), 1),
            (fip(json!("p")), fip(Value::Null), 1),
            (fip(json!("p")), fip(json!("other")), 1),
            (fip(json!("p")), None, 1),
            (fip(Value::Null), fip(json!("other")), 0),
        ] {
            assert_eq!(told("floatingip", before, after).len(), wanted);
        }
    }
}
