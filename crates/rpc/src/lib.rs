//! oslo.messaging: requests, casts, fanouts and replies over a transport.
//!
//! There are two transports. The one in memory serves a single process; the one over RabbitMQ speaks
//! oslo.messaging's format, so that processes of ours and of Python share a broker. Both keep the same rules: a
//! message is taken at most once, a cast to nobody vanishes, a call to nobody times out.

mod amqp;
mod dispatch;
mod error;
mod memory;
pub mod metrics;
pub mod options;
mod url;
mod wire;

use oslo::config::{Config, Problem};
use serde_json::Value;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

pub use dispatch::{Answer, Call, Endpoint};
pub use error::{Error, Failure};

/// How long a call waits for its answer where nothing else is said (`rpc_response_timeout`).
pub const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);

/// A future that a trait object returns.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Whom a message is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// `q-plugin`, `dhcp_agent`, `q-agent-notifier-port-update` …
    pub topic: String,
    /// One server of the topic; none = any of them.
    pub server: Option<String>,
    /// Every server of the topic.
    pub fanout: bool,
}

impl Target {
    /// Any one server of a topic.
    pub fn topic(topic: &str) -> Target {
        Target { topic: topic.to_string(), server: None, fanout: false }
    }
    /// One server of a topic.
    pub fn server(topic: &str, server: &str) -> Target {
        Target { topic: topic.to_string(), server: Some(server.to_string()), fanout: false }
    }
    /// Every server of a topic.
    pub fn fanout(topic: &str) -> Target {
        Target { topic: topic.to_string(), server: None, fanout: true }
    }
}

/// How the transport is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Status {
    /// Every listener is listening, and calls can be answered.
    pub up: bool,
    /// How many times that came to be. When it grows beyond 1, messages may have been missed.
    pub epoch: u64,
    /// The broker that messages come from: `host:port`; none in memory or while there is no connection.
    pub broker: Option<String>,
    /// Why the broker takes no messages at the moment, in its words: it is short of memory or disk.
    pub blocked: Option<String>,
    /// Why it is not up.
    pub trouble: Option<String>,
    /// Messages of ours that were given up, since the process started: the queue of those that wait for the
    /// broker is bounded.
    pub dropped: u64,
}

/// A way for messages. Cloning shares it.
#[derive(Clone)]
pub struct Transport(Way);

#[derive(Clone)]
enum Way {
    Memory(memory::Memory),
    Amqp(amqp::Amqp),
}

impl Transport {
    /// A transport inside this process.
    pub fn memory() -> Transport {
        Transport(Way::Memory(memory::Memory::default()))
    }

    /// The transport over the broker that the configuration names. It connects when it is first used, inside of
    /// the runtime that uses it, and from then on by itself as often as it takes.
    ///
    /// # Errors
    /// No broker is named, or an option of messaging cannot be read, with its place.
    pub fn from_config(config: &Config) -> Result<Transport, Problem> {
        let settings = options::Settings::load(config)?;
        Ok(Transport(Way::Amqp(amqp::Amqp::new(settings))))
    }

    /// Whether whoever listens lives in this process, and ends with it.
    pub fn in_process(&self) -> bool {
        matches!(self.0, Way::Memory(_))
    }

    /// What sends.
    pub fn client(&self) -> Client {
        let timeout = match &self.0 {
            Way::Memory(_) => RESPONSE_TIMEOUT,
            Way::Amqp(amqp) => amqp.response_timeout(),
        };
        Client { way: self.0.clone(), timeout, namespace: None }
    }

    /// Listens as `server` to a topic: to messages for any server of it, for this one, and for all.
    /// It stops when the listener is dropped. Calls made afterwards leave when it listens, not before.
    pub fn listen(&self, topic: &str, server: &str, endpoints: Vec<Arc<dyn Endpoint>>) -> Listener {
        Listener(match &self.0 {
            Way::Memory(memory) => Seat::Memory(memory.listen(topic, server, endpoints)),
            Way::Amqp(amqp) => Seat::Amqp(amqp.listen(topic, server, endpoints)),
        })
    }

    /// How the transport is, and every change of it.
    pub fn watch(&self) -> watch::Receiver<Status> {
        match &self.0 {
            Way::Memory(memory) => memory.watch(),
            Way::Amqp(amqp) => amqp.watch(),
        }
    }

    /// Tells when messages may have been missed, from now on.
    pub fn reconnects(&self) -> Reconnects {
        let status = self.watch();
        let seen = status.borrow().epoch.max(1);
        Reconnects { status, seen }
    }

    /// Sends what waits, as far as it leaves within `patience`, takes our queues back and ends the connections.
    /// Nothing is sent or heard afterwards.
    pub async fn close(&self, patience: Duration) {
        if let Way::Amqp(amqp) = &self.0 {
            amqp.close(patience).await;
        }
    }
}

/// Tells when messages may have been missed: the connection was away, or a queue of ours.
pub struct Reconnects {
    status: watch::Receiver<Status>,
    seen: u64,
}

impl Reconnects {
    /// Waits until every listener listens again after messages may have been missed; time to look at everything.
    /// It never comes back while nothing of the kind happens.
    pub async fn wait(&mut self) {
        let seen = self.seen;
        match self.status.wait_for(|status| status.epoch > seen).await.map(|status| status.epoch) {
            Ok(epoch) => self.seen = epoch,
            Err(_) => std::future::pending().await,
        }
    }
}

/// A place at a topic; dropping it stops listening.
pub struct Listener(#[expect(dead_code, reason = "held for what its drop does")] Seat);

#[expect(dead_code, reason = "held for what their drop does")]
enum Seat {
    Memory(memory::Seated),
    Amqp(amqp::Seated),
}

/// What sends messages. Cloning shares the transport.
#[derive(Clone)]
pub struct Client {
    way: Way,
    timeout: Duration,
    namespace: Option<Arc<str>>,
}

/// A request, ready to be sent.
struct Outbound<'a> {
    target: &'a Target,
    namespace: Option<&'a str>,
    context: &'a Value,
    method: &'a str,
    version: &'a str,
    args: Value,
}

impl Outbound<'_> {
    fn timed_out(&self, timeout: Duration) -> Error {
        let (topic, method) = (self.target.topic.clone(), self.method.to_string());
        Error::Timeout { topic, method, seconds: timeout.as_secs() }
    }
    fn unreachable(&self, what: String) -> Error {
        Error::Unreachable { topic: self.target.topic.clone(), method: self.method.to_string(), what }
    }
}

impl Client {
    /// How long it waits for an answer.
    pub fn timeout(&self) -> Duration {
        self.timeout
    }

    /// The same client with another patience.
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client { timeout, ..self.clone() }
    }

    /// The same client towards the endpoints of a namespace: `trunk`, and those of logging.
    pub fn in_namespace(&self, namespace: &str) -> Client {
        Client { namespace: Some(namespace.into()), ..self.clone() }
    }

    /// Asks one server and waits for its answer.
    ///
    /// # Errors
    /// The exception that the server raised; no answer in time; no way to the broker in time.
    pub async fn call(
        &self,
        ctx: &Value,
        target: &Target,
        method: &str,
        version: &str,
        args: Value,
    ) -> Result<Value, Error> {
        let namespace = self.namespace.as_deref();
        let request = Outbound { target, namespace, context: ctx, method, version, args };
        let started = Instant::now();
        let answer = match &self.way {
            Way::Memory(memory) => memory.call(request, self.timeout).await,
            Way::Amqp(amqp) => amqp.call(request, self.timeout).await,
        };
        metrics::message("call", started, answer.is_ok());
        answer
    }

    /// How many messages were given to the transport so far: what [`Client::settled`] is held against.
    pub fn given(&self) -> u64 {
        match &self.way {
            Way::Memory(_) => 0,
            Way::Amqp(amqp) => amqp.given(),
        }
    }

    /// How many messages the broker has, or were given up. When it has reached what [`Client::given`] said after a
    /// cast, the cast is with the broker, or will never be.
    pub fn settled(&self) -> u64 {
        match &self.way {
            Way::Memory(_) => 0,
            Way::Amqp(amqp) => amqp.settled(),
        }
    }

    /// Tells one server, or all of a topic, and does not wait: neither for the broker nor for those told. A
    /// message to nobody vanishes. Messages leave in the order in which they were given.
    ///
    /// # Errors
    /// So many messages wait for the broker that this one was dropped.
    pub async fn cast(
        &self,
        ctx: &Value,
        target: &Target,
        method: &str,
        version: &str,
        args: Value,
    ) -> Result<(), Error> {
        let namespace = self.namespace.as_deref();
        let request = Outbound { target, namespace, context: ctx, method, version, args };
        let started = Instant::now();
        let given = match &self.way {
            Way::Memory(memory) => {
                memory.cast(&request);
                Ok(())
            }
            Way::Amqp(amqp) => amqp.cast(&request),
        };
        metrics::message("cast", started, given.is_ok());
        given
    }
}
