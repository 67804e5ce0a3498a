//! The segments of networks: as clients write them, and their rows.

use crate::attr::Body;
use crate::convert as converters;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ml2::segment::{Kind, Wanted, invalid};
use crate::ml2::{Ml2, allocation};
use crate::p;
use crate::py;
use crate::request::Rq;
use serde_json::{Map, Value};

/// The attributes of one segment.
pub const ATTRIBUTES: [&str; 3] =
    ["provider:network_type", "provider:physical_network", "provider:segmentation_id"];

/// A segment's row.
#[derive(Debug, Clone, PartialEq)]
pub struct Segment {
    /// Its id.
    pub id: String,
    /// What it is.
    pub what: Wanted,
}

/// `segments` as a client wrote it: every segment with all three attributes, ids as numbers.
pub fn convert(value: Value) -> Result<Value, Fault> {
    let Value::Array(items) = value else { return Ok(value) };
    let mut converted = Vec::with_capacity(items.len());
    for item in items {
        let Value::Object(mut segment) = item else {
            return Err(invalid(format!("'{}' is not a dictionary", py::text(&item))));
        };
        let id = segment.remove("provider:segmentation_id").unwrap_or_default();
        let given = !(id.is_null() || id == 0 || id == "" || id == false);
        let id = if given { converters::to_int(id)? } else { Value::Null };
        for name in ATTRIBUTES {
            segment.entry(name).or_insert(Value::Null);
        }
        segment.insert("provider:segmentation_id".into(), id);
        converted.push(Value::Object(segment));
    }
    Ok(Value::Array(converted))
}

/// Refuses attributes that no segment has.
pub fn check(value: &Value) -> Result<(), Fault> {
    let Value::Array(items) = value else {
        return Err(Fault::InvalidInput {
            attr: "segments".into(),
            reason: format!("'{}' is not a list", py::text(value)),
        });
    };
    for segment in items.iter().filter_map(Value::as_object) {
        let strange: Vec<&str> =
            segment.keys().map(String::as_str).filter(|k| !ATTRIBUTES.contains(k)).collect();
        if !strange.is_empty() {
            let text = format!("Unrecognized attribute(s) '{}'", strange.join(", "));
            return Err(Fault::BadRequest { text });
        }
    }
    Ok(())
}

/// The segments that a new network asks for; none where the choice is ours.
pub fn wanted(ml2: &Ml2, body: &Body) -> Result<Vec<Wanted>, Fault> {
    let read = |from: &Map<String, Value>| {
        let [kind, physical, id] = ATTRIBUTES.map(|name| from.get(name).filter(|v| !v.is_null()));
        Wanted::read(ml2, kind, physical, id)
    };
    let provider = ATTRIBUTES.iter().any(|name| body.get(*name).is_some_and(|v| !v.is_null()));
    let segments = body.get("segments").and_then(Value::as_array);
    match (provider, segments) {
        (true, Some(_)) => Err(Fault::SegmentsSetInConjunctionWithProviders {}),
        (true, None) => Ok(vec![read(body)?]),
        (false, None) => Ok(Vec::new()),
        (false, Some(segments)) => {
            let all =
                segments.iter().filter_map(Value::as_object).map(read).collect::<Result<Vec<_>, _>>()?;
            let full: Vec<&Wanted> = all.iter().filter(|s| !s.is_partial()).collect();
            let twice = full.iter().enumerate().any(|(at, s)| full[..at].contains(s));
            if twice { Err(Fault::SegmentsContainDuplicateEntry {}) } else { Ok(all) }
        }
    }
}

/// Takes what a new network asks for, or the next free segment.
pub async fn reserve(tx: &mut Tx, ml2: &Ml2, body: &Body, external: bool) -> Result<Vec<Wanted>, Stop> {
    let wanted = wanted(ml2, body)?;
    if wanted.is_empty() {
        let kinds = match (external, ml2.external_type) {
            (true, Some(kind)) => vec![kind],
            _ => ml2.project_types.clone(),
        };
        return Ok(vec![allocation::allocate(tx, ml2, &kinds).await?]);
    }
    let mut taken = Vec::with_capacity(wanted.len());
    for segment in &wanted {
        taken.push(allocation::reserve(tx, ml2, segment).await?);
    }
    Ok(taken)
}

/// Stores the segments of a new network.
pub async fn store(rq: Rq<'_>, tx: &mut Tx, network: &str, segments: &[Wanted]) -> Result<(), Stop> {
    for (index, segment) in segments.iter().enumerate() {
        let now = rq.app.now();
        let sql = "INSERT INTO standardattributes (resource_type, created_at, updated_at, description, revision_number) VALUES ('networksegments', ?, ?, NULL, 0)";
        tx.queue_noted(sql, p![&now, &now]).await?;
        let sql = format!(
            "INSERT INTO networksegments (id, network_id, network_type, physical_network, segmentation_id, is_dynamic, segment_index, name, standard_attr_id) VALUES (?, ?, ?, ?, ?, 0, ?, NULL, {})",
            tx.last_key()
        );
        let values = p![
            rq.app.fresh_id(),
            network,
            segment.kind.name(),
            segment.physical_network.clone(),
            segment.segmentation_id,
            i64::try_from(index).unwrap_or_default()
        ];
        tx.queue_noted(&sql, values).await?;
    }
    Ok(())
}

/// The segments of a network in their order.
pub async fn of(tx: &mut Tx, network: &str) -> Result<Vec<Segment>, Stop> {
    let sql = "SELECT id, network_type, physical_network, segmentation_id FROM networksegments WHERE network_id = ? ORDER BY segment_index";
    let rows = tx.all(sql, p![network]).await?;
    let read = |row: &crate::db::Row| {
        Some(Segment {
            id: row.text(0),
            what: Wanted {
                kind: Kind::parse(&row.text(1))?,
                physical_network: row.opt_text(2),
                segmentation_id: row.opt_int(3),
            },
        })
    };
    Ok(rows.iter().filter_map(read).collect())
}

/// Gives back and forgets all segments of a network.
pub async fn release(tx: &mut Tx, ml2: &Ml2, network: &str) -> Result<(), Stop> {
    for segment in of(tx, network).await? {
        allocation::release(tx, ml2, &segment.what).await?;
        let key =
            tx.opt("SELECT standard_attr_id FROM networksegments WHERE id = ?", p![&segment.id]).await?;
        tx.exec("DELETE FROM networksegments WHERE id = ?", p![&segment.id]).await?;
        if let Some(key) = key {
            tx.exec("DELETE FROM standardattributes WHERE id = ?", p![key.int(0)]).await?;
        }
    }
    Ok(())
}
