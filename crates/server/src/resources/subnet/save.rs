//! The rows that belong to a subnet: name servers, routes, pools (upstream keeps them twice), service types.

use crate::db::{Stop, Tx, Val, marks};
use crate::ipam::range::Range;
use crate::p;
use crate::py;
use crate::request::Rq;
use serde_json::Value;
use std::collections::BTreeSet;

/// Forgets the rows of a table that new ones take the place of.
pub(super) async fn clear(tx: &mut Tx, table: &'static str, subnet: &str) -> Result<(), Stop> {
    tx.queue(&format!("DELETE FROM {table} WHERE subnet_id = ?"), p![subnet]).await
}

/// Inserts rows of some columns in one statement that nobody waits for.
async fn insert(tx: &mut Tx, table: &str, columns: &[&str], values: &[Val]) -> Result<(), Stop> {
    if values.is_empty() {
        return Ok(());
    }
    let row = format!("({})", marks(columns.len()));
    let rows = vec![row; values.len() / columns.len().max(1)].join(", ");
    tx.queue(&format!("INSERT INTO {table} ({}) VALUES {rows}", columns.join(", ")), values).await
}

pub(super) async fn dns_nameservers(tx: &mut Tx, subnet: &str, servers: &[Value]) -> Result<(), Stop> {
    let mut values = Vec::new();
    for (order, server) in servers.iter().enumerate() {
        let order = i64::try_from(order).unwrap_or_default();
        values.extend_from_slice(p![py::text(server), subnet, order]);
    }
    insert(tx, "dnsnameservers", &["address", "subnet_id", "`order`"], &values).await
}

pub(super) async fn host_routes(tx: &mut Tx, subnet: &str, routes: &[Value]) -> Result<(), Stop> {
    // Two spellings of one route are one.
    let mut distinct = BTreeSet::new();
    for route in routes {
        let text = |key: &str| route.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let destination = text("destination").parse::<ipnet::IpNet>();
        let destination = destination.map_or_else(|_| text("destination"), |net| net.to_string());
        distinct.insert((destination, crate::convert::canonical_ip(&text("nexthop"))));
    }
    let mut values = Vec::new();
    for (destination, nexthop) in distinct {
        values.extend_from_slice(p![destination, nexthop, subnet]);
    }
    insert(tx, "subnetroutes", &["destination", "nexthop", "subnet_id"], &values).await
}

pub(super) async fn service_types(tx: &mut Tx, subnet: &str, types: &[Value]) -> Result<(), Stop> {
    for service_type in types {
        // What is the same is for the database to say: it compares without case, and more.
        let sql = "INSERT INTO subnet_service_types (subnet_id, service_type) VALUES (?, ?)";
        match tx.exec(sql, p![subnet, py::text(service_type)]).await {
            Ok(_) | Err(Stop::Duplicate(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}

/// Stores pools in place of those that are there.
pub(super) async fn pools(rq: Rq<'_>, tx: &mut Tx, subnet: &str, pools: &[Range]) -> Result<(), Stop> {
    let row = tx.opt("SELECT id FROM ipamsubnets WHERE neutron_subnet_id = ?", p![subnet]).await?;
    let Some(ipam) = row.map(|row| row.text(0)) else { return new_pools(rq, tx, subnet, pools).await };
    clear(tx, "ipallocationpools", subnet).await?;
    tx.queue("DELETE FROM ipamallocationpools WHERE ipam_subnet_id = ?", p![&ipam]).await?;
    insert_pools(rq, tx, subnet, &ipam, pools).await
}

/// Stores the pools of a subnet that IPAM does not know yet.
pub(super) async fn new_pools(rq: Rq<'_>, tx: &mut Tx, subnet: &str, pools: &[Range]) -> Result<(), Stop> {
    let ipam = rq.app.fresh_id();
    let sql = "INSERT INTO ipamsubnets (id, neutron_subnet_id) VALUES (?, ?)";
    tx.queue(sql, p![&ipam, subnet]).await?;
    insert_pools(rq, tx, subnet, &ipam, pools).await
}

async fn insert_pools(
    rq: Rq<'_>,
    tx: &mut Tx,
    subnet: &str,
    ipam: &str,
    pools: &[Range],
) -> Result<(), Stop> {
    let (mut shown, mut kept) = (Vec::new(), Vec::new());
    for pool in pools {
        let (first, last) = (pool.first.to_string(), pool.last.to_string());
        shown.extend_from_slice(p![rq.app.fresh_id(), subnet, &first, &last]);
        kept.extend_from_slice(p![rq.app.fresh_id(), ipam, &first, &last]);
    }
    insert(tx, "ipallocationpools", &["id", "subnet_id", "first_ip", "last_ip"], &shown).await?;
    insert(tx, "ipamallocationpools", &["id", "ipam_subnet_id", "first_ip", "last_ip"], &kept).await?;
    rq.app.hints.forget(subnet);
    Ok(())
}

/// Forgets a subnet's addresses and pools on the side of IPAM; the rest goes with its row.
pub(super) async fn forget(rq: Rq<'_>, tx: &mut Tx, subnet: &str) -> Result<(), Stop> {
    tx.queue("DELETE FROM ipamsubnets WHERE neutron_subnet_id = ?", p![subnet]).await?;
    rq.app.hints.forget(subnet);
    Ok(())
}
