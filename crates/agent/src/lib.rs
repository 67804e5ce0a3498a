//! The agents as reconcilers: Linux bridge, L3, DHCP, metadata.

pub mod dhcp;
pub mod l3;
pub mod netns;
