//! Tells L2 agents of ports and networks: `port_update`, `port_delete`, `network_update`, `network_delete`.

use super::{cast, differs};
use crate::app::App;
use crate::db::{Row, Stop, Val, marks};
use crate::notify::{Change, Verb};
use rpc::Target;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What of a port its L2 agent acts on. Its status is not: the agent sets that itself.
const OF_PORTS: &[&str] = &[
    "admin_state_up",
    "mac_address",
    "fixed_ips",
    "security_groups",
    "allowed_address_pairs",
    "port_security_enabled",
    "extra_dhcp_opts",
    "qos_policy_id",
    "binding:host_id",
    "binding:profile",
    "binding:vif_type",
    "binding:vnic_type",
];

/// What of a network L2 agents act on.
const OF_NETWORKS: &[&str] = &["mtu", "qos_policy_id", "admin_state_up"];

/// The lowest bound segment of some ports: network type, segmentation id, physical network.
async fn segments(app: &App, ports: &[&str]) -> Result<BTreeMap<String, Row>, Stop> {
    if ports.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql = format!(
        "SELECT b.port_id, s.network_type, s.segmentation_id, s.physical_network FROM ml2_port_bindings AS b \
         JOIN ml2_port_binding_levels AS l ON l.port_id = b.port_id AND l.host = b.host AND l.level = \
           (SELECT MAX(level) FROM ml2_port_binding_levels WHERE port_id = b.port_id AND host = b.host) \
         JOIN networksegments AS s ON s.id = l.segment_id \
         WHERE b.status = 'ACTIVE' AND b.port_id IN ({})",
        marks(ports.len())
    );
    let params: Vec<Val> = ports.iter().map(|id| Val::from(*id)).collect();
    let rows = app.db.read().await?.all(&sql, &params).await?;
    Ok(rows.into_iter().map(|row| (row.text(0), row)).collect())
}

fn of_interest(change: &Change) -> bool {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => match change.resource {
            "port" => differs(before, after, OF_PORTS),
            "network" => differs(before, after, OF_NETWORKS),
            _ => false,
        },
        _ => false,
    }
}

/// Tells L2 agents of ports and networks that changed or are gone.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    let updated: Vec<&Change> = changes.iter().filter(|change| of_interest(change)).collect();
    let ports: Vec<&str> = updated.iter().filter(|c| c.resource == "port").map(|c| c.id.as_str()).collect();
    let segments = segments(app, &ports).await?;
    for change in updated {
        match change.resource {
            "port" => {
                // An unbound port is nobody's to wire.
                if let Some(segment) = segments.get(&change.id) {
                    port_update(app, change, segment).await;
                }
            }
            _ => {
                let target = Target::fanout("q-agent-notifier-network-update");
                let network = change.after.clone().map(Value::Object);
                cast(app, &target, "network_update", "1.4", json!({"network": network})).await;
            }
        }
    }
    for change in changes.iter().filter(|change| change.verb == Verb::Deleted) {
        let (topic, method, name) = match change.resource {
            "port" => ("q-agent-notifier-port-delete", "port_delete", "port_id"),
            "network" => ("q-agent-notifier-network-delete", "network_delete", "network_id"),
            _ => continue,
        };
        cast(app, &Target::fanout(topic), method, "1.0", json!({name: change.id})).await;
    }
    Ok(())
}

async fn port_update(app: &App, change: &Change, segment: &Row) {
    let args = json!({
        "port": change.after.clone().map(Value::Object), "network_type": segment.text(1),
        "segmentation_id": segment.opt_int(2), "physical_network": segment.opt_text(3),
    });
    cast(app, &Target::fanout("q-agent-notifier-port-update"), "port_update", "1.0", args).await;
}
