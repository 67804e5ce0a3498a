//! Which port an agent means: by id, by the first characters of an id behind a device's prefix, by MAC address.

use crate::db::{Stop, Tx, Val};
use serde_json::Value;
use std::collections::BTreeMap;

/// What stands before the part of a port's id in the names of devices.
const PREFIXES: &[&str] = &["tap", "qvo", "sg-"];
/// Devices looked up by one statement.
const DEVICES_PER_STATEMENT_MAX: usize = 100;

/// A port as an agent names it.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Name {
    Id(String),
    Prefix(String),
    Mac(String),
}

/// Reads a device: a text, or since version 1.9 a pair of MAC address and PCI slot. The text is what the agent
/// is answered under.
fn read(device: &Value) -> Option<(String, Name)> {
    let text = match device {
        Value::String(text) => text,
        Value::Array(pair) => pair.first()?.as_str()?,
        _ => return None,
    };
    let name = if let Some(rest) = PREFIXES.iter().find_map(|prefix| text.strip_prefix(prefix)) {
        if rest.len() == 36 { Name::Id(rest.to_string()) } else { Name::Prefix(rest.to_string()) }
    } else if uuid::Uuid::try_parse(text).is_ok() {
        Name::Id(text.to_string())
    } else if let Ok(mac) = text.parse::<model::Mac>() {
        Name::Mac(mac.to_string())
    } else {
        Name::Prefix(text.to_string())
    };
    Some((text.to_string(), name))
}

/// Whether a text can be the start of an id; anything else never reaches the database.
fn hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-')
}

/// The ports that devices are, by the text the agent used: none for those that are no port. A beginning that
/// several ports share is none.
pub async fn ports(tx: &mut Tx, devices: &[Value]) -> Result<Vec<(String, Option<String>)>, Stop> {
    let names: Vec<(String, Name)> = devices.iter().filter_map(read).collect();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for chunk in names.chunks(DEVICES_PER_STATEMENT_MAX) {
        let (sql, params) = statement(chunk);
        if params.is_empty() {
            continue;
        }
        let rows = tx.all(&sql, &params).await?;
        for (text, name) in chunk {
            let ids = rows.iter().filter(|row| matches(name, &row.text(0), &row.text(1)));
            found.insert(text.clone(), ids.map(|row| row.text(0)).collect());
        }
    }
    let single = |text: &str| match found.get(text).map(Vec::as_slice) {
        Some([id]) => Some(id.clone()),
        _ => None,
    };
    Ok(names.into_iter().map(|(text, _)| (text.clone(), single(&text))).collect())
}

fn statement(names: &[(String, Name)]) -> (String, Vec<Val>) {
    let mut wheres: Vec<&str> = Vec::new();
    let mut params: Vec<Val> = Vec::new();
    for (_, name) in names {
        match name {
            Name::Id(id) => {
                wheres.push("id = ?");
                params.push(id.into());
            }
            // A range, not LIKE: it uses the key on every database.
            Name::Prefix(start) if hexadecimal(start) => {
                wheres.push("(id >= ? AND id < ?)");
                params.push(start.into());
                params.push(format!("{start}g").into());
            }
            Name::Prefix(_) => {}
            Name::Mac(mac) => {
                wheres.push("mac_address = ?");
                params.push(mac.into());
            }
        }
    }
    (format!("SELECT id, mac_address FROM ports WHERE {}", wheres.join(" OR ")), params)
}

fn matches(name: &Name, id: &str, mac: &str) -> bool {
    match name {
        Name::Id(wanted) => wanted == id,
        Name::Prefix(start) => hexadecimal(start) && id.starts_with(start.as_str()),
        Name::Mac(wanted) => wanted == mac,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn devices_are_read_as_every_agent_names_them() {
        let id = "dd3f90a2-bf5a-4ab4-bb0f-d455da9b1898";
        for (device, expected) in [
            (json!(id), Some(Name::Id(id.into()))),
            (json!("tapdd3f90a2-bf"), Some(Name::Prefix("dd3f90a2-bf".into()))),
            (json!("qvodd3f90a2-bf"), Some(Name::Prefix("dd3f90a2-bf".into()))),
            (json!("fa:16:3E:00:00:01"), Some(Name::Mac("fa:16:3e:00:00:01".into()))),
            (json!(["fa:16:3e:00:00:01", "0000:01:00.0"]), Some(Name::Mac("fa:16:3e:00:00:01".into()))),
            (json!("eth0"), Some(Name::Prefix("eth0".into()))),
            (json!(7), None),
        ] {
            assert_eq!(read(&device).map(|(_, name)| name), expected, "{device}");
        }
        assert!(!hexadecimal("eth0") && !hexadecimal(""));
    }
}
