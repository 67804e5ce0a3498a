//! Keystone as a service sees it: credentials in every spelling since Juno, where v3 is, a token of one's own that
//! is got once and kept fresh, and requests made with it.

pub mod authenticate;
pub mod credentials;
pub mod http;
pub mod options;
pub mod place;
pub mod session;

pub use credentials::Credentials;
pub use http::Http;
pub use session::{Session, Token};

/// Why Keystone, or whoever was asked with its token, gave no answer that can be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// Nobody answered in time: what was tried, and why it failed.
    #[error("{0}")]
    Unreachable(String),
    /// An answer that says no: its status and its words.
    #[error("{url} answered {status}: {words}")]
    Refused {
        /// What was asked.
        url: String,
        /// The status.
        status: u16,
        /// The words.
        words: String,
    },
    /// An answer that makes no sense.
    #[error("{0}")]
    Odd(String),
}
