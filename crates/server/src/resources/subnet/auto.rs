//! Ports that are there already, when a subnet comes or goes: all of them together, no statement per port.

use crate::db::{Stop, Tx};
use crate::ipam::range::Number;
use crate::ipam::{plan, take};
use crate::p;
use crate::request::Rq;
use crate::resources::port;
use crate::store;
use ipnet::IpNet;
use std::collections::BTreeMap;

/// Ports get the address of a new subnet that they make of their MAC address.
pub(super) async fn add(
    rq: Rq<'_>,
    tx: &mut Tx,
    network: &str,
    subnet: &str,
    cidr: &IpNet,
) -> Result<(), Stop> {
    let rows =
        tx.all("SELECT id, mac_address, device_owner FROM ports WHERE network_id = ?", p![network]).await?;
    let Some(site) = take::site(tx, network, "").await? else { return Ok(()) };
    let mut open: BTreeMap<String, bool> = BTreeMap::new();
    let mut own: Vec<(String, Number)> = Vec::new();
    for row in &rows {
        let (owner, Ok(mac)) = (row.text(2), row.text(1).parse()) else { continue };
        if plan::is_router_interface(&owner) {
            continue;
        }
        let is_open = *open.entry(owner).or_insert_with_key(|owner| site.gives(subnet, owner));
        if is_open {
            own.push((row.text(0), plan::eui64(cidr, mac)));
        }
    }
    for own in own.chunks(store::ROWS_PER_STATEMENT_MAX) {
        let ids: Vec<String> = own.iter().map(|(id, _)| id.clone()).collect();
        // Agents are told by what differs, and that is the address.
        let before = port::all(rq, tx, &ids).await?;
        take::take_new(rq, tx, network, subnet, own).await?;
        port::touch_all(rq, tx, &before).await?;
    }
    Ok(())
}

/// Ports lose their addresses of a subnet that goes; `ids` are those that have any.
pub(super) async fn remove(rq: Rq<'_>, tx: &mut Tx, subnet: &str, ids: &[String]) -> Result<(), Stop> {
    let mut pages = Vec::new();
    for ids in ids.chunks(store::ROWS_PER_STATEMENT_MAX) {
        pages.push(port::all(rq, tx, ids).await?);
    }
    // What IPAM knows of them goes with the subnet's row there.
    tx.queue("DELETE FROM ipallocations WHERE subnet_id = ?", p![subnet]).await?;
    for before in &pages {
        port::touch_all(rq, tx, before).await?;
    }
    Ok(())
}
