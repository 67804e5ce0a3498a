//! What a filtered port may do whatever its groups say: neighbours, DHCP, its own addresses as sources.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use model::Mac;
use model::l2::Ethertype;
use ovs::openflow::matching::eth;
use ovs::openflow::{Action, Ct, Field, Match, Port, ct_state};

use super::super::packets::{
    DHCP, ICMPV6_UNSPECIFIED, NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, ROUTER_ADVERTISEMENT, is,
    source, udp, unspecified,
};
use super::super::{Table, number, table};
use super::{Guarded, MARK_INVALID, commit, track, zone};
use crate::l2::firewall::sources;

/// ICMPv6 that a port may send from its own addresses: multicast listener queries, router and neighbour
/// solicitations.
const ICMPV6_EGRESS: [u8; 3] = [130, 133, 135];
/// ICMPv6 that every port may receive: the same queries and solicitations, and their answers.
const ICMPV6_INGRESS: [u8; 4] = [130, 134, 135, 136];

/// What a port sends.
pub(super) fn egress(port: &Guarded<'_>, ethertypes: &[u16], out: &mut Table) {
    let from = || port.packets().in_port(port.number);
    let accept = table::ACCEPTED_EGRESS_NORMAL;
    let mut add = |priority, matching, next| out.goto(table::BASE_EGRESS, priority, matching, next);
    for mac in port.macs() {
        let by = || from().field(Field::EthSrc, number(mac));
        add(95, by().field(Field::EthType, eth::RARP), accept);
        // Upstream does not look at their hardware address.
        for kind in ethertypes {
            add(95, by().field(Field::EthType, *kind), accept);
        }
    }
    let by = |mac: Mac| from().field(Field::EthSrc, number(mac));
    // A port without addresses sends nothing but what DHCP and SLAAC need.
    let link_local = (port.port.mac_address, IpNet::from(IpAddr::from(port.port.mac_address.link_local())));
    let pairs: BTreeSet<(Mac, IpNet)> = sources(port.port)
        .into_iter()
        .filter_map(|(mac, net)| Some((mac, net?)))
        .chain([link_local])
        .collect();
    for (mac, net) in &pairs {
        match net {
            IpNet::V4(net) => {
                add(95, by(*mac).arp().ipv4_net(Field::ArpSpa, net.addr(), net.prefix_len()), accept);
            }
            IpNet::V6(_) => neighbours(by(*mac), *net, &mut add),
        }
    }
    for kind in ICMPV6_UNSPECIFIED {
        add(95, unspecified(by(port.port.mac_address), kind), accept);
    }
    dhcp(port, &pairs, &mut add);
    for (mac, net) in &pairs {
        let matching = source(by(*mac), *net);
        out.add(table::BASE_EGRESS, 65, matching, track(table::RULES_EGRESS));
    }
    let rest = vec![Action::CtClear, Action::GotoTable(table::DROPPED)];
    out.add(table::BASE_EGRESS, 10, from(), rest);
}

/// Neighbour messages about a port's own address.
fn neighbours(by: Match, net: IpNet, add: &mut impl FnMut(u16, Match, u8)) {
    let IpNet::V6(v6) = net else { return };
    let accept = table::ACCEPTED_EGRESS_NORMAL;
    for kind in ICMPV6_EGRESS {
        let matching = by.clone().icmp6(kind).ipv6_net(Field::Ipv6Src, v6.addr(), v6.prefix_len());
        add(95, matching, accept);
    }
    let about = |matching: Match| matching.nd_target(v6.addr(), v6.prefix_len());
    // Upstream does not look at the hardware address here.
    add(95, about(by.clone().icmp6(NEIGHBOUR_ADVERTISEMENT)), accept);
    // Whether somebody has the address already. Upstream drops the question.
    add(95, about(unspecified(by, NEIGHBOUR_SOLICITATION)), accept);
}

/// A port may ask for an address, but neither give any nor say that it is a router.
fn dhcp(port: &Guarded<'_>, pairs: &BTreeSet<(Mac, IpNet)>, add: &mut impl FnMut(u16, Match, u8)) {
    let from = || port.packets().in_port(port.number);
    let nobody = (port.port.mac_address, IpNet::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)));
    for (ethertype, client, server) in DHCP {
        let own = pairs
            .iter()
            .chain([&nobody])
            .filter(|(_, net)| net.addr().is_ipv4() == (ethertype == Ethertype::V4));
        for (mac, net) in own {
            let asked = source(from().field(Field::EthSrc, number(*mac)), *net);
            add(80, udp(asked, client, server), table::ACCEPT_OR_INGRESS);
        }
        add(70, udp(is(from(), ethertype), server, client), table::DROPPED);
    }
    add(70, from().icmp6(ROUTER_ADVERTISEMENT), table::DROPPED);
}

/// What a port sent and may send, and what is for no filtered port of this host.
pub(super) fn accept_or_ingress(port: &Guarded<'_>, out: &mut Table) {
    let here = table::ACCEPT_OR_INGRESS;
    for ethertype in [Ethertype::V4, Ethertype::V6] {
        let new = is(port.packets(), ethertype).ct_state(ct_state::NEW, ct_state::EST);
        out.add(here, 90, new, vec![commit(), Action::GotoTable(table::ACCEPTED_EGRESS)]);
    }
    out.goto(here, 80, port.packets(), table::ACCEPTED_EGRESS_NORMAL);
}

/// What a port gets.
pub(super) fn ingress(port: &Guarded<'_>, ethertypes: &[u16], out: &mut Table) {
    let here = table::BASE_INGRESS;
    let deliver = || vec![Action::Output(Port(port.number))];
    out.add(here, 100, port.packets().arp(), deliver());
    for kind in ethertypes {
        out.add(here, 100, port.packets().field(Field::EthType, *kind), deliver());
    }
    for kind in ICMPV6_INGRESS {
        out.add(here, 100, port.packets().icmp6(kind), deliver());
    }
    for (ethertype, client, server) in DHCP {
        out.add(here, 95, udp(is(port.packets(), ethertype), server, client), deliver());
        let untracked = is(port.packets(), ethertype).ct_state(0, ct_state::TRK);
        out.add(here, 90, untracked, track(table::RULES_INGRESS));
    }
    out.goto(here, 80, port.packets().ct_state(ct_state::TRK, 0), table::RULES_INGRESS);
}

/// What connections that are known already may do. One that no rule allows any more is marked, and with it its
/// answers end.
pub(super) fn tracked(port: &Guarded<'_>, out: &mut Table) {
    let deliver = vec![Action::Output(Port(port.number))];
    let away = vec![Action::GotoTable(table::ACCEPTED_EGRESS_NORMAL)];
    for (here, accept) in [(table::RULES_INGRESS, deliver), (table::RULES_EGRESS, away)] {
        out.goto(here, 50, Match::new().ct_state(ct_state::TRK | ct_state::INV, 0), table::DROPPED);
        out.goto(here, 50, port.packets().field(Field::CtMark, MARK_INVALID), table::DROPPED);
        let answers = (ct_state::EST | ct_state::RPL, ct_state::REL);
        let related = (ct_state::REL, ct_state::NEW | ct_state::EST | ct_state::INV);
        for (set, clear) in [answers, related] {
            let known =
                port.packets().ct_state(set, clear).field(Field::CtMark, 0u8).field(Field::CtZone, port.vlan);
            out.add(here, 50, known, accept.clone());
        }
        out.goto(here, 40, port.packets().ct_state(0, ct_state::EST), table::DROPPED);
        for ethertype in [Ethertype::V4, Ethertype::V6] {
            let mark = vec![Action::SetField(Field::CtMark, MARK_INVALID.into())];
            let end = Ct { commit: true, zone: zone(), actions: mark, ..Ct::default() };
            let established = is(port.packets(), ethertype).ct_state(ct_state::EST, 0);
            out.add(here, 40, established, vec![Action::Ct(Box::new(end))]);
        }
    }
}
