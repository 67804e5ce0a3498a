//! `subnet-service-types`: subnets for ports of some owners only.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::subnet::SERVICE_TYPES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "subnet-service-types",
    name: "Subnet service types",
    description: "Provides ability to set the subnet service_types field",
    updated: "2016-03-15T18:00:00-00:00",
    attributes: &[On { resource: "subnet", attributes: &[SERVICE_TYPES] }],
    ..NOTHING
};
