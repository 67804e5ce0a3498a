//! `external-net`: networks that lead outside.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::network::EXTERNAL;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "external-net",
    name: "Neutron external network",
    description: "Adds external network attribute to network resource.",
    updated: "2013-01-14T10:00:00-00:00",
    attributes: &[On { resource: "network", attributes: &[EXTERNAL] }],
    ..NOTHING
};
