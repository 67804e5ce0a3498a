//! Neighbour entries (ARP and neighbour discovery) and the forwarding tables of VXLAN devices.

use std::net::IpAddr;

use model::Mac;
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourFlags, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::RouteType;
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Exists, Netlink};
use crate::Result;

/// `NUD_PERMANENT | NUD_NOARP`: what `bridge fdb add` gives its entries.
const FDB_STATE: u16 = 0x80 | 0x40;

/// A neighbour of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Neigh {
    /// Index of the device.
    pub index: u32,
    /// The neighbour's address.
    pub ip: IpAddr,
    /// Its hardware address, if known.
    pub mac: Option<Mac>,
    /// Set by hand and never forgotten.
    pub permanent: bool,
    /// A proxy entry (`ip neigh add proxy`): we answer for this address.
    pub proxy: bool,
}

/// An entry of a VXLAN device's own forwarding table: frames for `mac` go to host `dst`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fdb {
    /// Index of the VXLAN device.
    pub index: u32,
    /// [`Mac::ZERO`] = unknown, broadcast and multicast frames; there may be many of it.
    pub mac: Mac,
    /// The tunnel's other end.
    pub dst: IpAddr,
    /// Set by hand; otherwise learned.
    pub permanent: bool,
}

impl Netlink {
    /// All neighbour entries of both families, without those the kernel keeps for itself
    /// (multicast and broadcast), but with proxy entries.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn neighs(&self) -> Result<Vec<Neigh>> {
        let mut entries = Vec::new();
        for proxy in [false, true] {
            let mut request = NeighbourMessage::default();
            if proxy {
                request.header.flags = NeighbourFlags::Proxy;
            }
            let request = RouteNetlinkMessage::GetNeighbour(request);
            entries.extend(self.dump(&request, "neighbours", |message| match message {
                RouteNetlinkMessage::NewNeighbour(n) if n.header.state != NeighbourState::Noarp => {
                    read_neigh(&n)
                }
                _ => None,
            })?);
        }
        entries.sort_unstable();
        entries.dedup();
        Ok(entries)
    }

    /// Adds or replaces a permanent neighbour entry.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn replace_neigh(&self, index: u32, ip: IpAddr, mac: Mac) -> Result<()> {
        let mut message = neigh_body(index, ip);
        message.header.state = NeighbourState::Permanent;
        message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
        self.create(RouteNetlinkMessage::NewNeighbour(message), Exists::Replace, &|| {
            format!("neighbour {ip} {mac} on device {index}")
        })
    }

    /// Adds a proxy entry: this host answers on the device for `ip`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_proxy_neigh(&self, index: u32, ip: IpAddr) -> Result<()> {
        let mut message = neigh_body(index, ip);
        message.header.flags = NeighbourFlags::Proxy;
        message.header.state = NeighbourState::Permanent;
        self.create(RouteNetlinkMessage::NewNeighbour(message), Exists::Replace, &|| {
            format!("proxy neighbour {ip} on device {index}")
        })
    }

    /// Removes a neighbour entry (`proxy`: the proxy entry); one that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_neigh(&self, index: u32, ip: IpAddr, proxy: bool) -> Result<()> {
        let mut message = neigh_body(index, ip);
        if proxy {
            message.header.flags = NeighbourFlags::Proxy;
        }
        let what = || format!("removing neighbour {ip} from device {index}");
        match self.change(RouteNetlinkMessage::DelNeighbour(message), 0, &what) {
            Err(e) if e.is_gone() => Ok(()),
            outcome => outcome,
        }
    }

    /// The forwarding entries of all VXLAN devices (those with a destination).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn fdbs(&self) -> Result<Vec<Fdb>> {
        let mut request = NeighbourMessage::default();
        request.header.family = AddressFamily::Bridge;
        let request = RouteNetlinkMessage::GetNeighbour(request);
        self.dump(&request, "forwarding entries", |message| match message {
            RouteNetlinkMessage::NewNeighbour(n) => read_fdb(&n),
            _ => None,
        })
    }

    /// Adds a forwarding entry: for [`Mac::ZERO`] beside those that are there, for any other
    /// address in place of what is there.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_fdb(&self, index: u32, mac: Mac, dst: IpAddr) -> Result<()> {
        let exists = if mac == Mac::ZERO { Exists::Append } else { Exists::Replace };
        let message = RouteNetlinkMessage::NewNeighbour(fdb_body(index, mac, dst));
        match self.create(message, exists, &|| format!("forwarding {mac} to {dst} on device {index}")) {
            Err(e) if e.is_there() => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes a forwarding entry; one that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_fdb(&self, index: u32, mac: Mac, dst: IpAddr) -> Result<()> {
        let message = RouteNetlinkMessage::DelNeighbour(fdb_body(index, mac, dst));
        match self.change(message, 0, &|| format!("removing forwarding {mac} to {dst} on device {index}")) {
            Err(e) if e.is_gone() => Ok(()),
            outcome => outcome,
        }
    }
}

fn neigh_body(index: u32, ip: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = if ip.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    message.header.ifindex = index;
    message.header.kind = RouteType::Unicast;
    message.attributes.push(NeighbourAttribute::Destination(ip.into()));
    message
}

fn fdb_body(index: u32, mac: Mac, dst: IpAddr) -> NeighbourMessage {
    let mut message = NeighbourMessage::default();
    message.header.family = AddressFamily::Bridge;
    message.header.ifindex = index;
    message.header.state = NeighbourState::Other(FDB_STATE);
    message.header.flags = NeighbourFlags::Own;
    message.attributes.push(NeighbourAttribute::LinkLayerAddress(mac.0.to_vec()));
    message.attributes.push(NeighbourAttribute::Destination(dst.into()));
    message
}

fn parts(message: &NeighbourMessage) -> (Option<IpAddr>, Option<Mac>) {
    let (mut ip, mut mac) = (None, None);
    for attribute in &message.attributes {
        match attribute {
            NeighbourAttribute::Destination(address) => ip = address_of(address),
            NeighbourAttribute::LinkLayerAddress(bytes) => {
                mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac)
            }
            _ => {}
        }
    }
    (ip, mac)
}

/// In the bridge family the address's bytes come unparsed.
fn address_of(address: &NeighbourAddress) -> Option<IpAddr> {
    match address {
        NeighbourAddress::Inet(a) => Some((*a).into()),
        NeighbourAddress::Inet6(a) => Some((*a).into()),
        NeighbourAddress::Other(bytes) => {
            let v4 = <[u8; 4]>::try_from(bytes.as_slice()).map(IpAddr::from);
            v4.or_else(|_| <[u8; 16]>::try_from(bytes.as_slice()).map(IpAddr::from)).ok()
        }
        _ => None,
    }
}

fn read_neigh(message: &NeighbourMessage) -> Option<Neigh> {
    if !matches!(message.header.family, AddressFamily::Inet | AddressFamily::Inet6) {
        return None;
    }
    let (ip, mac) = parts(message);
    Some(Neigh {
        index: message.header.ifindex,
        ip: ip?,
        mac,
        permanent: message.header.state == NeighbourState::Permanent,
        proxy: message.header.flags.contains(NeighbourFlags::Proxy),
    })
}

fn read_fdb(message: &NeighbourMessage) -> Option<Fdb> {
    let (dst, mac) = parts(message);
    let state = u16::from(message.header.state);
    Some(Fdb {
        index: message.header.ifindex,
        mac: mac?,
        dst: dst?,
        permanent: state & u16::from(NeighbourState::Permanent) != 0,
    })
}
