//! What the metadata agent is configured with: the options of `metadata_agent.ini` under their own names.

use std::path::{Path, PathBuf};

use oslo::config::{Config, Problem};
use oslo::tls::Tls;

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
        /// How to talk to Nova's metadata service: http or https.
        nova_metadata_protocol: String = "http".into();
        /// Whether any certificate of Nova's metadata service is taken.
        nova_metadata_insecure: bool = false;
        /// A file of authorities to trust instead of the system's, for Nova's certificate.
        auth_ca_cert: Option<String> = None;
        /// A file with a client's certificate for Nova.
        nova_client_cert: Option<String> = None;
        /// A file with the key of the client's certificate.
        nova_client_priv_key: Option<String> = None;
    }
}

/// How to talk to Nova's metadata service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// In the clear.
    Http,
    /// Over TLS.
    Https,
}

impl Protocol {
    /// The word in an address.
    pub fn scheme(self) -> &'static str {
        match self {
            Protocol::Http => "http",
            Protocol::Https => "https",
        }
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
    /// How to talk to it.
    pub nova_metadata_protocol: Protocol,
    /// Whom to trust there, and who we are, where it is https.
    pub nova_tls: Tls,
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
            nova_metadata_protocol: Protocol::Http,
            nova_tls: Tls::default(),
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
        let protocol = match own.nova_metadata_protocol.as_str() {
            "http" => Protocol::Http,
            "https" => Protocol::Https,
            odd => {
                let text = format!("nova_metadata_protocol = {odd} is neither http nor https");
                return Err(refusal(config, "nova_metadata_protocol", text));
            }
        };
        Ok(Options {
            host: host.to_owned(),
            metadata_proxy_socket: shared.metadata_proxy_socket,
            metadata_proxy_socket_mode: mode,
            metadata_proxy_shared_secret: own.metadata_proxy_shared_secret,
            nova_metadata_host: own.nova_metadata_host,
            nova_metadata_port: own.nova_metadata_port,
            nova_metadata_protocol: protocol,
            nova_tls: Tls {
                cafile: own.auth_ca_cert,
                certfile: own.nova_client_cert,
                keyfile: own.nova_client_priv_key,
                insecure: own.nova_metadata_insecure,
            },
            report_interval: shared.report_interval,
            log_agent_heartbeats: shared.log_agent_heartbeats,
        })
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
    fn older_names_count_and_odd_values_are_refused() {
        let load = |text: &str| {
            Options::load(
                &Config::parse("metadata_agent.ini", &format!("[DEFAULT]\nstate_path = /s\n{text}\n")),
                "net1",
            )
        };
        assert_eq!(load("nova_metadata_ip = controller").unwrap().nova_metadata_host, "controller");
        let odd = load("nova_metadata_protocol = gopher").unwrap_err().to_string();
        assert_eq!(odd, "metadata_agent.ini:3: nova_metadata_protocol = gopher is neither http nor https");
        assert!(load("metadata_proxy_socket_mode = x").is_err());
        let secure =
            load("nova_metadata_protocol = https\nnova_metadata_insecure = true\nnova_client_cert = /c")
                .unwrap();
        assert_eq!(secure.nova_metadata_protocol, Protocol::Https);
        assert!(secure.nova_tls.insecure && secure.nova_tls.certfile.as_deref() == Some("/c"));
    }
}
