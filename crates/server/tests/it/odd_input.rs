//! Odd values for every attribute of every resource, generated from the catalog: a refusal is a 4xx, never a 500.

use crate::client::Served;
use serde_json::{Map, Value, json};

/// Values that somebody might send for any attribute. `NET` and `SUB` stand for ids that are there.
fn odd_values(network: &str, subnet: &str) -> Vec<Value> {
    vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(1.5),
        json!(i64::MAX),
        serde_json::from_str("100000000000000000000000000000").unwrap(),
        json!(""),
        json!("x"),
        json!("\u{0}"),
        json!("\u{1F600}"),
        json!("a".repeat(300)),
        json!([]),
        json!({}),
        json!([null]),
        json!([{}]),
        json!(["x"]),
        json!([[1, 2]]),
        json!({"a": 1}),
        json!("10.0.0.5"),
        json!("10.0.0.0/33"),
        json!("fe80::/64"),
        json!(network),
        json!([{"subnet_id": subnet, "ip_address": "10.0.0.300"}]),
        json!([{"ip_address": null}]),
        json!([{"start": "10.0.0.9", "end": "10.0.0.2"}]),
        json!({"network_id": null}),
        json!({"network_id": network, "external_fixed_ips": [1]}),
        json!([{"destination": "x", "nexthop": "y"}]),
    ]
}

/// The least that makes one of each resource.
fn bodies(network: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("network", json!({})),
        ("subnet", json!({"network_id": network, "ip_version": 4, "cidr": "10.1.0.0/24"})),
        ("port", json!({"network_id": network})),
        ("router", json!({})),
        ("floatingip", json!({"floating_network_id": network})),
        ("security_group", json!({"name": "a"})),
        ("security_group_rule", json!({"security_group_id": network, "direction": "ingress"})),
        ("subnetpool", json!({"name": "p", "prefixes": ["10.9.0.0/16"]})),
        (
            "rbac_policy",
            json!({"object_type": "network", "object_id": network, "action": "access_as_shared", "target_tenant": "*"}),
        ),
        ("address_scope", json!({"name": "a", "ip_version": 4})),
        ("flavor", json!({"service_type": "L3_ROUTER_NAT"})),
        ("service_profile", json!({"driver": "x"})),
        ("agent", json!({})),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_value_of_any_attribute_is_a_500() {
    let server = Served::start().await;
    let id = |made: &Value| made["id"].as_str().unwrap().to_string();
    let network = id(&server.make("admin", "networks", json!({"network": {"name": "n"}})).await);
    let subnet = json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}});
    let subnet = id(&server.make("admin", "subnets", subnet).await);
    let (mut tried, mut failed) = (0, Vec::new());
    for (name, least) in bodies(&network) {
        let shape = server.app.catalog.shape(name).unwrap();
        let path = shape.resource.collection.replace('_', "-");
        let made = server.ask("admin", "POST", &path, json!({name: least})).await.1;
        let item = made[name]["id"].as_str().map_or(network.clone(), str::to_string);
        for attr in &shape.attributes {
            for value in odd_values(&network, &subnet) {
                let mut body = least.as_object().unwrap().clone();
                body.insert(attr.name.into(), value.clone());
                let change = Map::from_iter([(attr.name.to_string(), value.clone())]);
                for (method, path, body) in
                    [("POST", path.clone(), body), ("PUT", format!("{path}/{item}"), change)]
                {
                    let (status, answer) = server.ask("admin", method, &path, json!({name: body})).await;
                    tried += 1;
                    if status >= 500 {
                        failed.push(format!("{method} {path} {}={value}: {status} {answer}", attr.name));
                    }
                }
            }
        }
    }
    assert!(tried > 5_000, "{tried} requests only");
    assert!(failed.is_empty(), "{} of {tried}:\n{}", failed.len(), failed.join("\n"));
}
