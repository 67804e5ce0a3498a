//! The same messages over TLS: an authority of one's own, a certificate of one's own, and one that is not believed.

use crate::world::{Ear, ask, name, patient, process, up};
use rpc::{Error, Target};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: `make test` starts a broker with TLS"))
}

#[tokio::test]
async fn messages_travel_over_tls() {
    let (url, authority, exchange) = (variable("LAB_RABBITMQ_TLS_URL"), variable("LAB_TLS_CA"), name("tls"));
    let believed = format!("ssl = true\nssl_ca_file = {authority}");
    let old = format!("rabbit_use_ssl = true\nkombu_ssl_ca_certs = {authority}");
    let server = process(&url, &exchange, &believed);
    let _listening = server.listen("q-plugin", "a", vec![Ear::new("a")]);
    up(&server).await;
    let beside = |file: &str| Path::new(&authority).with_file_name(file).display().to_string();
    let (certificate, key) = (beside("cert.pem"), beside("key.pem"));
    let shown = format!("{believed}\nssl_cert_file = {certificate}\nssl_key_file = {key}");
    for options in [old, shown] {
        let client = process(&url, &exchange, &options).client();
        let said = patient(ask(&client, &Target::topic("q-plugin"), "echo", json!({"n": 1}))).await.unwrap();
        assert_eq!(said["args"], json!({"n": 1}));
    }
}

#[tokio::test]
async fn who_is_not_believed_gets_no_message() {
    let (url, exchange) = (variable("LAB_RABBITMQ_TLS_URL"), name("tls"));
    let other = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/other_authority.pem");
    for options in ["", "ssl = true", &format!("ssl = true\nssl_ca_file = {other}")] {
        let client = process(&url, &exchange, options).client().with_timeout(Duration::from_secs(3));
        let said = ask(&client, &Target::topic("q-plugin"), "echo", json!({"n": 1})).await;
        assert!(!matches!(said, Ok(_) | Err(Error::Remote(_))), "{options}: {said:?}");
    }
}
