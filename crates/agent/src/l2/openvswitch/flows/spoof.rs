//! Ports say only what is theirs where no filter looks at packets: their hardware addresses, and in ARP and neighbour
//! advertisements their addresses; with `noop` also their addresses as sources, and nothing that only a DHCP server or
//! a router says.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ipnet::IpNet;
use model::Mac;
use model::l2::{DeviceDetails, Ethertype};
use ovs::openflow::{Field, Match};

use super::packets::{
    DHCP, ICMPV6_UNSPECIFIED, NEIGHBOUR_ADVERTISEMENT, NEIGHBOUR_SOLICITATION, ROUTER_ADVERTISEMENT, is,
    source, udp, unspecified,
};
use super::{Table, number, table};
use crate::l2::firewall::{is_trusted, parse_net};

/// The flows for a port with a number; `sources`: nobody else looks at those of its packets. Ports of the network's own
/// services are trusted.
pub(super) fn guard(port: &DeviceDetails, ofport: u32, sources: bool, out: &mut Table) {
    if !port.port_security_enabled || is_trusted(&port.device_owner) {
        return;
    }
    let from = || Match::new().in_port(ofport);
    let own = addresses(port);
    let macs: BTreeSet<Mac> = own.iter().map(|(mac, _)| *mac).collect();
    for mac in &macs {
        let matching = from().field(Field::EthSrc, number(*mac));
        out.goto(table::MAC_SPOOF, 2, matching, table::LOCAL_EGRESS);
    }
    out.goto(table::LOCAL_SWITCHING, 9, from(), table::MAC_SPOOF);
    if sources {
        packets(port, &from, &own, out);
    }
    let nets: BTreeSet<IpNet> = own.iter().map(|(_, net)| *net).collect();
    let all = |v6: bool| nets.iter().any(|net| net.addr().is_ipv6() == v6 && net.prefix_len() == 0);
    let (all_v4, all_v6) = (all(false), all(true));
    let advertisement = || from().icmp6(NEIGHBOUR_ADVERTISEMENT);
    for net in nets {
        let matching = match net {
            // An address pair of everything leaves nothing to check.
            IpNet::V4(_) if all_v4 => continue,
            IpNet::V6(_) if all_v6 => continue,
            IpNet::V4(net) => from().arp().ipv4_net(Field::ArpSpa, net.addr(), net.prefix_len()),
            // Upstream lets these pass without a look at their hardware address; theirs are checked here too.
            IpNet::V6(net) => advertisement().nd_target(net.addr(), net.prefix_len()),
        };
        out.goto(table::ARP_SPOOF, 2, matching, table::MAC_SPOOF);
    }
    if !all_v4 {
        out.goto(table::LOCAL_SWITCHING, 10, from().arp(), table::ARP_SPOOF);
    }
    if !all_v6 {
        out.goto(table::LOCAL_SWITCHING, 10, advertisement(), table::ARP_SPOOF);
    }
}

/// The hardware addresses of a port with the addresses that go with each.
fn addresses(port: &DeviceDetails) -> BTreeSet<(Mac, IpNet)> {
    let own = port.fixed_ips.iter().map(|fixed| (port.mac_address, IpNet::from(fixed.ip_address)));
    let pairs = &port.allowed_address_pairs;
    let allowed = pairs.iter().filter_map(|pair| Some((pair.mac_address, parse_net(&pair.ip_address)?)));
    let macs = pairs.iter().map(|pair| pair.mac_address).chain([port.mac_address]);
    let link_local = macs.map(|mac| (mac, IpNet::from(IpAddr::from(mac.link_local()))));
    own.chain(allowed).chain(link_local).collect()
}

/// Packets of IP have one of the port's addresses, or are such as ask for one.
fn packets(port: &DeviceDetails, from: &impl Fn() -> Match, own: &BTreeSet<(Mac, IpNet)>, out: &mut Table) {
    let here = table::MAC_SPOOF;
    let by = |mac: Mac| from().field(Field::EthSrc, number(mac));
    for (mac, net) in own {
        out.goto(here, 4, source(by(*mac), *net), table::LOCAL_EGRESS);
        if let IpNet::V6(net) = net {
            let question = unspecified(by(*mac), NEIGHBOUR_SOLICITATION);
            out.goto(here, 4, question.nd_target(net.addr(), net.prefix_len()), table::LOCAL_EGRESS);
        }
    }
    for kind in ICMPV6_UNSPECIFIED {
        out.goto(here, 4, unspecified(by(port.mac_address), kind), table::LOCAL_EGRESS);
    }
    let nobody = source(by(port.mac_address), IpNet::from(IpAddr::from(Ipv4Addr::UNSPECIFIED)));
    for (ethertype, client, server) in DHCP {
        if ethertype == Ethertype::V4 {
            out.goto(here, 4, udp(nobody.clone(), client, server), table::LOCAL_EGRESS);
        }
        out.drop(here, 5, udp(is(from(), ethertype), server, client));
        out.drop(here, 3, is(from(), ethertype));
    }
    out.drop(here, 5, from().icmp6(ROUTER_ADVERTISEMENT));
}
