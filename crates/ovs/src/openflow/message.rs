//! Messages: what every one begins with, and those that hold a conversation together.

use super::flow::{FlowMod, GroupMod, MeterMod, PacketOut, encode_flow_request};
use super::wire::{Malformed, Reader, Writer, length};

/// Versions spoken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Version {
    /// OpenFlow 1.3
    V13,
    /// OpenFlow 1.4
    V14,
}

impl Version {
    /// On the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        match self {
            Version::V13 => 4,
            Version::V14 => 5,
        }
    }
}

/// `OFPT_*`
pub(crate) mod kind {
    pub const HELLO: u8 = 0;
    pub const ERROR: u8 = 1;
    pub const ECHO_REQUEST: u8 = 2;
    pub const ECHO_REPLY: u8 = 3;
    pub const EXPERIMENTER: u8 = 4;
    pub const FEATURES_REQUEST: u8 = 5;
    pub const FEATURES_REPLY: u8 = 6;
    pub const PACKET_OUT: u8 = 13;
    pub const FLOW_MOD: u8 = 14;
    pub const GROUP_MOD: u8 = 15;
    pub const MULTIPART_REQUEST: u8 = 18;
    pub const MULTIPART_REPLY: u8 = 19;
    pub const BARRIER_REQUEST: u8 = 20;
    pub const BARRIER_REPLY: u8 = 21;
    pub const METER_MOD: u8 = 29;
    pub const BUNDLE_CONTROL: u8 = 33;
    pub const BUNDLE_ADD_MESSAGE: u8 = 34;
}

/// The Open Networking Foundation's number among the experimenters: bundles for OpenFlow 1.3, extension 230.
const ONF: u32 = 0x4f4e_4600;
const ONF_BUNDLE_CONTROL: u32 = 2300;
const ONF_BUNDLE_ADD_MESSAGE: u32 = 2301;
/// `OFPBF_ATOMIC | OFPBF_ORDERED`
const BUNDLE_FLAGS: u16 = 3;

/// Bytes of a header.
pub(crate) const HEADER: usize = 8;

/// Steps of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BundleStep {
    /// Messages follow.
    Open,
    /// All are done at once, or none.
    Commit,
    /// None is done.
    Discard,
}

impl BundleStep {
    /// `OFPBCT_*`; an answer has the next odd number.
    fn number(self) -> u16 {
        match self {
            BundleStep::Open => 0,
            BundleStep::Commit => 4,
            BundleStep::Discard => 6,
        }
    }
}

/// What we say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Which versions we speak.
    Hello,
    /// Are you there?
    Echo,
    /// We are.
    EchoReply(Vec<u8>),
    /// Who are you?
    Features,
    /// Which flows are there?
    Flows,
    /// A flow changes.
    FlowMod(FlowMod),
    /// A group changes.
    GroupMod(GroupMod),
    /// A meter changes.
    MeterMod(MeterMod),
    /// A packet goes out.
    PacketOut(PacketOut),
    /// Answer when all before is done.
    Barrier,
    /// A bundle begins or ends.
    Bundle(u32, BundleStep),
    /// A message of a bundle.
    BundleAdd(u32, Box<Request>),
}

impl Request {
    /// As bytes, with its header.
    #[must_use]
    pub fn encode(&self, version: Version, xid: u32) -> Vec<u8> {
        let mut out = Writer::default();
        self.write(version, xid, &mut out);
        out.bytes
    }

    fn kind(&self, version: Version) -> u8 {
        match self {
            Request::Hello => kind::HELLO,
            Request::Echo => kind::ECHO_REQUEST,
            Request::EchoReply(_) => kind::ECHO_REPLY,
            Request::Features => kind::FEATURES_REQUEST,
            Request::Flows => kind::MULTIPART_REQUEST,
            Request::FlowMod(_) => kind::FLOW_MOD,
            Request::GroupMod(_) => kind::GROUP_MOD,
            Request::MeterMod(_) => kind::METER_MOD,
            Request::PacketOut(_) => kind::PACKET_OUT,
            Request::Barrier => kind::BARRIER_REQUEST,
            Request::Bundle(..) | Request::BundleAdd(..) if version == Version::V13 => kind::EXPERIMENTER,
            Request::Bundle(..) => kind::BUNDLE_CONTROL,
            Request::BundleAdd(..) => kind::BUNDLE_ADD_MESSAGE,
        }
    }

    fn write(&self, version: Version, xid: u32, out: &mut Writer) {
        let start = out.bytes.len();
        out.u8(version.number());
        out.u8(self.kind(version));
        out.u16(0);
        out.u32(xid);
        match self {
            Request::Hello => {
                out.u16(1); // OFPHET_VERSIONBITMAP
                out.u16(8);
                out.u32(1 << Version::V13.number() | 1 << Version::V14.number());
            }
            Request::Echo | Request::Features | Request::Barrier => {}
            Request::EchoReply(data) => out.bytes.extend(data),
            Request::Flows => {
                out.u16(1); // OFPMP_FLOW
                out.zeros(6);
                encode_flow_request(out);
            }
            Request::FlowMod(change) => change.encode(out),
            Request::GroupMod(change) => change.encode(out),
            Request::MeterMod(change) => change.encode(out),
            Request::PacketOut(packet) => packet.encode(out),
            Request::Bundle(id, step) => {
                if version == Version::V13 {
                    out.u32(ONF);
                    out.u32(ONF_BUNDLE_CONTROL);
                }
                out.u32(*id);
                out.u16(step.number());
                out.u16(BUNDLE_FLAGS);
            }
            Request::BundleAdd(id, message) => {
                if version == Version::V13 {
                    out.u32(ONF);
                    out.u32(ONF_BUNDLE_ADD_MESSAGE);
                }
                out.u32(*id);
                out.zeros(2);
                out.u16(BUNDLE_FLAGS);
                message.write(version, xid, out);
            }
        }
        out.patch_u16(start + 2, length(out.bytes.len() - start));
    }
}

/// A message that came, cut at its header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incoming {
    /// Its version.
    pub version: u8,
    /// `OFPT_*`
    pub kind: u8,
    /// That of the request it answers.
    pub xid: u32,
    /// What follows the header.
    pub body: Vec<u8>,
}

impl Incoming {
    /// Cuts the first whole message off `bytes`.
    ///
    /// # Errors
    /// When it is none.
    pub fn cut(bytes: &mut Vec<u8>) -> Result<Option<Incoming>, Malformed> {
        if bytes.len() < HEADER {
            return Ok(None);
        }
        let mut reader = Reader::new(bytes, "a header");
        let (version, kind, len, xid) =
            (reader.u8()?, reader.u8()?, usize::from(reader.u16()?), reader.u32()?);
        if len < HEADER {
            return Err(Malformed::bytes("a header", bytes));
        }
        if bytes.len() < len {
            return Ok(None);
        }
        let rest = bytes.split_off(len);
        let body = std::mem::replace(bytes, rest).split_off(HEADER);
        Ok(Some(Incoming { version, kind, xid, body }))
    }

    /// The highest version that both speak, from a hello.
    ///
    /// # Errors
    /// When there is none.
    pub fn common_version(&self) -> Result<Version, Malformed> {
        let mut bitmap = None;
        let mut reader = Reader::new(&self.body, "a hello");
        while reader.rest().len() >= 8 {
            let (kind, len) = (reader.u16()?, usize::from(reader.u16()?));
            let element = reader.take(len.saturating_sub(4))?;
            if kind == 1 {
                bitmap = Some(Reader::new(element, "a hello").u32()?);
            }
            reader.take((len.next_multiple_of(8) - len).min(reader.rest().len()))?;
        }
        let speaks = |version: Version| match bitmap {
            Some(bitmap) => bitmap >> version.number() & 1 == 1,
            // Without a list: its version and, by the specification, all before.
            None => version.number() <= self.version,
        };
        [Version::V14, Version::V13].into_iter().find(|version| speaks(*version)).ok_or_else(|| {
            Malformed::new(
                "a hello",
                "the bridge speaks neither OpenFlow 1.3 nor 1.4: add OpenFlow13 to its protocols",
            )
        })
    }

    /// What an error says: type, code, and the beginning of what it complains of.
    pub(crate) fn complaint(&self) -> Complaint {
        let mut reader = Reader::new(&self.body, "an error");
        let kind = reader.u16().unwrap_or(u16::MAX);
        let code = reader.u16().unwrap_or(u16::MAX);
        let of = super::wire::hex(reader.rest().get(..64).unwrap_or(reader.rest()));
        Complaint { kind, code, of }
    }
}

/// `OFPT_ERROR`
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the switch refused: OpenFlow error type {kind} code {code}, of message {of}")]
pub struct Complaint {
    /// `OFPET_*`
    pub kind: u16,
    /// Within the type.
    pub code: u16,
    /// The beginning of the message that was refused, in hexadecimal.
    pub of: String,
}
