//! What a security group rule must be, as pure functions: conversion of single values, the checks of a whole
//! rule in upstream's order, and which rules are the same rule.

use super::protocol::{self, ICMP, ICMP_V6, WITH_PORTS};
use crate::attr::Body;
use crate::convert;
use crate::fault::Fault;
use crate::py;
use ipnet::IpNet;
use serde_json::Value;

/// `protocol`: a known name in any case, or a number of one byte; kept as text. `any` means none.
pub fn convert_protocol(value: Value) -> Result<Value, Fault> {
    let refuse = |value: &Value| Fault::SecurityGroupRuleInvalidProtocol {
        protocol: py::text(value),
        values: protocol::supported(),
    };
    let number = match &value {
        Value::Null => return Ok(Value::Null),
        Value::String(text) if text == "any" => return Ok(Value::Null),
        Value::String(text) => match py::int_of(text) {
            Some(number) => number,
            None => {
                let name = text.to_lowercase();
                let known = protocol::PROTOCOLS.iter().any(|(known, _)| *known == name) || name == "any";
                return if known { Ok(Value::from(name)) } else { Err(refuse(&value)) };
            }
        },
        Value::Number(_) => py::int(&value).unwrap_or(-1),
        Value::Bool(_) | Value::Array(_) | Value::Object(_) => return Err(refuse(&value)),
    };
    if (0..=255).contains(&number) { Ok(Value::from(py::text(&value))) } else { Err(refuse(&value)) }
}

/// `ethertype`: `IPv4` or `IPv6` in any case.
pub fn convert_ethertype(value: Value) -> Result<Value, Fault> {
    let known = ["IPv4", "IPv6"]
        .into_iter()
        .find(|known| value.as_str().is_some_and(|v| known.eq_ignore_ascii_case(v)));
    known.map(Value::from).ok_or_else(|| Fault::SecurityGroupRuleInvalidEtherType {
        ethertype: py::text(&value),
        values: "['IPv4', 'IPv6']".to_string(),
    })
}

/// `port_range_min` and `port_range_max`: a port, or nothing.
pub fn convert_port(value: Value) -> Result<Value, Fault> {
    if value.is_null() {
        return Ok(value);
    }
    match py::int(&value) {
        Some(port) if (0..=65535).contains(&port) => Ok(Value::from(port)),
        _ => Err(Fault::SecurityGroupInvalidPortValue { port: py::text(&value) }),
    }
}

/// `remote_ip_prefix`: an address or a prefix, its host bits kept; nothing for an empty text.
pub fn convert_prefix(value: Value) -> Result<Value, Fault> {
    if py::is_false(&value) {
        return Ok(Value::Null);
    }
    let prefix = value.as_str().and_then(parse_prefix);
    prefix
        .map(|prefix| Value::from(prefix.to_string()))
        .ok_or_else(|| Fault::InvalidCIDR { input: py::text(&value) })
}

/// `remote_group_id`: nothing for everything empty; what is no text is looked for as Python prints it.
pub fn convert_group(value: Value) -> Result<Value, Fault> {
    Ok(if py::is_false(&value) { Value::Null } else { Value::from(py::text(&value)) })
}

/// `10.0.0.1/24`, `10.0.0.1`, `10.0.0.1/255.255.255.0` as a prefix with its host bits.
pub fn parse_prefix(text: &str) -> Option<IpNet> {
    let (address, length) = convert::parse_cidr(text)?;
    IpNet::new(address, length).ok()
}

/// The prefix without its host bits, as `normalized_cidr` shows it.
pub fn normalized(prefix: &str) -> Option<String> {
    parse_prefix(prefix).map(|prefix| prefix.trunc().to_string())
}

/// Brings a rule into the form in which it is kept, and checks what can be checked without a database.
/// The order of the checks is upstream's.
pub fn check(rule: &mut Body) -> Result<(), Fault> {
    name_icmp_v6(rule);
    if int(rule, "port_range_min") == Some(1) && int(rule, "port_range_max") == Some(65535) {
        rule.insert("port_range_min".into(), Value::Null);
        rule.insert("port_range_max".into(), Value::Null);
    }
    check_ports(rule)?;
    let ethertype = text(rule, "ethertype").unwrap_or_default().to_string();
    if let Some(prefix) = text(rule, "remote_ip_prefix").map(str::to_string) {
        let version =
            parse_prefix(&prefix).map(|prefix| if prefix.addr().is_ipv4() { "IPv4" } else { "IPv6" });
        if version != Some(ethertype.as_str()) {
            return Err(Fault::SecurityGroupRuleParameterConflict { ethertype, cidr: prefix });
        }
    }
    if let Some(protocol) = text(rule, "protocol")
        && ethertype == "IPv4"
        && protocol::only_v6(protocol)
    {
        return Err(Fault::SecurityGroupEthertypeConflictWithProtocol {
            ethertype,
            protocol: protocol.into(),
        });
    }
    let remotes = ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"];
    if remotes.into_iter().filter(|key| rule.get(*key).is_some_and(|v| !py::is_false(v))).count() > 1 {
        return Err(Fault::SecurityGroupMultipleRemoteEntites {});
    }
    Ok(())
}

/// IPv6 rules for `icmp`, `icmpv6` or `1` are rules for ICMPv6.
fn name_icmp_v6(rule: &mut Body) {
    if text(rule, "ethertype") != Some("IPv6") {
        return;
    }
    let name = match text(rule, "protocol") {
        Some("icmp" | "icmpv6") => "ipv6-icmp",
        Some("1") => "58",
        Some(_) | None => return,
    };
    rule.insert("protocol".into(), Value::from(name));
}

fn check_ports(rule: &Body) -> Result<(), Fault> {
    let (min, max) = (int(rule, "port_range_min"), int(rule, "port_range_max"));
    if min.is_none() && max.is_none() {
        return Ok(());
    }
    let Some(protocol) = text(rule, "protocol") else {
        return Err(Fault::SecurityGroupProtocolRequiredWithPorts {});
    };
    let number = protocol::number(protocol);
    if WITH_PORTS.iter().any(|(_, with_ports)| Some(*with_ports) == number) {
        if min == Some(0) || max == Some(0) {
            return Err(Fault::SecurityGroupInvalidPortValue { port: "0".into() });
        }
        return match (min, max) {
            (Some(min), Some(max)) if min <= max => Ok(()),
            _ => Err(Fault::SecurityGroupInvalidPortRange {}),
        };
    }
    if number == Some(ICMP) || number == Some(ICMP_V6) {
        return check_icmp(min, max);
    }
    Err(Fault::SecurityGroupInvalidProtocolForPort {
        protocol: number.map_or_else(|| protocol.to_string(), |number| number.to_string()),
        valid_port_protocols: WITH_PORTS.map(|(name, _)| name).join(", "),
    })
}

fn check_icmp(min: Option<i64>, max: Option<i64>) -> Result<(), Fault> {
    for (attr, field, value) in [("port_range_min", "type", min), ("port_range_max", "code", max)] {
        if let Some(value) = value
            && !(0..=255).contains(&value)
        {
            let (field, attr) = (field.to_string(), attr.to_string());
            return Err(Fault::SecurityGroupInvalidIcmpValue { field, attr, value: value.to_string() });
        }
    }
    match (min, max) {
        (None, Some(code)) => Err(Fault::SecurityGroupMissingIcmpType { value: code.to_string() }),
        _ => Ok(()),
    }
}

/// What makes two rules the same rule: upstream's list of attributes, each in one spelling.
pub fn key(rule: &Body) -> [String; 9] {
    let ethertype = text(rule, "ethertype").unwrap_or_default();
    let names = [
        "direction",
        "ethertype",
        "port_range_max",
        "port_range_min",
        "protocol",
        "remote_group_id",
        "remote_address_group_id",
        "remote_ip_prefix",
        "security_group_id",
    ];
    names.map(|name| match (name, rule.get(name)) {
        (_, None | Some(Value::Null)) => "+".to_string(),
        ("protocol", Some(Value::String(protocol))) => protocol::canonical(protocol, ethertype),
        ("remote_ip_prefix", Some(Value::String(any))) if any == "0.0.0.0/0" || any == "::/0" => {
            "+".to_string()
        }
        (_, Some(value)) => py::text(value),
    })
}

/// Rules of one request: all of one group and one project, and no two the same.
pub fn check_together(rules: &[Body]) -> Result<(), Fault> {
    let Some(first) = rules.first() else { return Ok(()) };
    if rules.iter().any(|rule| rule.get("security_group_id") != first.get("security_group_id")) {
        return Err(Fault::SecurityGroupNotSingleGroupRules {});
    }
    if rules.iter().any(|rule| rule.get("project_id") != first.get("project_id")) {
        return Err(Fault::SecurityGroupRulesNotSingleProject {});
    }
    let mut keys = std::collections::BTreeSet::new();
    for rule in rules {
        let mut rule = rule.clone();
        check(&mut rule)?;
        if !keys.insert(key(&rule)) {
            return Err(Fault::DuplicateSecurityGroupRuleInPost {});
        }
    }
    Ok(())
}

fn text<'a>(rule: &'a Body, name: &str) -> Option<&'a str> {
    rule.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

fn int(rule: &Body, name: &str) -> Option<i64> {
    rule.get(name).and_then(Value::as_i64)
}

#[cfg(test)]
mod tests;
