//! What subnets show beside their own row: one statement per page each.

use crate::attr::Fill;
use crate::db::{Row, Stop, Tx};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rbac;
use crate::resources::rows::{by_first, fill, of_page, texts};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};

type Filled<'a> = BoxFuture<'a, Result<(), Stop>>;

// Every function here is a `Fill`; the compiler checks it once.
const _: [Fill; 6] = [pools, dns_nameservers, host_routes, shared, service_types, external];

fn list(rows: &[Row], one: impl Fn(&Row) -> Value) -> Cell {
    Cell::Json(Value::Array(rows.iter().map(one).collect()).to_string())
}

pub(super) fn pools<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        // Pools have no order of their own but that of the rows, which upstream shows too.
        let sql = "SELECT subnet_id, first_ip, last_ip FROM ipallocationpools WHERE subnet_id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "allocation_pools", &rows, |_, own| {
            let mut own = own.to_vec();
            own.sort_by_key(|r| r.text(1).parse::<std::net::IpAddr>().ok());
            list(&own, |r| json!({"start": r.text(1), "end": r.text(2)}))
        });
        Ok(())
    })
}

pub(super) fn dns_nameservers<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT subnet_id, address FROM dnsnameservers WHERE subnet_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY subnet_id, `order`").await?);
        fill(page, "dns_nameservers", &rows, |_, own| texts(own, 1));
        Ok(())
    })
}

pub(super) fn host_routes<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT subnet_id, destination, nexthop FROM subnetroutes WHERE subnet_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY subnet_id, destination, nexthop").await?);
        fill(page, "host_routes", &rows, |_, own| {
            list(own, |r| json!({"destination": r.text(1), "nexthop": r.text(2)}))
        });
        Ok(())
    })
}

pub(super) fn service_types<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT subnet_id, service_type FROM subnet_service_types WHERE subnet_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY subnet_id, service_type").await?);
        fill(page, "service_types", &rows, |_, own| texts(own, 1));
        Ok(())
    })
}

pub(super) fn shared<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    let sql = "SELECT s.id, r.target_project FROM subnets AS s JOIN networkrbacs AS r ON r.object_id = s.network_id WHERE r.action = 'access_as_shared' AND s.id";
    Box::pin(rbac::fill_shared_by(rq, tx, page, sql))
}

pub(super) fn external<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT s.id FROM subnets AS s JOIN externalnetworks AS e ON e.network_id = s.network_id WHERE s.id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "router:external", &rows, |_, own| Cell::Bool(!own.is_empty()));
        Ok(())
    })
}
