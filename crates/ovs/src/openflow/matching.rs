//! What a flow compares in a packet: a map from fields to values, so that two ways of writing the same
//! match are equal. A host has tens of thousands of them, so it is kept in few bytes.

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::field::{Field, ct_state, low32, show_ipv4, show_ipv6, show_mac};
use super::wire::{Malformed, Reader, Writer, length};

/// Ethernet types.
pub mod eth {
    /// IPv4
    pub const IPV4: u128 = 0x0800;
    /// ARP
    pub const ARP: u128 = 0x0806;
    /// RARP
    pub const RARP: u128 = 0x8035;
    /// IPv6
    pub const IPV6: u128 = 0x86dd;
}

/// Protocols of IP.
pub mod ip {
    /// ICMP
    pub const ICMP: u128 = 1;
    /// TCP
    pub const TCP: u128 = 6;
    /// UDP
    pub const UDP: u128 = 17;
    /// ICMP for IPv6
    pub const ICMP6: u128 = 58;
    /// SCTP
    pub const SCTP: u128 = 132;
}

/// The bit of the 802.1Q word that says there is one.
const VLAN_PRESENT: u128 = 0x1000;
/// Tag and presence: what OpenFlow's VLAN_VID has.
const VID_MASK: u128 = 0x1fff;
/// The match's type on the wire: OXM.
const OXM: u16 = 1;

/// A value and which of its bits are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bits {
    /// Zero where the mask is.
    pub value: u128,
    /// One where it counts.
    pub mask: u128,
}

/// What is compared; nothing at all matches every packet. In order of fields, for each its number among
/// [`Field`]s, its value and its mask, in as many bytes as it has on the wire.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Match(Box<[u8]>);

impl fmt::Debug for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Match({self})")
    }
}

/// The fields of a match.
#[derive(Debug, Clone)]
struct Parts<'a>(&'a [u8]);

impl Iterator for Parts<'_> {
    type Item = (Field, Bits);

    fn next(&mut self) -> Option<(Field, Bits)> {
        let (number, rest) = self.0.split_first()?;
        let field = Field::of_index(*number)?;
        let bytes = field.info().bytes;
        let (value, rest) = rest.split_at_checked(bytes)?;
        let (mask, rest) = rest.split_at_checked(bytes)?;
        self.0 = rest;
        let whole = |bytes: &[u8]| bytes.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte));
        Some((field, Bits { value: whole(value), mask: whole(mask) }))
    }
}

impl Match {
    /// Every packet.
    #[must_use]
    pub fn new() -> Match {
        Match::default()
    }

    /// The field has this value.
    #[must_use]
    pub fn field(self, field: Field, value: impl Into<u128>) -> Match {
        self.masked(field, value, field.all_ones())
    }

    /// These bits of the field have this value.
    #[must_use]
    pub fn masked(self, field: Field, value: impl Into<u128>, mask: impl Into<u128>) -> Match {
        let mask = mask.into() & field.all_ones();
        let new = (mask != 0).then(|| (field, Bits { value: value.into() & mask, mask }));
        let before = self.parts().take_while(|(of, _)| *of < field);
        let after = self.parts().skip_while(|(of, _)| *of <= field);
        let mut out = Writer::default();
        out.bytes.reserve_exact(self.0.len() + 1 + 2 * field.info().bytes);
        for (field, Bits { value, mask }) in before.chain(new).chain(after) {
            out.u8(field as u8);
            out.number(value, field.info().bytes);
            out.number(mask, field.info().bytes);
        }
        Match(out.bytes.into_boxed_slice())
    }

    /// As it is kept.
    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// From what [`Match::as_bytes`] gave.
    pub(super) fn of_bytes(bytes: &[u8]) -> Match {
        Match(bytes.into())
    }

    fn parts(&self) -> Parts<'_> {
        Parts(&self.0)
    }

    /// Came in by this port.
    #[must_use]
    pub fn in_port(self, port: u32) -> Match {
        self.field(Field::InPort, port)
    }

    /// Has this tag.
    #[must_use]
    pub fn vlan(self, tag: u16) -> Match {
        self.masked(Field::VlanTci, u128::from(tag) | VLAN_PRESENT, VID_MASK)
    }

    /// Has no tag.
    #[must_use]
    pub fn untagged(self) -> Match {
        self.masked(Field::VlanTci, 0u8, VID_MASK)
    }

    /// Is ARP.
    #[must_use]
    pub fn arp(self) -> Match {
        self.field(Field::EthType, eth::ARP)
    }

    /// Is IPv4.
    #[must_use]
    pub fn ipv4(self) -> Match {
        self.field(Field::EthType, eth::IPV4)
    }

    /// Is IPv6.
    #[must_use]
    pub fn ipv6(self) -> Match {
        self.field(Field::EthType, eth::IPV6)
    }

    /// Is ICMPv6 of this type.
    #[must_use]
    pub fn icmp6(self, kind: u8) -> Match {
        self.ipv6().field(Field::IpProto, ip::ICMP6).field(Field::Icmp6Type, kind)
    }

    /// A network of IPv4 addresses.
    #[must_use]
    pub fn ipv4_net(self, field: Field, net: Ipv4Addr, prefix: u8) -> Match {
        let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
        self.masked(field, u32::from(net), mask)
    }

    /// A network of IPv6 addresses.
    #[must_use]
    pub fn ipv6_net(self, field: Field, net: Ipv6Addr, prefix: u8) -> Match {
        let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
        self.masked(field, u128::from(net), mask)
    }

    /// Is a neighbour message about an address of a network: its code is zero then, and is compared too. Without that,
    /// an Open vSwitch that lacks the fix of CVE-2023-5366 (Debian 12's 3.1.0) hands the kernel a flow without the
    /// target, and what becomes of one message becomes of all.
    #[must_use]
    pub fn nd_target(self, net: Ipv6Addr, prefix: u8) -> Match {
        self.field(Field::Icmp6Code, 0u8).ipv6_net(Field::NdTarget, net, prefix)
    }

    /// Connection tracking says all of `set` and none of `clear`.
    #[must_use]
    pub fn ct_state(self, set: u128, clear: u128) -> Match {
        self.masked(Field::CtState, set, set | clear)
    }

    /// What is compared of a field.
    #[must_use]
    pub fn get(&self, field: Field) -> Option<Bits> {
        self.parts().find(|(of, _)| *of == field).map(|(_, bits)| bits)
    }

    fn exactly(&self, field: Field) -> Option<u128> {
        self.get(field).filter(|bits| bits.mask == field.all_ones()).map(|bits| bits.value)
    }

    /// With length and padding, as in a message.
    pub(crate) fn encode(&self, out: &mut Writer) {
        let start = out.bytes.len();
        out.u16(OXM);
        out.u16(0);
        for (field, bits) in self.parts() {
            match field {
                Field::VlanTci => encode_vlan(bits, out),
                _ => encode_field(field, bits, out),
            }
        }
        out.patch_u16(start + 2, length(out.bytes.len() - start));
        out.pad8(start);
    }

    /// Reads it with its padding.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Match, Malformed> {
        let (kind, len) = (reader.u16()?, usize::from(reader.u16()?));
        if kind != OXM || len < 4 {
            return Err(Malformed::new("a match", format_args!("type {kind}, {len} bytes")));
        }
        let mut fields = Reader::new(reader.take(len - 4)?, "a match");
        reader.take(len.next_multiple_of(8) - len)?;
        let mut out = Match::new();
        while !fields.is_empty() {
            let (field, masked) = Field::of_header(fields.u32()?)?;
            let bytes = field.info().bytes;
            let value = fields.number(bytes)?;
            let mask = if masked { fields.number(bytes)? } else { field.all_ones() };
            out = match field {
                Field::VlanVid => out.join_vlan(value, mask & VID_MASK),
                Field::VlanPcp => out.join_vlan(value << 13 | VLAN_PRESENT, 7 << 13 | VLAN_PRESENT),
                _ => out.masked(field, value, mask),
            };
        }
        Ok(out)
    }

    fn join_vlan(self, value: u128, mask: u128) -> Match {
        let before = self.get(Field::VlanTci).unwrap_or(Bits { value: 0, mask: 0 });
        self.masked(Field::VlanTci, before.value | value, before.mask | mask)
    }
}

fn encode_field(field: Field, bits: Bits, out: &mut Writer) {
    let masked = bits.mask != field.all_ones();
    out.u32(field.oxm(masked));
    out.number(bits.value, field.info().bytes);
    if masked {
        // A field of the full width of its bytes; the others have no masks.
        out.number(bits.mask, field.info().bytes);
    }
}

/// The 802.1Q word as OpenFlow's two fields.
fn encode_vlan(bits: Bits, out: &mut Writer) {
    let vid = Bits { value: bits.value & VID_MASK, mask: bits.mask & VID_MASK };
    if vid.mask != 0 {
        encode_field(Field::VlanVid, vid, out);
    }
    if bits.mask >> 13 != 0 && vid.value != 0 {
        encode_field(Field::VlanPcp, Bits { value: bits.value >> 13, mask: 7 }, out);
    }
}

/// As ovs-ofctl prints it, without the priority: `icmp6,in_port=7,icmp_type=136`.
impl fmt::Display for Match {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = Text { of: self, f, first: true };
        use Field as F;
        text.all(&[F::PktMark, F::ConjId, F::CtState, F::CtZone, F::CtMark, F::CtLabel])?;
        let (short_type, short_proto) = text.short()?;
        text.all(&[F::Reg0, F::Reg1, F::Reg2, F::Reg3, F::Reg4, F::Reg5, F::Reg6, F::Reg7])?;
        text.all(&[F::TunId, F::TunSrc, F::TunDst, F::TunIpv6Src, F::TunIpv6Dst, F::Metadata, F::InPort])?;
        text.vlan()?;
        text.all(&[F::EthSrc, F::EthDst])?;
        if !short_type && let Some(kind) = self.exactly(F::EthType) {
            text.word(format_args!("dl_type={kind:#06x}"))?;
        }
        text.all(&[F::Ipv6Src, F::Ipv6Dst, F::ArpSpa, F::ArpTpa, F::Ipv4Src, F::Ipv4Dst, F::ArpOp])?;
        if !short_proto {
            text.plain(F::IpProto)?;
        }
        text.all(&[F::ArpSha, F::ArpTha])?;
        if let Some(bits) = self.get(F::IpDscp) {
            text.word(format_args!("nw_tos={}", bits.value << 2))?;
        }
        text.all(&[F::IpTtl, F::IcmpType, F::IcmpCode, F::Icmp6Type, F::Icmp6Code])?;
        text.all(&[F::NdTarget, F::NdSll, F::NdTll, F::TcpSrc, F::TcpDst, F::UdpSrc, F::UdpDst])?;
        text.all(&[F::SctpSrc, F::SctpDst])
    }
}

/// Words with commas between them.
struct Text<'a, 'b, 'c> {
    of: &'a Match,
    f: &'b mut fmt::Formatter<'c>,
    first: bool,
}

impl Text<'_, '_, '_> {
    fn word(&mut self, word: fmt::Arguments<'_>) -> fmt::Result {
        if !std::mem::replace(&mut self.first, false) {
            self.f.write_str(",")?;
        }
        self.f.write_fmt(word)
    }

    /// `ip`, `tcp6` …; whether it says the Ethernet type, and the protocol.
    fn short(&mut self) -> Result<(bool, bool), fmt::Error> {
        let proto = self.of.exactly(Field::IpProto);
        let (word, proto_too) = match (self.of.exactly(Field::EthType), proto) {
            (Some(eth::IPV4), Some(ip::ICMP)) => ("icmp", true),
            (Some(eth::IPV4), Some(ip::TCP)) => ("tcp", true),
            (Some(eth::IPV4), Some(ip::UDP)) => ("udp", true),
            (Some(eth::IPV4), Some(ip::SCTP)) => ("sctp", true),
            (Some(eth::IPV4), _) => ("ip", false),
            (Some(eth::IPV6), Some(ip::ICMP6)) => ("icmp6", true),
            (Some(eth::IPV6), Some(ip::TCP)) => ("tcp6", true),
            (Some(eth::IPV6), Some(ip::UDP)) => ("udp6", true),
            (Some(eth::IPV6), Some(ip::SCTP)) => ("sctp6", true),
            (Some(eth::IPV6), _) => ("ipv6", false),
            (Some(eth::ARP), _) => ("arp", false),
            (Some(eth::RARP), _) => ("rarp", false),
            (None | Some(_), _) => return Ok((false, false)),
        };
        self.word(format_args!("{word}"))?;
        Ok((true, proto_too))
    }

    fn vlan(&mut self) -> fmt::Result {
        let Some(Bits { value, mask }) = self.of.get(Field::VlanTci) else { return Ok(()) };
        let (vid, pcp) = (mask & 0xfff, mask >> 13);
        let whole = (vid == 0 || vid == 0xfff) && (pcp == 0 || pcp == 7) && (vid != 0 || pcp != 0);
        if mask & value & VLAN_PRESENT != 0 && whole {
            if vid != 0 {
                self.word(format_args!("dl_vlan={}", value & 0xfff))?;
            }
            if pcp != 0 {
                self.word(format_args!("dl_vlan_pcp={}", value >> 13))?;
            }
            return Ok(());
        }
        if mask == 0xffff {
            return self.word(format_args!("vlan_tci={value:#06x}"));
        }
        self.word(format_args!("vlan_tci={value:#06x}/{mask:#06x}"))
    }

    fn all(&mut self, fields: &[Field]) -> fmt::Result {
        fields.iter().try_for_each(|field| self.plain(*field))
    }

    /// A field by its name and value, if it is compared.
    fn plain(&mut self, field: Field) -> fmt::Result {
        match self.of.get(field) {
            Some(bits) => self.word(format_args!("{}={}", field.info().name, Shown(field, bits))),
            None => Ok(()),
        }
    }
}

/// A value in a match: otherwise than in actions, zero in hexadecimal is `0`.
struct Shown(Field, Bits);

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        use super::field::Show;
        let Shown(field, Bits { value, mask }) = *self;
        let exact = mask == field.all_ones();
        match field.info().show {
            Show::Mac => show_mac(value, mask, f),
            Show::Ipv4 => show_ipv4(value, mask, f),
            Show::Ipv6 => show_ipv6(value, mask, f),
            Show::Port => write!(f, "{}", super::action::Port(low32(value))),
            Show::CtState => {
                for (bit, name) in ct_state::NAMES.iter().enumerate() {
                    if mask >> bit & 1 == 1 {
                        write!(f, "{}{name}", if value >> bit & 1 == 1 { '+' } else { '-' })?;
                    }
                }
                Ok(())
            }
            Show::Decimal if exact => write!(f, "{value}"),
            Show::Hex if exact && field == Field::CtZone => write!(f, "{value}"),
            Show::Decimal | Show::Hex if exact && value == 0 => write!(f, "0"),
            Show::Decimal | Show::Hex if exact => write!(f, "{value:#x}"),
            Show::Decimal | Show::Hex if value == 0 => write!(f, "0/{mask:#x}"),
            Show::Decimal | Show::Hex => write!(f, "{value:#x}/{mask:#x}"),
        }
    }
}
