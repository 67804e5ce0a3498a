//! Security group rules as agents get them: pure functions over rows.

use serde_json::{Map, Value, json};
use std::net::IpAddr;

/// A row of `securitygrouprules` with its group's `stateful`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Rule {
    /// The group it belongs to.
    pub group: String,
    /// `ingress` or `egress`.
    pub direction: String,
    /// `IPv4` or `IPv6`.
    pub ethertype: String,
    /// A name or a number; none = all.
    pub protocol: Option<String>,
    /// First port, or ICMP type.
    pub port_range_min: Option<i64>,
    /// Last port, or ICMP code.
    pub port_range_max: Option<i64>,
    /// The other side's addresses, as the user wrote them.
    pub remote_ip_prefix: Option<String>,
    /// The other side's group.
    pub remote_group: Option<String>,
    /// The other side's address group.
    pub remote_address_group: Option<String>,
    /// Whether the group tracks connections.
    pub stateful: bool,
}

/// An address of a member of a group, with the MAC address where an allowed pair states one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Member {
    /// An address or a network.
    pub ip: String,
    /// The MAC address of the allowed address pair.
    pub mac: Option<String>,
}

impl Member {
    /// `IPv4` or `IPv6`.
    pub fn ethertype(&self) -> &'static str {
        if self.ip.contains(':') { "IPv6" } else { "IPv4" }
    }
}

/// A rule in its group's list; `security_group_id` is left out, as agents look it up by the list's name.
pub fn plain(rule: &Rule) -> Map<String, Value> {
    let mut map = Map::new();
    map.insert("direction".into(), json!(rule.direction));
    map.insert("ethertype".into(), json!(rule.ethertype));
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            map.insert(name.into(), value);
        }
    };
    put("protocol", rule.protocol.clone().map(Value::from));
    put("port_range_min", rule.port_range_min.map(Value::from));
    put("port_range_max", rule.port_range_max.map(Value::from));
    put(prefix_name(&rule.direction), rule.remote_ip_prefix.as_deref().map(|prefix| json!(normal(prefix))));
    put("remote_group_id", rule.remote_group.clone().map(Value::from));
    put("remote_address_group_id", rule.remote_address_group.clone().map(Value::from));
    map
}

/// The list of a group's rules: each once.
pub fn group(rules: &[&Rule]) -> Vec<Value> {
    let mut list: Vec<Value> = Vec::new();
    for rule in rules {
        let mut map = plain(rule);
        map.insert("stateful".into(), json!(rule.stateful));
        let rule = Value::Object(map);
        if !list.contains(&rule) {
            list.push(rule);
        }
    }
    list
}

/// A rule of a port for agents that know no groups: remote groups become one rule per address of a member,
/// the port's own left out.
pub fn expanded(rule: &Rule, members: &[Member], own: &[String]) -> Vec<Value> {
    let mut map = plain(rule);
    map.insert("security_group_id".into(), json!(rule.group));
    if rule.remote_group.is_none() && rule.remote_address_group.is_none() {
        return vec![Value::Object(map)];
    }
    let fitting = members.iter().filter(|m| m.ethertype() == rule.ethertype && !own.contains(&m.ip));
    fitting
        .map(|member| {
            let mut rule_of_one = map.clone();
            rule_of_one.insert(prefix_name(&rule.direction).into(), json!(normal(&member.ip)));
            Value::Object(rule_of_one)
        })
        .collect()
}

/// The other side stands in the source of what comes in and in the destination of what goes out.
fn prefix_name(direction: &str) -> &'static str {
    if direction == "egress" { "dest_ip_prefix" } else { "source_ip_prefix" }
}

/// A prefix with its host bits cleared: `10.0.0.5/24` is `10.0.0.0/24`, `10.0.0.5` is `10.0.0.5/32`.
pub(crate) fn normal(prefix: &str) -> String {
    if let Ok(net) = prefix.parse::<ipnet::IpNet>() {
        return net.trunc().to_string();
    }
    match prefix.parse::<IpAddr>() {
        Ok(address) => ipnet::IpNet::from(address).to_string(),
        Err(_) => prefix.to_string(),
    }
}

/// What every port lets in: router advertisements where it has IPv6, and answers of DHCP servers, to its own
/// addresses only, so that nobody gets a lease that is not Neutron's.
pub fn provider(addresses: &[String]) -> Vec<Value> {
    let (v6, v4): (Vec<&String>, Vec<&String>) = addresses.iter().partition(|a| a.contains(':'));
    let mut rules = Vec::new();
    if !v6.is_empty() {
        rules.push(json!({"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp",
                          "source_port_range_min": 134}));
    }
    let mut dhcp = |ethertype: &str, from: u16, to: u16, destination: String| {
        rules.push(json!({"direction": "ingress", "ethertype": ethertype, "protocol": "udp",
            "port_range_min": to, "port_range_max": to, "source_port_range_min": from,
            "source_port_range_max": from, "dest_ip_prefix": destination}));
    };
    for address in v4 {
        dhcp("IPv4", 67, 68, format!("{address}/32"));
    }
    dhcp("IPv4", 67, 68, "255.255.255.255/32".into());
    for address in v6 {
        dhcp("IPv6", 547, 546, format!("{address}/128"));
    }
    dhcp("IPv6", 547, 546, "fe80::/64".into());
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn rule(direction: &str, ethertype: &str) -> Rule {
        Rule {
            group: "g".into(),
            direction: direction.into(),
            ethertype: ethertype.into(),
            stateful: true,
            ..Rule::default()
        }
    }

    #[test]
    fn rules_are_written_as_agents_read_them() {
        let ssh = Rule {
            protocol: Some("tcp".into()),
            port_range_min: Some(22),
            port_range_max: Some(22),
            remote_ip_prefix: Some("10.0.0.5/24".into()),
            ..rule("ingress", "IPv4")
        };
        let out = Rule { remote_ip_prefix: Some("10.0.0.5".into()), ..rule("egress", "IPv4") };
        let list = group(&[&ssh, &ssh, &out]);
        expect![[r#"[{"direction":"ingress","ethertype":"IPv4","protocol":"tcp","port_range_min":22,"port_range_max":22,"source_ip_prefix":"10.0.0.0/24","stateful":true},{"direction":"egress","ethertype":"IPv4","dest_ip_prefix":"10.0.0.5/32","stateful":true}]"#]]
        .assert_eq(&Value::Array(list).to_string());
    }

    #[test]
    fn remote_groups_become_a_rule_per_member() {
        let members = ["10.0.0.1", "10.0.0.2", "fd00::1", "192.0.2.0/24"]
            .map(|ip| Member { ip: ip.into(), mac: None })
            .to_vec();
        let from = Rule { remote_group: Some("o".into()), ..rule("ingress", "IPv4") };
        let list = expanded(&from, &members, &["10.0.0.1".to_string()]);
        expect![[r#"[{"direction":"ingress","ethertype":"IPv4","remote_group_id":"o","security_group_id":"g","source_ip_prefix":"10.0.0.2/32"},{"direction":"ingress","ethertype":"IPv4","remote_group_id":"o","security_group_id":"g","source_ip_prefix":"192.0.2.0/24"}]"#]]
        .assert_eq(&Value::Array(list).to_string());
    }

    #[test]
    fn dhcp_and_router_advertisements_come_in() {
        let brief = |addresses: &[&str]| {
            let addresses: Vec<String> = addresses.iter().map(|a| (*a).to_string()).collect();
            let text = |rule: &Value| format!("{} {}", rule["protocol"], rule["dest_ip_prefix"]);
            provider(&addresses).iter().map(text).collect::<Vec<_>>().join("; ")
        };
        expect![[r#""udp" "10.0.0.4/32"; "udp" "255.255.255.255/32"; "udp" "fe80::/64""#]]
            .assert_eq(&brief(&["10.0.0.4"]));
        expect![[r#""ipv6-icmp" null; "udp" "255.255.255.255/32"; "udp" "fd00::4/128"; "udp" "fe80::/64""#]]
            .assert_eq(&brief(&["fd00::4"]));
    }
}
