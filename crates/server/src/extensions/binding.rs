//! `binding`: which host a port is on and how it is wired there.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::port::BINDING;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "binding",
    name: "Port Binding",
    description: "Expose port bindings of a virtual port to external application",
    updated: "2014-02-03T10:00:00-00:00",
    attributes: &[On { resource: "port", attributes: BINDING }],
    ..NOTHING
};
