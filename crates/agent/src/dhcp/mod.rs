//! The DHCP agent: a dnsmasq in a namespace for each network it is told to serve.

pub mod desired;
pub mod files;
pub mod options;
