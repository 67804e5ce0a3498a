//! How values look inside the cells of tables, and what is added to rows before they are shown.

use serde_json::{Map, Value, json};

use crate::api::Params;
use crate::command::{Extend, List, Run};
use crate::fault::Fault;
use crate::python;
use crate::resource::{Resource, SECURITY_GROUP, SUBNET};

/// The functions that make cells.
pub type Cells = &'static [(&'static str, fn(&Value) -> Value)];

/// A cell of a row.
pub fn cell(row: &Value, name: &str, cells: Cells) -> Value {
    if let Some((_, format)) = cells.iter().find(|(column, _)| *column == name) {
        return format(row);
    }
    match row.get(name.to_lowercase().replace(' ', "_")) {
        None | Some(Value::Null) => json!(""),
        Some(value) => value.clone(),
    }
}

/// Makes the fields of one object fit for a table: lists line by line, objects as JSON, null as nothing.
pub fn format_object(object: &mut Map<String, Value>, indent: Option<usize>) {
    for value in object.values_mut() {
        match value {
            Value::Array(items) => {
                let lines: Vec<String> = items
                    .iter()
                    .map(
                        |item| if item.is_object() { python::json(item, indent) } else { python::text(item) },
                    )
                    .collect();
                *value = json!(lines.join("\n"));
            }
            Value::Object(_) => *value = json!(python::json(value, indent)),
            Value::Null => *value = json!(""),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

fn lines(row: &Value, key: &str, line: impl Fn(&Value) -> String) -> Value {
    let items = row.get(key).and_then(Value::as_array);
    json!(items.map(|items| items.iter().map(line).collect::<Vec<_>>().join("\n")).unwrap_or_default())
}

/// Subnets as `ID CIDR` lines.
pub fn subnets(row: &Value) -> Value {
    lines(row, "subnets", |subnet| {
        let text = |key: &str| subnet.get(key).and_then(Value::as_str).unwrap_or_default();
        format!("{} {}", text("id"), text("cidr"))
    })
}

macro_rules! json_lines {
    ($($(#[$doc:meta])* $name:ident)*) => {$(
        $(#[$doc])*
        pub fn $name(row: &Value) -> Value {
            lines(row, stringify!($name), |item| python::json(item, None))
        }
    )*};
}

json_lines! {
    /// Allocation pools as JSON lines.
    allocation_pools
    /// Name servers as JSON lines.
    dns_nameservers
    /// Fixed IPs as JSON lines.
    fixed_ips
    /// Host routes as JSON lines.
    host_routes
}

/// Prefixes, one a line.
pub fn prefixes(row: &Value) -> Value {
    match row.get("prefixes") {
        Some(Value::Array(_)) => lines(row, "prefixes", python::text),
        Some(other) => other.clone(),
        None => json!(""),
    }
}

/// A router's gateway as JSON.
pub fn external_gateway_info(row: &Value) -> Value {
    json!(row.get("external_gateway_info").map(|info| python::json(info, None)).unwrap_or_default())
}

/// An agent's last sign of life without fractions of seconds.
pub fn heartbeat_timestamp(row: &Value) -> Value {
    let text = row.get("heartbeat_timestamp").and_then(Value::as_str).unwrap_or_default();
    json!(text.split('.').next())
}

/// A security group's rules, one a line, sorted.
pub fn security_group_rules(row: &Value) -> Value {
    let Some(rules) = row.get("security_group_rules").and_then(Value::as_array) else { return json!("") };
    let lines: Option<Vec<String>> = rules.iter().map(rule_line).collect();
    let mut lines = lines.unwrap_or_default();
    lines.sort();
    json!(lines.join("\n"))
}

fn rule_line(rule: &Value) -> Option<String> {
    let mut parts = Vec::new();
    for key in ["direction", "ethertype", "protocol_port", "remote_ip_prefix", "remote_group_id"] {
        let value = if key == "protocol_port" { protocol_port(rule)? } else { rule.get(key)?.clone() };
        if !python::truthy(&value) {
            continue;
        }
        let text = python::text(&value);
        parts.push(if key.starts_with("remote") { format!("{key}: {text}") } else { text });
    }
    Some(parts.join(", "))
}

/// `22/tcp`, `icmp (type:8)` and the like; null for any; `None` if the rule lacks a field.
fn protocol_port(rule: &Value) -> Option<Value> {
    let protocol = rule.get("protocol")?;
    let (low, high) = (rule.get("port_range_min")?, rule.get("port_range_max")?);
    let name = protocol.as_str().unwrap_or_default();
    Some(match name {
        "tcp" | "udp" if python::truthy(low) && low == high => json!(format!("{}/{name}", python::text(low))),
        "tcp" | "udp" if python::truthy(low) => {
            json!(format!("{}-{}/{name}", python::text(low), python::text(high)))
        }
        "icmp" => {
            let mut options = Vec::new();
            if !low.is_null() {
                options.push(format!("type:{}", python::text(low)));
            }
            if !high.is_null() {
                options.push(format!("code:{}", python::text(high)));
            }
            if options.is_empty() { json!("icmp") } else { json!(format!("icmp ({})", options.join(", "))) }
        }
        _ => protocol.clone(),
    })
}

fn remote(rule: &Value) -> Option<Value> {
    let (prefix, group) = (rule.get("remote_ip_prefix")?, rule.get("remote_group_id")?);
    Some(if python::truthy(prefix) {
        json!(format!("{} (CIDR)", python::text(prefix)))
    } else if python::truthy(group) {
        json!(format!("{} (group)", python::text(group)))
    } else {
        Value::Null
    })
}

/// Attributes of rules that are shown under another name.
const RULE_COLUMNS: [(&str, &str); 2] =
    [("security_group_id", "security_group"), ("remote_group_id", "remote_group")];

/// The shown name of a column of rules, or back.
pub fn rule_column(name: &str, shown: bool) -> String {
    let found =
        RULE_COLUMNS.iter().find(|(attribute, column)| name == if shown { *attribute } else { *column });
    found.map_or(name, |(attribute, column)| if shown { column } else { attribute }).to_owned()
}

/// What the columns of rules are made of.
const RULE_DIGESTS: [(&str, &[&str]); 3] = [
    ("remote", &["remote_ip_prefix", "remote_group_id"]),
    ("port/protocol", &["protocol", "port_range_min", "port_range_max"]),
    ("protocol/port", &["protocol", "port_range_min", "port_range_max"]),
];

/// The fields to ask the server for, if these are asked for.
pub fn rule_fields(asked: &[Value]) -> Vec<Value> {
    let mut fields: Vec<String> = asked.iter().map(|name| rule_column(&python::text(name), false)).collect();
    for (digest, needs) in RULE_DIGESTS {
        if let Some(at) = fields.iter().position(|field| field == digest) {
            fields.extend(needs.iter().map(|need| (*need).to_owned()));
            fields.remove(at);
        }
    }
    fields.into_iter().map(Value::String).collect()
}

/// Adds to the rows what the list needs.
///
/// # Errors
/// The server could not be asked.
pub fn extend(run: &mut Run<'_>, spec: &List, rows: &mut [Value]) -> Result<(), Fault> {
    match spec.extend {
        Extend::Nothing => {}
        Extend::Alive => {
            for alive in rows.iter_mut().filter_map(|row| row.get_mut("alive")) {
                *alive = json!(if python::truthy(alive) { ":-)" } else { "xxx" });
            }
        }
        Extend::Subnets => add_cidrs(run, rows)?,
        Extend::Rules => add_rule_columns(run, rows)?,
    }
    Ok(())
}

fn add_cidrs(run: &mut Run<'_>, rows: &mut [Value]) -> Result<(), Fault> {
    let mut ids = Vec::new();
    for subnets in rows.iter().filter_map(|row| row.get("subnets").and_then(Value::as_array)) {
        ids.extend(subnets.iter().cloned());
    }
    let subnets = fetch_by_id(run, &SUBNET, &["id", "cidr"], ids, true)?;
    for subnet in rows.iter_mut().filter_map(|row| row.get_mut("subnets")?.as_array_mut()).flatten() {
        let found = subnets.iter().find(|known| known.get("id") == Some(subnet));
        *subnet = found.cloned().unwrap_or_else(|| json!({"id": subnet.clone()}));
    }
    Ok(())
}

/// Some fields of resources by their ids, in several requests if there are many.
///
/// Without ids every resource comes back: the old client asked for all then, and so is its answer for networks without
/// subnets; we ask nothing.
fn fetch_by_id(
    run: &mut Run<'_>,
    resource: &'static Resource,
    fields: &[&str],
    ids: Vec<Value>,
    marked: bool,
) -> Result<Vec<Value>, Fault> {
    /// `id=`, a UUID and `&`.
    const ID_BYTES: usize = 40;
    /// `&marker=` and a UUID.
    const MARKER_BYTES: usize = 44;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut params: Params = vec![("fields".to_owned(), json!(fields))];
    if run.is_set("page_size") {
        params.push(("limit".to_owned(), run.args["page_size"].clone()));
    }
    let ask = |run: &mut Run<'_>, ids: &[Value]| {
        let mut params = params.clone();
        params.push(("id".to_owned(), json!(ids)));
        run.api.list(resource.path, resource.plural, params)
    };
    match ask(run, &ids) {
        Err(Fault::TooLong(excess)) => {
            let marker = if marked { MARKER_BYTES } else { 0 };
            let room = (ID_BYTES * ids.len()).saturating_sub(excess + marker);
            let mut all = Vec::new();
            for part in ids.chunks((room / ID_BYTES).max(1)) {
                all.extend(ask(run, part)?);
            }
            Ok(all)
        }
        other => other,
    }
}

fn add_rule_columns(run: &mut Run<'_>, rows: &mut [Value]) -> Result<(), Fault> {
    let mut ids: Vec<Value> = Vec::new();
    for id in rows.iter().flat_map(|row| RULE_COLUMNS.iter().filter_map(|(key, _)| row.get(*key))) {
        if python::truthy(id) && !ids.contains(id) {
            ids.push(id.clone());
        }
    }
    let groups = if run.is_set("no_nameconv") {
        Vec::new()
    } else {
        fetch_by_id(run, &SECURITY_GROUP, &["id", "name"], ids, false)?
    };
    for row in rows {
        for (key, _) in RULE_COLUMNS {
            if let Some(id) = row.get_mut(key)
                && let Some(name) =
                    groups.iter().find(|group| group.get("id") == Some(id)).map(|g| &g["name"])
                && python::truthy(name)
            {
                *id = name.clone();
            }
        }
        for (column, _) in RULE_DIGESTS {
            let digest = if column == "remote" { remote(row) } else { protocol_port(row) };
            if let (Some(value), Some(fields)) = (digest, row.as_object_mut()) {
                let value = if python::truthy(&value) { value } else { json!("any") };
                fields.insert(column.to_owned(), value);
            }
        }
    }
    Ok(())
}
