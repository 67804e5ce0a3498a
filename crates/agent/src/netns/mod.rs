//! What the namespaces of routers and DHCP servers have in common: devices plugged into the host as pairs or as ports
//! of Open vSwitch, addresses, routes, kernel parameters and packet filters. `desired` of either agent ends in a [`Namespace`];
//! [`plan`](plan::plan) compares it with what is there and [`apply`] carries the difference out.

pub mod apply;
pub mod plan;
pub mod switch;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use host::iptables::Ruleset;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Characters of a port's id that fit into a device name after a prefix of three.
const DEVICE_ID_CHARS: usize = 11;
/// The prefix of a pair's end on the host; what the L2 agent looks for.
const TAP: &str = "tap";

/// How a namespace is to be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Namespace {
    /// Its name, for example `qrouter-…`.
    pub name: String,
    /// Prefixes of the device names that are ours to remove.
    pub owned: Vec<&'static str>,
    /// Kernel parameters (`net/ipv4/ip_forward`) set before any device comes.
    pub sysctls: BTreeMap<String, String>,
    /// Devices by name.
    pub devices: BTreeMap<String, Device>,
    /// Routes beyond those that come with addresses.
    pub routes: BTreeSet<Route>,
    /// Packet filters; none leaves them alone.
    pub rules: Option<Ruleset>,
    /// Without its packet filters the namespace must not go on.
    pub rules_are_vital: bool,
}

/// A device inside the namespace.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The Neutron port it is.
    pub port_id: String,
    /// How it is connected with the host.
    pub plug: Plug,
    /// MAC address inside, lower case with colons.
    pub mac: String,
    /// Bytes; none leaves the kernel's.
    pub mtu: Option<u32>,
    /// Addresses with the subnet's prefix length.
    pub addresses: BTreeSet<IpNet>,
    /// Kernel parameters of this device, set after it came.
    pub sysctls: BTreeMap<String, String>,
    /// Tell the neighbours of every address that comes.
    pub announce: bool,
    /// Drop connections through addresses that go.
    pub forget: bool,
}

/// How a device is connected with the host.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Plug {
    /// It is one end of a pair; the other, `tap…`, waits on the host for the L2 agent.
    #[default]
    Tap,
    /// It is one end of a pair; the other, `tap…`, is a port of this bridge of Open vSwitch.
    SwitchedTap(String),
    /// It is an internal port of this bridge of Open vSwitch, moved here.
    Internal(String),
}

/// A port of Open vSwitch that is a device of ours: what the switch's database says of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SwitchPort {
    /// Its bridge.
    pub bridge: String,
    /// The switch makes the device; else it takes one that is there.
    pub internal: bool,
    /// The Neutron port: `iface-id`.
    pub port_id: String,
    /// `attached-mac`, lower case with colons.
    pub mac: String,
}

/// A route of the main table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Where to.
    pub destination: IpNet,
    /// The next hops, sorted; none is on the link of `device`.
    pub via: Vec<IpAddr>,
    /// The device; none lets the kernel find it by the next hop.
    pub device: Option<String>,
}

/// How a namespace was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Its devices by name.
    pub devices: BTreeMap<String, FoundDevice>,
    /// Routes of the main table that the kernel did not make itself.
    pub routes: BTreeSet<Route>,
    /// Devices of these names that are on the host itself.
    pub outside: BTreeSet<String>,
    /// Ports of Open vSwitch by name; empty without it.
    pub ports: BTreeMap<String, SwitchPort>,
}

/// A device as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundDevice {
    /// MAC address, lower case with colons.
    pub mac: String,
    /// Bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
    /// Its addresses; true for those that the kernel made (SLAAC, link-local).
    pub addresses: BTreeMap<IpNet, bool>,
    /// The end on the host, when there is one.
    pub tap: Option<FoundTap>,
}

/// The end of a pair on the host as it was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundTap {
    /// Bytes.
    pub mtu: u32,
    /// Whether it is up.
    pub up: bool,
}

/// A device's name: `prefix` (`qr-`, `qg-`, `ns-`, `tap`) and as much of the port's id as fits.
pub fn device_name(prefix: &str, port_id: &str) -> String {
    let id: String = port_id.chars().take(DEVICE_ID_CHARS).collect();
    format!("{prefix}{id}")
}

impl Device {
    /// The device of a port without addresses yet.
    pub fn of_port(port_id: &str, mac: &str, mtu: Option<u32>, plug: Plug) -> Device {
        Device {
            port_id: port_id.to_owned(),
            plug,
            mac: mac.to_ascii_lowercase(),
            mtu: mtu.filter(|mtu| *mtu > 0),
            ..Device::default()
        }
    }

    /// The other end of its pair, on the host; none if it is no pair.
    pub fn tap(&self) -> Option<String> {
        match self.plug {
            Plug::Tap | Plug::SwitchedTap(_) => Some(device_name(TAP, &self.port_id)),
            Plug::Internal(_) => None,
        }
    }

    /// The port of Open vSwitch that this device, called `name`, is to be, and its name.
    pub fn switch_port(&self, name: &str) -> Option<(String, SwitchPort)> {
        let port = |bridge: &String, internal| SwitchPort {
            bridge: bridge.clone(),
            internal,
            port_id: self.port_id.clone(),
            mac: self.mac.clone(),
        };
        match &self.plug {
            Plug::Tap => None,
            Plug::SwitchedTap(bridge) => Some((device_name(TAP, &self.port_id), port(bridge, false))),
            Plug::Internal(bridge) => Some((name.to_owned(), port(bridge, true))),
        }
    }
}

/// The name on the host of the other end of a pair, from that of the end inside: `qr-1` and `tap1`.
pub fn tap_of(name: &str) -> String {
    let id = name.split_once('-').map_or(name, |(_, id)| id);
    format!("{TAP}{}", id.trim_start_matches(TAP))
}

/// A default route through `via` on `device`.
pub fn default_route(via: IpAddr, device: &str) -> Route {
    let destination = if via.is_ipv4() { Ipv4Net::default().into() } else { Ipv6Net::default().into() };
    Route { destination, via: vec![via], device: Some(device.to_owned()) }
}

/// The route to a next hop outside of the device's subnets.
pub fn onlink_route(destination: IpNet, device: &str) -> Route {
    Route { destination, via: Vec::new(), device: Some(device.to_owned()) }
}
