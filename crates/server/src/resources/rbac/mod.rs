//! Sharing of networks, security groups, subnet pools and address scopes with other projects.

pub mod kind;
pub mod policy;

use crate::attr::Condition;
use crate::convert;
use crate::db::{Row, Stop, Tx};
use crate::fault::Fault;
use crate::py;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{by_first, fill, of_page};
use serde_json::json;

/// Lets one project (or every one, `*`) see and use an object.
pub const ACCESS_SHARED: &str = "access_as_shared";
/// Lets one project (or every one) use a network as an external one.
pub const ACCESS_EXTERNAL: &str = "access_as_external";

/// The rows of `table` that are shared, with everybody or with `project`.
pub fn shared_with(table: &str, rbacs: &str, project: Option<&str>) -> Condition {
    granted(table, rbacs, &[ACCESS_SHARED], project)
}

/// The rows of `table` for which one of `actions` is granted to everybody or to `project`.
pub fn granted(table: &str, rbacs: &str, actions: &[&str], project: Option<&str>) -> Condition {
    let mut params: Vec<crate::db::Val> = actions.iter().map(|action| (*action).into()).collect();
    let marks = crate::db::marks(actions.len());
    let to = if project.is_some() { "('*', ?)" } else { "('*')" };
    params.extend(project.map(Into::into));
    let sql = format!(
        "{table}.id IN (SELECT {rbacs}.object_id FROM {rbacs} WHERE {rbacs}.action IN ({marks}) AND {rbacs}.target_project IN {to})"
    );
    Condition { sql, params }
}

/// `?shared=…` over the condition for what is shared with the caller.
pub fn filter_shared(shared: Condition, values: &[String]) -> Result<Condition, Fault> {
    let Some(first) = values.first() else { return Ok(shared) };
    match convert::boolean(&json!(first)) {
        Some(true) => Ok(shared),
        Some(false) => Ok(Condition { sql: format!("NOT ({})", shared.sql), params: shared.params }),
        None => {
            Err(convert::invalid(format!("'{}' cannot be converted to boolean", py::text(&json!(first)))))
        }
    }
}

/// Sets `shared` in all rows of a page: whether each is shared with everybody or with the asking project.
pub async fn fill_shared(rq: Rq<'_>, tx: &mut Tx, page: &mut Page, rbacs: &str) -> Result<(), Stop> {
    let sql = format!(
        "SELECT object_id, target_project FROM {rbacs} WHERE action = '{ACCESS_SHARED}' AND object_id"
    );
    fill_shared_by(rq, tx, page, &sql).await
}

/// The same by a statement that ends before `IN (ids)` and answers with an id and a project that it is shared with.
pub async fn fill_shared_by(rq: Rq<'_>, tx: &mut Tx, page: &mut Page, sql: &str) -> Result<(), Stop> {
    let rows = by_first(of_page(tx, sql, page, "").await?);
    let me = rq.ctx.project_id.as_deref();
    let mine = |row: &Row| row.str(1) == "*" || Some(row.str(1)) == me;
    fill(page, "shared", &rows, |_, own| Cell::Bool(own.iter().any(mine)));
    Ok(())
}
