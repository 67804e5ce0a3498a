//! rtnetlink: a small synchronous client, one socket per namespace.
//!
//! Reading is by dumps (one request per kind of object, however many objects); writing is one
//! acknowledged request each, some ten microseconds.

mod addr;
mod link;
mod monitor;
mod neigh;
mod route;

pub use addr::Addr;
pub use link::{Kind, Link, NewLink, VxlanSpec, kind_word};
pub use monitor::{LinkEvent, Monitor};
pub use neigh::{Fdb, Neigh};
pub use route::{Route, Rule, TABLE_MAIN};

use std::sync::Mutex;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_EXCL, NLM_F_REPLACE,
    NLM_F_REQUEST, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

use crate::netns::Netns;
use crate::{Error, Result};

/// How often a dump that changed under our hands is asked for again.
const DUMP_TRIES_MAX: u32 = 5;
/// Bytes of the socket's receive buffer: a dump of thousands of devices must fit.
const RECEIVE_BUFFER_BYTES: usize = 1 << 20;

/// What a creating request does about an object that is there already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exists {
    /// It is an error.
    Refuse,
    /// It is replaced.
    Replace,
    /// One more is put beside it.
    Append,
}

impl Exists {
    fn flags(self) -> u16 {
        match self {
            Exists::Refuse => NLM_F_CREATE | NLM_F_EXCL,
            Exists::Replace => NLM_F_CREATE | NLM_F_REPLACE,
            Exists::Append => NLM_F_CREATE | NLM_F_APPEND,
        }
    }
}

/// A connection to the kernel's network configuration in one namespace. May be shared by
/// threads; requests take turns.
#[derive(Debug)]
pub struct Netlink {
    inner: Mutex<Inner>,
    ns: Netns,
}

#[derive(Debug)]
struct Inner {
    socket: Socket,
    sequence: u32,
}

impl Netlink {
    /// Connects inside `ns`.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the socket not be made.
    pub fn open(ns: &Netns) -> Result<Self> {
        let socket = ns.run(|| -> std::io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind_auto()?;
            socket.connect(&SocketAddr::new(0, 0))?;
            socket.set_rx_buf_sz(i32::try_from(RECEIVE_BUFFER_BYTES).unwrap_or(i32::MAX))?;
            Ok(socket)
        })?;
        let socket = socket.map_err(|e| Error::io("netlink socket", e))?;
        Ok(Netlink { inner: Mutex::new(Inner { socket, sequence: 0 }), ns: ns.clone() })
    }

    /// The namespace this connection belongs to.
    #[must_use]
    pub fn netns(&self) -> &Netns {
        &self.ns
    }

    /// Sends a changing request and waits for the kernel's acknowledgement.
    pub(crate) fn change(
        &self,
        message: RouteNetlinkMessage,
        flags: u16,
        what: &dyn Fn() -> String,
    ) -> Result<()> {
        let flags = NLM_F_REQUEST | NLM_F_ACK | flags;
        self.lock().exchange(message, flags, &mut drop).map(drop).map_err(|e| Error::io(what(), e))
    }

    /// Sends a creating request.
    pub(crate) fn create(
        &self,
        message: RouteNetlinkMessage,
        exists: Exists,
        what: &dyn Fn() -> String,
    ) -> Result<()> {
        self.change(message, exists.flags(), what)
    }

    /// Asks for all objects of a kind; `read` makes ours of what the kernel says of each, or passes it over. It is
    /// read as it comes: a device takes a hundred bytes here and ten kilobytes there.
    pub(crate) fn dump<T>(
        &self,
        message: &RouteNetlinkMessage,
        what: &str,
        read: impl Fn(RouteNetlinkMessage) -> Option<T>,
    ) -> Result<Vec<T>> {
        let mut inner = self.lock();
        let mut all = Vec::new();
        // Constantly changing: the last answer may lack what came and went meanwhile.
        for _ in 0..=DUMP_TRIES_MAX {
            all.clear();
            let mut keep = |message| all.extend(read(message));
            let answer = inner.exchange(message.clone(), NLM_F_REQUEST | NLM_F_DUMP, &mut keep);
            let interrupted = answer.map_err(|e| Error::io(format!("listing {what}"), e))?;
            if !interrupted {
                break;
            }
        }
        Ok(all)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A panic in another thread left at most an unread answer, which is skipped by number.
        self.inner.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Inner {
    /// One request and all of its answer, of which `take` gets message by message. True when a dump was
    /// inconsistent.
    fn exchange(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        take: &mut dyn FnMut(RouteNetlinkMessage),
    ) -> std::io::Result<bool> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut request = NetlinkMessage::from(message);
        request.header.flags = flags;
        request.header.sequence_number = self.sequence;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send(&bytes, 0)?;
        self.receive(flags & NLM_F_DUMP == NLM_F_DUMP, take)
    }

    fn receive(&mut self, dumping: bool, take: &mut dyn FnMut(RouteNetlinkMessage)) -> std::io::Result<bool> {
        let mut interrupted = false;
        loop {
            let (bytes, _) = self.socket.recv_from_full()?;
            for answer in Messages(&bytes) {
                let answer = answer?;
                if answer.header.sequence_number != self.sequence {
                    continue;
                }
                interrupted |= answer.header.flags & NLM_F_DUMP_INTR != 0;
                match answer.payload {
                    NetlinkPayload::InnerMessage(message) => take(message),
                    NetlinkPayload::Error(error) if error.code.is_some() => return Err(error.to_io()),
                    NetlinkPayload::Error(_) if !dumping => return Ok(interrupted),
                    NetlinkPayload::Done(_) => return Ok(interrupted),
                    _ => {}
                }
            }
        }
    }
}

/// The messages of one datagram. Those whose content this version cannot read are left out:
/// a newer kernel's additions must not blind us.
pub(crate) struct Messages<'a>(pub(crate) &'a [u8]);

impl Iterator for Messages<'_> {
    type Item = std::io::Result<NetlinkMessage<RouteNetlinkMessage>>;

    fn next(&mut self) -> Option<Self::Item> {
        const HEADER_BYTES: usize = 16;
        loop {
            let head: [u8; 4] = self.0.get(..4)?.try_into().ok()?;
            let length = usize::try_from(u32::from_ne_bytes(head)).ok()?;
            if length < HEADER_BYTES || length > self.0.len() {
                self.0 = &[];
                return Some(Err(std::io::Error::other("netlink message of a wrong length")));
            }
            let (bytes, _) = self.0.split_at(length);
            self.0 = self.0.get(length.next_multiple_of(4)..).unwrap_or_default();
            match NetlinkMessage::deserialize(bytes) {
                Ok(message) => return Some(Ok(message)),
                Err(error) => tracing::debug!(%error, "unreadable netlink message left out"),
            }
        }
    }
}
