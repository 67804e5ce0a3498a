//! `net-mtu-writable`: and its owner may lower it.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::network::MTU;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "net-mtu-writable",
    name: "Network MTU (writable)",
    description: "Provides a writable MTU attribute for a network resource.",
    updated: "2017-07-12T00:00:00-00:00",
    requires: &["net-mtu"],
    attributes: &[On { resource: "network", attributes: &[MTU] }],
    ..NOTHING
};
