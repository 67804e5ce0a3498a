//! What happens when the way to the broker is cut, and when the broker forgets.

use crate::proxy::Proxy;
use crate::raw::{Raw, connection};
use crate::world::{Ear, ask, name, patient, process, tell, up, url};
use rpc::{Error, Target, Transport};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Deletes queues, as the restart of a broker does with those that are not durable.
async fn forget(queues: &[String]) {
    let connection = connection().await;
    let channel = connection.create_channel().await.unwrap();
    for queue in queues {
        channel.queue_delete(queue.as_str().into(), Default::default()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn both_sides_find_each_other_again() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let proxy = Proxy::new().await;
    let server = process(&proxy.url(), &exchange, "rabbit_retry_backoff = 0\n");
    let agent = process(&proxy.url(), &exchange, "rabbit_retry_backoff = 0\n");
    let ear = Ear::new("a");
    let _seat = server.listen(&topic, "a", vec![ear.clone()]);
    let _own = agent.listen(&name("agent"), "b", vec![Ear::new("b")]);
    let (client, target) = (agent.client(), Target::topic(&topic));
    assert!(ask(&client, &target, "echo", json!({"n": 0})).await.is_ok());
    assert_eq!(proxy.passed.load(Ordering::SeqCst), 4, "a process has two connections");
    let mut reconnects = agent.reconnects();

    proxy.cut();
    let mut status = agent.watch();
    patient(async { status.wait_for(|status| !status.up).await.map(|_| ()).unwrap() }).await;
    let refused =
        ask(&client.with_timeout(Duration::from_millis(300)), &target, "echo", json!({"n": 1})).await;
    let Err(Error::Unreachable { what, .. }) = refused else { panic!("{refused:?}") };
    assert!(what.contains("RabbitMQ at 127.0.0.1:"), "{what}");
    for n in 10..15 {
        tell(&client, &target, "echo", json!({"n": n})).await;
    }
    let waiting = tokio::spawn({
        let (client, target) = (client.clone(), target.clone());
        async move { ask(&client, &target, "echo", json!({"n": 20})).await }
    });

    proxy.mend();
    patient(reconnects.wait()).await;
    assert!(waiting.await.unwrap().is_ok(), "a call made in the outage leaves after it");
    patient(async {
        while ear.numbers().len() < 7 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    assert_eq!(ear.numbers(), [0, 10, 11, 12, 13, 14, 20], "casts of the outage arrive, once, in full");
    assert!(agent.watch().borrow().epoch >= 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgetful_broker_is_told_again() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let (server, agent) = (process(&url(), &exchange, ""), process(&url(), &exchange, ""));
    let ear = Ear::new("a");
    let _seat = server.listen(&topic, "a", vec![ear.clone()]);
    up(&server).await;
    let mut reconnects = server.reconnects();
    forget(&[topic.clone(), format!("{topic}.a")]).await;
    patient(reconnects.wait()).await;
    let answer = ask(&agent.client(), &Target::server(&topic, "a"), "echo", json!({"n": 1})).await;
    assert_eq!(answer.unwrap()["from"], "a");
}

/// The agent hears a fanout of the server and ends. With its last queue the fanout's exchange goes, too; the server knows
/// nothing of that.
async fn lose_exchange(server: &Transport, agent: Transport, topic: &str) -> Arc<Ear> {
    let ear = Ear::new("a");
    let seat = agent.listen(topic, "a", vec![ear.clone()]);
    up(&agent).await;
    tell(&server.client(), &Target::fanout(topic), "echo", json!({"n": 1})).await;
    ear.hears(1).await;
    drop(seat);
    agent.close(Duration::from_secs(5)).await;
    ear
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_went_is_declared_again() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let (server, agent) = (process(&url(), &exchange, ""), process(&url(), &exchange, ""));
    let ear = lose_exchange(&server, agent, &topic).await;
    tell(&server.client(), &Target::fanout(&topic), "echo", json!({"n": 2})).await;
    let agent = process(&url(), &exchange, "");
    let _seat = agent.listen(&topic, "a", vec![ear.clone()]);
    up(&agent).await;
    tell(&server.client(), &Target::fanout(&topic), "echo", json!({"n": 3})).await;
    ear.hears(2).await;
    assert_eq!(ear.numbers(), [1, 3]);
}

/// Its loss ends the channel; what was sent before on that has arrived, and oslo.messaging logs an error for a double.
#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_went_doubles_no_other_message() {
    let (exchange, topic, other) = (name("exchange"), name("topic"), name("topic"));
    let (server, agent) = (process(&url(), &exchange, ""), process(&url(), &exchange, ""));
    lose_exchange(&server, agent, &topic).await;
    let mut raw = Raw::server(&exchange, &other).await;
    const COUNT: usize = 200;
    for n in 0..COUNT {
        if n == COUNT / 2 {
            tell(&server.client(), &Target::fanout(&topic), "echo", json!({})).await;
        }
        tell(&server.client(), &Target::topic(&other), "echo", json!({"n": n})).await;
    }
    tell(&server.client(), &Target::topic(&other), "echo", json!({"n": "end"})).await;
    let mut heard = Vec::new();
    loop {
        let (_, message) = raw.take().await;
        match message["args"]["n"].as_u64() {
            Some(n) => heard.push(usize::try_from(n).unwrap()),
            None => break,
        }
    }
    assert_eq!(heard, (0..COUNT).collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_that_the_broker_forgot_are_given_up_early() {
    let (exchange, topic) = (name("exchange"), name("topic"));
    let proxy = Proxy::new().await;
    let agent = process(&proxy.url(), &exchange, "");
    // A server that takes the call and dies with the broker.
    let mut server = Raw::server(&exchange, &topic).await;
    let client = agent.client();
    let call = tokio::spawn(async move { ask(&client, &Target::topic(&topic), "echo", json!({})).await });
    let (_, request) = server.take().await;
    // The broker's word that it has the call comes at the same time.
    tokio::time::sleep(Duration::from_millis(300)).await;
    proxy.cut();
    forget(&[request["_reply_q"].as_str().unwrap().to_string()]).await;
    proxy.mend();
    let lost = call.await.unwrap();
    let Err(Error::Unreachable { what, .. }) = lost else { panic!("{lost:?}") };
    assert!(what.contains("restarted"), "{what}");
}
