//! What the namespaces of routers and DHCP servers have in common: devices plugged as pairs into the host,
//! addresses, routes, kernel parameters and packet filters. `desired` of either agent ends in a [`Namespace`];
//! [`plan`](plan::plan) compares it with what is there and [`apply`] carries the difference out.

pub mod apply;
pub mod plan;

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

/// One end of a pair inside the namespace; the other, `tap…`, waits on the host for the L2 agent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Device {
    /// The end on the host.
    pub tap: String,
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
    pub fn of_port(port_id: &str, mac: &str, mtu: Option<u32>) -> Device {
        Device {
            tap: device_name(TAP, port_id),
            mac: mac.to_ascii_lowercase(),
            mtu: mtu.filter(|mtu| *mtu > 0),
            ..Device::default()
        }
    }
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
