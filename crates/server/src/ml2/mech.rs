//! Mechanism drivers: which agent may wire which segment, and how the port then looks. Pure.

use crate::ml2::segment::{Kind, Wanted};
use serde_json::{Map, Value, json};

/// A driver that binds ports, or one that only listens. A closed set: a new one is a line in each function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// The Linux bridge agent.
    LinuxBridge,
    /// The Open vSwitch agent.
    OpenVswitch,
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
            Mechanism::OpenVswitch => "openvswitch",
            Mechanism::L2Population => "l2population",
        }
    }

    /// The driver of that name.
    pub fn parse(name: &str) -> Option<Mechanism> {
        [Mechanism::LinuxBridge, Mechanism::OpenVswitch, Mechanism::L2Population]
            .into_iter()
            .find(|m| m.name() == name)
    }

    /// The type of the agents that wire its ports; none where it binds nothing.
    pub fn agent_type(self) -> Option<&'static str> {
        match self {
            Mechanism::LinuxBridge => Some("Linux bridge agent"),
            Mechanism::OpenVswitch => Some("Open vSwitch agent"),
            Mechanism::L2Population => None,
        }
    }

    /// `binding:vif_type` of a port it bound.
    pub fn vif_type(self) -> &'static str {
        match self {
            Mechanism::LinuxBridge => "bridge",
            Mechanism::OpenVswitch => "ovs",
            Mechanism::L2Population => "unbound",
        }
    }

    /// `binding:vif_details` of a port it bound with the help of an agent.
    pub fn vif_details(self, port_filter: bool, agent: &Agent) -> Map<String, Value> {
        let reported = |key: &str| agent.configurations.get(key).cloned();
        let mut details = Map::new();
        match self {
            Mechanism::L2Population => return details,
            Mechanism::LinuxBridge => {
                details.insert("port_filter".into(), json!(port_filter));
                details.insert("connectivity".into(), json!("l2"));
            }
            // How Nova is to plug it: into which bridge, with or without a Linux bridge between.
            Mechanism::OpenVswitch => {
                details.insert("port_filter".into(), json!(port_filter));
                details.insert("connectivity".into(), json!("l2"));
                details.insert("ovs_hybrid_plug".into(), reported("ovs_hybrid_plug").unwrap_or(Value::Null));
                let datapath = reported("datapath_type").unwrap_or_else(|| json!("system"));
                details.insert("datapath_type".into(), datapath);
                details.extend(reported("integration_bridge").map(|name| ("bridge_name".to_string(), name)));
            }
        }
        details
    }

    /// Whether it can make a port of that kind.
    pub fn supports(self, vnic_type: &str) -> bool {
        match self {
            Mechanism::LinuxBridge | Mechanism::OpenVswitch => vnic_type == "normal",
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
            Mechanism::LinuxBridge | Mechanism::OpenVswitch => match segment.kind {
                Kind::Local => None,
                Kind::Flat | Kind::Vlan => {
                    let physical = segment.physical_network.as_deref().unwrap_or_default();
                    let interface = self == Mechanism::LinuxBridge && mapped("interface_mappings", physical);
                    let known = interface || mapped("bridge_mappings", physical);
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

    /// What Nova needs to plug a port, as upstream's mechanism driver says it.
    #[test]
    fn details_of_bound_ports() {
        let configurations = json!({"integration_bridge": "br-int", "datapath_type": "netdev",
            "ovs_hybrid_plug": false, "bridge_mappings": {"lan": "br-ex"}, "tunnel_types": ["gre"]});
        let agent = Agent { alive: true, configurations };
        assert_eq!(
            Value::Object(Mechanism::OpenVswitch.vif_details(true, &agent)),
            json!({"port_filter": true, "connectivity": "l2", "ovs_hybrid_plug": false,
                "datapath_type": "netdev", "bridge_name": "br-int"})
        );
        assert_eq!(
            Value::Object(Mechanism::LinuxBridge.vif_details(false, &agent)),
            json!({"port_filter": false, "connectivity": "l2"})
        );
        let wires = |kind, physical: &str| {
            let segment =
                Wanted { kind, physical_network: Some(physical.to_string()), segmentation_id: Some(7) };
            Mechanism::OpenVswitch.refusal(&agent, &segment).is_none()
        };
        assert!(wires(Kind::Gre, "") && wires(Kind::Vlan, "lan"));
        assert!(!wires(Kind::Vxlan, "") && !wires(Kind::Vlan, "elsewhere"));
    }
}
