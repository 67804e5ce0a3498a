//! `availability_zone_filter`: zones can be filtered.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "availability_zone_filter",
    name: "Availability Zone Filter Extension",
    description: "Add filter parameters to AvailabilityZone resource",
    updated: "2018-06-22T10:00:00-00:00",
    requires: &["availability_zone"],
    ..NOTHING
};
