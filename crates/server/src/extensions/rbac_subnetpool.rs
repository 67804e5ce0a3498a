//! `rbac-subnetpool`: subnet pools can be shared.

use crate::extension::{Extension, NOTHING};

/// See the module; `rbac_policy` knows the kinds of objects.
pub static EXTENSION: Extension = Extension {
    alias: "rbac-subnetpool",
    name: "Add subnetpool type to RBAC",
    description: "Add subnetpool type to RBAC",
    updated: "2020-02-05T00:00:00-00:00",
    requires: &["rbac-policies", "rbac-address-scope"],
    ..NOTHING
};
