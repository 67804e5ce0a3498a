//! What a flow does with a packet, as ovs-ofctl names and prints it. Instructions of OpenFlow 1.3 are
//! in the same list, as ovs-ofctl has them.

use std::fmt;
use std::net::IpAddr;

use super::field::{Field, Subfield};
use super::wire::hex;

/// A port's number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Port(pub u32);

impl Port {
    /// Back where the packet came from.
    pub const IN_PORT: Port = Port(0xffff_fff8);
    /// Through the flow tables; for packets sent by us.
    pub const TABLE: Port = Port(0xffff_fff9);
    /// As a switch that learns would.
    pub const NORMAL: Port = Port(0xffff_fffa);
    /// To all ports but the incoming one and those not flooded to.
    pub const FLOOD: Port = Port(0xffff_fffb);
    /// To all ports but the incoming one.
    pub const ALL: Port = Port(0xffff_fffc);
    /// To whoever is connected by OpenFlow.
    pub const CONTROLLER: Port = Port(0xffff_fffd);
    /// The bridge's own device.
    pub const LOCAL: Port = Port(0xffff_fffe);
    /// None, or any.
    pub const ANY: Port = Port(0xffff_ffff);

    /// In sixteen bits, as Nicira's actions have it: the special ones are at the upper end there too.
    pub(crate) fn short(self) -> u16 {
        let [_, _, high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    pub(crate) fn of_short(port: u16) -> Port {
        let port = u32::from(port);
        Port(if port >= 0xff00 { port | 0xffff_0000 } else { port })
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Port::IN_PORT => "IN_PORT",
            Port::TABLE => "TABLE",
            Port::NORMAL => "NORMAL",
            Port::FLOOD => "FLOOD",
            Port::ALL => "ALL",
            Port::CONTROLLER => "CONTROLLER",
            Port::LOCAL => "LOCAL",
            Port::ANY => "ANY",
            Port(number) => return write!(f, "{number}"),
        };
        f.write_str(name)
    }
}

/// What is done.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Out by a port.
    Output(Port),
    /// To a group.
    Group(u32),
    /// A new outer tag; the Ethernet type is 0x8100 or 0x88a8.
    PushVlan(u16),
    /// Without the outer tag (`strip_vlan`).
    PopVlan,
    /// A field gets a value.
    SetField(Field, u128),
    /// TTL or hop limit is one less; at zero the packet is dropped.
    DecTtl,
    /// Bits of a field get a value.
    Load(u64, Subfield),
    /// Bits are copied.
    Move(Subfield, Subfield),
    /// Looked up again, as if it came by another port (none: the same), in another table (none: this one).
    Resubmit(Option<Port>, Option<u8>),
    /// Makes a flow.
    Learn(Box<Learn>),
    /// One clause of a conjunction, counted from one.
    Conjunction {
        /// What [`Field::ConjId`] has when all clauses hold.
        id: u32,
        /// This clause.
        clause: u8,
        /// All clauses.
        clauses: u8,
    },
    /// Through connection tracking.
    Ct(Box<Ct>),
    /// Addresses are translated; within [`Action::Ct`] only.
    Nat(Box<Nat>),
    /// Forgets what connection tracking said.
    CtClear,
    /// Nothing, with bytes for people.
    Note(Vec<u8>),
    /// Through a meter first.
    Meter(u32),
    /// Forgets the action set.
    ClearActions,
    /// Bits of the metadata get a value.
    WriteMetadata {
        /// Zero where the mask is.
        value: u64,
        /// Which bits.
        mask: u64,
    },
    /// On to a later table.
    GotoTable(u8),
    /// Something that another wrote and we do not know; its bytes.
    Unknown(Vec<u8>),
}

impl Action {
    /// The tunnel's key.
    #[must_use]
    pub fn set_tunnel(key: u32) -> Action {
        Action::SetField(Field::TunId, u128::from(key))
    }

    /// The tag of a packet that has one.
    #[must_use]
    pub fn set_vlan(tag: u16) -> Action {
        Action::SetField(Field::VlanVid, u128::from(tag) | 0x1000)
    }

    /// On in another table, coming back for what follows.
    #[must_use]
    pub fn resubmit(table: u8) -> Action {
        Action::Resubmit(None, Some(table))
    }
}

/// A flow made by a packet.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Learn {
    /// Seconds without packets after which it goes; zero: never.
    pub idle_timeout: u16,
    /// Seconds after which it goes; zero: never.
    pub hard_timeout: u16,
    /// Its priority.
    pub priority: u16,
    /// Its cookie.
    pub cookie: u64,
    /// 1: tell when it goes, 2: goes with the flow that made it.
    pub flags: u16,
    /// Its table.
    pub table: u8,
    /// Seconds, once a connection ended.
    pub fin_idle_timeout: u16,
    /// Seconds, once a connection ended.
    pub fin_hard_timeout: u16,
    /// What it matches and does.
    pub specs: Vec<LearnSpec>,
}

/// A part of a learnt flow.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum LearnSpec {
    /// It matches in the second field what this packet has in the first.
    MatchField(Subfield, Subfield),
    /// It matches a value.
    MatchValue(u128, Subfield),
    /// It sets the second field to what this packet has in the first.
    LoadField(Subfield, Subfield),
    /// It sets a field to a value.
    LoadValue(u128, Subfield),
    /// It sends out by the port that this packet has in a field.
    Output(Subfield),
}

/// Connection tracking.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ct {
    /// The connection is remembered.
    pub commit: bool,
    /// It is remembered anew even if it came from the other side before.
    pub force: bool,
    /// Where its state is kept apart from others'.
    pub zone: Zone,
    /// Where the packet goes on, with its state known.
    pub table: Option<u8>,
    /// Port of the protocol whose helper is used; zero: none.
    pub alg: u16,
    /// What is done to the connection: marks, labels, translation.
    pub actions: Vec<Action>,
}

/// A zone of connection tracking.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Zone {
    /// By number.
    Number(u16),
    /// What a field has.
    Field(Subfield),
}

impl Default for Zone {
    fn default() -> Zone {
        Zone::Number(0)
    }
}

/// Translation of addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Nat {
    /// Which address; none: as the connection's first packet was.
    pub side: Option<NatSide>,
    /// To these; the second is the end of a range.
    pub addresses: Option<(IpAddr, Option<IpAddr>)>,
    /// To these ports.
    pub ports: Option<(u16, Option<u16>)>,
    /// Bits 4, 8 and 16: persistent, hash, random.
    pub flags: u16,
}

/// The address that is translated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NatSide {
    /// The source.
    Source,
    /// The destination.
    Destination,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Action::Output(Port::CONTROLLER) => write!(f, "CONTROLLER:65535"),
            Action::Output(port @ Port(number)) if *number < 0xffff_ff00 => write!(f, "output:{port}"),
            Action::Output(port) => write!(f, "{port}"),
            Action::Group(id) => write!(f, "group:{id}"),
            Action::PushVlan(kind) => write!(f, "push_vlan:{kind:#06x}"),
            Action::PopVlan => write!(f, "pop_vlan"),
            Action::SetField(field, value) => {
                write!(f, "set_field:{}->{}", Full(*field, *value), field.info().set_name)
            }
            Action::DecTtl => write!(f, "dec_ttl"),
            Action::Load(value, to) => write!(f, "load:{}->{to}", Hex(u128::from(*value))),
            Action::Move(from, to) => write!(f, "move:{from}->{to}"),
            Action::Resubmit(Some(port), None) => write!(f, "resubmit:{port}"),
            Action::Resubmit(port, table) => {
                write!(f, "resubmit({},{})", Maybe(port.as_ref()), Maybe(table.as_ref()))
            }
            Action::Learn(learn) => write!(f, "{learn}"),
            Action::Conjunction { id, clause, clauses } => write!(f, "conjunction({id},{clause}/{clauses})"),
            Action::Ct(ct) => write!(f, "{ct}"),
            Action::Nat(nat) => write!(f, "{nat}"),
            Action::CtClear => write!(f, "ct_clear"),
            Action::Note(bytes) => {
                let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                write!(f, "note:{}", bytes.join("."))
            }
            Action::Meter(id) => write!(f, "meter:{id}"),
            Action::ClearActions => write!(f, "clear_actions"),
            Action::WriteMetadata { value, mask: u64::MAX } => {
                write!(f, "write_metadata:{}", Hex(u128::from(*value)))
            }
            Action::WriteMetadata { value, mask } => {
                write!(f, "write_metadata:{}/{mask:#x}", Hex(u128::from(*value)))
            }
            Action::GotoTable(table) => write!(f, "goto_table:{table}"),
            Action::Unknown(bytes) => write!(f, "unknown:{}", hex(bytes)),
        }
    }
}

/// All of a field's value.
struct Full(Field, u128);

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.show(self.1, self.0.all_ones(), f)
    }
}

/// As C's `%#x` has it: zero without its prefix.
pub(crate) struct Hex(pub(crate) u128);

impl fmt::Display for Hex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 { write!(f, "0") } else { write!(f, "{:#x}", self.0) }
    }
}

struct Maybe<'a, T>(Option<&'a T>);

impl<T: fmt::Display> fmt::Display for Maybe<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.map_or(Ok(()), |value| value.fmt(f))
    }
}

/// A list as ovs-ofctl has it.
pub(crate) struct Actions<'a>(pub(crate) &'a [Action]);

impl fmt::Display for Actions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "drop");
        }
        for (at, action) in self.0.iter().enumerate() {
            write!(f, "{}{action}", if at == 0 { "" } else { "," })?;
        }
        Ok(())
    }
}

impl fmt::Display for Learn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "learn(table={}", self.table)?;
        let times = [
            ("idle_timeout", self.idle_timeout),
            ("hard_timeout", self.hard_timeout),
            ("fin_idle_timeout", self.fin_idle_timeout),
            ("fin_hard_timeout", self.fin_hard_timeout),
        ];
        for (name, seconds) in times.into_iter().filter(|(_, seconds)| *seconds != 0) {
            write!(f, ",{name}={seconds}")?;
        }
        if self.priority != super::flow::PRIORITY_DEFAULT {
            write!(f, ",priority={}", self.priority)?;
        }
        for (bit, name) in [(1, "send_flow_rem"), (2, "delete_learned")] {
            if self.flags & bit != 0 {
                write!(f, ",{name}")?;
            }
        }
        if self.cookie != 0 {
            write!(f, ",cookie={:#x}", self.cookie)?;
        }
        self.specs.iter().try_for_each(|spec| write!(f, ",{spec}"))?;
        write!(f, ")")
    }
}

impl fmt::Display for LearnSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LearnSpec::MatchField(from, to) if from == to => write!(f, "{to}"),
            LearnSpec::MatchField(from, to) => write!(f, "{to}={from}"),
            LearnSpec::MatchValue(value, to) if *to == Subfield::all(to.field) => {
                write!(f, "{}={}", to.field.info().set_name, Full(to.field, *value))
            }
            LearnSpec::MatchValue(value, to) => write!(f, "{to}={}", Hex(*value)),
            LearnSpec::LoadField(from, to) => write!(f, "load:{from}->{to}"),
            LearnSpec::LoadValue(value, to) => write!(f, "load:{}->{to}", Hex(*value)),
            LearnSpec::Output(from) => write!(f, "output:{from}"),
        }
    }
}

impl fmt::Display for Ct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut words: Vec<String> = Vec::new();
        words.extend(self.commit.then(|| "commit".to_owned()));
        words.extend(self.force.then(|| "force".to_owned()));
        words.extend(self.table.map(|table| format!("table={table}")));
        match &self.zone {
            Zone::Number(0) => {}
            Zone::Number(zone) => words.push(format!("zone={zone}")),
            Zone::Field(from) => words.push(format!("zone={from}")),
        }
        let (nat, rest) = match self.actions.split_first() {
            Some((nat @ Action::Nat(_), rest)) => (Some(nat), rest),
            Some(_) | None => (None, self.actions.as_slice()),
        };
        words.extend(nat.map(ToString::to_string));
        if !rest.is_empty() {
            words.push(format!("exec({})", Actions(rest)));
        }
        words.extend(match self.alg {
            0 => None,
            21 => Some("alg=ftp".to_owned()),
            69 => Some("alg=tftp".to_owned()),
            port => Some(format!("alg={port}")),
        });
        write!(f, "ct({})", words.join(","))
    }
}

impl fmt::Display for Nat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(side) = self.side else { return write!(f, "nat") };
        let side = match side {
            NatSide::Source => "src",
            NatSide::Destination => "dst",
        };
        write!(f, "nat({side}")?;
        let address = |ip: &IpAddr| match ip {
            IpAddr::V6(ip) if self.ports.is_some() => format!("[{ip}]"),
            ip => ip.to_string(),
        };
        if let Some((first, last)) = &self.addresses {
            write!(f, "={}", address(first))?;
            if let Some(last) = last.filter(|last| last != first) {
                write!(f, "-{}", address(&last))?;
            }
            if let Some((first, last)) = self.ports {
                write!(f, ":{first}")?;
                if let Some(last) = last.filter(|last| *last != first) {
                    write!(f, "-{last}")?;
                }
            }
        }
        for (bit, name) in [(4, "persistent"), (8, "hash"), (16, "random")] {
            if self.flags & bit != 0 {
                write!(f, ",{name}")?;
            }
        }
        write!(f, ")")
    }
}
