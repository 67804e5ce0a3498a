//! Mechanism drivers: which agent may wire which segment, and how the port then looks. Pure.

use crate::ml2::segment::{Kind, Wanted};
use serde_json::{Map, Value, json};

/// A driver that binds ports, or one that only listens. A closed set: a new one is a line in each function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The Linux bridge agent.
    LinuxBridge,
    /// Forwarding entries for overlay networks; binds nothing.
    L2Population,
}

/// An agent as far as binding goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Whether it reported lately.
    pub alive: bool,
    /// What it reported of itself.
    pub configurations: Value,
}

impl Mechanism {
    /// Its name in `[ml2] mechanism_drivers` and in the table of binding levels.
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::LinuxBridge => "linuxbridge",
            Mechanism::L2Population => "l2population",
        }
    }

    /// The driver of that name.
    pub fn parse(name: &str) -> Option<Mechanism> {
        [Mechanism::LinuxBridge, Mechanism::L2Population].into_iter().find(|m| m.name() == name)
    }

    /// The type of the agents that wire its ports; none where it binds nothing.
    pub fn agent_type(self) -> Option<&'static str> {
        match self {
            Mechanism::LinuxBridge => Some("Linux bridge agent"),
            Mechanism::L2Population => None,
        }
    }

    /// `binding:vif_type` of a port it bound.
    pub fn vif_type(self) -> &'static str {
        match self {
            Mechanism::LinuxBridge => "bridge",
            Mechanism::L2Population => "unbound",
        }
    }

    /// `binding:vif_details` of a port it bound.
    pub fn vif_details(self, port_filter: bool) -> Map<String, Value> {
        match self {
            Mechanism::LinuxBridge => {
                [("port_filter".to_string(), json!(port_filter)), ("connectivity".to_string(), json!("l2"))]
                    .into_iter()
                    .collect()
            }
            Mechanism::L2Population => Map::new(),
        }
    }

    /// Whether it can make a port of that kind.
    pub fn supports(self, vnic_type: &str) -> bool {
        match self {
            Mechanism::LinuxBridge => vnic_type == "normal",
            Mechanism::L2Population => false,
        }
    }

    /// Why an agent cannot wire a segment; none when it can.
    pub fn refusal(self, agent: &Agent, segment: &Wanted) -> Option<String> {
        let listed = |key: &str, name: &str| {
            agent
                .configurations
                .get(key)
                .and_then(Value::as_array)
                .is_some_and(|l| l.iter().any(|v| v == name))
        };
        let mapped =
            |key: &str, name: &str| agent.configurations.get(key).and_then(|m| m.get(name)).is_some();
        match self {
            Mechanism::L2Population => Some("it binds no ports".into()),
            Mechanism::LinuxBridge => match segment.kind {
                Kind::Local => None,
                Kind::Flat | Kind::Vlan => {
                    let physical = segment.physical_network.as_deref().unwrap_or_default();
                    let known = mapped("interface_mappings", physical) || mapped("bridge_mappings", physical);
                    (!known).then(|| format!("the agent has no mapping for physical network {physical}"))
                }
                Kind::Gre | Kind::Vxlan | Kind::Geneve => {
                    let name = segment.kind.name();
                    (!listed("tunnel_types", name))
                        .then(|| format!("the agent has no tunnels of type {name}"))
                }
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_agents_report_decides_what_it_can_wire() {
        let agent = Agent {
            alive: true,
            configurations: json!({"interface_mappings": {"public": "eth1"}, "bridge_mappings": {"lan": "br0"},
                "tunnel_types": ["vxlan"]}),
        };
        let cases = [
            (Kind::Vxlan, None, None),
            (Kind::Gre, None, Some("the agent has no tunnels of type gre")),
            (Kind::Flat, Some("public"), None),
            (Kind::Vlan, Some("lan"), None),
            (Kind::Vlan, Some("elsewhere"), Some("the agent has no mapping for physical network elsewhere")),
            (Kind::Local, None, None),
        ];
        for (kind, physical, expected) in cases {
            let physical_network = physical.map(str::to_string);
            let segment = Wanted { kind, physical_network, segmentation_id: None };
            let refusal = Mechanism::LinuxBridge.refusal(&agent, &segment);
            assert_eq!(refusal.as_deref(), expected, "{kind:?} {physical:?}");
        }
    }
}
