//! `standard-attr-revisions`: the number of changes of every resource with `standardattributes`.
//! The store counts them.

use crate::attr::{Attr, Home};
use crate::extension::{Extension, NOTHING, On, STANDARD};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "standard-attr-revisions",
    name: "Resource revision numbers",
    description: "This extension will display the revision number of neutron resources.",
    updated: "2016-04-11T10:00:00-00:00",
    attributes: &[On { resource: STANDARD, attributes: &[REVISION_NUMBER] }],
    ..NOTHING
};

const REVISION_NUMBER: Attr =
    Attr::new("revision_number").read_only().filtered().home(Home::Standard("revision_number"));
