//! Addresses of devices.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::AddressFamily;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::address::{AddressAttribute, AddressFlags, AddressMessage, AddressScope};

use super::{Exists, Netlink};
use crate::Result;

/// An address on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    /// Index of the device.
    pub index: u32,
    /// The address with its prefix length.
    pub net: IpNet,
    /// Global scope (neither link-local nor host).
    pub global: bool,
    /// The kernel made it (SLAAC, link-local) and will take it away itself.
    pub dynamic: bool,
    /// IPv6 duplicate detection still runs, or has failed.
    pub tentative: bool,
}

impl Netlink {
    /// All addresses of both families.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn addrs(&self) -> Result<Vec<Addr>> {
        let request = RouteNetlinkMessage::GetAddress(AddressMessage::default());
        self.dump(&request, "addresses", |message| match message {
            RouteNetlinkMessage::NewAddress(address) => read(&address),
            _ => None,
        })
    }

    /// Adds an address, with the subnet's broadcast address and scope as `ip address add`
    /// chooses them; one that is there already is no error. IPv6 comes without duplicate
    /// detection when `nodad`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_addr(&self, index: u32, net: IpNet, nodad: bool) -> Result<()> {
        let mut message = body(index, net);
        if let IpNet::V4(v4) = net
            && v4.prefix_len() < 31
        {
            message.attributes.push(AddressAttribute::Broadcast(v4.broadcast()));
        }
        if nodad && net.addr().is_ipv6() {
            message.attributes.push(AddressAttribute::Flags(AddressFlags::Nodad));
        }
        let what = || format!("adding address {net} to device {index}");
        match self.create(RouteNetlinkMessage::NewAddress(message), Exists::Refuse, &what) {
            Err(e) if e.is_there() => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes an address; one that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_addr(&self, index: u32, net: IpNet) -> Result<()> {
        let message = RouteNetlinkMessage::DelAddress(body(index, net));
        match self.change(message, 0, &|| format!("removing address {net} from device {index}")) {
            Err(e) if e.is_gone() => Ok(()),
            outcome => outcome,
        }
    }
}

fn family(address: IpAddr) -> AddressFamily {
    if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 }
}

fn body(index: u32, net: IpNet) -> AddressMessage {
    let mut message = AddressMessage::default();
    message.header.family = family(net.addr());
    message.header.prefix_len = net.prefix_len();
    message.header.index = index;
    message.header.scope = match net.addr() {
        IpAddr::V6(a) if a.is_unicast_link_local() => AddressScope::Link,
        a if a.is_loopback() => AddressScope::Host,
        _ => AddressScope::Universe,
    };
    message.attributes.push(AddressAttribute::Local(net.addr()));
    message.attributes.push(AddressAttribute::Address(net.addr()));
    message
}

fn read(message: &AddressMessage) -> Option<Addr> {
    let (mut local, mut address) = (None, None);
    let mut flags = AddressFlags::from_bits_retain(u32::from(message.header.flags.bits()));
    for attribute in &message.attributes {
        match attribute {
            AddressAttribute::Local(a) => local = Some(*a),
            AddressAttribute::Address(a) => address = Some(*a),
            AddressAttribute::Flags(f) => flags = *f,
            _ => {}
        }
    }
    Some(Addr {
        index: message.header.index,
        net: IpNet::new(local.or(address)?, message.header.prefix_len).ok()?,
        global: message.header.scope == AddressScope::Universe,
        dynamic: !flags.contains(AddressFlags::Permanent),
        tentative: flags.intersects(AddressFlags::Tentative | AddressFlags::Dadfailed),
    })
}
