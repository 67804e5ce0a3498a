//! What making, changing and removing a network means.

use super::{NETWORK, external, segments};
use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::extension::Rules;
use crate::fault::Fault;
use crate::ml2::allocation;
use crate::ml2::segment::{Kind, Wanted, invalid, network_mtu};
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::resources::rows::{flag, items, number, text};
use crate::resources::{port, security_group, subnet};
use crate::store::{self, Awaits, Insert};
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// The business rule of networks.
pub struct Networks;

/// Owners of ports that go away with their network or subnet.
pub const AUTO_DELETED: &str = "'network:dhcp', 'network:distributed', 'network:floatingip_agent_gateway'";

/// The least MTU that IPv4 and IPv6 need, in bytes.
const IPV4_MTU_MIN: i64 = 68;
const IPV6_MTU_MIN: i64 = 1280;

impl Rules for Networks {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(create(rq, tx, body))
    }
    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(update(rq, tx, old, changes))
    }
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(delete(rq, tx, old))
    }
    fn asks(&self, rq: Rq<'_>, bodies: &[Body]) -> Vec<Ask> {
        asks(rq, bodies)
    }
}

/// What making the first of some networks asks, where it is a project's of no particular kind.
fn asks(rq: Rq<'_>, bodies: &[Body]) -> Vec<Ask> {
    let Some(body) = bodies.first().filter(|body| !flag(body, "router:external")) else { return Vec::new() };
    let free = segments::wanted(&rq.app.ml2, body).is_ok_and(|wanted| wanted.is_empty());
    let segment = if free { allocation::ask(&rq.app.ml2.project_types) } else { None };
    segment.into_iter().chain([security_group::default::ask(text(body, "project_id"))]).collect()
}

async fn create(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    let ml2 = &rq.app.ml2;
    let id = rq.app.fresh_id();
    let project = text(&body, "project_id").to_string();
    let outside = flag(&body, "router:external");
    let taken = segments::reserve(tx, ml2, &body, outside).await?;
    let asked = u32::try_from(number(&body, "mtu")).unwrap_or(u32::MAX);
    body.insert("mtu".into(), json!(network_mtu(ml2, &taken, asked, true)?));
    body.insert("id".into(), json!(id));
    body.insert("status".into(), json!("ACTIVE"));
    store::insert_as(rq, tx, &NETWORK, &body, Insert { revision: 0, awaits: Awaits::Nothing }).await?;
    segments::store(rq, tx, &id, &taken).await?;
    if flag(&body, "shared") {
        external::grant_all(rq, tx, &id, &project, external::SHARED).await?;
    }
    if outside {
        external::open(rq, tx, &id, &project, true).await?;
    }
    insert_domain(tx, &id, text(&body, "dns_domain")).await?;
    store_hints(tx, &id, items(&body, "availability_zone_hints")).await?;
    // Upstream writes the row twice in its transaction, and clients see the number.
    store::touch(rq, tx, &NETWORK, &id).await?;
    announce(rq, tx, Verb::Created, &id, None).await?;
    Ok(id)
}

async fn announce(rq: Rq<'_>, tx: &mut Tx, verb: Verb, id: &str, before: Option<Body>) -> Result<(), Stop> {
    let after = store::get(rq, tx, &NETWORK, id).await?;
    tx.announce(Change { resource: "network", verb, id: id.to_string(), before, after });
    Ok(())
}

async fn store_domain(tx: &mut Tx, id: &str, domain: &str) -> Result<bool, Stop> {
    let sql = "SELECT dns_domain FROM networkdnsdomains WHERE network_id = ?";
    let old = tx.opt(sql, p![id]).await?.map(|row| row.text(0)).unwrap_or_default();
    if old == domain {
        return Ok(false);
    }
    tx.queue("DELETE FROM networkdnsdomains WHERE network_id = ?", p![id]).await?;
    insert_domain(tx, id, domain).await?;
    Ok(true)
}

async fn insert_domain(tx: &mut Tx, id: &str, domain: &str) -> Result<(), Stop> {
    if domain.is_empty() {
        return Ok(());
    }
    tx.queue("INSERT INTO networkdnsdomains (network_id, dns_domain) VALUES (?, ?)", p![id, domain]).await
}

async fn store_hints(tx: &mut Tx, id: &str, hints: &[Value]) -> Result<(), Stop> {
    if hints.is_empty() {
        return Ok(());
    }
    let sql = "SELECT DISTINCT availability_zone FROM agents WHERE agent_type = 'DHCP agent'";
    let known: BTreeSet<String> = tx.all(sql, p![]).await?.iter().map(|row| row.text(0)).collect();
    for hint in hints.iter().filter_map(Value::as_str) {
        if !known.contains(hint) {
            return Err(Fault::AvailabilityZoneNotFound { availability_zone: hint.into() }.into());
        }
    }
    let sql = "UPDATE networks SET availability_zone_hints = ? WHERE id = ?";
    tx.queue(sql, p![json!(hints).to_string(), id]).await
}

async fn update(rq: Rq<'_>, tx: &mut Tx, old: &Body, mut changes: Body) -> Result<(), Stop> {
    let id = text(old, "id").to_string();
    let project = text(old, "project_id").to_string();
    update_provider(rq, tx, old, &changes).await?;
    let mut touched = false;
    if let Some(shared) = changes.remove("shared").and_then(|v| v.as_bool()) {
        touched |= update_shared(rq, tx, old, shared).await?;
    }
    if let Some(mtu) = changes.get("mtu").and_then(Value::as_i64) {
        check_mtu(tx, &id, mtu).await?;
        let own: Vec<Wanted> = segments::of(tx, &id).await?.into_iter().map(|s| s.what).collect();
        let asked = u32::try_from(mtu).unwrap_or(u32::MAX);
        changes.insert("mtu".into(), json!(network_mtu(&rq.app.ml2, &own, asked, true)?));
    }
    match changes.get("router:external").and_then(Value::as_bool) {
        Some(outside) if outside != external::is_external(tx, &id).await? => {
            touched = true;
            if outside {
                external::open(rq, tx, &id, &project, true).await?;
            } else {
                external::close(tx, &id).await?;
            }
        }
        Some(_) | None => {}
    }
    if let Some(domain) = changes.get("dns_domain").and_then(Value::as_str) {
        touched |= store_domain(tx, &id, domain).await?;
    }
    store::update(rq, tx, &NETWORK, &id, &changes).await?;
    if touched {
        store::touch(rq, tx, &NETWORK, &id).await?;
    }
    announce(rq, tx, Verb::Updated, &id, Some(old.clone())).await
}

/// Of the provider attributes only a VLAN id may change, and only where no port hangs on it. The network's
/// revision stays, as upstream.
async fn update_provider(rq: Rq<'_>, tx: &mut Tx, old: &Body, changes: &Body) -> Result<(), Stop> {
    let fixed = ["provider:network_type", "provider:physical_network"];
    for name in fixed {
        let differs = changes.get(name).is_some_and(|v| !v.is_null() && Some(v) != old.get(name));
        if differs {
            let words = "Plugin does not support updating the following provider network attributes";
            return Err(invalid(format!("{words}: {}", fixed.join(", "))).into());
        }
    }
    let Some(segment_id) =
        changes.get("provider:segmentation_id").and_then(Value::as_i64).filter(|n| *n != 0)
    else {
        return Ok(());
    };
    let network = text(old, "id");
    let own = segments::of(tx, network).await?;
    let [segment] = own.as_slice() else {
        let words =
            "Provider network attributes can be updated only in provider networks with a single segment.";
        return Err(invalid(words).into());
    };
    let sql = "SELECT 1 FROM ports JOIN ml2_port_bindings AS b ON b.port_id = ports.id WHERE ports.network_id = ? AND b.vif_type NOT IN ('unbound', 'binding_failed') LIMIT 1";
    if tx.opt(sql, p![network]).await?.is_some() {
        let words = "Provider network attribute provider:segmentation_id cannot be updated if any port in the network has not the following binding:vif_type: unbound, binding_failed";
        return Err(invalid(words).into());
    }
    if segment.what.kind != Kind::Vlan {
        return Err(invalid("Only VLAN type networks can be updated.").into());
    }
    let new = Wanted { segmentation_id: Some(segment_id), ..segment.what.clone() };
    new.check(&rq.app.ml2)?;
    allocation::reserve(tx, &rq.app.ml2, &new).await?;
    tx.exec("UPDATE networksegments SET segmentation_id = ? WHERE id = ?", p![segment_id, &segment.id])
        .await?;
    allocation::release(tx, &rq.app.ml2, &segment.what).await?;
    Ok(())
}

async fn update_shared(rq: Rq<'_>, tx: &mut Tx, old: &Body, shared: bool) -> Result<bool, Stop> {
    let id = text(old, "id");
    let sql = "SELECT target_project FROM networkrbacs WHERE object_id = ? AND action = ?";
    let targets: BTreeSet<String> =
        tx.all(sql, p![id, external::SHARED]).await?.iter().map(|row| row.text(0)).collect();
    match (targets.contains("*"), shared) {
        (true, true) | (false, false) => return Ok(false),
        (false, true) => {
            external::grant_all(rq, tx, id, text(old, "project_id"), external::SHARED).await?;
            return Ok(true);
        }
        (true, false) => {}
    }
    let sql = "SELECT project_id FROM ports WHERE network_id = ? AND device_owner NOT LIKE 'network:%' UNION SELECT project_id FROM subnets WHERE network_id = ?";
    let users: Vec<String> = tx.all(sql, p![id, id]).await?.iter().map(|row| row.text(0)).collect();
    let owner = text(old, "project_id");
    if users.iter().any(|user| user != owner && !targets.contains(user)) {
        return Err(Fault::InvalidSharedSetting { network: text(old, "name").into() }.into());
    }
    let sql = "DELETE FROM networkrbacs WHERE object_id = ? AND action = ? AND target_project = '*'";
    tx.exec(sql, p![id, external::SHARED]).await?;
    Ok(true)
}

async fn check_mtu(tx: &mut Tx, id: &str, mtu: i64) -> Result<(), Stop> {
    if mtu >= IPV6_MTU_MIN {
        return Ok(());
    }
    let versions = tx.all("SELECT DISTINCT ip_version FROM subnets WHERE network_id = ?", p![id]).await?;
    let versions: Vec<i64> = versions.iter().map(|row| row.int(0)).collect();
    check_subnet_mtu(id, mtu, &versions)?;
    Ok(())
}

/// Whether a network's MTU can carry subnets of these IP versions; 0 is no bound here.
pub fn check_subnet_mtu(network: &str, mtu: i64, versions: &[i64]) -> Result<(), Fault> {
    let refused =
        |least: i64| Err(Fault::NetworkMTUSubnetConflict { net_id: network.into(), mtu: least.to_string() });
    match versions {
        [] => Ok(()),
        _ if mtu < IPV4_MTU_MIN => refused(IPV4_MTU_MIN),
        _ if mtu < IPV6_MTU_MIN && versions.contains(&6) => refused(IPV6_MTU_MIN),
        _ => Ok(()),
    }
}

async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    // Upstream removes the floating IPs that nobody uses before it looks for ports.
    crate::resources::floatingip::delete_unused(rq, tx, id).await?;
    let sql = format!(
        "SELECT id FROM ports WHERE network_id = ? AND device_owner NOT IN ({AUTO_DELETED}) ORDER BY id"
    );
    let users: Vec<String> = tx.all(&sql, p![id]).await?.iter().map(|row| row.text(0)).collect();
    if !users.is_empty() {
        let reason = format!(
            "There are one or more ports still in use on the network, id for these ports is: {}",
            users.join(",")
        );
        return Err(Fault::NetworkInUse { net_id: id.into(), reason }.into());
    }
    let own = tx.all("SELECT id FROM ports WHERE network_id = ?", p![id]).await?;
    for row in own {
        port::delete_in(rq, tx, &row.text(0)).await?;
    }
    for row in tx.all("SELECT id FROM subnets WHERE network_id = ?", p![id]).await? {
        subnet::remove(rq, tx, &row.text(0)).await?;
    }
    segments::release(tx, &rq.app.ml2, id).await?;
    store::delete(rq, tx, &NETWORK, id).await?;
    tx.announce(Change {
        resource: "network",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(old.clone()),
        after: None,
    });
    Ok(())
}
