//! Every extension, by alias. The list is written out on purpose: what a server can do is read here.

use crate::extension::Extension;

/// All that this program knows.
pub static ALL: &[&Extension] = &[];
