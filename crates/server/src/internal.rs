//! Resources made, changed and removed by the server itself, for agents: no policy, no quota, the same rules.

use crate::attr::{Body, Default};
use crate::catalog::Shape;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::record::Page;
use crate::request::Rq;
use crate::store;
use serde_json::{Value, json};

fn shape<'a>(rq: Rq<'a>, resource: &str) -> Result<&'a Shape, Fault> {
    let missing = || Fault::Internal { detail: format!("the resource {resource} is not loaded") };
    rq.app.catalog.shape(resource).ok_or_else(missing)
}

/// What a client's POST would be completed with.
fn complete(shape: &Shape, mut body: Body) -> Body {
    for attr in shape.attributes.iter().filter(|attr| attr.post) {
        let value = match attr.default {
            Default::Required | Default::Unset => continue,
            Default::Null => Value::Null,
            Default::Bool(flag) => json!(flag),
            Default::Int(number) => json!(number),
            Default::Text(text) => json!(text),
            Default::EmptyList => json!([]),
            Default::EmptyDict => json!({}),
        };
        body.entry(attr.name).or_insert(value);
    }
    body
}

struct Work<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    id: &'a str,
    body: Body,
}

async fn create_one(tx: &mut Tx, work: &Work<'_>) -> Result<Page, Stop> {
    let Work { rq, shape, body, .. } = work;
    let id = shape.resource.rules.create(*rq, tx, body.clone()).await?;
    for hook in &shape.hooks {
        (hook.stored)(*rq, tx, &id, None, body).await?;
    }
    store::row(*rq, tx, shape.resource, &id).await
}

async fn update_one(tx: &mut Tx, work: &Work<'_>) -> Result<Option<Page>, Stop> {
    let Work { rq, shape, id, body } = work;
    let Some(old) = store::get(*rq, tx, shape.resource, id).await? else { return Ok(None) };
    shape.resource.rules.update(*rq, tx, &old, body.clone()).await?;
    for hook in &shape.hooks {
        (hook.stored)(*rq, tx, id, Some(&old), body).await?;
    }
    store::row(*rq, tx, shape.resource, id).await.map(Some)
}

async fn delete_one(tx: &mut Tx, work: &Work<'_>) -> Result<bool, Stop> {
    let Work { rq, shape, id, .. } = work;
    let Some(old) = store::get(*rq, tx, shape.resource, id).await? else { return Ok(false) };
    shape.resource.rules.delete(*rq, tx, &old).await?;
    Ok(true)
}

/// A row as an admin sees it, after what may not stand in the transaction; none when it is gone.
async fn settled(rq: Rq<'_>, shape: &Shape, page: Page) -> Result<Option<Body>, Fault> {
    let rules = shape.resource.rules;
    let now = match page.rows.is_empty() {
        false if rules.wants_after(&page, 0) => rules.after(rq, &[page.text(0, "id").to_string()]).await?,
        _ => None,
    };
    let page = now.unwrap_or(page);
    Ok((!page.rows.is_empty()).then(|| page.body(0)))
}

/// Makes one; answers with what an admin sees, or none when it was removed at once.
pub async fn create(rq: Rq<'_>, resource: &str, body: Body) -> Result<Option<Body>, Fault> {
    let shape = shape(rq, resource)?;
    let work = Work { rq, shape, id: "", body: complete(shape, body) };
    let page = rq.app.write(create_one, &work).await.map_err(Stop::into_fault)?;
    settled(rq, shape, page).await
}

/// Changes one; none when it is not there.
pub async fn update(rq: Rq<'_>, resource: &str, id: &str, changes: Body) -> Result<Option<Body>, Fault> {
    let work = Work { rq, shape: shape(rq, resource)?, id, body: changes };
    match rq.app.write(update_one, &work).await.map_err(Stop::into_fault)? {
        Some(page) => settled(rq, work.shape, page).await,
        None => Ok(None),
    }
}

/// Removes one; false when it is not there.
pub async fn delete(rq: Rq<'_>, resource: &str, id: &str) -> Result<bool, Fault> {
    let work = Work { rq, shape: shape(rq, resource)?, id, body: Body::new() };
    rq.app.write(delete_one, &work).await.map_err(Stop::into_fault)
}
