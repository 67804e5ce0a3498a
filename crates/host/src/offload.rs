//! Checksums that a device leaves to others, by the kernel's `ethtool` family of generic netlink
//! (`linux/ethtool_netlink.h`).

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_GENERIC};

use crate::netns::Netns;
use crate::{Error, Result};

/// The family that knows the numbers of others.
const CONTROL: u16 = 0x10;
/// `CTRL_CMD_GETFAMILY`, `CTRL_ATTR_FAMILY_ID`, `CTRL_ATTR_FAMILY_NAME`
const GET_FAMILY: u8 = 3;
const FAMILY_ID: u16 = 1;
const FAMILY_NAME: u16 = 2;
/// `ETHTOOL_MSG_FEATURES_SET`, and attributes `ETHTOOL_A_…`.
const SET_FEATURES: u8 = 12;
const FEATURES_HEADER: u16 = 1;
const FEATURES_WANTED: u16 = 3;
const HEADER_DEVICE: u16 = 2;
const HEADER_FLAGS: u16 = 3;
/// No answer but the acknowledgement.
const OMIT_REPLY: u32 = 1 << 1;
const BITSET_BITS: u16 = 3;
const BITSET_BIT: u16 = 1;
const BIT_NAME: u16 = 2;
/// An attribute of attributes.
const NESTED: u16 = 1 << 15;
/// `NLMSG_ERROR`: an error, or with code 0 the acknowledgement.
const ERROR: u16 = 2;
const HEADER_BYTES: usize = 16;
const GENERIC_BYTES: usize = 4;

/// What `ethtool -K DEVICE rx off tx off` switches off, as far as virtual devices have it.
const CHECKSUMS: [&str; 3] = ["rx-checksum", "tx-checksum-ip-generic", "tx-checksum-sctp"];

/// Lets the kernel make and check the checksums of what `device` sends and gets itself: whoever reads its frames in
/// another program finds them whole.
///
/// # Errors
/// When there is no such device or the kernel refuses.
pub fn checksums_off(ns: &Netns, device: &str) -> Result<()> {
    let done = ns.run(|| -> io::Result<()> {
        let mut socket = Socket::new(NETLINK_GENERIC)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        let answer = exchange(&socket, CONTROL, GET_FAMILY, &attribute(FAMILY_NAME, b"ethtool\0"))?;
        let family = answer.and_then(|bytes| find(bytes.get(GENERIC_BYTES..)?, FAMILY_ID));
        let family =
            family.ok_or_else(|| io::Error::other("the kernel does not say what ethtool's number is"))?;
        exchange(&socket, family, SET_FEATURES, &wanted(device)).map(drop)
    })?;
    done.map_err(|e| Error::io(format!("switching checksum offload of {device} off"), e))
}

/// The request's attributes.
fn wanted(device: &str) -> Vec<u8> {
    let header =
        [attribute(HEADER_DEVICE, &text(device)), attribute(HEADER_FLAGS, &OMIT_REPLY.to_ne_bytes())];
    // A bit without a value is to be off.
    let bit = |name: &&str| attribute(BITSET_BIT | NESTED, &attribute(BIT_NAME, &text(name)));
    let bits: Vec<u8> = CHECKSUMS.iter().flat_map(bit).collect();
    let bits = attribute(BITSET_BITS | NESTED, &bits);
    [attribute(FEATURES_HEADER | NESTED, &header.concat()), attribute(FEATURES_WANTED | NESTED, &bits)]
        .concat()
}

fn text(word: &str) -> Vec<u8> {
    [word.as_bytes(), &[0]].concat()
}

/// A kind, its content, and what fills up to four bytes.
fn attribute(kind: u16, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(4 + content.len()).unwrap_or(u16::MAX);
    let mut out = [&length.to_ne_bytes(), &kind.to_ne_bytes(), content].concat();
    out.resize(out.len().next_multiple_of(4), 0);
    out
}

/// The number in an attribute of this kind.
fn find(mut attributes: &[u8], wanted: u16) -> Option<u16> {
    while let [a, b, c, d, rest @ ..] = attributes {
        let length = usize::from(u16::from_ne_bytes([*a, *b]));
        if u16::from_ne_bytes([*c, *d]) == wanted {
            return Some(u16::from_ne_bytes([*rest.first()?, *rest.get(1)?]));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..).unwrap_or_default();
    }
    None
}

/// Asks, and waits for the acknowledgement; what the kernel said before it, without the header.
fn exchange(socket: &Socket, family: u16, command: u8, attributes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let length = u32::try_from(HEADER_BYTES + GENERIC_BYTES + attributes.len()).map_err(io::Error::other)?;
    let flags = NLM_F_REQUEST | NLM_F_ACK;
    let header = [&length.to_ne_bytes()[..], &family.to_ne_bytes(), &flags.to_ne_bytes(), &[0; 8]].concat();
    socket.send(&[&header[..], &[command, 1, 0, 0], attributes].concat(), 0)?;
    let mut said = None;
    loop {
        let (bytes, _) = socket.recv_from_full()?;
        let mut rest = bytes.as_slice();
        while let Some((kind, content, after)) = split(rest) {
            match (kind, content) {
                (ERROR, [a, b, c, d, ..]) => {
                    let code = i32::from_ne_bytes([*a, *b, *c, *d]);
                    return if code == 0 { Ok(said) } else { Err(io::Error::from_raw_os_error(-code)) };
                }
                _ => said = Some(content.to_vec()),
            }
            rest = after;
        }
    }
}

/// The first of some messages: its kind, its content, and what follows it.
fn split(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(bytes.get(..4)?.try_into().ok()?)).ok()?;
    let kind = u16::from_ne_bytes(bytes.get(4..6)?.try_into().ok()?);
    let after = bytes.get(length.next_multiple_of(4)..).unwrap_or_default();
    Some((kind, bytes.get(HEADER_BYTES..length)?, after))
}
