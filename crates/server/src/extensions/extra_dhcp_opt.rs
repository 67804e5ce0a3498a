//! `extra_dhcp_opt`: DHCP options of one port.

use crate::extension::{Extension, NOTHING, On};
use crate::resources::port::DHCP_OPTIONS;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "extra_dhcp_opt",
    name: "Neutron Extra DHCP options",
    description: "Extra options configuration for DHCP. For example PXE boot options to DHCP clients can be specified (e.g. tftp-server, server-ip-address, bootfile-name)",
    updated: "2013-03-17T12:00:00-00:00",
    attributes: &[On { resource: "port", attributes: &[DHCP_OPTIONS] }],
    ..NOTHING
};
