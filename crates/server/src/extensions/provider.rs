//! `provider`: how a network is made of a physical one.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::network::PROVIDER;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "provider",
    name: "Provider Network",
    description: "Expose mapping of virtual networks to physical networks",
    updated: "2012-09-07T10:00:00-00:00",
    attributes: &[On { resource: "network", attributes: PROVIDER }],
    ..NOTHING
};
