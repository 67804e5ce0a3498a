//! `standard-attr-description`: a description on every resource with `standardattributes`.

use crate::attr::{Attr, Check, Default, Home};
use crate::extension::{Extension, NOTHING, On, STANDARD};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "standard-attr-description",
    name: "standard-attr-description",
    description: "Extension to add descriptions to standard attributes",
    updated: "2016-02-10T10:00:00-00:00",
    attributes: &[On { resource: STANDARD, attributes: &[DESCRIPTION] }],
    ..NOTHING
};

const DESCRIPTION: Attr = Attr::new("description")
    .check(Check::String(255))
    .default(Default::Text(""))
    .filtered()
    .home(Home::Standard("description"));
