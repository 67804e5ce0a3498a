//! Rows of declared resources: insert, change, remove, load, each derived from the declarations.

mod plan;

use crate::attr::{Attr, Body, Condition, Fill, Home};
use crate::catalog::Shape;
use crate::db::{Memo, Row, Stop, Tx, Val};
use crate::extension::Resource;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use serde_json::Value;

pub use plan::Plan;

/// Which rows, in which order, and which attributes of them.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Conditions that all hold; SQL over the resource's table under its own name.
    pub wheres: Vec<Condition>,
    /// Sort keys with `true` for ascending. No key = the id, so that the order is total.
    pub sort: Vec<(String, bool)>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Only these attributes are needed; none = all. Others may be there or be absent.
    pub fields: Option<Vec<String>>,
}

impl Query {
    /// The rows whose `column` (of the resource's own table) has this value.
    pub fn by(resource: &Resource, column: &str, value: &str) -> Query {
        let sql = format!("{}.{column} = ?", resource.table);
        Query { wheres: vec![Condition { sql, params: vec![value.into()] }], ..Query::default() }
    }

    /// The rows whose `column` (of the resource's own table) has one of these values.
    pub fn among<S: AsRef<str>>(resource: &Resource, column: &str, values: &[S]) -> Query {
        let sql = format!("{}.{column} IN ({})", resource.table, crate::db::marks(values.len()));
        let params = values.iter().map(|v| Val::from(v.as_ref())).collect();
        Query { wheres: vec![Condition { sql, params }], ..Query::default() }
    }
}

fn shape<'a>(rq: Rq<'a>, resource: &Resource) -> Result<&'a Shape, Stop> {
    rq.app
        .catalog
        .shape(resource.name)
        .ok_or_else(|| Stop::Database(format!("the resource {} is not loaded", resource.name)))
}

/// A JSON value as a column keeps it: lists and objects as JSON text.
pub fn to_val(value: &Value) -> Val {
    match value {
        Value::Null => Val::Null,
        Value::Bool(flag) => Val::from(*flag),
        Value::Number(number) => number.as_i64().map_or_else(|| Val::Text(number.to_string()), Val::Int),
        Value::String(text) => Val::Text(text.clone()),
        Value::Array(_) | Value::Object(_) => Val::Text(value.to_string()),
    }
}

/// Columns with the values to write into them.
type Columns = Vec<(&'static str, Val)>;

/// The values of `body` that live in the resource's own table.
fn own_columns(shape: &Shape, body: &Body) -> Columns {
    let mut columns = Columns::new();
    for attr in &shape.attributes {
        if let (Home::Column(column), Some(value)) = (attr.home, body.get(attr.name))
            && !columns.iter().any(|(c, _)| *c == column)
        {
            columns.push((column, to_val(value)));
        }
    }
    columns
}

/// The values of `body` that live in one side table.
fn side_columns(attributes: &[&'static Attr], body: &Body, side: &plan::Side) -> Columns {
    let mut columns = Columns::new();
    for attr in attributes {
        if let (Home::Side { table, key, column }, Some(value)) = (attr.home, body.get(attr.name))
            && (table, key) == (side.table, side.key)
        {
            columns.push((column, to_val(value)));
        }
    }
    columns
}

async fn insert_row(tx: &mut Tx, table: &str, columns: Columns) -> Result<i64, Stop> {
    let names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
    let sql =
        format!("INSERT INTO {table} ({}) VALUES ({})", names.join(", "), crate::db::marks(columns.len()));
    let values: Vec<Val> = columns.into_iter().map(|(_, value)| value).collect();
    Ok(tx.exec(&sql, &values).await?.last_id)
}

/// Stores a new row: `standardattributes` first where the resource has them, the table's own columns, the
/// side tables. Attributes that live elsewhere are the rule's business. `body` must hold `id`.
pub async fn insert(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, body: &Body) -> Result<(), Stop> {
    let shape = shape(rq, resource)?;
    let mut columns = own_columns(shape, body);
    if resource.standard {
        let now = rq.app.now();
        let description = body.get("description").map_or(Val::Text(String::new()), to_val);
        let key = tx
            .exec(
                "INSERT INTO standardattributes (resource_type, created_at, updated_at, description, revision_number) VALUES (?, ?, ?, ?, 0)",
                &[Val::from(resource.table), Val::from(&now), Val::from(&now), description],
            )
            .await?
            .last_id;
        columns.push(("standard_attr_id", Val::Int(key)));
    }
    insert_row(tx, resource.table, columns).await?;
    let id = body.get("id").map_or(Val::Null, to_val);
    for side in &shape.plan.sides {
        let mut columns = side_columns(&shape.attributes, body, side);
        if !columns.is_empty() {
            columns.push((side.key, id.clone()));
            insert_row(tx, side.table, columns).await?;
        }
    }
    Ok(())
}

/// Writes `columns` of the row whose `key` is `id`; says whether any value differed.
async fn change_row(tx: &mut Tx, table: &str, key: &str, id: &str, columns: &Columns) -> Result<bool, Stop> {
    if columns.is_empty() {
        return Ok(false);
    }
    let sets: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}` = ?")).collect();
    // Text compares without case; a change of case is a change all the same.
    let differs: Vec<String> = columns.iter().map(|(name, _)| tx.differs(&format!("`{name}`"))).collect();
    let sql =
        format!("UPDATE {table} SET {} WHERE `{key}` = ? AND ({})", sets.join(", "), differs.join(" OR "));
    let mut params: Vec<Val> = columns.iter().map(|(_, value)| value.clone()).collect();
    params.push(id.into());
    params.extend(columns.iter().map(|(_, value)| value.clone()));
    Ok(tx.exec(&sql, &params).await?.affected > 0)
}

/// Stores changed attributes. Where a value really differs, raises the revision and sets `updated_at`.
pub async fn update(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    id: &str,
    changes: &Body,
) -> Result<(), Stop> {
    let shape = shape(rq, resource)?;
    let mut changed = change_row(tx, resource.table, "id", id, &own_columns(shape, changes)).await?;
    for side in &shape.plan.sides {
        let mut columns = side_columns(&shape.attributes, changes, side);
        if columns.is_empty() {
            continue;
        }
        if change_row(tx, side.table, side.key, id, &columns).await? {
            changed = true;
            continue;
        }
        let there = format!("SELECT 1 FROM {} WHERE `{}` = ?", side.table, side.key);
        if tx.opt(&there, p![id]).await?.is_none() {
            columns.push((side.key, id.into()));
            insert_row(tx, side.table, columns).await?;
            changed = true;
        }
    }
    if let (true, Some(description)) = (resource.standard, changes.get("description")) {
        let sql = format!(
            "UPDATE standardattributes SET description = ? WHERE id = (SELECT standard_attr_id FROM {} WHERE id = ?) AND {}",
            resource.table,
            tx.differs("description")
        );
        let text = to_val(description);
        changed |= tx.exec(&sql, &[text.clone(), id.into(), text]).await?.affected > 0;
    }
    if changed { touch(rq, tx, resource, id).await } else { Ok(()) }
}

/// Raises the revision and sets `updated_at` of a resource that changed, or whose parts changed; once in a
/// transaction, as upstream's revision plugin does.
pub async fn touch(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<(), Stop> {
    if !resource.standard || !tx.revises(resource.table, id) {
        return Ok(());
    }
    let sql = format!(
        "UPDATE standardattributes SET revision_number = revision_number + 1, updated_at = ? WHERE id = (SELECT standard_attr_id FROM {} WHERE id = ?)",
        resource.table
    );
    tx.exec(&sql, p![rq.app.now(), id]).await?;
    Ok(())
}

/// Removes a row with its `standardattributes` (tags and the like go by cascade).
pub async fn delete(_rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<(), Stop> {
    let key = if resource.standard {
        let sql = format!("SELECT standard_attr_id FROM {} WHERE id = ?", resource.table);
        tx.opt(&sql, p![id]).await?.map(|row| row.int(0))
    } else {
        None
    };
    tx.exec(&format!("DELETE FROM {} WHERE id = ?", resource.table), p![id]).await?;
    if let Some(key) = key {
        tx.exec("DELETE FROM standardattributes WHERE id = ?", p![key]).await?;
    }
    Ok(())
}

/// Rows with all attributes that the query asks for, whoever asks: visibility is the pipeline's business.
/// One statement for the rows and one per [`Fill`], however many rows.
pub async fn list(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, query: &Query) -> Result<Page, Stop> {
    let shape = shape(rq, resource)?;
    let (sql, params) = statement(shape, query)?;
    let rows = tx.all(&sql, &params).await?;
    let mut page = Page {
        names: shape.plan.names.clone(),
        rows: rows.into_iter().map(|row| cells(&shape.plan, row)).collect(),
    };
    if page.rows.is_empty() {
        return Ok(page);
    }
    for fill in fills(shape, query.fields.as_deref()) {
        fill(rq, tx, &mut page).await?;
    }
    Ok(page)
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
    for (at, condition) in query.wheres.iter().enumerate() {
        sql.push_str(if at == 0 { " WHERE (" } else { " AND (" });
        sql.push_str(&condition.sql);
        sql.push(')');
        params.extend(condition.params.iter().cloned());
    }
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
    let mut all = Page { names: shape(rq, resource)?.plan.names.clone(), rows: Vec::new() };
    for ids in ids.chunks(ROWS_PER_STATEMENT_MAX) {
        let mut query = Query::among(resource, "id", ids);
        query.fields = fields.map(<[String]>::to_vec);
        all.rows.extend(list(rq, tx, resource, &query).await?.rows);
    }
    Ok(all)
}

/// Where an attribute stands in a statement (`ports.name`); none for those that are filled.
pub fn column_of(resource: &Resource, attr: &Attr) -> Option<String> {
    plan::place(resource, attr)
}

fn cells(plan: &Plan, row: Row) -> Vec<Cell> {
    let mut values = row.0.into_iter();
    plan.reads.iter().map(|read| read.cell(&mut values)).collect()
}

/// One resource as an admin sees it, hidden attributes included; none when there is no such row.
pub async fn get(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<Option<Body>, Stop> {
    let page = row(rq, tx, resource, id).await?;
    Ok((!page.rows.is_empty()).then(|| page.body(0)))
}

/// One resource as a page of one row, or of none. Asked for twice without a write in between, it is read once.
pub async fn row(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<Page, Stop> {
    let who = (rq.ctx.project_id.clone(), rq.ctx.sees_all());
    let known = tx.memo.as_ref().filter(|m| m.who == who && m.resource == resource.name && m.id == id);
    if let Some(known) = known {
        return Ok(known.page.clone());
    }
    let page = list(rq, tx, resource, &Query::by(resource, "id", id)).await?;
    tx.memo = Some(Memo { who, resource: resource.name, id: id.to_string(), page: page.clone() });
    Ok(page)
}
