//! The Open vSwitch driver: all ports on one integration bridge, told apart by local VLANs; patch ports to
//! bridges of physical networks and to a bridge with tunnels.

mod apply;
pub mod config;
pub mod desired;
pub mod facts;
pub mod flows;
mod hybrid;
pub mod plan;
pub mod vlans;

pub use apply::OpenVswitch;
pub use config::OvsConfig;

/// The agent's program.
pub const BINARY: &str = "neutron-openvswitch-agent";
/// The VLAN of ports that nobody vouches for; its frames are dropped.
pub const DEAD_VLAN: u16 = 4095;

#[cfg(test)]
mod tests;
