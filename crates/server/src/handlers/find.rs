//! The filters of agents' lists (`get_ports`, `get_networks`) as conditions.

use crate::attr::Condition;
use crate::db::{Val, marks};
use crate::extension::Resource;
use crate::store::Query;
use serde_json::{Map, Value};

/// The attributes of ports and networks that agents look for, each a column of its name.
const COLUMNS: &[&str] =
    &["id", "name", "network_id", "device_id", "device_owner", "mac_address", "project_id", "status"];

/// The rows that fit all filters; each lists the values that fit. Filters that no agent uses are an error: an
/// answer with too many rows would be worse than none.
pub(super) fn query(resource: &Resource, filters: &Map<String, Value>) -> Result<Query, String> {
    let mut query = Query::default();
    for (name, wanted) in filters {
        let condition = match (name.as_str(), wanted) {
            ("fixed_ips", Value::Object(parts)) => fixed_ips(parts)?,
            ("tenant_id", wanted) => among(&format!("{}.project_id", resource.table), wanted),
            (name, wanted) if COLUMNS.contains(&name) => among(&format!("{}.{name}", resource.table), wanted),
            (name, _) => return Err(format!("{}s are not found by {name}", resource.name)),
        };
        query.wheres.push(condition);
    }
    Ok(query)
}

fn values(wanted: &Value) -> Vec<Val> {
    let one = std::slice::from_ref(wanted);
    let list = wanted.as_array().map_or(one, Vec::as_slice);
    list.iter().map(crate::store::to_val).collect()
}

fn among(column: &str, wanted: &Value) -> Condition {
    let params = values(wanted);
    match params.len() {
        0 => Condition { sql: "1 = 0".into(), params },
        n => Condition { sql: format!("{column} IN ({})", marks(n)), params },
    }
}

fn fixed_ips(parts: &Map<String, Value>) -> Result<Condition, String> {
    let mut sql = "EXISTS (SELECT 1 FROM ipallocations AS f WHERE f.port_id = ports.id".to_string();
    let mut params = Vec::new();
    for (name, wanted) in parts {
        if !["ip_address", "subnet_id"].contains(&name.as_str()) {
            return Err(format!("ports are not found by fixed_ips.{name}"));
        }
        let part = among(&format!("f.{name}"), wanted);
        sql += &format!(" AND {}", part.sql);
        params.extend(part.params);
    }
    sql.push(')');
    Ok(Condition { sql, params })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_are_looked_up_in_their_table() {
        let filters = json!({"ip_address": ["10.0.0.1", "10.0.0.2"]});
        let condition = fixed_ips(filters.as_object().unwrap()).unwrap();
        assert_eq!(
            condition.sql,
            "EXISTS (SELECT 1 FROM ipallocations AS f WHERE f.port_id = ports.id AND f.ip_address IN (?, ?))"
        );
        assert_eq!(condition.params.len(), 2);
        assert!(fixed_ips(json!({"mac": []}).as_object().unwrap()).is_err());
        assert_eq!(among("ports.id", &json!([])).sql, "1 = 0");
        assert_eq!(among("ports.id", &json!("x")).params, vec![Val::from("x")]);
    }
}
