//! `network-contact`: whom to ask about a network. An admin writes it, everybody who sees the network reads it.
//!
//! No alias of upstream's: it is loaded by `extension_drivers = …,network_contact` only.

use crate::attr::{Attr, Check, Default, Home};
use crate::extension::{Extension, NOTHING, On, Rule};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "network-contact",
    name: "Network contact",
    description: "Whom to ask about a network.",
    updated: "2026-11-21T00:00:00-00:00",
    driver: Some("network_contact"),
    attributes: &[On { resource: "network", attributes: &[CONTACT] }],
    policies: &[
        Rule { name: "create_network:contact", check: "rule:admin_only" },
        Rule { name: "update_network:contact", check: "rule:admin_only" },
    ],
    ..NOTHING
};

const CONTACT: Attr = Attr::new("contact")
    .check(Check::String(255))
    .default(Default::Text(""))
    .guarded()
    .listed()
    .home(Home::Side { table: "neutronrs_network_contacts", key: "network_id", column: "contact" });
