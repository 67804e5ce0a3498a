//! Open vSwitch's two protocols, spoken natively: [`ovsdb`] for what bridges and ports there are,
//! [`openflow`] for what they do with packets.
//!
//! Both are pure codecs (bytes in, values out) with a thin client each that waits on a socket.

pub mod openflow;
pub mod ovsdb;
pub mod remote;

pub use remote::Remote;
