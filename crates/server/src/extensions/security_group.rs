//! `security-group`: groups of rules that say what may reach a port and leave it.

use crate::extension::{Extension, NOTHING, On, Rule};
use crate::resources::security_group::group::SECURITY_GROUP;
use crate::resources::security_group::group_rule::SECURITY_GROUP_RULE;
use crate::resources::security_group::port::{ON_NETWORK, ON_PORT, SECURITY_GROUPS};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "security-group",
    name: "security-group",
    description: "The security groups extension.",
    updated: "2012-10-05T10:00:00-00:00",
    requires: &["standard-attr-description"],
    resources: &[&SECURITY_GROUP, &SECURITY_GROUP_RULE],
    attributes: &[On { resource: "port", attributes: &[SECURITY_GROUPS] }],
    policies: POLICIES,
    hooks: &[ON_NETWORK, ON_PORT],
    ..NOTHING
};

const OWN: &str = "(rule:admin_only) or (role:member and project_id:%(project_id)s)";
const SEE: &str =
    "(rule:admin_only) or (role:reader and project_id:%(project_id)s) or rule:shared_security_group";
const OWN_RULE: &str = "(rule:admin_only) or (role:member and rule:sg_owner)";
const SEE_RULE: &str = "(rule:admin_only) or (role:reader and rule:sg_owner)";

const POLICIES: &[Rule] = &[
    Rule { name: "sg_owner", check: "project_id:%(security_group:project_id)s" },
    Rule { name: "shared_security_group", check: "field:security_groups:shared=True" },
    Rule {
        name: "create_default_security_group",
        check: "(rule:admin_only) or (rule:service_api) or role:reader and project_id:%(project_id)s",
    },
    Rule { name: "create_security_group", check: OWN },
    Rule { name: "get_security_group", check: SEE },
    Rule { name: "update_security_group", check: OWN },
    Rule { name: "delete_security_group", check: OWN },
    Rule { name: "create_security_group_rule", check: OWN_RULE },
    Rule { name: "get_security_group_rule", check: SEE_RULE },
    Rule { name: "delete_security_group_rule", check: OWN_RULE },
];
