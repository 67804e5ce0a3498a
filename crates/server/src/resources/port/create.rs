//! Making ports.

use super::{PORT, announce, binding, check_owner, extras, fill, is_trusted};
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::{plan, take};
use crate::ml2::provisioning::{self, Entity};
use crate::p;
use crate::record::Cell;
use crate::request::Rq;
use crate::resources::rows::{items, text};
use crate::store::{self, Awaits, Insert};
use model::Mac;
use serde_json::{Value, json};

/// Makes a port for the server's own purposes inside a transaction (routers, floating IPs): attributes left
/// out get their defaults, the network is found whoever asks, no security groups. Bind it with
/// [`crate::ml2::bind::bind`] after the commit.
pub async fn create_in(rq: Rq<'_>, tx: &mut Tx, body: Body) -> Result<String, Stop> {
    let mut whole = Body::new();
    let empty = ["name", "device_id", "device_owner", "description", "project_id"];
    whole.extend(empty.map(|key| (key.to_string(), json!(""))));
    whole.insert("admin_state_up".into(), json!(true));
    whole.extend(body);
    let id = store_new(rq, tx, whole).await?;
    announce(rq, tx, &id, None).await?;
    Ok(id)
}

/// Makes a port that a client asks for.
pub(super) async fn create(rq: Rq<'_>, tx: &mut Tx, body: Body) -> Result<String, Stop> {
    let (owner, device) = (text(&body, "device_owner"), text(&body, "device_id"));
    check_owner(rq, tx, owner, device, text(&body, "project_id")).await?;
    store_new(rq, tx, body).await
}

async fn store_new(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    extras::check_pair_count(rq, &body)?;
    let id = rq.app.fresh_id();
    let network_id = text(&body, "network_id").to_string();
    let owner = text(&body, "device_owner").to_string();
    let Some(site) = take::site(tx, &network_id, &owner).await? else {
        return Err(Fault::NetworkNotFound { net_id: network_id }.into());
    };
    let asked = body.get("port_security_enabled").and_then(Value::as_bool);
    let secured = !is_trusted(&body) && asked.unwrap_or(site.port_security);
    let (mac, drawn) = mac_address(rq, tx, &network_id, &body).await?;
    let fixed = body.get("fixed_ips").and_then(Value::as_array).cloned();
    body.insert("id".into(), json!(id));
    body.insert("mac_address".into(), json!(mac.to_string()));
    body.insert("port_security_enabled".into(), json!(secured));
    body.insert(
        "ip_allocation".into(),
        json!(if fixed.as_ref().is_some_and(Vec::is_empty) { "none" } else { "immediate" }),
    );
    if text(&body, "status").is_empty() {
        body.insert("status".into(), json!("DOWN"));
    }
    // Upstream writes the row twice in its transaction, and clients see the number.
    let awaits = if drawn { Awaits::Nothing } else { Awaits::Answer };
    match store::insert_as(rq, tx, &PORT, &body, Insert { revision: 1, awaits }).await {
        Err(Stop::Duplicate(key)) if key == MAC_KEY && !drawn => {
            return Err(Fault::MacAddressInUse { net_id: network_id, mac: mac.to_string() }.into());
        }
        Err(Stop::Duplicate(key)) if key == MAC_KEY => return Err(drawn_twice(mac)),
        other => other?,
    }
    let seat = Seat { id: &id, network_id: &network_id, owner: &owner, mac, secured };
    match furnish(rq, tx, &seat, &site, &body, fixed.as_deref()).await {
        Err(Stop::Duplicate(key)) if key == MAC_KEY => Err(drawn_twice(mac)),
        Err(stop) => Err(stop),
        Ok(()) => Ok(id),
    }
}

/// The key that keeps MAC addresses apart.
const MAC_KEY: &str = "uniq_ports0network_id0mac_address";

fn drawn_twice(mac: Mac) -> Stop {
    Stop::Retry(format!("the MAC address {mac} was drawn twice"))
}

/// A new port whose row is stored, or on its way.
struct Seat<'a> {
    id: &'a str,
    network_id: &'a str,
    owner: &'a str,
    mac: Mac,
    secured: bool,
}

/// Stores what belongs to a new port beside its row: addresses, binding, options, what it waits for.
async fn furnish(
    rq: Rq<'_>,
    tx: &mut Tx,
    &Seat { id, network_id, owner, mac, secured }: &Seat<'_>,
    site: &take::Site,
    body: &Body,
    fixed_ips: Option<&[Value]>,
) -> Result<(), Stop> {
    let subnets = site.candidates()?;
    let port = plan::Port { network_id, owner, mac, fixed_ips };
    check_subnets_exist(tx, &port, &subnets).await?;
    let wants = plan::plan(&port, &subnets)?;
    let taken = take::take(rq, tx, network_id, id, &subnets, &wants).await?;
    extras::store_pairs(tx, id, body, secured).await?;
    let bound = binding::insert(tx, id, body).await?;
    extras::store_dhcp_options(rq, tx, id, body, true).await?;
    let named = extras::store_dns(rq, tx, id, body, true).await?;
    binding::block_for_agent(rq, tx, id, &bound, (owner, text(body, "status"))).await?;
    let dhcp = subnets.iter().any(|s| s.dhcp && taken.iter().any(|a| a.subnet_id == s.id));
    if provisioning::awaits_dhcp(owner, site.served, dhcp) {
        provisioning::block(tx, id, Entity::Dhcp).await?;
    }
    if !named {
        fill::note_addresses(rq, tx, id, taken);
    }
    note_empty(tx, id, body);
    Ok(())
}

/// Says what a new port has none of.
fn note_empty(tx: &mut Tx, id: &str, body: &Body) {
    for name in ["allowed_address_pairs", "extra_dhcp_opts"] {
        if items(body, name).is_empty() {
            tx.known.note("port", id, name, Cell::Json("[]".into()));
        }
    }
    // Tags are stored later, by those who keep them, and groups by theirs.
    tx.known.note("port", id, "tags", Cell::Json("[]".into()));
    tx.known.note("port", id, "security_groups", Cell::Json("[]".into()));
}

/// The MAC address asked for, or a fresh one; with whether it was drawn.
async fn mac_address(rq: Rq<'_>, tx: &mut Tx, network: &str, body: &Body) -> Result<(Mac, bool), Stop> {
    match text(body, "mac_address").parse::<Mac>() {
        Err(_) => Ok((draw_mac(rq), true)),
        Ok(mac) => {
            check_mac_free(tx, network, mac).await?;
            Ok((mac, false))
        }
    }
}

pub(super) async fn check_mac_free(tx: &mut Tx, network: &str, mac: Mac) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM ports WHERE network_id = ? AND mac_address = ?";
    match tx.opt(sql, p![network, mac.to_string()]).await? {
        Some(_) => Err(Fault::MacAddressInUse { net_id: network.into(), mac: mac.to_string() }.into()),
        None => Ok(()),
    }
}

/// A fresh MAC address under `base_mac`: its first three bytes are kept, and the fourth where it is not 0.
pub(super) fn draw_mac(rq: Rq<'_>) -> Mac {
    let base = rq.app.ml2.core.base_mac.parse::<Mac>().unwrap_or(Mac([0xfa, 0x16, 0x3e, 0, 0, 0]));
    let dice = || u8::try_from(rq.app.dice(256)).unwrap_or_default();
    let [a, b, c, d, ..] = base.0;
    Mac([a, b, c, if d == 0 { dice() } else { d }, dice(), dice()])
}

/// A subnet that is nowhere is not found; one of another network is a wrong input, which planning says.
pub(super) async fn check_subnets_exist(
    tx: &mut Tx,
    port: &plan::Port<'_>,
    subnets: &[plan::Candidate],
) -> Result<(), Stop> {
    for fixed in port.fixed_ips.unwrap_or_default() {
        let Some(id) = fixed.get("subnet_id").and_then(Value::as_str) else { continue };
        if subnets.is_empty() || subnets.iter().any(|s| s.id.eq_ignore_ascii_case(id)) {
            continue;
        }
        if tx.opt("SELECT 1 FROM subnets WHERE id = ?", p![id]).await?.is_none() {
            return Err(Fault::SubnetNotFound { subnet_id: id.into() }.into());
        }
    }
    Ok(())
}
