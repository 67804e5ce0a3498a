//! What the Open vSwitch driver reads from its configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};

use oslo::config::{Config, Gravity, Problem};
use ovs::Remote;

use crate::l2::config::{AgentOptions, Firewall, SecurityGroupOptions, openvswitch_firewall};

oslo::options! {
    /// Bridges and tunnels of Open vSwitch.
    pub struct OvsOptions in "ovs" {
        /// The bridge that all ports of the host are on.
        integration_bridge: String = "br-int".into(), was [("DEFAULT", "ovs_integration_bridge")];
        /// The bridge that tunnels to other hosts are on.
        tunnel_bridge: String = "br-tun".into();
        /// Port of the integration bridge that leads to the tunnel bridge.
        int_peer_patch_port: String = "patch-tun".into();
        /// Port of the tunnel bridge that leads to the integration bridge.
        tun_peer_patch_port: String = "patch-int".into();
        /// This host's IPv4 address for tunnels.
        local_ip: Option<IpAddr> = None;
        /// Physical network to the bridge it is reached by, which must exist: physnet1:br-eth1.
        bridge_mappings: BTreeMap<String, String> = BTreeMap::new();
        /// Who switches packets: system (the kernel) or netdev (ovs-vswitchd itself).
        datapath_type: String = "system".into();
        /// Hardware addresses that a bridge may learn.
        bridge_mac_table_size: u32 = 50_000;
        /// Where Open vSwitch's database is: unix:<path> or tcp:<address>:<port>.
        ovsdb_connection: String = "unix:/run/openvswitch/db.sock".into();
        /// Seconds that the database and the switch may take for a change.
        ovsdb_timeout: u64 = 10;
    }
}

oslo::options! {
    /// Tunnels of the Open vSwitch agent.
    pub struct OvsAgentOptions in "agent" {
        /// Tunnels to carry networks in: gre, vxlan, geneve.
        tunnel_types: Vec<String> = Vec::new();
        /// UDP port of VXLAN tunnels.
        vxlan_udp_port: u16 = 4789;
        /// Let the server say which addresses are on which host, instead of learning from packets.
        l2_population: bool = false;
        /// Answer ARP on the host from what the server said. Needs l2_population.
        arp_responder: bool = false;
        /// Forbid fragmentation of tunnel packets.
        dont_fragment: bool = true;
        /// Put checksums into the outer headers of tunnel packets.
        tunnel_csum: bool = false;
        /// What is for one address leaves by the port that has it, not by what the switch learnt.
        explicitly_egress_direct: bool = false;
    }
}

/// How frames are packed between hosts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TunnelType {
    /// GRE
    Gre,
    /// VXLAN
    Vxlan,
    /// Geneve
    Geneve,
}

impl TunnelType {
    /// All of them.
    pub const ALL: [TunnelType; 3] = [TunnelType::Gre, TunnelType::Vxlan, TunnelType::Geneve];

    /// The network type, and the type of the switch's interface.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            TunnelType::Gre => "gre",
            TunnelType::Vxlan => "vxlan",
            TunnelType::Geneve => "geneve",
        }
    }

    /// From a network type.
    #[must_use]
    pub fn of(name: &str) -> Option<TunnelType> {
        TunnelType::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Settings of tunnels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tunnels {
    /// This host's address for them.
    pub local_ip: Ipv4Addr,
    /// Which.
    pub types: BTreeSet<TunnelType>,
    /// UDP port of VXLAN.
    pub vxlan_udp_port: u16,
    /// The server says what is where.
    pub l2_population: bool,
    /// ARP is answered on the host.
    pub arp_responder: bool,
    /// No fragments.
    pub dont_fragment: bool,
    /// Outer checksums.
    pub csum: bool,
    /// `inherit`, or a number: type of service of outer packets.
    pub tos: Option<String>,
}

/// All that the driver is told when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct OvsConfig {
    /// The name the host goes by in Neutron.
    pub host: String,
    /// Bridges and their connection.
    pub ovs: OvsOptions,
    /// Where the database is.
    pub database: Remote,
    /// The folder with the bridges' OpenFlow sockets.
    pub run_dir: PathBuf,
    /// Tunnels, if there are any.
    pub tunnels: Option<Tunnels>,
    /// ARP and neighbour messages are checked where the firewall does not do it.
    pub prevent_arp_spoofing: bool,
    /// Frames to one address are not left to what the switch learns.
    pub egress_direct: bool,
    /// What enforces security groups.
    pub firewall: Firewall,
    /// Ethernet types that filtered ports may use beside IP and ARP.
    pub permitted_ethertypes: Vec<u16>,
    /// Members of groups are kept in sets of the kernel, where iptables filters.
    pub enable_ipset: bool,
    /// iptables' rules are explained.
    pub comment_iptables_rules: bool,
}

/// Where Open vSwitch's sockets are when its database is reached by TCP.
const RUN_DIR: &str = "/run/openvswitch";

impl OvsConfig {
    /// Reads the options of `config`, for the host named `host`.
    ///
    /// # Errors
    /// The first value that cannot be, with its place.
    pub fn load(config: &Config, host: &str) -> Result<OvsConfig, Problem> {
        let (ovs, agent) = (OvsOptions::load(config)?, OvsAgentOptions::load(config)?);
        let common = AgentOptions::load(config)?;
        let wrong = |group: &str, name: &str, text: String| Err(problem(config, group, name, text));
        let database = database(config, &ovs)?;
        if !["system", "netdev"].contains(&ovs.datapath_type.as_str()) {
            let text =
                format!("[ovs] datapath_type = \"{}\" is neither system nor netdev", ovs.datapath_type);
            return wrong("ovs", "datapath_type", text);
        }
        let run_dir = run_dir(&database);
        let tunnels = tunnels(config, &ovs, &agent, &common)?;
        let security = SecurityGroupOptions::load(config)?;
        Ok(OvsConfig {
            host: host.to_owned(),
            ovs,
            database,
            run_dir,
            tunnels,
            prevent_arp_spoofing: common.prevent_arp_spoofing,
            egress_direct: agent.explicitly_egress_direct,
            firewall: openvswitch_firewall(config, &security)?,
            permitted_ethertypes: ethertypes(&security.permitted_ethertypes),
            enable_ipset: security.enable_ipset,
            comment_iptables_rules: common.comment_iptables_rules,
        })
    }
}

/// Ethernet types from their text; what is none permits nothing.
fn ethertypes(texts: &[String]) -> Vec<u16> {
    let parse = |text: &String| {
        let number = text.strip_prefix("0x").and_then(|digits| u16::from_str_radix(digits, 16).ok());
        if number.is_none() {
            tracing::warn!(
                text,
                "[securitygroup] permitted_ethertypes: no hexadecimal number like 0x4008; passed over"
            );
        }
        number
    };
    texts.iter().filter_map(parse).collect()
}

/// Where Open vSwitch's database is.
///
/// # Errors
/// When the option is no address, with its place.
pub fn database(config: &Config, ovs: &OvsOptions) -> Result<Remote, Problem> {
    let wrong = |e| problem(config, "ovs", "ovsdb_connection", format!("[ovs] ovsdb_connection: {e}"));
    ovs.ovsdb_connection.parse().map_err(wrong)
}

/// The folder with the bridges' sockets, beside that of the database.
#[must_use]
pub fn run_dir(database: &Remote) -> PathBuf {
    match database {
        Remote::Unix(path) => path.parent().map_or_else(|| RUN_DIR.into(), Into::into),
        Remote::Tcp(_) => RUN_DIR.into(),
    }
}

/// Where a bridge answers.
#[must_use]
pub fn management(run_dir: &Path, bridge: &str) -> Remote {
    Remote::Unix(run_dir.join(format!("{bridge}.mgmt")))
}

fn tunnels(
    config: &Config,
    ovs: &OvsOptions,
    agent: &OvsAgentOptions,
    common: &AgentOptions,
) -> Result<Option<Tunnels>, Problem> {
    let mut types = BTreeSet::new();
    for name in agent.tunnel_types.iter().filter(|name| !name.is_empty()) {
        let Some(kind) = TunnelType::of(name) else {
            let text = format!("[agent] tunnel_types: \"{name}\" is none of gre, vxlan, geneve");
            return Err(problem(config, "agent", "tunnel_types", text));
        };
        types.insert(kind);
    }
    if types.is_empty() {
        return Ok(None);
    }
    let local_ip = match ovs.local_ip {
        Some(IpAddr::V4(ip)) => ip,
        Some(IpAddr::V6(ip)) => {
            let text =
                format!("[ovs] local_ip = {ip}: tunnels over IPv6 are not supported, use an IPv4 address");
            return Err(problem(config, "ovs", "local_ip", text));
        }
        None => {
            let text = "[agent] tunnel_types needs [ovs] local_ip, an address of this host for tunnels";
            return Err(problem(config, "agent", "tunnel_types", text.into()));
        }
    };
    let tos = common.dscp.map(|dscp| (u16::from(dscp) << 2).to_string());
    Ok(Some(Tunnels {
        local_ip,
        types,
        vxlan_udp_port: agent.vxlan_udp_port,
        l2_population: agent.l2_population,
        arp_responder: agent.arp_responder && agent.l2_population,
        dont_fragment: agent.dont_fragment,
        csum: agent.tunnel_csum,
        tos: if common.dscp_inherit { Some("inherit".into()) } else { tos },
    }))
}

fn problem(config: &Config, group: &str, name: &str, text: String) -> Problem {
    // A place is "file:line".
    let place = config.place(group, name).unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place.as_str(), "0"));
    Problem { gravity: Gravity::Error, file: file.to_owned(), line: line.parse().unwrap_or(0), text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<OvsConfig, String> {
        OvsConfig::load(&Config::parse("agent.ini", text), "h1").map_err(|problem| problem.to_string())
    }

    #[test]
    fn files_of_old() {
        // The Juno guide's network host, as it stands there.
        let guide = "[ovs]\nlocal_ip = 10.0.1.21\nenable_tunneling = True\nbridge_mappings = external:br-ex\n\
            [agent]\ntunnel_types = gre\n";
        let config = load(guide).unwrap();
        assert_eq!(config.ovs.bridge_mappings["external"], "br-ex");
        let tunnels = config.tunnels.unwrap();
        assert_eq!(tunnels.types, BTreeSet::from([TunnelType::Gre]));
        assert_eq!((config.run_dir.to_str(), tunnels.dont_fragment), (Some("/run/openvswitch"), true));
        assert_eq!(load("").unwrap().tunnels, None);
    }

    #[test]
    fn what_cannot_be() {
        for (text, expected) in [
            (
                "[agent]\ntunnel_types = gre",
                "agent.ini:2: [agent] tunnel_types needs [ovs] local_ip, an address of this host for tunnels",
            ),
            (
                "[agent]\ntunnel_types = gre, stt",
                "agent.ini:2: [agent] tunnel_types: \"stt\" is none of gre, vxlan, geneve",
            ),
            (
                "[ovs]\ndatapath_type = kernel",
                "agent.ini:2: [ovs] datapath_type = \"kernel\" is neither system nor netdev",
            ),
            (
                "[ovs]\nlocal_ip = fd00::1\n[agent]\ntunnel_types = vxlan",
                "agent.ini:2: [ovs] local_ip = fd00::1: tunnels over IPv6 are not supported, use an IPv4 address",
            ),
            (
                "[ovs]\novsdb_connection = ssl:10.0.0.1:6640",
                "agent.ini:2: [ovs] ovsdb_connection: \"ssl:10.0.0.1:6640\" is no address: write unix:<path> or tcp:<host>:<port>",
            ),
        ] {
            assert_eq!(load(text).unwrap_err(), expected);
        }
    }
}
