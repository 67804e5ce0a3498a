//! `quotas`: the limits of projects, by routes of their own as upstream has them.

use crate::attr::Body;
use crate::check::{Wrong, check};
use crate::convert;
use crate::db::{Stop, Tx};
use crate::extension::{Answer, Call, Method, Route};
use crate::fault::Fault;
use crate::p;
use crate::policy::enforce_rule;
use crate::request::Rq;
use futures_util::future::BoxFuture;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The paths; the fixed ones stand before the one with a project, which would take them.
pub const ROUTES: &[Route] = &[
    Route { method: Method::Get, path: "/quotas", run: list },
    Route { method: Method::Get, path: "/quotas/tenant", run: tenant },
    Route { method: Method::Get, path: "/quotas/project", run: project },
    Route { method: Method::Get, path: "/quotas/{id}", run: show },
    Route { method: Method::Put, path: "/quotas/{id}", run: update },
    Route { method: Method::Delete, path: "/quotas/{id}", run: delete },
    Route { method: Method::Get, path: "/quotas/{id}/default", run: default },
];

/// `quota_details`
pub const DETAILS: &[Route] = &[Route { method: Method::Get, path: "/quotas/{id}/details", run: details }];

/// The greatest limit the table holds.
const LIMIT_MAX: i64 = 2_147_483_647;

/// The table of routers' static routes, which belong to their routers' projects.
const ROUTER_ROUTES: &str = "routerroutes";

type Run<'a> = BoxFuture<'a, Result<Answer, Fault>>;

fn ok(body: Value) -> Answer {
    Answer { status: 200, body: Some(body) }
}

/// What has a quota: (name, table), in the order of the names.
fn resources(rq: Rq<'_>) -> BTreeMap<&'static str, &'static str> {
    let shapes = rq.app.catalog.shapes().iter();
    let declared = shapes.filter_map(|shape| Some((shape.resource.quota?, shape.resource.table)));
    let routes = rq.app.catalog.has("extraroute").then_some(("router_route", ROUTER_ROUTES));
    declared.chain(routes).collect()
}

fn defaults(rq: Rq<'_>) -> BTreeMap<String, i64> {
    resources(rq).keys().map(|name| ((*name).to_string(), rq.app.limits.now().of(name))).collect()
}

/// The limits of projects that have their own.
async fn own(tx: &mut Tx, project: Option<&str>) -> Result<BTreeMap<String, Vec<(String, i64)>>, Stop> {
    let mut sql = "SELECT project_id, resource, `limit` FROM quotas".to_string();
    let mut params = Vec::new();
    if let Some(project) = project {
        sql += " WHERE project_id = ?";
        params.push(project.into());
    }
    let mut own: BTreeMap<String, Vec<(String, i64)>> = BTreeMap::new();
    for row in tx.all(&format!("{sql} ORDER BY project_id, resource"), &params).await? {
        own.entry(row.text(0)).or_default().push((row.text(1), row.int(2)));
    }
    Ok(own)
}

fn with_own(mut limits: BTreeMap<String, i64>, own: Option<&Vec<(String, i64)>>) -> BTreeMap<String, i64> {
    for (name, limit) in own.into_iter().flatten() {
        if let Some(known) = limits.get_mut(name) {
            *known = *limit;
        }
    }
    limits
}

async fn limits(rq: Rq<'_>, tx: &mut Tx, project: &str) -> Result<BTreeMap<String, i64>, Stop> {
    let own = own(tx, Some(project)).await?;
    Ok(with_own(defaults(rq), own.values().next()))
}

async fn allowed(rq: Rq<'_>, tx: &mut Tx, rule: &str) -> Result<(), Stop> {
    let target: Body = [("project_id".to_string(), json!(rq.ctx.project_id))].into_iter().collect();
    enforce_rule(rq, tx, rule, &target).await
}

/// A project's own quota may be seen without a rule.
async fn may_see(rq: Rq<'_>, tx: &mut Tx, project: &str) -> Result<(), Stop> {
    match rq.ctx.project_id.as_deref() == Some(project) {
        true => Ok(()),
        false => allowed(rq, tx, "get_quota").await,
    }
}

fn first(call: &Call) -> &str {
    call.path.first().map(String::as_str).unwrap_or_default()
}

fn list(rq: Rq<'_>, _: Call) -> Run<'_> {
    Box::pin(async move { list_in(rq).await.map_err(Stop::into_fault) })
}

async fn list_in(rq: Rq<'_>) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    allowed(rq, &mut tx, "get_quota").await?;
    let all = own(&mut tx, None).await?;
    let one = |(project, own): (&String, &Vec<(String, i64)>)| {
        let mut shown: Map<String, Value> =
            with_own(defaults(rq), Some(own)).into_iter().map(|(n, l)| (n, json!(l))).collect();
        shown.insert("project_id".into(), json!(project));
        shown.insert("tenant_id".into(), json!(project));
        Value::Object(shown)
    };
    Ok(ok(json!({"quotas": all.iter().map(one).collect::<Vec<_>>()})))
}

fn caller(rq: Rq<'_>, name: &str) -> Result<Answer, Fault> {
    let project = rq.ctx.project_id.as_ref().ok_or(Fault::QuotaMissingTenant {})?;
    Ok(ok(json!({name: {format!("{name}_id"): project}})))
}

fn tenant(rq: Rq<'_>, _: Call) -> Run<'_> {
    Box::pin(async move { caller(rq, "tenant") })
}

fn project(rq: Rq<'_>, _: Call) -> Run<'_> {
    Box::pin(async move { caller(rq, "project") })
}

fn show(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { show_in(rq, first(&call)).await.map_err(Stop::into_fault) })
}

async fn show_in(rq: Rq<'_>, project: &str) -> Result<Answer, Stop> {
    let mut tx = rq.app.db.read().await?;
    may_see(rq, &mut tx, project).await?;
    Ok(ok(json!({"quota": limits(rq, &mut tx, project).await?})))
}

fn default(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
        may_see(rq, &mut tx, first(&call)).await.map_err(Stop::into_fault)?;
        Ok(ok(json!({"quota": defaults(rq)})))
    })
}

fn details(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move { details_in(rq, first(&call)).await.map_err(Stop::into_fault) })
}

async fn details_in(rq: Rq<'_>, project: &str) -> Result<Answer, Stop> {
    if rq.ctx.project_id.as_deref() != Some(project) && !rq.ctx.is_admin {
        let reason = "Only admin is authorized to access quotas for another project".into();
        return Err(Fault::AdminRequired { reason }.into());
    }
    let mut tx = rq.app.db.read().await?;
    let limits = limits(rq, &mut tx, project).await?;
    let mut shown = Map::new();
    for (name, table) in resources(rq) {
        let used = used(&mut tx, table, project).await?;
        let limit = limits.get(name).copied().unwrap_or(-1);
        shown.insert(name.into(), json!({"limit": limit, "used": used, "reserved": 0}));
    }
    Ok(ok(json!({"quota": shown})))
}

async fn used(tx: &mut Tx, table: &str, project: &str) -> Result<i64, Stop> {
    let sql = match table {
        ROUTER_ROUTES => "SELECT COUNT(*) FROM routerroutes AS t JOIN routers AS r ON r.id = t.router_id \
             WHERE r.project_id = ?"
            .to_string(),
        table => format!("SELECT COUNT(*) FROM {table} WHERE project_id = ?"),
    };
    let row = tx.opt(&sql, p![project]).await?;
    Ok(row.map_or(0, |row| row.int(0)))
}

/// What a PUT asks for, converted and checked in upstream's order.
fn wanted(rq: Rq<'_>, mut body: Map<String, Value>) -> Result<BTreeMap<String, i64>, Fault> {
    let known = resources(rq);
    body.remove("check_limit");
    // Upstream completes either name of the owner by the other before it finds that it knows neither.
    for (one, other) in [("tenant_id", "project_id"), ("project_id", "tenant_id")] {
        if let Some(project) = body.get(one).cloned() {
            body.entry(other).or_insert(project);
        }
    }
    let unknown: Vec<&str> =
        body.keys().map(String::as_str).filter(|name| !known.contains_key(name)).collect();
    if !unknown.is_empty() {
        return Err(Fault::UnrecognizedAttribute { attr: unknown.join(", ") });
    }
    let mut wanted = BTreeMap::new();
    for (name, value) in body {
        let value = convert::to_int(value)?;
        check(&crate::attr::Check::Range(-1, LIMIT_MAX), &value).map_err(|wrong| match wrong {
            Wrong::Reason(reason) => Fault::InvalidInput { attr: name.clone(), reason },
            Wrong::Fault(fault) => fault,
        })?;
        wanted.insert(name, value.as_i64().unwrap_or(-1));
    }
    Ok(wanted)
}

struct Update<'a> {
    rq: Rq<'a>,
    project: &'a str,
    wanted: BTreeMap<String, i64>,
    force: bool,
}

async fn store(tx: &mut Tx, update: &Update<'_>) -> Result<(), Stop> {
    let Update { rq, project, wanted, force } = update;
    let tables = resources(*rq);
    for (name, limit) in wanted {
        let used = match tables.get(name.as_str()) {
            Some(table) if !force && *limit >= 0 => used(tx, table, project).await?,
            _ => 0,
        };
        if *limit >= 0 && used > *limit {
            let text = format!(
                "Quota limit {limit} for {name} must be greater than or equal to already used {used}"
            );
            return Err(Fault::BadRequest { text }.into());
        }
        let sql = "UPDATE quotas SET `limit` = ? WHERE project_id = ? AND resource = ?";
        if tx.exec(sql, p![*limit, *project, name]).await?.affected == 0 {
            let sql = "INSERT INTO quotas (id, project_id, resource, `limit`) VALUES (?, ?, ?, ?)";
            tx.exec(sql, p![rq.app.fresh_id(), *project, name, *limit]).await?;
        }
    }
    Ok(())
}

fn update(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        {
            let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
            allowed(rq, &mut tx, "update_quota").await.map_err(Stop::into_fault)?;
        }
        let missing = || Fault::BadRequest { text: "Unable to find 'quota' in request body".into() };
        let mut body = call.body.get("quota").and_then(Value::as_object).cloned().ok_or_else(missing)?;
        let force = body.remove("force") == Some(Value::Bool(true));
        let project = first(&call);
        let update = Update { rq, project, wanted: wanted(rq, body)?, force };
        rq.app.write(store, &update).await.map_err(Stop::into_fault)?;
        let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
        let limits = limits(rq, &mut tx, project).await.map_err(Stop::into_fault)?;
        Ok(ok(json!({"quota": limits})))
    })
}

async fn remove(tx: &mut Tx, (rq, project): &(Rq<'_>, &str)) -> Result<(), Stop> {
    allowed(*rq, tx, "delete_quota").await?;
    let done = tx.exec("DELETE FROM quotas WHERE project_id = ?", p![*project]).await?;
    match done.affected {
        0 => Err(Fault::TenantQuotaNotFound { tenant_id: (*project).to_string() }.into()),
        _ => Ok(()),
    }
}

fn delete(rq: Rq<'_>, call: Call) -> Run<'_> {
    Box::pin(async move {
        rq.app.write(remove, &(rq, first(&call))).await.map_err(Stop::into_fault)?;
        Ok(Answer { status: 204, body: None })
    })
}
