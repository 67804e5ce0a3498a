//! `agent-resources-synced`: whether what an agent has to offer is known to Placement.

use crate::attr::Attr;
use crate::extension::{Extension, NOTHING, On};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "agent-resources-synced",
    name: "Agent's Resource View Synced to Placement",
    description: "Stores success/failure of last sync to Placement",
    updated: "2018-12-19T00:00:00-00:00",
    requires: &["agent"],
    attributes: &[On { resource: "agent", attributes: &[Attr::new("resources_synced").read_only()] }],
    ..NOTHING
};
