//! Sharing of networks, security groups, subnet pools and address scopes with other projects.

pub mod kind;
pub mod policy;

use crate::attr::Condition;
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::py;
use crate::record::{Cell, Page};
use crate::request::Rq;
use serde_json::json;
use std::collections::HashSet;

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

/// Ids in one `IN (…)`.
const OBJECTS_PER_STATEMENT_MAX: usize = 500;

/// Sets `shared` in all rows of a page: whether each is shared with everybody or with the asking project.
pub async fn fill_shared(rq: Rq<'_>, tx: &mut Tx, page: &mut Page, rbacs: &str) -> Result<(), Stop> {
    let ids: Vec<String> = page.column("id").into_iter().map(str::to_string).collect();
    let mut shared = HashSet::new();
    for ids in ids.chunks(OBJECTS_PER_STATEMENT_MAX) {
        let sql = format!(
            "SELECT object_id FROM {rbacs} WHERE action = ? AND target_project IN ('*', ?) AND object_id IN ({})",
            marks(ids.len())
        );
        let own = rq.ctx.project_id.as_deref().unwrap_or("*");
        let mut params: Vec<Val> = vec![ACCESS_SHARED.into(), own.into()];
        params.extend(ids.iter().map(Val::from));
        shared.extend(tx.all(&sql, &params).await?.iter().map(|row| row.text(0)));
    }
    for (row, id) in ids.iter().enumerate() {
        page.set(row, "shared", Cell::Bool(shared.contains(id)));
    }
    Ok(())
}
