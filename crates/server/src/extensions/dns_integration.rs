//! `dns-integration`: names of ports and floating IPs, domains of networks.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::floatingip;
use crate::resources::network::DNS_DOMAIN;
use crate::resources::port::DNS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "dns-integration",
    name: "DNS Integration",
    description: "Provides integration with DNS.",
    updated: "2015-08-15T18:00:00-00:00",
    requires: &["router"],
    attributes: &[
        On { resource: "network", attributes: &[DNS_DOMAIN] },
        On { resource: "port", attributes: DNS },
        On { resource: "floatingip", attributes: floatingip::DNS },
    ],
    ..NOTHING
};
