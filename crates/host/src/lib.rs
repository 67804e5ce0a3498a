//! The kernel and its daemons: netlink, namespaces, iptables, ipset, conntrack, dnsmasq.
//!
//! Everything here blocks briefly and is called from an agent's pass, which runs on a thread
//! where blocking is allowed; only [`netlink::Monitor`] waits asynchronously.

pub mod announce;
pub mod conntrack;
pub mod daemon;
pub mod dhcp_release;
pub mod ebtables;
mod error;
pub mod exec;
pub mod ipset;
pub mod iptables;
pub mod listen;
pub mod netlink;
pub mod netns;
pub mod offload;
pub mod sysctl;

pub use error::{Error, Result};
pub use netns::Netns;
