//! `availability_zone`: the zones that DHCP and L3 agents report.

use crate::attr::Attr;
use crate::extension::{Extension, NOTHING, On};
use crate::resources::agent::zones::ROUTES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "availability_zone",
    name: "Availability Zone",
    description: "The availability zone extension.",
    updated: "2015-01-01T10:00:00-00:00",
    requires: &["agent"],
    attributes: &[On {
        resource: "agent",
        attributes: &[Attr::new("availability_zone").read_only().filtered()],
    }],
    routes: ROUTES,
    ..NOTHING
};
