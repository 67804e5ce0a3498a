//! What serving a network with DHCP is on this host: a namespace with the DHCP port's device, a dnsmasq with its
//! files, and, where no router does it, a listener for metadata. Pure.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::PathBuf;

use host::daemon::{ConfigFile, Daemon, Reload};
use host::iptables::{Families, Features, Ruleset, Table};
use ipnet::IpNet;
use model::dhcp::{DhcpPort, DhcpSubnet, NetworkInfo};

use super::files;
use super::options::{METADATA_V4, METADATA_V6, Options};
use crate::netns::{Device, Namespace, default_route, device_name, onlink_route};

/// How DHCP servers' namespaces begin.
pub const NAMESPACE_PREFIX: &str = "qdhcp-";
/// The program.
pub const DNSMASQ: &str = "dnsmasq";
/// The name that chains begin with.
const BINARY: &str = "neutron-dhcp-agent";
const FILE_MODE: u32 = 0o644;
/// SLAAC needs a prefix of this length, and dnsmasq serves no longer range.
const IPV6_PREFIX_MIN: u8 = 64;

/// A network served on this host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    /// The namespace.
    pub namespace: Namespace,
    /// The DHCP port's device.
    pub interface: String,
    /// The server.
    pub dnsmasq: Daemon,
    /// The file that dnsmasq reads once, at its start.
    pub lease_file: PathBuf,
    /// Where metadata requests are to be taken.
    pub metadata: Vec<IpAddr>,
}

/// Whether the network wants a DHCP server at all.
pub fn is_wanted(network: &NetworkInfo) -> bool {
    network.admin_state_up && network.subnets.iter().any(|subnet| subnet.enable_dhcp)
}

/// The namespace of a network's DHCP server.
pub fn namespace_name(network_id: &str) -> String {
    format!("{NAMESPACE_PREFIX}{network_id}")
}

/// The addresses of our DHCP port by subnet.
fn own_addresses(network: &NetworkInfo, port: &DhcpPort) -> BTreeMap<String, IpAddr> {
    let dhcp_subnets: Vec<&str> =
        network.subnets.iter().filter(|subnet| subnet.enable_dhcp).map(|subnet| subnet.id.as_str()).collect();
    let own = port.fixed_ips.iter().filter(|fixed_ip| dhcp_subnets.contains(&fixed_ip.subnet_id.as_str()));
    own.map(|fixed_ip| (fixed_ip.subnet_id.clone(), fixed_ip.ip_address)).collect()
}

/// What serves `network` from `port`, our DHCP port on it. `old_host_file` is the host file as it is now: with
/// it is decided how dnsmasq takes note of a new one.
pub fn desired(network: &NetworkInfo, port: &DhcpPort, options: &Options, old_host_file: &str) -> Served {
    let own = own_addresses(network, port);
    let interface = device_name(options.interfaces.dhcp_prefix(), &port.id);
    let directory = options.dhcp_confs.join(&network.id);
    let file = |name: &str, text: String| ConfigFile { path: directory.join(name), text, mode: FILE_MODE };
    let host_file = files::host_file(network, options);
    let reload = reload(old_host_file, &host_file);
    let dnsmasq = Daemon {
        argv: command_line(network, options),
        files: vec![
            file("host", host_file),
            file("addn_hosts", files::addn_hosts_file(network, options)),
            file("opts", files::opts_file(network, &own, options)),
            file("interface", interface.clone()),
        ],
        pid_file: directory.join("pid"),
        reload,
    };
    Served {
        namespace: namespace(network, port, &own, &interface, options),
        lease_file: directory.join("leases"),
        metadata: metadata(network, options),
        interface,
        dnsmasq,
    }
}

/// dnsmasq 2.90 dies of the signal when its host file has tags in it, so then it is started anew.
fn reload(old_host_file: &str, host_file: &str) -> Reload {
    let has_tags = |text: &str| text.contains(",set:");
    if has_tags(old_host_file) || has_tags(host_file) { Reload::Restart } else { Reload::HangUp }
}

/// The command line that Neutron's own agent starts dnsmasq with.
fn command_line(network: &NetworkInfo, options: &Options) -> Vec<String> {
    let directory = options.dhcp_confs.join(&network.id);
    let path = |name: &str| directory.join(name).display().to_string();
    let mut argv = vec![DNSMASQ.to_owned(), "--no-hosts".to_owned()];
    if !options.dnsmasq_dns_servers.is_empty() || !options.dnsmasq_local_resolv {
        argv.push("--no-resolv".to_owned());
    }
    argv.extend([
        format!("--pid-file={}", path("pid")),
        format!("--dhcp-hostsfile={}", path("host")),
        format!("--addn-hosts={}", path("addn_hosts")),
        format!("--dhcp-optsfile={}", path("opts")),
        format!("--dhcp-leasefile={}", path("leases")),
        "--dhcp-match=set:ipxe,175".to_owned(),
        "--dhcp-userclass=set:ipxe6,iPXE".to_owned(),
        "--local-service".to_owned(),
        "--bind-dynamic".to_owned(),
    ]);
    let served: Vec<&DhcpSubnet> = network.subnets.iter().filter(|subnet| subnet.enable_dhcp).collect();
    argv.extend(served.iter().filter_map(|subnet| range(subnet, options)));
    if let Some(mtu) = network.mtu.filter(|mtu| *mtu > 0) {
        argv.push(format!("--dhcp-option-force=option:mtu,{mtu}"));
    }
    let leases: u128 = served.iter().filter(|subnet| range(subnet, options).is_some()).map(|s| size(s)).sum();
    argv.push(format!("--dhcp-lease-max={}", leases.min(u128::from(options.dnsmasq_lease_max))));
    argv.extend(command_line_end(network, options));
    argv
}

fn command_line_end(network: &NetworkInfo, options: &Options) -> Vec<String> {
    let mut argv = Vec::new();
    for (name, seconds) in [("T1", options.dhcp_renewal_time), ("T2", options.dhcp_rebinding_time)] {
        if seconds > 0 {
            argv.push(format!("--dhcp-option-force=option:{name},{seconds}s"));
        }
    }
    if !options.dnsmasq_txt_record.is_empty() {
        argv.push(format!("--txt-record={}", options.dnsmasq_txt_record));
    }
    let config_file = options.dnsmasq_config_file.trim();
    argv.push(format!("--conf-file={}", if config_file.is_empty() { "/dev/null" } else { config_file }));
    argv.extend(options.dnsmasq_dns_servers.iter().map(|server| format!("--server={server}")));
    if !options.dns_domain.is_empty() {
        argv.push(format!("--domain={}", options.dns_domain));
    }
    if options.dhcp_broadcast_reply {
        argv.push("--dhcp-broadcast".to_owned());
    }
    if let Some(base) = &options.dnsmasq_base_log_dir {
        let log = base.join(&network.id).join("dhcp_dns_log");
        argv.extend(["--log-queries".to_owned(), "--log-dhcp".to_owned()]);
        argv.push(format!("--log-facility={}", log.display()));
    }
    if !options.confs_are_public {
        argv.push("--user=root".to_owned());
    }
    argv
}

fn size(subnet: &DhcpSubnet) -> u128 {
    let bits = subnet.cidr.max_prefix_len() - subnet.cidr.prefix_len();
    1_u128.checked_shl(u32::from(bits)).unwrap_or(u128::MAX >> 8)
}

/// The range of a subnet that clients get addresses or options from by DHCP.
fn range(subnet: &DhcpSubnet, options: &Options) -> Option<String> {
    let lease = match options.dhcp_lease_duration {
        -1 => "infinite".to_owned(),
        seconds => format!("{seconds}s"),
    };
    let (id, network) = (&subnet.id, subnet.cidr.network());
    match subnet.cidr {
        IpNet::V4(cidr) => {
            Some(format!("--dhcp-range=set:subnet-{id},{network},static,{},{lease}", cidr.netmask()))
        }
        IpNet::V6(cidr) => {
            let mode = subnet.ipv6_address_mode.as_deref();
            let by_dhcp = match mode {
                Some("dhcpv6-stateful" | "dhcpv6-stateless") => true,
                Some(_) => false,
                None => subnet.ipv6_ra_mode.is_none(),
            };
            let length = cidr.prefix_len();
            (by_dhcp && length >= IPV6_PREFIX_MIN)
                .then(|| format!("--dhcp-range=set:subnet-{id},{network},static,{length},{lease}"))
        }
    }
}

fn namespace(
    network: &NetworkInfo,
    port: &DhcpPort,
    own: &BTreeMap<String, IpAddr>,
    interface: &str,
    options: &Options,
) -> Namespace {
    let mut device = Device::of_port(&port.id, &port.mac_address, network.mtu, options.interfaces.plug(None));
    for subnet in &network.subnets {
        let net = own.get(&subnet.id).and_then(|ip| IpNet::new(*ip, subnet.cidr.prefix_len()).ok());
        device.addresses.extend(net);
    }
    if options.serves_metadata() {
        let addresses = [Some(METADATA_V4), has_ipv6(network).then_some(METADATA_V6)];
        let addresses = addresses.into_iter().flatten().filter_map(|text| text.parse::<IpAddr>().ok());
        device.addresses.extend(addresses.map(IpNet::from));
    }
    let mut namespace = Namespace {
        name: namespace_name(&network.id),
        owned: vec!["ns-", "tap"],
        // Addresses are given, not learnt: an advertisement must not add others.
        sysctls: BTreeMap::from([
            ("net/ipv6/conf/default/accept_ra".to_owned(), "0".to_owned()),
            ("net/ipv4/ip_nonlocal_bind".to_owned(), "1".to_owned()),
        ]),
        ..Namespace::default()
    };
    namespace.devices.insert(interface.to_owned(), device);
    for ip_version in [4, 6] {
        add_default_route(network, ip_version, interface, &mut namespace);
    }
    namespace.rules = Some(checksum_rules());
    namespace
}

/// Old clients drop what they take for damaged: a reply that never met hardware has no checksum yet.
fn checksum_rules() -> Ruleset {
    let mut rules = Ruleset::new(BINARY, Features { mangle: true, nat: false, v6: true, comments: true });
    for (families, client_port) in [(Families::V4, 68), (Families::V6, 546)] {
        let rule = format!("-p udp -m udp --dport {client_port} -j CHECKSUM --checksum-fill");
        rules.add_rule(families, Table::Mangle, "POSTROUTING", &rule, None);
    }
    rules
}

fn has_ipv6(network: &NetworkInfo) -> bool {
    network.subnets.iter().any(|subnet| subnet.ip_version == 6)
}

/// The first served subnet with a gateway leads out: dnsmasq asks name servers beyond the network that way.
fn add_default_route(network: &NetworkInfo, ip_version: u8, interface: &str, namespace: &mut Namespace) {
    let usable = |subnet: &&DhcpSubnet| {
        let mode = [&subnet.ipv6_address_mode, &subnet.ipv6_ra_mode];
        let autonomous = mode.into_iter().flatten().any(|mode| mode == "slaac" || mode == "dhcpv6-stateless");
        let length = subnet.cidr.prefix_len();
        subnet.ip_version == ip_version
            && subnet.enable_dhcp
            && (ip_version == 4 || ((1..=126).contains(&length) && (length == 64 || !autonomous)))
    };
    let mut subnets = network.subnets.iter().filter(usable);
    let found = subnets.find_map(|subnet| subnet.gateway_ip.map(|gateway| (subnet, gateway)));
    let Some((subnet, gateway)) = found else { return };
    let link_local = matches!(gateway, IpAddr::V6(ip) if ip.is_unicast_link_local());
    if !subnet.cidr.contains(&gateway) && !link_local {
        namespace.routes.insert(onlink_route(IpNet::from(gateway), interface));
    }
    namespace.routes.insert(default_route(gateway, interface));
}

/// The addresses to take metadata requests on; none where a router does it.
fn metadata(network: &NetworkInfo, options: &Options) -> Vec<IpAddr> {
    let served: Vec<&DhcpSubnet> = network.all_subnets().filter(|subnet| subnet.enable_dhcp).collect();
    let link_local: IpNet = ipnet::Ipv4Net::new_assert([169, 254, 0, 0].into(), 16).into();
    let metadata_network = network.all_subnets().any(|subnet| link_local.contains(&subnet.cidr));
    let isolated = || served.iter().any(|subnet| files::is_isolated(network, subnet));
    let wanted = !served.is_empty()
        && (options.force_metadata
            || (options.enable_isolated_metadata
                && ((options.enable_metadata_network && metadata_network) || isolated())));
    if !wanted {
        return Vec::new();
    }
    let addresses = [Some(METADATA_V4), has_ipv6(network).then_some(METADATA_V6)];
    addresses.into_iter().flatten().filter_map(|text| text.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
