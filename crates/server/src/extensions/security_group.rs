//! `security-group`: groups of rules that say what may reach a port and leave it.

use crate::extension::{Extension, NOTHING, On};
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
    hooks: &[ON_NETWORK, ON_PORT],
    ..NOTHING
};
