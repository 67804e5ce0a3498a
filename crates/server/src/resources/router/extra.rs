//! What routers have beyond their own table: extra routes, availability zones, a provider.

use super::{ROUTER, announce, bump, routes, text};
use crate::attr::{Attr, Body, Check, Default, Home};
use crate::convert;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::handlers::router::with_extra;
use crate::p;
use crate::quota;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::flavor;
use crate::resources::rows::{by_first, fill, of_page};
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `routes` (alias `extraroute`).
pub const ROUTES: Attr = Attr::new("routes")
    .put_only()
    .convert(convert::none_to_empty_list)
    .check(Check::HostRoutes)
    .home(Home::Filled(routes::fill));

/// `availability_zone_hints` (alias `router_availability_zone`).
pub const AVAILABILITY_ZONE_HINTS: Attr = Attr::new("availability_zone_hints")
    .post_only()
    .default(Default::EmptyList)
    .check(Check::UniqueStrings(255))
    .home(Home::Filled(fill_zones));

/// `availability_zones` (alias `router_availability_zone`).
pub const AVAILABILITY_ZONES: Attr =
    Attr::new("availability_zones").read_only().home(Home::Filled(fill_zones));

/// `flavor_id` (alias `l3-flavors`).
pub const FLAVOR_ID: Attr = Attr::new("flavor_id").post_only().guarded();

/// Replaces the routes of a router.
pub async fn set(rq: Rq<'_>, tx: &mut Tx, old: &Body, routes: &[routes::Route]) -> Result<(), Stop> {
    let router = text(old, "id");
    routes::check_against_ports(tx, router, routes).await?;
    let many = i64::try_from(routes.len()).unwrap_or(i64::MAX);
    quota::check_value(rq, tx, text(old, "project_id"), "router_route", many).await?;
    if routes::store(tx, router, routes).await? {
        bump(rq, tx, ROUTER.table, router, 1).await?;
    }
    Ok(())
}

/// `PUT /v2.0/routers/{id}/add_extraroutes`
pub fn add<'a>(rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body, body: Value) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(edit(rq, tx, old, body, routes::add))
}

/// `PUT /v2.0/routers/{id}/remove_extraroutes`
pub fn remove<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    old: &'a Body,
    body: Value,
) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(edit(rq, tx, old, body, routes::remove))
}

type Edit = fn(&[routes::Route], &[routes::Route]) -> Vec<routes::Route>;

async fn edit(rq: Rq<'_>, tx: &mut Tx, old: &Body, body: Value, edit: Edit) -> Result<Value, Stop> {
    let asked = body.get("router").and_then(|router| router.get("routes")).cloned().unwrap_or(Value::Null);
    if !asked.is_array() {
        let text = "Unable to find 'routes' in request body".to_string();
        return Err(Fault::BadRequest { text }.into());
    }
    if let Err(crate::check::Wrong::Reason(reason)) = crate::check::check(&Check::HostRoutes, &asked) {
        return Err(Fault::InvalidInput { attr: "routes".into(), reason }.into());
    }
    let id = text(old, "id");
    let there = routes::of(tx, id).await?;
    set(rq, tx, old, &edit(&there, &routes::parse(&asked))).await?;
    announce(rq, tx, old).await?;
    Ok(json!({"router": whole(rq, tx, id).await?}))
}

/// A router as these actions answer it: with what the API does not show elsewhere.
async fn whole(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<Body, Stop> {
    let mut router = [store::get(rq, tx, &ROUTER, id).await?.unwrap_or_default()];
    with_extra(tx, &mut router).await?;
    let [mut router] = router;
    router.remove("standard_attr_id");
    Ok(router)
}

/// The row of `router_extra_attributes` of a new router.
pub async fn insert(tx: &mut Tx, id: &str, body: &Body) -> Result<(), Stop> {
    let hints = body.get("availability_zone_hints").filter(|hints| hints.is_array());
    let hints = hints.map_or_else(|| "[]".to_string(), Value::to_string);
    let sql = "INSERT INTO router_extra_attributes (router_id, distributed, service_router, ha, ha_vr_id, availability_zone_hints, enable_default_route_ecmp, enable_default_route_bfd) VALUES (?, 0, 0, 0, 0, ?, 0, 0)";
    tx.queue(sql, p![id, hints]).await
}

/// What the column of the hints holds, in characters.
const HINTS_LENGTH_MAX: usize = 255;

/// Every zone that is hinted at must have an L3 agent.
pub async fn check_hints(tx: &mut Tx, body: &Body) -> Result<(), Stop> {
    let hints = body.get("availability_zone_hints").and_then(Value::as_array);
    if body.get("availability_zone_hints").is_some_and(|hints| hints.to_string().len() > HINTS_LENGTH_MAX) {
        return Err(convert::invalid("Too many availability_zone_hints specified").into());
    }
    for zone in hints.into_iter().flatten().filter_map(Value::as_str) {
        let sql = "SELECT 1 FROM agents WHERE availability_zone = ? AND agent_type = 'L3 agent' LIMIT 1";
        if tx.opt(sql, p![zone]).await?.is_none() {
            return Err(Fault::AvailabilityZoneNotFound { availability_zone: zone.into() }.into());
        }
    }
    Ok(())
}

/// What serves a new router: its flavor's provider, or the one that there is.
pub async fn provider(tx: &mut Tx, body: &Body) -> Result<String, Stop> {
    match body.get("flavor_id").and_then(Value::as_str) {
        Some(flavor) => flavor::provider_of(tx, flavor).await,
        None => Ok(flavor::SINGLE_NODE.name.to_string()),
    }
}

fn fill_zones<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let sql = "SELECT router_id, availability_zone_hints FROM router_extra_attributes WHERE router_id";
        let hints = by_first(of_page(tx, sql, page, "").await?);
        let sql = "SELECT routerl3agentbindings.router_id, agents.availability_zone FROM routerl3agentbindings JOIN agents ON agents.id = routerl3agentbindings.l3_agent_id WHERE routerl3agentbindings.router_id";
        let zones = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "availability_zone_hints", &hints, |_, own| {
            let hints = own.first().map(|row| row.text(1)).filter(|hints| !hints.is_empty());
            Cell::Json(hints.unwrap_or_else(|| "[]".to_string()))
        });
        fill(page, "availability_zones", &zones, |_, own| {
            let zones: BTreeSet<String> = own.iter().filter_map(|row| row.opt_text(1)).collect();
            Cell::Json(Value::from_iter(zones).to_string())
        });
        Ok(())
    })
}
