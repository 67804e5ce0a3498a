//! Connection tracking: cutting connections that the rules no longer allow.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::net::IpAddr;

use crate::netns::Netns;
use crate::{Result, exec};

/// How often the tool may be stopped by a connection that ends by itself.
const TRIES_MAX: u32 = 5;

/// Connections to cut: those that fit all that is given.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Cut {
    /// Conntrack zone; none = zone 0 and all others.
    pub zone: Option<u16>,
    /// IPv6.
    pub v6: bool,
    /// Protocol number; none = all.
    pub protocol: Option<u8>,
    /// Original source.
    pub src: Option<IpAddr>,
    /// Original destination.
    pub dst: Option<IpAddr>,
    /// Mark of the connection; none = whatever it is.
    pub mark: Option<u32>,
}

impl Cut {
    fn line(&self) -> String {
        let mut line = format!("-D -f {}", if self.v6 { "ipv6" } else { "ipv4" });
        // Writing to a String cannot fail.
        if let Some(protocol) = self.protocol {
            let _ = write!(line, " -p {protocol}");
        }
        if let Some(src) = self.src {
            let _ = write!(line, " -s {src}");
        }
        if let Some(dst) = self.dst {
            let _ = write!(line, " -d {dst}");
        }
        if let Some(zone) = self.zone {
            let _ = write!(line, " -w {zone}");
        }
        if let Some(mark) = self.mark {
            let _ = write!(line, " -m {mark}");
        }
        line
    }
}

/// Deletes the entries of all `cuts` in one run of the tool. That there is none to delete is
/// no error.
///
/// # Errors
/// When the tool cannot be run or refuses an argument.
pub fn delete(ns: &Netns, cuts: &BTreeSet<Cut>) -> Result<()> {
    if cuts.is_empty() {
        return Ok(());
    }
    let lines: String = cuts.iter().map(|cut| cut.line() + "\n").collect();
    run(ns, &lines)
}

/// Drops the connections of an address that is given up: those to it, and those that left with it as their
/// translated source.
///
/// # Errors
/// When the tool cannot be run or refuses.
pub fn forget(ns: &Netns, address: IpAddr) -> Result<()> {
    let family = if address.is_ipv6() { "ipv6" } else { "ipv4" };
    let lines = format!("-D -f {family} -d {address}\n-D -f {family} -q {address}\n");
    run(ns, &lines)
}

/// The tool ends when an entry that it has listed is gone before it comes to delete it, and leaves the rest alone. To
/// delete again does no harm.
fn run(ns: &Netns, lines: &str) -> Result<()> {
    let once = || exec::run(ns, "conntrack", &["--load-file", "-"], lines).map(drop);
    (1..TRIES_MAX).fold(once(), |done, _| done.or_else(|_| once()))
}
