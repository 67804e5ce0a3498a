//! The agents as reconcilers: Linux bridge, L3, DHCP, metadata.

mod alarm;
pub mod dhcp;
pub mod inbox;
pub mod l2;
pub mod l3;
pub mod metadata;
pub mod metrics;
pub mod netns;
pub mod options;
pub mod plugin;
mod reconciler;
