//! Ports say only what is theirs: their hardware addresses, and in ARP and neighbour advertisements their
//! addresses.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ipnet::IpNet;
use model::Mac;
use model::l2::DeviceDetails;
use ovs::openflow::{Field, Match};

use super::{Table, number, table};
use crate::l2::firewall::is_trusted;

/// ICMPv6: an answer to who has an address.
const NEIGHBOUR_ADVERTISEMENT: u8 = 136;

/// The flows for a port with a number. Ports of the network's own services are trusted.
pub(super) fn guard(port: &DeviceDetails, ofport: u32, out: &mut Table) {
    if !port.port_security_enabled || is_trusted(&port.device_owner) {
        return;
    }
    let from = || Match::new().in_port(ofport);
    let pairs = &port.allowed_address_pairs;
    let macs: BTreeSet<Mac> = pairs.iter().map(|pair| pair.mac_address).chain([port.mac_address]).collect();
    for mac in &macs {
        let matching = from().field(Field::EthSrc, number(*mac));
        out.goto(table::MAC_SPOOF, 2, matching, table::LOCAL_EGRESS);
    }
    out.goto(table::LOCAL_SWITCHING, 9, from(), table::MAC_SPOOF);

    let pair = |text: &str| text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from)).ok();
    let own = port.fixed_ips.iter().map(|fixed| IpNet::from(fixed.ip_address));
    let nets = own.chain(pairs.iter().filter_map(|p| pair(&p.ip_address))).map(|net| net.trunc());
    let (mut v4, mut v6) = (BTreeSet::new(), BTreeSet::new());
    for net in nets {
        match net {
            IpNet::V4(net) => _ = v4.insert(net),
            IpNet::V6(net) => _ = v6.insert(net),
        }
    }
    v6.extend(macs.iter().map(|mac| ipnet::Ipv6Net::from(mac.link_local())));
    // An address pair of everything leaves nothing to check.
    if !v4.iter().any(|net| net.prefix_len() == 0) {
        for net in v4 {
            let matching = from().arp().ipv4_net(Field::ArpSpa, net.addr(), net.prefix_len());
            out.goto(table::ARP_SPOOF, 2, matching, table::MAC_SPOOF);
        }
        out.goto(table::LOCAL_SWITCHING, 10, from().arp(), table::ARP_SPOOF);
    }
    if !v6.iter().any(|net| net.prefix_len() == 0) {
        let advertisement = || from().icmp6(NEIGHBOUR_ADVERTISEMENT);
        for net in v6 {
            let matching = advertisement().nd_target(net.addr(), net.prefix_len());
            // Upstream lets these pass without a look at their hardware address; theirs are checked here too.
            out.goto(table::ARP_SPOOF, 2, matching, table::MAC_SPOOF);
        }
        out.goto(table::LOCAL_SWITCHING, 10, advertisement(), table::ARP_SPOOF);
    }
}
