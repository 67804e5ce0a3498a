//! The fields of packets that matches and actions speak of: numbers from openvswitch/meta-flow.h
//! (`NXM_*`) and the OpenFlow 1.3 specification, section 7.2.3 (`OXM_*`).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::wire::Malformed;

/// A field, in the order in which Open vSwitch writes them in a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Field {
    /// Number of a conjunction that holds.
    ConjId,
    /// Port the packet came in by.
    InPort,
    /// The same in sixteen bits; in actions only.
    InPortNxm,
    /// Source hardware address.
    EthSrc,
    /// Destination hardware address.
    EthDst,
    /// Ethernet type.
    EthType,
    /// The whole 802.1Q word: tag, 0x1000 = there is one, priority in the upper three bits.
    VlanTci,
    /// Tag with 0x1000 set; in actions only, matches say [`Field::VlanTci`].
    VlanVid,
    /// 802.1Q priority; in actions only.
    VlanPcp,
    /// IPv4 source.
    Ipv4Src,
    /// IPv4 destination.
    Ipv4Dst,
    /// IPv6 source.
    Ipv6Src,
    /// IPv6 destination.
    Ipv6Dst,
    /// DSCP.
    IpDscp,
    /// TTL or hop limit.
    IpTtl,
    /// Protocol or next header.
    IpProto,
    /// TCP source port.
    TcpSrc,
    /// TCP destination port.
    TcpDst,
    /// UDP source port.
    UdpSrc,
    /// UDP destination port.
    UdpDst,
    /// SCTP source port.
    SctpSrc,
    /// SCTP destination port.
    SctpDst,
    /// ICMP type.
    IcmpType,
    /// ICMP code.
    IcmpCode,
    /// ICMPv6 type.
    Icmp6Type,
    /// ICMPv6 code.
    Icmp6Code,
    /// Address a neighbour message is about.
    NdTarget,
    /// Source's hardware address in a solicitation.
    NdSll,
    /// Target's hardware address in an advertisement.
    NdTll,
    /// ARP: 1 request, 2 reply.
    ArpOp,
    /// ARP: the sender's address.
    ArpSpa,
    /// ARP: the address looked for.
    ArpTpa,
    /// ARP: the sender's hardware address.
    ArpSha,
    /// ARP: the target's hardware address.
    ArpTha,
    /// Key of the tunnel: segmentation id.
    TunId,
    /// Tunnel's remote end.
    TunSrc,
    /// Tunnel's local end.
    TunDst,
    /// Tunnel's remote end.
    TunIpv6Src,
    /// Tunnel's local end.
    TunIpv6Dst,
    /// A register of the pipeline.
    Reg0,
    /// A register of the pipeline.
    Reg1,
    /// A register of the pipeline.
    Reg2,
    /// A register of the pipeline.
    Reg3,
    /// A register of the pipeline.
    Reg4,
    /// A register of the pipeline.
    Reg5,
    /// A register of the pipeline.
    Reg6,
    /// A register of the pipeline.
    Reg7,
    /// Mark of the kernel's packet.
    PktMark,
    /// What connection tracking says; bits in [`ct_state`].
    CtState,
    /// Zone of connection tracking.
    CtZone,
    /// Mark of the connection.
    CtMark,
    /// Label of the connection.
    CtLabel,
    /// OpenFlow's own register.
    Metadata,
}

/// How a value is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Show {
    /// 7
    Decimal,
    /// 0x7
    Hex,
    /// fa:16:3e:00:00:01
    Mac,
    /// 10.0.0.0/24
    Ipv4,
    /// fd00::/64
    Ipv6,
    /// 7, LOCAL
    Port,
    /// +est-rel
    CtState,
}

/// Class, number and name of a header.
type Header = (u16, u8, &'static str);

/// What is known of a field.
#[derive(Debug)]
pub struct Info {
    field: Field,
    /// In matches.
    pub name: &'static str,
    /// In `set_field`.
    pub set_name: &'static str,
    nxm: Option<Header>,
    oxm: Option<Header>,
    /// On the wire.
    pub bytes: usize,
    /// That count; fewer than the bytes have.
    pub bits: u16,
    /// In text.
    pub show: Show,
}

/// One row.
#[rustfmt::skip]
const fn info(
    field: Field, (name, set_name): (&'static str, &'static str), (nxm, oxm): (Option<Header>, Option<Header>),
    bytes: usize, bits: u16, show: Show,
) -> Info {
    Info { field, name, set_name, nxm, oxm, bytes, bits, show }
}

/// In the order of [`Field`].
#[rustfmt::skip]
static FIELDS: &[Info] = &[
    info(Field::ConjId, ("conj_id", "conj_id"), (Some((0x0001, 37, "NXM_NX_CONJ_ID")), None), 4, 32, Show::Decimal),
    info(Field::InPort, ("in_port", "in_port_oxm"), (None, Some((0x8000, 0, "OXM_OF_IN_PORT"))), 4, 32, Show::Port),
    info(Field::InPortNxm, ("in_port", "in_port"), (Some((0x0000, 0, "NXM_OF_IN_PORT")), None), 2, 16, Show::Port),
    info(Field::EthSrc, ("dl_src", "eth_src"), (Some((0x0000, 2, "NXM_OF_ETH_SRC")), Some((0x8000, 4, "OXM_OF_ETH_SRC"))), 6, 48, Show::Mac),
    info(Field::EthDst, ("dl_dst", "eth_dst"), (Some((0x0000, 1, "NXM_OF_ETH_DST")), Some((0x8000, 3, "OXM_OF_ETH_DST"))), 6, 48, Show::Mac),
    info(Field::EthType, ("dl_type", "eth_type"), (Some((0x0000, 3, "NXM_OF_ETH_TYPE")), Some((0x8000, 5, "OXM_OF_ETH_TYPE"))), 2, 16, Show::Hex),
    info(Field::VlanTci, ("vlan_tci", "vlan_tci"), (Some((0x0000, 4, "NXM_OF_VLAN_TCI")), None), 2, 16, Show::Hex),
    info(Field::VlanVid, ("vlan_vid", "vlan_vid"), (None, Some((0x8000, 6, "OXM_OF_VLAN_VID"))), 2, 12, Show::Decimal),
    info(Field::VlanPcp, ("vlan_pcp", "vlan_pcp"), (None, Some((0x8000, 7, "OXM_OF_VLAN_PCP"))), 1, 3, Show::Decimal),
    info(Field::Ipv4Src, ("nw_src", "ip_src"), (Some((0x0000, 7, "NXM_OF_IP_SRC")), Some((0x8000, 11, "OXM_OF_IPV4_SRC"))), 4, 32, Show::Ipv4),
    info(Field::Ipv4Dst, ("nw_dst", "ip_dst"), (Some((0x0000, 8, "NXM_OF_IP_DST")), Some((0x8000, 12, "OXM_OF_IPV4_DST"))), 4, 32, Show::Ipv4),
    info(Field::Ipv6Src, ("ipv6_src", "ipv6_src"), (Some((0x0001, 19, "NXM_NX_IPV6_SRC")), Some((0x8000, 26, "OXM_OF_IPV6_SRC"))), 16, 128, Show::Ipv6),
    info(Field::Ipv6Dst, ("ipv6_dst", "ipv6_dst"), (Some((0x0001, 20, "NXM_NX_IPV6_DST")), Some((0x8000, 27, "OXM_OF_IPV6_DST"))), 16, 128, Show::Ipv6),
    info(Field::IpDscp, ("nw_tos", "ip_dscp"), (None, Some((0x8000, 8, "OXM_OF_IP_DSCP"))), 1, 6, Show::Decimal),
    info(Field::IpTtl, ("nw_ttl", "nw_ttl"), (Some((0x0001, 29, "NXM_NX_IP_TTL")), None), 1, 8, Show::Decimal),
    info(Field::IpProto, ("nw_proto", "nw_proto"), (Some((0x0000, 6, "NXM_OF_IP_PROTO")), Some((0x8000, 10, "OXM_OF_IP_PROTO"))), 1, 8, Show::Decimal),
    info(Field::TcpSrc, ("tp_src", "tcp_src"), (Some((0x0000, 9, "NXM_OF_TCP_SRC")), Some((0x8000, 13, "OXM_OF_TCP_SRC"))), 2, 16, Show::Decimal),
    info(Field::TcpDst, ("tp_dst", "tcp_dst"), (Some((0x0000, 10, "NXM_OF_TCP_DST")), Some((0x8000, 14, "OXM_OF_TCP_DST"))), 2, 16, Show::Decimal),
    info(Field::UdpSrc, ("tp_src", "udp_src"), (Some((0x0000, 11, "NXM_OF_UDP_SRC")), Some((0x8000, 15, "OXM_OF_UDP_SRC"))), 2, 16, Show::Decimal),
    info(Field::UdpDst, ("tp_dst", "udp_dst"), (Some((0x0000, 12, "NXM_OF_UDP_DST")), Some((0x8000, 16, "OXM_OF_UDP_DST"))), 2, 16, Show::Decimal),
    info(Field::SctpSrc, ("tp_src", "sctp_src"), (None, Some((0x8000, 17, "OXM_OF_SCTP_SRC"))), 2, 16, Show::Decimal),
    info(Field::SctpDst, ("tp_dst", "sctp_dst"), (None, Some((0x8000, 18, "OXM_OF_SCTP_DST"))), 2, 16, Show::Decimal),
    info(Field::IcmpType, ("icmp_type", "icmp_type"), (Some((0x0000, 13, "NXM_OF_ICMP_TYPE")), Some((0x8000, 19, "OXM_OF_ICMPV4_TYPE"))), 1, 8, Show::Decimal),
    info(Field::IcmpCode, ("icmp_code", "icmp_code"), (Some((0x0000, 14, "NXM_OF_ICMP_CODE")), Some((0x8000, 20, "OXM_OF_ICMPV4_CODE"))), 1, 8, Show::Decimal),
    info(Field::Icmp6Type, ("icmp_type", "icmpv6_type"), (Some((0x0001, 21, "NXM_NX_ICMPV6_TYPE")), Some((0x8000, 29, "OXM_OF_ICMPV6_TYPE"))), 1, 8, Show::Decimal),
    info(Field::Icmp6Code, ("icmp_code", "icmpv6_code"), (Some((0x0001, 22, "NXM_NX_ICMPV6_CODE")), Some((0x8000, 30, "OXM_OF_ICMPV6_CODE"))), 1, 8, Show::Decimal),
    info(Field::NdTarget, ("nd_target", "nd_target"), (Some((0x0001, 23, "NXM_NX_ND_TARGET")), Some((0x8000, 31, "OXM_OF_IPV6_ND_TARGET"))), 16, 128, Show::Ipv6),
    info(Field::NdSll, ("nd_sll", "nd_sll"), (Some((0x0001, 24, "NXM_NX_ND_SLL")), Some((0x8000, 32, "OXM_OF_IPV6_ND_SLL"))), 6, 48, Show::Mac),
    info(Field::NdTll, ("nd_tll", "nd_tll"), (Some((0x0001, 25, "NXM_NX_ND_TLL")), Some((0x8000, 33, "OXM_OF_IPV6_ND_TLL"))), 6, 48, Show::Mac),
    info(Field::ArpOp, ("arp_op", "arp_op"), (Some((0x0000, 15, "NXM_OF_ARP_OP")), Some((0x8000, 21, "OXM_OF_ARP_OP"))), 2, 16, Show::Decimal),
    info(Field::ArpSpa, ("arp_spa", "arp_spa"), (Some((0x0000, 16, "NXM_OF_ARP_SPA")), Some((0x8000, 22, "OXM_OF_ARP_SPA"))), 4, 32, Show::Ipv4),
    info(Field::ArpTpa, ("arp_tpa", "arp_tpa"), (Some((0x0000, 17, "NXM_OF_ARP_TPA")), Some((0x8000, 23, "OXM_OF_ARP_TPA"))), 4, 32, Show::Ipv4),
    info(Field::ArpSha, ("arp_sha", "arp_sha"), (Some((0x0001, 17, "NXM_NX_ARP_SHA")), Some((0x8000, 24, "OXM_OF_ARP_SHA"))), 6, 48, Show::Mac),
    info(Field::ArpTha, ("arp_tha", "arp_tha"), (Some((0x0001, 18, "NXM_NX_ARP_THA")), Some((0x8000, 25, "OXM_OF_ARP_THA"))), 6, 48, Show::Mac),
    info(Field::TunId, ("tun_id", "tun_id"), (Some((0x0001, 16, "NXM_NX_TUN_ID")), Some((0x8000, 38, "OXM_OF_TUNNEL_ID"))), 8, 64, Show::Hex),
    info(Field::TunSrc, ("tun_src", "tun_src"), (Some((0x0001, 31, "NXM_NX_TUN_IPV4_SRC")), None), 4, 32, Show::Ipv4),
    info(Field::TunDst, ("tun_dst", "tun_dst"), (Some((0x0001, 32, "NXM_NX_TUN_IPV4_DST")), None), 4, 32, Show::Ipv4),
    info(Field::TunIpv6Src, ("tun_ipv6_src", "tun_ipv6_src"), (Some((0x0001, 109, "NXM_NX_TUN_IPV6_SRC")), None), 16, 128, Show::Ipv6),
    info(Field::TunIpv6Dst, ("tun_ipv6_dst", "tun_ipv6_dst"), (Some((0x0001, 110, "NXM_NX_TUN_IPV6_DST")), None), 16, 128, Show::Ipv6),
    info(Field::Reg0, ("reg0", "reg0"), (Some((0x0001, 0, "NXM_NX_REG0")), None), 4, 32, Show::Hex),
    info(Field::Reg1, ("reg1", "reg1"), (Some((0x0001, 1, "NXM_NX_REG1")), None), 4, 32, Show::Hex),
    info(Field::Reg2, ("reg2", "reg2"), (Some((0x0001, 2, "NXM_NX_REG2")), None), 4, 32, Show::Hex),
    info(Field::Reg3, ("reg3", "reg3"), (Some((0x0001, 3, "NXM_NX_REG3")), None), 4, 32, Show::Hex),
    info(Field::Reg4, ("reg4", "reg4"), (Some((0x0001, 4, "NXM_NX_REG4")), None), 4, 32, Show::Hex),
    info(Field::Reg5, ("reg5", "reg5"), (Some((0x0001, 5, "NXM_NX_REG5")), None), 4, 32, Show::Hex),
    info(Field::Reg6, ("reg6", "reg6"), (Some((0x0001, 6, "NXM_NX_REG6")), None), 4, 32, Show::Hex),
    info(Field::Reg7, ("reg7", "reg7"), (Some((0x0001, 7, "NXM_NX_REG7")), None), 4, 32, Show::Hex),
    info(Field::PktMark, ("pkt_mark", "pkt_mark"), (Some((0x0001, 33, "NXM_NX_PKT_MARK")), None), 4, 32, Show::Hex),
    info(Field::CtState, ("ct_state", "ct_state"), (Some((0x0001, 105, "NXM_NX_CT_STATE")), None), 4, 32, Show::CtState),
    info(Field::CtZone, ("ct_zone", "ct_zone"), (Some((0x0001, 106, "NXM_NX_CT_ZONE")), None), 2, 16, Show::Hex),
    info(Field::CtMark, ("ct_mark", "ct_mark"), (Some((0x0001, 107, "NXM_NX_CT_MARK")), None), 4, 32, Show::Hex),
    info(Field::CtLabel, ("ct_label", "ct_label"), (Some((0x0001, 108, "NXM_NX_CT_LABEL")), None), 16, 128, Show::Hex),
    info(Field::Metadata, ("metadata", "metadata"), (None, Some((0x8000, 2, "OXM_OF_METADATA"))), 8, 64, Show::Hex),
];

/// Bits of [`Field::CtState`].
pub mod ct_state {
    /// A connection that begins.
    pub const NEW: u128 = 1;
    /// One that was committed before.
    pub const EST: u128 = 2;
    /// One that belongs to another: an ICMP error, an FTP transfer.
    pub const REL: u128 = 4;
    /// In the direction opposite to the first packet's.
    pub const RPL: u128 = 8;
    /// None that could be.
    pub const INV: u128 = 16;
    /// Connection tracking has been asked.
    pub const TRK: u128 = 32;
    /// Their names, lowest bit first.
    pub const NAMES: &[&str] = &["new", "est", "rel", "rpl", "inv", "trk", "snat", "dnat"];
}

impl Field {
    /// What is known of it.
    #[must_use]
    pub fn info(self) -> &'static Info {
        &FIELDS[self as usize]
    }

    /// By its place in the list.
    pub(crate) fn of_index(index: u8) -> Option<Field> {
        FIELDS.get(usize::from(index)).map(|info| info.field)
    }

    /// All bits that count.
    #[must_use]
    pub fn all_ones(self) -> u128 {
        // A tag is matched and set with the bit that says there is one.
        let bits = if self == Field::VlanVid { 13 } else { self.info().bits };
        u128::MAX >> (128 - bits)
    }

    /// Number in a match or `set_field` of OpenFlow 1.2 and later.
    #[must_use]
    pub(crate) fn oxm(self, masked: bool) -> u32 {
        let info = self.info();
        header(info.oxm.or(info.nxm), info.bytes, masked)
    }

    /// Number in Nicira's actions.
    #[must_use]
    pub(crate) fn nxm(self) -> u32 {
        let info = self.info();
        header(info.nxm.or(info.oxm), info.bytes, false)
    }

    /// Name in Nicira's actions.
    #[must_use]
    pub(crate) fn nxm_name(self) -> &'static str {
        let info = self.info();
        info.nxm.or(info.oxm).map_or("", |(_, _, name)| name)
    }

    /// The field of a header, whether it has a mask.
    pub(crate) fn of_header(number: u32) -> Result<(Field, bool), Malformed> {
        let [class_high, class_low, field, _] = number.to_be_bytes();
        let class = u16::from_be_bytes([class_high, class_low]);
        let is = |header: Option<Header>| header.is_some_and(|(c, f, _)| (c, f) == (class, field >> 1));
        let info = FIELDS.iter().find(|info| is(info.oxm) || is(info.nxm));
        let info = info.ok_or_else(|| Malformed::new("a field", format_args!("{number:#010x}")))?;
        Ok((info.field, field & 1 == 1))
    }

    /// A value as ovs-ofctl shows it in `set_field`.
    pub(crate) fn show(self, value: u128, mask: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let exact = mask == self.all_ones();
        match self.info().show {
            Show::Decimal if exact => write!(f, "{value}"),
            Show::Decimal | Show::Hex | Show::CtState => {
                write!(f, "{}", super::action::Hex(value))?;
                if exact { Ok(()) } else { write!(f, "/{mask:#x}") }
            }
            Show::Mac => show_mac(value, mask, f),
            Show::Ipv4 => show_ipv4(value, mask, f),
            Show::Ipv6 => show_ipv6(value, mask, f),
            Show::Port => write!(f, "{}", super::action::Port(low32(value))),
        }
    }
}

/// The low half of a number that is known to be small.
#[must_use]
pub(crate) fn low32(value: u128) -> u32 {
    u32::try_from(value & u128::from(u32::MAX)).unwrap_or(u32::MAX)
}

fn header(header: Option<Header>, bytes: usize, masked: bool) -> u32 {
    let (class, field, _) = header.unwrap_or_default();
    let bytes = u32::try_from(bytes).unwrap_or_default() << u32::from(masked);
    u32::from(class) << 16 | u32::from(field) << 9 | u32::from(masked) << 8 | bytes
}

fn mac_text(value: u128) -> String {
    let bytes = value.to_be_bytes();
    bytes.iter().skip(10).map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

pub(crate) fn show_mac(value: u128, mask: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", mac_text(value))?;
    if mask == u128::MAX >> 80 { Ok(()) } else { write!(f, "/{}", mac_text(mask)) }
}

pub(crate) fn show_ipv4(value: u128, mask: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    let (value, mask) = (low32(value), low32(mask));
    write!(f, "{}", Ipv4Addr::from(value))?;
    match mask {
        u32::MAX => Ok(()),
        mask if mask.leading_ones() + mask.trailing_zeros() == 32 => write!(f, "/{}", mask.leading_ones()),
        mask => write!(f, "/{}", Ipv4Addr::from(mask)),
    }
}

pub(crate) fn show_ipv6(value: u128, mask: u128, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    write!(f, "{}", Ipv6Addr::from(value))?;
    match mask {
        u128::MAX => Ok(()),
        mask if mask.leading_ones() + mask.trailing_zeros() == 128 => write!(f, "/{}", mask.leading_ones()),
        mask => write!(f, "/{}", Ipv6Addr::from(mask)),
    }
}

/// The bits of one field that a flow compares or changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Subfield {
    /// The field.
    pub field: Field,
    /// The lowest bit.
    pub first: u16,
    /// How many.
    pub bits: u16,
}

impl Subfield {
    /// All of a field.
    #[must_use]
    pub fn all(field: Field) -> Subfield {
        Subfield { field, first: 0, bits: field.info().bits }
    }

    /// Some bits of a field, both ends included.
    #[must_use]
    pub fn bits(field: Field, first: u16, last: u16) -> Subfield {
        Subfield { field, first, bits: last - first + 1 }
    }

    /// As `NXAST_REG_LOAD` and others have it: offset in the upper ten bits, length less one below.
    pub(crate) fn ofs_nbits(self) -> u16 {
        self.first << 6 | (self.bits - 1)
    }

    pub(crate) fn of_ofs_nbits(field: Field, packed: u16) -> Subfield {
        Subfield { field, first: packed >> 6, bits: (packed & 0x3f) + 1 }
    }
}

impl From<Field> for Subfield {
    fn from(field: Field) -> Subfield {
        Subfield::all(field)
    }
}

impl fmt::Display for Subfield {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.field.nxm_name())?;
        match *self {
            all if all == Subfield::all(self.field) => write!(f, "[]"),
            Subfield { first, bits: 1, .. } => write!(f, "[{first}]"),
            Subfield { first, bits, .. } => write!(f, "[{first}..{}]", first + bits - 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_fields() {
        for (at, info) in FIELDS.iter().enumerate() {
            assert_eq!(info.field as usize, at, "{}", info.name);
            assert!(usize::from(info.bits) <= info.bytes * 8 && (info.nxm.is_some() || info.oxm.is_some()));
            assert_eq!(Field::of_header(info.field.oxm(true)).unwrap(), (info.field, true));
            assert_eq!(Field::of_header(info.field.nxm()).unwrap(), (info.field, false));
        }
        assert!(Field::of_header(0x8000_7e04).is_err());
        assert_eq!(Field::EthSrc.oxm(true), 0x8000_090c);
        assert_eq!(Field::EthSrc.nxm(), 0x0000_0406);
    }

    #[test]
    fn parts_of_fields() {
        for (part, text) in [
            (Subfield::all(Field::Reg5), "NXM_NX_REG5[]"),
            (Subfield::bits(Field::Reg6, 0, 15), "NXM_NX_REG6[0..15]"),
            (Subfield::bits(Field::VlanTci, 0, 11), "NXM_OF_VLAN_TCI[0..11]"),
            (Subfield::bits(Field::CtMark, 0, 0), "NXM_NX_CT_MARK[0]"),
            (Subfield::all(Field::Metadata), "OXM_OF_METADATA[]"),
        ] {
            assert_eq!(part.to_string(), text);
            assert_eq!(Subfield::of_ofs_nbits(part.field, part.ofs_nbits()), part);
        }
    }
}
