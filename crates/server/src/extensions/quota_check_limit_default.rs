//! `quota-check-limit-default`: a limit below what is used is refused unless the client forces it.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "quota-check-limit-default",
    name: "Quota engine limit check by default",
    description: "By default, the Neutron quota engine checks the resource usage before applying a new quota limit",
    updated: "2024-08-21T16:00:00-00:00",
    requires: &["quota-check-limit"],
    ..NOTHING
};
