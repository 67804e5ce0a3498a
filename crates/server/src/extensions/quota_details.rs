//! `quota_details`: how much of its quotas a project uses.

use crate::extension::{Extension, NOTHING};
use crate::resources::quotas::DETAILS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "quota_details",
    name: "Quota details management support",
    description: "Expose functions for quotas usage statistics per project",
    updated: "2017-02-10T10:00:00-00:00",
    requires: &["quotas"],
    routes: DETAILS,
    ..NOTHING
};
