//! The rows that belong to a subnet: name servers, routes, pools (upstream keeps them twice), service types.

use crate::db::{Stop, Tx};
use crate::ipam::range::Range;
use crate::p;
use crate::py;
use crate::request::Rq;
use serde_json::Value;

pub(super) async fn dns_nameservers(tx: &mut Tx, subnet: &str, servers: &[Value]) -> Result<(), Stop> {
    tx.exec("DELETE FROM dnsnameservers WHERE subnet_id = ?", p![subnet]).await?;
    for (order, server) in servers.iter().enumerate() {
        let sql = "INSERT INTO dnsnameservers (address, subnet_id, `order`) VALUES (?, ?, ?)";
        let order = i64::try_from(order).unwrap_or_default();
        tx.exec(sql, p![py::text(server), subnet, order]).await?;
    }
    Ok(())
}

pub(super) async fn host_routes(tx: &mut Tx, subnet: &str, routes: &[Value]) -> Result<(), Stop> {
    tx.exec("DELETE FROM subnetroutes WHERE subnet_id = ?", p![subnet]).await?;
    for route in routes {
        let text = |key: &str| route.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        let destination = text("destination").parse::<ipnet::IpNet>();
        let destination = destination.map_or_else(|_| text("destination"), |net| net.to_string());
        let nexthop = crate::convert::canonical_ip(&text("nexthop"));
        let sql = "INSERT INTO subnetroutes (destination, nexthop, subnet_id) VALUES (?, ?, ?)";
        match tx.exec(sql, p![destination, nexthop, subnet]).await {
            // Two spellings of one route.
            Ok(_) | Err(Stop::Duplicate(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}

pub(super) async fn service_types(tx: &mut Tx, subnet: &str, types: &[Value]) -> Result<(), Stop> {
    tx.exec("DELETE FROM subnet_service_types WHERE subnet_id = ?", p![subnet]).await?;
    for service_type in types {
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
    let ipam = match row {
        Some(row) => row.text(0),
        None => {
            let id = rq.app.fresh_id();
            let sql = "INSERT INTO ipamsubnets (id, neutron_subnet_id) VALUES (?, ?)";
            tx.exec(sql, p![&id, subnet]).await?;
            id
        }
    };
    tx.exec("DELETE FROM ipallocationpools WHERE subnet_id = ?", p![subnet]).await?;
    tx.exec("DELETE FROM ipamallocationpools WHERE ipam_subnet_id = ?", p![&ipam]).await?;
    for pool in pools {
        let (first, last) = (pool.first.to_string(), pool.last.to_string());
        let sql = "INSERT INTO ipallocationpools (id, subnet_id, first_ip, last_ip) VALUES (?, ?, ?, ?)";
        tx.exec(sql, p![rq.app.fresh_id(), subnet, &first, &last]).await?;
        let sql =
            "INSERT INTO ipamallocationpools (id, ipam_subnet_id, first_ip, last_ip) VALUES (?, ?, ?, ?)";
        tx.exec(sql, p![rq.app.fresh_id(), &ipam, &first, &last]).await?;
    }
    rq.app.hints.forget(subnet);
    Ok(())
}

/// Forgets a subnet's addresses and pools on the side of IPAM; the rest goes with its row.
pub(super) async fn forget(rq: Rq<'_>, tx: &mut Tx, subnet: &str) -> Result<(), Stop> {
    tx.exec("DELETE FROM ipamsubnets WHERE neutron_subnet_id = ?", p![subnet]).await?;
    rq.app.hints.forget(subnet);
    Ok(())
}
