//! `standard-attr-timestamp`: when every resource with `standardattributes` was made and last changed.
//! The store keeps them.

use crate::attr::{Attr, Home};
use crate::extension::{Extension, NOTHING, On, STANDARD};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "standard-attr-timestamp",
    name: "Resource timestamps",
    description: "Adds created_at and updated_at fields to all Neutron resources that have Neutron standard attributes.",
    updated: "2016-09-12T10:00:00-00:00",
    attributes: &[On { resource: STANDARD, attributes: &[CREATED_AT, UPDATED_AT] }],
    ..NOTHING
};

const CREATED_AT: Attr = Attr::new("created_at").read_only().home(Home::Standard("created_at"));
const UPDATED_AT: Attr = Attr::new("updated_at").read_only().home(Home::Standard("updated_at"));
