//! The DHCP agent: a dnsmasq in a namespace for each network it is told to serve.

mod agent;
pub mod apply;
pub mod desired;
pub mod files;
pub mod notes;
pub mod options;
pub mod port;

pub use agent::run;
