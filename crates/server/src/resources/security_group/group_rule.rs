//! The resource `security_group_rule`.

use super::group::{self, SECURITY_GROUP};
use super::{default, rule};
use crate::attr::{self, Attr, Body, Check, Condition, Default, Home, Literal};
use crate::db::{Stop, Tx};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store::{self, Query};
use futures_util::future::BoxFuture;
use serde_json::Value;

/// `direction`
pub const DIRECTION: Attr = Attr::new("direction")
    .post_only()
    .default(Default::Required)
    .check(Check::Values(&[Literal::Text("ingress"), Literal::Text("egress")]))
    .listed();
/// `protocol`
pub const PROTOCOL: Attr =
    Attr::new("protocol").post_only().default(Default::Null).convert(rule::convert_protocol).listed();
/// `port_range_min`
pub const PORT_RANGE_MIN: Attr =
    Attr::new("port_range_min").post_only().default(Default::Null).convert(rule::convert_port).listed();
/// `port_range_max`
pub const PORT_RANGE_MAX: Attr =
    Attr::new("port_range_max").post_only().default(Default::Null).convert(rule::convert_port).listed();
/// `ethertype`
pub const ETHERTYPE: Attr = Attr::new("ethertype")
    .post_only()
    .default(Default::Text("IPv4"))
    .convert(rule::convert_ethertype)
    .listed();
/// `remote_ip_prefix`
pub const REMOTE_IP_PREFIX: Attr =
    Attr::new("remote_ip_prefix").post_only().default(Default::Null).convert(rule::convert_prefix).listed();
/// `remote_group_id`
pub const REMOTE_GROUP_ID: Attr =
    Attr::new("remote_group_id").post_only().default(Default::Null).convert(rule::convert_group).listed();

/// `security_group_rules`
pub static SECURITY_GROUP_RULE: Resource = Resource {
    name: "security_group_rule",
    collection: "security_group_rules",
    table: "securitygrouprules",
    standard: true,
    attributes: &[
        attr::ID,
        Attr::new("security_group_id")
            .post_only()
            .default(Default::Required)
            .check(Check::String(36))
            .listed(),
        REMOTE_GROUP_ID,
        DIRECTION,
        PROTOCOL,
        PORT_RANGE_MIN,
        PORT_RANGE_MAX,
        ETHERTYPE,
        REMOTE_IP_PREFIX,
        attr::PROJECT_ID,
    ],
    quota: Some("security_group_rule"),
    not_found: |id| Fault::SecurityGroupRuleNotFound { id: id.into() },
    rules: &GroupRules,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

/// Rules of one's own groups, whoever made them.
fn visible(rq: Rq<'_>) -> Condition {
    Condition {
        sql: "securitygrouprules.security_group_id IN (SELECT securitygroups.id FROM securitygroups WHERE securitygroups.project_id = ?)"
            .into(),
        params: vec![rq.ctx.project_id.as_ref().into()],
    }
}

struct GroupRules;

impl Rules for GroupRules {
    fn create<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        mut body: Body,
    ) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            rule::check(&mut body)?;
            let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
            let (project, group) = (text("project_id"), text("security_group_id"));
            let remote = Some(text("remote_group_id")).filter(|id| !id.is_empty());
            for id in remote.into_iter().chain([group.clone()]) {
                if group::usable(rq, tx, std::slice::from_ref(&id), Some(&project)).await?.is_empty() {
                    return Err(Fault::SecurityGroupNotFound { id }.into());
                }
            }
            refuse_twin(rq, tx, &group, &body).await?;
            insert(rq, tx, body, &group, &project).await
        })
    }

    fn update<'a>(
        &'a self,
        _: Rq<'a>,
        _: &'a mut Tx,
        _: &'a Body,
        _: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        let text = "Security group rules cannot be updated".to_string();
        Box::pin(async { Err(Fault::BadRequest { text }.into()) })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let text = |name: &str| old.get(name).and_then(Value::as_str).unwrap_or_default();
            store::touch(rq, tx, &SECURITY_GROUP, text("security_group_id")).await?;
            remove(rq, tx, text("id"), old.clone()).await
        })
    }

    fn check_bulk(&self, bodies: &[Body]) -> Result<(), Fault> {
        rule::check_together(bodies)
    }

    fn before_list<'a>(
        &'a self,
        rq: Rq<'a>,
        filters: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(default::before_list(rq, filters))
    }
}

async fn refuse_twin(rq: Rq<'_>, tx: &mut Tx, group: &str, body: &Body) -> Result<(), Stop> {
    let query = Query::by(&SECURITY_GROUP_RULE, "security_group_id", group);
    let there = store::list(rq, tx, &SECURITY_GROUP_RULE, &query).await?;
    let key = rule::key(body);
    let twin = (0..there.rows.len()).find(|row| rule::key(&there.body(*row)) == key);
    match twin {
        Some(row) => {
            Err(Fault::SecurityGroupRuleExists { rule_id: there.text(row, "id").to_string() }.into())
        }
        None => Ok(()),
    }
}

/// Stores a checked rule in a group.
pub(super) async fn insert(
    rq: Rq<'_>,
    tx: &mut Tx,
    mut body: Body,
    group: &str,
    project: &str,
) -> Result<String, Stop> {
    let id = rq.app.fresh_id();
    body.insert("id".into(), Value::from(id.as_str()));
    body.insert("security_group_id".into(), Value::from(group));
    body.insert("project_id".into(), Value::from(project));
    store::insert(rq, tx, &SECURITY_GROUP_RULE, &body).await?;
    store::touch(rq, tx, &SECURITY_GROUP, group).await?;
    let after = store::get(rq, tx, &SECURITY_GROUP_RULE, &id).await?;
    tx.announce(Change {
        resource: "security_group_rule",
        verb: Verb::Created,
        id: id.clone(),
        before: None,
        after,
    });
    Ok(id)
}

async fn remove(rq: Rq<'_>, tx: &mut Tx, id: &str, rule: Body) -> Result<(), Stop> {
    store::delete(rq, tx, &SECURITY_GROUP_RULE, id).await?;
    tx.announce(Change {
        resource: "security_group_rule",
        verb: Verb::Deleted,
        id: id.to_string(),
        before: Some(rule),
        after: None,
    });
    Ok(())
}

/// Removes the rules of a group and those of others that name it as their remote group.
pub(super) async fn delete_with_group(rq: Rq<'_>, tx: &mut Tx, group: &str) -> Result<(), Stop> {
    let sql = "securitygrouprules.security_group_id = ? OR securitygrouprules.remote_group_id = ?";
    let condition = Condition { sql: sql.into(), params: p![group, group].to_vec() };
    let query = Query { wheres: vec![condition], ..Query::default() };
    let rules = store::list(rq, tx, &SECURITY_GROUP_RULE, &query).await?;
    for row in 0..rules.rows.len() {
        let of = rules.text(row, "security_group_id").to_string();
        if of != group {
            store::touch(rq, tx, &SECURITY_GROUP, &of).await?;
        }
        let id = rules.text(row, "id").to_string();
        remove(rq, tx, &id, rules.body(row)).await?;
    }
    Ok(())
}

/// `normalized_cidr`: the remote prefix without its host bits.
pub const NORMALIZED_CIDR: Attr =
    Attr::new("normalized_cidr").read_only().home(Home::Filled(fill_normalized));

fn fill_normalized<'a>(_: Rq<'a>, _: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    for row in 0..page.rows.len() {
        let normalized = rule::normalized(page.text(row, "remote_ip_prefix"));
        page.set(row, "normalized_cidr", normalized.into());
    }
    Box::pin(async { Ok(()) })
}

/// `belongs_to_default_sg`: whether the rule's group is its project's default group.
pub const BELONGS_TO_DEFAULT_SG: Attr = Attr::new("belongs_to_default_sg")
    .read_only()
    .filter(attr::Filter::Custom(filter_default))
    .home(Home::Filled(fill_default));

fn filter_default(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let wanted = values.iter().any(|v| v.eq_ignore_ascii_case("true") || v == "1");
    let not = if wanted { "" } else { "NOT " };
    let sql = format!("{not}EXISTS ({} = securitygrouprules.security_group_id)", default::IS_DEFAULT);
    Ok(Condition { sql, params: Vec::new() })
}

fn fill_default<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let mut groups: Vec<String> =
            page.column("security_group_id").into_iter().map(str::to_string).collect();
        groups.sort();
        groups.dedup();
        let sql = format!(
            "SELECT security_group_id FROM default_security_group WHERE security_group_id IN ({})",
            crate::db::marks(groups.len())
        );
        let params: Vec<_> = groups.iter().map(crate::db::Val::from).collect();
        let defaults: Vec<String> = tx.all(&sql, &params).await?.iter().map(|row| row.text(0)).collect();
        for row in 0..page.rows.len() {
            let is_default = defaults.iter().any(|group| group == page.text(row, "security_group_id"));
            page.set(row, "belongs_to_default_sg", Cell::Bool(is_default));
        }
        Ok(())
    })
}
