//! What agents may call: everything in `methods.tsv` is answered, but what belongs to an extension that is not offered.

use crate::client::loadable;
use crate::world;
use rpc::{Error, Target, Transport};
use serde_json::json;
use server::extensions::ALL;
use server::handlers::endpoints;
use std::path::Path;

#[tokio::test]
async fn every_method_is_served_or_of_what_is_not_offered() {
    let (app, _dir) = world::app(&loadable(ALL, &["port_security"])).await;
    let transport = Transport::memory();
    let served = endpoints(&app);
    let topics: Vec<&str> = served.iter().map(|(topic, _)| *topic).collect();
    let _seats: Vec<rpc::Listener> =
        served.into_iter().map(|(topic, all)| transport.listen(topic, "server", all)).collect();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/methods.tsv");
    let text = std::fs::read_to_string(file).unwrap();
    let mut wrong = Vec::new();
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut columns = line.split('\t');
        let mut next = || columns.next().unwrap_or_default();
        let (topic, namespace, version, method, of) = (next(), next(), next(), next(), next());
        let answered = if topics.contains(&topic) && namespace.is_empty() {
            let target = Target::topic(topic);
            let answer = transport.client().call(&json!({}), &target, method, version, json!({})).await;
            // That an argument is missing shows that there is a method.
            !matches!(answer, Err(Error::Remote(failure))
                if ["NoSuchMethod", "UnsupportedVersion"].contains(&failure.class.as_str()))
        } else {
            false
        };
        let offered = of.is_empty() || ALL.iter().any(|extension| extension.alias == of);
        if answered != offered {
            wrong.push(format!("{topic} {method} {version}: answered {answered}, offered {offered}"));
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}
