//! What the DHCP agent hears about its networks: the answers of `get_active_networks_info`, `get_network_info`
//! and `create_dhcp_port` on topic `q-plugin`. Unknown fields are ignored, as every release added some.

use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// Who owns the ports that DHCP agents answer from.
pub const DEVICE_OWNER_DHCP: &str = "network:dhcp";
/// The device id of a DHCP port whose agent was taken off the network; the next agent takes it over.
pub const DEVICE_ID_RESERVED_DHCP_PORT: &str = "reserved_dhcp_port";

/// A network with all that its DHCP server has to know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkInfo {
    /// The network's id.
    pub id: String,
    /// The owner; servers before 2016 only know `tenant_id`.
    #[serde(default)]
    pub project_id: Option<String>,
    /// The owner under its old name.
    #[serde(default)]
    pub tenant_id: Option<String>,
    /// A network that is down has no DHCP server.
    #[serde(default = "yes")]
    pub admin_state_up: bool,
    /// The subnets this agent serves.
    #[serde(default)]
    pub subnets: Vec<DhcpSubnet>,
    /// Subnets of other segments, known for their routes and names only.
    #[serde(default)]
    pub non_local_subnets: Vec<DhcpSubnet>,
    /// All ports of the network.
    #[serde(default)]
    pub ports: Vec<DhcpPort>,
    /// The network's MTU in bytes; 0 or absent when unknown.
    #[serde(default)]
    pub mtu: Option<u32>,
}

impl NetworkInfo {
    /// The owner under whichever name the server sends it.
    pub fn project(&self) -> &str {
        self.project_id.as_deref().or(self.tenant_id.as_deref()).unwrap_or_default()
    }

    /// The subnets served here, then those of other segments.
    pub fn all_subnets(&self) -> impl Iterator<Item = &DhcpSubnet> {
        self.subnets.iter().chain(&self.non_local_subnets)
    }
}

/// A subnet as the DHCP agent gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpSubnet {
    /// The subnet's id.
    pub id: String,
    /// 4 or 6.
    pub ip_version: u8,
    /// The subnet's range.
    pub cidr: IpNet,
    /// Whether addresses are handed out at all.
    #[serde(default)]
    pub enable_dhcp: bool,
    /// The subnet's gateway, if it has one.
    #[serde(default)]
    pub gateway_ip: Option<IpAddr>,
    /// Name servers for the clients; none means this DHCP server.
    #[serde(default)]
    pub dns_nameservers: Vec<IpAddr>,
    /// Routes for the clients.
    #[serde(default)]
    pub host_routes: Vec<HostRoute>,
    /// `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless` or null.
    #[serde(default)]
    pub ipv6_ra_mode: Option<String>,
    /// `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless` or null.
    #[serde(default)]
    pub ipv6_address_mode: Option<String>,
    /// The segment of a routed network.
    #[serde(default)]
    pub segment_id: Option<String>,
}

/// A route for the clients of a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostRoute {
    /// Where to.
    pub destination: IpNet,
    /// Through whom.
    pub nexthop: IpAddr,
}

/// A port of the network.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpPort {
    /// The port's id.
    pub id: String,
    /// The port's network.
    #[serde(default)]
    pub network_id: String,
    /// The port's MAC address, colon separated.
    pub mac_address: String,
    /// What the port is for: an instance, `dhcp<host>-<network>`, a router.
    #[serde(default)]
    pub device_id: String,
    /// Whose kind of port this is, for example `network:dhcp`.
    #[serde(default)]
    pub device_owner: String,
    /// The port's addresses.
    #[serde(default)]
    pub fixed_ips: Vec<DhcpFixedIp>,
    /// The user's DHCP options.
    #[serde(default)]
    pub extra_dhcp_opts: Vec<ExtraDhcpOpt>,
    /// Names of the addresses, when the server has DNS integration.
    #[serde(default)]
    pub dns_assignment: Vec<DnsAssignment>,
    /// The host the port is bound to; empty when unbound.
    #[serde(default, rename = "binding:host_id")]
    pub host_id: Option<String>,
}

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DhcpFixedIp {
    /// The subnet the address is from.
    pub subnet_id: String,
    /// The address.
    pub ip_address: IpAddr,
}

/// A DHCP option of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExtraDhcpOpt {
    /// The option's name or number.
    pub opt_name: String,
    /// The option's value; null asks for none.
    #[serde(default)]
    pub opt_value: Option<String>,
    /// 4 or 6.
    #[serde(default = "four")]
    pub ip_version: u8,
}

/// The name of one address of a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsAssignment {
    /// The address.
    pub ip_address: IpAddr,
    /// The short name.
    #[serde(default)]
    pub hostname: String,
    /// The full name, with its final dot when the server sends one.
    #[serde(default)]
    pub fqdn: String,
}

fn yes() -> bool {
    true
}

fn four() -> u8 {
    4
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_owned_by_whichever_name_is_sent() {
        let old: NetworkInfo =
            serde_json::from_value(serde_json::json!({"id": "n", "tenant_id": "t"})).unwrap();
        let new: NetworkInfo =
            serde_json::from_value(serde_json::json!({"id": "n", "project_id": "p", "tenant_id": "t"}))
                .unwrap();
        assert_eq!((old.project(), new.project()), ("t", "p"));
    }

    #[test]
    fn a_port_is_read_with_what_the_server_leaves_out() {
        let port: DhcpPort = serde_json::from_value(serde_json::json!({
            "id": "p", "mac_address": "fa:16:3e:00:00:01", "binding:host_id": "net1",
            "fixed_ips": [{"subnet_id": "s", "ip_address": "2001:db8::1"}],
            "extra_dhcp_opts": [{"opt_name": "mtu", "opt_value": "1400"}]}))
        .unwrap();
        assert_eq!(port.host_id.as_deref(), Some("net1"));
        assert_eq!(port.extra_dhcp_opts[0].ip_version, 4);
    }
}
