//! Mechanism driver l2population: who must know of which port on which tunnel.
//!
//! Entries are only cast; an agent that lost them asks with `refresh_tunnels`. Everything about many ports goes
//! out as one message per receiver, with one entry per network.

mod table;

use super::{cast, text};
use crate::app::App;
use crate::attr::Body;
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::ml2::mech::Mechanism;
use crate::notify::Change;
use crate::p;
use rpc::Target;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use table::{Fdb, Tunnel, View, Wired};

const TOPIC: &str = "q-agent-notifier-l2population-update";

const PORTS: &str = "SELECT p.id, p.network_id, p.mac_address, p.status, b.host, s.network_type, \
     s.segmentation_id, p.device_owner FROM ports AS p \
     JOIN ml2_port_bindings AS b ON b.port_id = p.id AND b.status = 'ACTIVE' \
     JOIN ml2_port_binding_levels AS l ON l.port_id = p.id AND l.host = b.host AND l.level = \
       (SELECT MAX(level) FROM ml2_port_binding_levels WHERE port_id = p.id AND host = b.host) \
     JOIN networksegments AS s ON s.id = l.segment_id";

fn enabled(app: &App) -> bool {
    app.ml2.mechanisms.contains(&Mechanism::L2Population)
}

/// Owners whose ports are on every host: they have no tunnel of their own.
const DISTRIBUTED: &str = "network:router_interface_distributed";

fn wired_port(row: &Row) -> Wired {
    Wired {
        port: row.text(0),
        network: row.text(1),
        mac: row.text(2),
        active: row.text(3) == "ACTIVE",
        host: row.text(4),
        network_type: row.text(5),
        segmentation_id: row.opt_int(6),
        addresses: Vec::new(),
    }
}

/// The tunnel ends of hosts: of each host the agent that says one.
async fn tunnels(tx: &mut Tx, hosts: &BTreeSet<String>) -> Result<BTreeMap<String, Tunnel>, Stop> {
    if hosts.is_empty() {
        return Ok(BTreeMap::new());
    }
    let sql =
        format!("SELECT host, configurations FROM agents WHERE host IN ({}) ORDER BY id", marks(hosts.len()));
    let params: Vec<Val> = hosts.iter().map(Val::from).collect();
    let mut tunnels = BTreeMap::new();
    for row in tx.all(&sql, &params).await? {
        let configurations: Value = serde_json::from_str(&row.text(1)).unwrap_or(Value::Null);
        if let Some(tunnel) = Tunnel::read(&configurations) {
            tunnels.entry(row.text(0)).or_insert(tunnel);
        }
    }
    Ok(tunnels)
}

/// The ports of some networks that are ACTIVE, and those named whatever their status, with the tunnel ends of
/// their hosts and of `host`.
async fn view(tx: &mut Tx, networks: &[String], named: &[String], host: &str) -> Result<View, Stop> {
    if networks.is_empty() {
        return Ok(View::default());
    }
    // An empty text is no port: it keeps the list from being empty, which MariaDB refuses.
    let nobody = [String::new()];
    let sql = format!(
        "{PORTS} WHERE p.network_id IN ({}) AND (p.status = 'ACTIVE' OR p.id IN ({})) \
         AND p.device_owner <> '{DISTRIBUTED}' ORDER BY p.id",
        marks(networks.len()),
        marks(named.len() + 1)
    );
    let params: Vec<Val> = networks.iter().chain(named).chain(&nobody).map(Val::from).collect();
    let mut ports: Vec<Wired> = tx.all(&sql, &params).await?.iter().map(wired_port).collect();
    let sql = format!(
        "SELECT port_id, ip_address FROM ipallocations WHERE network_id IN ({}) ORDER BY ip_address",
        marks(networks.len())
    );
    let params: Vec<Val> = networks.iter().map(Val::from).collect();
    let mut addresses: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in tx.all(&sql, &params).await? {
        addresses.entry(row.text(0)).or_default().push(row.text(1));
    }
    for port in &mut ports {
        port.addresses = addresses.remove(&port.port).unwrap_or_default();
    }
    let hosts = ports.iter().map(|port| port.host.clone()).chain([host.to_string()]).collect();
    Ok(View { tunnels: tunnels(tx, &hosts).await?, ports })
}

async fn networks_of(tx: &mut Tx, ports: &[String]) -> Result<Vec<String>, Stop> {
    let sql = format!("SELECT DISTINCT network_id FROM ports WHERE id IN ({})", marks(ports.len()));
    let params: Vec<Val> = ports.iter().map(Val::from).collect();
    Ok(tx.all(&sql, &params).await?.iter().map(|row| row.text(0)).collect())
}

async fn send(app: &App, method: &str, host: Option<&str>, entries: Fdb) {
    if entries.is_empty() {
        return;
    }
    let target = host.map_or_else(|| Target::fanout(TOPIC), |host| Target::server(TOPIC, host));
    cast(app, &target, method, "1.0", json!({"fdb_entries": table::shown(&entries)})).await;
}

/// Ports are wired on a host: everybody hears of them; the host hears of everybody where these are its first
/// ports on a network, or where it lost what it knew (`refresh`).
pub async fn wired(app: &App, host: &str, ports: &[String], refresh: bool) -> Result<(), Stop> {
    if !enabled(app) || ports.is_empty() {
        return Ok(());
    }
    let view = {
        let mut tx = app.db.read().await?;
        let networks = networks_of(&mut tx, ports).await?;
        view(&mut tx, &networks, ports, host).await?
    };
    let told = table::wired(&view, host, ports, refresh);
    send(app, "add_fdb_entries", Some(host), told.to_host).await;
    send(app, "add_fdb_entries", None, told.to_all).await;
    Ok(())
}

/// A port is gone from a host: everybody forgets it, and the host too where it was its last on the network.
async fn unwired(app: &App, host: &str, port: &Body) -> Result<(), Stop> {
    let (network, id) = (text(port, "network_id"), text(port, "id"));
    if host.is_empty() {
        return Ok(());
    }
    let (view, segments) = {
        let mut tx = app.db.read().await?;
        let sql = "SELECT network_type, segmentation_id FROM networksegments WHERE network_id = ? \
             ORDER BY segment_index";
        let segments = tx.all(sql, p![network]).await?;
        (view(&mut tx, &[network.to_string()], &[], host).await?, segments)
    };
    let Some(tunnel) = view.tunnels.get(host) else { return Ok(()) };
    let Some(segment) = segments.iter().find(|row| tunnel.carries(&row.text(0))) else { return Ok(()) };
    let gone = Wired {
        port: id.to_string(),
        network: network.to_string(),
        mac: text(port, "mac_address").to_string(),
        active: false,
        host: host.to_string(),
        network_type: segment.text(0),
        segmentation_id: segment.opt_int(1),
        addresses: addresses(port),
    };
    send(app, "remove_fdb_entries", None, table::unwired(&view, &gone)).await;
    Ok(())
}

/// The addresses of a port.
fn addresses(port: &Body) -> Vec<String> {
    let list = port.get("fixed_ips").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(|ip| Some(ip.get("ip_address")?.as_str()?.to_string())).collect()
}

/// What a change of a port means for the tunnels.
#[derive(Debug, PartialEq)]
enum Effect<'a> {
    /// It became active on a host.
    Wired(&'a str),
    /// It is no longer active on a host, as it then was.
    Unwired(&'a str, &'a Body),
    /// Nothing.
    None,
}

fn effect<'a>(before: &'a Body, after: Option<&'a Body>) -> Effect<'a> {
    let old_host = text(before, "binding:host_id");
    let Some(after) = after else { return Effect::Unwired(old_host, before) };
    let host = text(after, "binding:host_id");
    match (text(before, "status"), text(after, "status")) {
        ("ACTIVE", "DOWN") if host != old_host => Effect::Unwired(old_host, before),
        (old, "ACTIVE") if old != "ACTIVE" => Effect::Wired(host),
        (old, "DOWN") if old != "DOWN" => Effect::Unwired(host, after),
        _ => Effect::None,
    }
}

/// Tells agents of ports that changed or are gone; of those that became active on a host, together.
pub(super) async fn tell(app: &App, changes: &[Change]) -> Result<(), Stop> {
    if !enabled(app) {
        return Ok(());
    }
    let mut active: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for change in changes.iter().filter(|change| change.resource == "port") {
        let Some(before) = &change.before else { continue };
        if text(before, "device_owner") == DISTRIBUTED {
            continue;
        }
        if let Some(after) = &change.after {
            moved(app, before, after).await?;
        }
        match effect(before, change.after.as_ref()) {
            Effect::Wired(host) => active.entry(host).or_default().push(change.id.clone()),
            Effect::Unwired(host, port) => unwired(app, host, port).await?,
            Effect::None => {}
        }
    }
    for (host, ports) in active {
        wired(app, host, &ports, false).await?;
    }
    Ok(())
}

/// A wired port has other addresses.
async fn moved(app: &App, before: &Body, after: &Body) -> Result<(), Stop> {
    let (old, new) = (addresses(before), addresses(after));
    let host = text(before, "binding:host_id");
    if old == new || host.is_empty() {
        return Ok(());
    }
    let (tunnel, kinds) = {
        let mut tx = app.db.read().await?;
        let sql = format!("{PORTS} WHERE p.id = ?");
        let kinds = tx.all(&sql, p![text(after, "id")]).await?;
        (tunnels(&mut tx, &[host.to_string()].into()).await?.remove(host), kinds)
    };
    let Some(tunnel) = tunnel else { return Ok(()) };
    if !kinds.iter().any(|row| tunnel.carries(&row.text(5))) {
        return Ok(());
    }
    if let Some(change) = table::moved(text(after, "mac_address"), &old, &new) {
        let entries = json!({"chg_ip": {text(after, "network_id"): {tunnel.ip: change}}});
        let args = json!({"fdb_entries": entries});
        cast(app, &Target::fanout(TOPIC), "update_fdb_entries", "1.0", args).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_change_of_a_port_means() {
        let port = |status: &str, host: &str| {
            let port = json!({"id": "p", "status": status, "binding:host_id": host});
            port.as_object().cloned().unwrap_or_default()
        };
        let (down, build, active) = (port("DOWN", "a"), port("BUILD", "a"), port("ACTIVE", "a"));
        let elsewhere = port("DOWN", "b");
        for (before, after, expected) in [
            (&down, Some(&build), Effect::None),
            (&build, Some(&active), Effect::Wired("a")),
            (&active, Some(&build), Effect::None),
            (&active, Some(&down), Effect::Unwired("a", &down)),
            (&active, Some(&elsewhere), Effect::Unwired("a", &active)),
            (&active, None, Effect::Unwired("a", &active)),
        ] {
            assert_eq!(effect(before, after), expected, "{before:?} {after:?}");
        }
    }
}
