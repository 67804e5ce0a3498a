//! What routers look at in the tables of others: ports with their addresses, subnets.

use crate::db::{Ask, Row, Stop, Tx, Val, marks};
use crate::p;
use ipnet::IpNet;
use std::collections::HashMap;
use std::net::IpAddr;

/// An address of a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FixedIp {
    /// The subnet it is from.
    pub subnet_id: String,
    /// The address as it is kept.
    pub ip_address: String,
}

impl FixedIp {
    /// Whether it is an IPv6 address.
    pub fn is_v6(&self) -> bool {
        self.ip_address.contains(':')
    }
}

/// A port, as far as routers care.
#[derive(Debug, Clone)]
pub struct PortRow {
    /// Its id.
    pub id: String,
    /// Its network.
    pub network_id: String,
    /// Its owner.
    pub project_id: String,
    /// The router's id, or whatever else uses it.
    pub device_id: String,
    /// `network:router_interface` …
    pub device_owner: String,
    /// What it is to its router; none where `routerports` does not know it.
    pub port_type: Option<String>,
    /// Its addresses.
    pub fixed_ips: Vec<FixedIp>,
}

impl PortRow {
    /// Whether it has an IPv6 address.
    pub fn has_v6(&self) -> bool {
        self.fixed_ips.iter().any(FixedIp::is_v6)
    }
}

const PORT: &str = "SELECT ports.id, ports.network_id, ports.project_id, ports.device_id, ports.device_owner, \
    routerports.port_type, ipallocations.subnet_id, ipallocations.ip_address FROM ports \
    LEFT JOIN routerports ON routerports.port_id = ports.id \
    LEFT JOIN ipallocations ON ipallocations.port_id = ports.id";

/// The ports for which `condition` (over `ports` and `routerports`) holds, oldest first, with their addresses.
pub async fn ports(tx: &mut Tx, condition: &str, params: &[Val]) -> Result<Vec<PortRow>, Stop> {
    let ask = ports_ask(condition, params);
    let rows = tx.all_of_page(ask.sql.into_owned(), ask.params).await?;
    Ok(rows.chunk_by(|a, b| a.str(0) == b.str(0)).filter_map(port).collect())
}

fn ports_ask(condition: &str, params: &[Val]) -> Ask {
    let sql = format!(
        "{PORT} WHERE {condition} ORDER BY ports.standard_attr_id, ipallocations.ip_address, ipallocations.subnet_id"
    );
    Ask { sql: sql.into(), params: params.to_vec() }
}

/// A port from its rows: one for each address, one where it has none.
fn port(rows: &[Row]) -> Option<PortRow> {
    let row = rows.first()?;
    let address = |row: &Row| Some(FixedIp { subnet_id: row.opt_text(6)?, ip_address: row.opt_text(7)? });
    Some(PortRow {
        id: row.text(0),
        network_id: row.text(1),
        project_id: row.text(2),
        device_id: row.text(3),
        device_owner: row.text(4),
        port_type: row.opt_text(5),
        fixed_ips: rows.iter().filter_map(address).collect(),
    })
}

/// One port.
pub async fn port_by_id(tx: &mut Tx, id: &str) -> Result<Option<PortRow>, Stop> {
    Ok(ports(tx, "ports.id = ?", p![id]).await?.into_iter().next())
}

const ATTACHED: &str = "routerports.router_id = ?";

/// The ports that `routerports` knows of a router, its gateway among them.
pub async fn attached(tx: &mut Tx, router: &str) -> Result<Vec<PortRow>, Stop> {
    ports(tx, ATTACHED, p![router]).await
}

/// What [`attached`] asks.
pub fn attached_ask(router: &str) -> Ask {
    ports_ask(ATTACHED, p![router])
}

/// The addresses of ports, by port.
pub async fn fixed_ips(tx: &mut Tx, ports: &[&str]) -> Result<HashMap<String, Vec<FixedIp>>, Stop> {
    let mut all: HashMap<String, Vec<FixedIp>> = HashMap::new();
    for ports in ports.chunks(IDS_PER_STATEMENT_MAX) {
        let sql = format!(
            "SELECT port_id, subnet_id, ip_address FROM ipallocations WHERE port_id IN ({}) ORDER BY ip_address, subnet_id",
            marks(ports.len())
        );
        let params: Vec<Val> = ports.iter().map(|id| Val::from(*id)).collect();
        for row in tx.all(&sql, &params).await? {
            let ip = FixedIp { subnet_id: row.text(1), ip_address: row.text(2) };
            all.entry(row.text(0)).or_default().push(ip);
        }
    }
    Ok(all)
}

/// Ids in one `IN (…)`.
pub const IDS_PER_STATEMENT_MAX: usize = 500;

/// A subnet, as far as routers care.
#[derive(Debug, Clone)]
pub struct SubnetRow {
    /// Its id.
    pub id: String,
    /// Its network.
    pub network_id: String,
    /// Its owner.
    pub project_id: String,
    /// Its prefix.
    pub cidr: String,
    /// Its gateway.
    pub gateway_ip: Option<String>,
    /// 4 or 6.
    pub ip_version: i64,
    /// `ipv6_ra_mode`
    pub ra_mode: Option<String>,
    /// `ipv6_address_mode`
    pub address_mode: Option<String>,
}

impl SubnetRow {
    /// Its prefix, parsed.
    pub fn net(&self) -> Option<IpNet> {
        self.cidr.parse().ok()
    }

    /// Whether an address lies in it.
    pub fn contains(&self, address: &str) -> bool {
        match (self.net(), address.parse::<IpAddr>()) {
            (Some(net), Ok(address)) => net.contains(&address),
            _ => false,
        }
    }
}

/// The subnets whose `column` has one of these values.
pub async fn subnets<S: AsRef<str>>(tx: &mut Tx, column: &str, values: &[S]) -> Result<Vec<SubnetRow>, Stop> {
    if values.is_empty() {
        return Ok(Vec::new());
    }
    let ask = subnets_ask(column, values);
    Ok(tx.all_of_page(ask.sql.into_owned(), ask.params).await?.iter().map(subnet).collect())
}

/// What [`subnets`] asks.
pub fn subnets_ask<S: AsRef<str>>(column: &str, values: &[S]) -> Ask {
    let sql = format!(
        "SELECT id, network_id, project_id, cidr, gateway_ip, ip_version, ipv6_ra_mode, ipv6_address_mode FROM subnets WHERE {column} IN ({}) ORDER BY standard_attr_id",
        marks(values.len())
    );
    Ask { sql: sql.into(), params: values.iter().map(|value| Val::from(value.as_ref())).collect() }
}

fn subnet(row: &Row) -> SubnetRow {
    SubnetRow {
        id: row.text(0),
        network_id: row.text(1),
        project_id: row.text(2),
        cidr: row.text(3),
        gateway_ip: row.opt_text(4),
        ip_version: row.int(5),
        ra_mode: row.opt_text(6),
        address_mode: row.opt_text(7),
    }
}
