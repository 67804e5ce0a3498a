//! OpenFlow 1.3 and 1.4 with the extensions of Nicira (Open vSwitch), as far as the agents need them.
//!
//! [`field`], [`matching`] and [`action`] are what flows are made of and print as ovs-ofctl does; [`codec`],
//! [`flow`] and [`message`] turn them to bytes and back; [`Flows`] keeps them and [`diff()`] compares; [`client`] is the only part
//! that waits.

pub mod action;
pub mod client;
pub mod codec;
pub mod diff;
pub mod field;
pub mod flow;
mod flows;
mod instruction;
pub mod matching;
pub mod message;
pub mod wire;

pub use action::{Action, Ct, Learn, LearnSpec, Nat, NatSide, Port, Zone};
pub use client::{Switch, SwitchError};
pub use diff::diff;
pub use field::{Field, Subfield, ct_state};
pub use flow::{Bucket, Flow, FlowMod, GroupKind, GroupMod, Key, MeterMod, MeterUnit, PacketOut};
pub use flows::{Entry, Flows, Gathered};
pub use matching::Match;
pub use message::{Request, Version};
pub use wire::Malformed;

#[cfg(test)]
mod tests;
