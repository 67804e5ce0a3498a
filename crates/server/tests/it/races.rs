//! Requests that come at the same time, on either database.

use crate::client::Served;
use serde_json::json;
use std::sync::Arc;

async fn network(served: &Served) -> String {
    let (_, made) = served.ask("p", "POST", "networks", json!({"network": {"name": "n"}})).await;
    made["network"]["id"].as_str().unwrap().to_string()
}

#[tokio::test]
async fn subnets_that_come_together_do_not_overlap() {
    let served = Arc::new(Served::start().await);
    let network = network(&served).await;
    let asked = (0..8).map(|_| {
        let (served, network) = (served.clone(), network.clone());
        tokio::spawn(async move {
            let subnet = json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}});
            served.ask("p", "POST", "subnets", subnet).await.0
        })
    });
    let mut answers = Vec::new();
    for one in asked.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [201, 400, 400, 400, 400, 400, 400, 400]);
}

#[tokio::test]
async fn one_of_many_gets_the_mac() {
    let served = Arc::new(Served::start().await);
    let network = network(&served).await;
    let asked = (0..8).map(|_| {
        let (served, network) = (served.clone(), network.clone());
        tokio::spawn(async move {
            let port = json!({"port": {"network_id": network, "mac_address": "fa:16:3e:00:00:01"}});
            served.ask("p", "POST", "ports", port).await.0
        })
    });
    let mut answers = Vec::new();
    for one in asked.collect::<Vec<_>>() {
        answers.push(one.await.unwrap());
    }
    answers.sort_unstable();
    assert_eq!(answers, [201, 409, 409, 409, 409, 409, 409, 409]);
}

#[tokio::test]
async fn what_the_columns_cannot_hold_is_refused() {
    let served = Served::start().await;
    let (status, answer) = served.ask("p", "POST", "networks", json!({"network": {"name": "a😀"}})).await;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = served.ask("p", "GET", "networks?name=%F0%9F%98%80", json!(null)).await;
    assert_eq!((status, &answer["networks"]), (200, &json!([])));
}
