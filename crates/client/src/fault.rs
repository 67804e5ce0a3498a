//! What can go wrong, in the words of the old client, and the exit codes.

use serde_json::Value;
use thiserror::Error;

use crate::python;

/// A failure of a command.
#[derive(Debug, Error)]
pub enum Fault {
    /// The command line is wrong; the text is what is printed, usage included.
    #[error("{0}")]
    Usage(String),
    /// The command itself refuses.
    #[error("{0}")]
    Command(String),
    /// Nothing has that name or id.
    #[error("{0}")]
    NotFound(String),
    /// A name that several resources have.
    #[error("Multiple {resource} matches found for name '{name}', use an ID to be more specific.")]
    NotUnique {
        /// The kind of resource.
        resource: &'static str,
        /// The name.
        name: String,
    },
    /// The server refused; the message is the server's.
    #[error("{message}")]
    Server {
        /// The HTTP status.
        status: u16,
        /// What the server said.
        message: String,
    },
    /// No answer.
    #[error("Connection to neutron failed: {0}")]
    Connection(String),
    /// A list of ids makes the address too long, by so many bytes.
    #[error("The request is {0} bytes too long.")]
    TooLong(usize),
    /// Keystone refused or could not be asked.
    #[error("{0}")]
    Identity(String),
}

impl Fault {
    /// The exit code of the process.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Usage(_) => 2,
            Self::Command(_)
            | Self::NotFound(_)
            | Self::NotUnique { .. }
            | Self::Server { .. }
            | Self::Connection(_)
            | Self::TooLong(_)
            | Self::Identity(_) => 1,
        }
    }

    /// Whether what was asked for is not there.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound(_) | Self::Server { status: 404, .. })
    }

    /// The fault a refusal of the server stands for.
    pub fn of_response(status: u16, reason: &str, body: &str, request_id: Option<&str>) -> Self {
        let body = if body.is_empty() { reason } else { body };
        let mut message = match serde_json::from_str::<Value>(body) {
            Ok(content) => words(status, &content),
            Err(_) => body.to_owned(),
        };
        if let Some(id) = request_id {
            message.push_str(&format!("\nNeutron server returns request_ids: {}", python::repr_list(&[id])));
        }
        Self::Server { status, message }
    }
}

fn words(status: u16, content: &Value) -> String {
    let text = |value: &Value, key: &str| value.get(key).map(python::text);
    match content.get("NeutronError") {
        Some(error) if python::truthy(error) => match (text(error, "message"), text(error, "detail")) {
            (Some(message), Some(detail)) if !detail.is_empty() => format!("{message}\n{detail}"),
            (Some(message), Some(_)) => message,
            (Some(_), None) | (None, _) => python::text(error),
        },
        Some(_) | None => match text(content, "message") {
            Some(message) if !message.is_empty() => message,
            Some(_) | None => format!("{status}-{}", python::text(content)),
        },
    }
}
