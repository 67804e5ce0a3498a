//! Waiting for the kernel to say that devices came, went or changed.

use std::io;

use netlink_packet_core::NetlinkPayload;
use netlink_packet_route::RouteNetlinkMessage;
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};
use tokio::io::unix::AsyncFd;

use super::{Link, Messages, link};
use crate::netns::Netns;
use crate::{Error, Result};

/// `RTMGRP_LINK`.
const GROUP_LINK: u32 = 1;

/// One thing that happened to a device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It came or changed; this is how it is now.
    Changed(Link),
    /// It is gone.
    Gone(Link),
    /// The kernel dropped events: anything may have happened.
    Lost,
}

/// A stream of device events of one namespace.
#[derive(Debug)]
pub struct Monitor {
    socket: AsyncFd<Socket>,
}

impl Monitor {
    /// Begins to watch the devices of `ns`. To be called inside a tokio runtime.
    ///
    /// # Errors
    /// When the namespace cannot be entered or the socket not be made.
    pub fn open(ns: &Netns) -> Result<Self> {
        let socket = ns.run(|| -> io::Result<Socket> {
            let mut socket = Socket::new(NETLINK_ROUTE)?;
            socket.bind(&SocketAddr::new(0, GROUP_LINK))?;
            socket.set_non_blocking(true)?;
            Ok(socket)
        })?;
        let what = |e| Error::io("netlink monitor", e);
        #[expect(
            deprecated,
            reason = "its successor is unsafe; a Socket keeps its descriptor while it lives"
        )]
        let socket = AsyncFd::new(socket.map_err(what)?).map_err(what)?;
        Ok(Monitor { socket })
    }

    /// Waits for at least one event and returns all that are there.
    ///
    /// # Errors
    /// When the socket is broken.
    pub async fn events(&mut self) -> Result<Vec<LinkEvent>> {
        loop {
            let mut ready = self.socket.readable().await.map_err(|e| Error::io("netlink monitor", e))?;
            let mut events = Vec::new();
            loop {
                match ready.try_io(|socket| socket.get_ref().recv_from_full()) {
                    Ok(Ok((bytes, _))) => events.extend(read(&bytes)),
                    Ok(Err(e)) if e.raw_os_error() == Some(nix::errno::Errno::ENOBUFS as i32) => {
                        events.push(LinkEvent::Lost);
                    }
                    Ok(Err(e)) => return Err(Error::io("netlink monitor", e)),
                    Err(_would_block) => break,
                }
            }
            if !events.is_empty() {
                return Ok(events);
            }
        }
    }
}

fn read(bytes: &[u8]) -> Vec<LinkEvent> {
    let events = Messages(bytes).map(|message| match message {
        Ok(message) => match message.payload {
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(l)) => {
                Some(LinkEvent::Changed(link::read(l)))
            }
            NetlinkPayload::InnerMessage(RouteNetlinkMessage::DelLink(l)) => {
                Some(LinkEvent::Gone(link::read(l)))
            }
            _ => None,
        },
        Err(_) => Some(LinkEvent::Lost),
    });
    events.flatten().collect()
}
