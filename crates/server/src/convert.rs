//! Converters: what a client wrote becomes what is kept. Names without `convert_`, behaviour and words as in
//! `neutron_lib.api.converters`.

use crate::fault::Fault;
use crate::py;
use serde_json::{Map, Value, json};
use std::net::{IpAddr, Ipv6Addr};

type Converted = Result<Value, Fault>;

/// The refusal that converters share: `Invalid input for operation: {error_message}.`
pub fn invalid(error_message: impl Into<String>) -> Fault {
    Fault::ConvertFailed { error_message: error_message.into() }
}

/// What `strutils.bool_from_string(…, strict=True)` reads.
pub fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(flag) => Some(*flag),
        other => match py::text(other).trim().to_lowercase().as_str() {
            "1" | "t" | "true" | "on" | "y" | "yes" => Some(true),
            "0" | "f" | "false" | "off" | "n" | "no" => Some(false),
            _ => None,
        },
    }
}

/// `convert_to_boolean`
pub fn to_boolean(value: Value) -> Converted {
    boolean(&value)
        .map(Value::Bool)
        .ok_or_else(|| invalid(format!("'{}' cannot be converted to boolean", py::text(&value))))
}

/// `convert_to_boolean_if_not_none`
pub fn to_boolean_if_not_none(value: Value) -> Converted {
    if value.is_null() { Ok(value) } else { to_boolean(value) }
}

/// `convert_to_int`
pub fn to_int(value: Value) -> Converted {
    py::int(&value)
        .map(Value::from)
        .ok_or_else(|| invalid(format!("'{}' is not an integer", py::text(&value))))
}

/// `convert_to_int_if_not_none`
pub fn to_int_if_not_none(value: Value) -> Converted {
    if value.is_null() { Ok(value) } else { to_int(value) }
}

/// `convert_none_to_empty_list`
pub fn none_to_empty_list(value: Value) -> Converted {
    Ok(if value.is_null() { json!([]) } else { value })
}

/// `convert_none_to_empty_dict`
pub fn none_to_empty_dict(value: Value) -> Converted {
    Ok(if value.is_null() { json!({}) } else { value })
}

/// `convert_none_to_empty_string`
pub fn none_to_empty_string(value: Value) -> Converted {
    Ok(if value.is_null() { json!("") } else { value })
}

/// `convert_to_list`
pub fn to_list(value: Value) -> Converted {
    Ok(match value {
        Value::Null => json!([]),
        Value::Array(_) => value,
        Value::Object(map) => Value::Array(map.into_iter().map(|(key, _)| Value::String(key)).collect()),
        other => json!([other]),
    })
}

/// `convert_to_string`
pub fn to_string(value: Value) -> Converted {
    Ok(if value.is_null() { value } else { Value::String(py::text(&value)) })
}

/// `convert_string_to_case_insensitive`
pub fn string_to_case_insensitive(value: Value) -> Converted {
    match &value {
        Value::String(text) => Ok(Value::String(text.to_lowercase())),
        other => Err(invalid(format!("Input value {} must be string type", py::text(other)))),
    }
}

/// `convert_uppercase_ip`: `ipv4` becomes `IPv4`.
pub fn uppercase_ip(value: Value) -> Converted {
    Ok(match value {
        Value::String(text) if text.get(..2).is_some_and(|p| p.eq_ignore_ascii_case("ip")) => {
            Value::String(format!("IP{}", &text[2..]))
        }
        other => other,
    })
}

/// `convert_kvp_list_to_dict`: `["a=1", "a=2"]` becomes `{"a": ["1", "2"]}`.
pub fn kvp_list_to_dict(value: Value) -> Converted {
    let items = value.as_array().cloned().unwrap_or_default();
    if items.len() == 1 && items.first().and_then(Value::as_str) == Some("True") {
        return Ok(json!({}));
    }
    let mut map = Map::new();
    for item in &items {
        let text = py::text(item);
        let pair = text.split_once('=').map(|(k, v)| (k.trim(), v.trim())).filter(|(k, _)| !k.is_empty());
        let (key, value) =
            pair.ok_or_else(|| invalid(format!("'{text}' is not of the form <key>=[value]")))?;
        if let Value::Array(values) = map.entry(key).or_insert_with(|| json!([]))
            && !values.iter().any(|v| v == value)
        {
            values.push(json!(value));
        }
    }
    Ok(Value::Object(map))
}

/// An address in the form that is kept: IPv6 compressed and in lower case, all else as it is.
pub fn canonical_ip(text: &str) -> String {
    match text.parse::<Ipv6Addr>() {
        Ok(address) => address.to_string(),
        Err(_) => text.to_string(),
    }
}

/// `convert_ip_to_canonical_format`
pub fn ip_to_canonical_format(value: Value) -> Converted {
    Ok(match value {
        Value::String(text) => Value::String(canonical_ip(&text)),
        other => other,
    })
}

/// `convert_cidr_to_canonical_format`
pub fn cidr_to_canonical_format(value: Value) -> Converted {
    let refused = || invalid(format!("{} is not in a CIDR format", py::text(&value)));
    let text = value.as_str().ok_or_else(refused)?;
    let (address, prefix) = parse_cidr(text).ok_or_else(refused)?;
    Ok(Value::String(format!("{}/{prefix}", canonical_ip(&address.to_string()))))
}

/// An address with a prefix length (or an IPv4 netmask) behind it; a bare address is one of its full length.
/// The bits beyond the prefix may be set.
pub fn parse_cidr(text: &str) -> Option<(IpAddr, u8)> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let longest = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) if !prefix.is_empty() && prefix.bytes().all(|b| b.is_ascii_digit()) => {
            prefix.parse().ok()?
        }
        Some(mask) => {
            let mask = u32::from(mask.parse::<std::net::Ipv4Addr>().ok().filter(|_| address.is_ipv4())?);
            let length = mask.leading_ones();
            (mask == u32::MAX.checked_shl(32 - length).unwrap_or(0)).then_some(length as u8)?
        }
    };
    (prefix <= longest).then_some((address, prefix))
}

/// `convert_allocation_pools_to_canonical_format`
pub fn allocation_pools_to_canonical_format(value: Value) -> Converted {
    let refused = || invalid("Invalid data format for allocation pools");
    let pools = match value {
        Value::Null => return Ok(json!([])),
        Value::Array(pools) => pools,
        _ => return Err(refused()),
    };
    let mut canonical = Vec::with_capacity(pools.len());
    for pool in pools {
        let Value::Object(pool) = pool else { return Err(refused()) };
        let pool = pool.into_iter().map(|(k, v)| Ok((k, ip_to_canonical_format(v)?)));
        canonical.push(Value::Object(pool.collect::<Result<_, Fault>>()?));
    }
    Ok(Value::Array(canonical))
}

/// The six bytes of a MAC address in any of the spellings that netaddr knows.
pub fn parse_mac(text: &str) -> Option<[u8; 6]> {
    let hex = |part: &str, most: usize, least: usize| {
        let fits = (least..=most).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_hexdigit());
        fits.then(|| u64::from_str_radix(part, 16).ok()).flatten()
    };
    let join = |parts: &[&str], bits: u32, least: usize| {
        let mut all = 0;
        for part in parts {
            all = (all << bits) | hex(part, bits as usize / 4, least)?;
        }
        Some(all)
    };
    let mut number = None;
    for separator in [':', '-', '.'] {
        let parts: Vec<&str> = text.split(separator).collect();
        number = number.or(match (parts.len(), separator) {
            (6, ':' | '-') => join(&parts, 8, 1),
            (3, _) => join(&parts, 16, 1),
            (2, ':' | '-') => join(&parts, 24, 5),
            _ => None,
        });
    }
    let number = number.or_else(|| hex(text, 12, 11))?;
    let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
    Some([a, b, c, d, e, f])
}

/// A MAC address as it is kept: `fa:16:3e:00:00:01`.
pub fn mac_text(mac: [u8; 6]) -> String {
    mac.map(|byte| format!("{byte:02x}")).join(":")
}

/// `convert_to_sanitized_mac_address`; what is no MAC address stays as it is, for the validator to refuse.
/// A number is one too: netaddr takes it as the address' 48 bits.
pub fn to_sanitized_mac_address(value: Value) -> Converted {
    let number = value.as_u64().filter(|number| *number < 1 << 48);
    let number = number.map(|number| {
        let [_, _, a, b, c, d, e, f] = number.to_be_bytes();
        [a, b, c, d, e, f]
    });
    Ok(match number.or_else(|| value.as_str().and_then(parse_mac)) {
        Some(mac) => Value::String(mac_text(mac)),
        None => value,
    })
}

/// `convert_to_protocol`: a name that iptables knows, or a number of 0 to 255. What is kept is as written.
pub fn to_protocol(value: Value) -> Converted {
    if value.is_null() {
        return Ok(value);
    }
    let refused = || {
        invalid(format!(
            "IP protocol '{}' is not supported. Only protocol names and their integer representation (0 to 255) are supported",
            py::text(&value)
        ))
    };
    let Value::String(text) = &value else {
        return Err(invalid(format!("Input value {} must be string type", py::text(&value))));
    };
    let known = PROTOCOLS.contains(&text.to_lowercase().as_str())
        || py::int_of(text).is_some_and(|number| (0..=255).contains(&number));
    if known { Ok(value) } else { Err(refused()) }
}

/// The names of upstream's `IPTABLES_PROTOCOL_MAP`.
const PROTOCOLS: &[&str] = &["dccp", "icmp", "ipv6-icmp", "sctp", "tcp", "udp"];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_convert_or_are_refused_in_upstreams_words() {
        type Case = (fn(Value) -> Converted, Value, Result<Value, &'static str>);
        let cases: &[Case] = &[
            (to_boolean, json!("YES "), Ok(json!(true))),
            (to_boolean, json!(0), Ok(json!(false))),
            (to_boolean, json!(null), Err("'None' cannot be converted to boolean")),
            (to_int, json!("12"), Ok(json!(12))),
            (to_int, json!([]), Err("'[]' is not an integer")),
            (to_list, json!("a"), Ok(json!(["a"]))),
            (kvp_list_to_dict, json!(["a=1", "a=2", "b="]), Ok(json!({"a": ["1", "2"], "b": [""]}))),
            (kvp_list_to_dict, json!(["a"]), Err("'a' is not of the form <key>=[value]")),
            (ip_to_canonical_format, json!("2001:DB8:0::1"), Ok(json!("2001:db8::1"))),
            (cidr_to_canonical_format, json!("2001:DB8:0::/64"), Ok(json!("2001:db8::/64"))),
            (cidr_to_canonical_format, json!("10.0.0.0/255.255.0.0"), Ok(json!("10.0.0.0/16"))),
            (cidr_to_canonical_format, json!("10.0.0.0/33"), Err("10.0.0.0/33 is not in a CIDR format")),
            (to_sanitized_mac_address, json!("FA-16-3E-0-0-1"), Ok(json!("fa:16:3e:00:00:01"))),
            (to_sanitized_mac_address, json!("fa16.3e00.0001"), Ok(json!("fa:16:3e:00:00:01"))),
            (to_sanitized_mac_address, json!("fa:16"), Ok(json!("fa:16"))),
            (to_protocol, json!("TCP"), Ok(json!("TCP"))),
            (to_protocol, json!(6), Err("Input value 6 must be string type")),
        ];
        for (convert, value, wanted) in cases {
            let got = convert(value.clone());
            let wanted = wanted.clone().map_err(invalid);
            assert_eq!(got, wanted, "{value}");
        }
    }
}
