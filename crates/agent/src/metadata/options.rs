//! What the metadata agent is configured with: the options of `metadata_agent.ini` under their own names.

use std::path::{Path, PathBuf};

/// The metadata agent's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name of this host.
    pub host: String,
    /// The socket that listeners in namespaces pass requests on to.
    pub metadata_proxy_socket: PathBuf,
    /// Permissions of the socket.
    pub metadata_proxy_socket_mode: u32,
    /// The secret shared with Nova.
    pub metadata_proxy_shared_secret: String,
    /// Where Nova's metadata service is.
    pub nova_metadata_host: String,
    /// Its port.
    pub nova_metadata_port: u16,
    /// `http`; `https` is refused.
    pub nova_metadata_protocol: String,
    /// A client's certificate for Nova; refused when set.
    pub nova_client_cert: String,
    /// The key of the certificate; refused when set.
    pub nova_client_priv_key: String,
    /// Seconds between reports to the server.
    pub report_interval: u64,
    /// The agent's availability zone.
    pub availability_zone: String,
}

impl Options {
    /// The defaults of the sample file, for one host and state path.
    pub fn new(host: &str, state_path: &Path) -> Options {
        Options {
            host: host.to_owned(),
            metadata_proxy_socket: state_path.join("metadata_proxy"),
            metadata_proxy_socket_mode: 0o644,
            metadata_proxy_shared_secret: String::new(),
            nova_metadata_host: "127.0.0.1".to_owned(),
            nova_metadata_port: 8775,
            nova_metadata_protocol: "http".to_owned(),
            nova_client_cert: String::new(),
            nova_client_priv_key: String::new(),
            report_interval: 30,
            availability_zone: "nova".to_owned(),
        }
    }

    /// What is asked for and cannot be done.
    pub fn refusal(&self) -> Option<String> {
        if self.nova_metadata_protocol != "http" {
            let protocol = &self.nova_metadata_protocol;
            return Some(format!("nova_metadata_protocol = {protocol} is not supported yet, only http"));
        }
        if !self.nova_client_cert.is_empty() || !self.nova_client_priv_key.is_empty() {
            return Some(
                "nova_client_cert and nova_client_priv_key need https, which is not supported yet".into(),
            );
        }
        None
    }
}
