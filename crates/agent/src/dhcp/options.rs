//! What the DHCP agent is configured with: the options of `dhcp_agent.ini` under their own names.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where instances ask for their metadata.
pub const METADATA_V4: &str = "169.254.169.254";
/// Where instances on IPv6 ask for their metadata.
pub const METADATA_V6: &str = "fe80::a9fe:a9fe";

/// The DHCP agent's options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The name of this host, as ports are bound to it.
    pub host: String,
    /// Where the state of each network is kept.
    pub dhcp_confs: PathBuf,
    /// A configuration file for every dnsmasq; empty for none.
    pub dnsmasq_config_file: String,
    /// Name servers that dnsmasq asks.
    pub dnsmasq_dns_servers: Vec<String>,
    /// Whether dnsmasq may ask the host's own name servers.
    pub dnsmasq_local_resolv: bool,
    /// Most leases of one dnsmasq.
    pub dnsmasq_lease_max: u32,
    /// Give a port with several addresses on an IPv6 subnet all of them (dnsmasq 2.81 and later).
    pub dnsmasq_enable_addr6_list: bool,
    /// A TXT record that every dnsmasq answers.
    pub dnsmasq_txt_record: String,
    /// Where dnsmasq logs, one directory a network; none for the system's log.
    pub dnsmasq_base_log_dir: Option<PathBuf>,
    /// Answer by broadcast.
    pub dhcp_broadcast_reply: bool,
    /// Length of a lease in seconds, −1 for endless.
    pub dhcp_lease_duration: i64,
    /// Seconds until a client renews; 0 leaves it to the client.
    pub dhcp_renewal_time: u32,
    /// Seconds until a client asks any server; 0 leaves it to the client.
    pub dhcp_rebinding_time: u32,
    /// The domain of the instances' names.
    pub dns_domain: String,
    /// Serve metadata on subnets without a router.
    pub enable_isolated_metadata: bool,
    /// Serve metadata on every network.
    pub force_metadata: bool,
    /// Serve metadata on networks within 169.254.0.0/16.
    pub enable_metadata_network: bool,
    /// The socket of the metadata agent.
    pub metadata_proxy_socket: PathBuf,
    /// Between looks at the host, whose state others may have changed, and new tries of what failed.
    pub resync_interval: Duration,
    /// Seconds between reports to the server.
    pub report_interval: u64,
    /// The agent's availability zone.
    pub availability_zone: String,
    /// Whether `dhcp_confs` can be read by any user: dnsmasq gives up root and reads its files again later.
    pub confs_are_public: bool,
}

impl Options {
    /// The defaults of the sample file, for one host and state path.
    pub fn new(host: &str, state_path: &std::path::Path) -> Options {
        Options {
            host: host.to_owned(),
            dhcp_confs: state_path.join("dhcp"),
            dnsmasq_config_file: String::new(),
            dnsmasq_dns_servers: Vec::new(),
            dnsmasq_local_resolv: false,
            dnsmasq_lease_max: 1 << 24,
            dnsmasq_enable_addr6_list: false,
            dnsmasq_txt_record: String::new(),
            dnsmasq_base_log_dir: None,
            dhcp_broadcast_reply: false,
            dhcp_lease_duration: 86400,
            dhcp_renewal_time: 0,
            dhcp_rebinding_time: 0,
            dns_domain: "openstacklocal".to_owned(),
            enable_isolated_metadata: false,
            force_metadata: false,
            enable_metadata_network: false,
            metadata_proxy_socket: state_path.join("metadata_proxy"),
            resync_interval: Duration::from_secs(5),
            report_interval: 30,
            availability_zone: "nova".to_owned(),
            confs_are_public: true,
        }
    }

    /// Whether the namespaces get the metadata addresses at all.
    pub fn serves_metadata(&self) -> bool {
        self.force_metadata || self.enable_isolated_metadata
    }
}

/// The address instances ask for metadata, with the prefix length upstream gives it.
pub fn metadata_addresses() -> [(IpAddr, u8); 2] {
    [(IpAddr::from([169, 254, 169, 254]), 32), (IpAddr::from([0xfe80, 0, 0, 0, 0, 0, 0xa9fe, 0xa9fe]), 128)]
}
