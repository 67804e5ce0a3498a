//! `standard-attr-tag`: tags on networks, subnets, ports and their like, and lists by tag.
//! The paths below a resource are the engine's: [`crate::api::tags`].

use crate::api::tags::TAG_CHARS_MAX;
use crate::attr::{Attr, Check, Condition, Default, Filter, Home};
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::{Extension, NOTHING, On};
use crate::fault::Fault;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::store::ROWS_PER_STATEMENT_MAX;
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::BTreeMap;

/// See the module.
pub static EXTENSION: Extension = Extension {
    alias: "standard-attr-tag",
    name: "Tag support for resources with standard attribute: port, subnet, subnetpool, network, security_group, router, floatingip, policy, trunk, network_segment_range",
    description: "Enables to set tag on resources with standard attribute.",
    updated: "2017-01-01T00:00:00-00:00",
    attributes: &[
        On { resource: "port", attributes: PORT_TAGS },
        On { resource: "subnet", attributes: TAGS },
        On { resource: "subnetpool", attributes: TAGS },
        On { resource: "network", attributes: TAGS },
        On { resource: "security_group", attributes: TAGS },
        On { resource: "router", attributes: TAGS },
        On { resource: "floatingip", attributes: TAGS },
    ],
    ..NOTHING
};

const ALL: Attr = Attr::new("tags").read_only().filter(Filter::Custom(all_of)).home(Home::Filled(fill));
const ANY: Attr = filter_only("tags-any", any_of);
const NOT_ALL: Attr = filter_only("not-tags", not_all_of);
const NOT_ANY: Attr = filter_only("not-tags-any", none_of);
const TAGS: &[Attr] = &[ALL, ANY, NOT_ALL, NOT_ANY];
/// A new port may bring tags; upstream ignores them unless `tag-ports-during-bulk-creation` is loaded.
const PORT_TAGS: &[Attr] = &[
    Attr { post: true, ..ALL }.check(Check::UniqueStrings(TAG_CHARS_MAX)).default(Default::EmptyList),
    ANY,
    NOT_ALL,
    NOT_ANY,
];

const fn filter_only(
    name: &'static str,
    condition: fn(Rq<'_>, &[String]) -> Result<Condition, Fault>,
) -> Attr {
    Attr::new(name).read_only().hidden().filter(Filter::Custom(condition)).home(Home::Nowhere)
}

/// `a,b` means both; so does the parameter given twice.
fn split(values: &[String]) -> Vec<&str> {
    values.iter().flat_map(|value| value.split(',')).collect()
}

/// How many of the tags a row has, as SQL over `standardattributes`.
fn having(values: &[String]) -> (String, Vec<Val>, usize) {
    let mut tags = split(values);
    tags.sort_unstable();
    tags.dedup();
    let sql = format!(
        "(SELECT count(*) FROM tags WHERE tags.standard_attr_id = standardattributes.id AND tags.tag IN ({}))",
        marks(tags.len())
    );
    (sql, tags.iter().map(|tag| Val::from(*tag)).collect(), tags.len())
}

fn all_of(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let (sql, params, count) = having(values);
    Ok(Condition { sql: format!("{sql} = {count}"), params })
}

fn not_all_of(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let (sql, params, count) = having(values);
    Ok(Condition { sql: format!("{sql} < {count}"), params })
}

fn any_of(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let (sql, params, _) = having(values);
    Ok(Condition { sql: format!("{sql} > 0"), params })
}

fn none_of(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let (sql, params, _) = having(values);
    Ok(Condition { sql: format!("{sql} = 0"), params })
}

fn fill<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let (Some(key), Some(place)) = (page.place("standard_attr_id"), page.place("tags")) else {
            return Ok(());
        };
        let keys: Vec<i64> = page.rows.iter().map(|row| key_of(row, key)).collect();
        let mut tags: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        let sql = |among: &str| {
            format!("SELECT standard_attr_id, tag FROM tags WHERE standard_attr_id IN ({among}) ORDER BY tag")
        };
        let mut rows = Vec::new();
        if let Some(own) = &page.query {
            rows = tx.all_of_page(sql(&own.column("standard_attr_id")), own.params.clone()).await?;
        } else if keys.len() <= ROWS_PER_STATEMENT_MAX {
            let params: Vec<Val> = keys.iter().map(|key| Val::Int(*key)).collect();
            rows = tx.all_of_page(sql(&marks(keys.len())), params).await?;
        } else {
            for keys in keys.chunks(ROWS_PER_STATEMENT_MAX) {
                let params: Vec<Val> = keys.iter().map(|key| Val::Int(*key)).collect();
                rows.extend(tx.all(&sql(&marks(keys.len())), &params).await?);
            }
        }
        for row in rows {
            tags.entry(row.int(0)).or_default().push(row.text(1));
        }
        for (row, key) in page.rows.iter_mut().zip(keys) {
            let json = tags.get(&key).map_or_else(|| "[]".to_string(), |tags| json!(tags).to_string());
            if let Some(cell) = row.get_mut(place) {
                *cell = Cell::Json(json);
            }
        }
        Ok(())
    })
}

fn key_of(row: &[Cell], place: usize) -> i64 {
    match row.get(place) {
        Some(Cell::Int(key)) => *key,
        _ => 0,
    }
}
