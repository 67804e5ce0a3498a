//! `port-security`: whether a port is protected from others and others from it.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::{network, port};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "port-security",
    name: "Port Security",
    description: "Provides port security",
    updated: "2012-07-23T10:00:00-00:00",
    driver: Some("port_security"),
    attributes: &[
        On { resource: "network", attributes: &[network::PORT_SECURITY] },
        On { resource: "port", attributes: &[port::PORT_SECURITY] },
    ],
    ..NOTHING
};
