//! The resource `security_group`.

use super::group_rule::{self, SECURITY_GROUP_RULE};
use super::{default, template};
use crate::attr::{self, Attr, Body, Check, Condition, Default, Filter, Home};
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::p;
use crate::quota;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rbac;
use crate::store::{self, Query};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::HashMap;

/// `security_groups`
pub static SECURITY_GROUP: Resource = Resource {
    name: "security_group",
    collection: "security_groups",
    table: "securitygroups",
    standard: true,
    attributes: &[
        attr::ID,
        Attr::new("name").check(Check::NameNotDefault(255)).default(Default::Text("")).listed(),
        attr::PROJECT_ID,
        Attr::new("security_group_rules").read_only().home(Home::Filled(fill_rules)),
    ],
    quota: Some("security_group"),
    not_found: |id| Fault::SecurityGroupNotFound { id: id.into() },
    rules: &Groups,
    actions: &[],
    visible: Some(visible),
    verbs: Verbs::ALL,
};

fn visible(rq: Rq<'_>) -> Condition {
    rbac::shared_with("securitygroups", "securitygrouprbacs", rq.ctx.project_id.as_deref())
}

struct Groups;

impl Rules for Groups {
    fn create<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        mut body: Body,
    ) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            default::ensure_owner(rq, tx, &body).await?;
            let id = rq.app.fresh_id();
            body.insert("id".into(), Value::from(id.as_str()));
            insert(rq, tx, body, false).await?;
            Ok(id)
        })
    }

    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            let turned = changes.get("stateful").is_some_and(|new| Some(new) != old.get("stateful"));
            if turned && in_use(tx, id).await? {
                return Err(Fault::SecurityGroupInUse { id: id.into() }.into());
            }
            if default::is_default_group(old) && changes.contains_key("name") {
                return Err(Fault::SecurityGroupCannotUpdateDefault {}.into());
            }
            store::update(rq, tx, &SECURITY_GROUP, id, &changes).await?;
            announce(rq, tx, Verb::Updated, id, Some(old.clone())).await
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let id = old.get("id").and_then(Value::as_str).unwrap_or_default();
            if in_use(tx, id).await? {
                return Err(Fault::SecurityGroupInUse { id: id.into() }.into());
            }
            if default::is_default_group(old) && !rq.ctx.is_admin {
                return Err(Fault::SecurityGroupCannotRemoveDefault {}.into());
            }
            group_rule::delete_with_group(rq, tx, id).await?;
            store::delete(rq, tx, &SECURITY_GROUP, id).await?;
            tx.announce(Change {
                resource: "security_group",
                verb: Verb::Deleted,
                id: id.to_string(),
                before: Some(old.clone()),
                after: None,
            });
            Ok(())
        })
    }

    fn before_list<'a>(
        &'a self,
        rq: Rq<'a>,
        filters: &'a [(String, String)],
    ) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(default::before_list(rq, filters))
    }
}

async fn in_use(tx: &mut Tx, id: &str) -> Result<bool, Stop> {
    let sql = "SELECT 1 FROM securitygroupportbindings WHERE security_group_id = ? LIMIT 1";
    Ok(tx.opt(sql, p![id]).await?.is_some())
}

/// Stores a group with the rules that the template gives to groups of its kind.
pub(super) async fn insert(rq: Rq<'_>, tx: &mut Tx, body: Body, is_default: bool) -> Result<(), Stop> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let (id, project) = (text("id"), text("project_id"));
    store::insert(rq, tx, &SECURITY_GROUP, &body).await?;
    let mut rules = template::rules_for(tx, is_default, &id).await?;
    rules.iter_mut().for_each(|rule| drop(rule.insert("project_id".into(), Value::from(project.as_str()))));
    quota::check(rq, tx, &SECURITY_GROUP_RULE, &rules, Vec::new()).await?;
    for rule in rules {
        group_rule::insert(rq, tx, rule, &id, &project).await?;
    }
    announce(rq, tx, Verb::Created, &id, None).await
}

async fn announce(rq: Rq<'_>, tx: &mut Tx, verb: Verb, id: &str, before: Option<Body>) -> Result<(), Stop> {
    let after = store::get(rq, tx, &SECURITY_GROUP, id).await?;
    tx.announce(Change { resource: "security_group", verb, id: id.to_string(), before, after });
    Ok(())
}

/// The groups with these ids that the caller may use, of one project if one is named: id and `stateful`.
pub(super) async fn usable(
    rq: Rq<'_>,
    tx: &mut Tx,
    ids: &[String],
    project: Option<&str>,
) -> Result<Vec<(String, bool)>, Stop> {
    let mut sql = format!("SELECT id, stateful FROM securitygroups WHERE id IN ({})", marks(ids.len()));
    let mut params: Vec<Val> = ids.iter().map(Val::from).collect();
    let asking = rq.ctx.project_id.as_deref().filter(|_| !rq.ctx.sees_all());
    for project in [project.filter(|_| !rq.ctx.is_admin), asking].into_iter().flatten() {
        let shared = rbac::shared_with("securitygroups", "securitygrouprbacs", Some(project));
        sql.push_str(&format!(" AND (securitygroups.project_id = ? OR {})", shared.sql));
        params.push(project.into());
        params.extend(shared.params);
    }
    let rows = tx.all(&sql, &params).await?;
    Ok(rows.iter().map(|row| (row.text(0), row.flag(1))).collect())
}

/// `security_group_rules`: the rules of all groups of a page.
fn fill_rules<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let ids: Vec<String> = page.column("id").into_iter().map(str::to_string).collect();
        let mut rules: HashMap<String, Vec<Body>> = HashMap::new();
        for ids in ids.chunks(GROUPS_PER_STATEMENT_MAX) {
            let query = Query::among(&SECURITY_GROUP_RULE, "security_group_id", ids);
            let found = store::list(rq, tx, &SECURITY_GROUP_RULE, &query).await?;
            for row in 0..found.rows.len() {
                let group = found.text(row, "security_group_id").to_string();
                rules.entry(group).or_default().push(inside(found.body(row)));
            }
        }
        for (row, id) in ids.iter().enumerate() {
            let own = rules.remove(id).unwrap_or_default();
            page.set(row, "security_group_rules", Cell::Json(Value::from_iter(own).to_string()));
        }
        Ok(())
    })
}

/// A rule as it is shown inside its group. Upstream's `belongs_to_default_sg` there depends on the request
/// (null in lists), and tells nothing that the group does not; its key in the database is nobody's business.
fn inside(mut rule: Body) -> Body {
    rule.remove("belongs_to_default_sg");
    rule.remove("standard_attr_id");
    rule.insert("tags".into(), Value::Array(Vec::new()));
    rule
}

/// Ids in one `IN (…)`.
const GROUPS_PER_STATEMENT_MAX: usize = 500;

/// `stateful`: whether answers to what a rule let through pass by themselves.
pub const STATEFUL: Attr =
    Attr::new("stateful").convert(convert::to_boolean).default(Default::Bool(true)).filtered();

/// `shared`: whether the group is shared with the asking project.
pub const SHARED: Attr = Attr::new("shared")
    .read_only()
    .guarded()
    .filter(Filter::Custom(filter_shared))
    .home(Home::Filled(fill_shared));

fn filter_shared(rq: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    rbac::filter_shared(visible(rq), values)
}

fn fill_shared<'a>(rq: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(rbac::fill_shared(rq, tx, page, "securitygrouprbacs"))
}
