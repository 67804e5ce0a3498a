//! What ports show beside their own row: one statement per page each.

use crate::attr::Fill;
use crate::db::{Row, Stop, Tx};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::dns as names;
use crate::resources::rows::{among, by_first, fill, ids};
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};

type Filled<'a> = BoxFuture<'a, Result<(), Stop>>;

// Every function here is a `Fill`; the compiler checks it once.
const _: [Fill; 4] = [addresses, address_pairs, dhcp_options, binding];

/// A list of objects written straight as text: this is the hot part of long lists.
fn objects(rows: &[Row], keys: &[&str]) -> Cell {
    let mut text = String::from("[");
    for (at, row) in rows.iter().enumerate() {
        text.push_str(if at == 0 { "{" } else { ", {" });
        for (column, key) in keys.iter().enumerate() {
            let separator = if column == 0 { "" } else { ", " };
            let value = match row.opt_int(column + 1) {
                Some(number) => number.to_string(),
                None => Value::from(row.text(column + 1)).to_string(),
            };
            text.push_str(&format!("{separator}\"{key}\": {value}"));
        }
        text.push('}');
    }
    text.push(']');
    Cell::Json(text)
}

/// `fixed_ips`, and what these addresses are called.
pub(super) fn addresses<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let own_ids = ids(page);
        let sql = "SELECT port_id, subnet_id, ip_address FROM ipallocations WHERE port_id";
        let tail = "ORDER BY port_id, ip_address, subnet_id";
        let addresses = by_first(among(tx, sql, &own_ids, tail).await?);
        fill(page, "fixed_ips", &addresses, |_, own| objects(own, &["subnet_id", "ip_address"]));
        if page.place("dns_name").is_none() {
            return Ok(());
        }
        let sql = "SELECT port_id, dns_name, current_dns_domain FROM portdnses WHERE port_id";
        let named = by_first(among(tx, sql, &own_ids, "").await?);
        let option = rq.app.ml2.core.dns_domain.as_str();
        let row = |at: usize| own_ids.get(at).and_then(|id| named.get(id)).and_then(|rows| rows.first());
        let name = |at: usize| row(at).map(|r| r.text(1)).unwrap_or_default();
        fill(page, "dns_name", &named, |at, _| Cell::Text(name(at)));
        fill(page, "dns_assignment", &addresses, |at, own| {
            let own: Vec<String> = own.iter().map(|r| r.text(2)).collect();
            let domain = row(at).map(|r| r.text(2)).unwrap_or_default();
            Cell::Json(names::assignment(option, &name(at), &domain, &own).to_string())
        });
        Ok(())
    })
}

pub(super) fn address_pairs<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT port_id, mac_address, ip_address FROM allowedaddresspairs WHERE port_id";
        let rows = by_first(among(tx, sql, &ids(page), "").await?);
        fill(page, "allowed_address_pairs", &rows, |_, own| objects(own, &["mac_address", "ip_address"]));
        Ok(())
    })
}

pub(super) fn dhcp_options<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT port_id, opt_name, opt_value, ip_version FROM extradhcpopts WHERE port_id";
        let rows = by_first(among(tx, sql, &ids(page), "ORDER BY port_id, opt_name, ip_version").await?);
        fill(page, "extra_dhcp_opts", &rows, |_, own| objects(own, &["opt_name", "opt_value", "ip_version"]));
        Ok(())
    })
}

fn object(text: &str) -> Map<String, Value> {
    serde_json::from_str(text).unwrap_or_default()
}

pub(super) fn binding<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT b.port_id, b.host, b.vif_type, b.vnic_type, b.profile, b.vif_details, l.level, l.driver FROM ml2_port_bindings AS b LEFT JOIN ml2_port_binding_levels AS l ON l.port_id = b.port_id AND l.host = b.host WHERE b.status = 'ACTIVE' AND b.port_id";
        let rows = by_first(among(tx, sql, &ids(page), "ORDER BY b.port_id, l.level").await?);
        let text = |own: &[Row], column: usize| match own.first() {
            Some(row) => Cell::Text(row.text(column)),
            None => Cell::Absent,
        };
        fill(page, "binding:host_id", &rows, |_, own| text(own, 1));
        fill(page, "binding:vif_type", &rows, |_, own| text(own, 2));
        fill(page, "binding:vnic_type", &rows, |_, own| text(own, 3));
        fill(page, "binding:profile", &rows, |_, own| match own.first() {
            Some(row) if row.text(4).is_empty() => Cell::Json("{}".into()),
            Some(row) => Cell::Json(row.text(4)),
            None => Cell::Absent,
        });
        fill(page, "binding:vif_details", &rows, |_, own| {
            let Some(first) = own.first() else { return Cell::Absent };
            let mut details = object(&first.text(5));
            let level = |r: &Row| Some((r.opt_int(6)?.to_string(), Value::from(r.text(7))));
            let bound: Map<String, Value> = own.iter().filter_map(level).collect();
            if !bound.is_empty() {
                details.insert("bound_drivers".into(), json!(bound));
            }
            Cell::Json(Value::Object(details).to_string())
        });
        Ok(())
    })
}
