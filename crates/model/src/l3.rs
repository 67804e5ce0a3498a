//! What the L3 agent hears about its routers: the answers of `sync_routers` on topic `q-l3-plugin`.
//!
//! A router is its REST representation plus the keys with an underscore that only agents get. Fields that
//! no agent of ours reads are not declared; unknown ones are ignored, as every release added some.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// One router as `sync_routers` sends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Router {
    /// The router's id.
    pub id: String,
    /// False takes the whole router off the network.
    #[serde(default = "yes")]
    pub admin_state_up: bool,
    /// Whether addresses without a floating IP leave with the gateway's address. Absent means yes.
    #[serde(default = "maybe_yes")]
    pub enable_snat: Option<bool>,
    /// The port on the external network, if the router has a gateway.
    #[serde(default)]
    pub gw_port: Option<RouterPort>,
    /// The operator's static routes.
    #[serde(default)]
    pub routes: Vec<ExtraRoute>,
    /// The ports on the tenants' networks; absent when there are none.
    #[serde(default, rename = "_interfaces")]
    pub interfaces: Vec<RouterPort>,
    /// The floating IPs that are associated through this router; absent when there are none.
    #[serde(default, rename = "_floatingips")]
    pub floatingips: Vec<FloatingIp>,
    /// True for a distributed router, which a legacy agent does not serve.
    #[serde(default)]
    pub distributed: bool,
    /// True for a highly available router.
    #[serde(default)]
    pub ha: bool,
}

/// A router's port: the REST port plus what the agent needs of its subnets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterPort {
    /// The port's id; the device's name is made of its first eleven characters.
    pub id: String,
    /// The network the port is on.
    pub network_id: String,
    /// The port's MAC address, colon separated.
    pub mac_address: String,
    /// A port that is down has no device.
    #[serde(default = "yes")]
    pub admin_state_up: bool,
    /// The port's addresses with the prefix length of their subnet.
    #[serde(default)]
    pub fixed_ips: Vec<RouterFixedIp>,
    /// The subnets the port has addresses on.
    #[serde(default)]
    pub subnets: Vec<RouterSubnet>,
    /// The network's other subnets, reached directly without an address on them.
    #[serde(default)]
    pub extra_subnets: Vec<RouterSubnet>,
    /// Address scopes by IP version ("4", "6").
    #[serde(default)]
    pub address_scopes: BTreeMap<String, Option<String>>,
    /// The network's MTU in bytes; 0 or absent when unknown.
    #[serde(default)]
    pub mtu: Option<u32>,
}

/// An address of a router's port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterFixedIp {
    /// The subnet the address is from.
    pub subnet_id: String,
    /// The address.
    pub ip_address: IpAddr,
    /// The subnet's prefix length; a host address when absent.
    #[serde(default)]
    pub prefixlen: Option<u8>,
}

/// What a router's port says about a subnet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RouterSubnet {
    /// The subnet's id.
    pub id: String,
    /// The subnet's range.
    pub cidr: IpNet,
    /// The subnet's gateway, if it has one.
    #[serde(default)]
    pub gateway_ip: Option<IpAddr>,
    /// Name servers, announced by radvd for SLAAC subnets.
    #[serde(default)]
    pub dns_nameservers: Vec<IpAddr>,
    /// `slaac`, `dhcpv6-stateful`, `dhcpv6-stateless` or null.
    #[serde(default)]
    pub ipv6_ra_mode: Option<String>,
}

/// A static route of a router.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ExtraRoute {
    /// Where to.
    pub destination: IpNet,
    /// Through whom.
    pub nexthop: IpAddr,
}

/// A floating IP that is associated with a port behind the router.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FloatingIp {
    /// The floating IP's id.
    pub id: String,
    /// The address outside.
    pub floating_ip_address: IpAddr,
    /// The address inside.
    #[serde(default)]
    pub fixed_ip_address: Option<IpAddr>,
    /// `ACTIVE`, `DOWN` or `ERROR`, as the server last knew it.
    #[serde(default)]
    pub status: Option<String>,
    /// The address scope of the inner address.
    #[serde(default)]
    pub fixed_ip_address_scope: Option<String>,
}

fn yes() -> bool {
    true
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's own type")]
fn maybe_yes() -> Option<bool> {
    Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_router_without_interfaces_has_no_key_for_them() {
        let router: Router = serde_json::from_value(
            serde_json::json!({"id": "r", "gw_port": null, "routes": [], "flavor_id": null}),
        )
        .unwrap();
        assert!(router.admin_state_up && router.interfaces.is_empty() && router.floatingips.is_empty());
        assert_eq!(router.enable_snat, Some(true));
    }

    #[test]
    fn a_port_keeps_its_addresses_scopes_and_mtu() {
        let port: RouterPort = serde_json::from_value(serde_json::json!({
            "id": "p", "network_id": "n", "mac_address": "fa:16:3e:00:00:01", "mtu": 1450, "tags": [],
            "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1", "prefixlen": 24}],
            "subnets": [{"id": "s", "cidr": "10.0.0.0/24", "gateway_ip": null, "ipv6_ra_mode": null, "subnetpool_id": null}],
            "address_scopes": {"4": null, "6": "scope"}}))
        .unwrap();
        assert_eq!(port.fixed_ips[0].prefixlen, Some(24));
        assert_eq!(port.address_scopes["6"].as_deref(), Some("scope"));
        assert_eq!(port.mtu, Some(1450));
    }
}
