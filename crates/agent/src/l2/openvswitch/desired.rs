//! Bridges and ports as they should be: a pure function of what the server said, the configuration and the
//! ports that are there.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use model::l2::DeviceDetails;
use model::names;

use super::config::{OvsConfig, TunnelType, Tunnels};
use super::facts::Facts;
use super::vlans::LocalVlans;
use crate::l2::config::Firewall;
use crate::l2::firewall::awaits_rules;
use crate::l2::view::View;

/// Bridges, what connects them, and the VLANs of ports.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Layout {
    /// By name.
    pub bridges: BTreeMap<String, Bridge>,
    /// Patch and tunnel ports by bridge and name.
    pub ports: BTreeMap<(String, String), Port>,
    /// By name of the port on the integration bridge; ports that are not here are left alone.
    pub tags: BTreeMap<String, Tag>,
    /// Networks that cannot be wired, and why.
    pub problems: BTreeMap<String, String>,
}

/// A bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// Ours to make; bridges of physical networks must be there.
    pub ours: bool,
    /// `system`, `netdev`
    pub datapath_type: String,
    /// Addresses it may learn.
    pub mac_table_size: u32,
}

/// A port that connects a bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// `patch`, `gre` …
    pub kind: &'static str,
    /// As the switch wants them.
    pub options: BTreeMap<String, String>,
}

/// A port's VLAN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tag {
    /// On its network.
    Live {
        /// The network's local VLAN.
        vlan: u16,
        /// Notes about the network.
        notes: BTreeMap<String, String>,
    },
    /// Where nothing passes.
    Dead,
}

/// What `view` asks for.
#[must_use]
pub fn layout(view: &View, config: &OvsConfig, facts: &Facts, vlans: &LocalVlans) -> Layout {
    let mut out = Layout::default();
    let bridge = |ours| Bridge {
        ours,
        datapath_type: config.ovs.datapath_type.clone(),
        mac_table_size: config.ovs.bridge_mac_table_size,
    };
    let integration = &config.ovs.integration_bridge;
    out.bridges.insert(integration.clone(), bridge(true));
    for physical in config.ovs.bridge_mappings.values() {
        out.bridges.insert(physical.clone(), bridge(false));
        let (here, there) = (names::integration_patch(physical), names::physical_patch(physical));
        connect(&mut out, (integration, here), (physical, there));
    }
    if let Some(tunnels) = &config.tunnels {
        let tunnel_bridge = &config.ovs.tunnel_bridge;
        out.bridges.insert(tunnel_bridge.clone(), bridge(true));
        let (here, there) = (config.ovs.int_peer_patch_port.clone(), config.ovs.tun_peer_patch_port.clone());
        connect(&mut out, (integration, here), (tunnel_bridge, there));
        for (kind, remote) in endpoints(view, tunnels) {
            let name = names::tunnel_port(kind.name(), remote);
            out.ports.insert((tunnel_bridge.clone(), name), tunnel(tunnels, kind, remote));
        }
    }
    let filters = config.firewall == Firewall::OpenVswitch;
    for (device, name, port) in facts.devices(integration) {
        let tag = match view.ports.get(device) {
            Some(details) if details.admin_state_up && !(filters && awaits_rules(view, device)) => {
                live(details, config, vlans)
            }
            // Said to be down, or its filter is not known yet.
            Some(_) => Ok(Tag::Dead),
            None if view.disowned.contains(device) => Ok(Tag::Dead),
            // Not told about yet: without a tag it would be on a network with all others of its kind.
            None if port.tag.is_none() && port.plain => Ok(Tag::Dead),
            None => continue,
        };
        match tag {
            Ok(tag) => _ = out.tags.insert(name.to_owned(), tag),
            Err((network, problem)) => {
                out.problems.insert(network, problem);
                out.tags.insert(name.to_owned(), Tag::Dead);
            }
        }
    }
    out
}

fn connect(out: &mut Layout, (one, here): (&str, String), (other, there): (&str, String)) {
    let patch =
        |peer: &str| Port { kind: "patch", options: BTreeMap::from([("peer".to_owned(), peer.to_owned())]) };
    out.ports.insert((one.to_owned(), here.clone()), patch(&there));
    out.ports.insert((other.to_owned(), there), patch(&here));
}

/// The hosts to have tunnels to: those the server named, or those that share a network with this one.
fn endpoints(view: &View, tunnels: &Tunnels) -> BTreeSet<(TunnelType, Ipv4Addr)> {
    let v4 = |ip: &IpAddr| match ip {
        IpAddr::V4(ip) if *ip != tunnels.local_ip => Some(*ip),
        IpAddr::V4(_) | IpAddr::V6(_) => None,
    };
    let wanted = |kind: &TunnelType| tunnels.types.contains(kind);
    if !tunnels.l2_population {
        let named = view.tunnels.iter().filter_map(|(kind, ips)| Some((TunnelType::of(kind)?, ips)));
        let named = named.flat_map(|(kind, ips)| ips.iter().filter_map(v4).map(move |ip| (kind, ip)));
        return named.filter(|(kind, _)| wanted(kind)).collect();
    }
    let mut out = BTreeSet::new();
    for (network, table) in &view.fdb {
        let kind = view.ports.values().find(|port| port.network_id == *network);
        let kind = kind.and_then(|port| TunnelType::of(&port.network_type)).filter(wanted);
        if let Some(kind) = kind {
            out.extend(table.flood.iter().chain(table.macs.values()).filter_map(v4).map(|ip| (kind, ip)));
        }
    }
    out
}

fn tunnel(tunnels: &Tunnels, kind: TunnelType, remote: Ipv4Addr) -> Port {
    let mut options: BTreeMap<String, String> = [
        ("df_default", tunnels.dont_fragment.to_string()),
        ("remote_ip", remote.to_string()),
        ("local_ip", tunnels.local_ip.to_string()),
        ("in_key", "flow".into()),
        ("out_key", "flow".into()),
        ("egress_pkt_mark", "0".into()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if kind == TunnelType::Vxlan && tunnels.vxlan_udp_port != 4789 {
        options.insert("dst_port".into(), tunnels.vxlan_udp_port.to_string());
    }
    if tunnels.csum {
        options.insert("csum".into(), "true".into());
    }
    options.extend(tunnels.tos.iter().map(|tos| ("tos".to_owned(), tos.clone())));
    Port { kind: kind.name(), options }
}

/// The VLAN of a port that may carry traffic, or its network and why there is none.
fn live(port: &DeviceDetails, config: &OvsConfig, vlans: &LocalVlans) -> Result<Tag, (String, String)> {
    let network = &port.network_id;
    let problem = |text: String| Err((network.clone(), text));
    match port.network_type.as_str() {
        "local" => {}
        "flat" | "vlan" => {
            let physnet = port.physical_network.as_deref().unwrap_or_default();
            if !config.ovs.bridge_mappings.contains_key(physnet) {
                return problem(format!(
                    "no bridge is mapped to physical network '{physnet}' on this host ([ovs] bridge_mappings)"
                ));
            }
        }
        kind => {
            let known = TunnelType::of(kind);
            let enabled = |kind| config.tunnels.as_ref().is_some_and(|t| t.types.contains(&kind));
            if !known.is_some_and(enabled) {
                return problem(format!(
                    "networks of type {kind} are not enabled on this host ([agent] tunnel_types)"
                ));
            }
        }
    }
    let Some(vlan) = vlans.get(&(network.clone(), port.segmentation_id)).copied() else {
        return problem("all 4094 local VLANs are in use on this host".into());
    };
    let mut notes: BTreeMap<String, String> = [
        ("net_uuid", network.clone()),
        ("network_type", port.network_type.clone()),
        // As Python's agent writes it.
        ("physical_network", port.physical_network.clone().unwrap_or_else(|| "None".into())),
        ("tag", vlan.to_string()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    notes.extend(port.segmentation_id.map(|id| ("segmentation_id".to_owned(), id.to_string())));
    Ok(Tag::Live { vlan, notes })
}
