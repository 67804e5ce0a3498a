//! `external_gateway_info`: what a client may write there, as pure functions.

use crate::attr::Check;
use crate::check::{Wrong, check};
use crate::convert;
use crate::fault::Fault;
use crate::py;
use serde_json::{Map, Value};

/// The keys of the dictionary, the one that must be there first.
const KEYS: [&str; 3] = ["network_id", "external_fixed_ips", "enable_snat"];

fn invalid(reason: String) -> Fault {
    Fault::InvalidInput { attr: "external_gateway_info".into(), reason }
}

/// Nothing (null and everything empty), or a dictionary with `network_id` and, where given, fixed IPs and
/// `enable_snat`. The checks and their order are those of upstream's `type:dict_or_nodata`, which converts
/// while it checks.
pub fn convert(value: Value) -> Result<Value, Fault> {
    if py::is_false(&value) {
        return Ok(Value::Null);
    }
    let Value::Object(mut info) = value else {
        return Err(invalid(format!("'{}' is not a dictionary", py::text(&value))));
    };
    if !info.contains_key(KEYS[0]) {
        let given: Vec<String> = info.keys().map(|key| py::quoted(key)).collect();
        return Err(invalid(format!(
            "Validation of dictionary's keys failed. Expected keys: {{'network_id'}} Provided keys: {{{}}}",
            given.join(", ")
        )));
    }
    let unexpected: Vec<&str> = info.keys().map(String::as_str).filter(|key| !KEYS.contains(key)).collect();
    if !unexpected.is_empty() {
        return Err(invalid(format!("Unexpected keys supplied: {}", unexpected.join(", "))));
    }
    item(&info, "network_id", Check::Uuid)?;
    item(&info, "external_fixed_ips", Check::FixedIps)?;
    if let Some(flag) = info.remove("enable_snat") {
        info.insert("enable_snat".into(), convert::to_boolean(flag)?);
    }
    Ok(Value::Object(info))
}

fn item(info: &Map<String, Value>, key: &str, wanted: Check) -> Result<(), Fault> {
    match info.get(key) {
        None => Ok(()),
        Some(value) => check(&wanted, value).map_err(|wrong| match wrong {
            Wrong::Reason(reason) => invalid(reason),
            Wrong::Fault(fault) => fault,
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn gateways_are_checked_in_upstreams_words() {
        let net = "11111111-1111-1111-1111-111111111111";
        let cases = [
            (json!(null), Ok(json!(null))),
            (json!({}), Ok(json!(null))),
            (json!([]), Ok(json!(null))),
            (
                json!({"network_id": net, "enable_snat": "no"}),
                Ok(json!({"network_id": net, "enable_snat": false})),
            ),
            (json!("x"), Err("Invalid input for external_gateway_info. Reason: 'x' is not a dictionary.")),
            (
                json!({"enable_snat": true}),
                Err(
                    "Invalid input for external_gateway_info. Reason: Validation of dictionary's keys failed. Expected keys: {'network_id'} Provided keys: {'enable_snat'}.",
                ),
            ),
            (
                json!({"network_id": net, "nonsense": 1}),
                Err("Invalid input for external_gateway_info. Reason: Unexpected keys supplied: nonsense."),
            ),
            (
                json!({"network_id": 5}),
                Err("Invalid input for external_gateway_info. Reason: '5' is not a valid UUID."),
            ),
            (
                json!({"network_id": net, "external_fixed_ips": [{"ip_address": "x"}]}),
                Err("Invalid input for external_gateway_info. Reason: 'x' is not a valid IP address."),
            ),
            (
                json!({"network_id": net, "enable_snat": 5}),
                Err("Invalid input for operation: '5' cannot be converted to boolean."),
            ),
        ];
        for (given, expected) in cases {
            let answer = convert(given.clone()).map_err(|fault| fault.to_string());
            assert_eq!(answer, expected.map_err(str::to_string), "{given}");
        }
    }
}
