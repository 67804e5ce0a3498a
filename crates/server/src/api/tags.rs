//! `/v2.0/{collection}/{id}/tags[/{tag}]`: tags of any resource with `standardattributes`.

use crate::api::Asked;
use crate::api::answer::Reply;
use crate::attr::Check;
use crate::catalog::Shape;
use crate::check::{Wrong, check};
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::notify::{Change, Verb};
use crate::p;
use crate::policy;
use crate::request::Rq;
use crate::store;
use serde_json::{Value, json};

/// The longest tag, in characters.
pub const TAG_CHARS_MAX: usize = 255;
/// The most tags of one resource.
const TAGS_MAX: usize = 50;

/// What a request does to the tags.
enum Doing<'a> {
    List,
    Ask(&'a str),
    Add(Vec<String>),
    Replace(Vec<String>),
    AddOne(&'a str),
    RemoveAll,
    Remove(&'a str),
}

impl Doing<'_> {
    fn verb(&self) -> &'static str {
        match self {
            Doing::List | Doing::Ask(_) => "get",
            Doing::Add(_) => "create",
            Doing::Replace(_) | Doing::AddOne(_) => "update",
            Doing::RemoveAll | Doing::Remove(_) => "delete",
        }
    }
}

fn checked(declared: &Check, value: &Value) -> Result<(), Fault> {
    check(declared, value).map_err(|wrong| match wrong {
        Wrong::Reason(reason) => Fault::ConvertFailed { error_message: reason },
        Wrong::Fault(fault) => fault,
    })
}

/// The tags in a body. Upstream's legacy controller reads it, with words of its own for what is no JSON.
fn body_tags(asked: &Asked) -> Result<Vec<String>, Fault> {
    let body: Value = if asked.body.is_empty() {
        Value::Null
    } else {
        serde_json::from_slice(&asked.body)
            .map_err(|_| Fault::MalformedRequestBody { reason: "Cannot understand JSON".into() })?
    };
    let tags =
        body.get("tags").ok_or_else(|| Fault::ConvertFailed { error_message: "Invalid tags body".into() })?;
    checked(&Check::UniqueStrings(TAG_CHARS_MAX), tags)?;
    let tags = tags.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(tags.iter().filter_map(Value::as_str).map(str::to_string).collect())
}

fn doing<'a>(tag: Option<&'a str>, method: &str, asked: &Asked) -> Result<Doing<'a>, Fault> {
    if let Some(tag) = tag {
        checked(&Check::String(TAG_CHARS_MAX), &json!(tag))?;
    }
    Ok(match (method, tag) {
        ("GET" | "OPTIONS", None) => Doing::List,
        ("GET" | "OPTIONS" | "POST", Some(tag)) => Doing::Ask(tag),
        ("POST", None) => Doing::Add(body_tags(asked)?),
        ("PUT", None) => Doing::Replace(body_tags(asked)?),
        ("PUT", Some(tag)) => Doing::AddOne(tag),
        ("DELETE", None) => Doing::RemoveAll,
        ("DELETE", Some(tag)) => Doing::Remove(tag),
        _ => return Err(Fault::MethodNotAllowed {}),
    })
}

/// What a request that names all tags is answered with: its own body.
fn echo(asked: &Asked) -> Value {
    serde_json::from_slice(&asked.body).unwrap_or(Value::Null)
}

struct Request<'a> {
    rq: Rq<'a>,
    shape: &'a Shape,
    id: &'a str,
    doing: &'a Doing<'a>,
    asked: &'a Asked,
}

/// Answers a request for tags.
pub async fn answer(
    rq: Rq<'_>,
    shape: &Shape,
    id: &str,
    tag: Option<&str>,
    method: &str,
    asked: &Asked,
) -> Result<Reply, Fault> {
    let doing = doing(tag, method, asked)?;
    let request = Request { rq, shape, id, doing: &doing, asked };
    match doing {
        Doing::List | Doing::Ask(_) => {
            let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
            work(&mut tx, &request).await
        }
        _ => rq.app.write(work, &request).await,
    }
    .map_err(Stop::into_fault)
}

async fn work(tx: &mut Tx, request: &Request<'_>) -> Result<Reply, Stop> {
    let Request { rq, shape, id, doing, asked } = *request;
    let name = shape.resource.name;
    // Upstream reads the resource as an admin and lets the rule decide.
    let old = store::get(rq, tx, shape.resource, id).await?.ok_or_else(|| (shape.resource.not_found)(id))?;
    policy::enforce_rule(rq, tx, &format!("{}_{name}:tags", doing.verb()), &old).await?;
    let key = old.get("standard_attr_id").and_then(Value::as_i64).unwrap_or_default();
    let rows = tx.all("SELECT tag FROM tags WHERE standard_attr_id = ? ORDER BY tag", p![key]).await?;
    let current: Vec<String> = rows.iter().map(|row| row.text(0)).collect();
    match doing {
        Doing::List => return Ok(Reply::value(200, &json!({"tags": current}))),
        Doing::Ask(tag) => {
            return if current.iter().any(|c| c == tag) {
                Ok(Reply::empty(204))
            } else {
                Err(Fault::TagNotFound { tag: (*tag).to_string() }.into())
            };
        }
        _ => {}
    }
    let wanted = after(doing, &current)?;
    limited(shape, &wanted)?;
    store_tags(tx, key, &current, &wanted).await?;
    if wanted != current {
        store::touch(rq, tx, shape.resource, id).await?;
        let after = store::get(rq, tx, shape.resource, id).await?;
        tx.announce(Change {
            resource: name,
            verb: Verb::Updated,
            id: id.to_string(),
            before: Some(old),
            after,
        });
    }
    Ok(match doing {
        Doing::Replace(_) | Doing::Add(_) => Reply::value(200, &echo(asked)),
        Doing::AddOne(_) => Reply::value(201, &Value::Null),
        Doing::List | Doing::Ask(_) | Doing::RemoveAll | Doing::Remove(_) => Reply::empty(204),
    })
}

/// The tags that a change leaves.
fn after(doing: &Doing<'_>, current: &[String]) -> Result<Vec<String>, Fault> {
    let with = |more: &[String]| {
        let new = more.iter().filter(|tag| !current.contains(tag));
        current.iter().chain(new).cloned().collect::<Vec<_>>()
    };
    Ok(match doing {
        Doing::List | Doing::Ask(_) => current.to_vec(),
        Doing::Add(tags) => with(tags),
        Doing::AddOne(tag) => with(&[(*tag).to_string()]),
        Doing::Replace(tags) => tags.clone(),
        Doing::RemoveAll => Vec::new(),
        Doing::Remove(tag) => {
            if !current.iter().any(|c| c == tag) {
                return Err(Fault::TagNotFound { tag: (*tag).to_string() });
            }
            current.iter().filter(|c| c != tag).cloned().collect()
        }
    })
}

fn limited(shape: &Shape, tags: &[String]) -> Result<(), Fault> {
    if tags.len() <= TAGS_MAX {
        return Ok(());
    }
    Err(Fault::BadResourceRequest {
        resource: shape.resource.collection.into(),
        msg: format!("The number of tags exceed the per-resource limit of {TAGS_MAX}"),
    })
}

/// Stores the tags that a new resource brings.
pub async fn store_new(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &str,
    id: &str,
    wanted: &[String],
) -> Result<(), Stop> {
    let Some(shape) = rq.app.catalog.shape(resource) else { return Ok(()) };
    limited(shape, wanted)?;
    let sql = format!("SELECT standard_attr_id FROM {} WHERE id = ?", shape.resource.table);
    let key = tx.opt(&sql, p![id]).await?.map_or(0, |row| row.int(0));
    store_tags(tx, key, &[], wanted).await?;
    store::touch(rq, tx, shape.resource, id).await
}

/// Makes the tags of a resource those wanted.
async fn store_tags(tx: &mut Tx, key: i64, current: &[String], wanted: &[String]) -> Result<(), Stop> {
    for gone in current.iter().filter(|tag| !wanted.contains(tag)) {
        tx.exec("DELETE FROM tags WHERE standard_attr_id = ? AND tag = ?", p![key, gone]).await?;
    }
    for new in wanted.iter().filter(|tag| !current.contains(tag)) {
        let added = tx.exec("INSERT INTO tags (standard_attr_id, tag) VALUES (?, ?)", p![key, new]).await;
        match added {
            // The column compares without case: `A` is there where `a` is.
            Ok(_) | Err(Stop::Duplicate(_)) => {}
            Err(stop) => return Err(stop),
        }
    }
    Ok(())
}
