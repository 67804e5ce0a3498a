//! Address pairs, DHCP options and names of ports: what may be written, and their rows.

use crate::attr::Body;
use crate::check;
use crate::convert;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::take::OF_ADDRESSES;
use crate::ml2::segment::invalid;
use crate::p;
use crate::py;
use crate::request::Rq;
use crate::resources::dns;
use crate::resources::rows::{items, text};
use serde_json::{Value, json};

/// `fixed_ips` with addresses in the form that is kept.
pub(super) fn canonical_addresses(value: Value) -> Result<Value, Fault> {
    let Value::Array(mut all) = value else { return Ok(value) };
    for fixed in &mut all {
        if let Some(Value::String(address)) = fixed.get_mut("ip_address")
            && check::ip_address(&json!(address)).is_ok()
        {
            *address = convert::canonical_ip(address);
        }
    }
    Ok(Value::Array(all))
}

fn bad(text: String) -> Fault {
    Fault::BadRequest { text }
}

/// `type:allowed_address_pairs`; the greatest number is the configuration's and is checked with the rows.
pub(super) fn check_pairs(value: &Value) -> Result<(), Fault> {
    let Value::Array(pairs) = value else {
        return Err(bad("Allowed address pairs must be a list.".into()));
    };
    let mut seen: Vec<(Option<&Value>, &Value)> = Vec::new();
    for pair in pairs {
        let Value::Object(map) = pair else {
            let reason = format!("'{}' is not a dictionary", py::text(pair));
            return Err(Fault::InvalidInput { attr: "allowed_address_pairs".into(), reason });
        };
        let mac = map.get("mac_address");
        if let Some(mac) = mac {
            check::mac_address(mac).map_err(bad)?;
        }
        let address = map.get("ip_address").ok_or(Fault::AllowedAddressPairsMissingIP {})?;
        if seen.contains(&(mac, address)) {
            let mac_address = mac.map_or_else(|| "None".to_string(), py::text);
            return Err(Fault::DuplicateAddressPairInRequest { mac_address, ip_address: py::text(address) });
        }
        seen.push((mac, address));
        let strange: Vec<&str> =
            map.keys().map(String::as_str).filter(|k| !["mac_address", "ip_address"].contains(k)).collect();
        if !strange.is_empty() {
            return Err(bad(format!("Unrecognized attribute(s) '{}'", strange.join(", "))));
        }
        check_pair_address(address)?;
        let multicast =
            mac.and_then(Value::as_str).and_then(convert::parse_mac).is_some_and(|m| m[0] & 1 == 1);
        if let Some(mac) = mac.filter(|_| multicast) {
            let mac = py::text(mac);
            return Err(bad(format!("MAC address {mac} is a multicast address, which is not supported.")));
        }
    }
    Ok(())
}

fn check_pair_address(address: &Value) -> Result<(), Fault> {
    let text = py::text(address);
    if text.contains('/') {
        check::subnet(address).map_err(bad)?;
        let Ok(net) = text.parse::<ipnet::IpNet>() else { return Ok(()) };
        let ranges: [(&str, bool); 2] = [("224.0.0.0/4", true), ("ff00::/8", false)];
        for (range, v4) in ranges {
            let is_v4 = matches!(net, ipnet::IpNet::V4(_));
            let all = net.prefix_len() == 0 && is_v4;
            let Ok(multicast) = range.parse::<ipnet::IpNet>() else { continue };
            if is_v4 == v4 && !all && (multicast.contains(&net) || net.contains(&multicast)) {
                return Err(bad(format!(
                    "Subnet {net} overlaps with multicast range {range}, which is not supported."
                )));
            }
        }
        return Ok(());
    }
    check::ip_address(address).map_err(bad)?;
    match text.parse::<std::net::IpAddr>() {
        Ok(ip) if ip.is_multicast() => {
            Err(bad(format!("IP {text} is a multicast address, which is not supported.")))
        }
        _ => Ok(()),
    }
}

/// Stores a port's address pairs in place of those that are there.
pub(super) async fn store_pairs(tx: &mut Tx, port: &str, body: &Body, secured: bool) -> Result<(), Stop> {
    let pairs = items(body, "allowed_address_pairs");
    if pairs.is_empty() {
        return Ok(());
    }
    if !secured {
        return Err(Fault::AddressPairAndPortSecurityRequired {}.into());
    }
    tx.known.unsettle("port", port, &["allowed_address_pairs"]);
    for pair in pairs {
        let own = text(body, "mac_address");
        let mac = pair.get("mac_address").and_then(Value::as_str).unwrap_or(own);
        // Both are kept in the client's own spelling, as upstream.
        let mac_address = mac.to_string();
        let ip_address = pair.get("ip_address").and_then(Value::as_str).unwrap_or_default().to_string();
        let sql = "INSERT INTO allowedaddresspairs (port_id, mac_address, ip_address) VALUES (?, ?, ?)";
        match tx.exec_noted(sql, p![port, &mac_address, &ip_address]).await {
            Err(Stop::Duplicate(_)) => {
                return Err(Fault::DuplicateAddressPairInRequest { mac_address, ip_address }.into());
            }
            other => other?,
        };
    }
    Ok(())
}

/// Refuses more address pairs than the configuration allows.
pub(super) fn check_pair_count(rq: Rq<'_>, body: &Body) -> Result<(), Fault> {
    let quota = rq.app.ml2.core.max_allowed_address_pair;
    if items(body, "allowed_address_pairs").len() > quota {
        return Err(Fault::AllowedAddressPairExhausted { quota: quota.to_string() });
    }
    Ok(())
}

/// Options that may be given without a value.
const BLANK: [&str; 2] = ["router", "classless-static-route"];

/// `type:list_of_any_key_specs_or_none` for DHCP options.
pub(super) fn check_dhcp_options(value: &Value) -> Result<(), Fault> {
    if value.is_null() {
        return Ok(());
    }
    let unmatched = |option: &Value| {
        if is_dhcp_option(option) {
            None
        } else {
            Some(format!("No valid key specs matched for: {}", py::text(option)))
        }
    };
    check::list(value, |option| unmatched(option).map_or(Ok(()), Err)).map_err(invalid)
}

fn is_dhcp_option(option: &Value) -> bool {
    let Value::Object(map) = option else { return false };
    let known = map.keys().all(|k| ["opt_name", "opt_value", "ip_version"].contains(&k.as_str()));
    let (Some(name), Some(value)) = (map.get("opt_name"), map.get("opt_value")) else { return false };
    let version = map.get("ip_version").is_none_or(|v| matches!(py::int(v), Some(4 | 6)));
    let blank = name.as_str().is_some_and(|n| BLANK.contains(&n));
    let line = |v: &Value, most: usize| {
        v.as_str().is_some_and(|t| {
            !t.trim().is_empty() && t.chars().count() <= most && t.lines().count() <= 1 && !t.ends_with('\r')
        })
    };
    let valued = value.is_null()
        || (blank && value.as_str().is_some_and(|v| v.chars().count() <= 255))
        || (line(name, 64) && line(value, 255));
    known && version && (blank || line(name, 64)) && valued
}

/// Stores DHCP options: on a new port all of them; later each replaces, adds or (null) removes one.
pub(super) async fn store_dhcp_options(
    rq: Rq<'_>,
    tx: &mut Tx,
    port: &str,
    body: &Body,
    new: bool,
) -> Result<bool, Stop> {
    let options = items(body, "extra_dhcp_opts");
    if !options.is_empty() {
        tx.known.unsettle("port", port, &["extra_dhcp_opts"]);
    }
    for option in options {
        let name = option.get("opt_name").and_then(Value::as_str).unwrap_or_default();
        let value = option.get("opt_value").and_then(Value::as_str);
        let version = option.get("ip_version").and_then(py::int).unwrap_or(4);
        let valid = value.is_some_and(|v| !v.is_empty() || BLANK.contains(&name));
        if !new {
            let there = "port_id = ? AND opt_name = ? AND ip_version = ?";
            let key = p![port, name, version].to_vec();
            if value.is_none() {
                tx.exec_noted(&format!("DELETE FROM extradhcpopts WHERE {there}"), &key).await?;
                continue;
            }
            let sql = format!("UPDATE extradhcpopts SET opt_value = ? WHERE {there}");
            if valid && tx.exec_noted(&sql, &[p![value].to_vec(), key].concat()).await?.affected > 0 {
                continue;
            }
        }
        if valid {
            let sql = "INSERT INTO extradhcpopts (id, port_id, opt_name, opt_value, ip_version) VALUES (?, ?, ?, ?, ?)";
            match tx.exec_noted(sql, p![rq.app.fresh_id(), port, name, value, version]).await {
                Err(Stop::Duplicate(_)) => {
                    return Err(invalid(format!("Duplicate DHCP option {name}")).into());
                }
                other => other?,
            };
        }
    }
    Ok(!options.is_empty())
}

/// Stores a port's name, where names are managed at all; says whether it changed. `body` may hold only changes.
pub(super) async fn store_dns(
    rq: Rq<'_>,
    tx: &mut Tx,
    port: &str,
    body: &Body,
    new: bool,
) -> Result<bool, Stop> {
    let Some(name) = body.get("dns_name").and_then(Value::as_str) else { return Ok(false) };
    let option = &rq.app.ml2.core.dns_domain;
    dns::fits_domain(name, option)
        .map_err(|reason| Fault::InvalidInput { attr: "dns_name".into(), reason })?;
    if dns::managed_domain(option).is_none() {
        return Ok(false);
    }
    let row = match new {
        true => None,
        false => tx.opt("SELECT dns_name FROM portdnses WHERE port_id = ?", p![port]).await?,
    };
    match row {
        Some(row) if row.text(0) == name => Ok(false),
        Some(_) => {
            tx.known.unsettle("port", port, OF_ADDRESSES);
            tx.exec_noted("UPDATE portdnses SET dns_name = ? WHERE port_id = ?", p![name, port]).await?;
            Ok(true)
        }
        None if name.is_empty() => Ok(false),
        None => {
            let sql = "INSERT INTO portdnses (port_id, current_dns_name, current_dns_domain, previous_dns_name, previous_dns_domain, dns_name, dns_domain) VALUES (?, '', '', '', '', ?, '')";
            tx.known.unsettle("port", port, OF_ADDRESSES);
            tx.exec_noted(sql, p![port, name]).await?;
            Ok(true)
        }
    }
}
