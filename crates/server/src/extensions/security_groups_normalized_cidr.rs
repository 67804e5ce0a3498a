//! `security-groups-normalized-cidr`: the remote prefix of a rule without its host bits.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::security_group::group_rule::NORMALIZED_CIDR;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "security-groups-normalized-cidr",
    name: "Normalized CIDR field for security group rules",
    description: "Add new field with normalized remote_ip_prefix cidr in SG rule",
    updated: "2020-07-28T10:00:00-00:00",
    requires: &["security-group"],
    attributes: &[On { resource: "security_group_rule", attributes: &[NORMALIZED_CIDR] }],
    ..NOTHING
};
