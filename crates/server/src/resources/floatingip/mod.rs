//! Floating IPs: addresses of an external network that lead to a port behind a router.

pub mod association;

use crate::attr::{self, Attr, Body, Check, Default, Home};
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::dns;
use crate::resources::router::{self, gateway, ports, rows};
use crate::store;
use association::Association;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::collections::HashMap;

/// `device_owner` of the ports that hold the addresses.
pub const OWNER: &str = "network:floatingip";

/// `floatingips`
pub static FLOATINGIP: Resource = Resource {
    name: "floatingip",
    collection: "floatingips",
    table: "floatingips",
    standard: true,
    attributes: &[
        attr::ID,
        Attr::new("floating_ip_address")
            .post_only()
            .default(Default::Null)
            .check(Check::IpAddressOrNone)
            .guarded()
            .listed(),
        Attr::new("subnet_id")
            .post_only()
            .default(Default::Null)
            .check(Check::UuidOrNone)
            .hidden()
            .home(Home::Nowhere),
        Attr::new("floating_network_id").post_only().default(Default::Required).check(Check::Uuid).listed(),
        Attr::new("router_id").default(Default::Null).check(Check::UuidOrNone).guarded().listed(),
        Attr::new("port_id")
            .default(Default::Null)
            .check(Check::UuidOrNone)
            .filtered()
            .home(Home::Column("fixed_port_id")),
        Attr::new("fixed_ip_address").default(Default::Null).check(Check::IpAddressOrNone).listed(),
        attr::PROJECT_ID,
        Attr::new("status").read_only().listed(),
        Attr::new("floating_port_id").read_only().hidden(),
        Attr::new("last_known_router_id").read_only().hidden(),
    ],
    quota: Some("floatingip"),
    not_found: |id| Fault::FloatingIPNotFound { floatingip_id: id.into() },
    rules: &FloatingIps,
    actions: &[],
    visible: None,
    verbs: Verbs::SINGLE,
};

struct FloatingIps;

impl Rules for FloatingIps {
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
}

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

async fn create(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    let network = text(&body, "floating_network_id").to_string();
    check_network(rq, tx, &network).await?;
    let id = rq.app.fresh_id();
    let port = make_port(rq, tx, &network, &id, &body).await?;
    let ips = rows::fixed_ips(tx, &[&port]).await?.remove(&port).unwrap_or_default();
    let Some(address) = ips.into_iter().find(|ip| !ip.is_v6()) else {
        return Err(Fault::ExternalIpAddressExhausted { net_id: network }.into());
    };
    body.insert("id".into(), json!(id));
    body.insert("status".into(), json!("DOWN"));
    body.insert("floating_ip_address".into(), json!(address.ip_address));
    body.insert("floating_port_id".into(), json!(port));
    let asked = association::asked(rq, tx, &body, &body).await?;
    store_association(&mut body, asked.as_ref());
    store::insert(rq, tx, &FLOATINGIP, &body).await.map_err(|stop| twin(stop, &body))?;
    let after = store::get(rq, tx, &FLOATINGIP, &id).await?;
    tx.announce(Change { resource: "floatingip", verb: Verb::Created, id: id.clone(), before: None, after });
    Ok(id)
}

async fn check_network(rq: Rq<'_>, tx: &mut Tx, network: &str) -> Result<(), Stop> {
    let bad = |msg: String| Fault::FloatingipBadRequest { msg };
    if !router::visible(rq, tx, "network", network).await? {
        return Err(Fault::NetworkNotFound { net_id: network.into() }.into());
    }
    if !gateway::is_external(tx, network).await? {
        return Err(bad(format!("Network {network} is not a valid external network")).into());
    }
    let subnets = rows::subnets(tx, "network_id", &[network]).await?;
    if !subnets.iter().any(|subnet| subnet.ip_version == 4) {
        return Err(bad(format!("Network {network} does not contain any IPv4 subnet")).into());
    }
    Ok(())
}

/// The port that holds the address. It belongs to no project: users do not see it.
async fn make_port(rq: Rq<'_>, tx: &mut Tx, network: &str, id: &str, body: &Body) -> Result<String, Stop> {
    let mut port = json!({"project_id": "", "network_id": network, "admin_state_up": true, "device_id": id,
        "device_owner": OWNER, "status": "N/A", "name": ""});
    let mut ip = Body::new();
    for (from, to) in [("subnet_id", "subnet_id"), ("floating_ip_address", "ip_address")] {
        if let Some(Value::String(given)) = body.get(from) {
            ip.insert(to.into(), json!(given));
        }
    }
    if !ip.is_empty() {
        port["fixed_ips"] = json!([ip]);
    }
    let port = ports::create(rq, tx, port).await?;
    // Upstream makes the port first, and then writes the floating IP's id into it.
    router::bump(rq, tx, "ports", &port, 1).await?;
    Ok(port)
}

fn store_association(body: &mut Body, association: Option<&Association>) {
    let set = |value: Option<&String>| json!(value);
    body.insert("port_id".into(), set(association.map(|a| &a.port_id)));
    body.insert("fixed_ip_address".into(), set(association.map(|a| &a.fixed_ip_address)));
    body.insert("router_id".into(), set(association.map(|a| &a.router_id)));
}

/// Two requests led two floating IPs of one network to one address: the later one is refused.
fn twin(stop: Stop, body: &Body) -> Stop {
    match stop {
        Stop::Duplicate(key) if key.contains("fixedipaddress") => association::taken(body).into(),
        other => other,
    }
}

async fn update(rq: Rq<'_>, tx: &mut Tx, old: &Body, mut changes: Body) -> Result<(), Stop> {
    let id = text(old, "id");
    // Upstream dissociates on an empty body, and keeps the port when something else is given.
    let keeps = !changes.is_empty() && !changes.contains_key("port_id") && !text(old, "port_id").is_empty();
    let keeps = keeps && changes.get("fixed_ip_address").is_none_or(Value::is_null);
    if keeps {
        for key in ["port_id", "fixed_ip_address"] {
            changes.insert(key.into(), old.get(key).cloned().unwrap_or(Value::Null));
        }
    }
    if keeps && text(&changes, "router_id").is_empty() {
        changes.insert("router_id".into(), old.get("router_id").cloned().unwrap_or(Value::Null));
    } else {
        let asked = association::asked(rq, tx, &changes, old).await?;
        store_association(&mut changes, asked.as_ref());
    }
    changes.insert("last_known_router_id".into(), old.get("router_id").cloned().unwrap_or(Value::Null));
    let mut whole = old.clone();
    whole.extend(changes.clone());
    store::update(rq, tx, &FLOATINGIP, id, &changes).await.map_err(|stop| twin(stop, &whole))?;
    announce_update(rq, tx, id, old).await
}

async fn announce_update(rq: Rq<'_>, tx: &mut Tx, id: &str, old: &Body) -> Result<(), Stop> {
    let after = store::get(rq, tx, &FLOATINGIP, id).await?;
    let (id, before) = (id.to_string(), Some(old.clone()));
    tx.announce(Change { resource: "floatingip", verb: Verb::Updated, id, before, after });
    Ok(())
}

async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    store::delete(rq, tx, &FLOATINGIP, id).await?;
    ports::delete(rq, tx, text(old, "floating_port_id")).await?;
    tx.announce(Change {
        resource: "floatingip",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(old.clone()),
        after: None,
    });
    Ok(())
}

/// Before a port goes: floating IPs that lead to it lead nowhere from now on. One that the caller may not
/// see cannot be taken away that way.
pub async fn disassociate(rq: Rq<'_>, tx: &mut Tx, port: &str) -> Result<(), Stop> {
    let found =
        store::list(rq, tx, &FLOATINGIP, &store::Query::by(&FLOATINGIP, "fixed_port_id", port)).await?;
    for row in 0..found.rows.len() {
        let old = found.body(row);
        if !rq.ctx.is_admin && old.get("project_id").and_then(Value::as_str) != rq.ctx.project_id.as_deref() {
            return Err(Fault::FipAssociated { port_id: port.into() }.into());
        }
        let nowhere = json!({"port_id": null, "fixed_ip_address": null, "router_id": null});
        let nowhere = nowhere.as_object().cloned().unwrap_or_default();
        let id = text(&old, "id");
        store::update(rq, tx, &FLOATINGIP, id, &nowhere).await?;
        announce_update(rq, tx, id, &old).await?;
    }
    Ok(())
}

/// Before a network goes: floating IPs of it that lead nowhere go with it.
pub async fn delete_unused(rq: Rq<'_>, tx: &mut Tx, network: &str) -> Result<(), Stop> {
    let mut query = store::Query::by(&FLOATINGIP, "floating_network_id", network);
    query.wheres.push(attr::Condition {
        sql: "floatingips.router_id IS NULL AND floatingips.fixed_port_id IS NULL".into(),
        params: Vec::new(),
    });
    let found = store::list(rq, tx, &FLOATINGIP, &query).await?;
    for row in 0..found.rows.len() {
        delete(rq, tx, &found.body(row)).await?;
    }
    Ok(())
}

/// `dns-integration`, for floating IPs. Without a DNS service behind it, upstream checks names and domains and
/// keeps none; what such a service's Neutron left in the database is shown.
pub const DNS: &[Attr] = &[
    Attr::new("dns_name")
        .post_only()
        .convert(convert::string_to_case_insensitive)
        .check(Check::Custom(dns::host_name))
        .default(Default::Text(""))
        .home(Home::Filled(fill_dns)),
    Attr::new("dns_domain")
        .post_only()
        .convert(convert::string_to_case_insensitive)
        .check(Check::Custom(dns::domain))
        .default(Default::Text(""))
        .home(Home::Filled(fill_dns)),
];

fn fill_dns<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let ids: Vec<String> = page.column("id").into_iter().map(str::to_string).collect();
        let mut names: HashMap<String, (String, String)> = HashMap::new();
        for ids in ids.chunks(rows::IDS_PER_STATEMENT_MAX) {
            let sql = format!(
                "SELECT floatingip_id, dns_name, dns_domain FROM floatingipdnses WHERE floatingip_id IN ({})",
                marks(ids.len())
            );
            let params: Vec<Val> = ids.iter().map(Val::from).collect();
            for row in tx.all(&sql, &params).await? {
                names.insert(row.text(0), (row.text(1), row.text(2)));
            }
        }
        for (row, id) in ids.iter().enumerate() {
            let (name, domain) = names.remove(id).unwrap_or_default();
            page.set(row, "dns_name", Cell::Text(name));
            page.set(row, "dns_domain", Cell::Text(domain));
        }
        Ok(())
    })
}

/// `port_details` (alias `fip-port-details`): the port that the address leads to.
pub const PORT_DETAILS: Attr = Attr::new("port_details").read_only().home(Home::Filled(fill_details));

fn fill_details<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let mut ids: Vec<String> =
            page.column("port_id").into_iter().filter(|id| !id.is_empty()).map(str::to_string).collect();
        ids.sort();
        ids.dedup();
        let mut details: HashMap<String, Value> = HashMap::new();
        for ids in ids.chunks(rows::IDS_PER_STATEMENT_MAX) {
            let sql = format!(
                "SELECT id, name, network_id, mac_address, admin_state_up, status, device_id, device_owner FROM ports WHERE id IN ({})",
                marks(ids.len())
            );
            let params: Vec<Val> = ids.iter().map(Val::from).collect();
            for row in tx.all(&sql, &params).await? {
                let port = json!({"name": row.text(1), "network_id": row.text(2), "mac_address": row.text(3),
                    "admin_state_up": row.flag(4), "status": row.text(5), "device_id": row.text(6),
                    "device_owner": row.text(7)});
                details.insert(row.text(0), port);
            }
        }
        for row in 0..page.rows.len() {
            let port = details.get(page.text(row, "port_id"));
            page.set(row, "port_details", port.map_or(Cell::Null, |port| Cell::Json(port.to_string())));
        }
        Ok(())
    })
}
