//! `security-groups-shared-filtering`: which groups are shared, and only those.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::security_group::group::SHARED;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "security-groups-shared-filtering",
    name: "Security group filtering on the shared field",
    description: "Support filtering security groups on the shared field",
    updated: "2021-10-05T09:00:00-00:00",
    requires: &["rbac-security-groups"],
    attributes: &[On { resource: "security_group", attributes: &[SHARED] }],
    ..NOTHING
};
