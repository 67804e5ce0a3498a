//! `agent`: who reports to the server, and whether it is alive.

use crate::extension::{Extension, NOTHING};
use crate::resources::agent::AGENT;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "agent",
    name: "agent",
    description: "The agent management extension.",
    updated: "2013-02-03T10:00:00-00:00",
    resources: &[&AGENT],
    ..NOTHING
};
