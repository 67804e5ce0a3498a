//! `network-ip-availability`: how many addresses are used.

use crate::extension::{Extension, NOTHING};
use crate::resources::availability::NETWORK_IP_AVAILABILITY;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "network-ip-availability",
    name: "Network IP Availability",
    description: "Provides IP availability data for each network and subnet.",
    updated: "2015-09-24T00:00:00-00:00",
    resources: &[&NETWORK_IP_AVAILABILITY],
    ..NOTHING
};
