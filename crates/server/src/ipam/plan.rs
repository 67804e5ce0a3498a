//! Which addresses a port shall get, from which subnets: upstream's rules and words. Pure.

use crate::fault::Fault;
use crate::ipam::range::{Number, Range};
use crate::ml2::segment::invalid;
use ipnet::IpNet;
use model::Mac;
use serde_json::Value;
use std::net::{IpAddr, Ipv6Addr};

/// Owners of ports that are routers' interfaces.
pub const ROUTER_INTERFACES: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];
/// The owner of the port through which a distributed router's hosts reach SNAT.
const ROUTER_SNAT: &str = "network:router_centralized_snat";
/// The owner of a router's gateway port.
pub const ROUTER_GATEWAY: &str = "network:router_gateway";

/// Whether a port is a router's interface, the one for SNAT included.
pub fn is_router_interface(owner: &str) -> bool {
    ROUTER_INTERFACES.contains(&owner) || owner == ROUTER_SNAT
}

/// A subnet that a port may have addresses of.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The subnet's id.
    pub id: String,
    /// Its range.
    pub cidr: IpNet,
    /// Whether ports make their own addresses of their MAC addresses (SLAAC, stateless DHCPv6).
    pub auto: bool,
    /// Its allocation pools.
    pub pools: Vec<Range>,
    /// Whether it is for ports of some owners only.
    pub dedicated: bool,
    /// `enable_dhcp`
    pub dhcp: bool,
}

/// One address to be taken.
#[derive(Debug, Clone, PartialEq)]
pub enum Want {
    /// This address of this subnet.
    Exact(usize, Number),
    /// The address that the port makes of its MAC address.
    Auto(usize, Number),
    /// Any address of the first of these subnets that has one.
    Any(Vec<usize>),
}

/// What matters of a port.
#[derive(Debug, Clone)]
pub struct Port<'a> {
    /// Its network.
    pub network_id: &'a str,
    /// `device_owner`
    pub owner: &'a str,
    /// Its MAC address.
    pub mac: Mac,
    /// `fixed_ips` as the client gave it; none where it did not.
    pub fixed_ips: Option<&'a [Value]>,
}

/// The address that a port makes of its MAC address in a /64.
pub fn eui64(cidr: &IpNet, mac: Mac) -> Number {
    let IpAddr::V6(base) = cidr.network() else { return Number::from(cidr.network()) };
    Number::from(IpAddr::V6(Ipv6Addr::from(u128::from(base) | u128::from(mac.eui64()))))
}

/// Whether an address looks as if made of a MAC address.
pub fn is_eui64(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(_) => false,
        IpAddr::V6(v6) => (u128::from(v6) >> 24) & 0xffff == 0xfffe,
    }
}

/// Whether a port of this owner may have this address of this subnet.
pub fn fits(cidr: &IpNet, address: IpAddr, owner: &str) -> bool {
    if !cidr.contains(&address) {
        return false;
    }
    match cidr {
        IpNet::V4(v4) => IpAddr::V4(v4.network()) != address && IpAddr::V4(v4.broadcast()) != address,
        IpNet::V6(v6) => {
            let router = owner.is_empty() || owner == ROUTER_GATEWAY || is_router_interface(owner);
            router || IpAddr::V6(v6.network()) != address
        }
    }
}

/// What to take for a new port.
pub fn plan(port: &Port<'_>, subnets: &[Candidate]) -> Result<Vec<Want>, Fault> {
    let mut wants = match port.fixed_ips {
        Some(fixed) => fixed_ips(port, fixed, subnets)?,
        None => {
            let of_version = |v4: bool| -> Vec<usize> {
                let fit = |s: &Candidate| matches!(s.cidr, IpNet::V4(_)) == v4 && (v4 || !s.auto);
                (0..subnets.len()).filter(|at| subnets.get(*at).is_some_and(fit)).collect()
            };
            let both = [of_version(true), of_version(false)];
            both.into_iter().filter(|some| !some.is_empty()).map(Want::Any).collect()
        }
    };
    wants.extend(auto(port, subnets, &[]));
    // Addresses that are named come first: those left to us must not take them.
    wants.sort_by_key(|want| !matches!(want, Want::Exact(..)));
    Ok(wants)
}

/// The addresses that a port has of its own, except on the subnets named.
pub fn auto(port: &Port<'_>, subnets: &[Candidate], except: &[&str]) -> Vec<Want> {
    if is_router_interface(port.owner) {
        return Vec::new();
    }
    let own = subnets.iter().enumerate().filter(|(_, s)| s.auto && !except.contains(&s.id.as_str()));
    own.map(|(at, s)| Want::Auto(at, eui64(&s.cidr, port.mac))).collect()
}

/// What the entries of `fixed_ips` ask for; subnets with addresses made by ports are left to [`auto`].
pub fn fixed_ips(port: &Port<'_>, fixed: &[Value], subnets: &[Candidate]) -> Result<Vec<Want>, Fault> {
    let mut wants = Vec::new();
    for entry in fixed {
        let address = entry.get("ip_address").and_then(Value::as_str).and_then(|a| a.parse::<IpAddr>().ok());
        let (at, subnet) = subnet_for(port, entry, address, subnets)?;
        match address {
            Some(address) => {
                let number = Number::from(address);
                if subnet.auto
                    && !ROUTER_INTERFACES.contains(&port.owner)
                    && eui64(&subnet.cidr, port.mac) != number
                {
                    let (ip, subnet_id) = (address.to_string(), subnet.id.clone());
                    return Err(Fault::AllocationOnAutoAddressSubnet { ip, subnet_id });
                }
                wants.push(Want::Exact(at, number));
            }
            None if is_router_interface(port.owner) || !subnet.auto => wants.push(Want::Any(vec![at])),
            None => {}
        }
    }
    // An address of its own that was also named is taken once.
    Ok(wants)
}

fn subnet_for<'s>(
    port: &Port<'_>,
    entry: &Value,
    address: Option<IpAddr>,
    subnets: &'s [Candidate],
) -> Result<(usize, &'s Candidate), Fault> {
    if subnets.is_empty() {
        return Err(invalid("IP allocation requires subnets for network"));
    }
    if let Some(wanted) = entry.get("subnet_id").and_then(Value::as_str) {
        let found = subnets.iter().enumerate().find(|(_, s)| s.id.eq_ignore_ascii_case(wanted));
        let Some((at, subnet)) = found else {
            return Err(invalid(format!(
                "Failed to create port on network {}, because fixed_ips included invalid subnet {wanted}",
                port.network_id
            )));
        };
        if let Some(address) = address.filter(|a| !fits(&subnet.cidr, *a, port.owner)) {
            return Err(Fault::InvalidIpForSubnet { ip_address: address.to_string() });
        }
        return Ok((at, subnet));
    }
    let Some(address) = address else {
        return Err(invalid("IP allocation requires subnet_id or ip_address"));
    };
    let found = subnets.iter().enumerate().find(|(_, s)| fits(&s.cidr, address, port.owner));
    found.ok_or_else(|| Fault::InvalidIpForNetwork { ip_address: address.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn subnet(id: &str, cidr: &str, auto: bool) -> Candidate {
        let cidr: IpNet = cidr.parse().unwrap();
        let pools = crate::ipam::range::default_pools(&cidr, None);
        Candidate { id: id.into(), cidr, auto, pools, dedicated: false, dhcp: true }
    }

    fn show(owner: &str, fixed: Value) -> String {
        let subnets = [
            subnet("v4", "10.0.0.0/24", false),
            subnet("v4b", "10.0.1.0/24", false),
            subnet("v6", "fd00:1::/64", false),
            subnet("auto", "fd00:2::/64", true),
        ];
        let mac: Mac = "fa:16:3e:00:00:01".parse().unwrap();
        let port = Port { network_id: "n", owner, mac, fixed_ips: fixed.as_array().map(Vec::as_slice) };
        match plan(&port, &subnets) {
            Err(fault) => fault.to_string(),
            Ok(wants) => {
                let one = |want: &Want| match want {
                    Want::Exact(at, number) => format!("{}={number}", subnets[*at].id),
                    Want::Auto(at, number) => format!("{}~{number}", subnets[*at].id),
                    Want::Any(some) => {
                        some.iter().map(|at| subnets[*at].id.as_str()).collect::<Vec<_>>().join("|")
                    }
                };
                wants.iter().map(one).collect::<Vec<_>>().join(" ")
            }
        }
    }

    #[test]
    fn a_port_gets_what_it_asks_for() {
        let own = "auto~fd00:2::f816:3eff:fe00:1";
        let router = "network:router_interface";
        let cases = [
            ("", json!(null), format!("v4|v4b v6 {own}")),
            (router, json!(null), "v4|v4b v6".to_string()),
            ("", json!([]), own.to_string()),
            ("", json!([{"ip_address": "10.0.1.7"}]), format!("v4b=10.0.1.7 {own}")),
            ("", json!([{"subnet_id": "v6"}, {"ip_address": "10.0.0.7"}]), format!("v4=10.0.0.7 v6 {own}")),
            ("", json!([{"subnet_id": "auto"}]), own.to_string()),
            (router, json!([{"subnet_id": "auto"}]), "auto".to_string()),
            (router, json!([{"subnet_id": "auto", "ip_address": "fd00:2::"}]), "auto=fd00:2::".to_string()),
            (
                "",
                json!([{"ip_address": "10.9.0.1"}]),
                "IP address 10.9.0.1 is not a valid IP for any of the subnets on the specified network.".into(),
            ),
            (
                "",
                json!([{"subnet_id": "v4", "ip_address": "10.0.0.255"}]),
                "IP address 10.0.0.255 is not a valid IP for the specified subnet.".into(),
            ),
            (
                "",
                json!([{"subnet_id": "other"}]),
                "Invalid input for operation: Failed to create port on network n, because fixed_ips included invalid subnet other.".into(),
            ),
            ("", json!([{}]), "Invalid input for operation: IP allocation requires subnet_id or ip_address.".into()),
            (
                "",
                json!([{"ip_address": "fd00:2::5"}]),
                "IPv6 address fd00:2::5 cannot be directly assigned to a port on subnet auto as the subnet is configured for automatic addresses".into(),
            ),
        ];
        for (owner, fixed, expected) in cases {
            assert_eq!(show(owner, fixed.clone()), expected, "{owner} {fixed}");
        }
    }

    #[test]
    fn addresses_made_of_macs_are_recognised() {
        assert!(is_eui64("fd00:2::f816:3eff:fe00:1".parse().unwrap()));
        assert!(!is_eui64("fd00:2::1".parse().unwrap()));
        assert!(!is_eui64("10.0.0.1".parse().unwrap()));
    }
}
