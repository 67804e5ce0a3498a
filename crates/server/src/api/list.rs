//! Lists: filters, fields, sorting, pages; one statement for the rows, one per fill, JSON from cells.

use crate::api::answer::Reply;
use crate::api::{Asked, pipeline, query, view};
use crate::attr::{Attr, Condition, Filter};
use crate::catalog::Shape;
use crate::db::{Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::policy;
use crate::py;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store::{self, Query};
use serde_json::Value;

/// Parameters of a list that are no filters.
const CONTROLS: &[&str] = &["fields", "sort_key", "sort_dir", "limit", "marker", "page_reverse"];

/// A page of a list.
struct Paging {
    /// At most so many rows; none = all of them, without links.
    limit: Option<u64>,
    /// The row before the page.
    marker: Option<String>,
    /// Backwards.
    reverse: bool,
}

fn bad(text: String) -> Fault {
    Fault::BadRequest { text }
}

fn values<'a>(asked: &'a Asked, name: &str) -> impl Iterator<Item = &'a str> {
    asked.query.iter().filter(move |(n, _)| n == name).map(|(_, value)| value.as_str())
}

/// The places to write: those of `readable` that `fields` asks for.
pub fn wanted(shape: &Shape, asked: &Asked, readable: Vec<usize>) -> Vec<usize> {
    let fields: Vec<&str> = values(asked, "fields").collect();
    if fields.is_empty() {
        return readable;
    }
    let named = |place: &usize| shape.attributes.get(*place).is_some_and(|attr| fields.contains(&attr.name));
    readable.into_iter().filter(named).collect()
}

/// What a filter's value is bound as: what the attribute's converter makes of it.
fn converted(attr: &Attr, value: &str) -> Result<Value, Fault> {
    let value = Value::String(value.to_string());
    match attr.convert {
        Some(convert) => convert(value),
        None => Ok(value),
    }
}

fn condition(rq: Rq<'_>, shape: &Shape, attr: &Attr, given: &[String]) -> Result<Condition, Fault> {
    if let Filter::Custom(condition) = attr.filter {
        // The converter refuses here as it does in bodies; what finds rows reads what the client wrote.
        given.iter().try_for_each(|value| converted(attr, value).map(|_| ()))?;
        return condition(rq, given);
    }
    let column = store::column_of(shape.resource, attr).unwrap_or_default();
    let mut params = Vec::with_capacity(given.len());
    for value in given {
        let value = converted(attr, value)?;
        params.push(match value.is_null() {
            true => Val::Text(String::new()),
            false => store::to_val(&value),
        });
    }
    let sql = match params.len() {
        1 => format!("{column} = ?"),
        more => format!("{column} IN ({})", marks(more)),
    };
    Ok(Condition { sql, params })
}

fn filters(rq: Rq<'_>, shape: &Shape, asked: &Asked) -> Result<Vec<Condition>, Fault> {
    let catalog = &rq.app.catalog;
    let empty_too = catalog.has("empty-string-filtering");
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in &asked.query {
        if !CONTROLS.contains(&name.as_str()) && !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let filter = |name: &str| shape.attribute(name).filter(|a| !matches!(a.filter, Filter::No));
    let unknown: Vec<&str> = names.iter().copied().filter(|name| filter(name).is_none()).collect();
    if !unknown.is_empty() && catalog.has("filter-validation") {
        return Err(bad(format!("{} is invalid attribute for filtering", py::list(&unknown))));
    }
    let mut all = Vec::new();
    for name in names {
        let Some(attr) = filter(name) else { continue };
        let given: Vec<String> =
            values(asked, name).filter(|v| empty_too || !v.is_empty()).map(str::to_string).collect();
        if !given.is_empty() {
            all.push(condition(rq, shape, attr, &given)?);
        }
    }
    Ok(all)
}

fn sorts(shape: &Shape, asked: &Asked) -> Result<Vec<(String, bool)>, Fault> {
    let keys: Vec<&str> = values(asked, "sort_key").filter(|v| !v.is_empty()).collect();
    let dirs: Vec<&str> = values(asked, "sort_dir").filter(|v| !v.is_empty()).collect();
    if keys.len() != dirs.len() {
        return Err(bad("The number of sort_keys and sort_dirs must be same".into()));
    }
    let absent: Vec<&str> =
        keys.iter().copied().filter(|key| !shape.attribute(key).is_some_and(|a| a.sort)).collect();
    if !absent.is_empty() {
        return Err(bad(format!("{} is invalid attribute for sort_keys", py::list(&absent))));
    }
    let wrong: Vec<&str> = dirs.iter().copied().filter(|dir| !matches!(*dir, "asc" | "desc")).collect();
    if !wrong.is_empty() {
        return Err(bad(format!(
            "{} is invalid value for sort_dirs, valid value is 'asc' and 'desc'",
            py::list(&wrong)
        )));
    }
    let mut sorts: Vec<(String, bool)> =
        keys.iter().zip(dirs).map(|(key, dir)| ((*key).to_string(), dir == "asc")).collect();
    if shape.place("id").is_some() && !keys.contains(&"id") {
        sorts.push(("id".to_string(), true));
    }
    Ok(sorts)
}

fn paging(rq: Rq<'_>, asked: &Asked) -> Result<Paging, Fault> {
    let given = values(asked, "limit").last().unwrap_or("0");
    let limit = py::int_of(given).filter(|limit| *limit >= 0).ok_or_else(|| Fault::BadResourceRequest {
        resource: "limit".into(),
        msg: format!("Limit must be an integer 0 or greater and not '{given}'"),
    })?;
    let limit = match (u64::try_from(limit).unwrap_or(0), rq.app.pagination_max_limit) {
        (0, most) => most,
        (limit, Some(most)) => Some(limit.min(most)),
        (limit, None) => Some(limit),
    };
    Ok(Paging {
        limit,
        marker: values(asked, "marker").last().filter(|m| !m.is_empty()).map(str::to_string),
        reverse: values(asked, "page_reverse").last().is_some_and(|v| v.to_lowercase() == "true"),
    })
}

/// `GET /v2.0/networks`
pub async fn list(rq: Rq<'_>, shape: &Shape, asked: &Asked) -> Result<Reply, Fault> {
    let mut query = Query { wheres: filters(rq, shape, asked)?, ..Query::default() };
    query.sort = sorts(shape, asked)?;
    let paging = paging(rq, asked)?;
    shape.resource.rules.before_list(rq, &asked.query).await?;
    query.wheres.extend(pipeline::visibility(rq, shape));
    let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
    read(rq, &mut tx, shape, asked, query, &paging).await.map_err(Stop::into_fault)
}

async fn read(
    rq: Rq<'_>,
    tx: &mut Tx,
    shape: &Shape,
    asked: &Asked,
    mut query: Query,
    paging: &Paging,
) -> Result<Reply, Stop> {
    if paging.limit.is_some() {
        query.limit = paging.limit;
        if paging.reverse {
            query.sort.iter_mut().for_each(|(_, ascending)| *ascending = !*ascending);
        }
        if let Some(marker) = &paging.marker {
            let after = after_marker(rq, tx, shape, marker, &query.sort).await?;
            query.wheres.push(after);
        }
    }
    query.fields = fields(rq, shape, asked);
    let mut page = store::list(rq, tx, shape.resource, &query).await?;
    if paging.limit.is_some() && paging.reverse {
        page.rows.reverse();
    }
    let seen = policy::seen(rq, tx, shape, &page).await?;
    let places = match seen.first() {
        Some(first) => policy::readable(rq, tx, shape, &page, *first).await?,
        None => Vec::new(),
    };
    let places = wanted(shape, asked, places);
    let mut body = view::rows(shape.resource.collection, &page, &seen, &places);
    if let Some(limit) = paging.limit {
        links(&mut body, shape, asked, &page, &seen, paging.reverse, limit);
    }
    body.push(b'}');
    Ok(Reply::json(200, body))
}

/// The attributes that have to be filled: what is asked for, and what policy looks at.
fn fields(rq: Rq<'_>, shape: &Shape, asked: &Asked) -> Option<Vec<String>> {
    let mut fields: Vec<String> = values(asked, "fields").map(str::to_string).collect();
    if fields.is_empty() {
        return None;
    }
    fields.extend(policy::looks_at(rq, shape));
    Some(fields)
}

/// The rows behind the marker in the order of `sort`.
async fn after_marker(
    rq: Rq<'_>,
    tx: &mut Tx,
    shape: &Shape,
    marker: &str,
    sort: &[(String, bool)],
) -> Result<Condition, Stop> {
    let mut query = Query::by(shape.resource, "id", marker);
    query.wheres.extend(pipeline::visibility(rq, shape));
    query.fields = Some(Vec::new());
    let page = store::list(rq, tx, shape.resource, &query).await?;
    let row = page.rows.first().ok_or_else(|| (shape.resource.not_found)(marker))?;
    let mut equal = Condition { sql: String::new(), params: Vec::new() };
    let mut any = Condition { sql: String::new(), params: Vec::new() };
    for (name, ascending) in sort {
        let column = shape.attribute(name).and_then(|a| store::column_of(shape.resource, a));
        let cell = shape.place(name).and_then(|at| row.get(at));
        let (Some(column), Some(cell)) = (column, cell) else { continue };
        let value = bound(cell);
        let beyond = match (&value, ascending) {
            // NULLs come first in ascending order.
            (Val::Null, true) => format!("{column} IS NOT NULL"),
            (Val::Null, false) => "1 = 0".to_string(),
            (_, true) => format!("{column} > ?"),
            (_, false) => format!("({column} < ? OR {column} IS NULL)"),
        };
        if !any.sql.is_empty() {
            any.sql.push_str(" OR ");
        }
        any.sql.push_str(&format!("({}{beyond})", equal.sql));
        any.params.extend(equal.params.iter().cloned());
        equal.sql.push_str(&match value {
            Val::Null => format!("{column} IS NULL AND "),
            _ => format!("{column} = ? AND "),
        });
        if value != Val::Null {
            any.params.push(value.clone());
            equal.params.push(value);
        }
    }
    Ok(any)
}

fn bound(cell: &Cell) -> Val {
    match cell {
        Cell::Absent | Cell::Null => Val::Null,
        Cell::Bool(flag) => Val::from(*flag),
        Cell::Int(number) => Val::Int(*number),
        Cell::Text(text) => match text.strip_suffix('Z').filter(|t| t.len() == 19) {
            // A time as it is shown, back in the database's own form.
            Some(time) if time.as_bytes().get(10) == Some(&b'T') => Val::Text(time.replacen('T', " ", 1)),
            _ => Val::Text(text.clone()),
        },
        Cell::Json(json) => Val::Text(json.clone()),
    }
}

/// `"networks_links": […]` behind the rows: to the next page unless this one is short, and to the one before.
fn links(
    body: &mut Vec<u8>,
    shape: &Shape,
    asked: &Asked,
    page: &Page,
    seen: &[usize],
    reverse: bool,
    limit: u64,
) {
    let short = (seen.len() as u64) < limit;
    let id = |row: Option<&usize>| row.map(|row| page.text(*row, "id").to_string());
    let mut all = Vec::new();
    if !short || reverse {
        all.push(("next", link(asked, id(seen.last()), false)));
    }
    if !short || !reverse {
        all.push(("previous", link(asked, id(seen.first()), true)));
    }
    body.extend_from_slice(b",");
    view::text(body, &format!("{}_links", shape.resource.collection));
    body.extend_from_slice(b":[");
    for (at, (rel, href)) in all.iter().enumerate() {
        body.extend_from_slice(if at == 0 { b"{\"rel\":" } else { b",{\"rel\":" });
        view::text(body, rel);
        body.extend_from_slice(b",\"href\":");
        view::text(body, href);
        body.push(b'}');
    }
    body.push(b']');
}

fn link(asked: &Asked, marker: Option<String>, back: bool) -> String {
    let mut pairs: Vec<(String, String)> =
        asked.query.iter().filter(|(name, _)| name != "marker" && name != "page_reverse").cloned().collect();
    pairs.extend(marker.map(|id| ("marker".to_string(), id)));
    if back {
        pairs.push(("page_reverse".to_string(), "True".to_string()));
    }
    format!("{}?{}", asked.path_url(), query::encode(&pairs))
}
