//! Networks: the resource, what the provider, external-net, MTU, port-security, DNS and zone extensions add.

pub mod external;
mod fill;
pub mod rules;
pub mod segments;

use crate::attr::{self, Attr, Check, Condition, Default, Filter, Home};
use crate::convert;
use crate::db::{Val, marks};
use crate::extension::{Resource, Verbs};
use crate::fault::Fault;
use crate::request::Rq;
use crate::resources::rows;

/// The collection.
pub static NETWORK: Resource = Resource {
    name: "network",
    collection: "networks",
    table: "networks",
    standard: true,
    attributes: &[
        attr::ID,
        attr::NAME,
        Attr::new("subnets").read_only().home(Home::Filled(fill::subnets)),
        Attr::new("admin_state_up").convert(convert::to_boolean).default(Default::Bool(true)).listed(),
        Attr::new("status").read_only().listed(),
        attr::PROJECT_ID,
        Attr::new("shared")
            .convert(convert::to_boolean)
            .default(Default::Bool(false))
            .guarded()
            .filter(Filter::Custom(shared))
            .home(Home::Filled(fill::shared)),
    ],
    quota: Some("network"),
    not_found: |id| Fault::NetworkNotFound { net_id: id.into() },
    rules: &rules::Networks,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

/// `provider`: the physical realisation of a network with one segment.
pub const PROVIDER: &[Attr] = &[
    Attr::new("provider:network_type")
        .check(Check::String(32))
        .guarded()
        .filter(Filter::Custom(|_, v| Ok(segment("network_type", v))))
        .home(Home::Filled(fill::provider)),
    Attr::new("provider:physical_network")
        .check(Check::String(64))
        .guarded()
        .filter(Filter::Custom(|_, v| Ok(segment("physical_network", v))))
        .home(Home::Filled(fill::provider)),
    Attr::new("provider:segmentation_id")
        .convert(convert::to_int)
        .guarded()
        .filter(Filter::Custom(|_, v| Ok(segment("segmentation_id", v))))
        .home(Home::Filled(fill::provider)),
];

/// `multi-provider`: the segments of a network with several.
pub const SEGMENTS: Attr = Attr::new("segments")
    .convert(segments::convert)
    .check(Check::Raising(segments::check))
    .guarded()
    .home(Home::Filled(fill::provider));

/// `external-net`
pub const EXTERNAL: Attr = Attr::new("router:external")
    .convert(convert::to_boolean)
    .default(Default::Bool(false))
    .guarded()
    .filter(Filter::Custom(is_external))
    .home(Home::Filled(fill::external));

/// `net-mtu-writable`
pub const MTU: Attr = Attr::new("mtu")
    .convert(convert::to_int)
    .check(Check::NonNegative)
    .default(Default::Int(0))
    .guarded()
    .listed();

/// `port-security`, for networks.
pub const PORT_SECURITY: Attr = Attr::new("port_security_enabled")
    .convert(convert::to_boolean)
    .default(Default::Bool(true))
    .missing(Default::Bool(true))
    .guarded()
    .home(Home::Side {
        table: "networksecuritybindings",
        key: "network_id",
        column: "port_security_enabled",
    });

/// `dns-integration`, for networks. Its row is there only while there is a domain.
pub const DNS_DOMAIN: Attr = Attr::new("dns_domain")
    .convert(convert::string_to_case_insensitive)
    .check(Check::Custom(crate::resources::dns::domain))
    .default(Default::Text(""))
    .home(Home::Filled(fill::dns_domain));

/// `network_availability_zone`
pub const ZONES: &[Attr] = &[
    Attr::new("availability_zone_hints")
        .check(Check::UniqueStrings(255))
        .default(Default::EmptyList)
        .post_only()
        .home(Home::Filled(fill::zone_hints)),
    Attr::new("availability_zones").read_only().home(Home::Filled(fill::zones)),
];

/// Networks shared with a project, or with all.
fn visible(rq: Rq<'_>) -> Condition {
    Condition {
        sql: "networks.id IN (SELECT object_id FROM networkrbacs WHERE action IN ('access_as_shared', 'access_as_external') AND target_project IN ('*', ?))".into(),
        params: vec![rq.ctx.project_id.as_deref().into()],
    }
}

fn shared(rq: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let not = rows::not_unless(values)?;
    Ok(Condition {
        sql: format!(
            "networks.id {not}IN (SELECT object_id FROM networkrbacs WHERE action = 'access_as_shared' AND target_project IN ('*', ?))"
        ),
        params: vec![rq.ctx.project_id.as_deref().into()],
    })
}

fn is_external(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let not = rows::not_unless(values)?;
    Ok(Condition {
        sql: format!("networks.id {not}IN (SELECT network_id FROM externalnetworks)"),
        params: Vec::new(),
    })
}

fn segment(column: &str, values: &[String]) -> Condition {
    let sql = format!(
        "networks.id IN (SELECT network_id FROM networksegments WHERE {column} IN ({}))",
        marks(values.len())
    );
    let number = column == "segmentation_id";
    let val = |v: &String| match v.parse::<i64>() {
        Ok(n) if number => Val::Int(n),
        _ => Val::from(v),
    };
    Condition { sql, params: if number { values.iter().map(val).collect() } else { rows::params(values) } }
}
