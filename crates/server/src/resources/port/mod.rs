//! Ports: the resource, and what the binding, port-security, address-pair, DHCP-option and DNS extensions add.

pub mod binding;
mod changes;
mod create;
mod delete;
mod extras;
mod fill;
mod filter;
mod update;

pub use create::create_in;
pub use delete::delete_in;
pub use update::update_in;

use crate::attr::{self, Attr, Body, Check, Condition, Default, Filter, Home, Literal};
use crate::convert;
use crate::db::{Ask, Stop, Tx};
use crate::extension::{Hook, Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::record::Page;
use crate::request::Rq;
use crate::resources::rows::text;
use crate::store;
use futures_util::future::BoxFuture;
use std::collections::HashMap;

/// The collection.
pub static PORT: Resource = Resource {
    name: "port",
    collection: "ports",
    table: "ports",
    standard: true,
    attributes: &[
        attr::ID,
        attr::NAME,
        Attr::new("network_id").check(Check::Uuid).default(Default::Required).post_only().listed(),
        Attr::new("admin_state_up").convert(convert::to_boolean).default(Default::Bool(true)).listed(),
        Attr::new("mac_address")
            .convert(convert::to_sanitized_mac_address)
            .check(Check::MacAddressOrNone)
            .guarded()
            .listed()
            .filter(Filter::Custom(filter::mac_address)),
        Attr::new("fixed_ips")
            .convert(extras::canonical_addresses)
            .check(Check::FixedIps)
            .guarded()
            .filter(Filter::Custom(filter::fixed_ips))
            .home(Home::Filled(fill::addresses)),
        Attr::new("device_id").check(Check::String(255)).default(Default::Text("")).guarded().listed(),
        Attr::new("device_owner").check(Check::String(255)).default(Default::Text("")).guarded().listed(),
        attr::PROJECT_ID,
        Attr::new("status").read_only().listed(),
        Attr::new("ip_allocation").read_only().hidden(),
    ],
    quota: Some("port"),
    not_found: |id| Fault::PortNotFound { port_id: id.into() },
    rules: &Ports,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

/// `binding`
pub const BINDING: &[Attr] = &[
    Attr::new("binding:vif_type").read_only().guarded().home(Home::Filled(fill::bound)),
    Attr::new("binding:vif_details").read_only().guarded().home(Home::Filled(fill::bound)),
    Attr::new("binding:vnic_type")
        .check(Check::Values(VNIC_TYPES))
        .default(Default::Text("normal"))
        .guarded()
        .home(Home::Filled(fill::bound)),
    Attr::new("binding:host_id")
        .guarded()
        .filter(Filter::Custom(filter::host))
        .home(Home::Filled(fill::bound)),
    Attr::new("binding:profile").check(Check::DictOrNone).guarded().home(Home::Filled(fill::bound)),
];

const VNIC_TYPES: &[Literal] = &[
    Literal::Text("normal"),
    Literal::Text("direct"),
    Literal::Text("macvtap"),
    Literal::Text("baremetal"),
    Literal::Text("direct-physical"),
    Literal::Text("virtio-forwarder"),
    Literal::Text("smart-nic"),
    Literal::Text("vdpa"),
    Literal::Text("accelerator-direct"),
    Literal::Text("accelerator-direct-physical"),
    Literal::Text("remote-managed"),
];

/// `port-security`, for ports.
pub const PORT_SECURITY: Attr = Attr::new("port_security_enabled")
    .convert(convert::to_boolean)
    .missing(Default::Bool(true))
    .guarded()
    .home(Home::Side { table: "portsecuritybindings", key: "port_id", column: "port_security_enabled" });

/// `allowed-address-pairs`
pub const ADDRESS_PAIRS: Attr = Attr::new("allowed_address_pairs")
    .convert(convert::none_to_empty_list)
    .check(Check::Raising(extras::check_pairs))
    .guarded()
    .home(Home::Filled(fill::address_pairs));

/// `extra_dhcp_opt`
pub const DHCP_OPTIONS: Attr = Attr::new("extra_dhcp_opts")
    .check(Check::Raising(extras::check_dhcp_options))
    .default(Default::Null)
    .home(Home::Filled(fill::dhcp_options));

/// `dns-integration`, for ports.
pub const DNS: &[Attr] = &[
    Attr::new("dns_name")
        .convert(convert::string_to_case_insensitive)
        .check(Check::Custom(crate::resources::dns::host_name))
        .default(Default::Text(""))
        .home(Home::Filled(fill::addresses)),
    Attr::new("dns_assignment").read_only().home(Home::Filled(fill::addresses)),
];

/// Says what became of a port, once every extension has stored its part: to be the last hook on ports.
pub const ANNOUNCE: Hook = Hook { resource: "port", stored: announce_stored };

/// Ports on networks that a project owns.
fn visible(rq: Rq<'_>) -> Condition {
    Condition {
        sql: "ports.network_id IN (SELECT id FROM networks WHERE project_id = ?)".into(),
        params: vec![rq.ctx.project_id.as_deref().into()],
    }
}

/// The business rule of ports.
struct Ports;

impl Rules for Ports {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(create::create(rq, tx, body))
    }
    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(update::update(rq, tx, old, changes))
    }
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(delete::delete(rq, tx, old))
    }
    fn asks(&self, rq: Rq<'_>, bodies: &[Body]) -> Vec<Ask> {
        create::asks(rq, bodies)
    }
    fn wants_after(&self, page: &Page, row: usize) -> bool {
        let unbound = [binding::UNBOUND, binding::FAILED].contains(&page.text(row, "binding:vif_type"));
        // What is not shown here may be anything.
        let named = page.place("binding:host_id").is_none() || !page.text(row, "binding:host_id").is_empty();
        named && (unbound || page.place("binding:vif_type").is_none())
    }
    fn after<'a>(&'a self, rq: Rq<'a>, ids: &'a [String]) -> BoxFuture<'a, Result<Option<Page>, Fault>> {
        Box::pin(async move { crate::ml2::bind::bind_all(rq, ids).await.map_err(Stop::into_fault) })
    }
}

fn announce_stored<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    id: &'a str,
    old: Option<&'a Body>,
    _: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(announce(rq, tx, id, old.cloned()))
}

/// Announces a port as it now is: made where there is no `before`.
async fn announce(rq: Rq<'_>, tx: &mut Tx, id: &str, before: Option<Body>) -> Result<(), Stop> {
    let verb = if before.is_none() { Verb::Created } else { Verb::Updated };
    let after = store::get(rq, tx, &PORT, id).await?;
    tx.announce(Change { resource: "port", verb, id: id.to_string(), before, after });
    Ok(())
}

/// Raises a port's revision and announces it: something that belongs to it changed.
///
/// `before` is the port as it was before that change: whoever is told decides by the difference.
pub async fn touch(rq: Rq<'_>, tx: &mut Tx, id: &str, before: Body) -> Result<(), Stop> {
    store::touch(rq, tx, &PORT, id).await?;
    announce(rq, tx, id, Some(before)).await
}

/// As [`touch`], of all ports of a page, which holds them as they were before.
pub async fn touch_all(rq: Rq<'_>, tx: &mut Tx, before: &Page) -> Result<(), Stop> {
    store::touch_all(rq, tx, &PORT, before).await?;
    let ids: Vec<String> = before.column("id").into_iter().map(str::to_string).collect();
    let after = all(rq, tx, &ids).await?;
    let rows: HashMap<&str, usize> = after.column("id").into_iter().zip(0..).collect();
    for (row, id) in ids.iter().enumerate() {
        let after = rows.get(id.as_str()).map(|at| after.body(*at));
        let (verb, before, id) = (Verb::Updated, Some(before.body(row)), id.clone());
        tx.announce(Change { resource: "port", verb, id, before, after });
    }
    Ok(())
}

/// Ports as an admin sees them, those that are there.
pub async fn all(rq: Rq<'_>, tx: &mut Tx, ids: &[String]) -> Result<Page, Stop> {
    store::among(rq, tx, &PORT, ids, None).await
}

/// One port as an admin sees it.
pub async fn get(rq: Rq<'_>, tx: &mut Tx, id: &str) -> Result<Body, Stop> {
    let found = store::get(rq, tx, &PORT, id).await?;
    found.ok_or_else(|| Fault::PortNotFound { port_id: id.into() }.into())
}

/// Routers' interfaces belong to routers of the port's own project, unless an admin says otherwise.
async fn check_owner(rq: Rq<'_>, tx: &mut Tx, owner: &str, device: &str, project: &str) -> Result<(), Stop> {
    if !crate::ipam::plan::ROUTER_INTERFACES.contains(&owner) || rq.ctx.is_admin || device.is_empty() {
        return Ok(());
    }
    let row = tx.opt("SELECT project_id FROM routers WHERE id = ?", crate::p![device]).await?;
    match row {
        Some(row) if row.text(0) != project => {
            Err(Fault::DeviceIDNotOwnedByTenant { device_id: device.into() }.into())
        }
        _ => Ok(()),
    }
}

/// Whether a port is Neutron's own: nobody needs protection from it.
fn is_trusted(body: &Body) -> bool {
    text(body, "device_owner").starts_with("network:")
}
