//! Create, show, update, delete and member actions of any declared resource.
//!
//! Order as upstream's: body, quota, `If-Match`, policy, the resource's own rule. Everything that decides
//! happens inside the transaction that changes; what the client sees is read after the commit.

use crate::api::admit::{self, Admitted, Verb};
use crate::api::answer::Reply;
use crate::api::{Asked, list, view};
use crate::app::App;
use crate::attr::{Body, Condition};
use crate::catalog::Shape;
use crate::db::{Stop, Tx};
use crate::extension::{Action, Method};
use crate::fault::Fault;
use crate::policy::{self, Doing};
use crate::quota;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store::{self, Query};
use oslo::context::Context;
use serde_json::Value;
use std::collections::HashMap;

/// The identity with what policy says it may, by rules that are looked at anew where their files have changed.
pub fn with_powers(app: &App, ctx: Context) -> Context {
    app.policy.refresh((app.clock)());
    app.policy.with_powers(ctx)
}

/// Restricts rows to those the caller may know of: own ones, and what the resource adds to them.
pub fn visibility(rq: Rq<'_>, shape: &Shape) -> Option<Condition> {
    if rq.ctx.sees_all() {
        return None;
    }
    let more = shape.resource.visible.map(|visible| visible(rq));
    if shape.place("project_id").is_none() {
        return more;
    }
    let mut own = Condition {
        sql: format!("{}.project_id = ?", shape.resource.table),
        params: vec![rq.ctx.project_id.clone().into()],
    };
    if let Some(more) = more {
        own.sql = format!("{} OR {}", own.sql, more.sql);
        own.params.extend(more.params);
    }
    Some(own)
}

/// One row that the caller may know of, or the resource's 404.
async fn visible(rq: Rq<'_>, tx: &mut Tx, shape: &Shape, id: &str) -> Result<Page, Stop> {
    let page = match visibility(rq, shape) {
        None => store::row(rq, tx, shape.resource, id).await?,
        Some(visible) => {
            let mut query = Query::by(shape.resource, "id", id);
            query.wheres.push(visible);
            store::list(rq, tx, shape.resource, &query).await?
        }
    };
    if page.rows.is_empty() { Err((shape.resource.not_found)(id).into()) } else { Ok(page) }
}

/// The revision that `If-Match` demands.
fn if_match(asked: &Asked) -> Result<Option<i64>, Fault> {
    let bad = |msg: &str| Fault::BadResourceRequest { resource: "if-match".into(), msg: msg.into() };
    let mut revision = None;
    for tag in asked.header("if-match").unwrap_or_default().split(',') {
        let tag = tag.trim().trim_start_matches("W/").trim_matches('"');
        let Some(number) = tag.strip_prefix("revision_number=") else { continue };
        if revision.is_some() {
            return Err(bad("Multiple revision_number etags are not supported."));
        }
        let number = crate::py::int_of(number)
            .ok_or_else(|| bad("Revision number etag must be in the format of revision_number=<int>"))?;
        revision = Some(number);
    }
    Ok(revision)
}

fn constrain(old: &Body, expected: Option<i64>) -> Result<(), Fault> {
    let current = old.get("revision_number").and_then(Value::as_i64);
    match (expected, current) {
        (Some(expected), Some(current)) if expected != current => {
            Err(Fault::RevisionNumberConstraintFailed {
                expected: expected.to_string(),
                current: current.to_string(),
            })
        }
        _ => Ok(()),
    }
}

fn admitted(rq: Rq<'_>, shape: &Shape, asked: &Asked, verb: Verb) -> Result<Option<Admitted>, Fault> {
    if asked.body.is_empty() {
        return Ok(None);
    }
    let form = asked.header("content-type").is_some_and(|kind| kind.starts_with("multipart/"));
    if form {
        return Err(admit::invalid_data());
    }
    admit::bodies(shape, rq.ctx, admit::object(&asked.body)?, verb)
}

struct Create<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    items: &'a [Body],
    bulk: bool,
}

/// What a transaction leaves to show: rows, and the places that the caller may see.
struct Shown {
    page: Page,
    places: Vec<usize>,
}

/// Rows by their ids, as the caller may see them.
async fn shown(rq: Rq<'_>, tx: &mut Tx, shape: &Shape, ids: &[String]) -> Result<Shown, Stop> {
    let page = match ids {
        [id] => store::row(rq, tx, shape.resource, id).await?,
        ids => store::among(rq, tx, shape.resource, ids, None).await?,
    };
    // Somebody else was quicker to delete it.
    if let (Some(id), true) = (ids.first(), page.rows.is_empty()) {
        return Err((shape.resource.not_found)(id).into());
    }
    let places = policy::readable(rq, tx, shape, &page, 0).await?;
    Ok(Shown { page, places })
}

/// What stands behind the commit of a create or update: `shown`, with the rows that changed since.
async fn settled(rq: Rq<'_>, shape: &Shape, mut shown: Shown) -> Result<Shown, Fault> {
    let (rules, count) = (shape.resource.rules, shown.page.rows.len());
    let wanting = (0..count).filter(|row| rules.wants_after(&shown.page, *row));
    let ids: Vec<String> = wanting.map(|row| shown.page.text(row, "id").to_string()).collect();
    if ids.is_empty() {
        return Ok(shown);
    }
    if let Some(now) = rules.after(rq, &ids).await? {
        let mut rows: HashMap<String, Vec<Cell>> =
            now.column("id").into_iter().map(str::to_string).zip(now.rows.clone()).collect();
        for row in 0..count {
            let new = rows.remove(shown.page.text(row, "id"));
            if let (Some(new), Some(old)) = (new, shown.page.rows.get_mut(row)) {
                *old = new;
            }
        }
    }
    Ok(shown)
}

async fn create_all(tx: &mut Tx, create: &Create<'_>) -> Result<(Vec<String>, Shown), Stop> {
    let Create { rq, shape, items, bulk } = *create;
    let asks = shape.resource.rules.asks(rq, items);
    quota::check(rq, tx, shape.resource, items, asks).await?;
    for item in items {
        policy::enforce(rq, tx, shape, Doing::Create, item, None).await?;
    }
    if bulk {
        shape.resource.rules.check_bulk(items)?;
    }
    let mut ids = Vec::with_capacity(items.len());
    for item in items {
        let id = shape.resource.rules.create(rq, tx, item.clone()).await?;
        for hook in &shape.hooks {
            (hook.stored)(rq, tx, &id, None, item).await?;
        }
        ids.push(id);
    }
    let shown = shown(rq, tx, shape, &ids).await?;
    Ok((ids, shown))
}

/// `POST /v2.0/networks`, one or many: all of them or none.
pub async fn create(rq: Rq<'_>, shape: &Shape, asked: &Asked) -> Result<Reply, Fault> {
    let admitted = admitted(rq, shape, asked, Verb::Create)?.ok_or_else(|| admit::missing(shape))?;
    if !shape.resource.verbs.create {
        return Err(Fault::MethodNotAllowed {});
    }
    if if_match(asked)?.is_some() {
        let msg = "A revision number constrains what exists already".to_string();
        return Err(Fault::BadResourceRequest { resource: "if-match".into(), msg });
    }
    let create = Create { rq, shape, items: &admitted.items, bulk: admitted.bulk };
    let (ids, made) = rq.app.write(create_all, &create).await.map_err(Stop::into_fault)?;
    let Shown { page, places } = settled(rq, shape, made).await?;
    let places = list::wanted(shape, asked, places);
    if !admitted.bulk {
        return Ok(Reply::json(201, view::single(shape.resource.name, &page, 0, &places)));
    }
    let order: Vec<usize> =
        ids.iter().filter_map(|id| (0..page.rows.len()).find(|row| page.text(*row, "id") == id)).collect();
    let mut body = view::rows(shape.resource.collection, &page, &order, &places);
    body.push(b'}');
    Ok(Reply::json(201, body))
}

/// `GET /v2.0/networks/{id}`
pub async fn show(rq: Rq<'_>, shape: &Shape, id: &str, asked: &Asked) -> Result<Reply, Fault> {
    let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
    show_in(rq, &mut tx, shape, id, asked).await.map_err(Stop::into_fault)
}

async fn show_in(rq: Rq<'_>, tx: &mut Tx, shape: &Shape, id: &str, asked: &Asked) -> Result<Reply, Stop> {
    let page = visible(rq, tx, shape, id).await?;
    if policy::seen(rq, tx, shape, &page).await?.is_empty() {
        let fault = Fault::no_resource();
        if shape.place("project_id").is_none() {
            return Err(fault.into());
        }
        // Upstream answers here without its usual envelope.
        let bare = serde_json::json!({"type": fault.kind(), "message": fault.to_string(), "detail": ""});
        return Ok(Reply::value(404, &bare));
    }
    let places = policy::readable(rq, tx, shape, &page, 0).await?;
    let places = list::wanted(shape, asked, places);
    Ok(Reply::json(200, view::single(shape.resource.name, &page, 0, &places)))
}

struct Update<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    id: &'a str,
    changes: Option<&'a Body>,
    revision: Option<i64>,
}

async fn update_one(tx: &mut Tx, update: &Update<'_>) -> Result<Shown, Stop> {
    let Update { rq, shape, id, .. } = *update;
    tx.lock(shape.resource.table, id).await?;
    let old = visible(rq, tx, shape, id).await?.body(0);
    let nothing = Body::new();
    policy::enforce(rq, tx, shape, Doing::Update, update.changes.unwrap_or(&nothing), Some(&old)).await?;
    let changes = update.changes.ok_or_else(|| admit::missing(shape))?;
    constrain(&old, update.revision)?;
    shape.resource.rules.update(rq, tx, &old, changes.clone()).await?;
    for hook in &shape.hooks {
        (hook.stored)(rq, tx, id, Some(&old), changes).await?;
    }
    shown(rq, tx, shape, &[id.to_string()]).await
}

/// `PUT /v2.0/networks/{id}`
pub async fn update(rq: Rq<'_>, shape: &Shape, id: &str, asked: &Asked) -> Result<Reply, Fault> {
    let admitted = admitted(rq, shape, asked, Verb::Update)?;
    let revision = if_match(asked)?;
    let changes = admitted.as_ref().and_then(|a| a.items.first());
    let update = Update { rq, shape, id, changes, revision };
    if !shape.resource.verbs.update {
        return Err(Fault::MethodNotAllowed {});
    }
    let changed = rq.app.write(update_one, &update).await.map_err(Stop::into_fault)?;
    let Shown { page, places } = settled(rq, shape, changed).await?;
    let places = list::wanted(shape, asked, places);
    Ok(Reply::json(200, view::single(shape.resource.name, &page, 0, &places)))
}

struct Delete<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    id: &'a str,
    revision: Option<i64>,
    body: bool,
}

async fn delete_one(tx: &mut Tx, delete: &Delete<'_>) -> Result<(), Stop> {
    let Delete { rq, shape, id, .. } = *delete;
    tx.lock(shape.resource.table, id).await?;
    let old = visible(rq, tx, shape, id).await?.body(0);
    policy::enforce(rq, tx, shape, Doing::Delete, &Body::new(), Some(&old)).await?;
    if delete.body {
        return Err(Fault::BadRequest { text: "Request body is not supported in DELETE.".into() }.into());
    }
    constrain(&old, delete.revision)?;
    shape.resource.rules.delete(rq, tx, &old).await
}

/// `DELETE /v2.0/networks/{id}`
pub async fn delete(rq: Rq<'_>, shape: &Shape, id: &str, asked: &Asked) -> Result<Reply, Fault> {
    let revision = if_match(asked)?;
    if !shape.resource.verbs.delete {
        return Err(Fault::MethodNotAllowed {});
    }
    let delete = Delete { rq, shape, id, revision, body: !asked.body.is_empty() };
    rq.app.write(delete_one, &delete).await.map_err(Stop::into_fault)?;
    Ok(Reply::empty(204))
}

struct Act<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    id: &'a str,
    action: &'a Action,
    body: &'a Value,
}

async fn act_on(tx: &mut Tx, act: &Act<'_>) -> Result<Value, Stop> {
    let Act { rq, shape, id, action, body } = *act;
    tx.lock(shape.resource.table, id).await?;
    let old = visible(rq, tx, shape, id).await?.body(0);
    if !action.policy.is_empty() {
        policy::enforce_rule(rq, tx, action.policy, &old).await?;
    }
    (action.run)(rq, tx, &old, body.clone()).await
}

/// A member action: `PUT /v2.0/routers/{id}/add_router_interface`.
pub async fn act(
    rq: Rq<'_>,
    shape: &Shape,
    id: &str,
    action: &Action,
    asked: &Asked,
) -> Result<Reply, Fault> {
    let body = match action.method {
        Method::Put | Method::Post if !asked.body.is_empty() => Value::Object(admit::object(&asked.body)?),
        _ => Value::Null,
    };
    let act = Act { rq, shape, id, action, body: &body };
    let answer = match action.method {
        Method::Get => {
            let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
            act_on(&mut tx, &act).await
        }
        Method::Post | Method::Put | Method::Delete => rq.app.write(act_on, &act).await,
    };
    Ok(Reply::value(200, &answer.map_err(Stop::into_fault)?))
}
