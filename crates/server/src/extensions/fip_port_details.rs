//! `fip-port-details`: a floating IP tells of the port it leads to.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::floatingip::PORT_DETAILS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "fip-port-details",
    name: "Floating IP Port Details Extension",
    description: "Add port_details attribute to Floating IP resource",
    updated: "2018-04-09T10:00:00-00:00",
    requires: &["router"],
    attributes: &[On { resource: "floatingip", attributes: &[PORT_DETAILS] }],
    ..NOTHING
};
