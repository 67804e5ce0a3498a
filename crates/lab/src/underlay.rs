//! The wire between simulated hosts: bridges in a host of their own, veth pairs to the others.

use crate::host::{Host, Life};
use std::io;
use std::path::Path;

/// A host that holds bridges and nothing else.
pub struct Underlay(Host);

impl Underlay {
    /// Starts it.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start(lab: &Path, life: Life) -> io::Result<Underlay> {
        Ok(Underlay(Host::start(lab, "underlay", life)?))
    }

    /// The process that holds it.
    pub fn holder(&self) -> u32 {
        self.0.holder()
    }

    /// Adds a bridge: one wire.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn wire(&self, name: &str) -> io::Result<()> {
        self.0.run(&["ip", "link", "add", name, "type", "bridge"])?;
        self.0.run(&["ip", "link", "set", name, "up"])?;
        Ok(())
    }

    /// Plugs `device` of a host into a wire, with an address (`192.0.2.1/24`) where one is given.
    ///
    /// # Errors
    /// When `ip` refuses.
    pub fn plug(&self, wire: &str, host: &Host, device: &str, address: Option<&str>) -> io::Result<()> {
        let near: String = format!("{}-{device}", host.name()).chars().take(15).collect();
        let pid = host.pid().to_string();
        // The number is the machine's, and the underlay counts for itself: the pair is made from outside.
        let made = std::process::Command::new("nsenter")
            .args(["-t", &self.0.pid().to_string(), "-n", "ip", "link", "add", &near])
            .args(["type", "veth", "peer", "name", device, "netns", &pid])
            .output()?;
        if !made.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&made.stderr).into_owned()));
        }
        self.0.run(&["ip", "link", "set", &near, "master", wire, "up"])?;
        if let Some(address) = address {
            host.run(&["ip", "address", "add", address, "dev", device])?;
        }
        host.run(&["ip", "link", "set", device, "up"])?;
        Ok(())
    }
}
