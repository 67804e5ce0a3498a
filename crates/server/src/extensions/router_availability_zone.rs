//! `router_availability_zone`: zones that a router should be and is in.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::router::extra::{AVAILABILITY_ZONE_HINTS, AVAILABILITY_ZONES};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "router_availability_zone",
    name: "Router Availability Zone",
    description: "Availability zone support for router.",
    updated: "2015-01-01T10:00:00-00:00",
    requires: &["router", "availability_zone"],
    attributes: &[On { resource: "router", attributes: &[AVAILABILITY_ZONE_HINTS, AVAILABILITY_ZONES] }],
    ..NOTHING
};
