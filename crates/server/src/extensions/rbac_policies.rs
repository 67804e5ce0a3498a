//! `rbac-policies`: owners share what is theirs with other projects.

use crate::extension::{Extension, NOTHING, Rule};
use crate::resources::rbac::policy::RBAC_POLICY;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "rbac-policies",
    name: "RBAC Policies",
    description: "Allows creation and modification of policies that control project access to resources.",
    updated: "2015-06-17T12:15:12-00:00",
    resources: &[&RBAC_POLICY],
    policies: POLICIES,
    ..NOTHING
};

const OWN: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";
/// Only administrators share with everybody.
const TARGET: &str =
    "rule:admin_only or (not field:rbac_policy:target_tenant=* and not field:rbac_policy:target_project=*)";

const POLICIES: &[Rule] = &[
    Rule { name: "create_rbac_policy", check: OWN },
    Rule { name: "create_rbac_policy:target_tenant", check: TARGET },
    Rule { name: "update_rbac_policy", check: OWN },
    Rule { name: "update_rbac_policy:target_tenant", check: TARGET },
    Rule {
        name: "get_rbac_policy",
        check: "(rule:admin_only) or (role:reader and project_id:%(project_id)s)",
    },
    Rule { name: "delete_rbac_policy", check: OWN },
];
