//! Routers: their rows, what hangs on them, and their member actions.

pub mod checks;
pub mod extra;
pub mod gateway;
pub mod gateway_info;
pub mod guard;
pub mod interface;
pub mod options;
pub mod ports;
pub mod routes;
pub mod rows;

use crate::attr::{self, Attr, Body, Default, Home};
use crate::convert;
use crate::db::{Ask, Stop, Tx};
use crate::extension::{Action, Method, Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::store::{self, Awaits, Insert};
use futures_util::future::BoxFuture;
use gateway::Info;
use rows::{PortRow, SubnetRow};
use serde_json::{Value, json};

/// `routers`
pub static ROUTER: Resource = Resource {
    name: "router",
    collection: "routers",
    table: "routers",
    standard: true,
    attributes: &[
        attr::ID,
        attr::NAME,
        Attr::new("admin_state_up").convert(convert::to_boolean).default(Default::Bool(true)).listed(),
        STATUS,
        attr::PROJECT_ID,
        Attr::new("external_gateway_info")
            .default(Default::Null)
            .convert(gateway_info::convert)
            .guarded()
            .home(Home::Filled(gateway::fill)),
        Attr::new("gw_port_id").read_only().hidden(),
        Attr::new("enable_snat").read_only().hidden(),
    ],
    quota: Some("router"),
    not_found: |id| Fault::RouterNotFound { router_id: id.into() },
    rules: &Routers,
    actions: &[
        Action {
            name: "add_router_interface",
            method: Method::Put,
            policy: "add_router_interface",
            run: interface::add,
        },
        Action {
            name: "remove_router_interface",
            method: Method::Put,
            policy: "remove_router_interface",
            run: interface::remove,
        },
        Action { name: "add_extraroutes", method: Method::Put, policy: "add_extraroutes", run: extra::add },
        Action {
            name: "remove_extraroutes",
            method: Method::Put,
            policy: "remove_extraroutes",
            run: extra::remove,
        },
    ],
    visible: None,
    verbs: Verbs::SINGLE,
};

/// `status`: sorts, but does not filter.
const STATUS: Attr = Attr { sort: true, ..Attr::new("status").read_only() };

struct Routers;

impl Rules for Routers {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(create(rq, tx, body))
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = text(old, "id");
            if let Some(routes) = changes.get("routes") {
                extra::set(rq, tx, old, &routes::parse(routes)).await?;
            }
            if let Some(info) = changes.get("external_gateway_info") {
                gateway::set(rq, tx, id, &Info::of(rq, info)).await?;
            }
            store::update(rq, tx, &ROUTER, id, &changes).await?;
            announce(rq, tx, old).await
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(delete(rq, tx, old))
    }
}

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

async fn create(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    let provider = extra::provider(tx, &body).await?;
    extra::check_hints(tx, &body).await?;
    let info =
        body.get("external_gateway_info").filter(|info| !info.is_null()).map(|info| Info::of(rq, info));
    let id = rq.app.fresh_id();
    body.insert("id".into(), json!(id));
    body.insert("status".into(), json!("ACTIVE"));
    body.insert("enable_snat".into(), json!(true));
    store::insert_as(rq, tx, &ROUTER, &body, Insert { revision: 0, awaits: Awaits::Nothing }).await?;
    extra::insert(tx, &id, &body).await?;
    let sql = "INSERT INTO providerresourceassociations (provider_name, resource_id) VALUES (?, ?)";
    tx.queue(sql, p![provider, &id]).await?;
    bump(rq, tx, ROUTER.table, &id, 1).await?;
    if let Some(info) = &info {
        gateway::set(rq, tx, &id, info).await?;
    }
    let after = store::get(rq, tx, &ROUTER, &id).await?;
    tx.announce(Change { resource: "router", verb: Verb::Created, id: id.clone(), before: None, after });
    Ok(id)
}

async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    let attached = rows::attached(tx, id).await?;
    let inside: Vec<&str> = attached
        .iter()
        .filter(|port| port.port_type.as_deref() == Some(interface::OWNER))
        .map(|port| port.id.as_str())
        .collect();
    if !inside.is_empty() {
        let reason = format!("has ports still attached: {}", inside.join(", "));
        return Err(Fault::RouterInUse { router_id: id.into(), reason }.into());
    }
    if let Some(gateway) = gateway::port(tx, id).await? {
        gateway::clear(rq, tx, id, &gateway).await?;
    }
    for port in rows::attached(tx, id).await? {
        ports::delete(rq, tx, &port.id).await?;
    }
    tx.queue("DELETE FROM providerresourceassociations WHERE resource_id = ?", p![id]).await?;
    store::delete(rq, tx, &ROUTER, id).await?;
    tx.announce(Change {
        resource: "router",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(old.clone()),
        after: None,
    });
    Ok(())
}

/// Raises the revision of a row by so many steps: upstream takes several where we take one transaction.
pub async fn bump(rq: Rq<'_>, tx: &mut Tx, table: &str, id: &str, steps: i64) -> Result<(), Stop> {
    let sql = format!(
        "UPDATE standardattributes SET revision_number = revision_number + ?, updated_at = ? WHERE id = (SELECT standard_attr_id FROM {table} WHERE id = ?)"
    );
    tx.queue(&sql, p![steps, rq.app.now(), id]).await
}

/// Announces that a router, or something that belongs to it, changed.
pub async fn announce(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id").to_string();
    let after = store::get(rq, tx, &ROUTER, &id).await?;
    tx.announce(Change { resource: "router", verb: Verb::Updated, id, before: Some(old.clone()), after });
    Ok(())
}

/// The subnets that ports have addresses from.
pub async fn subnets_of(tx: &mut Tx, ports: &[PortRow]) -> Result<Vec<SubnetRow>, Stop> {
    let mut ids: Vec<&str> =
        ports.iter().flat_map(|port| &port.fixed_ips).map(|ip| ip.subnet_id.as_str()).collect();
    ids.dedup();
    rows::subnets(tx, "id", &ids).await
}

/// Whether the caller may know of a resource of another kind.
pub async fn visible(rq: Rq<'_>, tx: &mut Tx, resource: &str, id: &str) -> Result<bool, Stop> {
    let Some(ask) = visible_ask(rq, resource, id) else { return Ok(false) };
    Ok(!tx.all_of_page(ask.sql.into_owned(), ask.params).await?.is_empty())
}

/// What [`visible`] asks.
pub fn visible_ask(rq: Rq<'_>, resource: &str, id: &str) -> Option<Ask> {
    let shape = rq.app.catalog.shape(resource)?;
    let table = shape.resource.table;
    let mut sql = format!("SELECT 1 FROM {table} WHERE {table}.id = ?");
    let mut params = p![id].to_vec();
    if let Some(condition) = crate::api::pipeline::visibility(rq, shape) {
        sql.push_str(&format!(" AND ({})", condition.sql));
        params.extend(condition.params);
    }
    Some(Ask { sql: sql.into(), params })
}
