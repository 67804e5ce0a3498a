//! `security-groups-default-rules`: the operator says which rules new groups get.

use crate::extension::{Extension, NOTHING};
use crate::resources::security_group::template::DEFAULT_SECURITY_GROUP_RULE;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "security-groups-default-rules",
    name: "Default rules for security groups",
    description: "Configure set of security group rules used as default rules for every new security group",
    updated: "2022-12-19T10:00:00-00:00",
    requires: &["security-group", "standard-attr-description"],
    resources: &[&DEFAULT_SECURITY_GROUP_RULE],
    ..NOTHING
};
