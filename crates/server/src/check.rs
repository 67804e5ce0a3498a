//! Validators: what a converted value must be. Order and words as in `neutron_lib.api.validators`.

mod text;

use crate::attr::{Check, Literal};
use crate::convert::{boolean, parse_cidr, parse_mac};
use crate::fault::Fault;
use crate::py;
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Wrong {
    /// Goes behind `Invalid input for {attr}. Reason: `.
    Reason(String),
    /// The validator raises an error of its own.
    Fault(Fault),
}

impl From<String> for Wrong {
    fn from(reason: String) -> Wrong {
        Wrong::Reason(reason)
    }
}

type Checked = Result<(), String>;

/// Checks a value.
pub fn check(check: &Check, value: &Value) -> Result<(), Wrong> {
    if value.is_null() && lets_null_pass(check) {
        return Ok(());
    }
    match check {
        Check::Raising(check) => return check(value).map_err(Wrong::Fault),
        Check::NameNotDefault(max) => {
            text::name_string(value, *max)?;
            let is_default = value.as_str().is_some_and(|t| t.to_lowercase() == "default");
            return if is_default { Err(Wrong::Fault(default_group())) } else { Ok(()) };
        }
        _ => {}
    }
    Ok(reason(check, value)?)
}

fn default_group() -> Fault {
    Fault::SecurityGroupDefaultAlreadyExists {}
}

fn lets_null_pass(check: &Check) -> bool {
    matches!(
        check,
        Check::StringOrNone(_)
            | Check::NotEmptyStringOrNone(_)
            | Check::NameStringOrNone(_)
            | Check::RangeOrNone(..)
            | Check::UuidOrNone
            | Check::SubnetpoolIdOrNone
            | Check::MacAddressOrNone
            | Check::IpAddressOrNone
            | Check::SubnetOrNone
            | Check::IpOrSubnetOrNone
            | Check::DictOrNone
            | Check::PortRange
    )
}

fn reason(check: &Check, value: &Value) -> Checked {
    match check {
        Check::Any | Check::Raising(_) | Check::NameNotDefault(_) => Ok(()),
        Check::String(max) | Check::StringOrNone(max) => text::string(value, *max),
        Check::NotEmptyString(max) | Check::NotEmptyStringOrNone(max) => text::not_empty(value, *max),
        Check::OnelineNotEmptyString(max) => text::oneline(value, *max),
        Check::NameString(max) | Check::NameStringOrNone(max) => text::name_string(value, *max),
        Check::NotEmptyNameString(max) => {
            text::not_empty(value, *max)?;
            text::name_string(value, *max)
        }
        Check::UniqueStrings(max) => list(value, |item| text::string(item, *max)),
        Check::Boolean => boolean(value)
            .map(|_| ())
            .ok_or_else(|| format!("'{}' is not a valid boolean value", py::text(value))),
        Check::Integer => integer(value),
        Check::Range(least, most) | Check::RangeOrNone(least, most) => range(value, *least, *most),
        Check::NonNegative => non_negative(value),
        Check::Uuid | Check::UuidOrNone => uuid(value),
        Check::UuidList => list(value, uuid),
        Check::UuidListNonEmpty => {
            list(value, uuid)?;
            let empty = value.as_array().is_some_and(Vec::is_empty);
            if empty { Err("List should not be empty".to_string()) } else { Ok(()) }
        }
        Check::SubnetpoolIdOrNone => {
            if value == "prefix_delegation" {
                Ok(())
            } else {
                uuid(value)
            }
        }
        Check::Values(literals) => values(value, literals),
        Check::MacAddress | Check::MacAddressOrNone => mac_address(value),
        Check::IpAddress | Check::IpAddressOrNone => ip_address(value),
        Check::Subnet | Check::SubnetOrNone => subnet(value),
        Check::SubnetList => list(value, subnet),
        Check::IpOrSubnetOrNone => ip_address(value).or_else(|_| subnet(value)).map_err(|_| {
            format!("'{}' is neither a valid IP address, nor is it a valid IP subnet", py::text(value))
        }),
        Check::IpPools => ip_pools(value),
        Check::FixedIps => fixed_ips(value),
        Check::Nameservers => nameservers(value),
        Check::HostRoutes => hostroutes(value),
        Check::Dict | Check::DictOrNone => dict(value),
        Check::DictOrEmpty => dict(value),
        Check::PortRange => port_range(value),
        Check::Custom(check) => check(value),
    }
}

/// `_validate_list_of_items`
pub fn list(value: &Value, item: impl Fn(&Value) -> Checked) -> Checked {
    let Value::Array(items) = value else { return Err(format!("'{}' is not a list", py::text(value))) };
    let mut twice: Vec<String> = Vec::new();
    for (at, one) in items.iter().enumerate() {
        let text = py::text(one);
        if items[..at].contains(one) && !twice.contains(&text) {
            twice.push(text);
        }
    }
    if !twice.is_empty() {
        return Err(format!("Duplicate items in the list: '{}'", twice.join(", ")));
    }
    items.iter().try_for_each(item)
}

fn values(value: &Value, literals: &[Literal]) -> Checked {
    let equal = |literal: &Literal| match literal {
        Literal::Null => value.is_null(),
        Literal::Int(number) => match value {
            Value::Number(n) => n.as_f64() == Some(*number as f64),
            Value::Bool(flag) => i64::from(*flag) == *number,
            _ => false,
        },
        Literal::Text(text) => value == text,
    };
    if literals.iter().any(equal) {
        return Ok(());
    }
    Err(format!("{} is not in valid_values", py::text(value)))
}

fn integer(value: &Value) -> Checked {
    let whole = match value {
        Value::Number(number) => number.as_f64().is_some_and(|f| f.is_finite() && f.fract() == 0.0),
        other => py::int(other).is_some(),
    };
    if !whole {
        return Err(format!("'{}' is not an integer", py::text(value)));
    }
    if value.is_boolean() {
        return Err(format!("'{}' is not an integer:boolean", py::text(value)));
    }
    Ok(())
}

/// `validate_range`, both ends included.
pub fn range(value: &Value, least: i64, most: i64) -> Checked {
    let number = py::int(value).ok_or_else(|| format!("'{}' is not an integer", py::text(value)))?;
    let shown = if value.is_u64() || value.is_i64() { py::text(value) } else { number.to_string() };
    if number < least {
        return Err(format!("'{shown}' is too small - must be at least '{least}'"));
    }
    if number > most {
        return Err(format!("'{shown}' is too large - must be no larger than '{most}'"));
    }
    Ok(())
}

fn non_negative(value: &Value) -> Checked {
    match py::int(value) {
        None => Err(format!("'{}' is not an integer", py::text(value))),
        Some(number) if number < 0 => Err(format!("'{number}' should be non-negative")),
        Some(_) => Ok(()),
    }
}

/// `validate_uuid`: any spelling that `uuid.UUID` reads and writes back with the same digits.
pub fn uuid(value: &Value) -> Checked {
    let digits = |text: &str| {
        let text = text.to_lowercase().replace("urn:", "").replace("uuid:", "");
        text.trim_matches(['{', '}']).replace('-', "")
    };
    let good = value.as_str().is_some_and(|text| {
        let digits = digits(text);
        digits.len() == 32 && digits.bytes().all(|b| b.is_ascii_hexdigit())
    });
    if good { Ok(()) } else { Err(format!("'{}' is not a valid UUID", py::text(value))) }
}

/// `validate_mac_address`
pub fn mac_address(value: &Value) -> Checked {
    let mac = value.as_str().filter(|text| !text.contains(char::is_whitespace)).and_then(parse_mac);
    match mac {
        Some(mac) if mac != [0; 6] && mac != [0xff; 6] => Ok(()),
        _ => Err(format!("'{}' is not a valid MAC address", py::text(value))),
    }
}

/// `validate_ip_address`
pub fn ip_address(value: &Value) -> Checked {
    let bad = || Err(format!("'{}' is not a valid IP address", py::text(value)));
    let Some(text) = value.as_str() else { return bad() };
    if let Ok(address) = text.parse::<IpAddr>() {
        return if address.is_ipv6() || address.to_string() == text { Ok(()) } else { bad() };
    }
    match zero_filled(text) {
        Some(ip) => Err(format!("'{text}' is not an accepted IP address, '{ip}' is recommended")),
        None => bad(),
    }
}

/// An IPv4 address whose parts have leading zeros.
fn zero_filled(text: &str) -> Option<Ipv4Addr> {
    let parts: Vec<&str> = text.split('.').collect();
    let [a, b, c, d] = parts.as_slice() else { return None };
    let part = |text: &str| {
        let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| text.parse::<u8>().ok()).flatten()
    };
    Some(Ipv4Addr::new(part(a)?, part(b)?, part(c)?, part(d)?))
}

/// `validate_subnet`
pub fn subnet(value: &Value) -> Checked {
    let good = value.as_str().filter(|text| text.contains('/')).is_some_and(|text| match parse_cidr(text) {
        Some((IpAddr::V4(address), prefix)) => format!("{address}/{prefix}") == text,
        Some((IpAddr::V6(_), _)) => true,
        None => false,
    });
    if good { Ok(()) } else { Err(format!("'{}' is not a valid IP subnet", py::text(value))) }
}

/// `validate_route_cidr`: the network's own address, and no loopback.
pub fn route_cidr(value: &Value) -> Checked {
    let text = py::text(value);
    let parsed = value.as_str().filter(|text| text.contains('/')).and_then(parse_cidr);
    let net = parsed.and_then(|(address, prefix)| ipnet::IpNet::new(address, prefix).ok());
    match net {
        Some(net) if net.network() != net.addr() => Err(format!("'{text}' is not a valid CIDR")),
        Some(net) if net.addr().is_loopback() => Err(format!("'{text}' is not a routable CIDR")),
        Some(_) => Ok(()),
        None => Err(format!("'{text}' is not a valid CIDR")),
    }
}

/// `_verify_dict_keys`: an object with exactly these keys. Upstream prints sets, whose order is any.
pub fn dict_keys(value: &Value, expected: &[&str]) -> Checked {
    let Value::Object(map) = value else {
        return Err(format!(
            "Invalid input. '{}' must be a dictionary with keys: {}",
            py::text(value),
            py::list(expected)
        ));
    };
    let same = map.len() == expected.len() && expected.iter().all(|key| map.contains_key(*key));
    if same {
        return Ok(());
    }
    let provided: Vec<&str> = map.keys().map(String::as_str).collect();
    Err(format!(
        "Validation of dictionary's keys failed. Expected keys: {} Provided keys: {}",
        set(expected),
        set(&provided)
    ))
}

fn set(items: &[&str]) -> String {
    if items.is_empty() {
        return "set()".to_string();
    }
    let items: Vec<String> = items.iter().map(|item| py::quoted(item)).collect();
    format!("{{{}}}", items.join(", "))
}

fn ip_pools(value: &Value) -> Checked {
    let Value::Array(pools) = value else {
        return Err(format!("Invalid data format for IP pool: '{}'", py::text(value)));
    };
    for pool in pools {
        dict_keys(pool, &["start", "end"])?;
        ip_address(&pool["start"])?;
        ip_address(&pool["end"])?;
    }
    Ok(())
}

fn fixed_ips(value: &Value) -> Checked {
    let bad = |value: &Value| Err(format!("Invalid data format for fixed IP: '{}'", py::text(value)));
    let Value::Array(all) = value else { return bad(value) };
    let mut seen: Vec<&Value> = Vec::new();
    for fixed_ip in all {
        let Value::Object(map) = fixed_ip else { return bad(fixed_ip) };
        if let Some(address) = map.get("ip_address") {
            if seen.contains(&address) {
                return Err(format!("Duplicate IP address '{}'", py::text(address)));
            }
            ip_address(address)?;
            seen.push(address);
        }
        if let Some(subnet) = map.get("subnet_id") {
            uuid(subnet)?;
        }
    }
    Ok(())
}

fn nameservers(value: &Value) -> Checked {
    // Python iterates over a text's letters and a dictionary's keys just as well.
    let hosts: Vec<Value> = match value {
        Value::Array(items) => items.clone(),
        Value::String(text) => text.chars().map(|c| Value::String(c.to_string())).collect(),
        Value::Object(map) => map.keys().map(|key| Value::String(key.clone())).collect(),
        other => return Err(format!("Invalid data format for nameserver: '{}'", py::text(other))),
    };
    for (at, host) in hosts.iter().enumerate() {
        ip_address(host).map_err(|msg| format!("'{}' is not a valid nameserver. {msg}", py::text(host)))?;
        if hosts[..at].contains(host) {
            return Err(format!("Duplicate nameserver '{}'", py::text(host)));
        }
    }
    Ok(())
}

/// `validate_hostroutes`
pub fn hostroutes(value: &Value) -> Checked {
    let Value::Array(routes) = value else {
        return Err(format!("Invalid data format for hostroute: '{}'", py::text(value)));
    };
    for (at, route) in routes.iter().enumerate() {
        dict_keys(route, &["destination", "nexthop"])?;
        route_cidr(&route["destination"])?;
        ip_address(&route["nexthop"])?;
        if routes[..at].contains(route) {
            return Err(format!("Duplicate hostroute '{}'", py::text(route)));
        }
    }
    Ok(())
}

/// `validate_dict` without specifications.
pub fn dict(value: &Value) -> Checked {
    if value.is_object() { Ok(()) } else { Err(format!("'{}' is not a dictionary", py::text(value))) }
}

fn port_range(value: &Value) -> Checked {
    let text = py::text(value);
    let parts: Vec<&str> = text.split(':').collect();
    if parts.len() > 2 || parts.iter().any(|part| part.is_empty()) {
        return Err("Port range must be two integers separated by a colon".to_string());
    }
    let mut ports = Vec::new();
    for part in parts {
        let port = py::int_of(part).filter(|port| (0..=65535).contains(port));
        ports.push(port.ok_or_else(|| format!("Invalid port: {part}"))?);
    }
    match ports.as_slice() {
        [first, second] if first > second => {
            Err("First port in a port range must be lower than the second port".to_string())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
