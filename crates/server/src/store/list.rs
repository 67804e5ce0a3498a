//! Reading many rows: one statement for the rows, one for each kind of what belongs to them.

use super::{Query, cells, habits, plan, row, shape, who};
use crate::attr::{Fill, Home};
use crate::catalog::Shape;
use crate::db::{Ask, Stop, Tx, Val};
use crate::extension::Resource;
use crate::record::{Origin, Page};
use crate::request::Rq;
use std::sync::Arc;

/// Rows with all attributes that the query asks for, whoever asks: visibility is the pipeline's business.
/// One statement for the rows and one per [`Fill`], however many rows.
pub async fn list(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, query: &Query) -> Result<Page, Stop> {
    let shape = shape(rq, resource)?;
    let (sql, params) = statement(shape, query)?;
    let fills = fills(shape, query.fields.as_deref());
    let mut page = Page::new(shape.plan.names.clone(), Vec::new());
    let mut asked = Vec::new();
    let may = tx.travels() && !fills.is_empty();
    let name = (may && !query.single && is_open(tx, query)).then(|| habits::name(&sql, &params));
    let usual = name.filter(|name| rq.app.habits.uses(*name));
    if may && (query.single || usual.is_some()) {
        page.query = Some(Arc::new(found_by(shape, query)));
        let row = Ask { sql: sql.clone().into(), params: params.clone() };
        asked = fill_ahead(rq, tx, &page, &fills, Some(row)).await?;
    }
    let rows = match asked.is_empty() {
        true => tx.all(&sql, &params).await?,
        false => tx.all_of_page(sql, params).await?,
    };
    page.rows = rows.into_iter().map(|row| cells(&shape.plan, row)).collect();
    if let Some(name) = usual {
        rq.app.habits.judged(name, page.rows.len() > ROWS_BY_ID_MAX);
    }
    if !page.rows.is_empty() && asked.is_empty() {
        page.query = origin(tx, shape, query, page.rows.len()).await?;
        if let (Some(name), true) = (name, page.query.is_some()) {
            rq.app.habits.judged(name, true);
        }
        asked = fill_ahead(rq, tx, &page, &fills, None).await?;
    }
    let fills = if page.rows.is_empty() { Vec::new() } else { fills };
    for fill in fills {
        fill(rq, tx, &mut page).await?;
    }
    // What a fill did not take may not be true any more when the same is asked again.
    asked.iter().for_each(|ask| tx.known.unanswered(&ask.sql, &ask.params));
    page.query = None;
    Ok(page)
}

/// Rows whose children are asked for by the rows' ids; of more, it may cost less to ask by the query that found them.
const ROWS_BY_ID_MAX: usize = 64;

/// The part of a table that a query has to yield for that: reading the whole table once per kind of child must not cost
/// more than naming the rows.
const PART_OF_TABLE_MIN: usize = 8;

/// Parameters of a query beyond which it names its rows one by one, or nearly so.
const PARAMS_MAX: usize = 16;

/// The query that found some rows, where their children are better asked for by it.
async fn origin(
    tx: &mut Tx,
    shape: &Shape,
    query: &Query,
    found: usize,
) -> Result<Option<Arc<Origin>>, Stop> {
    if found <= ROWS_BY_ID_MAX || !is_open(tx, query) {
        return Ok(None);
    }
    if tx.rows_at_most_about(shape.resource.table).await? / PART_OF_TABLE_MIN > found {
        return Ok(None);
    }
    Ok(Some(Arc::new(found_by(shape, query))))
}

/// Whether a query may be put into others.
fn is_open(tx: &Tx, query: &Query) -> bool {
    // Only who reads has one state of the database before the eyes throughout.
    let params: usize = query.wheres.iter().map(|condition| condition.params.len()).sum();
    params <= PARAMS_MAX && query.limit.is_none() && !tx.writes()
}

fn found_by(shape: &Shape, query: &Query) -> Origin {
    let table = shape.resource.table;
    let plain = query.wheres.iter().all(|condition| !shape.plan.joins_in(&condition.sql));
    let mut rest = if plain { table.to_string() } else { shape.plan.from.clone() };
    let mut params = Vec::new();
    restrict(&mut rest, &mut params, query);
    Origin { table, rest, params }
}

/// Asks what some fills will ask, in one round trip, behind a question that is asked with them: the database works on the
/// next answer while one is read. Answers with what was asked. To find it out, they fill a page that nobody will see.
pub(super) async fn fill_ahead(
    rq: Rq<'_>,
    tx: &mut Tx,
    page: &Page,
    fills: &[Fill],
    with: Option<Ask>,
) -> Result<Vec<Ask>, Stop> {
    let few = page.rows.len() <= ROWS_PER_STATEMENT_MAX;
    let many = fills.len() + usize::from(with.is_some()) > 1;
    if !tx.travels() || !many || (!few && page.query.is_none()) {
        return Ok(Vec::new());
    }
    let rows = if few { page.rows.clone() } else { Vec::new() };
    let mut unseen = Page { names: page.names.clone(), rows, query: page.query.clone() };
    tx.listen();
    for fill in fills {
        // What it makes of no answers is of no interest.
        let _ = fill(rq, tx, &mut unseen).await;
    }
    let asks: Vec<Ask> = with.into_iter().chain(tx.heard()).collect();
    tx.ahead(asks.clone()).await?;
    Ok(asks)
}

fn restrict(sql: &mut String, params: &mut Vec<Val>, query: &Query) {
    for (at, condition) in query.wheres.iter().enumerate() {
        sql.push_str(if at == 0 { " WHERE (" } else { " AND (" });
        sql.push_str(&condition.sql);
        sql.push(')');
        params.extend(condition.params.iter().cloned());
    }
}

/// The functions that fill what is asked for, each once.
fn fills(shape: &Shape, fields: Option<&[String]>) -> Vec<Fill> {
    let mut fills: Vec<Fill> = Vec::new();
    for attr in &shape.attributes {
        let Home::Filled(fill) = attr.home else { continue };
        let wanted = fields.is_none_or(|fields| fields.iter().any(|f| f == attr.name));
        if wanted && !fills.iter().any(|f| std::ptr::fn_addr_eq(*f, fill)) {
            fills.push(fill);
        }
    }
    fills
}

fn statement(shape: &Shape, query: &Query) -> Result<(String, Vec<Val>), Stop> {
    let mut sql = shape.plan.select.clone();
    let mut params = Vec::new();
    restrict(&mut sql, &mut params, query);
    let mut keys = Vec::new();
    for (name, ascending) in &query.sort {
        let place = shape
            .attribute(name)
            .and_then(|a| plan::place(shape.resource, a))
            .ok_or_else(|| Stop::Database(format!("{name} is no sort key of {}", shape.resource.name)))?;
        keys.push(format!("{place} {}", if *ascending { "ASC" } else { "DESC" }));
    }
    if keys.is_empty() {
        keys.push(format!("{}.`id` ASC", shape.resource.table));
    }
    sql.push_str(" ORDER BY ");
    sql.push_str(&keys.join(", "));
    if let Some(limit) = query.limit {
        sql.push_str(&format!(" LIMIT {limit}"));
    }
    Ok((sql, params))
}

/// Rows asked for in one statement: databases bound the parameters of a statement.
pub const ROWS_PER_STATEMENT_MAX: usize = 500;

/// The rows with these ids, in any order, however many; `fields` as in [`Query::fields`].
pub async fn among(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    ids: &[String],
    fields: Option<&[String]>,
) -> Result<Page, Stop> {
    let mut all = Page::new(shape(rq, resource)?.plan.names.clone(), Vec::new());
    if fields.is_none() && tx.known.holds(&who(rq), resource.name, ids) {
        for id in ids {
            all.rows.extend(row(rq, tx, resource, id).await?.rows);
        }
        return Ok(all);
    }
    for ids in ids.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut query = Query::among(resource, "id", ids);
        query.fields = fields.map(<[String]>::to_vec);
        all.rows.extend(list(rq, tx, resource, &query).await?.rows);
    }
    Ok(all)
}
