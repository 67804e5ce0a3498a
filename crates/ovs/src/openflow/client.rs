//! The rim of OpenFlow: one conversation with one bridge.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::flow::{Flow, FlowMod, decode_first};
use super::message::{BundleStep, Complaint, Incoming, Request, Version, kind};
use super::wire::{Malformed, Reader};
use crate::remote::{Remote, Stream};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Bytes of an answer in parts, all together.
const ANSWER_BYTES_MAX: usize = 512 * 1024 * 1024;
/// Requests of a bundle written before answers are looked at: neither side may fill the other's buffer.
const WRITE_BYTES: usize = 64 * 1024;
/// How long the switch may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// More parts of the answer follow.
const MORE: u16 = 1;

/// Why a bridge did not do something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SwitchError {
    /// The connection could not be made, or failed; the next one may not.
    #[error("OpenFlow connection to {remote}: {error}")]
    Io {
        /// The address.
        remote: String,
        /// The system's words.
        error: String,
    },
    /// No answer in time.
    #[error("no answer from {remote} within {seconds} s")]
    Late {
        /// The address.
        remote: String,
        /// How long.
        seconds: u64,
    },
    /// It refused; nothing of a bundle was done.
    #[error(transparent)]
    Refused(#[from] Complaint),
    /// It speaks otherwise.
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A conversation with a bridge. After any error but a refusal it is over: connect anew.
pub struct Switch {
    stream: Box<dyn Stream>,
    remote: String,
    buffer: Vec<u8>,
    received: Vec<u8>,
    version: Version,
    xid: u32,
    datapath_id: u64,
}

impl std::fmt::Debug for Switch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Switch").field("remote", &self.remote).field("version", &self.version).finish()
    }
}

impl Switch {
    /// Connects and agrees on a version. A bridge answers at `unix:<rundir>/<bridge>.mgmt`.
    ///
    /// # Errors
    /// When the bridge is not there, or speaks another version.
    pub async fn connect(remote: &Remote) -> Result<Switch, SwitchError> {
        let name = remote.to_string();
        let io = |error: std::io::Error| SwitchError::Io { remote: name.clone(), error: error.to_string() };
        let late = |_| SwitchError::Late { remote: name.clone(), seconds: PATIENCE.as_secs() };
        let stream = timeout(PATIENCE, remote.connect()).await.map_err(late)?.map_err(io)?;
        let mut switch = Switch {
            stream,
            remote: name,
            buffer: vec![0; READ_BYTES],
            received: Vec::new(),
            version: Version::V14,
            xid: 0,
            datapath_id: 0,
        };
        switch.send(&Request::Hello).await?;
        let hello = switch.receive().await?;
        if hello.kind != kind::HELLO {
            return Err(Malformed::new("the first message", format_args!("type {}", hello.kind)).into());
        }
        switch.version = hello.common_version()?;
        let features = switch.ask(&Request::Features, kind::FEATURES_REPLY).await?;
        switch.datapath_id = Reader::new(&features.body, "features").u64()?;
        Ok(switch)
    }

    /// The version agreed on.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// The bridge's number.
    #[must_use]
    pub fn datapath_id(&self) -> u64 {
        self.datapath_id
    }

    /// Whether it still answers.
    ///
    /// # Errors
    /// When it does not.
    pub async fn echo(&mut self) -> Result<(), SwitchError> {
        self.ask(&Request::Echo, kind::ECHO_REPLY).await.map(drop)
    }

    /// Hands over each flow. What another wrote with words we do not know is left out and counted.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn flows(&mut self, mut take: impl FnMut(Flow)) -> Result<usize, SwitchError> {
        let xid = self.send(&Request::Flows).await?;
        let (mut unknown, mut bytes) = (0, 0);
        loop {
            let part = self.answer(xid, xid, kind::MULTIPART_REPLY).await?;
            let mut reader = Reader::new(&part.body, "flows");
            let (_, more) = (reader.u16()?, reader.u16()? & MORE != 0);
            reader.take(4)?;
            while !reader.is_empty() {
                match decode_first(&mut reader)? {
                    Ok(flow) => take(flow),
                    Err(error) => {
                        tracing::debug!(%error, "a flow of another is passed over");
                        unknown += 1;
                    }
                }
            }
            bytes += part.body.len();
            if bytes > ANSWER_BYTES_MAX {
                return Err(Malformed::new("flows", format_args!("over {ANSWER_BYTES_MAX} bytes")).into());
            }
            if !more {
                return Ok(unknown);
            }
        }
    }

    /// Makes changes all at once, or none; they are in force when this comes back. Returns how many they are.
    ///
    /// # Errors
    /// When one is refused, or the connection fails; after the latter nobody knows.
    pub async fn apply(&mut self, changes: impl IntoIterator<Item = FlowMod>) -> Result<usize, SwitchError> {
        let mut changes = changes.into_iter().peekable();
        if changes.peek().is_none() {
            return Ok(0);
        }
        let id = self.xid.wrapping_add(1);
        let first = self.send(&Request::Bundle(id, BundleStep::Open)).await?;
        self.answer(first, first, self.bundle_answer()).await?;
        let mut bytes = Vec::new();
        let begin = self.xid.wrapping_add(1);
        let mut count = 0;
        for change in changes {
            count += 1;
            let request = Request::BundleAdd(id, Box::new(Request::FlowMod(change)));
            self.xid = self.xid.wrapping_add(1);
            bytes.extend(request.encode(self.version, self.xid));
            if bytes.len() >= WRITE_BYTES {
                self.write(&std::mem::take(&mut bytes)).await?;
            }
        }
        self.write(&bytes).await?;
        // A message that the switch refuses is left out of the bundle, which could still be committed.
        let taken = self.send(&Request::Barrier).await?;
        let taken = self.answer(begin, taken, kind::BARRIER_REPLY).await;
        let step = if taken.is_ok() { BundleStep::Commit } else { BundleStep::Discard };
        let end = self.send(&Request::Bundle(id, step)).await?;
        let ended = self.answer(end, end, self.bundle_answer()).await;
        taken.and(ended)?;
        self.barrier().await?;
        Ok(count)
    }

    fn bundle_answer(&self) -> u8 {
        match self.version {
            Version::V13 => kind::EXPERIMENTER,
            Version::V14 => kind::BUNDLE_CONTROL,
        }
    }

    /// Does something that has no answer, and waits until it is done.
    ///
    /// # Errors
    /// When it is refused, or the connection fails.
    pub async fn tell(&mut self, request: &Request) -> Result<(), SwitchError> {
        let first = self.send(request).await?;
        let barrier = self.send(&Request::Barrier).await?;
        self.answer(first, barrier, kind::BARRIER_REPLY).await.map(drop)
    }

    /// Waits until all before is done.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn barrier(&mut self) -> Result<(), SwitchError> {
        self.ask(&Request::Barrier, kind::BARRIER_REPLY).await.map(drop)
    }

    /// Waits until the bridge ends the conversation, as it does when ovs-vswitchd ends.
    pub async fn until_closed(mut self) {
        loop {
            let alive = match self.receive().await {
                Ok(message) if message.kind == kind::ECHO_REQUEST => {
                    let bytes = Request::EchoReply(message.body).encode(self.version, message.xid);
                    self.write(&bytes).await
                }
                Ok(_) => Ok(()),
                Err(SwitchError::Late { .. }) => self.echo().await,
                Err(error) => Err(error),
            };
            if alive.is_err() {
                return;
            }
        }
    }

    async fn ask(&mut self, request: &Request, answer: u8) -> Result<Incoming, SwitchError> {
        let xid = self.send(request).await?;
        self.answer(xid, xid, answer).await
    }

    /// Waits for the answer to `last`; an error about any message since `first` is one too.
    async fn answer(&mut self, first: u32, last: u32, wanted: u8) -> Result<Incoming, SwitchError> {
        let span = last.wrapping_sub(first);
        let mut complaint = None;
        loop {
            let message = self.receive().await?;
            let of_ours = message.xid.wrapping_sub(first) <= span;
            match message.kind {
                kind::ECHO_REQUEST => {
                    let bytes = Request::EchoReply(message.body).encode(self.version, message.xid);
                    self.write(&bytes).await?;
                }
                kind::ERROR if message.xid == last => {
                    return Err(complaint.unwrap_or_else(|| message.complaint()).into());
                }
                // The message that ends the exchange is answered too: what was refused is told then.
                kind::ERROR if of_ours => complaint = complaint.or(Some(message.complaint())),
                kind if kind == wanted && message.xid == last => {
                    return complaint.map_or(Ok(message), |complaint| Err(complaint.into()));
                }
                other => tracing::trace!(other, "message passed over"),
            }
        }
    }

    async fn send(&mut self, request: &Request) -> Result<u32, SwitchError> {
        self.xid = self.xid.wrapping_add(1);
        self.write(&request.encode(self.version, self.xid)).await?;
        Ok(self.xid)
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SwitchError> {
        match timeout(PATIENCE, self.stream.write_all(bytes)).await {
            Ok(outcome) => outcome.map_err(|error| self.io(&error.to_string())),
            Err(_) => Err(self.late()),
        }
    }

    async fn receive(&mut self) -> Result<Incoming, SwitchError> {
        loop {
            if let Some(message) = Incoming::cut(&mut self.received)? {
                return Ok(message);
            }
            match timeout(PATIENCE, self.stream.read(&mut self.buffer)).await {
                Ok(Ok(0)) => return Err(self.io("closed by the switch")),
                Ok(Ok(count)) => self.received.extend(self.buffer.get(..count).unwrap_or_default()),
                Ok(Err(error)) => return Err(self.io(&error.to_string())),
                Err(_) => return Err(self.late()),
            }
        }
    }

    fn io(&self, error: &str) -> SwitchError {
        SwitchError::Io { remote: self.remote.clone(), error: error.to_owned() }
    }

    fn late(&self) -> SwitchError {
        SwitchError::Late { remote: self.remote.clone(), seconds: PATIENCE.as_secs() }
    }
}
