//! What a port waits for before it is ACTIVE: its wiring by an L2 agent, its lease in a DHCP agent.

use crate::db::{Stop, Tx, Val, marks};
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::store::{self, Query, ROWS_PER_STATEMENT_MAX};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Who has to report before a port is ACTIVE; `provisioningblocks.entity`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entity {
    /// The L2 agent of the port's host.
    L2,
    /// The DHCP agents of the port's network.
    Dhcp,
}

impl Entity {
    /// The word in the table.
    pub fn word(self) -> &'static str {
        match self {
            Entity::L2 => "L2",
            Entity::Dhcp => "DHCP",
        }
    }
}

/// Ports that no DHCP agent has to prepare for: nobody's yet, and Neutron's own.
const OWNERS_WITHOUT_DHCP: &[&str] = &[
    "",
    "network:dhcp",
    "network:router_interface",
    "network:router_gateway",
    "network:router_centralized_snat",
    "network:router_ha_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
    "network:floatingip",
    "network:floatingip_agent_gateway",
];

/// `a`'s words for a port's status.
pub const ACTIVE: &str = "ACTIVE";
/// Not wired.
pub const DOWN: &str = "DOWN";
/// An agent is wiring it.
pub const BUILD: &str = "BUILD";

/// Makes a port wait.
pub async fn block(tx: &mut Tx, port: &str, entity: Entity) -> Result<(), Stop> {
    tx.queue_noted(
        "INSERT INTO provisioningblocks (standard_attr_id, entity) SELECT standard_attr_id, ? FROM ports AS p \
         WHERE p.id = ? AND NOT EXISTS (SELECT 1 FROM provisioningblocks AS b \
                                        WHERE b.standard_attr_id = p.standard_attr_id AND b.entity = ?)",
        p![entity.word(), port, entity.word()],
    )
    .await?;
    Ok(())
}

/// Whether new ports of this owner wait for DHCP agents where one serves their network and a subnet of theirs has DHCP.
pub fn may_await_dhcp(device_owner: &str) -> bool {
    !OWNERS_WITHOUT_DHCP.contains(&device_owner)
}

/// Makes a port wait for DHCP agents where one of its subnets has DHCP and an agent serves the network; else
/// it no longer waits for them. To be called when a port's addresses or MAC change.
pub async fn block_for_dhcp(tx: &mut Tx, port: &str) -> Result<(), Stop> {
    let row = tx
        .opt(
            "SELECT p.device_owner, \
             EXISTS (SELECT 1 FROM ipallocations AS i JOIN subnets AS s ON s.id = i.subnet_id \
                     WHERE i.port_id = p.id AND s.enable_dhcp = 1) \
             AND EXISTS (SELECT 1 FROM networkdhcpagentbindings AS b WHERE b.network_id = p.network_id) \
             FROM ports AS p WHERE p.id = ?",
            p![port],
        )
        .await?;
    match row {
        Some(row) if OWNERS_WITHOUT_DHCP.contains(&row.text(0).as_str()) => Ok(()),
        Some(row) if row.flag(1) => block(tx, port, Entity::Dhcp).await,
        _ => release(tx, &[port.to_string()], Entity::Dhcp).await,
    }
}

async fn release(tx: &mut Tx, ports: &[String], entity: Entity) -> Result<(), Stop> {
    let sql = format!(
        "DELETE FROM provisioningblocks WHERE entity = ? AND standard_attr_id IN \
         (SELECT standard_attr_id FROM ports WHERE id IN ({}))",
        marks(ports.len())
    );
    let mut params: Vec<Val> = vec![entity.word().into()];
    params.extend(ports.iter().map(Val::from));
    tx.queue_noted(&sql, &params).await
}

/// An entity has done its part for some ports: those that wait for nothing more and are bound become ACTIVE.
/// Returns the ports whose status changed.
pub async fn complete(
    rq: Rq<'_>,
    tx: &mut Tx,
    ports: &[String],
    entity: Entity,
) -> Result<Vec<String>, Stop> {
    if ports.is_empty() {
        return Ok(Vec::new());
    }
    release(tx, ports, entity).await?;
    let sql = format!(
        "SELECT p.id FROM ports AS p JOIN ml2_port_bindings AS b ON b.port_id = p.id AND b.status = 'ACTIVE' \
         WHERE p.id IN ({}) AND b.vif_type NOT IN ('unbound', 'binding_failed') AND NOT EXISTS \
         (SELECT 1 FROM provisioningblocks AS w WHERE w.standard_attr_id = p.standard_attr_id)",
        marks(ports.len())
    );
    let params: Vec<Val> = ports.iter().map(Val::from).collect();
    let ready = tx.all(&sql, &params).await?;
    let ready = ready.iter().map(|row| (row.text(0), ACTIVE)).collect();
    set_status(rq, tx, &ready).await
}

/// Gives ports a status and announces those that had another. Returns them.
pub async fn set_status(
    rq: Rq<'_>,
    tx: &mut Tx,
    wanted: &BTreeMap<String, &'static str>,
) -> Result<Vec<String>, Stop> {
    let ids: Vec<&String> = wanted.keys().collect();
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let Some(shape) = rq.app.catalog.shape("port") else { return Ok(Vec::new()) };
    let port = shape.resource;
    let page = store::list(rq, tx, port, &Query::among(port, "id", &ids)).await?;
    let old: Vec<_> = (0..page.rows.len())
        .map(|row| page.body(row))
        .filter(|old| old.get("status").and_then(Value::as_str) != status_of(wanted, old))
        .collect();
    if old.is_empty() {
        return Ok(Vec::new());
    }
    let id =
        |body: &crate::attr::Body| body.get("id").and_then(Value::as_str).unwrap_or_default().to_string();
    let changed: Vec<String> = old.iter().map(id).collect();
    for status in [ACTIVE, DOWN, BUILD] {
        let into: Vec<&String> = changed.iter().filter(|id| wanted.get(*id) == Some(&status)).collect();
        write_status(tx, &into, status).await?;
    }
    let now = rq.app.now();
    raise(tx, &changed, &now).await?;
    for before in old {
        let mut after = before.clone();
        after.insert("status".into(), json!(status_of(wanted, &before)));
        if let Some(revision) = before.get("revision_number").and_then(Value::as_i64) {
            after.insert("revision_number".into(), json!(revision + 1));
        }
        if after.contains_key("updated_at") {
            after.insert("updated_at".into(), json!(store::zulu(&now)));
        }
        let (id, before, after) = (id(&before), Some(before), Some(after));
        tx.announce(Change { resource: "port", verb: Verb::Updated, id, before, after });
    }
    Ok(changed)
}

async fn write_status(tx: &mut Tx, ports: &[&String], status: &str) -> Result<(), Stop> {
    for ports in ports.chunks(ROWS_PER_STATEMENT_MAX) {
        let sql = format!("UPDATE ports SET status = ? WHERE id IN ({})", marks(ports.len()));
        let params: Vec<Val> =
            std::iter::once(status.into()).chain(ports.iter().copied().map(Val::from)).collect();
        tx.queue(&sql, &params).await?;
    }
    Ok(())
}

/// Raises the revisions of ports that changed.
async fn raise(tx: &mut Tx, ports: &[String], now: &str) -> Result<(), Stop> {
    let fresh: Vec<&String> = ports.iter().filter(|id| tx.revises("ports", id)).collect();
    for ports in fresh.chunks(ROWS_PER_STATEMENT_MAX) {
        let sql = format!(
            "UPDATE standardattributes SET revision_number = revision_number + 1, updated_at = ? WHERE id IN \
             (SELECT standard_attr_id FROM ports WHERE id IN ({}))",
            marks(ports.len())
        );
        let params: Vec<Val> =
            std::iter::once(now.into()).chain(ports.iter().copied().map(Val::from)).collect();
        tx.queue(&sql, &params).await?;
    }
    Ok(())
}

fn status_of(wanted: &BTreeMap<String, &'static str>, port: &crate::attr::Body) -> Option<&'static str> {
    wanted.get(port.get("id")?.as_str()?).copied()
}
