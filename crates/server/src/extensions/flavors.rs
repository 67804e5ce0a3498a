//! `flavors`: users name a flavor, operators say which provider stands behind it.

use crate::extension::{Extension, Method, NOTHING, Route};
use crate::resources::flavor::{FLAVOR, SERVICE_PROFILE, binding};

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "flavors",
    name: "Neutron Service Flavors",
    description: "Flavor specification for Neutron advanced services.",
    updated: "2015-09-17T10:00:00-00:00",
    requires: &[],
    resources: &[&FLAVOR, &SERVICE_PROFILE],
    routes: &[
        Route { method: Method::Post, path: "/flavors/{flavor_id}/service_profiles", run: binding::bind },
        Route {
            method: Method::Get,
            path: "/flavors/{flavor_id}/service_profiles/{id}",
            run: binding::bound,
        },
        Route {
            method: Method::Delete,
            path: "/flavors/{flavor_id}/service_profiles/{id}",
            run: binding::unbind,
        },
        Route {
            method: Method::Get,
            path: "/flavors/{flavor_id}/next_providers",
            run: binding::next_providers,
        },
    ],
    ..NOTHING
};
