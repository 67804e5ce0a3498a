//! How `GET /v2.0/ports?…` finds ports by what is not in their own row.

use crate::attr::Condition;
use crate::convert;
use crate::db::{Val, marks};
use crate::fault::Fault;
use crate::py;
use crate::request::Rq;
use crate::resources::rows::params;
use serde_json::{Value, json};

pub(super) fn mac_address(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let sanitized = |v: &String| match convert::parse_mac(v) {
        Some(mac) => Val::from(convert::mac_text(mac)),
        None => Val::from(v),
    };
    let sql = format!("ports.mac_address IN ({})", marks(values.len()));
    Ok(Condition { sql, params: values.iter().map(sanitized).collect() })
}

pub(super) fn host(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let sql = format!(
        "ports.id IN (SELECT port_id FROM ml2_port_bindings WHERE host IN ({}))",
        marks(values.len())
    );
    Ok(Condition { sql, params: params(values) })
}

/// `fixed_ips=ip_address=10.0.0.5`, `fixed_ips=subnet_id=…`, `fixed_ips=ip_address_substr=10.0`; several keys
/// must all hold, several values of a key mean any of them.
pub(super) fn fixed_ips(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let asked = convert::kvp_list_to_dict(json!(values))?;
    let mut all = Condition { sql: "1 = 1".into(), params: Vec::new() };
    let texts = |key: &str| -> Vec<String> {
        let list = asked.get(key).and_then(Value::as_array);
        list.map(|l| l.iter().map(py::text).collect()).unwrap_or_default()
    };
    let mut require = |condition: String, own: Vec<Val>| {
        all.sql.push_str(&format!(" AND ports.id IN (SELECT port_id FROM ipallocations WHERE {condition})"));
        all.params.extend(own);
    };
    let addresses: Vec<String> = texts("ip_address").iter().map(|a| convert::canonical_ip(a)).collect();
    if !addresses.is_empty() {
        require(format!("ip_address IN ({})", marks(addresses.len())), params(&addresses));
    }
    let subnets = texts("subnet_id");
    if !subnets.is_empty() {
        require(format!("subnet_id IN ({})", marks(subnets.len())), params(&subnets));
    }
    let parts = texts("ip_address_substr");
    if !parts.is_empty() {
        let like = vec!["ip_address LIKE ?"; parts.len()].join(" OR ");
        require(like, parts.iter().map(|part| Val::from(format!("%{part}%"))).collect());
    }
    Ok(all)
}
