//! What ports show beside their own row: one statement per page each.

use super::binding;
use crate::api::view;
use crate::attr::Fill;
use crate::db::{Row, Stop, Tx, Val};
use crate::ipam::take::Address;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::dns as names;
use crate::resources::rows::{by_first, by_first_then, fill, ids, of_page};
use futures_util::future::BoxFuture;

type Filled<'a> = BoxFuture<'a, Result<(), Stop>>;

// Every function here is a `Fill`; the compiler checks it once.
const _: [Fill; 4] = [addresses, address_pairs, dhcp_options, bound];

/// A list of objects written straight as text: this is the hot part of long lists.
fn objects(rows: &[Row], keys: &[&str]) -> Cell {
    if rows.is_empty() {
        return Cell::Json("[]".into());
    }
    let mut text = Vec::with_capacity(rows.len() * 100);
    for (at, row) in rows.iter().enumerate() {
        text.extend_from_slice(if at == 0 { b"[{" } else { b",{" });
        for (column, key) in keys.iter().enumerate() {
            if column > 0 {
                text.push(b',');
            }
            view::text(&mut text, key);
            text.push(b':');
            match row.opt_int(column + 1) {
                Some(number) => text.extend_from_slice(number.to_string().as_bytes()),
                None => view::text(&mut text, row.str(column + 1)),
            }
        }
        text.push(b'}');
    }
    text.push(b']');
    Cell::Json(String::from_utf8(text).unwrap_or_default())
}

/// `fixed_ips`, and what these addresses are called.
pub(super) fn addresses<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT port_id, subnet_id, ip_address FROM ipallocations WHERE port_id";
        let addresses = by_first_then(of_page(tx, sql, page, "").await?, &[2, 1]);
        fill(page, "fixed_ips", &addresses, |_, own| objects(own, &["subnet_id", "ip_address"]));
        if page.place("dns_name").is_none() {
            return Ok(());
        }
        // Where names are not managed, none is kept.
        let option = rq.app.ml2.core.dns_domain.as_str();
        let sql = "SELECT port_id, dns_name, current_dns_domain FROM portdnses WHERE port_id";
        let named = by_first(of_page(tx, sql, page, "").await?);
        let own_ids = if named.is_empty() { Vec::new() } else { ids(page) };
        let row = |at: usize| own_ids.get(at).and_then(|id| named.get(id).first());
        let name = |at: usize| row(at).map(|r| r.str(1)).unwrap_or_default();
        fill(page, "dns_name", &named, |at, _| Cell::Text(name(at).to_string()));
        fill(page, "dns_assignment", &addresses, |at, own| {
            let domain = row(at).map(|r| r.str(2)).unwrap_or_default();
            let own = own.iter().map(|r| r.str(2));
            Cell::Json(names::assignment(option, name(at), domain, own))
        });
        Ok(())
    })
}

/// Says what the addresses of a new port without a name are.
pub(super) fn note_addresses(rq: Rq<'_>, tx: &mut Tx, port: &str, mut own: Vec<Address>) {
    own.sort();
    let row = |a: &Address| Row(vec![Val::Null, a.subnet_id.as_str().into(), a.ip_address.as_str().into()]);
    let rows: Vec<Row> = own.iter().map(row).collect();
    let option = rq.app.ml2.core.dns_domain.as_str();
    let called = names::assignment(option, "", "", own.iter().map(|a| a.ip_address.as_str()));
    for (name, cell) in [
        ("fixed_ips", objects(&rows, &["subnet_id", "ip_address"])),
        ("dns_name", Cell::Text(String::new())),
        ("dns_assignment", Cell::Json(called)),
    ] {
        tx.known.note("port", port, name, cell);
    }
}

pub(super) fn address_pairs<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT port_id, mac_address, ip_address FROM allowedaddresspairs WHERE port_id";
        let rows = by_first(of_page(tx, sql, page, "").await?);
        fill(page, "allowed_address_pairs", &rows, |_, own| objects(own, &["mac_address", "ip_address"]));
        Ok(())
    })
}

pub(super) fn dhcp_options<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT port_id, opt_name, opt_value, ip_version FROM extradhcpopts WHERE port_id";
        let rows = by_first(of_page(tx, sql, page, "ORDER BY port_id, opt_name, ip_version").await?);
        fill(page, "extra_dhcp_opts", &rows, |_, own| objects(own, &["opt_name", "opt_value", "ip_version"]));
        Ok(())
    })
}

pub(super) fn bound<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> Filled<'a> {
    Box::pin(async move {
        let sql = "SELECT b.port_id, b.host, b.vif_type, b.vnic_type, b.profile, b.vif_details, l.level, l.driver FROM ml2_port_bindings AS b LEFT JOIN ml2_port_binding_levels AS l ON l.port_id = b.port_id AND l.host = b.host WHERE b.status = 'ACTIVE' AND b.port_id";
        let rows = by_first_then(of_page(tx, sql, page, "").await?, &[6]);
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
            let drivers: Vec<_> = own.iter().filter_map(|r| Some((r.opt_int(6)?, r.str(7)))).collect();
            Cell::Json(binding::shown_details(first.str(5), &drivers))
        });
        Ok(())
    })
}
