//! `quotas`: how many of each resource a project may have.

use crate::extension::{Extension, NOTHING};
use crate::resources::quotas::ROUTES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "quotas",
    name: "Quota management support",
    description: "Expose functions for quotas management per project",
    updated: "2012-07-29T10:00:00-00:00",
    routes: ROUTES,
    ..NOTHING
};
