//! `floating-ip-router-writable`: users choose the router of a floating IP.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "floating-ip-router-writable",
    name: "Floating IP Router (writable)",
    description: "Provides a writable router_id attribute for a floating IP resource.",
    updated: "2026-08-05T00:00:00-00:00",
    requires: &["router"],
    ..NOTHING
};
