//! The part of a database's schema (RFC 7047 section 3.2) that changes cannot be understood without:
//! which columns there are, and which hold more than one value.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Malformed;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// At most one value: a change brings the new one.
    One,
    /// A set of several: a change brings what came or went.
    Set,
    /// Keys and values: a change brings the pairs that came, went or changed.
    Map,
}

/// Columns by table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema {
    /// `7.16.1`
    pub version: String,
    /// Shape by column by table.
    pub tables: BTreeMap<String, BTreeMap<String, Shape>>,
}

impl Schema {
    /// Reads the answer to `get_schema`.
    ///
    /// # Errors
    /// When it is no schema.
    pub fn read(json: &Json) -> Result<Schema, Malformed> {
        let wrong = || Malformed::new("a schema", json);
        let tables = json.get("tables").and_then(Json::as_object).ok_or_else(wrong)?;
        let columns = |table: &Json| {
            let columns = table.get("columns").and_then(Json::as_object).ok_or_else(wrong)?;
            let shape = |column: &Json| column.get("type").map(shape).ok_or_else(wrong);
            columns
                .iter()
                .map(|(name, column)| Ok((name.clone(), shape(column)?)))
                .collect::<Result<_, Malformed>>()
        };
        let tables = tables.iter().map(|(name, table)| Ok((name.clone(), columns(table)?)));
        let version = json.get("version").and_then(Json::as_str).unwrap_or_default().to_owned();
        Ok(Schema { version, tables: tables.collect::<Result<_, Malformed>>()? })
    }

    /// What a column holds; columns that every table has are of one value.
    #[must_use]
    pub fn shape(&self, table: &str, column: &str) -> Shape {
        self.tables.get(table).and_then(|columns| columns.get(column)).copied().unwrap_or(Shape::One)
    }

    /// Whether there is such a column: old switches lack new ones.
    #[must_use]
    pub fn has(&self, table: &str, column: &str) -> bool {
        self.tables.get(table).is_some_and(|columns| columns.contains_key(column))
    }
}

/// From a `<type>`: an atomic type's name, or an object of key, value, min and max.
fn shape(kind: &Json) -> Shape {
    let many = kind.get("max").is_some_and(|max| max.as_u64() != Some(1));
    match (kind.get("value").is_some(), many) {
        (_, false) => Shape::One,
        (true, true) => Shape::Map,
        (false, true) => Shape::Set,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn shapes() {
        let column = |kind: Json| json!({"type": kind});
        let schema = json!({"name": "Open_vSwitch", "version": "8.3.1", "tables": {"Port": {"columns": {
            "name": column(json!("string")),
            "tag": column(json!({"key": {"type": "integer"}, "min": 0, "max": 1})),
            "trunks": column(json!({"key": {"type": "integer"}, "min": 0, "max": 4096})),
            "interfaces": column(json!({"key": {"type": "uuid"}, "min": 1, "max": "unlimited"})),
            "external_ids": column(json!({"key": "string", "value": "string", "min": 0, "max": "unlimited"})),
        }}}});
        let schema = Schema::read(&schema).unwrap();
        for (name, expected) in [
            ("name", Shape::One),
            ("tag", Shape::One),
            ("trunks", Shape::Set),
            ("interfaces", Shape::Set),
            ("external_ids", Shape::Map),
            ("_version", Shape::One),
        ] {
            assert_eq!(schema.shape("Port", name), expected, "{name}");
        }
        assert!(schema.has("Port", "tag") && !schema.has("Port", "new") && !schema.has("New", "tag"));
        assert!(Schema::read(&json!({"tables": 3})).is_err());
    }
}
