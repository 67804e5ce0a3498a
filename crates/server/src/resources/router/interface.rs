//! `add_router_interface` and `remove_router_interface`.

use super::rows::{self, PortRow, SubnetRow};
use super::{ROUTER, announce, bump, checks, ports, routes, visible, visible_ask};
use crate::attr::{Body, Check};
use crate::check::{Wrong, check};
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::p;
use crate::request::Rq;
use crate::resources::rbac;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::net::IpAddr;

/// `device_owner` and `port_type` of interfaces.
pub const OWNER: &str = "network:router_interface";

fn bad(msg: impl Into<String>) -> Stop {
    Fault::RouterBadRequest { msg: msg.into() }.into()
}

/// What to add or remove.
struct Asked {
    port_id: Option<String>,
    subnet_id: Option<String>,
}

impl Asked {
    fn of(body: &Value, for_removal: bool) -> Result<Asked, Stop> {
        let given = |key: &str| body.get(key);
        if given("port_id").is_none() && given("subnet_id").is_none() {
            return Err(bad("Either subnet_id or port_id must be specified"));
        }
        for key in ["port_id", "subnet_id"] {
            if let Some(Err(Wrong::Reason(reason))) = given(key).map(|value| check(&Check::Uuid, value)) {
                return Err(bad(reason));
            }
        }
        if !for_removal && given("port_id").is_some() && given("subnet_id").is_some() {
            return Err(bad("Cannot specify both subnet-id and port-id"));
        }
        let text = |key: &str| given(key).and_then(Value::as_str).map(str::to_string);
        Ok(Asked { port_id: text("port_id"), subnet_id: text("subnet_id") })
    }
}

/// A router, as far as its interfaces care.
struct Router<'a> {
    id: &'a str,
    project_id: &'a str,
}

impl<'a> Router<'a> {
    fn of(old: &'a Body) -> Router<'a> {
        let text = |key: &str| old.get(key).and_then(Value::as_str).unwrap_or_default();
        Router { id: text("id"), project_id: text("project_id") }
    }
}

/// `PUT /v2.0/routers/{id}/add_router_interface`
pub fn add<'a>(rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body, body: Value) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(async move {
        let router = Router::of(old);
        let asked = Asked::of(&body, false)?;
        let (port, subnets) = match (&asked.port_id, &asked.subnet_id) {
            (Some(port), _) => by_port(rq, tx, &router, port).await?,
            (None, Some(subnet)) => by_subnet(rq, tx, &router, subnet).await?,
            (None, None) => return Err(bad("Either subnet_id or port_id must be specified")),
        };
        announce(rq, tx, old).await?;
        Ok(answer(router.id, &port, subnets.last(), &subnets))
    })
}

fn answer(router: &str, port: &PortRow, named: Option<&SubnetRow>, subnets: &[SubnetRow]) -> Value {
    let ids: Vec<&str> = subnets.iter().map(|subnet| subnet.id.as_str()).collect();
    json!({"id": router, "project_id": port.project_id, "port_id": port.id, "network_id": port.network_id,
        "subnet_id": named.map(|subnet| subnet.id.as_str()), "subnet_ids": ids})
}

async fn by_port(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &Router<'_>,
    id: &str,
) -> Result<(PortRow, Vec<SubnetRow>), Stop> {
    let gone = || Fault::PortNotFound { port_id: id.into() };
    if !visible(rq, tx, "port", id).await? {
        return Err(gone().into());
    }
    let port = rows::port_by_id(tx, id).await?.ok_or_else(gone)?;
    if !port.device_id.is_empty() {
        let (net_id, device_id) = (port.network_id, port.device_id);
        return Err(Fault::PortInUse { port_id: id.into(), net_id, device_id }.into());
    }
    if port.fixed_ips.is_empty() {
        return Err(bad("Router port must have at least one fixed IP"));
    }
    let subnets = super::subnets_of(tx, std::slice::from_ref(&port)).await?;
    for subnet in &subnets {
        checks::advertised_here(subnet)?;
    }
    let attached = rows::attached(tx, router.id).await?;
    checks::one_v6_port_per_network(&attached, &port)?;
    fits(tx, &attached, &subnets).await?;
    if subnets.iter().filter(|subnet| subnet.ip_version == 4).count() > 1 {
        return Err(bad("Cannot have multiple IPv4 subnets on router port"));
    }
    in_pools(rq, tx, &port, &subnets).await?;
    let taken = json!({"device_id": router.id, "device_owner": OWNER});
    ports::update(rq, tx, id, taken.as_object().cloned().unwrap_or_default()).await?;
    attach(rq, tx, router, id).await?;
    // In the order of the port's addresses, as upstream answers.
    let order = port.fixed_ips.iter().filter_map(|ip| subnets.iter().find(|s| s.id == ip.subnet_id).cloned());
    let ordered = order.collect();
    Ok((port, ordered))
}

/// A port's addresses outside the allocation pools are for the subnet's owner.
async fn in_pools(rq: Rq<'_>, tx: &mut Tx, port: &PortRow, subnets: &[SubnetRow]) -> Result<(), Stop> {
    if rq.ctx.is_admin {
        return Ok(());
    }
    for ip in &port.fixed_ips {
        let sql = "SELECT first_ip, last_ip FROM ipallocationpools WHERE subnet_id = ?";
        let pools = tx.all(sql, p![&ip.subnet_id]).await?;
        let inside = |row: &crate::db::Row| {
            let parse = |text: &str| text.parse::<IpAddr>().ok();
            let (first, last, ip) = (parse(&row.text(0)), parse(&row.text(1)), parse(&ip.ip_address));
            ip.is_some() && first <= ip && ip <= last
        };
        let own = |subnet: &SubnetRow| Some(subnet.project_id.as_str()) == rq.ctx.project_id.as_deref();
        let owner = subnets.iter().any(|subnet| subnet.id == ip.subnet_id && own(subnet));
        if !owner && !pools.iter().any(inside) {
            return Err(bad(format!(
                "Cannot add interface to router because specified port {} has an IP address out of the allocation pool of subnet {}, which is not owned by the project making the request",
                port.id, ip.subnet_id
            )));
        }
    }
    Ok(())
}

async fn by_subnet(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &Router<'_>,
    id: &str,
) -> Result<(PortRow, Vec<SubnetRow>), Stop> {
    let asks = visible_ask(rq, "subnet", id).into_iter();
    tx.ahead(asks.chain([rows::subnets_ask("id", &[id]), rows::attached_ask(router.id)]).collect()).await?;
    let subnet = subnet(rq, tx, id).await?;
    let Some(gateway) = subnet.gateway_ip.clone() else {
        return Err(bad("Subnet for router interface must have a gateway IP"));
    };
    owned_or_shared(rq, tx, &subnet).await?;
    checks::advertised_here(&subnet)?;
    let attached = rows::attached(tx, router.id).await?;
    let new = [subnet];
    fits(tx, &attached, &new).await?;
    let [subnet] = new;
    let ip = json!({"subnet_id": subnet.id, "ip_address": gateway});
    let six = attached
        .iter()
        .find(|port| port.device_owner == OWNER && port.network_id == subnet.network_id && port.has_v6());
    let port = match six {
        Some(port) if subnet.ip_version == 6 => {
            let had = port.fixed_ips.iter();
            let had = had.map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.ip_address}));
            let all = Value::from_iter(had.chain([ip]));
            ports::update(rq, tx, &port.id, Body::from_iter([("fixed_ips".to_string(), all)])).await?;
            port.id.clone()
        }
        _ => {
            let body = json!({"project_id": router.project_id, "network_id": subnet.network_id,
                "fixed_ips": [ip], "admin_state_up": true, "device_id": router.id, "device_owner": OWNER,
                "name": ""});
            let port = ports::create(rq, tx, body).await?;
            attach(rq, tx, router, &port).await?;
            port
        }
    };
    let port = rows::port_by_id(tx, &port).await?.ok_or(Fault::PortNotFound { port_id: port })?;
    Ok((port, vec![subnet]))
}

async fn subnet(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<SubnetRow, Stop> {
    let gone = || Fault::SubnetNotFound { subnet_id: id.into() };
    tx.ahead(visible_ask(rq, "subnet", id).into_iter().chain([rows::subnets_ask("id", &[id])]).collect())
        .await?;
    if !visible(rq, tx, "subnet", id).await? {
        return Err(gone().into());
    }
    Ok(rows::subnets(tx, "id", &[id]).await?.into_iter().next().ok_or_else(gone)?)
}

/// Others' subnets only when their network is shared with just this project.
async fn owned_or_shared(rq: Rq<'_>, tx: &mut Tx, subnet: &SubnetRow) -> Result<(), Stop> {
    let own = rq.ctx.project_id.as_deref();
    if rq.ctx.is_admin || own == Some(subnet.project_id.as_str()) {
        return Ok(());
    }
    let sql = "SELECT 1 FROM networkrbacs WHERE object_id = ? AND action = ? AND target_project = ?";
    match tx.opt(sql, p![&subnet.network_id, rbac::ACCESS_SHARED, own]).await? {
        Some(_) => Ok(()),
        None => Err(bad(format!(
            "Cannot add interface to router because subnet {} is not owned by project making the request",
            subnet.id
        ))),
    }
}

/// Whether new subnets can stand beside those that the router is on.
async fn fits(tx: &mut Tx, attached: &[PortRow], new: &[SubnetRow]) -> Result<(), Stop> {
    checks::not_attached_yet(attached, new)?;
    for there in super::subnets_of(tx, attached).await? {
        for new in new {
            checks::disjoint(&there, new)?;
        }
    }
    Ok(())
}

async fn attach(rq: Rq<'_>, tx: &mut Tx, router: &Router<'_>, port: &str) -> Result<(), Stop> {
    let sql = "INSERT INTO routerports (router_id, port_id, port_type) VALUES (?, ?, ?)";
    tx.queue(sql, p![router.id, port, OWNER]).await?;
    bump(rq, tx, ROUTER.table, router.id, 1).await
}

/// `PUT /v2.0/routers/{id}/remove_router_interface`
pub fn remove<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    old: &'a Body,
    body: Value,
) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(async move {
        let router = Router::of(old);
        let asked = Asked::of(&body, true)?;
        let (port, subnets) = match (&asked.port_id, &asked.subnet_id) {
            (Some(port), subnet) => remove_port(rq, tx, &router, port, subnet.as_deref()).await?,
            (None, Some(subnet)) => remove_subnet(rq, tx, &router, subnet).await?,
            (None, None) => return Err(bad("Either subnet_id or port_id must be specified")),
        };
        bump(rq, tx, ROUTER.table, router.id, 1).await?;
        announce(rq, tx, old).await?;
        Ok(answer(router.id, &port, subnets.first(), &subnets))
    })
}

/// The interfaces of a router for which `condition` over `ports` holds: those that `routerports` knows, and
/// those that only carry the router's id.
async fn interfaces(tx: &mut Tx, router: &str, condition: &str, value: &str) -> Result<Vec<PortRow>, Stop> {
    let sql = format!(
        "{condition} AND ((routerports.router_id = ? AND routerports.port_type = ?) OR (ports.device_id = ? AND ports.device_owner = ?))"
    );
    let mut found = rows::ports(tx, &sql, p![value, router, OWNER, router, OWNER]).await?;
    found.sort_by_key(|port| port.port_type.is_none());
    Ok(found)
}

async fn remove_port(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &Router<'_>,
    id: &str,
    named: Option<&str>,
) -> Result<(PortRow, Vec<SubnetRow>), Stop> {
    let found = interfaces(tx, router.id, "ports.id = ?", id).await?.into_iter().next();
    let (router_id, port_id) = (router.id.to_string(), id.to_string());
    let port = found.ok_or(Fault::RouterInterfaceNotFound { router_id, port_id })?;
    if let Some(named) = named
        && !port.fixed_ips.iter().any(|ip| ip.subnet_id == named)
    {
        return Err(Fault::SubnetMismatchForPort { port_id: id.into(), subnet_id: named.into() }.into());
    }
    let subnets = super::subnets_of(tx, std::slice::from_ref(&port)).await?;
    for subnet in &subnets {
        unused(tx, router.id, subnet).await?;
    }
    ports::delete(rq, tx, id).await?;
    Ok((port, subnets))
}

async fn remove_subnet(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &Router<'_>,
    id: &str,
) -> Result<(PortRow, Vec<SubnetRow>), Stop> {
    let subnet = subnet(rq, tx, id).await?;
    let found = interfaces(tx, router.id, "ports.network_id = ?", &subnet.network_id).await?;
    if !found.is_empty() {
        unused(tx, router.id, &subnet).await?;
    }
    let found = found.into_iter().find(|port| port.fixed_ips.iter().any(|ip| ip.subnet_id == id));
    let (router_id, subnet_id) = (router.id.to_string(), id.to_string());
    let port = found.ok_or(Fault::RouterInterfaceNotFoundForSubnet { router_id, subnet_id })?;
    let left: Vec<Value> = port
        .fixed_ips
        .iter()
        .filter(|ip| ip.subnet_id != id)
        .map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.ip_address}))
        .collect();
    if left.is_empty() {
        ports::delete(rq, tx, &port.id).await?;
    } else {
        let changes = Body::from_iter([("fixed_ips".to_string(), Value::from(left))]);
        ports::update(rq, tx, &port.id, changes).await?;
    }
    Ok((port, vec![subnet]))
}

/// No floating IP and no route may need the interface.
async fn unused(tx: &mut Tx, router: &str, subnet: &SubnetRow) -> Result<(), Stop> {
    let (router_id, subnet_id) = (router.to_string(), subnet.id.clone());
    let sql = "SELECT floatingips.fixed_ip_address FROM floatingips JOIN ipallocations ON ipallocations.port_id = floatingips.fixed_port_id WHERE floatingips.router_id = ? AND ipallocations.subnet_id = ?";
    let fixed = tx.all(sql, p![router, &subnet.id]).await?;
    if fixed.iter().any(|row| subnet.contains(&row.text(0))) {
        return Err(Fault::RouterInterfaceInUseByFloatingIP { router_id, subnet_id }.into());
    }
    if routes::of(tx, router).await?.iter().any(|route| subnet.contains(&route.nexthop)) {
        return Err(Fault::RouterInterfaceInUseByRoute { router_id, subnet_id }.into());
    }
    Ok(())
}
