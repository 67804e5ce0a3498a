//! Subnet pools: prefixes that subnets are cut from.

mod allocate;
mod fill;
pub mod rules;

pub use allocate::{Pool, allocate_any, allocate_exact, of_new_subnet};

use crate::attr::{self, Attr, Check, Condition, Default, Filter, Home};
use crate::convert;
use crate::extension::{Action, Method, Resource, Verbs};
use crate::fault::Fault;
use crate::request::Rq;
use crate::resources::rows;
use serde_json::Value;

/// A length of prefixes: upstream shows these as texts.
const fn length(name: &'static str) -> Attr {
    Attr::new(name).convert(convert::to_int).check(Check::NonNegative).listed().filter(Filter::Custom(
        match name.as_bytes() {
            b"default_prefixlen" => |_, v| number("default_prefixlen", v),
            b"min_prefixlen" => |_, v| number("min_prefixlen", v),
            _ => |_, v| number("max_prefixlen", v),
        },
    ))
}

/// The collection.
pub static SUBNETPOOL: Resource = Resource {
    name: "subnetpool",
    collection: "subnetpools",
    table: "subnetpools",
    standard: true,
    attributes: &[
        attr::ID,
        Attr::new("name").check(Check::NotEmptyNameString(255)).default(Default::Required).listed(),
        attr::PROJECT_ID,
        Attr::new("prefixes")
            .check(Check::SubnetList)
            .default(Default::Required)
            .home(Home::Filled(fill::prefixes)),
        Attr::new("default_quota").convert(convert::to_int).check(Check::NonNegative).listed(),
        Attr::new("ip_version").read_only().listed(),
        length("default_prefixlen"),
        length("min_prefixlen"),
        length("max_prefixlen"),
        Attr::new("is_default").convert(convert::to_boolean).default(Default::Bool(false)).guarded().listed(),
        Attr::new("shared")
            .convert(convert::to_boolean)
            .default(Default::Bool(false))
            .post_only()
            .guarded()
            .listed()
            .filter(Filter::Custom(shared)),
    ],
    quota: Some("subnetpool"),
    not_found: |id| Fault::SubnetPoolNotFound { subnetpool_id: id.into() },
    rules: &rules::Subnetpools,
    actions: ACTIONS,
    visible: Some(visible),
    verbs: Verbs::ALL,
};

const ACTIONS: &[Action] = &[
    Action { name: "add_prefixes", method: Method::Put, policy: "add_prefixes", run: rules::add_prefixes },
    Action {
        name: "remove_prefixes",
        method: Method::Put,
        policy: "remove_prefixes",
        run: rules::remove_prefixes,
    },
];

fn number(column: &str, values: &[String]) -> Result<Condition, Fault> {
    let read = |v: &String| {
        let value = convert::to_int(Value::from(v.as_str()))?;
        Ok(crate::db::Val::Int(value.as_i64().unwrap_or_default()))
    };
    let params = values.iter().map(read).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Condition { sql: format!("subnetpools.{column} IN ({})", crate::db::marks(params.len())), params })
}

fn visible(rq: Rq<'_>) -> Condition {
    Condition {
        sql: "subnetpools.id IN (SELECT object_id FROM subnetpoolrbacs WHERE action = 'access_as_shared' AND target_project IN ('*', ?))".into(),
        params: vec![rq.ctx.project_id.as_deref().into()],
    }
}

fn shared(rq: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let not = rows::not_unless(values)?;
    Ok(Condition {
        sql: format!(
            "subnetpools.id {not}IN (SELECT object_id FROM subnetpoolrbacs WHERE action = 'access_as_shared' AND target_project IN ('*', ?))"
        ),
        params: vec![rq.ctx.project_id.as_deref().into()],
    })
}
