//! `port-mac-address-regenerate`: a null MAC address asks for a fresh one, see [`crate::resources::port`].

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "port-mac-address-regenerate",
    name: "Neutron Port MAC address regenerate",
    description: "Network port MAC address regenerate",
    updated: "2018-05-03T10:00:00-00:00",
    ..NOTHING
};
