//! `default-subnetpools`: a pool for subnets whose owner names none.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::subnet::USE_DEFAULT_POOL;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "default-subnetpools",
    name: "Default Subnetpools",
    description: "Provides ability to mark and use a subnetpool as the default.",
    updated: "2016-02-18T18:00:00-00:00",
    requires: &["subnet_allocation"],
    attributes: &[On { resource: "subnet", attributes: &[USE_DEFAULT_POOL] }],
    ..NOTHING
};
