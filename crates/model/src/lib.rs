//! The words that server and agents exchange: identifiers, addresses, segments, RPC calls.

pub mod dhcp;
pub mod l2;
pub mod l3;
pub mod mac;
pub mod names;
pub mod python;

pub use mac::Mac;
