//! `router`: routers between networks, their way out, and floating IPs.

use crate::extension::{Extension, NOTHING};
use crate::resources::floatingip::FLOATINGIP;
use crate::resources::router::{ROUTER, gateway, guard};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "router",
    name: "Neutron L3 Router",
    description: "Router abstraction for basic L3 forwarding between L2 Neutron networks and access to external networks via a NAT gateway.",
    updated: "2012-07-20T10:00:00-00:00",
    requires: &[],
    resources: &[&ROUTER, &FLOATINGIP],
    hooks: &[guard::ON_PORT, gateway::ON_SUBNET],
    ..NOTHING
};
