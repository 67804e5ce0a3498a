//! What the L3 agent is configured with: the options of `l3_agent.ini` under their own names.

use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use oslo::config::{Config, Problem};

use crate::options::{Interfaces, Shared, refusal};

oslo::options! {
    /// What the L3 agent reads.
    pub struct L3Options in "DEFAULT" {
        /// How routers are served: legacy, in one namespace on one host.
        agent_mode: String = "legacy".into();
        /// Whether routers redirect metadata requests to a proxy.
        enable_metadata_proxy: bool = true;
        /// The proxy's port in the routers' namespaces.
        metadata_port: u16 = 9697;
        /// The mark of metadata requests, as iptables writes it.
        metadata_access_mark: String = "0x1".into();
        /// The mark of packets from the external network, as iptables writes it.
        external_ingress_mark: String = "0x2".into();
        /// Whether routers without a gateway are served.
        handle_internal_only_routers: bool = true;
        /// The only external network this agent serves; empty for all, or with external_network_bridge for the only one
        /// there is.
        gateway_external_network_id: String = String::new();
        /// The bridge of Open vSwitch for gateway ports; empty: they are plugged in like all others, and the network's
        /// physical_network says where it leads.
        external_network_bridge: String = String::new();
        /// The link-local address of the provider's router, when external subnets have no IPv6 gateway.
        ipv6_gateway: String = String::new();
        /// Where radvd's files are.
        ra_confs: String = "$state_path/ra".into();
        /// Where pid files of routers' daemons are.
        external_pids: String = "$state_path/external/pids".into();
        /// Longest time between router advertisements, in seconds.
        max_rtr_adv_interval: u32 = 100;
        /// Shortest time between router advertisements, in seconds.
        min_rtr_adv_interval: u32 = 30;
        /// The user radvd runs as; root or empty for the agent's own.
        radvd_user: String = String::new();
    }
}

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
    /// Whether the server notes each report in its log.
    pub log_agent_heartbeats: bool,
    /// How devices are plugged in.
    pub interfaces: Interfaces,
    /// The bridge of Open vSwitch that gateway ports are plugged into, whatever their network's; none: as all others.
    pub external_bridge: Option<String>,
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
            log_agent_heartbeats: false,
            interfaces: Interfaces::linuxbridge(),
            external_bridge: None,
        }
    }

    /// Reads the options of `config` for the host named `host`.
    ///
    /// # Errors
    /// The first value that cannot be read, or that asks for what is not there.
    pub fn load(config: &Config, host: &str) -> Result<Options, Problem> {
        let (own, shared) = (L3Options::load(config)?, Shared::load(config)?);
        if own.agent_mode != "legacy" {
            let text = format!("agent_mode = {} is not supported, use legacy", own.agent_mode);
            return Err(refusal(config, "agent_mode", text));
        }
        let bridge = own.external_network_bridge;
        if !bridge.is_empty() && shared.interfaces.switch.is_none() {
            let text = "is for openvswitch only, leave it empty and map the external network to an interface";
            let text = format!("external_network_bridge = {bridge} {text}");
            return Err(refusal(config, "external_network_bridge", text));
        }
        let ipv6_gateway = match own.ipv6_gateway.as_str() {
            "" => None,
            text => {
                let odd = format!("ipv6_gateway = {text} is not an IPv6 address");
                Some(text.parse::<Ipv6Addr>().map_err(|_| refusal(config, "ipv6_gateway", odd))?)
            }
        };
        let network = own.gateway_external_network_id;
        Ok(Options {
            host: host.to_owned(),
            enable_metadata_proxy: own.enable_metadata_proxy,
            metadata_port: own.metadata_port,
            metadata_access_mark: own.metadata_access_mark,
            external_ingress_mark: own.external_ingress_mark,
            handle_internal_only_routers: own.handle_internal_only_routers,
            gateway_external_network_id: (!network.is_empty()).then_some(network),
            ipv6_gateway,
            ra_confs: own.ra_confs.into(),
            external_pids: own.external_pids.into(),
            max_rtr_adv_interval: own.max_rtr_adv_interval,
            min_rtr_adv_interval: own.min_rtr_adv_interval,
            radvd_user: own.radvd_user,
            use_random_fully: shared.use_random_fully,
            comment_iptables_rules: shared.comment_iptables_rules,
            metadata_proxy_socket: shared.metadata_proxy_socket,
            resync_interval: shared.resync_interval,
            report_interval: shared.report_interval,
            availability_zone: shared.availability_zone,
            log_agent_heartbeats: shared.log_agent_heartbeats,
            interfaces: shared.interfaces,
            external_bridge: (!bridge.is_empty()).then_some(bridge),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netns::Plug;

    #[test]
    fn the_defaults_of_both_ways_are_the_same() {
        let config = Config::parse("neutron.conf", "[DEFAULT]\nstate_path = /s\n");
        assert_eq!(Options::load(&config, "net1").unwrap(), Options::new("net1", Path::new("/s")));
    }

    #[test]
    fn gateways_have_a_bridge_of_their_own_in_old_files() {
        let driver = "interface_driver = neutron.agent.linux.interface.OVSInterfaceDriver";
        let text = format!(
            "[DEFAULT]\nstate_path = /s\n{driver}\nexternal_network_bridge = br-ex\novs_integration_bridge = br0\n"
        );
        let options = Options::load(&Config::parse("l3_agent.ini", &text), "net1").unwrap();
        assert_eq!(options.external_bridge.as_deref(), Some("br-ex"));
        let (inner, outer) = (options.interfaces.plug(None), options.interfaces.plug(Some("br-ex")));
        assert_eq!((inner, outer), (Plug::Internal("br0".to_owned()), Plug::Internal("br-ex".to_owned())));
    }

    #[test]
    fn what_is_not_there_is_refused() {
        for text in
            ["agent_mode = dvr", "external_network_bridge = br-ex", "ipv6_gateway = x", "metadata_port = x"]
        {
            let config = Config::parse("l3_agent.ini", &format!("[DEFAULT]\nstate_path = /s\n{text}\n"));
            assert!(Options::load(&config, "net1").is_err(), "{text}");
        }
    }
}
