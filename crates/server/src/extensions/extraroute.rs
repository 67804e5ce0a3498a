//! `extraroute`: routes of a router beyond those to its own subnets.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::router::extra::ROUTES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "extraroute",
    name: "Neutron Extra Route",
    description: "Extra routes configuration for L3 router",
    updated: "2013-02-01T10:00:00-00:00",
    requires: &["router"],
    attributes: &[On { resource: "router", attributes: &[ROUTES] }],
    ..NOTHING
};
