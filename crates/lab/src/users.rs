//! What users of a cloud do, on one host or on several: type commands, find hosts to plug instances into.

use std::path::Path;

use serde_json::Value;

use crate::host::{Host, Life};

/// A cloud as its users have it.
pub trait Users {
    /// Runs a users' command and returns what it prints.
    ///
    /// # Errors
    /// It fails; the words hold what it said.
    fn neutron(&self, args: &[&str]) -> Result<String, String>;

    /// The host that Neutron calls so.
    fn host(&self, name: &str) -> &Host;

    /// The program that holds hosts, and how long new ones last.
    fn lab(&self) -> (&Path, Life);

    /// The last lines of Neutron's logs.
    fn log_end(&self) -> String;

    /// Runs a users' command that prints one object, and returns it.
    ///
    /// # Errors
    /// See [`Users::neutron`].
    fn object(&self, args: &[&str]) -> Result<Value, String> {
        let mut all = args.to_vec();
        all.extend(["-f", "json"]);
        let out = self.neutron(&all)?;
        serde_json::from_str(&out).map_err(|error| format!("{error}: {out}"))
    }

    /// A field of an object that a users' command prints.
    ///
    /// # Errors
    /// See [`Users::neutron`], or it has no such field.
    fn field(&self, args: &[&str], field: &str) -> Result<String, String> {
        match &self.object(args)?[field] {
            Value::String(text) => Ok(text.clone()),
            Value::Null => Err(format!("{} says nothing of {field}", args.join(" "))),
            other => Ok(other.to_string()),
        }
    }
}
