//! `multi-provider`: networks of several segments.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::network::SEGMENTS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "multi-provider",
    name: "Multi Provider Network",
    description: "Expose mapping of virtual networks to multiple physical networks",
    updated: "2013-06-27T10:00:00-00:00",
    attributes: &[On { resource: "network", attributes: &[SEGMENTS] }],
    ..NOTHING
};
