//! `ip-substring-filtering`: ports by a part of an address, see [`crate::resources::port`].

use crate::extension::{Extension, NOTHING};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "ip-substring-filtering",
    name: "IP address substring filtering",
    description: "Provides IP address substring filtering when listing ports",
    updated: "2017-11-28T09:00:00-00:00",
    ..NOTHING
};
