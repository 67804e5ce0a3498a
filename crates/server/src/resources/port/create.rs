//! Making ports.

use super::{PORT, announce, binding, check_owner, extras, fill, is_trusted};
use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::fault::Fault;
use crate::ipam::{plan, take};
use crate::ml2::provisioning::{self, Entity};
use crate::p;
use crate::policy;
use crate::record::Cell;
use crate::request::Rq;
use crate::resources::rows::{items, text};
use crate::resources::security_group;
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
    let mac = mac_address(rq, tx, &network_id, &body).await?;
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
    // Nothing of it is waited for: a MAC address or an address that somebody was quicker to take is refused by its key
    // at the commit, and the transaction runs again.
    store::insert_as(rq, tx, &PORT, &body, Insert { revision: 1, awaits: Awaits::Nothing }).await?;
    let seat = Seat { id: &id, network_id: &network_id, owner: &owner, mac, secured };
    furnish(rq, tx, &seat, &site, &body, fixed.as_deref()).await?;
    Ok(id)
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
    if dhcp && provisioning::may_await_dhcp(owner) && take::served(tx, network_id).await? {
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

/// What making some ports asks for, as far as it is known before the first is made.
pub(super) fn asks(rq: Rq<'_>, items: &[Body]) -> Vec<Ask> {
    let mut asks = Vec::new();
    for item in items.iter().take(PORTS_AHEAD_MAX) {
        let (network, project) = (text(item, "network_id"), text(item, "project_id"));
        asks.extend(policy::owner_ask(rq, "network", network));
        asks.push(take::site_ask(network));
        if provisioning::may_await_dhcp(text(item, "device_owner")) {
            asks.push(take::served_ask(network));
        }
        asks.push(security_group::default::ask(project));
        if let Ok(mac) = text(item, "mac_address").parse::<Mac>() {
            asks.push(Ask::new(MAC_TAKEN, p![network, mac.to_string()]));
        }
    }
    asks
}

/// Ports of one request whose questions are asked together; mostly they are the same for all of them.
const PORTS_AHEAD_MAX: usize = 8;

/// The MAC address asked for, or a fresh one.
async fn mac_address(rq: Rq<'_>, tx: &mut Tx, network: &str, body: &Body) -> Result<Mac, Stop> {
    match text(body, "mac_address").parse::<Mac>() {
        Err(_) => Ok(draw_mac(rq)),
        Ok(mac) => {
            check_mac_free(tx, network, mac).await?;
            Ok(mac)
        }
    }
}

const MAC_TAKEN: &str = "SELECT 1 FROM ports WHERE network_id = ? AND mac_address = ?";

pub(super) async fn check_mac_free(tx: &mut Tx, network: &str, mac: Mac) -> Result<(), Stop> {
    // Asked ahead, it does not know of what this request made since; run again, it has to.
    let rows = match tx.is_again() {
        true => tx.all(MAC_TAKEN, p![network, mac.to_string()]).await?,
        false => tx.all_once(MAC_TAKEN, p![network, mac.to_string()]).await?,
    };
    match rows.first() {
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
