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

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_kept_by_requests_that_come_together() {
    // The limit that projects have unless somebody gave them one, and one of the project's own.
    for own in [false, true] {
        let served = Arc::new(Served::start().await);
        let network = network(&served).await;
        if own {
            let quota = json!({"quota": {"port": 3}});
            let (status, answer) = served.ask("admin", "PUT", "quotas/p", quota).await;
            assert_eq!(status, 200, "{answer}");
        } else {
            let limits = server::quota::Limits { quota_port: 3, ..Default::default() };
            served.app.limits.put(limits);
        }
        let asked = (0..12).map(|_| {
            let (served, network) = (served.clone(), network.clone());
            tokio::spawn(async move {
                served.ask("p", "POST", "ports", json!({"port": {"network_id": network}})).await.0
            })
        });
        let mut answers = Vec::new();
        for one in asked.collect::<Vec<_>>() {
            answers.push(one.await.unwrap());
        }
        answers.sort_unstable();
        assert_eq!(answers, [vec![201; 3], vec![409; 9]].concat(), "own: {own}");
    }
}

/// Another server has taken an address that this one believes to be free: the next port gets another.
#[tokio::test]
async fn an_address_that_another_server_took_is_passed_over() {
    let served = Served::start().await;
    let network = network(&served).await;
    let subnet = json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}});
    assert_eq!(served.ask("p", "POST", "subnets", subnet).await.0, 201);
    let mut addresses = Vec::new();
    for count in 0..3 {
        let port = json!({"port": {"network_id": network}});
        let (status, made) = served.ask("p", "POST", "ports", port).await;
        assert_eq!(status, 201, "{made}");
        addresses.push(made["port"]["fixed_ips"][0]["ip_address"].as_str().unwrap().to_string());
        if count == 0 {
            let mut tx = served.app.db.begin().await.unwrap();
            let taken = "INSERT INTO ipamallocations (ip_address, status, ipam_subnet_id) \
                         SELECT '10.0.0.3', 'ALLOCATED', id FROM ipamsubnets";
            tx.exec(taken, server::p![]).await.unwrap();
            tx.commit().await.unwrap();
        }
    }
    assert_eq!(addresses, ["10.0.0.2", "10.0.0.4", "10.0.0.5"]);
}

/// A MAC address that two ports of one request name is refused as if the first were there already.
#[tokio::test]
async fn one_request_cannot_give_a_mac_twice() {
    let served = Served::start().await;
    let network = network(&served).await;
    let port = json!({"network_id": network, "mac_address": "fa:16:3e:00:00:01"});
    let (status, answer) = served.ask("p", "POST", "ports", json!({"ports": [port, port]})).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (409, &json!("MacAddressInUse")));
}

#[tokio::test]
async fn what_the_columns_cannot_hold_is_refused() {
    let served = Served::start().await;
    let (status, answer) = served.ask("p", "POST", "networks", json!({"network": {"name": "a😀"}})).await;
    assert_eq!(status, 400, "{answer}");
    let (status, answer) = served.ask("p", "GET", "networks?name=%F0%9F%98%80", json!(null)).await;
    assert_eq!((status, &answer["networks"]), (200, &json!([])));
}
