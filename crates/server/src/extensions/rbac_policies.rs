//! `rbac-policies`: owners share what is theirs with other projects.

use crate::extension::{Extension, NOTHING};
use crate::resources::rbac::policy::RBAC_POLICY;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "rbac-policies",
    name: "RBAC Policies",
    description: "Allows creation and modification of policies that control project access to resources.",
    updated: "2015-06-17T12:15:12-00:00",
    resources: &[&RBAC_POLICY],
    ..NOTHING
};
