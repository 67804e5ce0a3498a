//! Rows of declared resources: insert, change, remove, load, each derived from the declarations.

mod habits;
pub(crate) mod known;
mod list;
mod plan;

use crate::attr::{Attr, Body, Condition, Fill, Home};
use crate::catalog::Shape;
use crate::db::{Row, Stop, Tx, Val};
use crate::extension::Resource;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use serde_json::Value;

pub use habits::Habits;
pub use list::{ROWS_PER_STATEMENT_MAX, among, list};
pub use plan::{Plan, zulu};

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
    /// The database finds at most one row, by its key: asking it again costs less than a round trip.
    pub single: bool,
}

impl Query {
    /// The rows whose `column` (of the resource's own table) has this value.
    pub fn by(resource: &Resource, column: &str, value: &str) -> Query {
        let sql = format!("{}.{column} = ?", resource.table);
        let wheres = vec![Condition { sql, params: vec![value.into()] }];
        Query { wheres, single: column == "id", ..Query::default() }
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

/// `INSERT INTO table (names) VALUES (marks)`; `expression` is the value of one more column, written as it is.
fn insertion(table: &str, columns: &Columns, expression: Option<(&str, &str)>) -> String {
    let mut names: Vec<String> = columns.iter().map(|(name, _)| format!("`{name}`")).collect();
    let mut values = crate::db::marks(columns.len());
    if let Some((name, expression)) = expression {
        names.push(format!("`{name}`"));
        values.push_str(", ");
        values.push_str(expression);
    }
    format!("INSERT INTO {table} ({}) VALUES ({values})", names.join(", "))
}

fn values(columns: Columns) -> Vec<Val> {
    columns.into_iter().map(|(_, value)| value).collect()
}

/// Inserts a row and waits for the key that it drew.
async fn insert_row(tx: &mut Tx, table: &str, columns: Columns) -> Result<i64, Stop> {
    let sql = insertion(table, &columns, None);
    Ok(tx.exec_noted(&sql, &values(columns)).await?.last_id)
}

async fn queue_row(tx: &mut Tx, table: &str, columns: Columns) -> Result<(), Stop> {
    let sql = insertion(table, &columns, None);
    tx.queue_noted(&sql, &values(columns)).await
}

/// Whether a statement's answer is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Awaits {
    /// Its key is needed, or its refusal means something to the caller.
    Answer,
    /// It travels with a later one: [`Tx::queue`].
    Nothing,
}

/// How [`insert_as`] stores a row.
#[derive(Debug, Clone, Copy)]
pub struct Insert {
    /// The revision to start from: above 0 for a row that upstream writes more than once in the transaction
    /// that makes it. [`touch`] raises it no further.
    pub revision: i64,
    /// Whether a refusal of the row is to surface here.
    pub awaits: Awaits,
}

/// Stores a new row: `standardattributes` first where the resource has them, the table's own columns, the
/// side tables. Attributes that live elsewhere are the rule's business. `body` must hold `id`.
pub async fn insert(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, body: &Body) -> Result<(), Stop> {
    insert_as(rq, tx, resource, body, Insert { revision: 0, awaits: Awaits::Answer }).await
}

/// As [`insert`], in a way of the caller's.
pub async fn insert_as(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    body: &Body,
    Insert { revision, awaits }: Insert,
) -> Result<(), Stop> {
    let shape = shape(rq, resource)?;
    let columns = own_columns(shape, body);
    let mut standard =
        if resource.standard { standard_columns(rq, resource, body, revision) } else { vec![] };
    match (awaits, standard.is_empty()) {
        (Awaits::Answer, true) => insert_row(tx, resource.table, columns.clone()).await.map(drop)?,
        (Awaits::Answer, false) => {
            let key = insert_row(tx, "standardattributes", standard.clone()).await?;
            standard.push(("id", key.into()));
            let mut columns = columns.clone();
            columns.push(("standard_attr_id", key.into()));
            insert_row(tx, resource.table, columns).await.map(drop)?;
        }
        (Awaits::Nothing, true) => queue_row(tx, resource.table, columns.clone()).await?,
        (Awaits::Nothing, false) => {
            queue_row(tx, "standardattributes", standard.clone()).await?;
            let key = Some(("standard_attr_id", tx.last_key()));
            let sql = insertion(resource.table, &columns, key);
            tx.queue_noted(&sql, &values(columns.clone())).await?;
        }
    }
    let row = plan::Made { own: &columns, standard: &standard, body };
    let cells = row.cells(&shape.plan, &shape.attributes);
    let id = body.get("id").map_or(Val::Null, to_val);
    for side in &shape.plan.sides {
        let mut columns = side_columns(&shape.attributes, body, side);
        if !columns.is_empty() {
            columns.push((side.key, id.clone()));
            queue_row(tx, side.table, columns).await?;
        }
    }
    if let Some(cells) = cells {
        let page = Page::new(shape.plan.names.clone(), vec![cells]);
        tx.known.put(who(rq), resource.name, &page);
    }
    if revision > 0 {
        tx.revises(resource.table, body.get("id").and_then(Value::as_str).unwrap_or_default());
    }
    Ok(())
}

/// What `standardattributes` keeps of a new row, but for the key.
fn standard_columns(rq: Rq<'_>, resource: &Resource, body: &Body, revision: i64) -> Columns {
    let now = rq.app.now();
    let description = body.get("description").map_or(Val::Text(String::new()), to_val);
    vec![
        ("resource_type", resource.table.into()),
        ("created_at", now.as_str().into()),
        ("updated_at", now.into()),
        ("description", description),
        ("revision_number", revision.into()),
    ]
}

/// Whose rows are known.
fn who(rq: Rq<'_>) -> known::Who {
    (rq.ctx.project_id.clone(), rq.ctx.sees_all())
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
    Ok(tx.exec_noted(&sql, &params).await?.affected > 0)
}

/// Stores changed attributes. Where a value really differs, raises the revision and sets `updated_at`.
pub async fn update(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    id: &str,
    changes: &Body,
) -> Result<(), Stop> {
    // What is filled may depend on what changes.
    tx.known.forget(resource.name, id);
    update_own(rq, tx, resource, id, changes).await
}

/// As [`update`], for resources whose filled attributes ([`Home::Filled`]) do not depend on their columns: the
/// row stays known as it is then.
pub async fn update_own(
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
            queue_row(tx, side.table, columns).await?;
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
        changed |= tx.exec_noted(&sql, &[text.clone(), id.into(), text]).await?.affected > 0;
    }
    note(tx, shape, id, changes);
    if changed { touch(rq, tx, resource, id).await } else { Ok(()) }
}

/// Says what the stored attributes of a known row are now.
fn note(tx: &mut Tx, shape: &Shape, id: &str, changes: &Body) {
    let stored = |attr: &&&'static Attr| changes.contains_key(attr.name) && attr.name != "tenant_id";
    for (at, attr) in shape.attributes.iter().enumerate().filter(|(_, attr)| stored(attr)) {
        let value = changes.get(attr.name).map(to_val);
        match (attr.home, value) {
            (Home::Column(_) | Home::Side { .. } | Home::Standard("description"), Some(value)) => {
                match shape.plan.reads.get(at).and_then(|read| read.written(&value)) {
                    Some(cell) => tx.known.note(shape.resource.name, id, attr.name, cell),
                    None => tx.known.forget(shape.resource.name, id),
                }
            }
            (
                Home::Column(_) | Home::Side { .. } | Home::Standard(_) | Home::Filled(_) | Home::Nowhere,
                _,
            ) => {}
        }
    }
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
    let now = rq.app.now();
    tx.queue_noted(&sql, p![&now, id]).await?;
    tx.known.touched(resource.name, id, 1, &zulu(&now));
    Ok(())
}

/// As [`touch`], of all rows of a page, in one statement.
pub async fn touch_all(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, page: &Page) -> Result<(), Stop> {
    let (Some(key), true) = (page.place("standard_attr_id"), resource.standard) else { return Ok(()) };
    let now = rq.app.now();
    let mut params = p![&now].to_vec();
    for (at, row) in page.rows.iter().enumerate() {
        let id = page.text(at, "id");
        if let (Some(Cell::Int(key)), true) = (row.get(key), tx.revises(resource.table, id)) {
            params.push(Val::Int(*key));
            tx.known.touched(resource.name, id, 1, &zulu(&now));
        }
    }
    if params.len() == 1 {
        return Ok(());
    }
    let sql = format!(
        "UPDATE standardattributes SET revision_number = revision_number + 1, updated_at = ? WHERE id IN ({})",
        crate::db::marks(params.len() - 1)
    );
    tx.queue_noted(&sql, &params).await
}

/// Removes a row with its `standardattributes` (tags and the like go by cascade).
pub async fn delete(_rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<(), Stop> {
    let key = if !resource.standard {
        None
    } else if let Some(Cell::Int(key)) = tx.known.cell(resource.name, id, "standard_attr_id") {
        Some(*key)
    } else {
        let sql = format!("SELECT standard_attr_id FROM {} WHERE id = ?", resource.table);
        tx.opt(&sql, p![id]).await?.map(|row| row.int(0))
    };
    tx.exec(&format!("DELETE FROM {} WHERE id = ?", resource.table), p![id]).await?;
    if let Some(key) = key {
        tx.queue("DELETE FROM standardattributes WHERE id = ?", p![key]).await?;
    }
    Ok(())
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
    let who = who(rq);
    let shape = shape(rq, resource)?;
    let page = match tx.known.take(&who, resource.name, id).filter(|page| can_fill(shape, page)) {
        Some(mut page) => {
            let fills = unsettled(shape, &page);
            let asked = list::fill_ahead(rq, tx, &page, &fills, None).await?;
            for fill in fills {
                fill(rq, tx, &mut page).await?;
            }
            asked.iter().for_each(|ask| tx.known.unanswered(&ask.sql, &ask.params));
            page
        }
        None => list(rq, tx, resource, &Query::by(resource, "id", id)).await?,
    };
    tx.known.put(who, resource.name, &page);
    Ok(page)
}

/// Whether what is not known of a row that was made can be filled: not where it takes the row's key, which nobody waited for.
fn can_fill(shape: &Shape, page: &Page) -> bool {
    let row = page.rows.first().map(Vec::as_slice).unwrap_or_default();
    let keyed = shape.place("standard_attr_id").and_then(|at| row.get(at)) != Some(&Cell::Absent);
    keyed || unsettled(shape, page).is_empty()
}

/// Takes the rows of a page as known: what is noted of them needs no further statement.
pub fn remember(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, page: &Page) {
    for row in &page.rows {
        tx.known.put(who(rq), resource.name, &Page::new(page.names.clone(), vec![row.clone()]));
    }
}

/// The functions that fill what is not known of a page of one row.
fn unsettled(shape: &Shape, page: &Page) -> Vec<Fill> {
    let row = page.rows.first().map(Vec::as_slice).unwrap_or_default();
    let absent = |name: &str| shape.place(name).and_then(|at| row.get(at)) == Some(&Cell::Absent);
    let mut fills: Vec<Fill> = Vec::new();
    for attr in shape.attributes.iter().filter(|attr| absent(attr.name)) {
        if let Home::Filled(fill) = attr.home
            && !fills.iter().any(|f| std::ptr::fn_addr_eq(*f, fill))
        {
            fills.push(fill);
        }
    }
    fills
}
