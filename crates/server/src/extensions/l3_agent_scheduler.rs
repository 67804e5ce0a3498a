//! `l3_agent_scheduler`: which L3 agents run which routers.

use crate::extension::{Extension, NOTHING};
use crate::resources::agent::l3::ROUTES;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "l3_agent_scheduler",
    name: "L3 Agent Scheduler",
    description: "Schedule routers among l3 agents",
    updated: "2013-02-07T10:00:00-00:00",
    requires: &["agent"],
    routes: ROUTES,
    ..NOTHING
};
