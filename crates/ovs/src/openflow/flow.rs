//! Flows, and messages that change and show them.

use std::fmt;

use super::action::{Action, Actions};
use super::instruction::{decode_instructions, encode_instructions};
use super::matching::Match;
use super::wire::{Malformed, Reader, Writer, length};

/// The priority that ovs-ofctl leaves out.
pub const PRIORITY_DEFAULT: u16 = 0x8000;
/// Every table.
pub const TABLE_ALL: u8 = 0xff;
/// Bytes of a flow in an answer, without its match and instructions.
const STATS_MIN: usize = 56;
/// No port, group or buffer.
const NONE: u32 = 0xffff_ffff;

/// What tells flows apart: a second flow with the same key takes the place of the first.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// Its table.
    pub table: u8,
    /// The higher wins.
    pub priority: u16,
    /// Which packets.
    pub matching: Match,
}

/// A flow.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Flow {
    /// Where and for what.
    pub key: Key,
    /// Whose it is.
    pub cookie: u64,
    /// Seconds without packets after which it goes; zero: never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; zero: never.
    pub hard_timeout: u16,
    /// What is done with the packets; nothing: they are dropped.
    pub actions: Vec<Action>,
}

impl Flow {
    /// A flow that stays.
    #[must_use]
    pub fn new(table: u8, priority: u16, matching: Match, actions: Vec<Action>) -> Flow {
        Flow { key: Key { table, priority, matching }, actions, ..Flow::default() }
    }

    /// Whether it goes by itself: learnt from packets.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        self.idle_timeout != 0 || self.hard_timeout != 0
    }
}

/// As `ovs-ofctl dump-flows --no-stats` prints it.
impl fmt::Display for Flow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.cookie != 0 {
            write!(f, "cookie={:#x}, ", self.cookie)?;
        }
        if self.key.table != 0 {
            write!(f, "table={}, ", self.key.table)?;
        }
        if self.idle_timeout != 0 {
            write!(f, "idle_timeout={}, ", self.idle_timeout)?;
        }
        if self.hard_timeout != 0 {
            write!(f, "hard_timeout={}, ", self.hard_timeout)?;
        }
        let matching = self.key.matching.to_string();
        match (self.key.priority, matching.is_empty()) {
            (PRIORITY_DEFAULT, true) => {}
            (PRIORITY_DEFAULT, false) => write!(f, "{matching} ")?,
            (priority, true) => write!(f, "priority={priority} ")?,
            (priority, false) => write!(f, "priority={priority},{matching} ")?,
        }
        write!(f, "actions={}", Actions(&self.actions))
    }
}

/// What becomes of flows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command {
    /// A new one, in place of one with the same key.
    Add,
    /// New actions for all that match at least this.
    Modify,
    /// New actions for the one with this key.
    ModifyStrict,
    /// All that match at least this go.
    Delete,
    /// The one with this key goes.
    DeleteStrict,
}

impl Command {
    fn number(self) -> u8 {
        match self {
            Command::Add => 0,
            Command::Modify => 1,
            Command::ModifyStrict => 2,
            Command::Delete => 3,
            Command::DeleteStrict => 4,
        }
    }

    fn of_number(number: u8) -> Option<Command> {
        let all =
            [Command::Add, Command::Modify, Command::ModifyStrict, Command::Delete, Command::DeleteStrict];
        all.into_iter().find(|command| command.number() == number)
    }
}

/// `OFPT_FLOW_MOD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlowMod {
    /// What becomes of it.
    pub command: Command,
    /// Only flows whose cookie is the flow's where this mask is one; zero: whatever their cookie.
    pub cookie_mask: u64,
    /// Which, and how it is to be. Priority and actions do not matter to a delete that is not strict.
    pub flow: Flow,
}

impl FlowMod {
    /// Adds a flow.
    #[must_use]
    pub fn add(flow: Flow) -> FlowMod {
        FlowMod { command: Command::Add, cookie_mask: 0, flow }
    }

    /// Removes the flow with this key.
    #[must_use]
    pub fn remove(key: Key) -> FlowMod {
        FlowMod { command: Command::DeleteStrict, cookie_mask: 0, flow: Flow { key, ..Flow::default() } }
    }

    /// Removes every flow.
    #[must_use]
    pub fn clear() -> FlowMod {
        let key = Key { table: TABLE_ALL, ..Key::default() };
        FlowMod { command: Command::Delete, cookie_mask: 0, flow: Flow { key, ..Flow::default() } }
    }

    pub(crate) fn encode(&self, out: &mut Writer) {
        let flow = &self.flow;
        out.u64(flow.cookie);
        out.u64(self.cookie_mask);
        out.u8(flow.key.table);
        out.u8(self.command.number());
        out.u16(flow.idle_timeout);
        out.u16(flow.hard_timeout);
        out.u16(flow.key.priority);
        (0..3).for_each(|_| out.u32(NONE)); // buffer, out_port, out_group
        out.zeros(4); // flags, padding or importance
        flow.key.matching.encode(out);
        encode_instructions(&flow.actions, out);
    }

    /// Reads what follows the header.
    ///
    /// # Errors
    /// When it is no flow_mod.
    pub fn decode(body: &[u8]) -> Result<FlowMod, Malformed> {
        let mut reader = Reader::new(body, "a flow_mod");
        let (cookie, cookie_mask) = (reader.u64()?, reader.u64()?);
        let (table, command) = (reader.u8()?, reader.u8()?);
        let (idle_timeout, hard_timeout, priority) = (reader.u16()?, reader.u16()?, reader.u16()?);
        reader.take(16)?;
        let matching = Match::decode(&mut reader)?;
        let actions = decode_instructions(reader.rest())?;
        let command = Command::of_number(command).ok_or_else(|| Malformed::bytes("a flow_mod", body))?;
        let key = Key { table, priority, matching };
        Ok(FlowMod { command, cookie_mask, flow: Flow { key, cookie, idle_timeout, hard_timeout, actions } })
    }
}

/// The body of a request for flows: `OFPMP_FLOW`, all tables, whatever their cookie.
pub(crate) fn encode_flow_request(out: &mut Writer) {
    out.u8(TABLE_ALL);
    out.zeros(3);
    out.u32(NONE);
    out.u32(NONE);
    out.zeros(4);
    out.u64(0);
    out.u64(0);
    Match::new().encode(out);
}

/// The first flow in what is left of an answer's body. One that has something we do not know comes as its complaint:
/// it is not of our making.
pub(crate) fn decode_first(reader: &mut Reader<'_>) -> Result<Result<Flow, Malformed>, Malformed> {
    let len = usize::from(reader.clone().u16()?);
    if len < STATS_MIN {
        return Err(Malformed::bytes("flows", reader.rest()));
    }
    Ok(decode_flow(reader.take(len)?))
}

fn decode_flow(bytes: &[u8]) -> Result<Flow, Malformed> {
    let mut reader = Reader::new(bytes, "a flow");
    reader.u16()?;
    let table = reader.u8()?;
    reader.take(9)?; // padding, duration
    let (priority, idle_timeout, hard_timeout) = (reader.u16()?, reader.u16()?, reader.u16()?);
    reader.take(6)?; // flags, padding or importance
    let cookie = reader.u64()?;
    reader.take(16)?; // packets, bytes
    let matching = Match::decode(&mut reader)?;
    let actions = decode_instructions(reader.rest())?;
    Ok(Flow { key: Key { table, priority, matching }, cookie, idle_timeout, hard_timeout, actions })
}

/// What of a group's packets goes where.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Its share, in groups that select.
    pub weight: u16,
    /// What is done.
    pub actions: Vec<Action>,
}

/// What a group does with its buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GroupKind {
    /// Each gets a copy.
    All,
    /// One gets the packet.
    Select,
    /// There is only one.
    Indirect,
}

/// `OFPT_GROUP_MOD`
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GroupMod {
    /// A new one.
    Add(u32, GroupKind, Vec<Bucket>),
    /// New buckets.
    Modify(u32, GroupKind, Vec<Bucket>),
    /// It goes, with the flows that use it.
    Delete(u32),
}

impl GroupMod {
    pub(crate) fn encode(&self, out: &mut Writer) {
        let (command, id, kind, buckets) = match self {
            GroupMod::Add(id, kind, buckets) => (0, id, *kind, buckets.as_slice()),
            GroupMod::Modify(id, kind, buckets) => (1, id, *kind, buckets.as_slice()),
            GroupMod::Delete(id) => (2, id, GroupKind::All, [].as_slice()),
        };
        out.u16(command);
        out.u8(match kind {
            GroupKind::All => 0,
            GroupKind::Select => 1,
            GroupKind::Indirect => 2,
        });
        out.zeros(1);
        out.u32(*id);
        for bucket in buckets {
            let start = out.bytes.len();
            out.u16(0);
            out.u16(bucket.weight);
            out.u32(NONE); // watch_port
            out.u32(NONE); // watch_group
            out.zeros(4);
            bucket.actions.iter().for_each(|action| super::codec::encode_action(action, out));
            out.patch_u16(start, length(out.bytes.len() - start));
        }
    }
}

/// What a meter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MeterUnit {
    /// Kilobits a second.
    Kbps,
    /// Packets a second.
    Pktps,
}

/// `OFPT_METER_MOD`: what goes over the rate is dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MeterMod {
    /// A new one.
    Add(u32, MeterUnit, u32, Option<u32>),
    /// Another rate and burst.
    Modify(u32, MeterUnit, u32, Option<u32>),
    /// It goes, with the flows that use it.
    Delete(u32),
}

impl MeterMod {
    pub(crate) fn encode(&self, out: &mut Writer) {
        let (command, id, limit) = match *self {
            MeterMod::Add(id, unit, rate, burst) => (0, id, Some((unit, rate, burst))),
            MeterMod::Modify(id, unit, rate, burst) => (1, id, Some((unit, rate, burst))),
            MeterMod::Delete(id) => (2, id, None),
        };
        out.u16(command);
        out.u16(limit.map_or(0, |(unit, _, burst)| {
            let unit = match unit {
                MeterUnit::Kbps => 1,
                MeterUnit::Pktps => 2,
            };
            unit | u16::from(burst.is_some()) << 2
        }));
        out.u32(id);
        if let Some((_, rate, burst)) = limit {
            out.u16(1); // drop
            out.u16(16);
            out.u32(rate);
            out.u32(burst.unwrap_or(0));
            out.zeros(4);
        }
    }
}

/// `OFPT_PACKET_OUT`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketOut {
    /// Where it is said to have come from.
    pub in_port: super::action::Port,
    /// What is done with it.
    pub actions: Vec<Action>,
    /// The frame.
    pub frame: Vec<u8>,
}

impl PacketOut {
    pub(crate) fn encode(&self, out: &mut Writer) {
        out.u32(NONE);
        out.u32(self.in_port.0);
        let at = out.bytes.len();
        out.u16(0);
        out.zeros(6);
        let start = out.bytes.len();
        self.actions.iter().for_each(|action| super::codec::encode_action(action, out));
        out.patch_u16(at, length(out.bytes.len() - start));
        out.bytes.extend(&self.frame);
    }
}
