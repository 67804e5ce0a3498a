//! `extraroute-atomic`: routes are added and removed without reading them first.

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "extraroute-atomic",
    name: "Atomically add/remove extra routes",
    description: "Edit extra routes of a router on server side by atomically adding/removing extra routes",
    updated: "2019-07-10T00:00:00+00:00",
    requires: &["router", "extraroute"],
    ..NOTHING
};
