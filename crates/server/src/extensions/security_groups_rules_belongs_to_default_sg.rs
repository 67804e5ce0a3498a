//! `security-groups-rules-belongs-to-default-sg`: whether a rule is one of a default group.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::security_group::group_rule::BELONGS_TO_DEFAULT_SG;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "security-groups-rules-belongs-to-default-sg",
    name: "Security group rule belongs to the project's default security group",
    description: "Flag to determine if the security group rule belongs to the project's default security group",
    updated: "2023-05-23T10:00:00-00:00",
    requires: &["security-group"],
    attributes: &[On { resource: "security_group_rule", attributes: &[BELONGS_TO_DEFAULT_SG] }],
    ..NOTHING
};
