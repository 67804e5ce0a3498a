//! The template of new groups' rules: the resource `default_security_group_rule`.

use super::group_rule::{
    DIRECTION, ETHERTYPE, PORT_RANGE_MAX, PORT_RANGE_MIN, PROTOCOL, REMOTE_GROUP_ID, REMOTE_IP_PREFIX,
};
use super::rule;
use crate::attr::{self, Attr, Body};
use crate::convert;
use crate::db::{Stop, Tx};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::p;
use crate::request::Rq;
use crate::store;
use futures_util::future::BoxFuture;
use serde_json::Value;

/// In `remote_group_id` of a template: the group that is being made.
const PARENT: &str = "PARENT";

/// `default_security_group_rules`
pub static DEFAULT_SECURITY_GROUP_RULE: Resource = Resource {
    name: "default_security_group_rule",
    collection: "default_security_group_rules",
    table: "securitygroupdefaultrules",
    standard: true,
    attributes: &[
        attr::ID,
        REMOTE_GROUP_ID,
        DIRECTION,
        PROTOCOL,
        PORT_RANGE_MIN,
        PORT_RANGE_MAX,
        ETHERTYPE,
        REMOTE_IP_PREFIX,
        Attr::new("used_in_default_sg").post_only().convert(convert::to_boolean).filtered(),
        Attr::new("used_in_non_default_sg").post_only().convert(convert::to_boolean).filtered(),
    ],
    quota: None,
    not_found: |id| Fault::DefaultSecurityGroupRuleNotFound { id: id.into() },
    rules: &Templates,
    actions: &[],
    visible: Some(|_| attr::Condition { sql: "1 = 1".into(), params: Vec::new() }),
    verbs: Verbs { update: false, ..Verbs::SINGLE },
};

struct Templates;

impl Rules for Templates {
    fn create<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        mut body: Body,
    ) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            rule::check(&mut body)?;
            refuse_twin(tx, &body).await?;
            let id = rq.app.fresh_id();
            body.insert("id".into(), Value::from(id.as_str()));
            store::insert(rq, tx, &DEFAULT_SECURITY_GROUP_RULE, &body).await?;
            Ok(id)
        })
    }

    fn update<'a>(
        &'a self,
        _: Rq<'a>,
        _: &'a mut Tx,
        _: &'a Body,
        _: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async { Ok(()) })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            store::delete(rq, tx, &DEFAULT_SECURITY_GROUP_RULE, id).await
        })
    }
}

const COLUMNS: &str = "id, direction, ethertype, protocol, port_range_min, port_range_max, remote_ip_prefix, remote_group_id, used_in_default_sg, used_in_non_default_sg";

/// All templates, with their ids.
async fn all(tx: &mut Tx) -> Result<Vec<Body>, Stop> {
    let rows = tx
        .all(&format!("SELECT {COLUMNS} FROM securitygroupdefaultrules ORDER BY standard_attr_id"), p![])
        .await?;
    let names = COLUMNS.split(", ").collect::<Vec<_>>();
    Ok(rows
        .iter()
        .map(|row| {
            let cell = |at: usize| match row.value(at) {
                crate::db::Val::Null => Value::Null,
                crate::db::Val::Int(number) => Value::from(number),
                crate::db::Val::Text(text) => Value::from(text),
            };
            names.iter().enumerate().map(|(at, name)| ((*name).to_string(), cell(at))).collect()
        })
        .collect())
}

/// What new groups get: the rules of the template for default groups, or for others, with `id` in the place
/// of the group itself.
pub(super) async fn rules_for(tx: &mut Tx, is_default: bool, id: &str) -> Result<Vec<Body>, Stop> {
    let used_in = if is_default { "used_in_default_sg" } else { "used_in_non_default_sg" };
    let mut rules = all(tx).await?;
    rules.retain(|rule| rule.get(used_in) == Some(&Value::from(1)));
    for rule in &mut rules {
        if rule.get("remote_group_id").and_then(Value::as_str) == Some(PARENT) {
            rule.insert("remote_group_id".into(), Value::from(id));
        }
        rule.insert("description".into(), Value::Null);
        rule.retain(|name, _| {
            !["id", "used_in_default_sg", "used_in_non_default_sg"].contains(&name.as_str())
        });
    }
    Ok(rules)
}

/// Upstream looks at the wrong level of the body for `used_in_…`: a new template is only ever compared with
/// those for groups that are no default groups.
async fn refuse_twin(tx: &mut Tx, body: &Body) -> Result<(), Stop> {
    let key = rule::key(body);
    let twin = all(tx).await?.into_iter().find(|there| {
        there.get("used_in_non_default_sg") == Some(&Value::from(1)) && rule::key(there) == key
    });
    match twin.as_ref().and_then(|twin| twin.get("id")).and_then(Value::as_str) {
        Some(id) => Err(Fault::DefaultSecurityGroupRuleExists { rule_id: id.to_string() }.into()),
        None => Ok(()),
    }
}

/// The template that upstream's migration puts into a new database: what default groups let in and out.
pub const SEED: [Seed; 4] = [
    Seed { direction: "egress", ethertype: "IPv4", in_others: true },
    Seed { direction: "egress", ethertype: "IPv6", in_others: true },
    Seed { direction: "ingress", ethertype: "IPv4", in_others: false },
    Seed { direction: "ingress", ethertype: "IPv6", in_others: false },
];

/// One row of [`SEED`]. Rules for incoming packets let the group's own members in.
pub struct Seed {
    direction: &'static str,
    ethertype: &'static str,
    in_others: bool,
}

/// Stores [`SEED`] in a new database.
pub async fn seed(tx: &mut Tx) -> Result<(), Stop> {
    for row in SEED {
        let description = format!("Legacy default SG rule for {} traffic", row.direction);
        let key = tx
            .exec(
                "INSERT INTO standardattributes (resource_type, description) VALUES (?, ?)",
                p!["securitygroupdefaultrules", description],
            )
            .await?
            .last_id;
        let remote = (row.direction == "ingress").then_some(PARENT);
        tx.exec(
            "INSERT INTO securitygroupdefaultrules (id, standard_attr_id, direction, ethertype, remote_group_id, used_in_default_sg, used_in_non_default_sg) VALUES (?, ?, ?, ?, ?, 1, ?)",
            p![uuid::Uuid::new_v4().to_string(), key, row.direction, row.ethertype, remote, row.in_others],
        )
        .await?;
    }
    Ok(())
}
