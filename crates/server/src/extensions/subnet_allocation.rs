//! `subnet_allocation`: pools that subnets are cut from.

use crate::extension::{Extension, NOTHING};
use crate::resources::subnetpool::SUBNETPOOL;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "subnet_allocation",
    name: "Subnet Allocation",
    description: "Enables allocation of subnets from a subnet pool",
    updated: "2015-03-30T10:00:00-00:00",
    resources: &[&SUBNETPOOL],
    ..NOTHING
};
