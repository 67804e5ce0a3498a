//! Calls, casts and fanouts between processes of ours.

use crate::world::{Ear, ask, name, patient, process, tell, up, url};
use rpc::{Endpoint, Error, Target};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn everybody_hears_what_is_meant_for_them() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let (first, second, third) =
        (process(&url(), &exchange, ""), process(&url(), &exchange, ""), process(&url(), &exchange, ""));
    let (a, b) = (Ear::new("a"), Ear::new("b"));
    let _a = first.listen(&topic, "a", vec![a.clone()]);
    let _b = second.listen(&topic, "b", vec![b.clone()]);
    up(&first).await;
    up(&second).await;
    let client = third.client();
    let answer = ask(&client, &Target::server(&topic, "b"), "echo", json!({"x": "ü\n\"\\"})).await;
    assert_eq!(answer, Ok(json!({"from": "b", "args": {"x": "ü\n\"\\"}, "request_id": "req-1"})));
    assert_eq!(ask(&client, &Target::topic(&topic), "nothing", json!({})).await, Ok(Value::Null));
    for n in 0..40 {
        tell(&client, &Target::topic(&topic), "echo", json!({"n": n})).await;
    }
    tell(&client, &Target::fanout(&topic), "echo", json!({"n": 100})).await;
    tell(&client, &Target::server(&topic, "a"), "echo", json!({"n": 101})).await;
    patient(async {
        while a.numbers().len() + b.numbers().len() < 43 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    let (mut a, mut b) = (a.numbers(), b.numbers());
    assert_eq!((a.pop(), a.pop(), b.pop()), (Some(101), Some(100), Some(100)));
    assert!(a.len() > 1 && b.len() > 1, "servers of a topic take turns: {a:?} {b:?}");
    let mut all = [a, b].concat();
    all.sort_unstable();
    assert_eq!(all, (0..40).collect::<Vec<_>>(), "each message is taken once");
}

#[tokio::test(flavor = "multi_thread")]
async fn exceptions_travel_by_name() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let transport = process(&url(), &exchange, "");
    let _seat = transport.listen(&topic, "a", vec![Ear::new("a")]);
    let client = transport.client();
    let class = |answer: Result<Value, Error>| match answer {
        Err(Error::Remote(failure)) => format!("{} {:?}", failure, failure.kwargs),
        other => format!("{other:?}"),
    };
    let target = Target::topic(&topic);
    assert_eq!(
        class(ask(&client, &target, "refuse", json!({})).await),
        "neutron_lib.exceptions.NetworkNotFound: Network n1 could not be found. {\"net_id\": String(\"n1\")}"
    );
    assert_eq!(
        class(ask(&client, &target, "shout", json!({})).await),
        "oslo_messaging.rpc.dispatcher.NoSuchMethod: Endpoint does not support RPC method shout {}"
    );
    let newer = client.call(&json!({}), &target, "echo", "1.5", json!({})).await;
    assert_eq!(
        class(newer),
        "oslo_messaging.rpc.dispatcher.UnsupportedVersion: Endpoint does not support RPC version 1.5. Attempted method: echo {}"
    );
    let elsewhere = client.in_namespace("trunk").call(&json!({}), &target, "echo", "1.0", json!({})).await;
    assert!(class(elsewhere).contains("UnsupportedVersion"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_for_a_server_to_come() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let (caller, server) = (process(&url(), &exchange, ""), process(&url(), &exchange, ""));
    let target = Target::topic(&topic);
    let client = caller.client();
    let early = ask(&client.with_timeout(Duration::from_millis(400)), &target, "echo", json!({})).await;
    assert!(matches!(early, Err(Error::Timeout { .. } | Error::Unreachable { .. })), "{early:?}");
    let call = tokio::spawn(async move { ask(&client, &target, "echo", json!({"n": 1})).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ear = Ear::new("late");
    let _seat = server.listen(&topic, "late", vec![ear.clone()]);
    assert_eq!(call.await.unwrap().unwrap()["from"], "late");
    assert_eq!(ear.numbers(), [1], "the call that was given up is not worked on");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_may_be_large_and_many() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let transport = process(&url(), &exchange, "rabbit_qos_prefetch_count = 3\n");
    let ear = Ear::new("a");
    let endpoints: Vec<Arc<dyn Endpoint>> = vec![ear.clone()];
    let _seat = transport.listen(&topic, "a", endpoints);
    let (client, target) = (transport.client(), Target::topic(&topic));
    let large = "x".repeat(3 << 20);
    assert_eq!(ask(&client, &target, "echo", json!({"x": large})).await.unwrap()["args"]["x"], large);
    for n in 0..2000 {
        tell(&client, &target, "echo", json!({"n": n})).await;
    }
    ear.hears(2001).await;
    assert_eq!(ear.numbers(), (0..2000).collect::<Vec<_>>());
    assert_eq!(transport.watch().borrow().dropped, 0);
}
