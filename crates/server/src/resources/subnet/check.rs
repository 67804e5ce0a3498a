//! Whether a subnet makes sense: upstream's rules, order and words. Pure.

use crate::attr::Body;
use crate::fault::Fault;
use crate::ipam::range::{Number, Range, usable_bounds};
use crate::ml2::options::CoreOptions;
use crate::ml2::segment::invalid;
use crate::py;
use crate::resources::rows::{flag, items, number, text};
use ipnet::IpNet;
use serde_json::Value;
use std::net::IpAddr;

/// Modes in which ports make their own addresses.
pub const AUTO_MODES: [&str; 2] = ["slaac", "dhcpv6-stateless"];

/// Whether ports of a subnet make their own addresses.
pub fn is_auto(subnet: &Body) -> bool {
    ["ipv6_ra_mode", "ipv6_address_mode"].iter().any(|mode| AUTO_MODES.contains(&text(subnet, mode)))
}

/// The version of an address or of an address with a prefix length.
fn version_of(address: &str) -> Option<i64> {
    let address = address.split('/').next().unwrap_or(address);
    address.parse::<IpAddr>().ok().map(|a| if a.is_ipv4() { 4 } else { 6 })
}

fn of_version(version: i64, address: &str, name: &str) -> Result<(), Fault> {
    match version_of(address) {
        Some(own) if own == version => Ok(()),
        _ => Err(invalid(format!("{name} '{address}' does not match the ip_version '{version}'"))),
    }
}

/// Whether a new subnet makes sense (`old` is none), or one after a change: `subnet` then has the changes and
/// the version and range of what is there.
pub fn check(options: &CoreOptions, subnet: &Body, old: Option<&Body>) -> Result<(), Fault> {
    let version = number(subnet, "ip_version");
    let cidr: Option<IpNet> = match subnet.get("cidr").and_then(Value::as_str) {
        Some(cidr) => {
            of_version(version, cidr, "cidr")?;
            cidr.parse().ok()
        }
        None => None,
    };
    if let Some(cidr) = &cidr {
        check_range(version, cidr, subnet, old)?;
    }
    if let Some(gateway) = subnet.get("gateway_ip").and_then(Value::as_str).filter(|g| !g.is_empty()) {
        of_version(version, gateway, "gateway_ip")?;
        if cidr.is_some_and(|cidr| is_reserved(&cidr, gateway)) {
            return Err(invalid("Gateway is not valid on subnet"));
        }
    }
    check_lists(options, version, subnet)?;
    if version == 4 {
        for mode in ["ipv6_ra_mode", "ipv6_address_mode"] {
            if subnet.get(mode).is_some_and(|v| !v.is_null()) {
                return Err(invalid(format!("{mode} is not valid when ip_version is 4")));
            }
        }
        return Ok(());
    }
    check_modes(subnet, old, cidr.as_ref())
}

fn check_range(version: i64, cidr: &IpNet, subnet: &Body, old: Option<&Body>) -> Result<(), Fault> {
    if version == 6 && Number::from(cidr.network()).value == 0 {
        return Err(invalid("IPv6 subnet '::' is not supported"));
    }
    if !flag(subnet, "enable_dhcp") || old.is_some_and(|old| flag(old, "enable_dhcp")) {
        return Ok(());
    }
    let longest = if version == 4 { 30 } else { 126 };
    let within = |net: &str| net.parse::<IpNet>().is_ok_and(|net| net.contains(cidr));
    if cidr.prefix_len() > longest {
        return Err(invalid("Subnet has a prefix length that is incompatible with DHCP service enabled"));
    }
    if within("224.0.0.0/4") || within("ff00::/8") {
        return Err(invalid("Multicast IP subnet is not supported if enable_dhcp is True"));
    }
    if within("127.0.0.0/8") || within("::1/128") {
        return Err(invalid("Loopback IP subnet is not supported if enable_dhcp is True"));
    }
    if version == 4 && Number::from(cidr.network()).value == 0 {
        return Err(invalid("First IP '0.0.0.0' of network is not supported if enable_dhcp is True."));
    }
    Ok(())
}

/// Whether an address is the network's own or the broadcast address of an IPv4 subnet.
pub fn is_reserved(cidr: &IpNet, address: &str) -> bool {
    match (cidr, address.parse::<IpAddr>()) {
        (IpNet::V4(v4), Ok(IpAddr::V4(address))) => address == v4.network() || address == v4.broadcast(),
        _ => false,
    }
}

fn check_lists(options: &CoreOptions, version: i64, subnet: &Body) -> Result<(), Fault> {
    let subnet_id = match text(subnet, "id") {
        "" => "new subnet".to_string(),
        id => id.to_string(),
    };
    let servers = items(subnet, "dns_nameservers");
    if servers.len() > options.max_dns_nameservers {
        let quota = options.max_dns_nameservers.to_string();
        return Err(Fault::DNSNameServersExhausted { subnet_id, quota });
    }
    for server in servers {
        of_version(version, &py::text(server), "dns_nameserver")?;
    }
    let routes = items(subnet, "host_routes");
    if routes.len() > options.max_subnet_host_routes {
        let quota = options.max_subnet_host_routes.to_string();
        return Err(Fault::HostRoutesExhausted { subnet_id, quota });
    }
    for route in routes {
        for key in ["nexthop", "destination"] {
            of_version(version, route.get(key).and_then(Value::as_str).unwrap_or_default(), key)?;
        }
    }
    Ok(())
}

fn check_modes(subnet: &Body, old: Option<&Body>, cidr: Option<&IpNet>) -> Result<(), Fault> {
    let set = |body: &Body, mode: &str| body.get(mode).is_some_and(|v| !v.is_null());
    let any = |body: &Body| set(body, "ipv6_ra_mode") || set(body, "ipv6_address_mode");
    let off = subnet.get("enable_dhcp").and_then(Value::as_bool) == Some(false);
    if let Some(old) = old {
        return match off && (any(subnet) || any(old)) {
            true => Err(invalid("Cannot disable enable_dhcp with ipv6 attributes set")),
            false => Ok(()),
        };
    }
    if any(subnet) && off {
        return Err(invalid(
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
        ));
    }
    let (ra, address) = (text(subnet, "ipv6_ra_mode"), text(subnet, "ipv6_address_mode"));
    if set(subnet, "ipv6_ra_mode") && set(subnet, "ipv6_address_mode") && ra != address {
        return Err(invalid(format!(
            "ipv6_ra_mode set to '{ra}' with ipv6_address_mode set to '{address}' is not valid. If both attributes are set, they must be the same value"
        )));
    }
    match cidr {
        Some(net) if is_auto(subnet) && net.prefix_len() != 64 => Err(invalid(format!(
            "Invalid CIDR {} for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64",
            text(subnet, "cidr")
        ))),
        _ => Ok(()),
    }
}

/// `allocation_pools` as ranges.
pub fn ranges(pools: &[Value]) -> Result<Vec<Range>, Fault> {
    let range = |pool: &Value| {
        let address = |key: &str| pool.get(key).and_then(Value::as_str).and_then(|a| a.parse().ok());
        let range = address("start").zip(address("end")).and_then(|(first, last)| Range::new(first, last));
        range.ok_or_else(|| Fault::InvalidAllocationPool { pool: py::repr(pool) })
    };
    pools.iter().map(range).collect()
}

/// Whether pools lie in the subnet and apart from each other.
pub fn check_pools(pools: &[Range], cidr: &IpNet) -> Result<(), Fault> {
    let bounds = usable_bounds(cidr);
    let subnet_cidr = cidr.to_string();
    for pool in pools {
        if pool.first.version != bounds.first.version {
            return Err(Fault::InvalidAllocationPool { pool: pool.to_string() });
        }
        if pool.first < bounds.first || pool.last > bounds.last {
            return Err(Fault::OutOfBoundsAllocationPool { pool: pool.to_string(), subnet_cidr });
        }
    }
    for (at, left) in pools.iter().enumerate() {
        if let Some(right) = pools.iter().skip(at + 1).find(|right| left.overlaps(right)) {
            let (pool_1, pool_2) = (left.to_string(), right.to_string());
            return Err(Fault::OverlappingAllocationPools { pool_1, pool_2, subnet_cidr });
        }
    }
    Ok(())
}

/// Whether the gateway is outside of all pools.
pub fn check_gateway(gateway: IpAddr, pools: &[Range]) -> Result<(), Fault> {
    match pools.iter().find(|pool| pool.contains(gateway.into())) {
        Some(pool) => Err(Fault::GatewayConflictWithAllocationPools {
            ip_address: gateway.to_string(),
            pool: pool.to_string(),
        }),
        None => Ok(()),
    }
}

/// The gateway of a subnet whose owner did not say: its first address in IPv4, the routers' anycast address in
/// IPv6.
pub fn default_gateway(cidr: &IpNet) -> IpAddr {
    let mut gateway = Number::from(cidr.network());
    if gateway.version == 4 {
        gateway.value += 1;
    }
    gateway.into()
}

/// `type:list_of_subnet_service_types`
pub fn service_types(value: &Value) -> Result<(), Fault> {
    if py::is_false(value) {
        return Ok(());
    }
    let Value::Array(types) = value else {
        return Err(Fault::BadRequest { text: "Subnet service types must be a list.".into() });
    };
    // Upstream adds the letters of "compute:" one by one to its list of prefixes.
    let known = |t: &str| {
        ["network:", "neutron:"].iter().any(|p| t.starts_with(p)) || t.starts_with(|c| "compute:".contains(c))
    };
    for service_type in types {
        match service_type.as_str() {
            None => {
                return Err(Fault::InvalidInputSubnetServiceType { service_type: py::text(service_type) });
            }
            Some(text) if !known(text) => {
                return Err(Fault::InvalidSubnetServiceType { service_type: text.into() });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
