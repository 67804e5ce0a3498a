//! What making, changing and removing a subnet means.

use super::{SUBNET, auto, check, save};
use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::extension::Rules;
use crate::fault::Fault;
use crate::ipam::plan::ROUTER_INTERFACES;
use crate::ipam::range::{Range, default_pools};
use crate::ml2::segment::invalid;
use crate::notify::{Change, Verb};
use crate::p;
use crate::policy;
use crate::request::Rq;
use crate::resources::network::NETWORK;
use crate::resources::network::rules::{AUTO_DELETED, check_subnet_mtu};
use crate::resources::rows::{items, number, text};
use crate::resources::subnetpool;
use crate::store::{self, Awaits, Insert};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::IpAddr;

/// The business rule of subnets.
pub struct Subnets;

impl Rules for Subnets {
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
        Box::pin(update(rq, tx, old, changes))
    }
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(delete(rq, tx, old))
    }
    fn asks(&self, rq: Rq<'_>, bodies: &[Body]) -> Vec<Ask> {
        asks(rq, bodies)
    }
}

fn bad(msg: &str) -> Fault {
    Fault::SubnetsBadRequest { msg: msg.into() }
}

fn given(body: &Body, key: &str) -> bool {
    body.get(key).is_some_and(|v| !v.is_null())
}

/// What a new subnet looks like once range, gateway and pools are decided.
struct Decided {
    cidr: IpNet,
    gateway: Option<IpAddr>,
    pools: Vec<Range>,
}

async fn create(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    if given(&body, "cidr") && given(&body, "prefixlen") {
        return Err(bad("cidr and prefixlen must not be supplied together").into());
    }
    if let Ok(net) = text(&body, "cidr").parse::<IpNet>() {
        body.insert("cidr".into(), json!(net.trunc().to_string()));
    }
    let pool = subnetpool::of_new_subnet(rq, tx, &body).await?;
    if pool.is_none() && !given(&body, "cidr") {
        return Err(bad("a subnetpool must be specified in the absence of a cidr").into());
    }
    if pool.is_some() && !given(&body, "cidr") && given(&body, "allocation_pools") {
        return Err(bad("allocation_pools allowed only for specific subnet requests.").into());
    }
    check::check(&rq.app.ml2.core, &body, None)?;
    let network = text(&body, "network_id").to_string();
    // Two that come at the same time must not overlap.
    tx.lock("networks", &network).await?;
    tx.ahead(vec![Ask::new(MTU, p![&network]), Ask::new(NEIGHBOURS, p![&network])]).await?;
    let row = tx.all_once(MTU, p![&network]).await?.into_iter().next();
    let mtu = row.ok_or_else(|| Fault::NetworkNotFound { net_id: network.clone() })?.int(0);
    if mtu != 0 {
        check_subnet_mtu(&network, mtu, &[number(&body, "ip_version")])?;
    }
    let decided = match &pool {
        Some(pool) => from_pool(tx, rq, pool, &body).await?,
        None => decide(&body, text(&body, "cidr"))?,
    };
    check_neighbours(tx, &network, &decided.cidr, &body, pool.as_ref()).await?;
    let id = store_new(rq, tx, &mut body, &decided, pool.as_ref()).await?;
    store::touch(rq, tx, &NETWORK, &network).await?;
    if check::is_auto(&body) {
        auto::add(rq, tx, &network, &id, &decided.cidr).await?;
    }
    announce(rq, tx, Verb::Created, &id, None).await?;
    Ok(id)
}

const MTU: &str = "SELECT mtu FROM networks WHERE id = ?";
const NEIGHBOURS: &str = "SELECT s.cidr, s.ip_version, s.subnetpool_id, p.address_scope_id FROM subnets AS s \
    LEFT JOIN subnetpools AS p ON p.id = s.subnetpool_id WHERE s.network_id = ?";

/// What making some subnets asks for, as far as it is known before the first is made and nobody has to wait for it.
fn asks(rq: Rq<'_>, items: &[Body]) -> Vec<Ask> {
    let owner = |item: &Body| policy::owner_ask(rq, "network", text(item, "network_id"));
    items.iter().take(SUBNETS_AHEAD_MAX).filter_map(owner).collect()
}

/// Subnets of one request whose questions are asked together; mostly they are the same for all of them.
const SUBNETS_AHEAD_MAX: usize = 8;

/// Gateway and pools of a range that is known.
fn decide(body: &Body, cidr: &str) -> Result<Decided, Fault> {
    let cidr: IpNet = cidr.parse().map_err(|_| invalid(format!("{cidr} is not in a CIDR format")))?;
    let gateway = match body.get("gateway_ip") {
        None => Some(check::default_gateway(&cidr)),
        Some(gateway) => gateway.as_str().and_then(|g| g.parse().ok()),
    };
    let pools = if given(body, "allocation_pools") {
        let pools = check::ranges(items(body, "allocation_pools"))?;
        check::check_pools(&pools, &cidr)?;
        if let Some(gateway) = gateway {
            check::check_gateway(gateway, &pools)?;
        }
        pools
    } else {
        default_pools(&cidr, gateway)
    };
    if let Some(gateway) = gateway.filter(|g| check::is_reserved(&cidr, &g.to_string())) {
        return Err(Fault::IpamValueInvalid {
            text: format!("Gateway IP {gateway} cannot be the network or broadcast IP address {cidr}"),
        });
    }
    Ok(Decided { cidr, gateway, pools })
}

async fn from_pool(tx: &mut Tx, rq: Rq<'_>, pool: &subnetpool::Pool, body: &Body) -> Result<Decided, Stop> {
    let version = number(body, "ip_version");
    if version != pool.ip_version {
        let words = format!("Cannot allocate IPv{version} subnet from IPv{} subnet pool", pool.ip_version);
        return Err(bad(&words).into());
    }
    if given(body, "cidr") {
        let decided = decide(body, text(body, "cidr"))?;
        subnetpool::allocate_exact(rq, tx, pool, &decided.cidr).await?;
        return Ok(decided);
    }
    let asked = body.get("prefixlen").and_then(Value::as_i64).unwrap_or(pool.default_prefixlen);
    if let Some(gateway) = body.get("gateway_ip").and_then(Value::as_str).filter(|g| !g.is_empty()) {
        // A gateway and a length say which subnet is meant.
        let length = u8::try_from(asked).unwrap_or(u8::MAX);
        let net = gateway.parse::<IpAddr>().ok().and_then(|g| IpNet::new(g, length).ok());
        let net = net.ok_or_else(|| invalid(format!("{gateway}/{asked} is not in a CIDR format")))?.trunc();
        let decided = decide(body, &net.to_string())?;
        subnetpool::allocate_exact(rq, tx, pool, &decided.cidr).await?;
        return Ok(decided);
    }
    let cidr = subnetpool::allocate_any(rq, tx, pool, asked).await?;
    let gateway = if body.contains_key("gateway_ip") { None } else { Some(first_address(&cidr)) };
    Ok(Decided { cidr, gateway, pools: default_pools(&cidr, gateway) })
}

/// Subnets out of pools have their first address as the gateway, in IPv6 too.
fn first_address(cidr: &IpNet) -> IpAddr {
    let mut first = crate::ipam::range::Number::from(cidr.network());
    // The very last address of all has none behind it.
    first.value = first.value.saturating_add(1);
    first.into()
}

/// Whether the subnet gets along with the network's others.
async fn check_neighbours(
    tx: &mut Tx,
    network: &str,
    cidr: &IpNet,
    body: &Body,
    pool: Option<&subnetpool::Pool>,
) -> Result<(), Stop> {
    if cidr.prefix_len() == 0 {
        return Err(invalid("0 is not allowed as CIDR prefix length").into());
    }
    let rows = tx.all_once(NEIGHBOURS, p![network]).await?;
    let range = Range::of(cidr);
    let overlaps = |other: &str| other.parse::<IpNet>().is_ok_and(|o| Range::of(&o).overlaps(&range));
    if rows.iter().any(|row| overlaps(&row.text(0))) {
        return Err(invalid(format!(
            "Requested subnet with cidr: {cidr} for network: {network} overlaps with another subnet"
        ))
        .into());
    }
    let version = number(body, "ip_version");
    let same: Vec<_> = rows.iter().filter(|row| row.int(1) == version).collect();
    if let Some(scope) = same.iter().find_map(|row| row.opt_text(3)) {
        let own = pool.and_then(|pool| pool.address_scope_id.as_deref());
        if own != Some(scope.as_str()) {
            return Err(Fault::NetworkAddressScopeAffinityError {}.into());
        }
        return Ok(());
    }
    let own = pool.map(|pool| pool.id.as_str());
    let stranger = |row: &&crate::db::Row| row.opt_text(2).as_deref() != own;
    if same.iter().any(stranger) {
        return Err(Fault::NetworkSubnetPoolAffinityError {}.into());
    }
    Ok(())
}

async fn store_new(
    rq: Rq<'_>,
    tx: &mut Tx,
    body: &mut Body,
    decided: &Decided,
    pool: Option<&subnetpool::Pool>,
) -> Result<String, Stop> {
    let id = rq.app.fresh_id();
    body.insert("id".into(), json!(id));
    body.insert("cidr".into(), json!(decided.cidr.to_string()));
    body.insert("gateway_ip".into(), json!(decided.gateway.map(|g| g.to_string())));
    body.insert("subnetpool_id".into(), json!(pool.map(|p| &p.id)));
    store::insert_as(rq, tx, &SUBNET, body, Insert { revision: 0, awaits: Awaits::Nothing }).await?;
    save::dns_nameservers(tx, &id, items(body, "dns_nameservers")).await?;
    save::host_routes(tx, &id, items(body, "host_routes")).await?;
    save::service_types(tx, &id, items(body, "service_types")).await?;
    save::new_pools(rq, tx, &id, &decided.pools).await?;
    let sql = "REPLACE INTO network_subnet_lock (network_id, subnet_id) VALUES (?, ?)";
    tx.queue(sql, p![text(body, "network_id"), &id]).await?;
    Ok(id)
}

async fn announce(rq: Rq<'_>, tx: &mut Tx, verb: Verb, id: &str, before: Option<Body>) -> Result<(), Stop> {
    let after = store::get(rq, tx, &SUBNET, id).await?;
    tx.announce(Change { resource: "subnet", verb, id: id.to_string(), before, after });
    Ok(())
}

async fn update(rq: Rq<'_>, tx: &mut Tx, old: &Body, changes: Body) -> Result<(), Stop> {
    let id = text(old, "id");
    let mut whole = changes.clone();
    for key in ["ip_version", "cidr", "id"] {
        whole.insert(key.into(), old.get(key).cloned().unwrap_or_default());
    }
    check::check(&rq.app.ml2.core, &whole, Some(old))?;
    check_gateway_free(tx, old, &changes).await?;
    let pools = match changes.get("allocation_pools").and_then(Value::as_array) {
        Some(pools) => Some(check::ranges(pools)?),
        None => None,
    };
    if let (Some(pools), Ok(cidr)) = (&pools, text(old, "cidr").parse::<IpNet>()) {
        check::check_pools(pools, &cidr)?;
    }
    let gateway = changes.get("gateway_ip").or_else(|| old.get("gateway_ip"));
    if (pools.is_some() || gateway != old.get("gateway_ip"))
        && let Some(gateway) = gateway.and_then(Value::as_str).and_then(|g| g.parse().ok())
    {
        let there = check::ranges(items(old, "allocation_pools"))?;
        check::check_gateway(gateway, pools.as_ref().unwrap_or(&there))?;
    }
    let differs = |key: &str| changes.get(key).is_some_and(|new| Some(new) != old.get(key));
    if changes.contains_key("dns_nameservers") {
        save::clear(tx, "dnsnameservers", id).await?;
        save::dns_nameservers(tx, id, items(&changes, "dns_nameservers")).await?;
    }
    if changes.contains_key("host_routes") {
        save::clear(tx, "subnetroutes", id).await?;
        save::host_routes(tx, id, items(&changes, "host_routes")).await?;
    }
    if changes.contains_key("service_types") {
        save::clear(tx, "subnet_service_types", id).await?;
        save::service_types(tx, id, items(&changes, "service_types")).await?;
    }
    if let Some(pools) = pools {
        save::pools(rq, tx, id, &pools).await?;
    }
    store::update(rq, tx, &SUBNET, id, &changes).await?;
    // Of its lists only this one raises the revision, as upstream.
    if differs("service_types") {
        store::touch(rq, tx, &SUBNET, id).await?;
    }
    if ["name", "gateway_ip", "enable_dhcp", "description"].into_iter().any(differs) {
        store::touch(rq, tx, &NETWORK, text(old, "network_id")).await?;
    }
    announce(rq, tx, Verb::Updated, id, Some(old.clone())).await
}

/// A gateway that is a router's address stays.
async fn check_gateway_free(tx: &mut Tx, old: &Body, changes: &Body) -> Result<(), Stop> {
    let now = text(old, "gateway_ip");
    if !changes.contains_key("gateway_ip") || text(changes, "gateway_ip") == now {
        return Ok(());
    }
    let sql = "SELECT a.port_id FROM ipallocations AS a JOIN routerports AS r ON r.port_id = a.port_id WHERE a.subnet_id = ? AND a.ip_address = ?";
    match tx.opt(sql, p![text(old, "id"), now]).await? {
        Some(row) => Err(Fault::GatewayIpInUse { ip_address: now.into(), port_id: row.text(0) }.into()),
        None => Ok(()),
    }
}

async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    let in_use = || {
        let reason = "One or more ports have an IP allocation from this subnet".to_string();
        Stop::from(Fault::SubnetInUse { subnet_id: id.into(), reason })
    };
    let sql = "SELECT p.id, p.device_owner FROM ipallocations AS a JOIN ports AS p ON p.id = a.port_id WHERE a.subnet_id = ?";
    let users = tx.all(sql, p![id]).await?;
    let auto = check::is_auto(old);
    let fixed = |owner: &str| !AUTO_DELETED.contains(&format!("'{owner}'"));
    if users.iter().any(|row| {
        let owner = row.text(1);
        ROUTER_INTERFACES.contains(&owner.as_str()) || (!auto && fixed(&owner))
    }) {
        return Err(in_use());
    }
    let mut ids: Vec<String> = users.iter().map(|row| row.text(0)).collect();
    ids.sort_unstable();
    ids.dedup();
    if !ids.is_empty() {
        auto::remove(rq, tx, id, &ids).await?;
    }
    remove(rq, tx, id).await
}

/// Removes a subnet that nobody uses any more.
pub async fn remove(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<(), Stop> {
    let Some(before) = store::get(rq, tx, &SUBNET, id).await? else { return Ok(()) };
    let network = text(&before, "network_id").to_string();
    tx.queue("UPDATE network_subnet_lock SET subnet_id = NULL WHERE subnet_id = ?", p![id]).await?;
    save::forget(rq, tx, id).await?;
    store::delete(rq, tx, &SUBNET, id).await?;
    store::touch(rq, tx, &NETWORK, &network).await?;
    tx.announce(Change {
        resource: "subnet",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(before),
        after: None,
    });
    Ok(())
}
