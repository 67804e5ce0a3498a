//! What the metadata agent is configured with: the options of `metadata_agent.ini` under their own names.

use std::path::{Path, PathBuf};

use oslo::config::{Config, Problem};

use crate::options::{Shared, refusal};

oslo::options! {
    /// What the metadata agent reads.
    pub struct MetadataOptions in "DEFAULT" {
        /// Permissions of the agent's socket: user, group, all, or deduce.
        metadata_proxy_socket_mode: String = "deduce".into();
        /// The secret shared with Nova.
        metadata_proxy_shared_secret: String = String::new();
        /// Where Nova's metadata service is.
        nova_metadata_host: String = "127.0.0.1".into(), was [("DEFAULT", "nova_metadata_ip")];
        /// The port of Nova's metadata service.
        nova_metadata_port: u16 = 8775;
        /// How to talk to Nova's metadata service; only http is supported.
        nova_metadata_protocol: String = "http".into();
        /// A client's certificate for Nova; not supported.
        nova_client_cert: String = String::new();
        /// The key of the client's certificate; not supported.
        nova_client_priv_key: String = String::new();
    }
}

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
    /// Whether the server notes each report in its log.
    pub log_agent_heartbeats: bool,
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
            log_agent_heartbeats: false,
        }
    }

    /// Reads the options of `config` for the host named `host`.
    ///
    /// # Errors
    /// The first value that cannot be read, or that asks for what is not there.
    pub fn load(config: &Config, host: &str) -> Result<Options, Problem> {
        let (own, shared) = (MetadataOptions::load(config)?, Shared::load(config)?);
        let mode = match own.metadata_proxy_socket_mode.as_str() {
            // The listeners run as the same user as this agent does.
            "deduce" | "user" => 0o644,
            "group" => 0o664,
            "all" => 0o666,
            odd => {
                let text = format!("metadata_proxy_socket_mode = {odd} is none of deduce, user, group, all");
                return Err(refusal(config, "metadata_proxy_socket_mode", text));
            }
        };
        let options = Options {
            host: host.to_owned(),
            metadata_proxy_socket: shared.metadata_proxy_socket,
            metadata_proxy_socket_mode: mode,
            metadata_proxy_shared_secret: own.metadata_proxy_shared_secret,
            nova_metadata_host: own.nova_metadata_host,
            nova_metadata_port: own.nova_metadata_port,
            nova_metadata_protocol: own.nova_metadata_protocol,
            nova_client_cert: own.nova_client_cert,
            nova_client_priv_key: own.nova_client_priv_key,
            report_interval: shared.report_interval,
            log_agent_heartbeats: shared.log_agent_heartbeats,
        };
        match options.refusal() {
            Some(text) => Err(refusal(config, "nova_metadata_protocol", text)),
            None => Ok(options),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_of_both_ways_are_the_same() {
        let config = Config::parse("neutron.conf", "[DEFAULT]\nstate_path = /s\n");
        assert_eq!(Options::load(&config, "net1").unwrap(), Options::new("net1", Path::new("/s")));
    }

    #[test]
    fn older_names_count_and_https_is_refused() {
        let load = |text: &str| {
            Options::load(
                &Config::parse("metadata_agent.ini", &format!("[DEFAULT]\nstate_path = /s\n{text}\n")),
                "net1",
            )
        };
        assert_eq!(load("nova_metadata_ip = controller").unwrap().nova_metadata_host, "controller");
        assert!(load("nova_metadata_protocol = https").unwrap_err().to_string().contains("only http"));
        assert!(load("nova_client_cert = /c").is_err() && load("metadata_proxy_socket_mode = x").is_err());
    }
}
