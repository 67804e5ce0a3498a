//! `subnet-external-network`: a subnet says whether its network leads outside.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::subnet::EXTERNAL;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "subnet-external-network",
    name: "Subnet belongs to an external network",
    description: "Informs if the subnet belongs to an external network",
    updated: "2024-02-05T18:00:00-00:00",
    requires: &["external-net"],
    attributes: &[On { resource: "subnet", attributes: &[EXTERNAL] }],
    ..NOTHING
};
