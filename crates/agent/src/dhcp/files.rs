//! The files that a network's dnsmasq reads, in the formats of Neutron's own agent, so that either can go on
//! with what the other has written. Pure: a network in, text out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::IpAddr;

use model::dhcp::{DEVICE_OWNER_DHCP, DhcpFixedIp, DhcpPort, DhcpSubnet, NetworkInfo};

use super::options::{METADATA_V4, Options};

/// Ports that need no lease and no name: their owners configure them by themselves.
const OWNERS_WITHOUT_LEASE: [&str; 4] =
    ["network:router_ha_interface", "network:floatingip", DEVICE_OWNER_DHCP, "network:distributed"];
/// Ports through which a router serves a subnet.
const OWNERS_OF_GATEWAYS: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];
/// A host line for DHCPv6 only matters to clients that asked by DHCPv6.
const TAG_DHCPV6: &str = "tag:dhcpv6,";
/// Windows 2003's number for the classless static routes of option 121.
const OPTION_WINDOWS_ROUTES: &str = "249";

/// One line to be made about a port: an address, or with `dnsmasq_enable_addr6_list` all its stateful IPv6
/// addresses of one subnet.
struct Host<'a> {
    port: &'a DhcpPort,
    subnet_id: &'a str,
    addresses: Vec<IpAddr>,
    /// The IPv6 subnet the address is from, if it is from one.
    subnet6: Option<&'a DhcpSubnet>,
}

impl Host<'_> {
    /// SLAAC and stateless clients make their addresses by themselves.
    fn takes_address(&self) -> bool {
        !matches!(self.mode6(), Some("slaac" | "dhcpv6-stateless"))
    }

    fn takes_options(&self) -> bool {
        self.mode6() != Some("slaac")
    }

    fn mode6(&self) -> Option<&str> {
        self.subnet6.and_then(|subnet| subnet.ipv6_address_mode.as_deref())
    }

    fn tag(&self) -> &'static str {
        if self.subnet6.is_some() { TAG_DHCPV6 } else { "" }
    }

    /// Short and full name, the server's if it knows one, else made of the first address.
    fn names(&self, dns_domain: &str) -> (String, String) {
        let assigned = self.addresses.iter().find_map(|address| {
            self.port.dns_assignment.iter().find(|assignment| assignment.ip_address == *address)
        });
        if let Some(assignment) = assigned {
            return (assignment.hostname.clone(), assignment.fqdn.clone());
        }
        let first = self.addresses.first().map(ToString::to_string).unwrap_or_default();
        let hostname = format!("host-{}", first.replace(['.', ':'], "-"));
        let fqdn = if dns_domain.is_empty() { hostname.clone() } else { format!("{hostname}.{dns_domain}") };
        (hostname, fqdn)
    }
}

/// Every address of every port that dnsmasq should know, in upstream's order: the addressless IPv6 lines of a
/// port first, because dnsmasq reads the file from its end and would take such a line for an IPv4 request.
fn hosts<'a>(network: &'a NetworkInfo, merge_ipv6: bool) -> Vec<Host<'a>> {
    let subnets6: BTreeMap<&str, &DhcpSubnet> = network
        .all_subnets()
        .filter(|subnet| subnet.ip_version == 6)
        .map(|subnet| (subnet.id.as_str(), subnet))
        .collect();
    let wanted =
        network.ports.iter().filter(|port| !OWNERS_WITHOUT_LEASE.contains(&port.device_owner.as_str()));
    wanted.flat_map(|port| hosts_of(port, &subnets6, merge_ipv6)).collect()
}

fn hosts_of<'a>(
    port: &'a DhcpPort,
    subnets6: &BTreeMap<&str, &'a DhcpSubnet>,
    merge_ipv6: bool,
) -> Vec<Host<'a>> {
    let host = |fixed_ip: &'a DhcpFixedIp| Host {
        port,
        subnet_id: &fixed_ip.subnet_id,
        addresses: vec![fixed_ip.ip_address],
        subnet6: subnets6.get(fixed_ip.subnet_id.as_str()).copied(),
    };
    let (mut hosts, rest): (Vec<_>, Vec<_>) =
        port.fixed_ips.iter().map(host).partition(|host| host.mode6() == Some("dhcpv6-stateless"));
    if !merge_ipv6 {
        hosts.extend(rest);
        return hosts;
    }
    let (stateful, rest): (Vec<_>, Vec<_>) =
        rest.into_iter().partition(|host| host.mode6() == Some("dhcpv6-stateful"));
    hosts.extend(rest);
    let mut merged: Vec<Host<'a>> = Vec::new();
    for host in stateful {
        match merged.iter_mut().find(|other| other.subnet_id == host.subnet_id) {
            Some(other) => other.addresses.extend(host.addresses),
            None => merged.push(host),
        }
    }
    hosts.extend(merged);
    hosts
}

fn for_dnsmasq(address: &IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("[{address}]"),
    }
}

fn is_client_id(opt_name: &str) -> bool {
    opt_name == "client-id" || opt_name == "61"
}

/// The file of `--dhcp-hostsfile`: who gets which address.
pub fn host_file(network: &NetworkInfo, options: &Options) -> String {
    let dhcp_subnets: BTreeSet<&str> =
        network.all_subnets().filter(|subnet| subnet.enable_dhcp).map(|subnet| subnet.id.as_str()).collect();
    let mut text = String::new();
    for host in hosts(network, options.dnsmasq_enable_addr6_list) {
        let (port, tag) = (host.port, host.tag());
        let mac = &port.mac_address;
        let has_options = !port.extra_dhcp_opts.is_empty();
        if !host.takes_address() {
            if host.takes_options() && has_options {
                let _ = writeln!(text, "{mac},{tag}set:port-{}", port.id);
            }
            continue;
        }
        if !dhcp_subnets.contains(host.subnet_id) {
            continue;
        }
        let (_, name) = host.names(&options.dns_domain);
        let address = host.addresses.iter().map(for_dnsmasq).collect::<Vec<_>>().join(",");
        let client_id = port
            .extra_dhcp_opts
            .iter()
            .find(|opt| is_client_id(&opt.opt_name))
            .and_then(|opt| opt.opt_value.as_deref())
            .map(|id| format!("id:{},", first_line(id)))
            .unwrap_or_default();
        let only_client_id = !client_id.is_empty() && port.extra_dhcp_opts.len() == 1;
        let set =
            if has_options && !only_client_id { format!(",set:port-{}", port.id) } else { String::new() };
        let _ = writeln!(text, "{mac},{tag}{client_id}{name},{address}{set}");
    }
    text
}

/// The file of `--addn-hosts`: names that are answered even when this server gave no lease.
pub fn addn_hosts_file(network: &NetworkInfo, options: &Options) -> String {
    let mut text = String::new();
    for host in hosts(network, false) {
        let (hostname, fqdn) = host.names(&options.dns_domain);
        for address in &host.addresses {
            // The full name first: it is the one that reverse look-ups get.
            let _ = writeln!(text, "{address}\t{fqdn} {hostname}");
        }
    }
    text
}

/// The file of `--dhcp-optsfile`: options by subnet, then by port. `own_addresses` is where this host's DHCP
/// port answers, by subnet.
pub fn opts_file(
    network: &NetworkInfo,
    own_addresses: &BTreeMap<String, IpAddr>,
    options: &Options,
) -> String {
    let mut lines = Vec::new();
    let mut without_nameservers = BTreeSet::new();
    for subnet in network.all_subnets() {
        let slaac = subnet.ip_version == 6 && subnet.ipv6_address_mode.as_deref() == Some("slaac");
        if !subnet.enable_dhcp || slaac {
            continue;
        }
        if subnet.dns_nameservers.is_empty() {
            without_nameservers.insert(subnet.id.as_str());
        }
        opts_of_subnet(network, subnet, own_addresses, options, &mut lines);
    }
    for port in &network.ports {
        opts_of_port(port, &mut lines);
    }
    nameservers_of_agents(network, &without_nameservers, &mut lines);
    lines.join("\n")
}

fn opts_of_subnet(
    network: &NetworkInfo,
    subnet: &DhcpSubnet,
    own_addresses: &BTreeMap<String, IpAddr>,
    options: &Options,
    lines: &mut Vec<String>,
) {
    let tag = format!("subnet-{}", subnet.id);
    let line = |name: &str, values: &[String]| option(subnet.ip_version, &tag, name, values);
    match subnet.dns_nameservers.as_slice() {
        [] => {}
        // The unspecified address says: announce no name server at all.
        [only] if only.is_unspecified() => lines.push(line("dns-server", &[])),
        servers => {
            lines.push(line("dns-server", &servers.iter().map(for_dnsmasq).collect::<Vec<_>>()));
        }
    }
    if subnet.ip_version == 6 {
        if !options.dns_domain.is_empty() {
            lines.push(line("domain-search", std::slice::from_ref(&options.dns_domain)));
        }
        return;
    }
    let (routes, gateway) = routes_of_subnet(network, subnet, own_addresses, options);
    if !routes.is_empty() {
        lines.push(line("classless-static-route", &routes));
        lines.push(line(OPTION_WINDOWS_ROUTES, &routes));
    }
    lines.push(line("router", &gateway.map(|gateway| gateway.to_string()).into_iter().collect::<Vec<_>>()));
}

/// The routes to announce as `destination,nexthop`, and the gateway.
fn routes_of_subnet(
    network: &NetworkInfo,
    subnet: &DhcpSubnet,
    own_addresses: &BTreeMap<String, IpAddr>,
    options: &Options,
) -> (Vec<String>, Option<IpAddr>) {
    let mut gateway = subnet.gateway_ip;
    let mut routes = Vec::new();
    for route in &subnet.host_routes {
        if route.destination.prefix_len() == 0 && route.destination.network().is_ipv4() {
            gateway = gateway.or(Some(route.nexthop));
        } else {
            routes.push(format!("{},{}", route.destination, route.nexthop));
        }
    }
    let isolated = is_isolated(network, subnet);
    let metadata = if options.force_metadata || (isolated && options.enable_isolated_metadata) {
        own_addresses.get(&subnet.id).copied()
    } else if isolated {
        None
    } else {
        gateway
    };
    if let Some(nexthop) = metadata {
        routes.push(format!("{METADATA_V4}/32,{nexthop}"));
    }
    for other in network.all_subnets() {
        if other.ip_version == 4 && other.cidr != subnet.cidr && other.segment_id == subnet.segment_id {
            routes.insert(0, format!("{},0.0.0.0", other.cidr));
        }
    }
    if let (false, Some(gateway)) = (routes.is_empty(), gateway) {
        routes.push(format!("0.0.0.0/0,{gateway}"));
    }
    (routes, gateway)
}

fn opts_of_port(port: &DhcpPort, lines: &mut Vec<String>) {
    let has_ipv4 = port.fixed_ips.iter().any(|fixed_ip| fixed_ip.ip_address.is_ipv4());
    let has_ipv6 = port.fixed_ips.iter().any(|fixed_ip| fixed_ip.ip_address.is_ipv6());
    for opt in &port.extra_dhcp_opts {
        let usable = if opt.ip_version == 6 { has_ipv6 } else { has_ipv4 };
        if is_client_id(&opt.opt_name) || !usable {
            continue;
        }
        let values: Vec<String> = opt.opt_value.iter().cloned().collect();
        lines.push(option(opt.ip_version, &format!("port-{}", port.id), &opt.opt_name, &values));
    }
}

/// With several DHCP servers on a subnet that names no name server, each announces all of them.
fn nameservers_of_agents(network: &NetworkInfo, without: &BTreeSet<&str>, lines: &mut Vec<String>) {
    let mut servers: Vec<(&str, Vec<IpAddr>)> = Vec::new();
    let ports = network.ports.iter().filter(|port| port.device_owner == DEVICE_OWNER_DHCP);
    for fixed_ip in ports.flat_map(|port| &port.fixed_ips) {
        if !without.contains(fixed_ip.subnet_id.as_str()) {
            continue;
        }
        match servers.iter_mut().find(|(subnet_id, _)| *subnet_id == fixed_ip.subnet_id) {
            Some((_, addresses)) => addresses.push(fixed_ip.ip_address),
            None => servers.push((&fixed_ip.subnet_id, vec![fixed_ip.ip_address])),
        }
    }
    for (subnet_id, addresses) in servers {
        for ip_version in [4, 6] {
            let of_version: Vec<String> =
                addresses.iter().filter(|ip| ip.is_ipv6() == (ip_version == 6)).map(for_dnsmasq).collect();
            if of_version.len() > 1 {
                lines.push(option(ip_version, &format!("subnet-{subnet_id}"), "dns-server", &of_version));
            }
        }
    }
}

/// A user's value ends with its first line: another would begin a line of the user's making.
fn first_line(text: &str) -> &str {
    text.split('\n').next().unwrap_or_default()
}

/// One line of the options file. A name may bring a tag of its own (`tag:ipxe,67`).
fn option(ip_version: u8, tag: &str, name: &str, values: &[String]) -> String {
    let name = first_line(name);
    let (extra_tag, name) = match name.strip_prefix("tag:").and_then(|rest| rest.rsplit_once(',')) {
        Some((extra, name)) => (Some(format!("tag:{extra}")), name),
        None => (None, name),
    };
    let numeric = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_digit());
    let name = match (ip_version, numeric) {
        (6, _) => format!("option6:{name}"),
        (_, true) => name.to_owned(),
        (_, false) => format!("option:{name}"),
    };
    let parts = [format!("tag:{tag}")].into_iter().chain(extra_tag).chain([name]);
    parts.chain(values.iter().map(|value| first_line(value).to_owned())).collect::<Vec<_>>().join(",")
}

/// Whether no router serves the subnet: none has a port with its gateway's address.
pub fn is_isolated(network: &NetworkInfo, subnet: &DhcpSubnet) -> bool {
    !network
        .ports
        .iter()
        .filter(|port| OWNERS_OF_GATEWAYS.contains(&port.device_owner.as_str()))
        .flat_map(|port| &port.fixed_ips)
        .any(|fixed_ip| fixed_ip.subnet_id == subnet.id && Some(fixed_ip.ip_address) == subnet.gateway_ip)
}

/// The lease file that a starting dnsmasq finds: an endless lease for every port, so that nobody who renews
/// gets a refusal, and what the old file knew of IPv6, as that cannot be made up.
pub fn lease_file(network: &NetworkInfo, existing: &str) -> String {
    let enabled = |ip_version: u8| -> BTreeSet<&str> {
        let subnets =
            network.all_subnets().filter(|subnet| subnet.enable_dhcp && subnet.ip_version == ip_version);
        subnets.map(|subnet| subnet.id.as_str()).collect()
    };
    let (subnets4, subnets6) = (enabled(4), enabled(6));
    let mut text = String::new();
    for line in existing.lines().filter(|line| line.starts_with("duid ")) {
        let _ = writeln!(text, "{line}");
    }
    let old6: BTreeMap<IpAddr, &str> = leases(existing)
        .into_iter()
        .filter(|lease| lease.address.is_ipv6())
        .map(|lease| (lease.address, lease.line))
        .collect();
    for host in hosts(network, false).iter().filter(|host| host.takes_address()) {
        for address in &host.addresses {
            if subnets4.contains(host.subnet_id) {
                let _ = writeln!(text, "0 {} {address} * *", host.port.mac_address);
            } else if let (true, Some(line)) = (subnets6.contains(host.subnet_id), old6.get(address)) {
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

/// A line of dnsmasq's lease file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease<'a> {
    /// The leased address.
    pub address: IpAddr,
    /// The MAC address (IPv4), or the identity association (IPv6).
    pub mac: &'a str,
    /// The client's identifier or `*`.
    pub client_id: &'a str,
    line: &'a str,
}

/// Reads a lease file; lines of another form are passed over.
pub fn leases(text: &str) -> Vec<Lease<'_>> {
    let parse = |line| {
        let fields: Vec<&str> = str::split_whitespace(line).collect();
        let [_, mac, address, _, client_id] = fields.as_slice() else { return None };
        let address = address.trim_matches(['[', ']']).parse().ok()?;
        Some(Lease { address, mac, client_id, line })
    };
    text.lines().filter_map(parse).collect()
}

/// The leases that no port stands behind any more.
pub fn stale_leases<'a>(network: &NetworkInfo, existing: &'a str) -> Vec<Lease<'a>> {
    let held = |lease: &Lease<'_>| {
        network.ports.iter().any(|port| {
            let mac = lease.address.is_ipv6() || port.mac_address.eq_ignore_ascii_case(lease.mac);
            mac && port.fixed_ips.iter().any(|fixed_ip| fixed_ip.ip_address == lease.address)
        })
    };
    leases(existing).into_iter().filter(|lease| !held(lease)).collect()
}

#[cfg(test)]
mod tests;
