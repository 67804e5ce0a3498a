//! The transport inside one process.

use crate::{BoxFuture, Endpoint, Failure, Message, Target};
use serde_json::{Map, Value};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, oneshot};

/// Messages that wait for one listener. More are dropped, as a broker with a limit would: agents resync.
const QUEUE_MAX: usize = 10_000;

type Answer = Result<Value, Failure>;

struct Delivery {
    message: Message,
    reply: Option<oneshot::Sender<Answer>>,
}

struct Seat {
    id: usize,
    topic: String,
    server: String,
    queue: mpsc::Sender<Delivery>,
}

#[derive(Default)]
struct Seats {
    all: Vec<Seat>,
    turn: usize,
}

/// The exchange: who listens to what. Cloning shares it.
#[derive(Clone, Default)]
pub struct Memory {
    seats: Arc<Mutex<Seats>>,
}

static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

/// A place at a topic; dropping it stops listening.
pub struct Listener {
    id: usize,
    memory: Memory,
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.memory.lock().all.retain(|seat| seat.id != self.id);
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn listen(&self, topic: &str, server: &str, endpoints: Vec<Arc<dyn Endpoint>>) -> Listener {
        let (queue, mut incoming) = mpsc::channel::<Delivery>(QUEUE_MAX);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.lock().all.push(Seat { id, topic: topic.to_string(), server: server.to_string(), queue });
        let endpoints: Arc<[Arc<dyn Endpoint>]> = endpoints.into();
        tokio::spawn(async move {
            while let Some(delivery) = incoming.recv().await {
                let endpoints = endpoints.clone();
                tokio::spawn(async move {
                    let answer = dispatch(&endpoints, &delivery.message).await;
                    if let Some(reply) = delivery.reply {
                        // A caller that gave up is no longer there to be told.
                        let _ = reply.send(answer);
                    } else if let Err(failure) = answer {
                        tracing::debug!(%failure, "a cast failed");
                    }
                });
            }
        });
        Listener { id, memory: self.clone() }
    }

    /// One queue per message to a topic, in turn; the one server's; or all.
    fn queues(&self, target: &Target) -> Vec<mpsc::Sender<Delivery>> {
        let mut seats = self.lock();
        let fits = |seat: &&Seat| {
            seat.topic == target.topic && target.server.as_ref().is_none_or(|server| *server == seat.server)
        };
        let mut queues: Vec<_> = seats.all.iter().filter(fits).map(|seat| seat.queue.clone()).collect();
        if !target.fanout && queues.len() > 1 {
            seats.turn = seats.turn.wrapping_add(1);
            let chosen = seats.turn % queues.len();
            queues = vec![queues.swap_remove(chosen)];
        }
        queues
    }

    /// None when nobody listens or whoever did went away.
    pub(crate) fn call<'a>(&'a self, target: &'a Target, message: Message) -> BoxFuture<'a, Option<Answer>> {
        Box::pin(async move {
            let queue = self.queues(target).into_iter().next()?;
            let (reply, answer) = oneshot::channel();
            queue.try_send(Delivery { message, reply: Some(reply) }).ok()?;
            answer.await.ok()
        })
    }

    pub(crate) fn cast(&self, target: &Target, message: Message) {
        for queue in self.queues(target) {
            if queue.try_send(Delivery { message: message.clone(), reply: None }).is_err() {
                tracing::warn!(topic = target.topic, "a listener's queue is full: the message is dropped");
            }
        }
    }
}

/// The first endpoint that speaks the version and knows the method answers.
async fn dispatch(endpoints: &[Arc<dyn Endpoint>], message: &Message) -> Answer {
    let message = message.read();
    let text = |key: &str| message.get(key).and_then(Value::as_str).unwrap_or_default();
    let (method, version) = (text("method"), text("version"));
    let args = message.get("args").and_then(Value::as_object).cloned().unwrap_or_else(Map::new);
    let context = message.get("context").unwrap_or(&Value::Null);
    let mut refusal = Failure::unsupported_version(version, method);
    for endpoint in endpoints {
        if !speaks(endpoint.version(), version) {
            continue;
        }
        match endpoint.dispatch(context, method, args.clone()).await {
            Err(failure) if failure.class == "NoSuchMethod" => refusal = failure,
            answer => return answer,
        }
    }
    Err(refusal)
}

/// Same major version, and no newer minor version than the endpoint's.
fn speaks(endpoint: &str, asked: &str) -> bool {
    let parse = |version: &str| {
        let (major, minor) = version.split_once('.')?;
        Some((major.parse::<u32>().ok()?, minor.parse::<u32>().ok()?))
    };
    match (parse(endpoint), parse(asked)) {
        (Some(endpoint), Some(asked)) => endpoint.0 == asked.0 && asked.1 <= endpoint.1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Client, Error, Transport};
    use serde_json::json;
    use std::time::Duration;

    struct Echo(&'static str);

    impl Endpoint for Echo {
        fn version(&self) -> &str {
            "1.4"
        }
        fn dispatch<'a>(
            &'a self,
            _ctx: &'a Value,
            method: &'a str,
            args: Map<String, Value>,
        ) -> BoxFuture<'a, Answer> {
            Box::pin(async move {
                match method {
                    "echo" => Ok(json!({"from": self.0, "args": args})),
                    _ => Err(Failure::no_such_method(method)),
                }
            })
        }
    }

    async fn call(client: &Client, target: &Target, method: &str, version: &str) -> Result<Value, Error> {
        client.call(&Value::Null, target, method, version, json!({"n": 1})).await
    }

    #[tokio::test]
    async fn a_call_finds_its_server() {
        let transport = Transport::memory();
        let a = transport.listen("q-plugin", "a", vec![Arc::new(Echo("a"))]);
        let _b = transport.listen("q-plugin", "b", vec![Arc::new(Echo("b"))]);
        let client = transport.client().with_timeout(Duration::from_secs(5));
        let to_b = call(&client, &Target::server("q-plugin", "b"), "echo", "1.4").await;
        assert_eq!(to_b, Ok(json!({"from": "b", "args": {"n": 1}})));
        let refused = call(&client, &Target::server("q-plugin", "b"), "echo", "1.5").await.unwrap_err();
        assert!(matches!(refused, Error::Remote(f) if f.class == "UnsupportedVersion"));
        let refused = call(&client, &Target::topic("q-plugin"), "shout", "1.0").await.unwrap_err();
        assert!(matches!(refused, Error::Remote(f) if f.class == "NoSuchMethod"));
        drop(a);
        let gone = call(&client, &Target::server("q-plugin", "a"), "echo", "1.4").await;
        assert!(matches!(gone, Err(Error::Timeout { .. })));
    }
}
