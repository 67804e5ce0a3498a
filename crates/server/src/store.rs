//! Rows of declared resources: insert, change, remove, load, each derived from the declarations.

use crate::attr::{Body, Condition};
use crate::db::{Stop, Tx};
use crate::extension::Resource;
use crate::record::Page;
use crate::request::Rq;

/// Which rows, in which order, and which attributes of them.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Conditions that all hold; SQL over the resource's table under its own name.
    pub wheres: Vec<Condition>,
    /// Sort keys with `true` for ascending; the id is added so that the order is total.
    pub sort: Vec<(String, bool)>,
    /// At most so many rows.
    pub limit: Option<u64>,
    /// Only these attributes; none = all.
    pub fields: Option<Vec<String>>,
}

/// Stores a new row: `standardattributes` first where the resource has them, the table's own columns, the
/// side tables. Attributes that live elsewhere are the rule's business. `body` must hold `id`.
pub async fn insert(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, body: &Body) -> Result<(), Stop> {
    let _ = (rq, tx, resource, body);
    Err(Stop::Database("store::insert".into()))
}

/// Stores changed attributes, raises the revision and sets `updated_at`.
pub async fn update(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    id: &str,
    changes: &Body,
) -> Result<(), Stop> {
    let _ = (rq, tx, resource, id, changes);
    Err(Stop::Database("store::update".into()))
}

/// Raises the revision and sets `updated_at` of a resource whose parts changed.
pub async fn touch(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<(), Stop> {
    let _ = (rq, tx, resource, id);
    Err(Stop::Database("store::touch".into()))
}

/// Removes a row with its `standardattributes` (tags and the like go by cascade).
pub async fn delete(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<(), Stop> {
    let _ = (rq, tx, resource, id);
    Err(Stop::Database("store::delete".into()))
}

/// Rows with all attributes that the query asks for, whoever asks: visibility is the pipeline's business.
/// One statement for the rows and one per [`Fill`](crate::attr::Fill), however many rows.
pub async fn list(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, query: &Query) -> Result<Page, Stop> {
    let _ = (rq, tx, resource, query);
    Err(Stop::Database("store::list".into()))
}

/// One resource as an admin sees it, hidden attributes included; none when there is no such row.
pub async fn get(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, id: &str) -> Result<Option<Body>, Stop> {
    let _ = (rq, tx, resource, id);
    Err(Stop::Database("store::get".into()))
}
