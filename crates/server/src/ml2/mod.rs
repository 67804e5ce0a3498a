//! ML2: network types with their segments, mechanism drivers, the binding of ports, their status.

pub mod allocation;
pub mod bind;
pub mod mech;
pub mod options;
pub mod provisioning;
pub mod segment;

pub use options::{Groups, Ml2};
