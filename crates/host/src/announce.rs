//! Telling neighbours where an address is now: gratuitous ARP and unsolicited neighbour advertisements, so that
//! switches and hosts do not go on sending to whoever had it before. The packets are written by hand on a raw
//! socket inside the namespace.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::fd::AsRawFd;

use model::Mac;
use nix::errno::Errno;
use nix::sys::socket::{AddressFamily, LinkAddr, MsgFlags, SockFlag, SockType, sendto, socket};

use crate::netns::Netns;
use crate::{Error, Result};

const BROADCAST: [u8; 6] = [0xff; 6];
/// The MAC address of the all-nodes multicast group ff02::1.
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ETHERTYPE_ARP: [u8; 2] = [0x08, 0x06];
const ETHERTYPE_IPV6: [u8; 2] = [0x86, 0xdd];
const ICMPV6: u8 = 58;
/// Router and override: the sender forwards, and what was known of the address is void.
const ADVERTISEMENT_FLAGS: u8 = 0xa0;

/// Sends one announcement for each of `addresses` on `device` in `ns`, whose MAC address is `mac`. IPv4
/// addresses are announced by a request and a reply, as some neighbours only heed one of them.
///
/// # Errors
/// When the device is not there or the kernel refuses.
pub fn announce(ns: &Netns, device: &str, mac: Mac, addresses: &[IpAddr]) -> Result<()> {
    let what = || format!("announcing addresses on {device}");
    ns.run(|| {
        let link = link_address(device).ok_or_else(|| Error::io(what(), Errno::ENODEV))?;
        let fd = socket(AddressFamily::Packet, SockType::Raw, SockFlag::SOCK_CLOEXEC, None)
            .map_err(|e| Error::io(what(), e))?;
        for address in addresses {
            for frame in frames(mac, *address) {
                sendto(fd.as_raw_fd(), &frame, &link, MsgFlags::empty()).map_err(|e| Error::io(what(), e))?;
            }
        }
        Ok(())
    })?
}

/// The device as an address of packet sockets.
fn link_address(device: &str) -> Option<LinkAddr> {
    let mut interfaces = nix::ifaddrs::getifaddrs().ok()?;
    interfaces.find_map(|interface| {
        let address = interface.address?;
        (interface.interface_name == device).then(|| address.as_link_addr().copied()).flatten()
    })
}

fn frames(mac: Mac, address: IpAddr) -> Vec<Vec<u8>> {
    match address {
        IpAddr::V4(address) => vec![arp(mac, address, 1), arp(mac, address, 2)],
        IpAddr::V6(address) => vec![advertisement(mac, address)],
    }
}

/// An ARP packet to everybody that names `address` as both sender's and target's.
fn arp(mac: Mac, address: Ipv4Addr, operation: u8) -> Vec<u8> {
    let mut frame = Vec::with_capacity(42);
    frame.extend(BROADCAST);
    frame.extend(mac.0);
    frame.extend(ETHERTYPE_ARP);
    // Ethernet, IPv4, lengths of their addresses.
    frame.extend([0, 1, 8, 0, 6, 4, 0, operation]);
    frame.extend(mac.0);
    frame.extend(address.octets());
    frame.extend(if operation == 1 { BROADCAST } else { mac.0 });
    frame.extend(address.octets());
    frame
}

/// An unsolicited neighbour advertisement to all nodes (RFC 4861, 7.2.6).
fn advertisement(mac: Mac, address: Ipv6Addr) -> Vec<u8> {
    let mut message = vec![136, 0, 0, 0, ADVERTISEMENT_FLAGS, 0, 0, 0];
    message.extend(address.octets());
    // Option: target link-layer address, of one unit of eight bytes.
    message.extend([2, 1]);
    message.extend(mac.0);
    let length = u8::try_from(message.len()).unwrap_or(u8::MAX);
    let sum = checksum(address, length, &message);
    message[2..4].copy_from_slice(&sum.to_be_bytes());
    let mut frame = Vec::with_capacity(86);
    frame.extend(ALL_NODES_MAC);
    frame.extend(mac.0);
    frame.extend(ETHERTYPE_IPV6);
    frame.extend([0x60, 0, 0, 0, 0, length, ICMPV6, 255]);
    frame.extend(address.octets());
    frame.extend(ALL_NODES.octets());
    frame.extend(message);
    frame
}

/// The Internet checksum over pseudo header and message.
fn checksum(source: Ipv6Addr, length: u8, message: &[u8]) -> u16 {
    let mut bytes = Vec::with_capacity(40 + message.len());
    bytes.extend(source.octets());
    bytes.extend(ALL_NODES.octets());
    bytes.extend([0, 0, 0, length, 0, 0, 0, ICMPV6]);
    bytes.extend(message);
    let words = bytes.chunks(2).map(|pair| u32::from(pair[0]) << 8 | u32::from(*pair.get(1).unwrap_or(&0)));
    let sum: u32 = words.sum();
    let folded = (sum & 0xffff) + (sum >> 16);
    let folded = (folded & 0xffff) + (folded >> 16);
    u16::try_from(!folded & 0xffff).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arp_request_names_its_address_twice() {
        let frame = arp(Mac([2, 0, 0, 0, 0, 1]), [10, 0, 0, 1].into(), 1);
        assert_eq!(frame.len(), 42);
        assert_eq!((&frame[28..32], &frame[38..42]), (&[10, 0, 0, 1][..], &[10, 0, 0, 1][..]));
    }

    #[test]
    fn an_advertisement_sums_up_to_nothing() {
        let address: Ipv6Addr = "2001:db8::1".parse().unwrap();
        let frame = advertisement(Mac([2, 0, 0, 0, 0, 1]), address);
        assert_eq!(frame.len(), 86);
        assert_eq!(checksum(address, 32, &frame[54..]), 0);
    }
}
