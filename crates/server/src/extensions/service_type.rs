//! `service-type`: what can serve which kind of resource.

use crate::extension::{Extension, Method, NOTHING, Route};
use crate::resources::flavor::binding;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "service-type",
    name: "Neutron Service Type Management",
    description: "API for retrieving service providers for Neutron advanced services",
    updated: "2013-01-20T00:00:00-00:00",
    requires: &[],
    routes: &[Route { method: Method::Get, path: "/service-providers", run: binding::service_providers }],
    ..NOTHING
};
