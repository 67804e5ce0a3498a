//! oslo.messaging's envelope and what is in it, both ways. Pure.
//!
//! The body of a message is a JSON object of two keys, `oslo.version` ("2.0") and `oslo.message`, the latter a
//! string that holds JSON again. Source: oslo.messaging, `_drivers/common.py` and `_drivers/amqpdriver.py`.

use crate::Failure;
use crate::dispatch::Request;
use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::borrow::Cow;
use std::io;
use std::time::Duration;

/// The version of a request that names none.
const DEFAULT_VERSION: &str = "1.0";

/// How a call wants its answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    /// The call's `_msg_id`.
    pub(crate) msg_id: String,
    /// The caller's queue (`_reply_q`).
    pub(crate) queue: String,
    pub(crate) parts: Parts,
    /// How often the caller is told that the call is worked on: a third of `_timeout`. Python's servers take half,
    /// which is too seldom for oslo.messaging 14.9 to 18.0: it looks for replies twice a second only.
    pub(crate) heartbeat: Option<Duration>,
}

/// In how many messages an answer is sent.
///
/// Clients up to oslo.messaging 1.8 take the result from a message without `ending` only and wait for a second
/// one that has it; clients from 6 on fall over such a pair. The latter send `_timeout`, if only null.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Parts {
    One,
    Two,
}

/// A request as it arrives.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Incoming {
    pub(crate) request: Request,
    /// `_unique_id`, by which doubles are known.
    pub(crate) unique_id: Option<String>,
    /// Where the answer goes; none for a cast.
    pub(crate) address: Option<Address>,
}

/// A request as it leaves.
pub(crate) struct Leaving<'a> {
    pub(crate) method: &'a str,
    pub(crate) version: &'a str,
    pub(crate) namespace: Option<&'a str>,
    pub(crate) args: &'a Value,
    /// An object; its keys become `_context_<key>`.
    pub(crate) context: &'a Value,
    pub(crate) unique_id: &'a str,
    /// For a call: its `_msg_id` and our queue.
    pub(crate) reply_to: Option<(&'a str, &'a str)>,
}

impl Serialize for Leaving<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("method", self.method)?;
        map.serialize_entry("args", self.args)?;
        if let Some(namespace) = self.namespace {
            map.serialize_entry("namespace", namespace)?;
        }
        map.serialize_entry("version", self.version)?;
        if let Some((msg_id, queue)) = self.reply_to {
            map.serialize_entry("_msg_id", msg_id)?;
            map.serialize_entry("_reply_q", queue)?;
            map.serialize_entry("_timeout", &None::<u64>)?;
        }
        map.serialize_entry("_unique_id", self.unique_id)?;
        for (key, value) in self.context.as_object().into_iter().flatten() {
            map.serialize_entry(&format!("_context_{key}"), value)?;
        }
        map.end()
    }
}

/// The body of a request.
pub(crate) fn request(leaving: &Leaving<'_>) -> Vec<u8> {
    envelope(leaving)
}

/// The bodies of an answer, in the order in which they are sent. `unique` makes a `_unique_id`.
pub(crate) fn reply(
    address: &Address,
    answer: &Result<Value, Failure>,
    mut unique: impl FnMut() -> String,
) -> Vec<Vec<u8>> {
    let failure = answer.as_ref().err().map(|failure| failure.to_wire().to_string());
    let first = Reply {
        result: answer.as_ref().unwrap_or(&Value::Null),
        failure: failure.as_deref(),
        ending: (address.parts == Parts::One).then_some(true),
        msg_id: &address.msg_id,
        unique_id: &unique(),
    };
    let mut bodies = vec![envelope(&first)];
    if address.parts == Parts::Two {
        bodies.push(envelope(&Reply {
            result: &Value::Null,
            failure: None,
            ending: Some(true),
            msg_id: &address.msg_id,
            unique_id: &unique(),
        }));
    }
    bodies
}

/// "Still at it", for a call whose caller watches.
pub(crate) fn heartbeat(address: &Address, unique_id: &str) -> Vec<u8> {
    let msg_id = &address.msg_id;
    envelope(&Reply { result: &Value::Null, failure: None, ending: Some(false), msg_id, unique_id })
}

#[derive(Serialize)]
struct Reply<'a> {
    result: &'a Value,
    failure: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ending: Option<bool>,
    #[serde(rename = "_msg_id")]
    msg_id: &'a str,
    #[serde(rename = "_unique_id")]
    unique_id: &'a str,
}

/// A part of an answer, as it arrives.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Part {
    #[serde(default)]
    result: Value,
    #[serde(default)]
    failure: Value,
    #[serde(default)]
    ending: bool,
    /// The call that it answers.
    #[serde(rename = "_msg_id", default)]
    pub(crate) msg_id: Option<String>,
}

impl Part {
    /// The answer, when this part settles it: a result, a failure, or the end. A part with neither is a
    /// heartbeat, or the first of a pair whose result is null.
    pub(crate) fn settles(self) -> Option<Result<Value, Failure>> {
        match (self.failure, self.result) {
            (Value::Null, Value::Null) if !self.ending => None,
            (Value::Null, result) => Some(Ok(result)),
            (failure, _) => Some(Err(Failure::from_wire(&failure))),
        }
    }
}

/// Reads a request.
pub(crate) fn read_request(body: &[u8]) -> Result<Incoming, String> {
    let text = open(body)?;
    serde_json::from_str(&text).map_err(|e| format!("it is no request: {e}"))
}

/// Reads a part of an answer.
pub(crate) fn read_part(body: &[u8]) -> Result<Part, String> {
    let text = open(body)?;
    serde_json::from_str(&text).map_err(|e| format!("it is no reply: {e}"))
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(rename = "oslo.version", borrow)]
    version: Option<Cow<'a, str>>,
    #[serde(rename = "oslo.message", borrow)]
    message: Option<Cow<'a, str>>,
}

/// Takes a message out of its envelope; one without is taken as it is.
fn open(body: &[u8]) -> Result<Cow<'_, str>, String> {
    let envelope: Envelope =
        serde_json::from_slice(body).map_err(|e| format!("it is no JSON object: {e}"))?;
    match (envelope.version, envelope.message) {
        (Some(version), Some(message)) => match version.split_once('.') {
            Some(("2", "0")) => Ok(message),
            _ => Err(format!("its envelope is of version {version}; 2.0 is what is read here")),
        },
        _ => std::str::from_utf8(body).map(Cow::Borrowed).map_err(|e| format!("it is not UTF-8: {e}")),
    }
}

/// Wraps a message: its JSON is written into the outer string as it comes, escaped on the way.
fn envelope(message: &impl Serialize) -> Vec<u8> {
    let mut body = Vec::with_capacity(2048);
    body.extend_from_slice(br#"{"oslo.version": "2.0", "oslo.message": ""#);
    let written = serde_json::to_writer(Escaping(&mut body), message);
    debug_assert!(written.is_ok(), "keys are strings and the vector takes everything");
    body.extend_from_slice(br#""}"#);
    body
}

/// Escapes JSON for the inside of a JSON string. JSON has no bare control characters, so two signs are all.
struct Escaping<'a>(&'a mut Vec<u8>);

impl io::Write for Escaping<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for &byte in bytes {
            if matches!(byte, b'"' | b'\\') {
                self.0.push(b'\\');
            }
            self.0.push(byte);
        }
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'de> Deserialize<'de> for Incoming {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Incoming, D::Error> {
        deserializer.deserialize_map(Reader)
    }
}

/// A key of a request.
enum Key {
    Method,
    Args,
    Version,
    Namespace,
    UniqueId,
    MsgId,
    ReplyQueue,
    Timeout,
    /// `_context_<key>`
    Context(String),
    Other,
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Key, D::Error> {
        struct Name;
        impl Visitor<'_> for Name {
            type Value = Key;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a key")
            }
            fn visit_str<E>(self, key: &str) -> Result<Key, E> {
                Ok(match key {
                    "method" => Key::Method,
                    "args" => Key::Args,
                    "version" => Key::Version,
                    "namespace" => Key::Namespace,
                    "_unique_id" => Key::UniqueId,
                    "_msg_id" => Key::MsgId,
                    "_reply_q" => Key::ReplyQueue,
                    "_timeout" => Key::Timeout,
                    other => match other.strip_prefix("_context_") {
                        Some(key) => Key::Context(key.to_string()),
                        None => Key::Other,
                    },
                })
            }
        }
        deserializer.deserialize_identifier(Name)
    }
}

/// Sorts the keys of a request in one pass.
struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Incoming;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object with a method")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Incoming, A::Error> {
        let (mut request, mut context) = (Request::default(), Map::new());
        let (mut method, mut version) = (None, None::<String>);
        let (mut unique_id, mut msg_id, mut queue) = (None, None::<String>, None::<String>);
        let mut timeout = None::<Option<f64>>;
        while let Some(key) = map.next_key::<Key>()? {
            match key {
                Key::Method => method = Some(map.next_value()?),
                Key::Args => request.args = map.next_value::<Option<_>>()?.unwrap_or_default(),
                Key::Version => version = map.next_value()?,
                Key::Namespace => request.namespace = map.next_value()?,
                Key::UniqueId => unique_id = map.next_value()?,
                Key::MsgId => msg_id = map.next_value()?,
                Key::ReplyQueue => queue = map.next_value()?,
                Key::Timeout => timeout = Some(map.next_value()?),
                Key::Context(key) => {
                    context.insert(key, map.next_value()?);
                }
                Key::Other => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        request.method = method.ok_or_else(|| A::Error::missing_field("method"))?;
        request.version = version.unwrap_or_else(|| DEFAULT_VERSION.into());
        request.context = Value::Object(context);
        // Up to Kilo the queue bore the call's own id.
        let address = msg_id.map(|msg_id| Address {
            queue: queue.unwrap_or_else(|| msg_id.clone()),
            msg_id,
            parts: if timeout.is_some() { Parts::One } else { Parts::Two },
            heartbeat: timeout.flatten().and_then(|s| Duration::try_from_secs_f64(s / 3.0).ok()),
        });
        Ok(Incoming { request, unique_id, address })
    }
}

#[cfg(test)]
mod tests;
