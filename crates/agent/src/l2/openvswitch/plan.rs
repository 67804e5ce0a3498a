//! What has to change in the switch's database, in three parts: what must stand before flows can be
//! computed, what may be done once flows protect a port, and what is no longer needed.

use std::collections::BTreeMap;

use uuid::Uuid;

use super::DEAD_VLAN;
use super::config::{OvsConfig, TunnelType};
use super::desired::{Layout, Port, Tag};
use super::facts::Facts;

/// The versions of OpenFlow that a bridge must speak: 1.0 for ovs-ofctl as people call it.
pub const PROTOCOLS: &[&str] = &["OpenFlow10", "OpenFlow13", "OpenFlow14"];

/// The controller of our bridges: nobody is there. When the first controller of a bridge is set, or the last one is
/// taken away, the switch drops the bridge's flows. Upstream's agent sets one: with this in its place, either agent
/// follows the other without a flow lost. It is in the switch's own folder, the only one that it takes such a name
/// from: only root can listen there, unlike at upstream's port of the loopback.
pub const CONTROLLER: &str = "unix:neutron-openvswitch-agent.none";

/// A change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A new bridge, secure from its beginning.
    AddBridge {
        /// Its name.
        name: String,
        /// `system`, `netdev`
        datapath_type: String,
        /// Addresses it may learn.
        mac_table_size: u32,
    },
    /// A bridge is not as it should be.
    MendBridge {
        /// Its row.
        id: Uuid,
        /// It has no controller yet.
        lone: bool,
        /// `system`, `netdev`
        datapath_type: String,
        /// Addresses it may learn.
        mac_table_size: u32,
    },
    /// A new patch or tunnel port.
    AddPort {
        /// The bridge's name.
        bridge: String,
        /// Its name.
        name: String,
        /// What it is.
        port: Port,
    },
    /// A patch or tunnel port is not as it should be.
    MendPort {
        /// The interface's row.
        interface: Uuid,
        /// What it is to be.
        port: Port,
    },
    /// A tunnel nobody needs.
    DeletePort {
        /// The bridge's row.
        bridge: Uuid,
        /// The port's row.
        port: Uuid,
    },
    /// A port goes to another VLAN.
    SetTag {
        /// The port's row.
        port: Uuid,
        /// The VLAN.
        vlan: u16,
        /// Notes that are to be there; others stay.
        notes: BTreeMap<String, String>,
    },
}

/// Changes in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Before flows: bridges, ports between them, ports that must go silent.
    pub before: Vec<Step>,
    /// After flows: ports that go to their networks.
    pub after: Vec<Step>,
}

/// The changes that lead from `facts` to `layout`.
#[must_use]
pub fn plan(layout: &Layout, facts: &Facts, config: &OvsConfig) -> Plan {
    let mut out = Plan::default();
    for (name, wanted) in &layout.bridges {
        let (datapath_type, mac_table_size) = (wanted.datapath_type.clone(), wanted.mac_table_size);
        let Some(bridge) = facts.bridges.get(name) else {
            if wanted.ours {
                out.before.push(Step::AddBridge { name: name.clone(), datapath_type, mac_table_size });
            }
            continue;
        };
        // Without a list, a bridge speaks every version that the switch has.
        let speaks = bridge.protocols.is_empty() || PROTOCOLS.iter().all(|p| bridge.protocols.contains(*p));
        let size = bridge.other_config.get("mac-table-size") == Some(&mac_table_size.to_string());
        // The kernel's datapath goes by an empty name as well.
        let plain = |kind: &str| if kind == "system" { String::new() } else { kind.to_owned() };
        let datapath = plain(&bridge.datapath_type) == plain(&datapath_type);
        if !(bridge.secure && bridge.controlled && speaks && size && datapath) {
            let (id, lone) = (bridge.id, !bridge.controlled);
            out.before.push(Step::MendBridge { id, lone, datapath_type, mac_table_size });
        }
    }
    connect(layout, facts, &mut out);
    stale_tunnels(layout, facts, config, &mut out);
    tags(layout, facts, config, &mut out);
    out
}

fn connect(layout: &Layout, facts: &Facts, out: &mut Plan) {
    for ((bridge, name), wanted) in &layout.ports {
        // A bridge of a physical network that is not there is the operator's to make.
        let known = facts.bridges.contains_key(bridge) || layout.bridges.get(bridge).is_some_and(|b| b.ours);
        if !known {
            continue;
        }
        let there = facts.bridges.get(bridge).and_then(|bridge| bridge.ports.get(name));
        match there {
            None => {
                let (bridge, name, port) = (bridge.clone(), name.clone(), wanted.clone());
                out.before.push(Step::AddPort { bridge, name, port });
            }
            Some(port) if port.kind == wanted.kind && port.options == wanted.options => {}
            Some(port) => {
                out.before.push(Step::MendPort { interface: port.interface, port: wanted.clone() });
            }
        }
    }
}

/// Tunnels of ours (told by their names) that lead nowhere any more.
fn stale_tunnels(layout: &Layout, facts: &Facts, config: &OvsConfig, out: &mut Plan) {
    let name = &config.ovs.tunnel_bridge;
    let Some(bridge) = facts.bridges.get(name).filter(|_| config.tunnels.is_some()) else { return };
    for (port_name, port) in &bridge.ports {
        let tunnel = TunnelType::of(&port.kind);
        let ours = tunnel.is_some_and(|kind| port_name.starts_with(&format!("{}-", kind.name())));
        if ours && !layout.ports.contains_key(&(name.clone(), port_name.clone())) {
            out.before.push(Step::DeletePort { bridge: bridge.id, port: port.id });
        }
    }
}

fn tags(layout: &Layout, facts: &Facts, config: &OvsConfig, out: &mut Plan) {
    let bridge = facts.bridges.get(&config.ovs.integration_bridge);
    for (name, tag) in &layout.tags {
        let Some(port) = bridge.and_then(|bridge| bridge.ports.get(name)) else { continue };
        match tag {
            Tag::Dead if port.is_dead() => {}
            Tag::Dead => {
                let notes = BTreeMap::new();
                out.before.push(Step::SetTag { port: port.id, vlan: DEAD_VLAN, notes });
            }
            Tag::Live { vlan, notes } => {
                let noted = notes.iter().all(|(key, value)| port.other_config.get(key) == Some(value));
                if port.tag != Some(*vlan) || !noted || !port.plain {
                    let (vlan, notes) = (*vlan, notes.clone());
                    out.after.push(Step::SetTag { port: port.id, vlan, notes });
                }
            }
        }
    }
}
