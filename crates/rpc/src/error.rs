//! What can go wrong with a message: exceptions of the other side, silence, no way to it.

use serde_json::{Map, Value, json};

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

    /// The object that oslo.messaging puts, as text, under a reply's `failure`.
    ///
    /// Python makes the exception anew as `class(*args, **kwargs)`: one with keyword arguments words itself by
    /// them, any other takes its words as its one argument.
    pub(crate) fn to_wire(&self) -> Value {
        let args = if self.kwargs.is_empty() { json!([self.message]) } else { json!([]) };
        json!({
            "class": self.class, "module": self.module, "message": self.message, "tb": [],
            "args": args, "kwargs": self.kwargs,
        })
    }

    /// The exception in a reply's `failure`, as text (every release) or as an object.
    pub(crate) fn from_wire(failure: &Value) -> Failure {
        let parsed = failure.as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
        let fields = parsed.as_ref().unwrap_or(failure);
        let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_string);
        Failure {
            class: text("class").unwrap_or_else(|| "RemoteError".into()),
            module: text("module").unwrap_or_else(|| "oslo_messaging.rpc.client".into()),
            message: text("message").unwrap_or_else(|| failure.to_string()),
            kwargs: fields.get("kwargs").and_then(Value::as_object).cloned().unwrap_or_default(),
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
    /// The message did not leave, or its answer cannot come: the broker is or was away.
    #[error("{method} did not get through to {topic}: {what}")]
    Unreachable {
        /// The topic called.
        topic: String,
        /// The method called.
        method: String,
        /// Which broker, what it says.
        what: String,
    },
}
