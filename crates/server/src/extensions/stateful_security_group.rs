//! `stateful-security-group`: groups whose rules look at each packet alone.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::security_group::group::STATEFUL;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "stateful-security-group",
    name: "Stateful security group",
    description: "Indicates if the security group is stateful or not",
    updated: "2019-11-26T09:00:00-00:00",
    requires: &["security-group"],
    attributes: &[On { resource: "security_group", attributes: &[STATEFUL] }],
    ..NOTHING
};
