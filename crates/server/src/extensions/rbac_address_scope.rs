//! `rbac-address-scope`: address scopes can be shared.

use crate::extension::{Extension, NOTHING};

/// See the module; `rbac_policy` knows the kinds of objects.
pub static EXTENSION: Extension = Extension {
    alias: "rbac-address-scope",
    name: "Add address_scope type to RBAC",
    description: "Add address_scope type to RBAC",
    updated: "2020-02-12T00:00:00-00:00",
    requires: &["rbac-policies", "address-scope"],
    ..NOTHING
};
