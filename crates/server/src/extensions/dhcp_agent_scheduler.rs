//! `dhcp_agent_scheduler`: which DHCP agents serve which networks.

use crate::extension::{Extension, NOTHING};
use crate::resources::agent::dhcp::ROUTES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "dhcp_agent_scheduler",
    name: "DHCP Agent Scheduler",
    description: "Schedule networks among dhcp agents",
    updated: "2013-02-07T10:00:00-00:00",
    requires: &["agent"],
    routes: ROUTES,
    ..NOTHING
};
