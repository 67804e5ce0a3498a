//! Arguments of a message, read with tolerance for what older agents leave out.

use rpc::Failure;
use serde_json::{Map, Value};

/// The arguments of one message.
pub struct Args(pub Map<String, Value>);

impl Args {
    /// A text that has to be there.
    pub fn text(&self, name: &str) -> Result<&str, Failure> {
        self.opt(name).ok_or_else(|| Failure::internal(format!("the argument {name} is missing")))
    }

    /// A text that may be missing, null or empty.
    pub fn opt(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    }

    /// A list of texts; empty when it is missing.
    pub fn texts(&self, name: &str) -> Vec<String> {
        self.values(name).iter().filter_map(Value::as_str).map(str::to_string).collect()
    }

    /// A list; empty when it is missing.
    pub fn values(&self, name: &str) -> &[Value] {
        self.0.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
    }

    /// A flag; false when it is missing.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or(false)
    }

    /// An object; empty when it is missing.
    pub fn object(&self, name: &str) -> Map<String, Value> {
        self.0.get(name).and_then(Value::as_object).cloned().unwrap_or_default()
    }
}
