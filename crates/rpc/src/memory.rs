//! The transport inside one process. Messages pass as text, so that nothing but JSON gets through.

use crate::dispatch::{Request, dispatch};
use crate::{Endpoint, Error, Failure, Outbound, Status, Target};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};

/// Messages that wait for one listener. More are dropped, as a broker with a limit would: agents resync.
const QUEUE_MAX: usize = 10_000;

type Reply = Result<Value, Failure>;

struct Delivery {
    message: Message,
    reply: Option<oneshot::Sender<Reply>>,
}

/// A message as text, the way it would travel.
#[derive(Debug, Clone)]
struct Message(Arc<str>);

impl Message {
    fn new(outbound: &Outbound<'_>) -> Message {
        let message = json!({
            "method": outbound.method, "version": outbound.version, "namespace": outbound.namespace,
            "args": outbound.args, "context": outbound.context,
        });
        Message(message.to_string().into())
    }

    fn read(&self) -> Request {
        let mut message: Value = serde_json::from_str(&self.0).unwrap_or(Value::Null);
        let mut take = |key: &str| message.get_mut(key).map(Value::take).unwrap_or_default();
        let text = |value: Value| match value {
            Value::String(text) => Some(text),
            _ => None,
        };
        Request {
            method: text(take("method")).unwrap_or_default(),
            version: text(take("version")).unwrap_or_default(),
            namespace: text(take("namespace")),
            args: match take("args") {
                Value::Object(args) => args,
                _ => serde_json::Map::new(),
            },
            context: take("context"),
        }
    }
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
#[derive(Clone)]
pub(crate) struct Memory {
    seats: Arc<Mutex<Seats>>,
    status: Arc<watch::Sender<Status>>,
}

impl Default for Memory {
    fn default() -> Memory {
        let status = Status { up: true, epoch: 1, ..Status::default() };
        Memory { seats: Arc::default(), status: Arc::new(watch::Sender::new(status)) }
    }
}

static NEXT_ID: AtomicUsize = AtomicUsize::new(0);

/// A place at a topic; dropping it stops listening.
pub(crate) struct Seated {
    id: usize,
    memory: Memory,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.memory.lock().all.retain(|seat| seat.id != self.id);
    }
}

impl Memory {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.status.subscribe()
    }

    pub(crate) fn listen(&self, topic: &str, server: &str, endpoints: Vec<Arc<dyn Endpoint>>) -> Seated {
        let (queue, mut incoming) = mpsc::channel::<Delivery>(QUEUE_MAX);
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        self.lock().all.push(Seat { id, topic: topic.to_string(), server: server.to_string(), queue });
        let endpoints: Arc<[Arc<dyn Endpoint>]> = endpoints.into();
        tokio::spawn(async move {
            while let Some(delivery) = incoming.recv().await {
                let endpoints = endpoints.clone();
                tokio::spawn(async move {
                    let answer = dispatch(&endpoints, delivery.message.read()).await;
                    if let Some(reply) = delivery.reply {
                        // A caller that gave up is no longer there to be told.
                        let _ = reply.send(answer);
                    } else if let Err(failure) = answer {
                        tracing::debug!(%failure, "a cast failed");
                    }
                });
            }
        });
        Seated { id, memory: self.clone() }
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

    pub(crate) async fn call(&self, request: Outbound<'_>, timeout: Duration) -> Result<Value, Error> {
        let answer = async {
            let queue = self.queues(request.target).into_iter().next()?;
            let (reply, answer) = oneshot::channel();
            queue.try_send(Delivery { message: Message::new(&request), reply: Some(reply) }).ok()?;
            answer.await.ok()
        };
        match tokio::time::timeout(timeout, answer).await {
            Ok(Some(answer)) => answer.map_err(Error::Remote),
            // Nobody listens, or whoever did went away.
            Ok(None) | Err(_) => Err(request.timed_out(timeout)),
        }
    }

    pub(crate) fn cast(&self, request: &Outbound<'_>) {
        let message = Message::new(request);
        for queue in self.queues(request.target) {
            if queue.try_send(Delivery { message: message.clone(), reply: None }).is_err() {
                tracing::warn!(
                    topic = request.target.topic,
                    "a listener's queue is full: the message is dropped"
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Call, Client, Transport};

    struct Echo(&'static str);

    impl Endpoint for Echo {
        fn version(&self) -> &str {
            "1.4"
        }
        fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> crate::Answer<'a> {
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
