//! What networks show beside their own row: one statement per page each.

use crate::attr::Fill;
use crate::db::{Row, Stop, Tx};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rbac;
use crate::resources::rows::{by_first, fill, of_page, texts};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;

type Filled<'a> = BoxFuture<'a, Result<(), Stop>>;

// Every function here is a `Fill`; the compiler checks it once.
const _: [Fill; 7] = [subnets, shared, provider, external, dns_domain, zone_hints, zones];

pub(super) fn subnets<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT network_id, id FROM subnets WHERE network_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY id").await?);
        fill(page, "subnets", &rows, |_, own| texts(own, 1));
        Ok(())
    })
}

pub(super) fn shared<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(rbac::fill_shared(rq, tx, page, "networkrbacs"))
}

pub(super) fn external<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT network_id FROM externalnetworks WHERE network_id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "router:external", &rows, |_, own| Cell::Bool(!own.is_empty()));
        Ok(())
    })
}

pub(super) fn dns_domain<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT network_id, dns_domain FROM networkdnsdomains WHERE network_id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        let domain = |own: &[Row]| own.first().map(|r| r.text(1)).unwrap_or_default();
        fill(page, "dns_domain", &rows, |_, own| Cell::Text(domain(own)));
        Ok(())
    })
}

fn number(row: &Row, column: usize) -> Cell {
    row.opt_int(column).map_or(Cell::Null, Cell::Int)
}

/// The three provider attributes where there is at most one segment, `segments` where there are more.
pub(super) fn provider<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT network_id, network_type, physical_network, segmentation_id FROM networksegments WHERE is_dynamic = 0 AND network_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY network_id, segment_index").await?);
        let single = |own: &[Row], cell: &dyn Fn(&Row) -> Cell| match own {
            [] => Cell::Null,
            [one] => cell(one),
            _ => Cell::Absent,
        };
        fill(page, "provider:network_type", &rows, |_, own| single(own, &|r| Cell::Text(r.text(1))));
        fill(page, "provider:physical_network", &rows, |_, own| single(own, &|r| r.opt_text(2).into()));
        fill(page, "provider:segmentation_id", &rows, |_, own| single(own, &|r| number(r, 3)));
        fill(page, "segments", &rows, |_, own| {
            if own.len() < 2 {
                return Cell::Absent;
            }
            let one = |r: &Row| {
                json!({"provider:network_type": r.text(1), "provider:physical_network": r.opt_text(2),
                    "provider:segmentation_id": r.opt_int(3)})
            };
            Cell::Json(Value::Array(own.iter().map(one).collect()).to_string())
        });
        Ok(())
    })
}

pub(super) fn zone_hints<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT id, availability_zone_hints FROM networks WHERE availability_zone_hints IS NOT NULL AND id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        let hints = |own: &[Row]| own.first().map(|r| r.text(1)).filter(|t| t.starts_with('['));
        fill(page, "availability_zone_hints", &rows, |_, own| {
            Cell::Json(hints(own).unwrap_or_else(|| "[]".into()))
        });
        Ok(())
    })
}

pub(super) fn zones<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT b.network_id, a.availability_zone FROM networkdhcpagentbindings AS b JOIN agents AS a ON a.id = b.dhcp_agent_id WHERE a.availability_zone IS NOT NULL AND b.network_id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "availability_zones", &rows, |_, own| {
            let zones: BTreeSet<String> = own.iter().map(|r| r.text(1)).collect();
            Cell::Json(json!(zones).to_string())
        });
        Ok(())
    })
}
