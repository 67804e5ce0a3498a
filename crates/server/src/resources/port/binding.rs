//! Where a port is: the row of `ml2_port_bindings` that is in use, and what waits for the host's agent.

use crate::attr::Body;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::ml2::provisioning::{self, Entity};
use crate::ml2::segment::invalid;
use crate::p;
use crate::py;
use crate::record::Cell;
use crate::request::Rq;
use crate::resources::rows::{among, text};
use serde_json::{Map, Value};
use std::collections::HashMap;

/// The longest `binding:profile`, in characters of JSON.
const PROFILE_MAX: usize = 4095;
/// Not bound yet.
pub const UNBOUND: &str = "unbound";
/// No mechanism driver could bind it.
pub const FAILED: &str = "binding_failed";

/// A port's binding in use.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// Its host; empty where none is named.
    pub host: String,
    /// `bridge`, `unbound`, `binding_failed` …
    pub vif_type: String,
    /// `normal`, `direct` …
    pub vnic_type: String,
    /// JSON text, or empty.
    pub profile: String,
}

/// The binding of a port.
pub async fn of(tx: &mut Tx, port: &str) -> Result<Option<Binding>, Stop> {
    let sql = "SELECT host, vif_type, vnic_type, profile FROM ml2_port_bindings WHERE port_id = ? AND status = 'ACTIVE'";
    let row = tx.opt(sql, p![port]).await?;
    Ok(row.map(|r| read(&r)))
}

/// The bindings of some ports, with the port before and its network behind each.
pub async fn with_networks(tx: &mut Tx, ports: &[String]) -> Result<Vec<(String, Binding, String)>, Stop> {
    let sql = "SELECT b.host, b.vif_type, b.vnic_type, b.profile, b.port_id, p.network_id FROM ml2_port_bindings AS b JOIN ports AS p ON p.id = b.port_id WHERE b.status = 'ACTIVE' AND b.port_id";
    let rows = among(tx, sql, ports, "").await?;
    Ok(rows.iter().map(|row| (row.text(4), read(row), row.text(5))).collect())
}

/// The bindings of some ports by port, kept as they are until the end of the transaction.
pub async fn locked(tx: &mut Tx, ports: &[String]) -> Result<HashMap<String, Binding>, Stop> {
    let sql = "SELECT host, vif_type, vnic_type, profile, port_id FROM ml2_port_bindings WHERE status = 'ACTIVE' AND port_id";
    let tail = format!("ORDER BY port_id {}", tx.for_update());
    let rows = among(tx, sql, ports, &tail).await?;
    Ok(rows.iter().map(|row| (row.text(4), read(row))).collect())
}

fn read(row: &Row) -> Binding {
    Binding { host: row.text(0), vif_type: row.text(1), vnic_type: row.text(2), profile: row.text(3) }
}

/// `binding:host_id` as it is kept: whatever the client wrote, as text.
fn host_text(body: &Body) -> String {
    body.get("binding:host_id").filter(|v| !v.is_null()).map(py::text).unwrap_or_default()
}

fn profile_text(profile: Option<&Value>) -> Result<Option<String>, Fault> {
    let Some(profile) = profile else { return Ok(None) };
    let empty = Map::new();
    let map = profile.as_object().unwrap_or(&empty);
    let text = if map.is_empty() { "{}".into() } else { Value::Object(map.clone()).to_string() };
    if text.chars().count() > PROFILE_MAX {
        return Err(invalid("binding:profile value too large"));
    }
    Ok(Some(text))
}

/// Stores the binding of a new port.
pub(super) async fn insert(tx: &mut Tx, port: &str, body: &Body) -> Result<Binding, Stop> {
    let profile = profile_text(body.get("binding:profile"))?.filter(|p| p != "{}").unwrap_or_default();
    let vnic = match text(body, "binding:vnic_type") {
        "" => "normal",
        vnic => vnic,
    };
    let sql = "INSERT INTO ml2_port_bindings (port_id, host, vif_type, vnic_type, profile, vif_details, status) VALUES (?, ?, 'unbound', ?, ?, '', 'ACTIVE')";
    let host = host_text(body);
    tx.queue_noted(sql, p![port, &host, vnic, &profile]).await?;
    let binding = Binding { host, vif_type: UNBOUND.into(), vnic_type: vnic.into(), profile };
    note(tx, port, &binding, "", &[]);
    Ok(binding)
}

/// What of a port its binding decides.
pub(super) const OF_BINDING: &[&str] =
    &["binding:host_id", "binding:vif_type", "binding:vnic_type", "binding:profile", "binding:vif_details"];

/// Says what a known port's binding is now: `details` as it is kept, the drivers that bound it by level.
pub(crate) fn note(tx: &mut Tx, port: &str, binding: &Binding, details: &str, drivers: &[(i64, &str)]) {
    let cells = [
        Cell::Text(binding.host.clone()),
        Cell::Text(binding.vif_type.clone()),
        Cell::Text(binding.vnic_type.clone()),
        Cell::Json(if binding.profile.is_empty() { "{}".into() } else { binding.profile.clone() }),
        Cell::Json(shown_details(details, drivers)),
    ];
    for (name, cell) in OF_BINDING.iter().zip(cells) {
        tx.known.note("port", port, name, cell);
    }
}

/// `binding:vif_details`: what is kept, and which driver bound which level.
pub(super) fn shown_details(details: &str, drivers: &[(i64, &str)]) -> String {
    if details.is_empty() && drivers.is_empty() {
        return "{}".into();
    }
    let mut details: Map<String, Value> = serde_json::from_str(details).unwrap_or_default();
    if !drivers.is_empty() {
        let bound: Map<String, Value> =
            drivers.iter().map(|(level, driver)| (level.to_string(), Value::from(*driver))).collect();
        details.insert("bound_drivers".into(), Value::Object(bound));
    }
    Value::Object(details).to_string()
}

/// Takes over what a client changed; answers with the new binding where anything did. A changed binding is
/// undone: the port is to be bound anew.
pub(super) async fn change(
    tx: &mut Tx,
    port: &str,
    now: &Binding,
    changes: &Body,
) -> Result<Option<Binding>, Stop> {
    let mut new = now.clone();
    if changes.contains_key("binding:host_id") {
        new.host = host_text(changes);
    }
    if let Some(vnic) = changes.get("binding:vnic_type").and_then(Value::as_str) {
        new.vnic_type = vnic.to_string();
    }
    if let Some(profile) = profile_text(changes.get("binding:profile"))? {
        let same = |a: &str, b: &str| {
            let read = |t: &str| serde_json::from_str::<Value>(if t.is_empty() { "{}" } else { t }).ok();
            read(a) == read(b)
        };
        if !same(&profile, &now.profile) {
            new.profile = profile;
        }
    }
    if new == *now {
        return Ok(None);
    }
    let levels = "DELETE FROM ml2_port_binding_levels WHERE port_id = ? AND host = ?";
    tx.queue_noted(levels, p![port, &now.host]).await?;
    let sql = "UPDATE ml2_port_bindings SET host = ?, vif_type = 'unbound', vnic_type = ?, profile = ?, vif_details = '' WHERE port_id = ? AND host = ? AND status = 'ACTIVE'";
    tx.queue_noted(sql, p![&new.host, &new.vnic_type, &new.profile, port, &now.host]).await?;
    new.vif_type = UNBOUND.into();
    note(tx, port, &new, "", &[]);
    Ok(Some(new))
}

/// Owners of ports that are ready as soon as they are there.
const NOT_AWAITED: [&str; 9] = [
    "network:router_interface_distributed",
    "network:ha_router_replicated_interface",
    "network:router_interface",
    "network:router_gateway",
    "network:router_centralized_snat",
    "network:dhcp",
    "network:floatingip_agent_gateway",
    "network:router_ha_interface",
    "network:floatingip",
];

/// Makes a port of this owner and status wait for the L2 agent of its host, where there is one that could wire
/// it.
pub(super) async fn block_for_agent(
    rq: Rq<'_>,
    tx: &mut Tx,
    port: &str,
    binding: &Binding,
    (owner, status): (&str, &str),
) -> Result<(), Stop> {
    if binding.host.is_empty() || status == provisioning::ACTIVE || NOT_AWAITED.contains(&owner) {
        return Ok(());
    }
    let able = rq.app.ml2.mechanisms.iter().filter(|m| m.supports(&binding.vnic_type));
    let types: Vec<&str> = able.filter_map(|mechanism| mechanism.agent_type()).collect();
    if types.is_empty() {
        return Ok(());
    }
    let sql =
        format!("SELECT 1 FROM agents WHERE host = ? AND agent_type IN ({}) LIMIT 1", marks(types.len()));
    let params: Vec<Val> = std::iter::once(binding.host.as_str()).chain(types).map(Val::from).collect();
    match tx.opt(&sql, &params).await? {
        Some(_) => provisioning::block(tx, port, Entity::L2).await,
        None => Ok(()),
    }
}
