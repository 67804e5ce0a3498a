//! Subnets: the resource, its lists, and what service types and default pools add.

mod auto;
pub mod check;
mod fill;
pub mod rules;
mod save;

pub use rules::remove;

use crate::attr::{self, Attr, Check, Condition, Default, Filter, Home, Literal};
use crate::convert;
use crate::db::{Val, marks};
use crate::extension::{Resource, Verbs};
use crate::fault::Fault;
use crate::request::Rq;
use crate::resources::rows;

const MODES: &[Literal] = &[
    Literal::Text("dhcpv6-stateful"),
    Literal::Text("dhcpv6-stateless"),
    Literal::Text("slaac"),
    Literal::Null,
];

/// The collection.
pub static SUBNET: Resource = Resource {
    name: "subnet",
    collection: "subnets",
    table: "subnets",
    standard: true,
    attributes: &[
        attr::ID,
        attr::NAME,
        Attr::new("ip_version")
            .convert(convert::to_int)
            .check(Check::Values(&[Literal::Int(4), Literal::Int(6)]))
            .default(Default::Required)
            .post_only()
            .listed(),
        Attr::new("network_id").check(Check::Uuid).default(Default::Required).post_only().listed(),
        Attr::new("subnetpool_id").check(Check::SubnetpoolIdOrNone).post_only().listed(),
        Attr::new("prefixlen")
            .convert(convert::to_int)
            .check(Check::NonNegative)
            .post_only()
            .hidden()
            .home(Home::Nowhere),
        Attr::new("cidr")
            .convert(convert::cidr_to_canonical_format)
            .check(Check::SubnetOrNone)
            .post_only()
            .listed()
            .filter(Filter::Custom(by_cidr)),
        Attr::new("gateway_ip")
            .convert(convert::ip_to_canonical_format)
            .check(Check::IpAddressOrNone)
            .listed(),
        Attr::new("allocation_pools")
            .convert(convert::allocation_pools_to_canonical_format)
            .check(Check::IpPools)
            .home(Home::Filled(fill::pools)),
        Attr::new("dns_nameservers")
            .convert(convert::none_to_empty_list)
            .check(Check::Nameservers)
            .home(Home::Filled(fill::dns_nameservers)),
        Attr::new("host_routes")
            .convert(convert::none_to_empty_list)
            .check(Check::HostRoutes)
            .home(Home::Filled(fill::host_routes)),
        attr::PROJECT_ID,
        Attr::new("enable_dhcp").convert(convert::to_boolean).default(Default::Bool(true)).listed(),
        Attr::new("ipv6_ra_mode").check(Check::Values(MODES)).post_only().listed(),
        Attr::new("ipv6_address_mode").check(Check::Values(MODES)).post_only().listed(),
        Attr::new("shared")
            .read_only()
            .hidden()
            .guarded()
            .filter(Filter::Custom(shared))
            .home(Home::Filled(fill::shared)),
    ],
    quota: Some("subnet"),
    not_found: |id| Fault::SubnetNotFound { subnet_id: id.into() },
    rules: &rules::Subnets,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

/// `subnet-service-types`
pub const SERVICE_TYPES: Attr = Attr::new("service_types")
    .check(Check::Raising(check::service_types))
    .home(Home::Filled(fill::service_types));

/// `default-subnetpools`
pub const USE_DEFAULT_POOL: Attr = Attr::new("use_default_subnetpool")
    .convert(convert::to_boolean)
    .default(Default::Bool(false))
    .post_only()
    .hidden()
    .home(Home::Nowhere);

/// `subnet-external-network`
pub const EXTERNAL: Attr = Attr::new("router:external")
    .read_only()
    .guarded()
    .filter(Filter::Custom(external))
    .home(Home::Filled(fill::external));

/// Subnets of networks that are shared with a project.
fn visible(rq: Rq<'_>) -> Condition {
    Condition {
        sql: "subnets.network_id IN (SELECT object_id FROM networkrbacs WHERE action IN ('access_as_shared', 'access_as_external') AND target_project IN ('*', ?))".into(),
        params: vec![rq.ctx.project_id.as_deref().into()],
    }
}

fn shared(rq: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let not = rows::not_unless(values)?;
    Ok(Condition {
        sql: format!(
            "subnets.network_id {not}IN (SELECT object_id FROM networkrbacs WHERE action = 'access_as_shared' AND target_project IN ('*', ?))"
        ),
        params: vec![rq.ctx.project_id.as_deref().into()],
    })
}

fn external(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let not = rows::not_unless(values)?;
    let sql = format!("subnets.network_id {not}IN (SELECT network_id FROM externalnetworks)");
    Ok(Condition { sql, params: Vec::new() })
}

/// Ranges are compared by what they are, not by how they are written.
fn by_cidr(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let canonical = |text: &String| match text.parse::<ipnet::IpNet>() {
        Ok(net) => Val::from(net.trunc().to_string()),
        Err(_) => Val::from(text),
    };
    let sql = format!("subnets.cidr IN ({})", marks(values.len()));
    Ok(Condition { sql, params: values.iter().map(canonical).collect() })
}
