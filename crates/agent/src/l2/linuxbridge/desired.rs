//! What the bridges of a host should be like: a pure function of what the server said and the
//! configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use host::netlink::VxlanSpec;
use model::Mac;
use model::l2::DeviceDetails;
use model::names;

use crate::l2::config::{L2Config, Vxlan};
use crate::l2::view::{FdbTable, View};

/// Bridges, what connects them to the outside, and the ports on them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Desired {
    /// By name.
    pub bridges: BTreeMap<String, Bridge>,
    /// By name of the device.
    pub uplinks: BTreeMap<String, Uplink>,
    /// By name of the device.
    pub taps: BTreeMap<String, Tap>,
    /// Forwarding by name of the VXLAN device; a device that is not here is left alone.
    pub fdb: BTreeMap<String, FdbTable>,
    /// Networks that cannot be wired, and why.
    pub problems: BTreeMap<String, String>,
}

/// A bridge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bridge {
    /// The network's id.
    pub network: String,
    /// Ours to make and remove; the operator's own bridges must be there.
    pub ours: bool,
    /// The host takes no part in the network: no IPv6 address of its own on the bridge.
    pub silent: bool,
}

/// A device that connects a bridge to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uplink {
    /// The network's id.
    pub network: String,
    /// Name of the bridge it belongs into.
    pub bridge: String,
    /// What it is.
    pub kind: UplinkKind,
    /// Bytes, if it matters.
    pub mtu: Option<u32>,
}

/// What connects a bridge to the outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UplinkKind {
    /// An interface of the host itself; the bridge takes over its addresses.
    Physical,
    /// A VLAN subinterface.
    Vlan {
        /// The interface below.
        parent: String,
        /// The tag.
        id: u16,
    },
    /// A tunnel end; `link` is filled in when it is made.
    Vxlan {
        /// The interface that has the tunnel address.
        parent: String,
        /// Its settings.
        spec: VxlanSpec,
    },
}

/// A port's device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tap {
    /// The network's id.
    pub network: String,
    /// The bridge it belongs into.
    pub bridge: String,
    /// Bytes, if the server said.
    pub mtu: Option<u32>,
    /// Whether it may carry traffic.
    pub up: bool,
}

/// What `view` asks for, on a host whose interface `tunnel_device` has the tunnel address.
#[must_use]
pub fn desired(view: &View, config: &L2Config, tunnel_device: &str) -> Desired {
    let mut out = Desired::default();
    for (device, port) in &view.ports {
        let bridge = match network(port, config, tunnel_device, &mut out) {
            Ok(bridge) => bridge,
            Err(problem) => {
                out.problems.insert(port.network_id.clone(), problem);
                continue;
            }
        };
        let network = port.network_id.clone();
        out.taps.insert(device.clone(), Tap { network, bridge, mtu: port.mtu, up: port.admin_state_up });
    }
    for (network, table) in &view.fdb {
        let vni = view.ports.values().find(|p| p.network_id == *network).and_then(|p| p.segmentation_id);
        let device = vni.map(names::vxlan).filter(|device| out.uplinks.contains_key(device));
        if let Some(device) = device {
            out.fdb.insert(device, table_for(table, config));
        }
    }
    out
}

/// Adds the network of `port`; returns its bridge.
fn network(
    port: &DeviceDetails,
    config: &L2Config,
    tunnel_device: &str,
    out: &mut Desired,
) -> Result<String, String> {
    let id = port.network_id.clone();
    let physnet = port.physical_network.as_deref().unwrap_or_default();
    let mapped = config.bridge_mappings.get(physnet);
    let interface = config.interface_mappings.get(physnet);
    let bridge = mapped.cloned().unwrap_or_else(|| names::bridge(&id));
    let uplink = match port.network_type.as_str() {
        "local" => None,
        "vxlan" => {
            let vxlan =
                config.vxlan.as_ref().ok_or("VXLAN is not enabled on this host ([vxlan] enable_vxlan)")?;
            let vni = port.segmentation_id.ok_or("a VXLAN network without a network identifier")?;
            let kind = UplinkKind::Vxlan { parent: tunnel_device.to_owned(), spec: spec(vxlan, config, vni) };
            Some((names::vxlan(vni), kind))
        }
        "flat" if mapped.is_some() => None,
        "flat" => Some((interface.ok_or_else(|| no_mapping(physnet))?.clone(), UplinkKind::Physical)),
        "vlan" => {
            let parent = interface.ok_or_else(|| no_mapping(physnet))?.clone();
            let id = port
                .segmentation_id
                .and_then(|id| u16::try_from(id).ok())
                .ok_or("a VLAN network without a tag")?;
            Some((names::vlan(&parent, id), UplinkKind::Vlan { parent, id }))
        }
        other => return Err(format!("a Linux bridge cannot carry networks of type {other}")),
    };
    let silent = mapped.is_none() && matches!(port.network_type.as_str(), "vxlan" | "local");
    out.bridges.insert(bridge.clone(), Bridge { network: id.clone(), ours: mapped.is_none(), silent });
    if let Some((name, kind)) = uplink {
        let mtu = port.mtu.filter(|_| matches!(kind, UplinkKind::Vxlan { .. }));
        out.uplinks.insert(name, Uplink { network: id, bridge: bridge.clone(), kind, mtu });
    }
    Ok(bridge)
}

fn no_mapping(physnet: &str) -> String {
    format!("no interface or bridge is mapped to physical network '{physnet}' on this host")
}

fn spec(vxlan: &Vxlan, config: &L2Config, vni: u32) -> VxlanSpec {
    let options = &vxlan.options;
    let unicast = options.l2_population;
    let dscp = config.agent.dscp.map(|dscp| dscp << 2);
    let inherit = config.agent.dscp_inherit.then_some(1);
    VxlanSpec {
        vni,
        group: if unicast { None } else { vxlan.group(vni) },
        local: unicast.then_some(vxlan.local_ip),
        link: None,
        port: options.udp_dstport,
        port_range: (options.udp_srcport_min, options.udp_srcport_max),
        ttl: options.ttl.unwrap_or(0),
        tos: options.tos.filter(|tos| *tos != 0).or(inherit).or(dscp).unwrap_or(0),
        learning: true,
        proxy: unicast && options.arp_responder,
    }
}

/// Forwarding as it is to be installed: ARP entries only where the host answers ARP.
fn table_for(table: &FdbTable, config: &L2Config) -> FdbTable {
    let answers = config.vxlan.as_ref().is_some_and(|vxlan| vxlan.options.arp_responder);
    let neighbours: BTreeMap<IpAddr, Mac> = if answers { table.neighbours.clone() } else { BTreeMap::new() };
    FdbTable { neighbours, ..table.clone() }
}

impl Desired {
    /// The ids of all networks in it.
    #[must_use]
    pub fn networks(&self) -> BTreeSet<&str> {
        self.bridges.values().map(|bridge| bridge.network.as_str()).collect()
    }
}
