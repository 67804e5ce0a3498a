//! `quota-check-limit`: a limit below what is used is refused where the client asks for the check.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "quota-check-limit",
    name: "Quota engine limit check",
    description: "Support for checking the resource usage before applying a new quota limit",
    updated: "2021-09-08T16:00:00-00:00",
    requires: &["quotas"],
    ..NOTHING
};
