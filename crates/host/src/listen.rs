//! Listeners inside namespaces: opened by a thread that visits the namespace, used from outside for good.

use std::net::{IpAddr, SocketAddr, SocketAddrV6, TcpListener};

use nix::net::if_::if_nametoindex;

use crate::netns::Netns;
use crate::{Error, Result};

/// Opens a TCP listener on `address` in `ns`, ready for an asynchronous runtime. A link-local IPv6 address
/// is one of `device`.
///
/// # Errors
/// When the address is not (yet) the namespace's or its port is taken.
pub fn tcp(ns: &Netns, address: IpAddr, port: u16, device: Option<&str>) -> Result<TcpListener> {
    let what =
        || format!("listening on {address} port {port} in {}", ns.name().unwrap_or("the host's namespace"));
    let opened = ns.run(|| {
        let address = match (address, device) {
            (IpAddr::V6(address), Some(device)) => {
                let scope = if_nametoindex(device)?;
                SocketAddrV6::new(address, port, 0, scope).into()
            }
            (address, _) => SocketAddr::new(address, port),
        };
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        std::io::Result::Ok(listener)
    })?;
    opened.map_err(|e| Error::io(what(), e))
}
