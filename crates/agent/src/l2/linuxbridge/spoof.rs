//! Spoofing of hardware addresses and of ARP, prevented by ebtables with upstream's chains.

use std::collections::BTreeSet;

use host::ebtables::Chains;
use ipnet::IpNet;
use model::Mac;
use model::l2::DeviceDetails;

use crate::l2::firewall::{is_trusted, parse_net};
use crate::l2::view::View;

/// Hardware addresses in one rule: a longer rule exceeds what a command line may hold.
const MACS_PER_RULE_MAX: usize = 500;

/// The chains for all ports of `view`.
pub(super) fn chains(view: &View) -> Chains {
    let mut chains = Chains::default();
    let guarded = |port: &&DeviceDetails| port.port_security_enabled && !is_trusted(&port.device_owner);
    for (device, port) in view.ports.iter().filter(|(_, port)| guarded(port)) {
        let mac_chain = format!("neutronMAC-{device}");
        let macs: BTreeSet<Mac> =
            port.allowed_address_pairs.iter().map(|p| p.mac_address).chain([port.mac_address]).collect();
        let macs: Vec<String> = macs.into_iter().map(spelled).collect();
        // Upstream's rule names the device again. Its agent flushes a chain that has such a rule, and drops all
        // that the port sends until it has written it anew: 15 to 20 ms whenever it takes over.
        let among = |part: &[String]| format!("--among-src {} -j RETURN", part.join(","));
        let rules = macs.chunks(MACS_PER_RULE_MAX).map(among).chain(["-j DROP".into()]);
        chains.prerouting.push(format!("-i {device} -j {mac_chain}"));
        chains.own.insert(mac_chain, rules.collect());
        if let Some(nets) = arp_sources(port) {
            let arp_chain = format!("neutronARP-{device}");
            let accept = |net: IpNet| format!("-p ARP --arp-ip-src {} -j ACCEPT", short(net));
            let rules = nets.into_iter().map(accept).chain(["-j DROP".into()]);
            chains.prerouting.push(format!("-p ARP -i {device} -j {arp_chain}"));
            chains.own.insert(arp_chain, rules.collect());
        }
    }
    chains
}

/// As ebtables writes addresses in a list: without leading zeros.
fn spelled(mac: Mac) -> String {
    mac.0.iter().map(|byte| format!("{byte:x}")).collect::<Vec<_>>().join(":")
}

fn short(net: IpNet) -> String {
    if net.prefix_len() == 32 { net.addr().to_string() } else { net.to_string() }
}

/// What a port may claim by ARP; `None` = anything, as a pair allows every address.
fn arp_sources(port: &DeviceDetails) -> Option<BTreeSet<IpNet>> {
    let own = port.fixed_ips.iter().map(|fixed| IpNet::from(fixed.ip_address));
    let pairs = port.allowed_address_pairs.iter().filter_map(|pair| parse_net(&pair.ip_address));
    let nets: BTreeSet<IpNet> = own.chain(pairs).filter(|net| net.addr().is_ipv4()).collect();
    (!nets.iter().any(|net| net.prefix_len() == 0)).then_some(nets)
}
