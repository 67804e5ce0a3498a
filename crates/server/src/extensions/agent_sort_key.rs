//! `agent_sort_key`: agents can be sorted. They can without it too; the alias says so.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "agent_sort_key",
    name: "Agents Sort Key",
    description: "Enabling the keyword sort_key for sorting in agents.",
    updated: "2013-02-03T10:00:00-00:00",
    requires: &["agent"],
    ..NOTHING
};
