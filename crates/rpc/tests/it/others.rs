//! What other programs see of us, and what is understood of theirs: frames of every age, made by hand.

use crate::raw::Raw;
use crate::world::{Ear, ask, name, process, tell, up, url};
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use rpc::Target;
use serde_json::{Value, json};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn messages_look_like_oslo_messagings() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let mut server = Raw::server(&exchange, &topic).await;
    let ours = process(&url(), &exchange, "");
    let client = ours.client().in_namespace("trunk").with_timeout(Duration::from_secs(30));
    let call = tokio::spawn({
        let target = Target::topic(&topic);
        async move { ask(&client, &target, "update_trunk_status", json!({"status": "ACTIVE"})).await }
    });
    let (delivery, request) = server.take().await;
    let properties = &delivery.properties;
    assert_eq!(properties.content_type().as_ref().map(|t| t.as_str()), Some("application/json"));
    assert_eq!(properties.content_encoding().as_ref().map(|t| t.as_str()), Some("utf-8"));
    assert_eq!((*properties.delivery_mode(), *properties.priority()), (Some(2), Some(0)));
    assert_eq!(properties.headers().as_ref().map(|h| h.inner().len()), Some(0));
    let life: u64 = properties.expiration().as_ref().unwrap().as_str().parse().unwrap();
    assert!(life > 0 && life <= 30_000, "{life}");
    let mut keys: Vec<&String> = request.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(
        keys,
        [
            "_context_request_id",
            "_context_roles",
            "_msg_id",
            "_reply_q",
            "_timeout",
            "_unique_id",
            "args",
            "method",
            "namespace",
            "version"
        ]
    );
    assert_eq!((&request["namespace"], &request["_timeout"]), (&json!("trunk"), &Value::Null));
    let answer = json!({"result": [1], "failure": null, "ending": true, "_msg_id": request["_msg_id"],
        "_unique_id": "a1"});
    server.send("", request["_reply_q"].as_str().unwrap(), &answer).await;
    assert_eq!(call.await.unwrap(), Ok(json!([1])));
    tell(&ours.client(), &Target::topic(&topic), "echo", json!({})).await;
    let (delivery, request) = server.take().await;
    assert_eq!(delivery.properties.expiration().as_ref(), None);
    assert_eq!(request.get("_msg_id"), None);
}

/// Juno and Kilo: no `_timeout`, an auto-delete queue, a result and then an end; twice the same message.
#[tokio::test(flavor = "multi_thread")]
async fn old_callers_get_their_answer_in_two_parts() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let ours = process(&url(), &exchange, "");
    let ear = Ear::new("a");
    let _seat = ours.listen(&topic, "a", vec![ear.clone()]);
    up(&ours).await;
    let queue = name("reply_");
    let old = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    let mut agent = Raw::declared(&queue, ExchangeKind::Direct, old, &queue, true).await;
    let request = json!({"method": "echo", "args": {"n": 1}, "version": "1.1", "_msg_id": "m1",
        "_reply_q": queue, "_unique_id": "u1", "_context_tenant_id": null});
    agent.send(&exchange, &topic, &request).await;
    let (first, second) = (agent.take().await.1, agent.take().await.1);
    assert_eq!((&first["result"]["from"], first.get("ending")), (&json!("a"), None));
    assert_eq!((&second["result"], &second["ending"]), (&Value::Null, &json!(true)));
    assert_eq!((&first["_msg_id"], &second["_msg_id"]), (&json!("m1"), &json!("m1")));
    agent.send(&exchange, &topic, &request).await;
    let refused =
        json!({"method": "shout", "args": {}, "_msg_id": "m2", "_reply_q": queue, "_unique_id": "u2"});
    agent.send(&exchange, &topic, &refused).await;
    let failed = agent.take().await.1;
    assert_eq!(failed["_msg_id"], "m2", "what came twice is worked on once: {failed}");
    assert!(failed["failure"].as_str().unwrap().contains("NoSuchMethod"));
    assert_eq!(ear.numbers(), [1]);
}

/// Liberty and older answer to an exchange of the reply queue's name, in two parts.
#[tokio::test(flavor = "multi_thread")]
async fn old_servers_are_understood() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let mut server = Raw::server(&exchange, &topic).await;
    let ours = process(&url(), &exchange, "");
    for (result, expected) in [(json!({"tunnels": []}), json!({"tunnels": []})), (Value::Null, Value::Null)] {
        let (client, target) = (ours.client(), Target::topic(&topic));
        let call = tokio::spawn(async move { ask(&client, &target, "tunnel_sync", json!({})).await });
        let request = server.take().await.1;
        let queue = request["_reply_q"].as_str().unwrap();
        let id = &request["_msg_id"];
        server.send(queue, queue, &json!({"result": result, "failure": null, "_msg_id": id})).await;
        server
            .send(queue, queue, &json!({"result": null, "failure": null, "ending": true, "_msg_id": id}))
            .await;
        assert_eq!(call.await.unwrap(), Ok(expected));
    }
}

/// A caller with call monitoring hears from time to time that its call is worked on.
#[tokio::test(flavor = "multi_thread")]
async fn watching_callers_are_kept_posted() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let ours = process(&url(), &exchange, "");
    let _seat = ours.listen(&topic, "a", vec![Ear::new("a")]);
    up(&ours).await;
    let queue = name("reply_");
    let options = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    let mut caller = Raw::declared(&queue, ExchangeKind::Direct, options, &queue, false).await;
    let request = json!({"method": "slow", "args": {}, "_msg_id": "m", "_reply_q": queue, "_timeout": 0.4});
    caller.send(&exchange, &topic, &request).await;
    let mut beats = 0;
    loop {
        let part = caller.take().await.1;
        if part["ending"] == json!(true) {
            assert_eq!(part["result"], "slept");
            break;
        }
        assert_eq!((&part["result"], &part["ending"]), (&Value::Null, &json!(false)));
        beats += 1;
    }
    assert!(beats > 0);
}

/// The exchange exists as other programs declared it; ours gives way, as oslo.messaging does.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_durable_is_taken_as_it_is() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let mut server = Raw::server(&exchange, &topic).await;
    let ours = process(&url(), &exchange, "amqp_durable_queues = true\n");
    tell(&ours.client(), &Target::topic(&topic), "echo", json!({"n": 1})).await;
    assert_eq!(server.take().await.1["args"]["n"], 1);
    let other = name("topic");
    let _seat = ours.listen(&other, "a", vec![Ear::new("a")]);
    assert!(ask(&ours.client(), &Target::topic(&other), "echo", json!({})).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_may_be_durable_or_quorum_queues() {
    for options in [
        "amqp_durable_queues = true\n",
        "rabbit_quorum_queue = true\nrabbit_transient_quorum_queue = true\nrabbit_quorum_delivery_limit = 4\n",
        "amqp_auto_delete = true\nrabbit_transient_queues_ttl = 0\n",
    ] {
        let (exchange, topic) = (name("exchange"), name("topic"));
        let (server, agent) = (process(&url(), &exchange, options), process(&url(), &exchange, options));
        let ear = Ear::new("a");
        let _seat = server.listen(&topic, "a", vec![ear.clone()]);
        up(&server).await;
        let answer = ask(&agent.client(), &Target::server(&topic, "a"), "echo", json!({"n": 1})).await;
        assert_eq!(answer.unwrap()["from"], "a", "{options}");
        tell(&agent.client(), &Target::fanout(&topic), "echo", json!({"n": 2})).await;
        ear.hears(2).await;
        server.close(Duration::from_secs(5)).await;
        agent.close(Duration::from_secs(5)).await;
    }
}
