//! Changing ports.

use super::changes::{self, Changes};
use super::create::{check_mac_free, check_subnets_exist, draw_mac};
use super::{PORT, announce, binding, check_owner, extras, get};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::{plan, take};
use crate::ml2::provisioning;
use crate::request::Rq;
use crate::resources::rows::{items, text};
use crate::store;
use model::Mac;
use serde_json::{Value, json};

/// Changes a port for the server's own purposes inside a transaction, and announces it. Bind it with
/// [`crate::ml2::bind::bind`] after the commit where its host changed.
pub async fn update_in(rq: Rq<'_>, tx: &mut Tx, id: &str, changes: Body) -> Result<(), Stop> {
    let old = get(rq, tx, id).await?;
    update(rq, tx, &old, changes).await?;
    announce(rq, tx, id, Some(old)).await
}

pub(super) async fn update(rq: Rq<'_>, tx: &mut Tx, old: &Body, mut changes: Body) -> Result<(), Stop> {
    let id = text(old, "id");
    let Some(mut bound) = binding::of(tx, id).await? else {
        return Err(Fault::PortNotFound { port_id: id.into() }.into());
    };
    check_vnic(old, &changes, &bound)?;
    if changes.get("mac_address").is_some_and(Value::is_null) {
        changes.insert("mac_address".into(), json!(draw_mac(rq).to_string()));
    }
    let new_mac =
        changes.get("mac_address").and_then(Value::as_str).filter(|m| *m != text(old, "mac_address"));
    let new_mac = new_mac.and_then(|m| m.parse::<Mac>().ok());
    check_device(rq, tx, old, &changes).await?;
    if let Some(mac) = new_mac {
        check_mac(tx, old, &changes, &bound, mac).await?;
    }
    let moved = new_mac.is_some() || changes.contains_key("fixed_ips");
    let mut touched = moved && update_addresses(rq, tx, old, &changes, new_mac).await?;
    touched |= update_pairs(rq, tx, old, &changes).await?;
    touched |= extras::store_dhcp_options(rq, tx, id, &changes, false).await?;
    touched |= extras::store_dns(rq, tx, id, &changes, false).await?;
    let new = binding::change(tx, id, &bound, &changes).await?;
    let rebound = new.is_some();
    if let Some(new) = new {
        bound = new;
        changes.insert("status".into(), json!("DOWN"));
    }
    store::update_own(rq, tx, &PORT, id, &changes).await?;
    if touched || rebound {
        store::touch(rq, tx, &PORT, id).await?;
    }
    if rebound && changes.contains_key("binding:host_id") {
        let now = |key: &str| changes.get(key).or_else(|| old.get(key)).and_then(Value::as_str);
        let (owner, status) = (now("device_owner"), now("status"));
        let said = (owner.unwrap_or_default(), status.unwrap_or_default());
        binding::block_for_agent(rq, tx, id, &bound, said).await?;
    }
    if moved {
        provisioning::block_for_dhcp(tx, id).await?;
    }
    Ok(())
}

fn check_vnic(old: &Body, changes: &Body, bound: &binding::Binding) -> Result<(), Fault> {
    let new = changes.get("binding:vnic_type").and_then(Value::as_str);
    if new.is_some_and(|new| new != bound.vnic_type) && bound.vif_type != binding::UNBOUND {
        return Err(Fault::PortInUse {
            port_id: text(old, "id").into(),
            net_id: text(old, "network_id").into(),
            device_id: text(old, "device_id").into(),
        });
    }
    Ok(())
}

async fn check_device(rq: Rq<'_>, tx: &mut Tx, old: &Body, changes: &Body) -> Result<(), Stop> {
    let new = |key: &str| match text(changes, key) {
        "" => text(old, key).to_string(),
        new => new.to_string(),
    };
    let touched = changes.contains_key("device_owner") || changes.contains_key("device_id");
    if !touched {
        return Ok(());
    }
    check_owner(rq, tx, &new("device_owner"), &new("device_id"), text(old, "project_id")).await
}

async fn check_mac(
    tx: &mut Tx,
    old: &Body,
    changes: &Body,
    bound: &binding::Binding,
    mac: Mac,
) -> Result<(), Stop> {
    if bound.vif_type != binding::UNBOUND && bound.vif_type != binding::FAILED {
        return Err(Fault::PortBound {
            port_id: text(old, "id").into(),
            vif_type: bound.vif_type.clone(),
            old_mac: text(old, "mac_address").into(),
            new_mac: mac.to_string(),
        }
        .into());
    }
    let owner = match text(changes, "device_owner") {
        "" => text(old, "device_owner"),
        new => new,
    };
    if owner.starts_with("network:") {
        // Upstream prints a Python function where it means the port's id, and clients see that.
        return Err(Fault::UnsupportedPortDeviceOwner {
            op: "mac address update".into(),
            port_id: "<built-in function id>".into(),
            device_owner: owner.into(),
        }
        .into());
    }
    check_mac_free(tx, text(old, "network_id"), mac).await
}

/// The addresses of a port that was read.
pub(super) fn addresses(port: &Body) -> Vec<take::Address> {
    let one = |fixed: &Value| {
        let text = |key: &str| fixed.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
        take::Address { ip_address: text("ip_address"), subnet_id: text("subnet_id") }
    };
    items(port, "fixed_ips").iter().map(one).collect()
}

/// Gives back and takes addresses; says whether any changed.
async fn update_addresses(
    rq: Rq<'_>,
    tx: &mut Tx,
    old: &Body,
    changes: &Body,
    new_mac: Option<Mac>,
) -> Result<bool, Stop> {
    let (id, network) = (text(old, "id"), text(old, "network_id"));
    // What a port may have goes by the owner it had; upstream stores the new one later.
    let owner = text(old, "device_owner");
    let has = addresses(old);
    let asked = changes.get("fixed_ips").or_else(|| old.get("fixed_ips")).and_then(Value::as_array);
    let asked = asked.cloned().unwrap_or_default();
    let made = |a: &&take::Address| new_mac.is_some() && a.ip_address.parse().is_ok_and(plan::is_eui64);
    let fresh: Vec<String> = has.iter().filter(made).map(|a| a.subnet_id.clone()).collect();
    let subnets = take::candidates(tx, network, owner).await?;
    let mac = new_mac.or_else(|| text(old, "mac_address").parse().ok()).unwrap_or_default();
    let all = changes::compare(&has, &asked, &subnets, owner, &fresh);
    check_movable(tx, old, &all).await?;
    let port = plan::Port { network_id: network, owner, mac, fixed_ips: Some(&all.add) };
    check_subnets_exist(tx, &port, &subnets).await?;
    let wants = changes::wants(&port, &all, &subnets, &fresh)?;
    take::give_back(rq, tx, id, &all.remove).await?;
    let taken = take::take(rq, tx, network, id, &subnets, &wants).await?;
    Ok(!taken.is_empty() || !all.remove.is_empty())
}

/// The addresses of routers' interfaces are changed through their routers.
async fn check_movable(tx: &mut Tx, old: &Body, all: &Changes) -> Result<(), Stop> {
    if text(old, "device_owner") != "network:router_interface" {
        return Ok(());
    }
    let v4 = |address: &str| address.parse::<std::net::Ipv4Addr>().is_ok();
    let added = all.add.iter().any(|f| f.get("ip_address").and_then(Value::as_str).is_some_and(v4));
    if !added && !all.remove.iter().any(|a| v4(&a.ip_address)) {
        return Ok(());
    }
    let router = text(old, "device_id");
    if tx.opt("SELECT 1 FROM routers WHERE id = ?", crate::p![router]).await?.is_some() {
        let msg = format!("IP updates for port {} are not allowed", text(old, "id"));
        return Err(Fault::PortsBadRequest { msg }.into());
    }
    Ok(())
}

async fn update_pairs(rq: Rq<'_>, tx: &mut Tx, old: &Body, changes: &Body) -> Result<bool, Stop> {
    let asked = changes.get("port_security_enabled").and_then(Value::as_bool);
    // Where the extension is not loaded, a port says nothing of it and is secured.
    let before = old.get("port_security_enabled").and_then(Value::as_bool);
    let secured = asked.or(before).unwrap_or(true);
    let given = changes.contains_key("allowed_address_pairs");
    extras::check_pair_count(rq, changes)?;
    let now = if given { changes } else { old };
    if !secured && !items(now, "allowed_address_pairs").is_empty() {
        return Err(Fault::AddressPairAndPortSecurityRequired {}.into());
    }
    if !given || changes.get("allowed_address_pairs") == old.get("allowed_address_pairs") {
        return Ok(false);
    }
    let id = text(old, "id");
    tx.known.unsettle("port", id, &["allowed_address_pairs"]);
    tx.exec_noted("DELETE FROM allowedaddresspairs WHERE port_id = ?", crate::p![id]).await?;
    let mut whole = changes.clone();
    whole.entry("mac_address").or_insert_with(|| old.get("mac_address").cloned().unwrap_or_default());
    extras::store_pairs(tx, id, &whole, secured).await?;
    Ok(true)
}
