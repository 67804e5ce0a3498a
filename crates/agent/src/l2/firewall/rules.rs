//! Single rules as text, in the order of matches in which `iptables-save` shows them.

use std::net::IpAddr;

use host::iptables::{Families, Ruleset, Table};
use ipnet::{IpNet, Ipv6Net};
use model::Mac;
use model::l2::{Direction, Ethertype, SecuredPort, SecurityRule};

const ALLOW_ASSOC: &str = "Direct packets associated with a known session to the RETURN chain.";
const INVALID_DROP: &str = "Drop packets that appear related to an existing connection (e.g. TCP ACK/FIN) but do not \
                            have an entry in conntrack.";
const UNMATCHED: &str = "Send unmatched traffic to the fallback chain.";
const DHCP_CLIENT: &str = "Allow DHCP client traffic.";
const DHCP_SPOOF: &str = "Prevent DHCP Spoofing by VM.";
const IPV6_RA_DROP: &str = "Drop IPv6 Router Advts from VM Instance.";
const IPV6_ICMP_ALLOW: &str = "Allow IPv6 ICMP traffic.";
const PAIR_ALLOW: &str = "Allow traffic from defined IP/MAC pairs.";
const PAIR_DROP: &str = "Drop traffic without an IP/MAC allow rule.";
/// Of this agent's own: upstream's with Linux bridges lets instances advertise any address.
const ADVERTISE_DROP: &str = "Drop neighbour advertisements of addresses that are not the port's.";

/// ICMPv6 type of answers to who has an address.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
/// Where such a packet says whose address it is about, in octets from its beginning, if no extension stands between the
/// headers.
const ADVERTISED_AT: usize = 48;

/// ICMPv6 types that a port may send from the unspecified address: multicast listener reports
/// and neighbour solicitation.
const ICMPV6_UNSPECIFIED: [u8; 3] = [131, 135, 143];
/// ICMPv6 types that every port may receive: multicast listener query, neighbour solicitation
/// and advertisement.
const ICMPV6_INGRESS: [u8; 3] = [130, 135, 136];

/// Protocols by number, as iptables names them.
const PROTOCOLS: &[(&str, &str)] = &[
    ("1", "icmp"),
    ("2", "igmp"),
    ("4", "ipencap"),
    ("6", "tcp"),
    ("8", "egp"),
    ("17", "udp"),
    ("27", "rdp"),
    ("33", "dccp"),
    ("41", "ipv6"),
    ("43", "ipv6-route"),
    ("44", "ipv6-frag"),
    ("46", "rsvp"),
    ("47", "gre"),
    ("50", "esp"),
    ("51", "ah"),
    ("58", "ipv6-icmp"),
    ("59", "ipv6-nonxt"),
    ("60", "ipv6-opts"),
    ("89", "ospf"),
    ("94", "ipip"),
    ("108", "ipcomp"),
    ("112", "vrrp"),
    ("113", "113"),
    ("132", "sctp"),
    ("136", "udplite"),
];

/// The API's names that differ from iptables'.
const ALIASES: &[(&str, &str)] =
    &[("ipv6-encap", "ipv6"), ("icmpv6", "ipv6-icmp"), ("pgm", "113"), ("ipip", "ipencap")];

/// An address or network.
pub(crate) fn parse_net(text: &str) -> Option<IpNet> {
    text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).map(|net| net.trunc()).ok()
}

/// iptables' word for a protocol; none = every protocol.
fn protocol(rule: &SecurityRule) -> Option<&str> {
    let name = rule.protocol.as_deref().filter(|p| !matches!(*p, "0" | "" | "any"))?;
    if rule.ethertype == Ethertype::V6 && matches!(name, "icmp" | "icmpv6" | "1") {
        return Some("ipv6-icmp");
    }
    let known = ALIASES.iter().chain(PROTOCOLS).find(|(from, _)| *from == name);
    Some(known.map_or(name, |(_, to)| to))
}

/// Whether a rule is about every protocol.
pub(crate) fn any_protocol(rule: &SecurityRule) -> bool {
    protocol(rule).is_none()
}

/// The number of a rule's protocol, where it is known.
pub(crate) fn protocol_number(rule: &SecurityRule) -> Option<u8> {
    let name = protocol(rule)?;
    let known = PROTOCOLS.iter().find(|(_, to)| *to == name).map(|(number, _)| *number);
    known.unwrap_or(name).parse().ok()
}

fn push(text: &mut Vec<String>, option: &str, value: impl std::fmt::Display) {
    text.push(format!("{option} {value}"));
}

fn prefix(text: &mut Vec<String>, option: &str, value: Option<&str>) {
    // Every address is no condition.
    if let Some(net) = value.and_then(parse_net).filter(|net| net.prefix_len() > 0) {
        push(text, option, net);
    }
}

fn protocol_and_ports(rule: &SecurityRule, text: &mut Vec<String>) {
    let Some(name) = protocol(rule) else { return };
    push(text, "-p", name);
    let has_port = rule.port_range_min.is_some() || rule.source_port_range_min.is_some();
    let module = match name {
        "dccp" | "icmp" | "sctp" | "tcp" | "udp" => Some(name),
        "ipv6-icmp" => Some("icmp6"),
        _ => None,
    };
    if let Some(module) = module.filter(|_| has_port) {
        push(text, "-m", module);
    }
    ports(text, name, "sport", rule.source_port_range_min, rule.source_port_range_max);
    ports(text, name, "dport", rule.port_range_min, rule.port_range_max);
}

/// Ports, or type and code of ICMP.
fn ports(text: &mut Vec<String>, protocol: &str, option: &str, min: Option<u16>, max: Option<u16>) {
    let Some(min) = min else { return };
    match protocol {
        "icmp" | "ipv6-icmp" => {
            let option = if protocol == "icmp" { "--icmp-type" } else { "--icmpv6-type" };
            push(text, option, max.map_or_else(|| min.to_string(), |code| format!("{min}/{code}")));
        }
        "udplite" if Some(min) == max => push(text, "-m multiport", format!("--{option}s {min}")),
        "dccp" | "sctp" | "tcp" | "udp" if Some(min) == max => push(text, &format!("--{option}"), min),
        "dccp" | "sctp" | "tcp" | "udp" | "udplite" => {
            push(text, "-m multiport", format!("--{option}s {min}:{}", max.unwrap_or(min)));
        }
        _ => {}
    }
}

/// A rule about addresses.
pub(super) fn plain(rule: &SecurityRule) -> String {
    let mut text = Vec::new();
    prefix(&mut text, "-s", rule.source_ip_prefix.as_deref());
    prefix(&mut text, "-d", rule.dest_ip_prefix.as_deref());
    protocol_and_ports(rule, &mut text);
    text.push("-j RETURN".into());
    text.join(" ")
}

/// A rule about a set of addresses.
pub(super) fn with_set(rule: &SecurityRule, set: &str) -> String {
    let mut text = Vec::new();
    protocol_and_ports(rule, &mut text);
    let side = match rule.direction {
        Direction::Ingress => "src",
        Direction::Egress => "dst",
    };
    text.push(format!("-m set --match-set {set} {side} -j RETURN"));
    text.join(" ")
}

/// The pairs of hardware address and address or network that a port may send from: its own, those it was allowed,
/// and the link-local addresses that go with them. A port without addresses may use any with its own hardware
/// address.
pub(crate) fn sources(port: &SecuredPort) -> Vec<(Mac, Option<IpNet>)> {
    let mut pairs: Vec<(Mac, Option<IpNet>)> = Vec::new();
    let pair_nets = port.allowed_address_pairs.iter().map(|p| (p.mac_address, parse_net(&p.ip_address)));
    let own = port.fixed_ips.iter().map(|ip| (port.mac_address, Some(IpNet::from(*ip))));
    for (mac, net) in pair_nets.filter(|(_, net)| net.is_some()).chain(own) {
        pairs.push((mac, net));
        let link_local = (mac, Some(IpNet::from(IpAddr::from(mac.link_local()))));
        if net.is_some_and(|net| net.addr().is_ipv6()) && !pairs.contains(&link_local) {
            pairs.push(link_local);
        }
    }
    if port.fixed_ips.is_empty() {
        pairs.push((port.mac_address, None));
    } else if !pairs.iter().any(|(_, net)| net.is_some_and(|net| net.addr().is_ipv6())) {
        // Upstream checks no source at all in a family in which a port has no address, and so
        // lets it use any. Its link-local address is all it can claim there.
        pairs.push((port.mac_address, Some(IpNet::from(IpAddr::from(port.mac_address.link_local())))));
    }
    pairs
}

/// The chain that lets only a port's own source addresses pass.
pub(super) fn spoof_chain(rules: &mut Ruleset, device: &str, port: &SecuredPort) {
    let chain = format!("s{}", device.get(3..).unwrap_or_default());
    let pairs = sources(port);
    for (families, v6) in [(Families::V4, false), (Families::V6, true)] {
        let fits = |net: &Option<IpNet>| net.is_none_or(|net| net.addr().is_ipv6() == v6);
        rules.add_chain(families, Table::Filter, &chain);
        for (mac, net) in pairs.iter().filter(|(_, net)| fits(net)) {
            let from =
                net.filter(|net| net.prefix_len() > 0).map(|net| format!("-s {net} ")).unwrap_or_default();
            let rule = format!("{from}-m mac --mac-source {mac} -j RETURN");
            rules.add_rule(families, Table::Filter, &chain, &rule, Some(PAIR_ALLOW));
        }
        rules.add_rule(families, Table::Filter, &chain, "-j DROP", Some(PAIR_DROP));
    }
}

/// The chain that lets a port advertise its own addresses only; the chain of its source addresses leads to it.
pub(super) fn advertisement_chain(rules: &mut Ruleset, device: &str, port: &SecuredPort) {
    let nets = sources(port).into_iter().map(|(_, net)| net);
    let nets: Vec<Ipv6Net> = nets.filter_map(|net| net.map_or(Some(Ipv6Net::default()), v6_of)).collect();
    // Who may use any address may advertise any.
    if nets.iter().any(|net| net.prefix_len() == 0) {
        return;
    }
    let name = device.get(3..).unwrap_or_default();
    let chain = format!("n{name}");
    rules.add_chain(Families::V6, Table::Filter, &chain);
    let mut seen = Vec::new();
    for net in nets.iter().map(Ipv6Net::trunc) {
        if !seen.contains(&net) {
            let rule = format!("-m u32 --u32 \"{}\" -j RETURN", advertised(net));
            rules.add_rule(Families::V6, Table::Filter, &chain, &rule, None);
            seen.push(net);
        }
    }
    rules.add_rule(Families::V6, Table::Filter, &chain, "-j DROP", Some(ADVERTISE_DROP));
    let jump = format!("-p ipv6-icmp -m icmp6 --icmpv6-type {NEIGHBOUR_ADVERTISEMENT} -j ${chain}");
    rules.add_rule(Families::V6, Table::Filter, &format!("s{name}"), &jump, None);
}

fn v6_of(net: IpNet) -> Option<Ipv6Net> {
    match net {
        IpNet::V6(net) => Some(net),
        IpNet::V4(_) => None,
    }
}

/// What an advertisement of a network's address looks like to `u32`: ICMPv6 (58) right behind the header, and the
/// address; as `ip6tables-save` shows it.
fn advertised(net: Ipv6Net) -> String {
    let mut text = "0x4>>0x8&0xff=0x3a".to_owned();
    let words = |octets: [u8; 16]| {
        octets.as_chunks::<4>().0.iter().map(|word| u32::from_be_bytes(*word)).collect::<Vec<_>>()
    };
    let (address, mask) = (words(net.network().octets()), words(net.netmask().octets()));
    for (at, (word, mask)) in address.into_iter().zip(mask).enumerate() {
        let place = ADVERTISED_AT + 4 * at;
        match mask {
            0 => {}
            u32::MAX => text.push_str(&format!("&&{place:#x}={word:#x}")),
            mask => text.push_str(&format!("&&{place:#x}&{mask:#x}={word:#x}")),
        }
    }
    text
}

/// Rules that every filtered port has, before those of its groups.
pub(super) fn fixed(
    rules: &mut Ruleset,
    families: Families,
    chain: &str,
    device: &str,
    direction: Direction,
) {
    let mut add =
        |rule: &str, comment: Option<&str>| rules.add_rule(families, Table::Filter, chain, rule, comment);
    let v6 = families == Families::V6;
    let icmp6 = |kind: u8| format!("-p ipv6-icmp -m icmp6 --icmpv6-type {kind}");
    if direction == Direction::Ingress {
        for kind in ICMPV6_INGRESS.into_iter().filter(|_| v6) {
            add(&format!("{} -j RETURN", icmp6(kind)), None);
        }
        return;
    }
    let spoof = format!("-j $s{}", device.get(3..).unwrap_or_default());
    if v6 {
        for kind in ICMPV6_UNSPECIFIED {
            add(&format!("-s ::/128 -d ff02::/16 {} -j RETURN", icmp6(kind)), Some(IPV6_ICMP_ALLOW));
        }
        add(&spoof, None);
        add(&format!("{} -j DROP", icmp6(134)), Some(IPV6_RA_DROP));
        add("-p ipv6-icmp -j RETURN", Some(IPV6_ICMP_ALLOW));
        add("-p udp -m udp --sport 546 --dport 547 -j RETURN", Some(DHCP_CLIENT));
        add("-p udp -m udp --sport 547 --dport 546 -j DROP", Some(DHCP_SPOOF));
    } else {
        let discover = "-s 0.0.0.0/32 -d 255.255.255.255/32 -p udp -m udp --sport 68 --dport 67 -j RETURN";
        add(discover, Some(DHCP_CLIENT));
        add(&spoof, None);
        add("-p udp -m udp --sport 68 --dport 67 -j RETURN", Some(DHCP_CLIENT));
        add("-p udp -m udp --sport 67 --dport 68 -j DROP", Some(DHCP_SPOOF));
    }
}

/// The rules of a port's groups, between what is known already and what is refused.
pub(super) fn groups(rules: &mut Ruleset, families: Families, chain: &str, wanted: &[String]) {
    let mut add =
        |rule: &str, comment: Option<&str>| rules.add_rule(families, Table::Filter, chain, rule, comment);
    add("-m state --state RELATED,ESTABLISHED -j RETURN", Some(ALLOW_ASSOC));
    for rule in wanted {
        add(rule, None);
    }
    add("-m state --state INVALID -j DROP", Some(INVALID_DROP));
    add("-j $sg-fallback", Some(UNMATCHED));
}
