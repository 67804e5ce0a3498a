//! `subnetpool-prefix-ops`: prefixes added to and taken from a pool, see [`crate::resources::subnetpool`].

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "subnetpool-prefix-ops",
    name: "Subnet Pool Prefix Operations",
    description: "Provides support for adjusting the prefix list of subnet pools",
    updated: "2019-02-08T10:00:00-00:00",
    requires: &["subnet_allocation"],
    ..NOTHING
};
