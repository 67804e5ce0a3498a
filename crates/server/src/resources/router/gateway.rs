//! A router's way out: its port on an external network.

use super::rows::{self, FixedIp, PortRow, SubnetRow};
use super::{ROUTER, bump, checks, ports, routes};
use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::extension::Hook;
use crate::fault::Fault;
use crate::ipam::take;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{by_first_then, fill as set_all, of_page};
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// `device_owner` and `port_type` of gateway ports.
pub const OWNER: &str = "network:router_gateway";

/// An admitted `external_gateway_info`.
pub struct Info {
    network_id: Option<String>,
    fixed_ips: Vec<Value>,
    enable_snat: bool,
}

impl Info {
    /// Reads an admitted value; null takes the gateway away.
    pub fn of(rq: Rq<'_>, value: &Value) -> Info {
        let snat = rq.app.routers.enable_snat_by_default;
        let ips = value.get("external_fixed_ips").and_then(Value::as_array);
        Info {
            network_id: value.get("network_id").and_then(Value::as_str).map(str::to_string),
            fixed_ips: ips.cloned().unwrap_or_default(),
            enable_snat: value.get("enable_snat").and_then(Value::as_bool).unwrap_or(snat),
        }
    }

    fn asked(&self, key: &str) -> BTreeSet<&str> {
        self.fixed_ips.iter().filter_map(|ip| ip.get(key).and_then(Value::as_str)).collect()
    }

    /// Whether other addresses are asked for than the port has. Asking for none is no change.
    fn changes(&self, gateway: Option<&PortRow>) -> bool {
        if self.fixed_ips.is_empty() {
            return false;
        }
        let Some(gateway) = gateway else { return true };
        let has = |part: fn(&FixedIp) -> &str| gateway.fixed_ips.iter().map(part).collect::<BTreeSet<_>>();
        self.asked("subnet_id") != has(|ip| &ip.subnet_id)
            || self.asked("ip_address") != has(|ip| &ip.ip_address)
    }
}

/// The gateway port of a router.
pub async fn port(tx: &mut Tx, router: &str) -> Result<Option<PortRow>, Stop> {
    Ok(own(tx, router).await?.0)
}

/// Makes the gateway of a router what `info` says.
pub async fn set(rq: Rq<'_>, tx: &mut Tx, router: &str, info: &Info) -> Result<(), Stop> {
    tx.ahead(asks(rq, router, info)).await?;
    let (gateway, snat) = own(tx, router).await?;
    let change = info.changes(gateway.as_ref());
    let subnets = validate(rq, tx, router, info, gateway.as_ref()).await?;
    if snat != info.enable_snat {
        tx.queue("UPDATE routers SET enable_snat = ? WHERE id = ?", p![info.enable_snat, router]).await?;
        bump(rq, tx, ROUTER.table, router, 1).await?;
    }
    match gateway {
        Some(gateway) if Some(&gateway.network_id) == info.network_id.as_ref() => {
            if change {
                let ips = Body::from_iter([("fixed_ips".to_string(), Value::from(info.fixed_ips.clone()))]);
                ports::update(rq, tx, &gateway.id, ips).await?;
            }
            return Ok(());
        }
        Some(gateway) => clear(rq, tx, router, &gateway).await?,
        None => {}
    }
    match &info.network_id {
        Some(network) => create(rq, tx, router, network, &subnets, info).await,
        None => Ok(()),
    }
}

const OWN: &str = "SELECT gw_port_id, enable_snat FROM routers WHERE id = ?";

/// The gateway port of a router, and whether it translates addresses.
async fn own(tx: &mut Tx, router: &str) -> Result<(Option<PortRow>, bool), Stop> {
    let rows = tx.all_of_page(OWN.into(), p![router].to_vec()).await?;
    let Some(row) = rows.first() else { return Ok((None, false)) };
    let gateway = match row.opt_text(0) {
        Some(id) => rows::port_by_id(tx, &id).await?,
        None => None,
    };
    Ok((gateway, row.flag(1)))
}

/// What setting a gateway asks, as far as it is known before.
fn asks(rq: Rq<'_>, router: &str, info: &Info) -> Vec<Ask> {
    let mut asks = vec![Ask::new(OWN, p![router]), routes::ask(router)];
    if let Some(network) = &info.network_id {
        asks.extend(super::visible_ask(rq, "network", network));
        asks.push(external_ask(network));
        asks.push(rows::subnets_ask("network_id", std::slice::from_ref(network)));
        asks.push(rows::attached_ask(router));
        asks.push(take::site_ask(network));
    }
    asks
}

/// Checks the network and the addresses; returns the network's subnets.
async fn validate(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &str,
    info: &Info,
    gateway: Option<&PortRow>,
) -> Result<Vec<SubnetRow>, Stop> {
    let mut subnets = Vec::new();
    if let Some(network) = &info.network_id {
        external(rq, tx, network).await?;
        subnets = rows::subnets(tx, "network_id", std::slice::from_ref(network)).await?;
        let gateways: BTreeSet<&str> = subnets.iter().filter_map(|s| s.gateway_ip.as_deref()).collect();
        if let Some(same) = info.asked("ip_address").into_iter().find(|ip| gateways.contains(ip)) {
            let msg = format!("External IP {same} is the same as the gateway IP");
            return Err(Fault::RouterBadRequest { msg }.into());
        }
    }
    let extra = routes::of(tx, router).await?;
    if !extra.is_empty() {
        let mut attached = rows::attached(tx, router).await?;
        attached.retain(|port| gateway.is_none_or(|gateway| gateway.id != port.id));
        let ips: Vec<FixedIp> = attached.into_iter().flat_map(|port| port.fixed_ips).collect();
        let ids: Vec<&str> = ips.iter().map(|ip| ip.subnet_id.as_str()).collect();
        let near = rows::subnets(tx, "id", &ids).await?;
        let cidrs: Vec<String> = near.iter().chain(&subnets).map(|subnet| subnet.cidr.clone()).collect();
        let own: Vec<String> = ips.iter().map(|ip| ip.ip_address.clone()).collect();
        if cidrs.is_empty() && own.is_empty() {
            routes::check_against_ports(tx, router, &extra).await?;
        } else {
            routes::check(&extra, &cidrs, &own)?;
        }
    }
    Ok(subnets)
}

/// The network must be one that the caller may know of, and an external one.
async fn external(rq: Rq<'_>, tx: &mut Tx, network: &str) -> Result<(), Stop> {
    if !super::visible(rq, tx, "network", network).await? {
        return Err(Fault::NetworkNotFound { net_id: network.into() }.into());
    }
    if !is_external(tx, network).await? {
        let msg = format!("Network {network} is not an external network");
        return Err(Fault::RouterBadRequest { msg }.into());
    }
    Ok(())
}

/// Whether a network is an external one.
pub async fn is_external(tx: &mut Tx, network: &str) -> Result<bool, Stop> {
    let ask = external_ask(network);
    Ok(!tx.all_of_page(ask.sql.into_owned(), ask.params).await?.is_empty())
}

/// What [`is_external`] asks.
fn external_ask(network: &str) -> Ask {
    Ask::new("SELECT 1 FROM externalnetworks WHERE network_id = ?", p![network])
}

/// Takes the gateway away, unless floating IPs need it. Upstream counts two steps.
pub async fn clear(rq: Rq<'_>, tx: &mut Tx, router: &str, gateway: &PortRow) -> Result<(), Stop> {
    if tx.opt("SELECT 1 FROM floatingips WHERE router_id = ? LIMIT 1", p![router]).await?.is_some() {
        return Err(Fault::RouterExternalGatewayInUseByFloatingIp {
            router_id: router.into(),
            net_id: gateway.network_id.clone(),
        }
        .into());
    }
    tx.queue("UPDATE routers SET gw_port_id = NULL WHERE id = ?", p![router]).await?;
    bump(rq, tx, ROUTER.table, router, 2).await?;
    ports::delete(rq, tx, &gateway.id).await
}

async fn create(
    rq: Rq<'_>,
    tx: &mut Tx,
    router: &str,
    network: &str,
    subnets: &[SubnetRow],
    info: &Info,
) -> Result<(), Stop> {
    let attached = rows::attached(tx, router).await?;
    checks::not_attached_yet(&attached, subnets)?;
    let there = super::subnets_of(tx, &attached).await?;
    for (there, new) in there.iter().flat_map(|there| subnets.iter().map(move |new| (there, new))) {
        checks::disjoint(there, new)?;
    }
    // The port belongs to no project: users do not see it.
    let mut body = json!({"project_id": "", "network_id": network, "device_id": router, "device_owner": OWNER,
        "admin_state_up": true, "name": ""});
    if !info.fixed_ips.is_empty() {
        body["fixed_ips"] = Value::from(info.fixed_ips.clone());
    }
    let port = ports::create(rq, tx, body).await?;
    tx.queue("UPDATE routers SET gw_port_id = ? WHERE id = ?", p![&port, router]).await?;
    let sql = "INSERT INTO routerports (router_id, port_id, port_type) VALUES (?, ?, ?)";
    tx.queue(sql, p![router, port, OWNER]).await?;
    bump(rq, tx, ROUTER.table, router, 1).await
}

/// Gateways take an address from a new subnet of their network, where they have none of its kind.
pub const ON_SUBNET: Hook = Hook { resource: "subnet", stored: subnet_stored };

fn subnet_stored<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    id: &'a str,
    old: Option<&'a Body>,
    body: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        if old.is_some() {
            return Ok(());
        }
        let network = body.get("network_id").and_then(Value::as_str).unwrap_or_default();
        tx.ahead(vec![rows::subnets_ask("id", &[id]), external_ask(network)]).await?;
        let Some(subnet) = rows::subnets(tx, "id", &[id]).await?.into_iter().next() else { return Ok(()) };
        if !is_external(tx, &subnet.network_id).await? || !for_gateways(tx, &subnet).await? {
            return Ok(());
        }
        let beside = rows::subnets(tx, "network_id", &[&subnet.network_id]).await?;
        let sql = "ports.network_id = ? AND ports.device_owner = ?";
        for gateway in rows::ports(tx, sql, p![&subnet.network_id, OWNER]).await? {
            if wants(&gateway, &subnet, &beside) {
                widen(rq, tx, &gateway, id).await?;
            }
        }
        Ok(())
    })
}

/// IPv4 subnets only where they are set aside for gateways: every address costs.
async fn for_gateways(tx: &mut Tx, subnet: &SubnetRow) -> Result<bool, Stop> {
    let sql = "SELECT 1 FROM subnet_service_types WHERE subnet_id = ? AND service_type IN ('', ?)";
    Ok(subnet.ip_version == 6 || tx.opt(sql, p![&subnet.id, OWNER]).await?.is_some())
}

/// Whether a gateway lacks an address of the subnet's kind. Addresses that hosts make up themselves do not
/// count.
fn wants(gateway: &PortRow, subnet: &SubnetRow, beside: &[SubnetRow]) -> bool {
    let automatic = |ip: &FixedIp| {
        let of = beside.iter().find(|subnet| subnet.id == ip.subnet_id);
        of.is_some_and(|of| matches!(of.address_mode.as_deref(), Some("slaac" | "dhcpv6-stateless")))
    };
    let mut fixed = gateway.fixed_ips.iter().filter(|ip| !automatic(ip));
    match (fixed.next(), fixed.next()) {
        (None, _) => true,
        (Some(only), None) => only.is_v6() != (subnet.ip_version == 6),
        (Some(_), Some(_)) => false,
    }
}

async fn widen(rq: Rq<'_>, tx: &mut Tx, gateway: &PortRow, subnet: &str) -> Result<(), Stop> {
    let Some(old) = store::get(rq, tx, &ROUTER, &gateway.device_id).await? else { return Ok(()) };
    let had = gateway.fixed_ips.iter();
    let had = had.map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.ip_address}));
    let all = Value::from_iter(had.chain([json!({"subnet_id": subnet})]));
    ports::update(rq, tx, &gateway.id, Body::from_iter([("fixed_ips".to_string(), all)])).await?;
    super::announce(rq, tx, &old).await
}

/// Fills `external_gateway_info` of a page of routers.
pub fn fill<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let sql = "SELECT routers.id, ports.network_id, routers.enable_snat, a.subnet_id, a.ip_address FROM routers JOIN ports ON ports.id = routers.gw_port_id LEFT JOIN ipallocations AS a ON a.port_id = ports.id WHERE routers.id";
        let gateways = by_first_then(of_page(tx, sql, page, "").await?, &[4, 3]);
        set_all(page, "external_gateway_info", &gateways, |_, own| {
            let Some(first) = own.first() else { return Cell::Null };
            let ips = own.iter().filter(|row| row.opt_text(4).is_some());
            let ips = ips.map(|row| json!({"subnet_id": row.text(3), "ip_address": row.text(4)}));
            let info = json!({"network_id": first.text(1), "external_fixed_ips": Value::from_iter(ips),
                "enable_snat": first.flag(2)});
            Cell::Json(info.to_string())
        });
        Ok(())
    })
}
