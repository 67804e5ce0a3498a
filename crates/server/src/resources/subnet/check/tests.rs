//! Subnets as clients ask for them.

use super::*;
use serde_json::json;

fn refused(asked: Value, old: Value) -> String {
    let mut subnet = json!({"ip_version": 4, "cidr": "10.10.0.0/24", "enable_dhcp": true});
    for (key, value) in asked.as_object().unwrap() {
        subnet[key] = value.clone();
    }
    let options = CoreOptions::default();
    match check(&options, subnet.as_object().unwrap(), old.as_object()) {
        Ok(()) => String::new(),
        Err(Fault::ConvertFailed { error_message }) => error_message,
        Err(other) => other.kind().to_string(),
    }
}

#[test]
fn a_subnet_is_refused_in_upstreams_words() {
    let small = "Subnet has a prefix length that is incompatible with DHCP service enabled";
    let cases = [
        (json!({}), ""),
        (json!({"cidr": "10.0.7.0/31"}), small),
        (json!({"cidr": "10.0.7.0/31", "enable_dhcp": false}), ""),
        (json!({"cidr": "fd00::/64"}), "cidr 'fd00::/64' does not match the ip_version '4'"),
        (
            json!({"cidr": "0.0.0.0/0"}),
            "First IP '0.0.0.0' of network is not supported if enable_dhcp is True.",
        ),
        (json!({"cidr": "127.0.0.0/8"}), "Loopback IP subnet is not supported if enable_dhcp is True"),
        (json!({"cidr": "224.0.0.0/24"}), "Multicast IP subnet is not supported if enable_dhcp is True"),
        (json!({"gateway_ip": "10.10.0.255"}), "Gateway is not valid on subnet"),
        (json!({"gateway_ip": "10.11.0.1"}), ""),
        (json!({"gateway_ip": "fd00::1"}), "gateway_ip 'fd00::1' does not match the ip_version '4'"),
        (
            json!({"dns_nameservers": ["fd00::1"]}),
            "dns_nameserver 'fd00::1' does not match the ip_version '4'",
        ),
        (
            json!({"dns_nameservers": ["1.1.1.1", "1.1.1.2", "1.1.1.3", "1.1.1.4", "1.1.1.5", "1.1.1.6"]}),
            "DNSNameServersExhausted",
        ),
        (json!({"ipv6_ra_mode": "slaac"}), "ipv6_ra_mode is not valid when ip_version is 4"),
        (json!({"ip_version": 6, "cidr": "::/0"}), "IPv6 subnet '::' is not supported"),
        (json!({"ip_version": 6, "cidr": "fd00:17::/127"}), small),
        (
            json!({"ip_version": 6, "cidr": "fd00:12::/65", "ipv6_ra_mode": "slaac"}),
            "Invalid CIDR fd00:12::/65 for IPv6 address mode. OpenStack uses the EUI-64 address format, which requires the prefix to be /64",
        ),
        (
            json!({"ip_version": 6, "cidr": "fd00::/64", "ipv6_ra_mode": "slaac", "enable_dhcp": false}),
            "ipv6_ra_mode or ipv6_address_mode cannot be set when enable_dhcp is set to False",
        ),
    ];
    for (asked, expected) in cases {
        assert_eq!(refused(asked.clone(), json!(null)), expected, "{asked}");
    }
}

#[test]
fn a_change_is_refused_in_upstreams_words() {
    let old = json!({"enable_dhcp": true, "ipv6_ra_mode": "slaac"});
    let six = |dhcp: bool| json!({"ip_version": 6, "cidr": "fd00:2::/64", "enable_dhcp": dhcp});
    assert_eq!(refused(six(false), old.clone()), "Cannot disable enable_dhcp with ipv6 attributes set");
    assert_eq!(refused(six(true), old), "");
    // What was allowed without DHCP is looked at again when DHCP is turned on.
    let small = json!({"cidr": "10.0.7.0/31"});
    assert_ne!(refused(small.clone(), json!({"enable_dhcp": false})), "");
    assert_eq!(refused(small, json!({"enable_dhcp": true})), "");
}

#[test]
fn pools_are_refused_in_upstreams_words() {
    let check = |pools: Value| {
        let checked = ranges(pools.as_array().unwrap())
            .and_then(|pools| check_pools(&pools, &"10.10.0.0/24".parse().unwrap()));
        checked.err().map(|fault| fault.to_string()).unwrap_or_default()
    };
    let pool = |start: &str, end: &str| json!({"start": start, "end": end});
    let cases = [
        (json!([pool("10.10.0.10", "10.10.0.20")]), ""),
        (
            json!([pool("10.10.0.20", "10.10.0.10")]),
            "The allocation pool {'start': '10.10.0.20', 'end': '10.10.0.10'} is not valid.",
        ),
        (json!([pool("fd00::1", "fd00::2")]), "The allocation pool fd00::1-fd00::2 is not valid."),
        (
            json!([pool("10.10.0.10", "10.10.0.255")]),
            "The allocation pool 10.10.0.10-10.10.0.255 spans beyond the subnet cidr 10.10.0.0/24.",
        ),
        (
            json!([pool("10.10.0.10", "10.10.0.20"), pool("10.10.0.15", "10.10.0.30")]),
            "Found overlapping allocation pools: 10.10.0.10-10.10.0.20 10.10.0.15-10.10.0.30 for subnet 10.10.0.0/24.",
        ),
    ];
    for (pools, expected) in cases {
        assert_eq!(check(pools.clone()), expected, "{pools}");
    }
}
