//! What routers and floating IPs demand of ports that others change or remove.

use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::extension::Hook;
use crate::fault::Fault;
use crate::p;
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// The owners of ports that only routers and floating IPs themselves remove.
const OWNERS: [&str; 4] = [
    "network:ha_router_replicated_interface",
    super::interface::OWNER,
    super::gateway::OWNER,
    crate::resources::floatingip::OWNER,
];

/// Refuses the removal, by the port's API, of a port that a router or floating IP still has.
pub async fn refuse_direct_delete(tx: &mut Tx, port: &Body) -> Result<(), Stop> {
    let text = |name: &str| port.get(name).and_then(Value::as_str).unwrap_or_default();
    let owner = text("device_owner");
    if !OWNERS.contains(&owner) {
        return Ok(());
    }
    let table = if owner == crate::resources::floatingip::OWNER { "floatingips" } else { "routers" };
    let there = tx.opt(&format!("SELECT 1 FROM {table} WHERE id = ?"), p![text("device_id")]).await?;
    if there.is_none() {
        return Ok(());
    }
    let reason = format!("has device owner {owner}");
    Err(Fault::ServicePortInUse { port_id: text("id").into(), reason }.into())
}

/// A port keeps the address that a floating IP leads to.
pub const ON_PORT: Hook = Hook { resource: "port", stored: port_stored };

fn port_stored<'a>(
    _: Rq<'a>,
    tx: &'a mut Tx,
    id: &'a str,
    old: Option<&'a Body>,
    body: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        if old.is_none() || !body.contains_key("fixed_ips") {
            return Ok(());
        }
        let sql = "SELECT fixed_ip_address FROM floatingips WHERE fixed_port_id = ? AND fixed_ip_address IS NOT NULL AND fixed_ip_address NOT IN (SELECT ip_address FROM ipallocations WHERE port_id = ?)";
        match tx.opt(sql, p![id, id]).await? {
            None => Ok(()),
            Some(_) => Err(Fault::PortBadRequest {
                msg: format!(
                    "Cannot update the fixed_ips of the port {id}, because its original fixed_ip has been associated to a floating ip"
                ),
            }
            .into()),
        }
    })
}
