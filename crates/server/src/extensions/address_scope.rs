//! `address-scope`: subnet pools whose addresses never overlap.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::address_scope::{ADDRESS_SCOPE, OF_NETWORK, OF_SUBNETPOOL};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "address-scope",
    name: "Address scope",
    description: "Address scopes extension.",
    updated: "2015-07-26T10:00:00-00:00",
    resources: &[&ADDRESS_SCOPE],
    attributes: &[
        On { resource: "network", attributes: OF_NETWORK },
        On { resource: "subnetpool", attributes: &[OF_SUBNETPOOL] },
    ],
    ..NOTHING
};
