//! Where a port is: the row of `ml2_port_bindings` that is in use, and what waits for the host's agent.

use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ml2::provisioning::{self, Entity};
use crate::ml2::segment::invalid;
use crate::p;
use crate::py;
use crate::request::Rq;
use crate::resources::rows::text;
use serde_json::{Map, Value};

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
    Ok(row.map(|r| Binding {
        host: r.text(0),
        vif_type: r.text(1),
        vnic_type: r.text(2),
        profile: r.text(3),
    }))
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
pub(super) async fn insert(tx: &mut Tx, port: &str, body: &Body) -> Result<(), Stop> {
    let profile = profile_text(body.get("binding:profile"))?.filter(|p| p != "{}").unwrap_or_default();
    let vnic = match text(body, "binding:vnic_type") {
        "" => "normal",
        vnic => vnic,
    };
    let sql = "INSERT INTO ml2_port_bindings (port_id, host, vif_type, vnic_type, profile, vif_details, status) VALUES (?, ?, 'unbound', ?, ?, '', 'ACTIVE')";
    tx.exec(sql, p![port, host_text(body), vnic, profile]).await?;
    Ok(())
}

/// Takes over what a client changed; says whether anything did. A changed binding is undone: the port is to
/// be bound anew.
pub(super) async fn change(tx: &mut Tx, port: &str, now: &Binding, changes: &Body) -> Result<bool, Stop> {
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
        return Ok(false);
    }
    tx.exec("DELETE FROM ml2_port_binding_levels WHERE port_id = ? AND host = ?", p![port, &now.host])
        .await?;
    let sql = "UPDATE ml2_port_bindings SET host = ?, vif_type = 'unbound', vnic_type = ?, profile = ?, vif_details = '' WHERE port_id = ? AND host = ? AND status = 'ACTIVE'";
    tx.exec(sql, p![&new.host, &new.vnic_type, &new.profile, port, &now.host]).await?;
    Ok(true)
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

/// Makes a port wait for the L2 agent of its host, where there is one that could wire it.
pub(super) async fn block_for_agent(rq: Rq<'_>, tx: &mut Tx, port: &str) -> Result<(), Stop> {
    let sql = "SELECT b.host, b.vnic_type, p.status, p.device_owner FROM ports AS p JOIN ml2_port_bindings AS b ON b.port_id = p.id AND b.status = 'ACTIVE' WHERE p.id = ? AND b.host != ''";
    let Some(row) = tx.opt(sql, p![port]).await? else { return Ok(()) };
    if row.text(2) == provisioning::ACTIVE || NOT_AWAITED.contains(&row.text(3).as_str()) {
        return Ok(());
    }
    for mechanism in rq.app.ml2.mechanisms.iter().filter(|m| m.supports(&row.text(1))) {
        let Some(agent_type) = mechanism.agent_type() else { continue };
        let sql = "SELECT 1 FROM agents WHERE agent_type = ? AND host = ?";
        if tx.opt(sql, p![agent_type, row.text(0)]).await?.is_some() {
            return provisioning::block(tx, port, Entity::L2).await;
        }
    }
    Ok(())
}
