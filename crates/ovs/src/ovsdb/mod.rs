//! The Open vSwitch Database Management Protocol, RFC 7047, with ovsdb-server's `monitor_cond`.
//!
//! [`value`] and [`message`] turn JSON to values and back, [`schema`] knows which columns there are,
//! [`transaction`] builds changes, [`replica`] holds a copy of what is monitored, and [`client`] is the
//! only part that waits: it connects, and connects again.

pub mod client;
pub mod message;
pub mod replica;
pub mod schema;
pub mod transaction;
pub mod value;

pub use client::{Client, ClientError, Settings, State};
pub use replica::{Replica, Table};
pub use schema::Schema;
pub use transaction::{Outcome, Refused, Transaction};
pub use value::{Atom, Row, Value, row};

/// What the other side sent and we cannot make sense of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("OVSDB: {what} is not understood: {found}")]
pub struct Malformed {
    what: &'static str,
    found: String,
}

/// Longest piece of foreign text in a complaint, in characters.
const FOUND_CHARS_MAX: usize = 200;

impl Malformed {
    pub(crate) fn new(what: &'static str, found: impl std::fmt::Display) -> Self {
        Malformed { what, found: found.to_string().chars().take(FOUND_CHARS_MAX).collect() }
    }
}
