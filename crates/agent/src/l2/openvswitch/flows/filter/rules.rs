//! Rules as what packets match.

use ipnet::IpNet;
use model::l2::{Direction, Ethertype, SecurityRule};
use ovs::openflow::{Field, Match};

use super::is;
use crate::l2::firewall::{any_protocol, parse_net, protocol_number};
use crate::l2::view::remote_of;

/// The lowest priority of rules.
const PRIORITY: u16 = 70;
/// How much higher rules about addresses are than those about groups.
const PLAIN: u16 = 4;

const ICMP: u8 = 1;
const ICMP6: u8 = 58;
const TCP: u8 = 6;
const UDP: u8 = 17;
const SCTP: u8 = 132;

/// A rule's rank among those of its kind: the more it says, the higher. Below four.
pub(super) fn rank(rule: &SecurityRule) -> u16 {
    if any_protocol(rule) {
        return 0;
    }
    match protocol_number(rule) {
        Some(ICMP | ICMP6) if rule.port_range_min.is_none() => 1,
        Some(ICMP | ICMP6) if rule.port_range_max.is_none() => 2,
        Some(_) | None => 3,
    }
}

/// The priority of a rule's flows.
pub(super) fn priority(rule: &SecurityRule) -> u16 {
    let plain = if remote_of(rule).is_some() { 0 } else { PLAIN };
    PRIORITY + plain + rank(rule)
}

/// The priority of conjunctions of a rank.
pub(super) fn conjunctive(rank: u16) -> u16 {
    PRIORITY + rank
}

/// The packets among those of `port` that a rule is about. A rule that cannot be understood is about none.
pub(super) fn packets(rule: &SecurityRule, port: Match) -> Vec<Match> {
    let mut matching = is(port, rule.ethertype);
    let prefixes = [(&rule.source_ip_prefix, Direction::Ingress), (&rule.dest_ip_prefix, Direction::Egress)];
    for (text, side) in prefixes {
        let Some(text) = text else { continue };
        match parse_net(text) {
            Some(net) if net.addr().is_ipv4() == (rule.ethertype == Ethertype::V4) => {
                matching = remote(matching, side, net);
            }
            Some(_) | None => return Vec::new(),
        }
    }
    if any_protocol(rule) {
        return vec![matching];
    }
    let Some(number) = protocol_number(rule) else { return Vec::new() };
    let matching = matching.field(Field::IpProto, number);
    match number {
        ICMP => vec![icmp(matching, rule, Field::IcmpType, Field::IcmpCode)],
        ICMP6 => vec![icmp(matching, rule, Field::Icmp6Type, Field::Icmp6Code)],
        TCP => ports(&matching, rule, Field::TcpSrc, Field::TcpDst),
        UDP => ports(&matching, rule, Field::UdpSrc, Field::UdpDst),
        SCTP => ports(&matching, rule, Field::SctpSrc, Field::SctpDst),
        // The switch knows no ports of others; upstream passes over them too.
        _ => vec![matching],
    }
}

/// Packets from (ingress) or to (egress) a network.
pub(super) fn remote(matching: Match, side: Direction, net: IpNet) -> Match {
    match (net, side) {
        (IpNet::V4(net), Direction::Ingress) => {
            matching.ipv4_net(Field::Ipv4Src, net.addr(), net.prefix_len())
        }
        (IpNet::V4(net), Direction::Egress) => {
            matching.ipv4_net(Field::Ipv4Dst, net.addr(), net.prefix_len())
        }
        (IpNet::V6(net), Direction::Ingress) => {
            matching.ipv6_net(Field::Ipv6Src, net.addr(), net.prefix_len())
        }
        (IpNet::V6(net), Direction::Egress) => {
            matching.ipv6_net(Field::Ipv6Dst, net.addr(), net.prefix_len())
        }
    }
}

fn icmp(matching: Match, rule: &SecurityRule, kind: Field, code: Field) -> Match {
    let Some(min) = rule.port_range_min else { return matching };
    let matching = matching.field(kind, min);
    match rule.port_range_max {
        Some(max) => matching.field(code, max),
        None => matching,
    }
}

fn ports(matching: &Match, rule: &SecurityRule, source: Field, destination: Field) -> Vec<Match> {
    let from = blocks(rule.source_port_range_min, rule.source_port_range_max);
    let to = blocks(rule.port_range_min, rule.port_range_max);
    let one =
        |(value, mask): &(u16, u16), field: Field, matching: Match| matching.masked(field, *value, *mask);
    let with_source = from.iter().map(|block| one(block, source, matching.clone()));
    with_source
        .flat_map(|matching| to.iter().map(move |block| one(block, destination, matching.clone())))
        .collect()
}

/// A range of ports as values with masks; no range is every port, and one that cannot be is none.
fn blocks(min: Option<u16>, max: Option<u16>) -> Vec<(u16, u16)> {
    let (Some(min), Some(max)) = (min.or(max), max.or(min)) else { return vec![(0, 0)] };
    let (mut next, end, mut out) = (u32::from(min), u32::from(max), Vec::new());
    while next <= end {
        // The largest power of two that begins here and does not go beyond the end.
        let aligned = if next == 0 { 16 } else { next.trailing_zeros() };
        let fitting = (end - next + 1).ilog2();
        let size = 1u32 << aligned.min(fitting).min(16);
        let mask = !(size - 1) & 0xffff;
        if let (Ok(value), Ok(mask)) = (u16::try_from(next), u16::try_from(mask)) {
            out.push((value, mask));
        }
        next += size;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_of_ports() {
        let exact = u16::MAX;
        for (min, max, expected) in [
            (Some(80), Some(80), vec![(80, exact)]),
            (Some(80), None, vec![(80, exact)]),
            (None, None, vec![(0, 0)]),
            (Some(1), Some(65535), (0..16).map(|n| (1 << n, exact << n)).collect()),
            (Some(0), Some(65535), vec![(0, 0)]),
            (Some(5), Some(12), vec![(5, exact), (6, 0xfffe), (8, 0xfffc), (12, exact)]),
            (Some(9), Some(3), vec![]),
        ] {
            assert_eq!(blocks(min, max), expected, "{min:?} to {max:?}");
        }
    }
}
