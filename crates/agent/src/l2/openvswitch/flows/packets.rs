//! Packets that decide who an instance seems to be: what a port sends before it has an address, what only services of
//! a network may send, what has an address as its source.

use ipnet::IpNet;
use model::l2::Ethertype;
use ovs::openflow::matching::{eth, ip};
use ovs::openflow::{Field, Match};

/// ICMPv6 that a port may send before it has an address: multicast listener reports.
pub(super) const ICMPV6_UNSPECIFIED: [u8; 2] = [131, 143];
pub(super) const NEIGHBOUR_SOLICITATION: u8 = 135;
pub(super) const NEIGHBOUR_ADVERTISEMENT: u8 = 136;
pub(super) const ROUTER_ADVERTISEMENT: u8 = 134;
/// Ports of DHCP's clients and servers, by IP version.
pub(super) const DHCP: [(Ethertype, u16, u16); 2] = [(Ethertype::V4, 68, 67), (Ethertype::V6, 546, 547)];

/// All of an IP version.
pub(super) fn is(matching: Match, ethertype: Ethertype) -> Match {
    let kind = match ethertype {
        Ethertype::V4 => eth::IPV4,
        Ethertype::V6 => eth::IPV6,
    };
    matching.field(Field::EthType, kind)
}

/// From an address.
pub(super) fn source(matching: Match, net: IpNet) -> Match {
    match net {
        IpNet::V4(net) => matching.ipv4().ipv4_net(Field::Ipv4Src, net.addr(), net.prefix_len()),
        IpNet::V6(net) => matching.ipv6().ipv6_net(Field::Ipv6Src, net.addr(), net.prefix_len()),
    }
}

/// ICMPv6 from nobody yet, to a group of this link.
pub(super) fn unspecified(matching: Match, kind: u8) -> Match {
    let from = matching.icmp6(kind).field(Field::Ipv6Src, 0u8);
    from.ipv6_net(Field::Ipv6Dst, [0xff02, 0, 0, 0, 0, 0, 0, 0].into(), 16)
}

/// UDP between two ports, of an IP version that is compared already.
pub(super) fn udp(matching: Match, source: u16, destination: u16) -> Match {
    let matching = matching.field(Field::IpProto, ip::UDP);
    matching.field(Field::UdpSrc, source).field(Field::UdpDst, destination)
}
