//! Rules good and bad, with upstream's words.

use super::*;
use serde_json::json;

/// A rule as admission leaves it: what is not given is null.
fn rule(given: Value) -> Body {
    let mut rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": null, "port_range_min": null,
        "port_range_max": null, "remote_ip_prefix": null, "remote_group_id": null,
        "remote_address_group_id": null, "security_group_id": "g", "project_id": "p"});
    for (name, value) in given.as_object().unwrap() {
        rule[name] = value.clone();
    }
    rule.as_object().unwrap().clone()
}

#[test]
fn bad_rules_are_refused_in_upstreams_words() {
    let cases = [
        (json!({"port_range_min": 1}), "Must also specify protocol if port range is given."),
        (
            json!({"protocol": "tcp", "port_range_min": 5}),
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (
            json!({"protocol": "udp", "port_range_min": 9, "port_range_max": 5}),
            "For TCP/UDP protocols, port_range_min must be <= port_range_max",
        ),
        (json!({"protocol": "6", "port_range_min": 0, "port_range_max": 5}), "Invalid value for port 0"),
        (
            json!({"protocol": "icmp", "port_range_min": 256}),
            "Invalid value for ICMP type (port_range_min) 256. It must be 0 to 255.",
        ),
        (
            json!({"protocol": "icmp", "port_range_min": 1, "port_range_max": 300}),
            "Invalid value for ICMP code (port_range_max) 300. It must be 0 to 255.",
        ),
        (
            json!({"protocol": "1", "port_range_max": 3}),
            "ICMP code (port-range-max) 3 is provided but ICMP type (port-range-min) is missing.",
        ),
        (
            json!({"protocol": "gre", "port_range_min": 1, "port_range_max": 2}),
            "Ports cannot be specified for protocol 47. Ports are only supported for DCCP, SCTP, TCP, UDP, UDPLITE.",
        ),
        (json!({"remote_ip_prefix": "fd00::/8"}), "Conflicting value ethertype IPv4 for CIDR fd00::/8"),
        (json!({"protocol": "ipv6-icmp"}), "Invalid ethertype IPv4 for protocol ipv6-icmp."),
        (json!({"protocol": "43"}), "Invalid ethertype IPv4 for protocol 43."),
        (
            json!({"remote_ip_prefix": "10.0.0.0/8", "remote_group_id": "g"}),
            "Only one of remote_ip_prefix or remote_group_id or remote_address_group_id may be provided.",
        ),
    ];
    for (given, words) in cases {
        assert_eq!(check(&mut rule(given.clone())).unwrap_err().to_string(), words, "{given}");
    }
}

#[test]
fn good_rules_take_the_form_in_which_they_are_kept() {
    let cases = [
        (
            json!({"protocol": "tcp", "port_range_min": 1, "port_range_max": 65535}),
            json!({"protocol": "tcp"}),
        ),
        (
            json!({"ethertype": "IPv6", "protocol": "icmp"}),
            json!({"ethertype": "IPv6", "protocol": "ipv6-icmp"}),
        ),
        (json!({"ethertype": "IPv6", "protocol": "1"}), json!({"ethertype": "IPv6", "protocol": "58"})),
        (json!({"remote_ip_prefix": "10.0.0.1/8"}), json!({"remote_ip_prefix": "10.0.0.1/8"})),
        (
            json!({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}),
            json!({"protocol": "icmp", "port_range_min": 0, "port_range_max": 0}),
        ),
    ];
    for (given, kept) in cases {
        let mut checked = rule(given);
        check(&mut checked).unwrap();
        assert_eq!(checked, rule(kept));
    }
}

#[test]
fn single_values_are_converted() {
    type Case = (fn(Value) -> Result<Value, Fault>, Value, Result<Value, &'static str>);
    let cases: Vec<Case> = vec![
        (convert_protocol, json!(null), Ok(json!(null))),
        (convert_protocol, json!("any"), Ok(json!(null))),
        (convert_protocol, json!("TCP"), Ok(json!("tcp"))),
        (convert_protocol, json!(6), Ok(json!("6"))),
        (convert_protocol, json!("255"), Ok(json!("255"))),
        (convert_ethertype, json!("ipv6"), Ok(json!("IPv6"))),
        (
            convert_ethertype,
            json!("IPX"),
            Err(
                "Security group rule for ethertype 'IPX' not supported. Allowed values are ['IPv4', 'IPv6'].",
            ),
        ),
        (convert_port, json!("80"), Ok(json!(80))),
        (convert_port, json!(65536), Err("Invalid value for port 65536")),
        (convert_port, json!("x"), Err("Invalid value for port x")),
        (convert_prefix, json!(""), Ok(json!(null))),
        (convert_prefix, json!("10.0.0.1"), Ok(json!("10.0.0.1/32"))),
        (convert_prefix, json!("10.0.0.1/255.255.0.0"), Ok(json!("10.0.0.1/16"))),
        (convert_prefix, json!("10.0.0.0/33"), Err("Invalid CIDR 10.0.0.0/33 given as IP prefix.")),
        (convert_prefix, json!("FD00::1/64"), Ok(json!("fd00::1/64"))),
    ];
    for (convert, given, expected) in cases {
        let answer = convert(given.clone()).map_err(|fault| fault.to_string());
        assert_eq!(answer, expected.map_err(str::to_string), "{given}");
    }
    let refused = convert_protocol(json!(256)).unwrap_err();
    assert_eq!(refused.kind(), "SecurityGroupRuleInvalidProtocol");
    assert!(refused.to_string().starts_with(
        "Security group rule protocol 256 not supported. Only protocol values (None, 'any', 'ah', 'dccp',"
    ));
    assert_eq!(normalized("10.1.2.3/16").unwrap(), "10.1.0.0/16");
}

#[test]
fn the_same_rule_is_found_in_any_spelling() {
    let same = [
        (json!({"protocol": "tcp"}), json!({"protocol": "6"})),
        (json!({"remote_ip_prefix": "0.0.0.0/0"}), json!({})),
        (
            json!({"ethertype": "IPv6", "protocol": "ipv6-icmp"}),
            json!({"ethertype": "IPv6", "protocol": "58"}),
        ),
    ];
    for (one, other) in same {
        assert_eq!(key(&rule(one)), key(&rule(other)));
    }
    let twice = [rule(json!({"protocol": "tcp"})), rule(json!({"protocol": "6"}))];
    assert_eq!(check_together(&twice).unwrap_err().to_string(), "Duplicate Security Group Rule in POST.");
    let groups = [rule(json!({})), rule(json!({"security_group_id": "h"}))];
    assert_eq!(check_together(&groups).unwrap_err().kind(), "SecurityGroupNotSingleGroupRules");
    let projects = [rule(json!({})), rule(json!({"project_id": "q"}))];
    assert_eq!(check_together(&projects).unwrap_err().kind(), "SecurityGroupRulesNotSingleProject");
}
