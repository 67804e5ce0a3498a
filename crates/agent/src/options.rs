//! Options that the agents with namespaces share.

use std::path::PathBuf;
use std::time::Duration;

use oslo::config::{Config, Gravity, Problem};

use crate::l2::openvswitch::config::{OvsOptions, database, run_dir};
use crate::netns::Plug;
use crate::netns::switch::SwitchOptions;

oslo::options! {
    /// What the agents with namespaces read.
    pub struct NamespaceOptions in "DEFAULT" {
        /// The folder where services keep their state.
        state_path: String = "/var/lib/neutron".into();
        /// How devices of routers and DHCP servers are plugged in: linuxbridge, openvswitch, or the older class paths
        /// neutron.agent.linux.interface.BridgeInterfaceDriver and neutron.agent.linux.interface.OVSInterfaceDriver.
        interface_driver: String = "linuxbridge".into();
        /// With openvswitch: plug in one end of a pair instead of an internal port.
        ovs_use_veth: bool = false;
        /// The socket of the metadata agent.
        metadata_proxy_socket: String = "$state_path/metadata_proxy".into();
        /// Seconds between looks at the host's namespaces, and until what failed is tried again.
        resync_interval: u64 = 5;
    }
}

oslo::options! {
    /// How the agents with namespaces work.
    pub struct NamespaceAgentOptions in "agent" {
        /// Seconds between reports to the server.
        report_interval: f64 = 30.0;
        /// The agent's availability zone.
        availability_zone: String = "nova".into();
        /// Whether the server notes each report in its log.
        log_agent_heartbeats: bool = false;
        /// Explain iptables rules by comments.
        comment_iptables_rules: bool = true;
        /// Draw source ports of translated connections at random.
        use_random_fully: bool = true;
    }
}

/// How devices are plugged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interfaces {
    /// As it was configured.
    pub driver: String,
    /// Where Open vSwitch is; none: the Linux bridge agent finds pairs by their names.
    pub switch: Option<SwitchOptions>,
}

impl Interfaces {
    /// For the Linux bridge agent.
    pub fn linuxbridge() -> Interfaces {
        Interfaces { driver: "linuxbridge".to_owned(), switch: None }
    }

    fn load(config: &Config, options: &NamespaceOptions) -> Result<Interfaces, Problem> {
        let driver = options.interface_driver.clone();
        let name = driver.to_lowercase();
        if name == "openvswitch" || name.ends_with("ovsinterfacedriver") {
            let ovs = OvsOptions::load(config)?;
            let database = database(config, &ovs)?;
            let switch = SwitchOptions {
                run_dir: run_dir(&database),
                database,
                patience: Duration::from_secs(ovs.ovsdb_timeout.max(1)),
                integration_bridge: ovs.integration_bridge,
                use_veth: options.ovs_use_veth,
            };
            return Ok(Interfaces { driver, switch: Some(switch) });
        }
        if name.is_empty() || name == "linuxbridge" || name.ends_with("bridgeinterfacedriver") {
            return Ok(Interfaces { driver, switch: None });
        }
        let text = format!("interface_driver = {driver} is not supported, use linuxbridge or openvswitch");
        Err(refusal(config, "interface_driver", text))
    }

    /// How a device is plugged: into `bridge`, or into the integration bridge.
    pub fn plug(&self, bridge: Option<&str>) -> Plug {
        let Some(switch) = &self.switch else { return Plug::Tap };
        let bridge = bridge.unwrap_or(&switch.integration_bridge).to_owned();
        if switch.use_veth { Plug::SwitchedTap(bridge) } else { Plug::Internal(bridge) }
    }

    /// What names of a DHCP server's device begin with: the switch makes internal ports under the tap's name.
    pub fn dhcp_prefix(&self) -> &'static str {
        match &self.switch {
            Some(switch) if !switch.use_veth => "tap",
            _ => "ns-",
        }
    }
}

/// The shared options as the agents use them.
#[derive(Debug, Clone, PartialEq)]
pub struct Shared {
    /// The socket of the metadata agent.
    pub metadata_proxy_socket: PathBuf,
    /// Between looks at the host.
    pub resync_interval: Duration,
    /// Seconds between reports.
    pub report_interval: u64,
    /// The agent's availability zone.
    pub availability_zone: String,
    /// Whether the server notes each report in its log.
    pub log_agent_heartbeats: bool,
    /// How devices are plugged in.
    pub interfaces: Interfaces,
    /// Explain iptables rules by comments.
    pub comment_iptables_rules: bool,
    /// Draw source ports at random.
    pub use_random_fully: bool,
}

impl Shared {
    /// Reads them.
    ///
    /// # Errors
    /// The first value that cannot be read, or that asks for what is not there.
    pub fn load(config: &Config) -> Result<Shared, Problem> {
        let (options, agent) = (NamespaceOptions::load(config)?, NamespaceAgentOptions::load(config)?);
        let interfaces = Interfaces::load(config, &options)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "whole seconds, at least one"
        )]
        let report_interval = agent.report_interval.clamp(1.0, 86400.0) as u64;
        Ok(Shared {
            metadata_proxy_socket: options.metadata_proxy_socket.into(),
            resync_interval: Duration::from_secs(options.resync_interval.max(1)),
            report_interval,
            availability_zone: agent.availability_zone,
            log_agent_heartbeats: agent.log_agent_heartbeats,
            interfaces,
            comment_iptables_rules: agent.comment_iptables_rules,
            use_random_fully: agent.use_random_fully,
        })
    }
}

/// An option of `[DEFAULT]` whose value can be read but asks for what is not there, with its place.
pub fn refusal(config: &Config, name: &str, text: String) -> Problem {
    // A place is "file:line".
    let place = config.place("DEFAULT", name).unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place.as_str(), "0"));
    Problem { gravity: Gravity::Error, file: file.to_owned(), line: line.parse().unwrap_or(0), text }
}
