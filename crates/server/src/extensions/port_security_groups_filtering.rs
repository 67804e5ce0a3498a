//! `port-security-groups-filtering`: ports of a group.

use crate::extension::{Extension, NOTHING};

/// See the module; the filter itself comes with the attribute.
pub static EXTENSION: Extension = Extension {
    alias: "port-security-groups-filtering",
    name: "Port filtering on security groups",
    description: "Provides security groups filtering when listing ports",
    updated: "2018-01-09T09:00:00-00:00",
    requires: &["security-group"],
    ..NOTHING
};
