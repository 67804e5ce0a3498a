//! `Port` 1.11 with its addresses, bindings and what extensions keep beside it.

use super::columns::{
    Children, Column, STANDARD, dict, dict_or_empty, flag, flag_or_null, int, objects, text, text_or_null,
};
use super::network::{secured, segments_by_id};
use super::{Data, Version, Which, give, ids, wrap};
use crate::db::{Stop, Tx};
use serde_json::{Value, json};
use std::collections::HashMap;

pub(super) const FILTERS: &[(&str, &str)] = &[
    ("id", "o.id IN (?)"),
    ("project_id", "o.project_id IN (?)"),
    ("name", "o.name IN (?)"),
    ("network_id", "o.network_id IN (?)"),
    ("mac_address", "o.mac_address IN (?)"),
    ("device_id", "o.device_id IN (?)"),
    ("device_owner", "o.device_owner IN (?)"),
    ("status", "o.status IN (?)"),
    (
        "security_group_ids",
        "EXISTS (SELECT 1 FROM securitygroupportbindings AS f WHERE f.port_id = o.id \
         AND f.security_group_id IN (?))",
    ),
];

pub(super) const LATER: &[(&str, Version)] = &[
    ("hints", (1, 8)),
    ("hardware_offload_type", (1, 9)),
    ("trusted", (1, 10)),
    ("pvlan_type", (1, 11)),
    ("pvlan_community", (1, 11)),
];

const PORT: &[Column] = &[
    text("id", "o.id"),
    text("project_id", "o.project_id"),
    text("name", "o.name"),
    text("network_id", "o.network_id"),
    text("mac_address", "o.mac_address"),
    flag("admin_state_up", "o.admin_state_up"),
    text("device_id", "o.device_id"),
    text("device_owner", "o.device_owner"),
    text("status", "o.status"),
    flag_or_null("security", "e.port_security_enabled"),
    text_or_null("data_plane_status", "s.data_plane_status"),
    dict("hints", "h.hints"),
    text_or_null("qos_policy_id", "q.policy_id"),
    text_or_null("qos_network_policy_id", "n.policy_id"),
    text("numa_affinity_policy", "u.numa_affinity_policy"),
    text("device_profile", "r.device_profile"),
    text("hardware_offload_type", "w.hardware_offload_type"),
    flag("trusted", "t.trusted"),
    text_or_null("pvlan_type", "v.pvlan_type"),
    text_or_null("pvlan_community", "v.pvlan_community"),
];

const FROM: &str = "ports AS o JOIN standardattributes AS a ON a.id = o.standard_attr_id \
     LEFT JOIN portsecuritybindings AS e ON e.port_id = o.id \
     LEFT JOIN portdataplanestatuses AS s ON s.port_id = o.id \
     LEFT JOIN porthints AS h ON h.port_id = o.id \
     LEFT JOIN qos_port_policy_bindings AS q ON q.port_id = o.id \
     LEFT JOIN qos_network_policy_bindings AS n ON n.network_id = o.network_id \
     LEFT JOIN portnumaaffinitypolicies AS u ON u.port_id = o.id \
     LEFT JOIN portdeviceprofiles AS r ON r.port_id = o.id \
     LEFT JOIN porthardwareoffloadtype AS w ON w.port_id = o.id \
     LEFT JOIN porttrusted AS t ON t.port_id = o.id \
     LEFT JOIN portpvlan AS v ON v.port_id = o.id";

const FIXED_IPS: Children = Children {
    object: Some(("IPAllocation", "1.0")),
    columns: &[
        text("port_id", "c.port_id"),
        text("subnet_id", "c.subnet_id"),
        text("network_id", "c.network_id"),
        text("ip_address", "c.ip_address"),
    ],
    standard: false,
    from: "ipallocations AS c",
    parent: "c.port_id",
    order: "c.port_id, c.ip_address",
};

const PAIRS: Children = Children {
    object: Some(("AllowedAddressPair", "1.0")),
    columns: &[
        text("port_id", "c.port_id"),
        text("mac_address", "c.mac_address"),
        text("ip_address", "c.ip_address"),
    ],
    standard: false,
    from: "allowedaddresspairs AS c",
    parent: "c.port_id",
    order: "c.port_id, c.mac_address, c.ip_address",
};

const BINDINGS: Children = Children {
    object: Some(("PortBinding", "1.0")),
    columns: &[
        text("port_id", "c.port_id"),
        text("host", "c.host"),
        dict_or_empty("profile", "c.profile"),
        text("vif_type", "c.vif_type"),
        dict("vif_details", "c.vif_details"),
        text("vnic_type", "c.vnic_type"),
        text("status", "c.status"),
    ],
    standard: false,
    from: "ml2_port_bindings AS c",
    parent: "c.port_id",
    order: "c.port_id, c.host",
};

const OPTIONS: Children = Children {
    object: Some(("ExtraDhcpOpt", "1.1")),
    columns: &[
        text("id", "c.id"),
        text("port_id", "c.port_id"),
        text("opt_name", "c.opt_name"),
        text("opt_value", "c.opt_value"),
        int("ip_version", "c.ip_version"),
    ],
    standard: false,
    from: "extradhcpopts AS c",
    parent: "c.port_id",
    order: "c.port_id, c.id",
};

const LEVELS: Children = Children {
    object: Some(("PortBindingLevel", "1.1")),
    columns: &[
        text("port_id", "c.port_id"),
        text("host", "c.host"),
        int("level", "c.level"),
        text("driver", "c.driver"),
        text("segment_id", "c.segment_id"),
    ],
    standard: false,
    from: "ml2_port_binding_levels AS c",
    parent: "c.port_id",
    order: "c.port_id, c.host, c.level",
};

const DNS: Children = Children {
    object: Some(("PortDNS", "1.1")),
    columns: &[
        text("port_id", "c.port_id"),
        text("current_dns_name", "c.current_dns_name"),
        text("current_dns_domain", "c.current_dns_domain"),
        text("previous_dns_name", "c.previous_dns_name"),
        text("previous_dns_domain", "c.previous_dns_domain"),
        text("dns_name", "c.dns_name"),
        text("dns_domain", "c.dns_domain"),
    ],
    standard: false,
    from: "portdnses AS c",
    parent: "c.port_id",
    order: "c.port_id",
};

const GROUPS: Children = Children {
    object: None,
    columns: &[text("security_group_id", "c.security_group_id")],
    standard: false,
    from: "securitygroupportbindings AS c",
    parent: "c.port_id",
    order: "c.port_id, c.security_group_id",
};

/// Binding levels with the segment each leads to.
async fn levels(tx: &mut Tx, ports: &[String]) -> Result<HashMap<String, Vec<Value>>, Stop> {
    let found = LEVELS.data(tx, ports).await?;
    let segment = |data: &Data| data.get("segment_id").and_then(Value::as_str).map(str::to_string);
    let mut wanted: Vec<String> = found.iter().filter_map(|(_, data)| segment(data)).collect();
    wanted.sort_unstable();
    wanted.dedup();
    let segments = segments_by_id(tx, &wanted).await?;
    let mut levels: HashMap<String, Vec<Value>> = HashMap::new();
    for (port, mut data) in found {
        let leads_to = segment(&data).and_then(|id| segments.get(&id)).cloned().unwrap_or(Value::Null);
        data.insert("segment".into(), leads_to);
        levels.entry(port).or_default().push(wrap("PortBindingLevel", "1.1", data));
    }
    Ok(levels)
}

/// A value that upstream keeps in an object of its own: `{port_id, <name>}`.
fn boxed(data: &mut Data, name: &str, object: &str) {
    if let (Some(value), Some(id)) = (data.get(name).filter(|value| !value.is_null()), data.get("id")) {
        let inner = json!({"port_id": id, name: value}).as_object().cloned().unwrap_or_default();
        data.insert(name.to_string(), wrap(object, "1.0", inner));
    }
}

pub(super) async fn read(tx: &mut Tx, which: &Which) -> Result<Vec<Data>, Stop> {
    let mut ports = objects(tx, &[PORT, STANDARD], FROM, which).await?;
    let parents = ids(&ports);
    for (name, children) in [
        ("fixed_ips", FIXED_IPS),
        ("allowed_address_pairs", PAIRS),
        ("bindings", BINDINGS),
        ("dhcp_options", OPTIONS),
        ("security_group_ids", GROUPS),
        ("dns", DNS),
    ] {
        let children = children.of(tx, &parents).await?;
        give(&mut ports, name, children);
    }
    let levels = levels(tx, &parents).await?;
    give(&mut ports, "binding_levels", levels);
    for port in &mut ports {
        // Distributed routers are not there yet, so no port is bound on many hosts.
        port.insert("distributed_bindings".into(), json!([]));
        let dns = port.get_mut("dns").and_then(Value::as_array_mut).and_then(Vec::pop);
        port.insert("dns".into(), dns.unwrap_or(Value::Null));
        secured(port, "PortSecurity");
        boxed(port, "data_plane_status", "PortDataPlaneStatus");
        boxed(port, "hints", "PortHints");
    }
    Ok(ports)
}
