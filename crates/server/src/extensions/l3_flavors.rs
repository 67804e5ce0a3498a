//! `l3-flavors`: a flavor says who serves a router.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::router::extra::FLAVOR_ID;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "l3-flavors",
    name: "Router Flavor Extension",
    description: "Flavor support for routers.",
    updated: "2016-05-17T00:00:00-00:00",
    requires: &["flavors", "router"],
    attributes: &[On { resource: "router", attributes: &[FLAVOR_ID] }],
    ..NOTHING
};
