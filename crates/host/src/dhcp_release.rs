//! Giving a lease back in the name of a client that is gone: a DHCPRELEASE from inside the server's namespace,
//! as the tool `dhcp_release` sends it. dnsmasq forgets a lease only this way or by a restart.

use std::net::{Ipv4Addr, UdpSocket};

use model::Mac;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::BindToDevice;

use crate::netns::Netns;
use crate::{Error, Result};

const SERVER_PORT: u16 = 67;
/// Bytes of a BOOTP message before its options.
const FIXED_LENGTH: usize = 236;
const MAGIC_COOKIE: [u8; 4] = [99, 130, 83, 99];
const OPTION_MESSAGE_TYPE: u8 = 53;
const OPTION_SERVER_ID: u8 = 54;
const OPTION_CLIENT_ID: u8 = 61;
const OPTION_END: u8 = 255;
const RELEASE: u8 = 7;
/// Shortest message that every server takes.
const MESSAGE_MIN: usize = 300;

/// A lease to give back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Release {
    /// The leased address.
    pub address: Ipv4Addr,
    /// The client's MAC address.
    pub mac: Mac,
    /// The client's identifier, if it gave one.
    pub client_id: Option<Vec<u8>>,
    /// The server's address on the client's subnet.
    pub server: Ipv4Addr,
}

/// Gives the leases back to the server on `device` in `ns`.
///
/// # Errors
/// When the kernel refuses; whether the server heeds it is seen in its lease file.
pub fn release(ns: &Netns, device: &str, releases: &[Release]) -> Result<()> {
    let sent = ns.run(|| -> std::io::Result<()> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        setsockopt(&socket, BindToDevice, &device.into())?;
        for release in releases {
            socket.send_to(&message(release), (release.server, SERVER_PORT))?;
        }
        Ok(())
    })?;
    sent.map_err(|e| Error::io(format!("releasing leases on {device}"), e))
}

/// Reads a client identifier as lease files have it: bytes in hexadecimal with colons, `*` for none.
pub fn parse_client_id(text: &str) -> Option<Vec<u8>> {
    text.split(':').map(|byte| u8::from_str_radix(byte, 16).ok()).collect()
}

fn message(release: &Release) -> Vec<u8> {
    let mut message = vec![0; FIXED_LENGTH];
    // A request from Ethernet.
    message[..3].copy_from_slice(&[1, 1, 6]);
    message[12..16].copy_from_slice(&release.address.octets());
    message[28..34].copy_from_slice(&release.mac.0);
    message.extend(MAGIC_COOKIE);
    message.extend([OPTION_MESSAGE_TYPE, 1, RELEASE, OPTION_SERVER_ID, 4]);
    message.extend(release.server.octets());
    if let Some(id) = &release.client_id
        && let Ok(length) = u8::try_from(id.len())
    {
        message.extend([OPTION_CLIENT_ID, length]);
        message.extend(id);
    }
    message.push(OPTION_END);
    message.resize(message.len().max(MESSAGE_MIN), 0);
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_id_is_read_from_a_lease_file() {
        assert_eq!(parse_client_id("01:fa:16"), Some(vec![1, 0xfa, 0x16]));
        assert_eq!(parse_client_id("*"), None);
    }

    #[test]
    fn a_release_names_client_and_server() {
        let release = Release {
            address: [10, 0, 0, 9].into(),
            mac: Mac([2, 0, 0, 0, 0, 1]),
            client_id: Some(vec![1, 2]),
            server: [10, 0, 0, 2].into(),
        };
        let message = message(&release);
        assert_eq!(message.len(), MESSAGE_MIN);
        assert_eq!(
            message[240..],
            [&[53, 1, 7, 54, 4, 10, 0, 0, 2, 61, 2, 1, 2, 255][..], &[0; 46]].concat()
        );
    }
}
