//! Network devices: listing, making, changing, removing.

use std::net::IpAddr;
use std::os::fd::AsRawFd;

use model::Mac;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    BridgeStpState, InfoBridge, InfoData, InfoKind, InfoVeth, InfoVlan, InfoVxlan, LinkAttribute,
    LinkExtentMask, LinkFlags, LinkInfo, LinkMessage,
};

use super::{Exists, Netlink};
use crate::netns::Netns;
use crate::{Error, Result};

/// A device as the kernel shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link {
    /// The kernel's number for it, unique within the namespace.
    pub index: u32,
    /// Its name, at most 15 bytes.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// Index of the bridge it is a port of.
    pub master: Option<u32>,
    /// Index of the device it stands on (VLAN, VXLAN) or of its peer (veth; in that
    /// namespace's numbers).
    pub parent: Option<u32>,
    /// Whether `parent` is in another namespace.
    pub parent_elsewhere: bool,
    /// Its hardware address.
    pub mac: Option<Mac>,
    /// Bytes.
    pub mtu: u32,
    /// Administratively up.
    pub up: bool,
    /// Up with carrier.
    pub carrier: bool,
}

/// What a device is, with what matters for us about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// Hardware, or anything that is not made by a request (`lo` too).
    Physical,
    /// A Linux bridge.
    Bridge,
    /// One end of a pair.
    Veth,
    /// A VLAN subinterface with its tag.
    Vlan(u16),
    /// A VXLAN tunnel end.
    Vxlan(VxlanSpec),
    /// A tun or tap device.
    Tun,
    /// A dummy device.
    Dummy,
    /// Any other kind, by the kernel's word.
    Other(String),
}

/// Settings of a VXLAN device.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VxlanSpec {
    /// The network identifier, 24 bits.
    pub vni: u32,
    /// Multicast group that unknown frames go to.
    pub group: Option<IpAddr>,
    /// Source address of tunnel packets.
    pub local: Option<IpAddr>,
    /// Index of the device the packets leave by.
    pub link: Option<u32>,
    /// UDP port of the peers; 0 = the kernel's default (8472).
    pub port: u16,
    /// Range of UDP source ports; (0, 0) = the kernel's choice.
    pub port_range: (u16, u16),
    /// Time to live; 0 = the kernel's choice.
    pub ttl: u8,
    /// Type of service; 1 = inherit.
    pub tos: u8,
    /// Learn source addresses from the tunnel.
    pub learning: bool,
    /// Answer ARP and neighbour solicitations from the device's neighbour table.
    pub proxy: bool,
}

/// A device to be made.
#[derive(Debug, Clone)]
pub enum NewLink<'a> {
    /// A bridge without spanning tree and without forward delay.
    Bridge,
    /// A pair; the other end under `peer`, in `peer_ns` if given.
    Veth {
        /// Name of the other end.
        peer: &'a str,
        /// The file of the namespace for the other end.
        peer_ns: Option<&'a std::fs::File>,
    },
    /// A VLAN subinterface of the device with index `parent`.
    Vlan {
        /// Index of the device below.
        parent: u32,
        /// The tag.
        id: u16,
    },
    /// A VXLAN tunnel end.
    Vxlan(&'a VxlanSpec),
    /// A dummy device.
    Dummy,
}

/// The kernel's word for a kind, as `ip link` shows it.
#[must_use]
pub fn kind_word(kind: &Kind) -> String {
    match kind {
        Kind::Physical => String::new(),
        Kind::Bridge => InfoKind::Bridge.to_string(),
        Kind::Veth => InfoKind::Veth.to_string(),
        Kind::Vlan(_) => InfoKind::Vlan.to_string(),
        Kind::Vxlan(_) => InfoKind::Vxlan.to_string(),
        Kind::Tun => InfoKind::Tun.to_string(),
        Kind::Dummy => InfoKind::Dummy.to_string(),
        Kind::Other(name) => name.clone(),
    }
}

impl Netlink {
    /// All devices, in the kernel's order.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn links(&self) -> Result<Vec<Link>> {
        let mut request = LinkMessage::default();
        request.attributes.push(LinkAttribute::ExtMask(vec![LinkExtentMask::SkipStats]));
        self.dump(&RouteNetlinkMessage::GetLink(request), "links", |message| match message {
            RouteNetlinkMessage::NewLink(link) => Some(read(link)),
            _ => None,
        })
    }

    /// The index of the device `name`, or `None`.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn index_of(&self, name: &str) -> Result<Option<u32>> {
        if self.netns().file().is_some() {
            // A get by name is no dump, yet the answer has the same form; the list inside a
            // namespace is short enough and keeps one code path.
            return Ok(self.links()?.into_iter().find(|link| link.name == name).map(|link| link.index));
        }
        // The host has many devices: the kernel looks this one up.
        match nix::net::if_::if_nametoindex(name) {
            Ok(index) => Ok(Some(index)),
            Err(nix::errno::Errno::ENODEV) => Ok(None),
            Err(e) => Err(Error::io(format!("device {name}"), e)),
        }
    }

    /// Makes a device, down.
    ///
    /// # Errors
    /// `is_there()` when the name is taken. `EOPNOTSUPP` when the kernel lacks the kind.
    pub fn add_link(&self, name: &str, new: &NewLink<'_>) -> Result<()> {
        let mut message = LinkMessage::default();
        message.attributes.push(LinkAttribute::IfName(name.to_owned()));
        let (kind, data) = match new {
            NewLink::Bridge => {
                let off = vec![InfoBridge::StpState(BridgeStpState::Disabled), InfoBridge::ForwardDelay(0)];
                (InfoKind::Bridge, Some(InfoData::Bridge(off)))
            }
            NewLink::Veth { peer, peer_ns } => {
                let mut other = LinkMessage::default();
                other.attributes.push(LinkAttribute::IfName((*peer).to_owned()));
                other.attributes.extend(peer_ns.map(|file| LinkAttribute::NetNsFd(file.as_raw_fd())));
                (InfoKind::Veth, Some(InfoData::Veth(InfoVeth::Peer(other))))
            }
            NewLink::Vlan { parent, id } => {
                message.attributes.push(LinkAttribute::Link(*parent));
                (InfoKind::Vlan, Some(InfoData::Vlan(vec![InfoVlan::Id(*id)])))
            }
            NewLink::Vxlan(spec) => (InfoKind::Vxlan, Some(InfoData::Vxlan(vxlan_data(spec)))),
            NewLink::Dummy => (InfoKind::Dummy, None),
        };
        let mut info = vec![LinkInfo::Kind(kind)];
        info.extend(data.map(LinkInfo::Data));
        message.attributes.push(LinkAttribute::LinkInfo(info));
        self.create(RouteNetlinkMessage::NewLink(message), Exists::Refuse, &|| {
            format!("making {} {name}", new_kind_word(new))
        })
    }

    /// Removes a device; one that is gone already is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_link(&self, index: u32) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        match self.change(RouteNetlinkMessage::DelLink(message), 0, &|| format!("deleting device {index}")) {
            Err(e) if e.is_gone() => Ok(()),
            outcome => outcome,
        }
    }

    /// Sets a device up or down.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_up(&self, index: u32, up: bool) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.header.change_mask = LinkFlags::Up;
        message.header.flags = if up { LinkFlags::Up } else { LinkFlags::empty() };
        self.change(RouteNetlinkMessage::SetLink(message), 0, &|| format!("setting device {index} up={up}"))
    }

    /// Sets the device `name` up.
    ///
    /// # Errors
    /// `is_gone()` when there is none.
    pub fn set_up_by_name(&self, name: &str) -> Result<()> {
        let gone = || Error::io(format!("device {name}"), nix::errno::Errno::ENODEV);
        self.set_up(self.index_of(name)?.ok_or_else(gone)?, true)
    }

    /// Sets the MTU in bytes.
    ///
    /// # Errors
    /// `EINVAL` when the device cannot do that.
    pub fn set_mtu(&self, index: u32, mtu: u32) -> Result<()> {
        self.set(index, LinkAttribute::Mtu(mtu), &|| format!("setting mtu {mtu} of device {index}"))
    }

    /// Sets the hardware address.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_mac(&self, index: u32, mac: Mac) -> Result<()> {
        self.set(index, LinkAttribute::Address(mac.0.to_vec()), &|| {
            format!("setting mac {mac} of device {index}")
        })
    }

    /// Renames a device, which must be down.
    ///
    /// # Errors
    /// `is_there()` when the name is taken.
    pub fn set_name(&self, index: u32, name: &str) -> Result<()> {
        self.set(index, LinkAttribute::IfName(name.to_owned()), &|| {
            format!("renaming device {index} to {name}")
        })
    }

    /// Makes a device a port of the bridge with index `master`, or of none.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn set_master(&self, index: u32, master: Option<u32>) -> Result<()> {
        let value = LinkAttribute::Controller(master.unwrap_or(0));
        self.set(index, value, &|| format!("putting device {index} into bridge {master:?}"))
    }

    /// Moves a device into another namespace; it gets a new index there and is down.
    ///
    /// # Errors
    /// `is_there()` when its name is taken there.
    pub fn set_netns(&self, index: u32, to: &Netns) -> Result<()> {
        let file;
        let fd = if let Some(file) = to.file() {
            file.as_raw_fd()
        } else {
            file = std::fs::File::open("/proc/self/ns/net").map_err(|e| Error::io("own namespace", e))?;
            file.as_raw_fd()
        };
        let what = || format!("moving device {index} to namespace {}", to.name().unwrap_or("of the host"));
        self.set(index, LinkAttribute::NetNsFd(fd), &what)
    }

    fn set(&self, index: u32, attribute: LinkAttribute, what: &dyn Fn() -> String) -> Result<()> {
        let mut message = LinkMessage::default();
        message.header.index = index;
        message.attributes.push(attribute);
        self.change(RouteNetlinkMessage::SetLink(message), 0, what)
    }
}

fn new_kind_word(new: &NewLink<'_>) -> &'static str {
    match new {
        NewLink::Bridge => "bridge",
        NewLink::Veth { .. } => "veth",
        NewLink::Vlan { .. } => "vlan",
        NewLink::Vxlan(_) => "vxlan",
        NewLink::Dummy => "dummy",
    }
}

/// The attributes of a VXLAN device; what is left at 0 or none is the kernel's choice.
fn vxlan_data(spec: &VxlanSpec) -> Vec<InfoVxlan> {
    let mut data =
        vec![InfoVxlan::Id(spec.vni), InfoVxlan::Learning(spec.learning), InfoVxlan::Proxy(spec.proxy)];
    data.extend(spec.link.map(InfoVxlan::Link));
    data.extend(spec.group.map(|group| match group {
        IpAddr::V4(a) => InfoVxlan::Group(a),
        IpAddr::V6(a) => InfoVxlan::Group6(a),
    }));
    data.extend(spec.local.map(|local| match local {
        IpAddr::V4(a) => InfoVxlan::Local(a),
        IpAddr::V6(a) => InfoVxlan::Local6(a),
    }));
    if spec.port != 0 {
        data.push(InfoVxlan::Port(spec.port));
    }
    if spec.port_range != (0, 0) {
        data.push(InfoVxlan::PortRange(spec.port_range));
    }
    if spec.ttl != 0 {
        data.push(InfoVxlan::Ttl(spec.ttl));
    }
    if spec.tos != 0 {
        data.push(InfoVxlan::Tos(spec.tos));
    }
    data
}

/// What a message of the kernel says about a device.
pub(super) fn read(message: LinkMessage) -> Link {
    let flags = message.header.flags;
    let mut link = Link {
        index: message.header.index,
        name: String::new(),
        kind: Kind::Physical,
        master: None,
        parent: None,
        parent_elsewhere: false,
        mac: None,
        mtu: 0,
        up: flags.contains(LinkFlags::Up),
        carrier: flags.contains(LinkFlags::LowerUp),
    };
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(name) => link.name = name,
            LinkAttribute::Mtu(mtu) => link.mtu = mtu,
            LinkAttribute::Address(bytes) => link.mac = <[u8; 6]>::try_from(bytes).ok().map(Mac),
            LinkAttribute::Controller(master) => link.master = Some(master).filter(|m| *m != 0),
            LinkAttribute::Link(parent) => link.parent = Some(parent).filter(|p| *p != 0),
            LinkAttribute::LinkNetNsId(_) => link.parent_elsewhere = true,
            LinkAttribute::LinkInfo(info) => read_info(info, &mut link),
            _ => {}
        }
    }
    link
}

fn read_info(info: Vec<LinkInfo>, link: &mut Link) {
    for part in info {
        match part {
            LinkInfo::Kind(kind) => {
                link.kind = match kind {
                    InfoKind::Bridge => Kind::Bridge,
                    InfoKind::Veth => Kind::Veth,
                    InfoKind::Vlan => Kind::Vlan(0),
                    InfoKind::Vxlan => Kind::Vxlan(VxlanSpec::default()),
                    InfoKind::Tun => Kind::Tun,
                    InfoKind::Dummy => Kind::Dummy,
                    other => Kind::Other(other.to_string()),
                }
            }
            LinkInfo::Data(InfoData::Vlan(data)) => {
                let id = data.iter().find_map(|d| if let InfoVlan::Id(id) = d { Some(*id) } else { None });
                link.kind = Kind::Vlan(id.unwrap_or(0));
            }
            LinkInfo::Data(InfoData::Vxlan(data)) => link.kind = Kind::Vxlan(read_vxlan(&data)),
            _ => {}
        }
    }
}

fn read_vxlan(data: &[InfoVxlan]) -> VxlanSpec {
    let mut spec = VxlanSpec::default();
    for attribute in data {
        match attribute {
            InfoVxlan::Id(id) => spec.vni = *id,
            InfoVxlan::Group(a) => spec.group = Some((*a).into()),
            InfoVxlan::Group6(a) => spec.group = Some((*a).into()),
            InfoVxlan::Local(a) => spec.local = Some((*a).into()),
            InfoVxlan::Local6(a) => spec.local = Some((*a).into()),
            InfoVxlan::Link(index) => spec.link = Some(*index).filter(|i| *i != 0),
            InfoVxlan::Port(port) => spec.port = *port,
            InfoVxlan::PortRange(range) => spec.port_range = *range,
            InfoVxlan::Ttl(ttl) => spec.ttl = *ttl,
            InfoVxlan::Tos(tos) => spec.tos = *tos,
            InfoVxlan::Learning(on) => spec.learning = *on,
            InfoVxlan::Proxy(on) => spec.proxy = *on,
            _ => {}
        }
    }
    spec
}
