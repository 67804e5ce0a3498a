//! `Network` 1.3 and the `NetworkSegment` inside of it.

use super::columns::{
    Children, Column, STANDARD, flag, flag_or_null, int, list, objects, text, text_or_null,
};
use super::{Data, Which, give, ids, wrap};
use crate::db::{Stop, Tx};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) const FILTERS: &[(&str, &str)] = &[
    ("id", "o.id IN (?)"),
    ("project_id", "o.project_id IN (?)"),
    ("name", "o.name IN (?)"),
    ("status", "o.status IN (?)"),
];

const NETWORK: &[Column] = &[
    text("id", "o.id"),
    text("project_id", "o.project_id"),
    text("name", "o.name"),
    text("status", "o.status"),
    flag("admin_state_up", "o.admin_state_up"),
    flag("vlan_transparent", "o.vlan_transparent"),
    flag("qinq", "o.qinq"),
    list("availability_zone_hints", "o.availability_zone_hints"),
    int("mtu", "o.mtu"),
    text_or_null("dns_domain", "d.dns_domain"),
    text_or_null("qos_policy_id", "q.policy_id"),
    flag_or_null("pvlan", "v.pvlan"),
    flag_or_null("security", "e.port_security_enabled"),
];

const FROM: &str = "networks AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id \
     LEFT JOIN networkdnsdomains AS d ON d.network_id = o.id \
     LEFT JOIN qos_network_policy_bindings AS q ON q.network_id = o.id \
     LEFT JOIN networkpvlan AS v ON v.network_id = o.id \
     LEFT JOIN networksecuritybindings AS e ON e.network_id = o.id";

const SEGMENT: &[Column] = &[
    text("id", "s.id"),
    text("network_id", "s.network_id"),
    text("name", "s.name"),
    text("network_type", "s.network_type"),
    text("physical_network", "s.physical_network"),
    int("segmentation_id", "s.segmentation_id"),
    flag("is_dynamic", "s.is_dynamic"),
    int("segment_index", "s.segment_index"),
];

const SEGMENTS: Children = Children {
    object: Some(("NetworkSegment", "1.0")),
    columns: SEGMENT,
    standard: true,
    from: "networksegments AS s JOIN standardattributes AS a ON a.id = s.standard_attr_id",
    parent: "s.network_id",
    order: "s.network_id, s.segment_index",
};

/// The same, looked up by their own ids.
const SEGMENTS_BY_ID: Children = Children { parent: "s.id", ..SEGMENTS };

const HOSTS: Children = Children {
    object: None,
    columns: &[text("host", "h.host")],
    standard: false,
    from: "segmenthostmappings AS h",
    parent: "h.segment_id",
    order: "h.segment_id, h.host",
};

/// Segments as they are written, by what `lookup` selects, with the hosts that reach them.
async fn segments(
    tx: &mut Tx,
    lookup: &Children,
    parents: &[String],
) -> Result<HashMap<String, Vec<Value>>, Stop> {
    let (owners, mut found): (Vec<String>, Vec<Data>) = lookup.data(tx, parents).await?.into_iter().unzip();
    let hosts = HOSTS.of(tx, &ids(&found)).await?;
    give(&mut found, "hosts", hosts);
    let mut segments: HashMap<String, Vec<Value>> = HashMap::new();
    for (owner, data) in owners.into_iter().zip(found) {
        segments.entry(owner).or_default().push(wrap("NetworkSegment", "1.0", data));
    }
    Ok(segments)
}

/// Segments by their ids.
pub(super) async fn segments_by_id(tx: &mut Tx, ids: &[String]) -> Result<HashMap<String, Value>, Stop> {
    let found = segments(tx, &SEGMENTS_BY_ID, ids).await?;
    Ok(found.into_iter().filter_map(|(id, mut list)| Some((id, list.pop()?))).collect())
}

pub(super) async fn read(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let mut networks = objects(tx, &[NETWORK, STANDARD], FROM, which).await?;
    for network in &mut networks {
        // Upstream's object never says true: its default is taken for a value that somebody set.
        network.insert("shared".into(), json!(false));
        secured(network, "NetworkPortSecurity");
    }
    let segments = segments(tx, &SEGMENTS, &ids(&networks)).await?;
    give(&mut networks, "segments", segments);
    Ok(networks)
}

/// `security` as an object of its own where there is a row for it.
pub(super) fn secured(data: &mut Data, name: &str) {
    if let (Some(Value::Bool(enabled)), Some(id)) = (data.get("security"), data.get("id")) {
        let security = json!({"id": id, "port_security_enabled": enabled});
        let security = security.as_object().cloned().unwrap_or_default();
        data.insert("security".into(), wrap(name, "1.0", security));
    }
}
