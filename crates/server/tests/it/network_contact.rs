//! `network-contact` over HTTP: written by admins, read and filtered by all who see the network, gone with it.

use crate::client::{Served, words};
use serde_json::{Value, json};

#[tokio::test]
async fn an_admin_says_whom_to_ask() {
    let server = Served::with(&["port_security", "network_contact"]).await;
    let body = json!({"network": {"name": "lab", "contact": "noc@example.org", "tenant_id": "demo"}});
    let id = server.make("admin", "networks", body).await["id"].as_str().unwrap().to_string();
    server.make("demo", "networks", json!({"network": {"name": "other"}})).await;

    let found = server.list("demo", "networks?contact=noc@example.org&fields=name&fields=contact").await;
    assert_eq!(found, [json!({"name": "lab", "contact": "noc@example.org"})]);
    let sorted = server.list("demo", "networks?sort_key=contact&sort_dir=asc&fields=contact").await;
    assert_eq!(sorted, [json!({"contact": ""}), json!({"contact": "noc@example.org"})]);

    let path = format!("networks/{id}");
    let mine = server.ask("demo", "PUT", &path, json!({"network": {"contact": "me"}})).await;
    assert!(words(&mine).starts_with("403 PolicyNotAuthorized: "), "{}", words(&mine));
    let long = server.ask("admin", "PUT", &path, json!({"network": {"contact": "x".repeat(256)}})).await;
    assert!(words(&long).contains("exceeds maximum length of 255"), "{}", words(&long));
    let changed = server.ask("admin", "PUT", &path, json!({"network": {"contact": "desk 7"}})).await;
    assert_eq!((changed.0, &changed.1["network"]["contact"]), (200, &json!("desk 7")));
    assert_eq!(server.ask("admin", "DELETE", &path, Value::Null).await.0, 204);
}

/// Who did not ask for the extension does not meet it.
#[tokio::test]
async fn it_is_unknown_where_it_is_not_loaded() {
    let server = Served::start().await;
    let refused = server.ask("admin", "POST", "networks", json!({"network": {"contact": "x"}})).await;
    assert_eq!(words(&refused), "400 HTTPBadRequest: Unrecognized attribute(s) 'contact'");
}
