//! oslo.messaging: requests, casts, fanouts and replies over a transport.
//!
//! The one transport so far lives in the process: it carries the same JSON under the same rules as a broker
//! would (a message is taken at most once, a cast to nobody vanishes, a call to nobody times out), so what
//! works over it works over RabbitMQ.

mod memory;

use serde_json::{Map, Value, json};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

pub use memory::{Listener, Memory};

/// How long a call waits for its answer (`rpc_response_timeout`).
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

/// An exception that the other side raised.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{module}.{class}: {message}")]
pub struct Failure {
    /// The exception's class: `NetworkNotFound`.
    pub class: String,
    /// Its Python module: `neutron_lib.exceptions`. Agents rebuild exceptions of the modules they trust only.
    pub module: String,
    /// Its words.
    pub message: String,
    /// Its keyword arguments, for exceptions that are rebuilt from them.
    pub kwargs: Map<String, Value>,
}

impl Failure {
    /// The endpoint has no such method; old agents fall back on exactly this class.
    pub fn no_such_method(method: &str) -> Failure {
        Failure {
            class: "NoSuchMethod".into(),
            module: "oslo_messaging.rpc.dispatcher".into(),
            message: format!("Endpoint does not support RPC method {method}"),
            kwargs: Map::new(),
        }
    }
    /// No endpoint speaks the version asked for; old agents fall back on exactly this class.
    pub fn unsupported_version(version: &str, method: &str) -> Failure {
        Failure {
            class: "UnsupportedVersion".into(),
            module: "oslo_messaging.rpc.dispatcher".into(),
            message: format!("Endpoint does not support RPC version {version}. Attempted method: {method}"),
            kwargs: Map::new(),
        }
    }
    /// An exception of `neutron_lib.exceptions` with its keyword arguments.
    pub fn neutron(class: &str, message: impl Into<String>, kwargs: Map<String, Value>) -> Failure {
        Failure {
            class: class.into(),
            module: "neutron_lib.exceptions".into(),
            message: message.into(),
            kwargs,
        }
    }
    /// Anything that went wrong without a name of its own.
    pub fn internal(message: impl Into<String>) -> Failure {
        Failure {
            class: "Exception".into(),
            module: "builtins".into(),
            message: message.into(),
            kwargs: Map::new(),
        }
    }
}

/// Why a message did not bring an answer.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Error {
    /// The other side raised an exception.
    #[error(transparent)]
    Remote(Failure),
    /// No answer came in time: nobody listens, or whoever does is busy or gone.
    #[error("no answer from {topic} to {method} within {seconds} s")]
    Timeout {
        /// The topic called.
        topic: String,
        /// The method called.
        method: String,
        /// How long was waited.
        seconds: u64,
    },
}

/// What answers the messages of a topic.
pub trait Endpoint: Send + Sync {
    /// The newest version it speaks: `1.9`. It answers every older minor version too.
    fn version(&self) -> &str;
    /// The namespace it answers in; almost all of Neutron's have none.
    fn namespace(&self) -> Option<&str> {
        None
    }
    /// Answers one message; [`Failure::no_such_method`] passes it on to the next endpoint of the topic.
    fn dispatch<'a>(
        &'a self,
        ctx: &'a Value,
        method: &'a str,
        args: Map<String, Value>,
    ) -> BoxFuture<'a, Result<Value, Failure>>;
}

/// A way for messages. Cloning shares it.
#[derive(Clone)]
pub struct Transport(Memory);

impl Transport {
    /// A transport inside this process.
    pub fn memory() -> Transport {
        Transport(Memory::default())
    }

    /// Whether whoever listens lives in this process, and ends with it.
    pub fn in_process(&self) -> bool {
        true
    }

    /// What sends.
    pub fn client(&self) -> Client {
        Client { memory: self.0.clone(), timeout: RESPONSE_TIMEOUT }
    }

    /// Listens as `server` to a topic: to messages for any server of it, for this one, and for all.
    /// It stops when the listener is dropped.
    pub fn listen(&self, topic: &str, server: &str, endpoints: Vec<Arc<dyn Endpoint>>) -> Listener {
        self.0.listen(topic, server, endpoints)
    }
}

/// What sends messages. Cloning shares the transport.
#[derive(Clone)]
pub struct Client {
    memory: Memory,
    timeout: Duration,
}

impl Client {
    /// The same client with another patience.
    pub fn with_timeout(&self, timeout: Duration) -> Client {
        Client { timeout, ..self.clone() }
    }

    /// Asks one server and waits for its answer.
    pub async fn call(
        &self,
        ctx: &Value,
        target: &Target,
        method: &str,
        version: &str,
        args: Value,
    ) -> Result<Value, Error> {
        let message = Message::new(ctx, method, version, args);
        let timeout = || Error::Timeout {
            topic: target.topic.clone(),
            method: method.to_string(),
            seconds: self.timeout.as_secs(),
        };
        let answer = self.memory.call(target, message);
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(Some(answer)) => answer.map_err(Error::Remote),
            Ok(None) | Err(_) => Err(timeout()),
        }
    }

    /// Tells one server, or all of a topic, and does not wait. A message to nobody vanishes.
    pub async fn cast(
        &self,
        ctx: &Value,
        target: &Target,
        method: &str,
        version: &str,
        args: Value,
    ) -> Result<(), Error> {
        self.memory.cast(target, Message::new(ctx, method, version, args));
        Ok(())
    }
}

/// A message as text, the way it would travel.
#[derive(Debug, Clone)]
pub(crate) struct Message(Arc<str>);

impl Message {
    fn new(ctx: &Value, method: &str, version: &str, args: Value) -> Message {
        let message = json!({"method": method, "version": version, "args": args, "context": ctx});
        Message(message.to_string().into())
    }

    fn read(&self) -> Value {
        serde_json::from_str(&self.0).unwrap_or(Value::Null)
    }
}
