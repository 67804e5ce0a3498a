//! Removing ports.

use super::{PORT, get};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::take;
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::resources::rows::text;
use crate::store;

/// Owners of ports that routers and floating IPs hold.
const ROUTED: [&str; 8] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
    "network:router_centralized_snat",
    "network:router_gateway",
    "network:router_ha_interface",
    "network:floatingip",
    "network:floatingip_agent_gateway",
];

/// Removes a port that a client names: not one that a router or a floating IP holds.
pub(super) async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let (id, owner) = (text(old, "id"), text(old, "device_owner"));
    if ROUTED.contains(&owner) {
        let holder = if owner == "network:floatingip" { "floatingips" } else { "routers" };
        let sql = format!("SELECT 1 FROM {holder} WHERE id = ?");
        if tx.opt(&sql, p![text(old, "device_id")]).await?.is_some() {
            let reason = format!("has device owner {owner}");
            return Err(Fault::ServicePortInUse { port_id: id.into(), reason }.into());
        }
    }
    remove(rq, tx, old).await
}

/// Removes a port whoever holds it, inside a transaction; floating IPs let go of it. Nothing happens where it
/// is gone already.
pub async fn delete_in(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<(), Stop> {
    match get(rq, tx, id).await {
        Ok(old) => remove(rq, tx, &old).await,
        Err(Stop::Fault(Fault::PortNotFound { .. })) => Ok(()),
        Err(stop) => Err(stop),
    }
}

async fn remove(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    release_floating_ips(rq, tx, id).await?;
    let own = take::addresses(tx, id).await?;
    take::give_back(rq, tx, id, &own).await?;
    store::delete(rq, tx, &PORT, id).await?;
    tx.announce(Change {
        resource: "port",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(old.clone()),
        after: None,
    });
    Ok(())
}

async fn announce_floating_ip(
    rq: Rq<'_>,
    tx: &mut Tx,
    id: &str,
    before: Option<Body>,
    verb: Verb,
) -> Result<(), Stop> {
    let Some(shape) = rq.app.catalog.shape("floatingip") else { return Ok(()) };
    let after = match verb {
        Verb::Deleted => None,
        Verb::Created | Verb::Updated => store::get(rq, tx, shape.resource, id).await?,
    };
    tx.announce(Change { resource: "floatingip", verb, id: id.to_string(), before, after });
    Ok(())
}

async fn floating_ip(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<Option<Body>, Stop> {
    match rq.app.catalog.shape("floatingip") {
        Some(shape) => store::get(rq, tx, shape.resource, id).await,
        None => Ok(None),
    }
}

/// Floating IPs that lead to a port lead nowhere once it goes.
async fn release_floating_ips(rq: Rq<'_>, tx: &mut Tx, port: &str) -> Result<(), Stop> {
    for row in tx.all("SELECT id FROM floatingips WHERE fixed_port_id = ?", p![port]).await? {
        let id = row.text(0);
        let before = floating_ip(rq, tx, &id).await?;
        let sql = "UPDATE floatingips SET fixed_port_id = NULL, fixed_ip_address = NULL, router_id = NULL, last_known_router_id = router_id WHERE id = ?";
        tx.exec(sql, p![&id]).await?;
        if let Some(shape) = rq.app.catalog.shape("floatingip") {
            store::touch(rq, tx, shape.resource, &id).await?;
        }
        announce_floating_ip(rq, tx, &id, before, Verb::Updated).await?;
    }
    Ok(())
}

/// Removes the floating IPs of a network that lead nowhere, with their ports.
pub async fn remove_idle_floating_ips(rq: Rq<'_>, tx: &mut Tx, network: &str) -> Result<(), Stop> {
    let sql = "SELECT id, floating_port_id, standard_attr_id FROM floatingips WHERE floating_network_id = ? AND fixed_port_id IS NULL";
    for row in tx.all(sql, p![network]).await? {
        let id = row.text(0);
        let before = floating_ip(rq, tx, &id).await?;
        tx.exec("DELETE FROM floatingips WHERE id = ?", p![&id]).await?;
        tx.exec("DELETE FROM standardattributes WHERE id = ?", p![row.int(2)]).await?;
        announce_floating_ip(rq, tx, &id, before, Verb::Deleted).await?;
        delete_in(rq, tx, &row.text(1)).await?;
    }
    Ok(())
}
