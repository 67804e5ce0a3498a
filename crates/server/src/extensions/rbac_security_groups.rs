//! `rbac-security-groups`: security groups can be shared.

use crate::extension::{Extension, NOTHING};

/// See the module; `rbac_policy` knows the kinds of objects.
pub static EXTENSION: Extension = Extension {
    alias: "rbac-security-groups",
    name: "Add security_group type to network RBAC",
    description: "Add security_group type to network RBAC",
    updated: "2019-02-14T00:00:00-00:00",
    requires: &["rbac-policies", "security-group"],
    ..NOTHING
};
