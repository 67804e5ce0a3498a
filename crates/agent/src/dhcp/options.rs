//! What the DHCP agent is configured with: the options of `dhcp_agent.ini` under their own names.

use std::path::{Path, PathBuf};
use std::time::Duration;

use oslo::config::{Config, Problem};

use crate::options::{Interfaces, Shared, refusal};

/// Where instances ask for their metadata.
pub const METADATA_V4: &str = "169.254.169.254";
/// Where instances on IPv6 ask for their metadata.
pub const METADATA_V6: &str = "fe80::a9fe:a9fe";

oslo::options! {
    /// What the DHCP agent reads.
    pub struct DhcpOptions in "DEFAULT" {
        /// The DHCP server: dnsmasq, under this class path or its short name.
        dhcp_driver: String = "neutron.agent.linux.dhcp.Dnsmasq".into();
        /// Where the state of each network is kept.
        dhcp_confs: String = "$state_path/dhcp".into();
        /// A configuration file for every dnsmasq; it overrides what the agent says.
        dnsmasq_config_file: String = String::new();
        /// Name servers that dnsmasq asks.
        dnsmasq_dns_servers: Vec<String> = Vec::new(), was [("DEFAULT", "dnsmasq_dns_server")];
        /// Whether dnsmasq may ask the host's own name servers.
        dnsmasq_local_resolv: bool = false;
        /// Most leases of one dnsmasq.
        dnsmasq_lease_max: u32 = 16777216;
        /// Give a port with several addresses on an IPv6 subnet all of them (dnsmasq 2.81 and later).
        dnsmasq_enable_addr6_list: bool = false;
        /// A TXT record that every dnsmasq answers.
        dnsmasq_txt_record: String = String::new();
        /// Where dnsmasq logs, one folder a network; none for the system's log.
        dnsmasq_base_log_dir: Option<String> = None;
        /// Answer by broadcast.
        dhcp_broadcast_reply: bool = false;
        /// Length of a lease in seconds, -1 for endless.
        dhcp_lease_duration: i64 = 86400, was [("DEFAULT", "dhcp_lease_time")];
        /// The domain of the instances' names.
        dns_domain: String = "openstacklocal".into(), was [("DEFAULT", "dhcp_domain")];
        /// Serve metadata on subnets without a router.
        enable_isolated_metadata: bool = false;
        /// Serve metadata on every network.
        force_metadata: bool = false;
        /// Serve metadata on networks within 169.254.0.0/16 too; needs enable_isolated_metadata.
        enable_metadata_network: bool = false;
    }
}

oslo::options! {
    /// When clients renew.
    pub struct DhcpTimes in "dhcp" {
        /// Seconds until a client renews; 0 leaves it to the client.
        dhcp_renewal_time: u32 = 0;
        /// Seconds until a client asks any server; 0 leaves it to the client.
        dhcp_rebinding_time: u32 = 0;
    }
}

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
    /// Whether the server notes each report in its log.
    pub log_agent_heartbeats: bool,
    /// The DHCP server, as it was configured.
    pub dhcp_driver: String,
    /// How devices are plugged in.
    pub interfaces: Interfaces,
    /// Whether `dhcp_confs` can be read by any user: dnsmasq gives up root and reads its files again later.
    pub confs_are_public: bool,
}

impl Options {
    /// The defaults of the sample file, for one host and state path.
    pub fn new(host: &str, state_path: &Path) -> Options {
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
            log_agent_heartbeats: false,
            dhcp_driver: "neutron.agent.linux.dhcp.Dnsmasq".to_owned(),
            interfaces: Interfaces::linuxbridge(),
            confs_are_public: true,
        }
    }

    /// Reads the options of `config` for the host named `host`.
    ///
    /// # Errors
    /// The first value that cannot be read, or that asks for what is not there.
    pub fn load(config: &Config, host: &str) -> Result<Options, Problem> {
        let (own, times) = (DhcpOptions::load(config)?, DhcpTimes::load(config)?);
        let shared = Shared::load(config)?;
        if !own.dhcp_driver.to_lowercase().ends_with("dnsmasq") {
            let text = format!("dhcp_driver = {} is not supported, use dnsmasq", own.dhcp_driver);
            return Err(refusal(config, "dhcp_driver", text));
        }
        Ok(Options {
            host: host.to_owned(),
            dhcp_confs: own.dhcp_confs.into(),
            dnsmasq_config_file: own.dnsmasq_config_file,
            dnsmasq_dns_servers: own.dnsmasq_dns_servers,
            dnsmasq_local_resolv: own.dnsmasq_local_resolv,
            dnsmasq_lease_max: own.dnsmasq_lease_max,
            dnsmasq_enable_addr6_list: own.dnsmasq_enable_addr6_list,
            dnsmasq_txt_record: own.dnsmasq_txt_record,
            dnsmasq_base_log_dir: own.dnsmasq_base_log_dir.filter(|dir| !dir.is_empty()).map(PathBuf::from),
            dhcp_broadcast_reply: own.dhcp_broadcast_reply,
            dhcp_lease_duration: own.dhcp_lease_duration,
            dhcp_renewal_time: times.dhcp_renewal_time,
            dhcp_rebinding_time: times.dhcp_rebinding_time,
            dns_domain: own.dns_domain,
            enable_isolated_metadata: own.enable_isolated_metadata,
            force_metadata: own.force_metadata,
            enable_metadata_network: own.enable_metadata_network,
            metadata_proxy_socket: shared.metadata_proxy_socket,
            resync_interval: shared.resync_interval,
            report_interval: shared.report_interval,
            availability_zone: shared.availability_zone,
            log_agent_heartbeats: shared.log_agent_heartbeats,
            dhcp_driver: own.dhcp_driver,
            interfaces: shared.interfaces,
            confs_are_public: true,
        })
    }

    /// Whether the namespaces get the metadata addresses at all.
    pub fn serves_metadata(&self) -> bool {
        self.force_metadata || self.enable_isolated_metadata
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
    fn older_names_count_and_other_drivers_are_refused() {
        let text = "[DEFAULT]\nstate_path = /s\ndhcp_domain = example.org\ndhcp_lease_duration = -1\ninterface_driver = neutron.agent.linux.interface.BridgeInterfaceDriver\n[dhcp]\ndhcp_renewal_time = 60\n";
        let options = Options::load(&Config::parse("dhcp_agent.ini", text), "net1").unwrap();
        assert_eq!((options.dns_domain.as_str(), options.dhcp_lease_duration), ("example.org", -1));
        assert_eq!(options.dhcp_renewal_time, 60);
        for (text, words) in [
            ("dhcp_driver = isc", "dhcp_driver"),
            ("interface_driver = ivs", "use linuxbridge or openvswitch"),
        ] {
            let config = Config::parse("dhcp_agent.ini", &format!("[DEFAULT]\nstate_path = /s\n{text}\n"));
            assert!(Options::load(&config, "net1").unwrap_err().to_string().contains(words));
        }
    }
}
