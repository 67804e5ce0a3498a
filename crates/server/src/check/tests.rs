//! Upstream's words, case by case.

use super::*;
use serde_json::json;

fn all_are(cases: &[(Check, Value, &str)]) {
    for (declared, value, wanted) in cases {
        let got = match check(declared, value) {
            Ok(()) => String::new(),
            Err(Wrong::Reason(reason)) => reason,
            Err(Wrong::Fault(fault)) => fault.to_string(),
        };
        assert_eq!(got, *wanted, "{value}");
    }
}

#[test]
fn texts_and_numbers() {
    all_are(&[
        (Check::String(3), json!("abc"), ""),
        (Check::String(3), json!("abcd"), "'abcd' exceeds maximum length of 3"),
        (Check::String(3), json!(["x"]), "'['x']' is not a valid string"),
        (Check::String(3), json!(null), "'None' is not a valid string"),
        (Check::StringOrNone(3), json!(null), ""),
        (Check::NotEmptyString(9), json!(" "), "' ' Blank strings are not permitted"),
        (Check::OnelineNotEmptyString(9), json!("a\nb"), "Multi-line string is not allowed: 'a\nb'"),
        (Check::NameString(9), json!(""), ""),
        (Check::NameString(9), json!("a b"), ""),
        (Check::NameString(9), json!(" a"), "' a' is not a valid string"),
        (Check::NameString(9), json!("a\u{0}"), "'a\u{0}' is not a valid string"),
        (Check::NameString(9), json!("💩"), "'💩' is not a valid string"),
        (Check::Boolean, json!("maybe"), "'maybe' is not a valid boolean value"),
        (Check::Integer, json!(1.5), "'1.5' is not an integer"),
        (Check::Integer, json!(true), "'True' is not an integer:boolean"),
        (Check::Range(0, 9), json!("10"), "'10' is too large - must be no larger than '9'"),
        (Check::Range(0, 9), json!(-1), "'-1' is too small - must be at least '0'"),
        (Check::Range(0, 9), json!(null), "'None' is not an integer"),
        (Check::NonNegative, json!(-3), "'-3' should be non-negative"),
    ]);
}

#[test]
fn addresses_and_lists() {
    all_are(&[
        (Check::Uuid, json!("x"), "'x' is not a valid UUID"),
        (Check::Uuid, json!("5F6A2D4E-0000-4000-8000-000000000000"), ""),
        (Check::UuidList, json!("x"), "'x' is not a list"),
        (Check::UuidList, json!([1, 1]), "Duplicate items in the list: '1'"),
        (Check::Values(&[Literal::Int(4), Literal::Int(6)]), json!(5), "5 is not in valid_values"),
        (Check::Values(&[Literal::Int(4)]), json!(4.0), ""),
        (Check::MacAddress, json!("00:00:00:00:00:00"), "'00:00:00:00:00:00' is not a valid MAC address"),
        (Check::MacAddress, json!("fa:16:3e:00:00:01"), ""),
        (Check::IpAddress, json!("10.0.0"), "'10.0.0' is not a valid IP address"),
        (
            Check::IpAddress,
            json!("10.0.0.01"),
            "'10.0.0.01' is not an accepted IP address, '10.0.0.1' is recommended",
        ),
        (Check::IpAddress, json!("fe80::1"), ""),
        (Check::Subnet, json!("10.0.0.0"), "'10.0.0.0' is not a valid IP subnet"),
        (Check::Subnet, json!("10.0.0.0/24"), ""),
        (Check::Subnet, json!("10.0.0.0/255.0.0.0"), "'10.0.0.0/255.0.0.0' is not a valid IP subnet"),
        (Check::IpPools, json!({}), "Invalid data format for IP pool: '{}'"),
        (
            Check::IpPools,
            json!([{"start": "10.0.0.1"}]),
            "Validation of dictionary's keys failed. Expected keys: {'start', 'end'} Provided keys: {'start'}",
        ),
        (Check::FixedIps, json!([{"ip_address": "x"}]), "'x' is not a valid IP address"),
        (
            Check::Nameservers,
            json!(["1.1.1.1", "x"]),
            "'x' is not a valid nameserver. 'x' is not a valid IP address",
        ),
        (Check::Nameservers, json!(["1.1.1.1", "1.1.1.1"]), "Duplicate nameserver '1.1.1.1'"),
        (
            Check::HostRoutes,
            json!([{"destination": "10.0.0.1/24", "nexthop": "10.0.0.1"}]),
            "'10.0.0.1/24' is not a valid CIDR",
        ),
        (Check::DictOrNone, json!([]), "'[]' is not a dictionary"),
        (Check::PortRange, json!("90:80"), "First port in a port range must be lower than the second port"),
    ]);
}
