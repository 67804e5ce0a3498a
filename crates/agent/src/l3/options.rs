//! What the L3 agent is configured with: the options of `l3_agent.ini` under their own names.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The L3 agent's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name of this host, as ports are bound to it.
    pub host: String,
    /// Whether routers redirect metadata requests to a proxy.
    pub enable_metadata_proxy: bool,
    /// The proxy's port in the routers' namespaces.
    pub metadata_port: u16,
    /// The mark of metadata requests, as iptables writes it.
    pub metadata_access_mark: String,
    /// The mark of packets from the external network, as iptables writes it.
    pub external_ingress_mark: String,
    /// Whether routers without a gateway are served.
    pub handle_internal_only_routers: bool,
    /// The only external network this agent serves; none for all.
    pub gateway_external_network_id: Option<String>,
    /// The link-local address of the provider's router, when external subnets have no IPv6 gateway.
    pub ipv6_gateway: Option<Ipv6Addr>,
    /// Where radvd's files are.
    pub ra_confs: PathBuf,
    /// Where pid files of routers' daemons are.
    pub external_pids: PathBuf,
    /// Longest time between router advertisements, in seconds.
    pub max_rtr_adv_interval: u32,
    /// Shortest time between router advertisements, in seconds.
    pub min_rtr_adv_interval: u32,
    /// The user radvd runs as; `root` or empty for ours.
    pub radvd_user: String,
    /// Whether SNAT draws source ports at random.
    pub use_random_fully: bool,
    /// Whether rules get comments.
    pub comment_iptables_rules: bool,
    /// The socket of the metadata agent.
    pub metadata_proxy_socket: PathBuf,
    /// Between looks at the host, whose state others may have changed, and new tries of what failed.
    pub resync_interval: Duration,
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
            enable_metadata_proxy: true,
            metadata_port: 9697,
            metadata_access_mark: "0x1".to_owned(),
            external_ingress_mark: "0x2".to_owned(),
            handle_internal_only_routers: true,
            gateway_external_network_id: None,
            ipv6_gateway: None,
            ra_confs: state_path.join("ra"),
            external_pids: state_path.join("external/pids"),
            max_rtr_adv_interval: 100,
            min_rtr_adv_interval: 30,
            radvd_user: String::new(),
            use_random_fully: true,
            comment_iptables_rules: true,
            metadata_proxy_socket: state_path.join("metadata_proxy"),
            resync_interval: Duration::from_secs(5),
            report_interval: 30,
            availability_zone: "nova".to_owned(),
        }
    }
}
