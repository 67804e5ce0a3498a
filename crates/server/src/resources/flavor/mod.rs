//! Flavors and service profiles: users name a flavor, operators say which provider stands behind it.

pub mod binding;

use crate::attr::{self, Attr, Body, Check, Default, Home};
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;

/// What can serve a kind of resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Provider {
    /// The kind of service.
    pub service_type: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What upstream calls the driver behind it.
    pub driver: &'static str,
    /// Whether it serves those who name none.
    pub default: bool,
}

/// Routers on one L3 agent.
pub const SINGLE_NODE: Provider = Provider {
    service_type: "L3_ROUTER_NAT",
    name: "single_node",
    driver: "neutron.services.l3_router.service_providers.single_node.SingleNodeDriver",
    default: false,
};

/// All providers.
pub const PROVIDERS: [Provider; 1] = [SINGLE_NODE];

/// Services that flavors can be for.
const SERVICES: [&str; 2] = ["L3_ROUTER_NAT", "FLAVORS"];

const DESCRIPTION: Attr =
    Attr::new("description").default(Default::Text("")).check(Check::StringOrNone(1024)).listed();
const ENABLED: Attr = Attr::new("enabled").default(Default::Bool(true)).convert(convert::to_boolean).listed();

/// `flavors`
pub static FLAVOR: Resource = Resource {
    name: "flavor",
    collection: "flavors",
    table: "flavors",
    standard: false,
    attributes: &[
        attr::ID,
        attr::NAME,
        DESCRIPTION,
        Attr::new("service_type")
            .post_only()
            .default(Default::Required)
            .check(Check::Raising(known_service))
            .listed(),
        Attr::new("service_profiles")
            .default(Default::EmptyList)
            .check(Check::UuidList)
            .home(Home::Filled(fill_profiles)),
        ENABLED,
    ],
    quota: None,
    not_found: |id| Fault::FlavorNotFound { flavor_id: id.into() },
    rules: &Flavors,
    actions: &[],
    visible: Some(everybody),
    verbs: Verbs::ALL,
};

/// `service_profiles`
pub static SERVICE_PROFILE: Resource = Resource {
    name: "service_profile",
    collection: "service_profiles",
    table: "serviceprofiles",
    standard: false,
    attributes: &[
        attr::ID,
        DESCRIPTION,
        Attr::new("driver").default(Default::Text("")).check(Check::String(1024)).listed(),
        Attr { sort: true, ..Attr::new("metainfo").default(Default::Text("")) },
        ENABLED,
    ],
    quota: None,
    not_found: |id| Fault::ServiceProfileNotFound { sp_id: id.into() },
    rules: &Profiles,
    actions: &[],
    visible: Some(everybody),
    verbs: Verbs::ALL,
};

fn everybody(_: Rq<'_>) -> attr::Condition {
    attr::Condition { sql: "1 = 1".into(), params: Vec::new() }
}

fn known_service(value: &Value) -> Result<(), Fault> {
    match value.as_str() {
        Some(name) if SERVICES.contains(&name) => Ok(()),
        _ => Err(Fault::InvalidServiceType { service_type: crate::py::text(value) }),
    }
}

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn known_driver(driver: &str) -> Result<(), Fault> {
    match PROVIDERS.iter().any(|provider| provider.driver == driver) {
        true => Ok(()),
        false => Err(Fault::ServiceProfileDriverNotFound { driver: driver.into() }),
    }
}

async fn insert(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, mut body: Body) -> Result<String, Stop> {
    let id = rq.app.fresh_id();
    body.insert("id".into(), json!(id));
    store::insert(rq, tx, resource, &body).await?;
    Ok(id)
}

struct Flavors;

impl Rules for Flavors {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(insert(rq, tx, &FLAVOR, body))
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { store::update(rq, tx, &FLAVOR, text(old, "id"), &changes).await })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = text(old, "id");
            if tx.opt("SELECT 1 FROM routers WHERE flavor_id = ? LIMIT 1", p![id]).await?.is_some() {
                return Err(Fault::FlavorInUse { flavor_id: id.into() }.into());
            }
            store::delete(rq, tx, &FLAVOR, id).await
        })
    }
}

struct Profiles;

impl Rules for Profiles {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            match text(&body, "driver") {
                "" if body.get("metainfo").is_none_or(crate::py::is_false) => {
                    return Err(Fault::ServiceProfileEmpty {}.into());
                }
                "" => {}
                driver => known_driver(driver)?,
            }
            insert(rq, tx, &SERVICE_PROFILE, body).await
        })
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            match text(&changes, "driver") {
                "" => {}
                driver => known_driver(driver)?,
            }
            unbound(tx, text(old, "id")).await?;
            store::update(rq, tx, &SERVICE_PROFILE, text(old, "id"), &changes).await
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            unbound(tx, text(old, "id")).await?;
            store::delete(rq, tx, &SERVICE_PROFILE, text(old, "id")).await
        })
    }
}

async fn unbound(tx: &mut Tx, profile: &str) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM flavorserviceprofilebindings WHERE service_profile_id = ? LIMIT 1";
    match tx.opt(sql, p![profile]).await? {
        None => Ok(()),
        Some(_) => Err(Fault::ServiceProfileInUse { sp_id: profile.into() }.into()),
    }
}

fn fill_profiles<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let ids: Vec<String> = page.column("id").into_iter().map(str::to_string).collect();
        let sql = format!(
            "SELECT flavor_id, service_profile_id FROM flavorserviceprofilebindings WHERE flavor_id IN ({}) ORDER BY service_profile_id",
            marks(ids.len())
        );
        let params: Vec<Val> = ids.iter().map(Val::from).collect();
        let mut profiles: HashMap<String, Vec<String>> = HashMap::new();
        for row in tx.all(&sql, &params).await? {
            profiles.entry(row.text(0)).or_default().push(row.text(1));
        }
        for (row, id) in ids.iter().enumerate() {
            let own = json!(profiles.remove(id).unwrap_or_default());
            page.set(row, "service_profiles", Cell::Json(own.to_string()));
        }
        Ok(())
    })
}

/// The provider that stands behind a flavor: that of its first profile.
pub async fn next_provider(tx: &mut Tx, flavor: &str) -> Result<Provider, Stop> {
    let sql = "SELECT serviceprofiles.driver, serviceprofiles.enabled FROM flavorserviceprofilebindings JOIN serviceprofiles ON serviceprofiles.id = flavorserviceprofilebindings.service_profile_id WHERE flavorserviceprofilebindings.flavor_id = ? ORDER BY serviceprofiles.id";
    let Some(profile) = tx.opt(sql, p![flavor]).await? else {
        let (sp_id, fl_id) = (String::new(), flavor.to_string());
        return Err(Fault::FlavorServiceProfileBindingNotFound { sp_id, fl_id }.into());
    };
    if !profile.flag(1) {
        return Err(Fault::ServiceProfileDisabled {}.into());
    }
    let driver = profile.text(0);
    let provider = PROVIDERS.into_iter().find(|provider| provider.driver == driver);
    provider.ok_or_else(|| Fault::ServiceProfileDriverNotFound { driver }.into())
}

/// The name of the provider of a router of this flavor.
pub async fn provider_of(tx: &mut Tx, flavor: &str) -> Result<String, Stop> {
    if tx.opt("SELECT 1 FROM flavors WHERE id = ?", p![flavor]).await?.is_none() {
        return Err(Fault::FlavorNotFound { flavor_id: flavor.into() }.into());
    }
    Ok(next_provider(tx, flavor).await?.name.to_string())
}
