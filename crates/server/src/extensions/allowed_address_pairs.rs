//! `allowed-address-pairs`: further addresses that a port may use.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::port::ADDRESS_PAIRS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "allowed-address-pairs",
    name: "Allowed Address Pairs",
    description: "Provides allowed address pairs",
    updated: "2013-07-23T10:00:00-00:00",
    attributes: &[On { resource: "port", attributes: &[ADDRESS_PAIRS] }],
    ..NOTHING
};
