//! `net-mtu`: a network says how large its packets may be.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "net-mtu",
    name: "Network MTU",
    description: "Provides MTU attribute for a network resource.",
    updated: "2015-03-25T10:00:00-00:00",
    ..NOTHING
};
