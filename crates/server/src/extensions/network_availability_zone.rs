//! `network_availability_zone`: where a network's DHCP servers shall be.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::network::ZONES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "network_availability_zone",
    name: "Network Availability Zone",
    description: "Availability zone support for network.",
    updated: "2015-01-01T10:00:00-00:00",
    requires: &["availability_zone"],
    attributes: &[On { resource: "network", attributes: ZONES }],
    ..NOTHING
};
