//! Actions as bytes: OpenFlow 1.3 specification, section 7.2.5, and
//! Open vSwitch's own actions (`NXAST_*`, ovs-actions(7)).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::action::{Action, Ct, Learn, LearnSpec, Nat, NatSide, Port, Zone};
use super::field::{Field, Subfield};
use super::wire::{Malformed, Reader, Writer, length};

/// Nicira's number among the experimenters.
const NICIRA: u32 = 0x0000_2320;

/// `OFPAT_*`
mod kind {
    pub const OUTPUT: u16 = 0;
    pub const PUSH_VLAN: u16 = 17;
    pub const POP_VLAN: u16 = 18;
    pub const GROUP: u16 = 22;
    pub const DEC_NW_TTL: u16 = 24;
    pub const SET_FIELD: u16 = 25;
    pub const EXPERIMENTER: u16 = 0xffff;
}

/// `NXAST_*`
mod nx {
    pub const RESUBMIT: u16 = 1;
    pub const REG_MOVE: u16 = 6;
    pub const REG_LOAD: u16 = 7;
    pub const NOTE: u16 = 8;
    pub const RESUBMIT_TABLE: u16 = 14;
    pub const LEARN: u16 = 16;
    pub const CONJUNCTION: u16 = 34;
    pub const CT: u16 = 35;
    pub const NAT: u16 = 36;
    pub const CT_CLEAR: u16 = 43;
}

/// Bytes of a packet sent to whoever is connected: all.
const WHOLE_PACKET: u16 = 0xffff;
/// No table: the packet does not come back.
const NO_TABLE: u8 = 0xff;

/// Opens one of Nicira's actions; its length is filled in by [`close`].
fn nicira(subtype: u16, out: &mut Writer) -> usize {
    let start = out.bytes.len();
    out.u16(kind::EXPERIMENTER);
    out.u16(0);
    out.u32(NICIRA);
    out.u16(subtype);
    start
}

fn close(start: usize, out: &mut Writer) {
    out.pad8(start);
    out.patch_u16(start + 2, length(out.bytes.len() - start));
}

fn plain(kind: u16, len: u16, out: &mut Writer) {
    out.u16(kind);
    out.u16(len);
}

/// Writes one action.
pub(crate) fn encode_action(action: &Action, out: &mut Writer) {
    match action {
        Action::Output(port) => {
            plain(kind::OUTPUT, 16, out);
            out.u32(port.0);
            out.u16(if *port == Port::CONTROLLER { WHOLE_PACKET } else { 0 });
            out.zeros(6);
        }
        Action::Group(id) => {
            plain(kind::GROUP, 8, out);
            out.u32(*id);
        }
        Action::PushVlan(ethertype) => {
            plain(kind::PUSH_VLAN, 8, out);
            out.u16(*ethertype);
            out.zeros(2);
        }
        Action::PopVlan => {
            plain(kind::POP_VLAN, 8, out);
            out.zeros(4);
        }
        Action::DecTtl => {
            plain(kind::DEC_NW_TTL, 8, out);
            out.zeros(4);
        }
        Action::SetField(field, value) => {
            let start = out.bytes.len();
            plain(kind::SET_FIELD, 0, out);
            out.u32(field.oxm(false));
            out.number(*value, field.info().bytes);
            close(start, out);
        }
        Action::Unknown(bytes) => out.bytes.extend(bytes),
        // Instructions are no actions: see `instruction.rs`.
        Action::Meter(_) | Action::ClearActions | Action::WriteMetadata { .. } | Action::GotoTable(_) => {}
        Action::Load(..)
        | Action::Move(..)
        | Action::Resubmit(..)
        | Action::Learn(_)
        | Action::Conjunction { .. }
        | Action::Ct(_)
        | Action::Nat(_)
        | Action::CtClear
        | Action::Note(_) => encode_nicira(action, out),
    }
}

fn encode_nicira(action: &Action, out: &mut Writer) {
    let start = match action {
        Action::Load(value, to) => {
            let start = nicira(nx::REG_LOAD, out);
            out.u16(to.ofs_nbits());
            out.u32(to.field.nxm());
            out.u64(*value);
            start
        }
        Action::Move(from, to) => {
            let start = nicira(nx::REG_MOVE, out);
            out.u16(from.bits);
            out.u16(from.first);
            out.u16(to.first);
            out.u32(from.field.nxm());
            out.u32(to.field.nxm());
            start
        }
        Action::Resubmit(port, table) => {
            let start = nicira(nx::RESUBMIT_TABLE, out);
            out.u16(port.unwrap_or(Port::IN_PORT).short());
            out.u8(table.unwrap_or(NO_TABLE));
            start
        }
        Action::Learn(learn) => encode_learn(learn, out),
        Action::Conjunction { id, clause, clauses } => {
            let start = nicira(nx::CONJUNCTION, out);
            out.u8(clause.saturating_sub(1));
            out.u8(*clauses);
            out.u32(*id);
            start
        }
        Action::Ct(ct) => encode_ct(ct, out),
        Action::Nat(nat) => encode_nat(nat, out),
        Action::CtClear => nicira(nx::CT_CLEAR, out),
        Action::Note(bytes) => {
            let start = nicira(nx::NOTE, out);
            out.bytes.extend(bytes);
            start
        }
        _ => return,
    };
    close(start, out);
}

fn encode_learn(learn: &Learn, out: &mut Writer) -> usize {
    let start = nicira(nx::LEARN, out);
    out.u16(learn.idle_timeout);
    out.u16(learn.hard_timeout);
    out.u16(learn.priority);
    out.u64(learn.cookie);
    out.u16(learn.flags);
    out.u8(learn.table);
    out.zeros(1);
    out.u16(learn.fin_idle_timeout);
    out.u16(learn.fin_hard_timeout);
    for spec in &learn.specs {
        encode_spec(spec, out);
    }
    start
}

/// The upper bits of a spec's first word: `NX_LEARN_SRC_IMMEDIATE`, `NX_LEARN_DST_LOAD`, `NX_LEARN_DST_OUTPUT`.
const IMMEDIATE: u16 = 1 << 13;
const DST_LOAD: u16 = 1 << 11;
const DST_OUTPUT: u16 = 2 << 11;
const SPEC_BITS: u16 = 0x07ff;

fn encode_spec(spec: &LearnSpec, out: &mut Writer) {
    let part = |part: Subfield, out: &mut Writer| {
        out.u32(part.field.nxm());
        out.u16(part.first);
    };
    match spec {
        LearnSpec::MatchField(from, to) | LearnSpec::LoadField(from, to) => {
            let dst = if matches!(spec, LearnSpec::LoadField(..)) { DST_LOAD } else { 0 };
            out.u16(to.bits | dst);
            part(*from, out);
            part(*to, out);
        }
        LearnSpec::MatchValue(value, to) | LearnSpec::LoadValue(value, to) => {
            let dst = if matches!(spec, LearnSpec::LoadValue(..)) { DST_LOAD } else { 0 };
            out.u16(to.bits | dst | IMMEDIATE);
            out.number(*value, immediate_bytes(to.bits));
            part(*to, out);
        }
        LearnSpec::Output(from) => {
            out.u16(from.bits | DST_OUTPUT);
            part(*from, out);
        }
    }
}

/// A value takes whole words of sixteen bits.
fn immediate_bytes(bits: u16) -> usize {
    usize::from(bits.div_ceil(16)) * 2
}

fn encode_ct(ct: &Ct, out: &mut Writer) -> usize {
    let start = nicira(nx::CT, out);
    out.u16(u16::from(ct.commit) | u16::from(ct.force) << 1);
    match &ct.zone {
        Zone::Number(zone) => {
            out.u32(0);
            out.u16(*zone);
        }
        Zone::Field(from) => {
            out.u32(from.field.nxm());
            out.u16(from.ofs_nbits());
        }
    }
    out.u8(ct.table.unwrap_or(NO_TABLE));
    out.zeros(3);
    out.u16(ct.alg);
    ct.actions.iter().for_each(|action| encode_action(action, out));
    start
}

fn encode_nat(nat: &Nat, out: &mut Writer) -> usize {
    let start = nicira(nx::NAT, out);
    out.zeros(2);
    let side = match nat.side {
        None => 0,
        Some(NatSide::Source) => 1,
        Some(NatSide::Destination) => 2,
    };
    out.u16(side | nat.flags);
    let present_at = out.bytes.len();
    out.u16(0);
    let mut present = 0;
    let addresses = nat.addresses.iter().flat_map(|(first, last)| [Some(*first), *last]);
    for (at, address) in addresses.enumerate().filter_map(|(at, address)| Some((at, address?))) {
        match address {
            IpAddr::V4(address) => {
                out.u32(address.into());
                present |= 1 << at;
            }
            IpAddr::V6(address) => {
                out.bytes.extend(address.octets());
                present |= 4 << at;
            }
        }
    }
    let ports = nat.ports.iter().flat_map(|(first, last)| [Some(*first), *last]);
    for (at, port) in ports.enumerate().filter_map(|(at, port)| Some((at, port?))) {
        out.u16(port);
        present |= 16 << at;
    }
    out.patch_u16(present_at, present);
    start
}

/// Reads actions to the end of `bytes`. Those we do not know are kept as they are.
pub(crate) fn decode_actions(bytes: &[u8]) -> Result<Vec<Action>, Malformed> {
    let mut reader = Reader::new(bytes, "actions");
    let mut out = Vec::new();
    while !reader.is_empty() {
        let mut header = reader.clone();
        let (_, len) = (header.u16()?, header.u16()?);
        if len < 8 {
            return Err(Malformed::bytes("actions", bytes));
        }
        let action = reader.take(usize::from(len))?;
        out.push(decode_action(action)?.unwrap_or_else(|| Action::Unknown(action.to_vec())));
    }
    Ok(out)
}

fn decode_action(bytes: &[u8]) -> Result<Option<Action>, Malformed> {
    let mut body = Reader::new(bytes, "an action");
    let kind = body.u16()?;
    body.u16()?;
    Ok(Some(match kind {
        kind::OUTPUT => Action::Output(Port(body.u32()?)),
        kind::GROUP => Action::Group(body.u32()?),
        kind::PUSH_VLAN => Action::PushVlan(body.u16()?),
        kind::POP_VLAN => Action::PopVlan,
        kind::DEC_NW_TTL => Action::DecTtl,
        kind::SET_FIELD => match Field::of_header(body.u32()?) {
            Ok((field, false)) => Action::SetField(field, body.number(field.info().bytes)?),
            Ok((_, true)) | Err(_) => return Ok(None),
        },
        kind::EXPERIMENTER if body.u32()? == NICIRA => return decode_nicira(&mut body),
        _ => return Ok(None),
    }))
}

fn decode_nicira(body: &mut Reader<'_>) -> Result<Option<Action>, Malformed> {
    Ok(Some(match body.u16()? {
        nx::REG_LOAD => {
            let packed = body.u16()?;
            let Ok((field, _)) = Field::of_header(body.u32()?) else { return Ok(None) };
            Action::Load(body.u64()?, Subfield::of_ofs_nbits(field, packed))
        }
        nx::REG_MOVE => {
            let (bits, from, to) = (body.u16()?, body.u16()?, body.u16()?);
            let fields = (Field::of_header(body.u32()?), Field::of_header(body.u32()?));
            let (Ok((source, _)), Ok((destination, _))) = fields else { return Ok(None) };
            let part = |field, first| Subfield { field, first, bits };
            Action::Move(part(source, from), part(destination, to))
        }
        subtype @ (nx::RESUBMIT | nx::RESUBMIT_TABLE) => {
            let port = Port::of_short(body.u16()?);
            let table = if subtype == nx::RESUBMIT { NO_TABLE } else { body.u8()? };
            let port = (port != Port::IN_PORT).then_some(port);
            Action::Resubmit(port, (table != NO_TABLE).then_some(table))
        }
        nx::LEARN => return Ok(decode_learn(body)?.map(|learn| Action::Learn(Box::new(learn)))),
        nx::CONJUNCTION => {
            let (clause, clauses) = (body.u8()?.saturating_add(1), body.u8()?);
            Action::Conjunction { id: body.u32()?, clause, clauses }
        }
        nx::CT => return Ok(decode_ct(body)?.map(|ct| Action::Ct(Box::new(ct)))),
        nx::NAT => Action::Nat(Box::new(decode_nat(body)?)),
        nx::CT_CLEAR => Action::CtClear,
        nx::NOTE => Action::Note(body.rest().to_vec()),
        _ => return Ok(None),
    }))
}

fn decode_learn(body: &mut Reader<'_>) -> Result<Option<Learn>, Malformed> {
    let mut learn = Learn {
        idle_timeout: body.u16()?,
        hard_timeout: body.u16()?,
        priority: body.u16()?,
        cookie: body.u64()?,
        flags: body.u16()?,
        table: body.u8()?,
        ..Learn::default()
    };
    body.take(1)?;
    learn.fin_idle_timeout = body.u16()?;
    learn.fin_hard_timeout = body.u16()?;
    // Zeros at the end are padding.
    while body.rest().len() >= 2 {
        let head = body.u16()?;
        if head == 0 {
            break;
        }
        match decode_spec(head, body)? {
            Some(spec) => learn.specs.push(spec),
            None => return Ok(None),
        }
    }
    Ok(Some(learn))
}

fn decode_spec(head: u16, body: &mut Reader<'_>) -> Result<Option<LearnSpec>, Malformed> {
    let bits = head & SPEC_BITS;
    let part = |body: &mut Reader<'_>| -> Result<Option<Subfield>, Malformed> {
        let (field, first) = (Field::of_header(body.u32()?), body.u16()?);
        Ok(field.ok().map(|(field, _)| Subfield { field, first, bits }))
    };
    let load = match head & !SPEC_BITS & !IMMEDIATE {
        0 => false,
        DST_LOAD => true,
        DST_OUTPUT => return Ok(part(body)?.map(LearnSpec::Output)),
        _ => return Ok(None),
    };
    if head & IMMEDIATE != 0 {
        let value = body.number(immediate_bytes(bits))?;
        let make = if load { LearnSpec::LoadValue } else { LearnSpec::MatchValue };
        return Ok(part(body)?.map(|to| make(value, to)));
    }
    let (Some(from), Some(to)) = (part(body)?, part(body)?) else { return Ok(None) };
    Ok(Some(if load { LearnSpec::LoadField(from, to) } else { LearnSpec::MatchField(from, to) }))
}

fn decode_ct(body: &mut Reader<'_>) -> Result<Option<Ct>, Malformed> {
    let (flags, source, packed, table) = (body.u16()?, body.u32()?, body.u16()?, body.u8()?);
    body.take(3)?;
    let alg = body.u16()?;
    let zone = match source {
        0 => Zone::Number(packed),
        source => match Field::of_header(source) {
            Ok((field, _)) => Zone::Field(Subfield::of_ofs_nbits(field, packed)),
            Err(_) => return Ok(None),
        },
    };
    let table = (table != NO_TABLE).then_some(table);
    let actions = decode_actions(body.rest())?;
    Ok(Some(Ct { commit: flags & 1 != 0, force: flags & 2 != 0, zone, table, alg, actions }))
}

fn decode_nat(body: &mut Reader<'_>) -> Result<Nat, Malformed> {
    body.take(2)?;
    let (flags, present) = (body.u16()?, body.u16()?);
    let has = |bit: u16| present & bit != 0;
    let v4 = |body: &mut Reader<'_>| Ok::<_, Malformed>(IpAddr::V4(Ipv4Addr::from(body.u32()?)));
    let v6 = |body: &mut Reader<'_>| Ok::<_, Malformed>(IpAddr::V6(Ipv6Addr::from(body.number(16)?)));
    let first = if has(1) { Some(v4(body)?) } else { None };
    let last = if has(2) { Some(v4(body)?) } else { None };
    let first6 = if has(4) { Some(v6(body)?) } else { None };
    let last6 = if has(8) { Some(v6(body)?) } else { None };
    let port = if has(16) { Some(body.u16()?) } else { None };
    let last_port = if has(32) { Some(body.u16()?) } else { None };
    Ok(Nat {
        side: match flags & 3 {
            1 => Some(NatSide::Source),
            2 => Some(NatSide::Destination),
            _ => None,
        },
        addresses: first.or(first6).map(|first| (first, last.or(last6))),
        ports: port.map(|first| (first, last_port)),
        flags: flags & !3,
    })
}
