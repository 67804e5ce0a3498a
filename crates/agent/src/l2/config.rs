//! What the L2 agent reads from its configuration.

use std::collections::BTreeMap;
use std::net::IpAddr;

use oslo::config::{Config, Opt, Problem};

use super::openvswitch::OvsConfig;

oslo::options! {
    /// Networks that are attached to devices of the host.
    pub struct LinuxBridgeOptions in "linux_bridge" {
        /// Physical network to the interface it is reached by: physnet1:eth1.
        physical_interface_mappings: BTreeMap<String, String> = BTreeMap::new();
        /// Physical network to a bridge that exists already: physnet1:br-eth1.
        bridge_mappings: BTreeMap<String, String> = BTreeMap::new();
    }
}

oslo::options! {
    /// Tunnels between hosts.
    pub struct VxlanOptions in "vxlan" {
        /// Whether to carry VXLAN networks.
        enable_vxlan: bool = true;
        /// This host's address for tunnels; it must be on an interface of the host.
        local_ip: Option<IpAddr> = None;
        /// Let the server say which addresses are on which host, instead of learning by multicast.
        l2_population: bool = false;
        /// Answer ARP on the host from what the server said. Needs l2_population.
        arp_responder: bool = false;
        /// Multicast group, or network of groups, for hosts without l2_population.
        vxlan_group: Option<String> = Some("224.0.0.1".into());
        /// Groups for ranges of networks: group:first:last, many of them.
        multicast_ranges: Vec<String> = Vec::new();
        /// Time to live of tunnel packets.
        ttl: Option<u8> = None;
        /// Type of service of tunnel packets.
        tos: Option<u8> = None;
        /// First UDP source port; 0 = the kernel's choice.
        udp_srcport_min: u16 = 0;
        /// Last UDP source port.
        udp_srcport_max: u16 = 0;
        /// UDP port that the other ends listen at; 0 = the kernel's default.
        udp_dstport: u16 = 0;
    }
}

oslo::options! {
    /// How the agent works.
    pub struct AgentOptions in "agent" {
        /// Seconds between looks at the host when nothing calls for one.
        polling_interval: u64 = 2;
        /// Seconds between reports to the server.
        report_interval: f64 = 30.0;
        /// Drop ARP of a port for addresses that are not its own.
        prevent_arp_spoofing: bool = true;
        /// Extensions to load: qos.
        extensions: Vec<String> = Vec::new();
        /// Explain iptables rules by comments.
        comment_iptables_rules: bool = true;
        /// Copy the type of service from inner to outer packets.
        dscp_inherit: bool = false;
        /// DSCP of tunnel packets.
        dscp: Option<u8> = None;
    }
}

oslo::options! {
    /// Security groups.
    pub struct SecurityGroupOptions in "securitygroup" {
        /// Whether security groups are enforced.
        enable_security_group: bool = true;
        /// Keep members of groups in sets of the kernel.
        enable_ipset: bool = true;
        /// What enforces them: iptables (Linux bridge agent), iptables_hybrid or openvswitch (Open vSwitch agent),
        /// noop, or an older class path of these.
        firewall_driver: Option<String> = None;
        /// Ethernet types beside IP and ARP that ports may use, in hexadecimal: 0x4008. The firewall openvswitch
        /// only.
        permitted_ethertypes: Vec<String> = Vec::new();
    }
}

oslo::options! {
    /// Options of every service that this agent reads.
    pub struct ServiceOptions in "DEFAULT" {
        /// Devices to ask the server for in one call.
        rpc_resources_processing_step: usize = 20;
    }
}

/// What enforces security groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Firewall {
    /// iptables on the networks' bridges.
    Iptables,
    /// iptables on a bridge of each port, which is between the instance and Open vSwitch.
    IptablesHybrid,
    /// Flows of Open vSwitch, with its connection tracking.
    OpenVswitch,
    /// Nothing.
    Noop,
}

/// Every name a firewall driver has had.
const FIREWALL_DRIVERS: &[(&str, Firewall)] = &[
    ("iptables", Firewall::Iptables),
    ("neutron.agent.linux.iptables_firewall.IptablesFirewallDriver", Firewall::Iptables),
    ("neutron.agent.linux.iptables_firewall:IptablesFirewallDriver", Firewall::Iptables),
    ("iptables_hybrid", Firewall::IptablesHybrid),
    ("neutron.agent.linux.iptables_firewall.OVSHybridIptablesFirewallDriver", Firewall::IptablesHybrid),
    ("neutron.agent.linux.iptables_firewall:OVSHybridIptablesFirewallDriver", Firewall::IptablesHybrid),
    ("openvswitch", Firewall::OpenVswitch),
    ("neutron.agent.linux.openvswitch_firewall.OVSFirewallDriver", Firewall::OpenVswitch),
    ("neutron.agent.linux.openvswitch_firewall:OVSFirewallDriver", Firewall::OpenVswitch),
    ("neutron.agent.linux.openvswitch_firewall.firewall.OVSFirewallDriver", Firewall::OpenVswitch),
    ("noop", Firewall::Noop),
    ("neutron.agent.firewall.NoopFirewallDriver", Firewall::Noop),
    ("neutron.agent.firewall:NoopFirewallDriver", Firewall::Noop),
];

/// Settings of VXLAN.
#[derive(Debug, Clone, PartialEq)]
pub struct Vxlan {
    /// This host's address for tunnels.
    pub local_ip: IpAddr,
    /// All other options.
    pub options: VxlanOptions,
}

/// All that the L2 agent is told when it starts.
#[derive(Debug, Clone, PartialEq)]
pub struct L2Config {
    /// The name the host goes by in Neutron.
    pub host: String,
    /// Physical network to interface.
    pub interface_mappings: BTreeMap<String, String>,
    /// Physical network to existing bridge.
    pub bridge_mappings: BTreeMap<String, String>,
    /// Tunnels, if enabled.
    pub vxlan: Option<Vxlan>,
    /// How the agent works.
    pub agent: AgentOptions,
    /// What enforces security groups.
    pub firewall: Firewall,
    /// Keep members of groups in sets of the kernel.
    pub enable_ipset: bool,
    /// Devices to ask the server for in one call.
    pub devices_per_call: usize,
    /// Bridges and tunnels of Open vSwitch; none: Linux bridges.
    pub ovs: Option<OvsConfig>,
}

impl L2Config {
    /// Reads the options of `config`, for the host named `host`.
    ///
    /// # Errors
    /// The first value that cannot be, with its place: a firewall driver nobody knows, tunnels
    /// without an address for them.
    pub fn load(config: &Config, host: &str) -> Result<Self, Problem> {
        let (bridges, vxlan) = (LinuxBridgeOptions::load(config)?, VxlanOptions::load(config)?);
        let security = SecurityGroupOptions::load(config)?;
        let firewall = match firewall(config, &security)? {
            Firewall::OpenVswitch => {
                let text = "[securitygroup] firewall_driver: the Linux bridge agent has no firewall openvswitch; \
                            use iptables";
                return Err(problem(config, "securitygroup", "firewall_driver", text.into()));
            }
            // Its ports are on bridges already.
            Firewall::IptablesHybrid => Firewall::Iptables,
            other => other,
        };
        let vxlan = match (vxlan.enable_vxlan, vxlan.local_ip) {
            (false, _) => None,
            (true, Some(local_ip)) => Some(Vxlan { local_ip, options: vxlan }),
            (true, None) => {
                let text = "[vxlan] enable_vxlan needs local_ip, an address of this host for tunnels";
                return Err(problem(config, "vxlan", "enable_vxlan", text.into()));
            }
        };
        if let Some(vxlan) = &vxlan {
            check_groups(config, vxlan)?;
        }
        let step = ServiceOptions::load(config)?.rpc_resources_processing_step;
        Ok(L2Config {
            host: host.to_owned(),
            interface_mappings: bridges.physical_interface_mappings,
            bridge_mappings: bridges.bridge_mappings,
            vxlan,
            agent: AgentOptions::load(config)?,
            firewall,
            enable_ipset: security.enable_ipset,
            devices_per_call: step.max(1),
            ovs: None,
        })
    }

    /// Reads the options of the Open vSwitch agent.
    ///
    /// # Errors
    /// The first value that cannot be, with its place. A firewall that this agent does not have is refused:
    /// instances would be unprotected.
    pub fn load_openvswitch(config: &Config, host: &str) -> Result<Self, Problem> {
        let ovs = OvsConfig::load(config, host)?;
        Ok(L2Config {
            host: host.to_owned(),
            interface_mappings: BTreeMap::new(),
            bridge_mappings: BTreeMap::new(),
            vxlan: None,
            agent: AgentOptions::load(config)?,
            firewall: ovs.firewall,
            enable_ipset: ovs.enable_ipset,
            devices_per_call: ServiceOptions::load(config)?.rpc_resources_processing_step.max(1),
            ovs: Some(ovs),
        })
    }

    /// The options as they are declared, for samples and for the review of files.
    #[must_use]
    pub fn declared() -> Vec<Opt> {
        [
            LinuxBridgeOptions::declared(),
            VxlanOptions::declared(),
            AgentOptions::declared(),
            SecurityGroupOptions::declared(),
            ServiceOptions::declared(),
        ]
        .concat()
    }
}

impl Vxlan {
    /// The multicast group of a network: that of its range, else one of `vxlan_group`.
    #[must_use]
    pub fn group(&self, vni: u32) -> Option<IpAddr> {
        let ranged = self.options.multicast_ranges.iter().find_map(|range| {
            let (group, first, last) = parse_range(range)?;
            (first..=last).contains(&vni).then_some(group)
        });
        ranged.or_else(|| {
            let net = parse_group(self.options.vxlan_group.as_deref()?)?;
            match net {
                ipnet::IpNet::V4(net) => {
                    let host = vni & u32::from(net.hostmask());
                    Some(IpAddr::V4((u32::from(net.network()) | host).into()))
                }
                ipnet::IpNet::V6(net) => {
                    let host = u128::from(vni) & u128::from(net.hostmask());
                    Some(IpAddr::V6((u128::from(net.network()) | host).into()))
                }
            }
        })
    }
}

fn parse_group(text: &str) -> Option<ipnet::IpNet> {
    text.parse().or_else(|_| text.parse::<IpAddr>().map(ipnet::IpNet::from)).ok()
}

fn parse_range(text: &str) -> Option<(IpAddr, u32, u32)> {
    // From the right: an IPv6 group has colons of its own.
    let mut parts = text.rsplitn(3, ':');
    let (last, first, group) = (parts.next()?, parts.next()?, parts.next()?);
    Some((group.parse().ok()?, first.parse().ok()?, last.parse().ok()?))
}

fn check_groups(config: &Config, vxlan: &Vxlan) -> Result<(), Problem> {
    let v4 = vxlan.local_ip.is_ipv4();
    let fits = |group: IpAddr| group.is_multicast() && group.is_ipv4() == v4;
    for range in &vxlan.options.multicast_ranges {
        if !parse_range(range).is_some_and(|(group, first, last)| fits(group) && first <= last) {
            let text = format!("\"{range}\" is no <multicast group>:<first>:<last> of local_ip's family");
            return Err(problem(config, "vxlan", "multicast_ranges", text));
        }
    }
    let Some(group) = vxlan.options.vxlan_group.as_deref().filter(|g| !g.is_empty()) else { return Ok(()) };
    if vxlan.options.l2_population && !config.is_set("vxlan", "vxlan_group") {
        return Ok(());
    }
    if parse_group(group).is_some_and(|net| fits(net.addr())) {
        return Ok(());
    }
    let text = format!("\"{group}\" is no multicast group or network of groups of local_ip's family");
    Err(problem(config, "vxlan", "vxlan_group", text))
}

/// What is wrong with the name of what enforces security groups, if anything is.
pub fn firewall_problem(config: &Config) -> Option<Problem> {
    SecurityGroupOptions::load(config).and_then(|options| firewall(config, &options)).err()
}

/// What enforces security groups on ports of Open vSwitch.
///
/// # Errors
/// When nobody knows it, or it could not see the packets of these ports.
pub(super) fn openvswitch_firewall(
    config: &Config,
    options: &SecurityGroupOptions,
) -> Result<Firewall, Problem> {
    match firewall(config, options)? {
        Firewall::Iptables => {
            let text = "[securitygroup] firewall_driver: iptables does not see packets between ports of Open vSwitch; \
                        use openvswitch or iptables_hybrid";
            Err(problem(config, "securitygroup", "firewall_driver", text.into()))
        }
        other => Ok(other),
    }
}

/// What enforces security groups. A name nobody knows must not leave instances unprotected.
fn firewall(config: &Config, options: &SecurityGroupOptions) -> Result<Firewall, Problem> {
    if !options.enable_security_group {
        return Ok(Firewall::Noop);
    }
    let Some(name) = options.firewall_driver.as_deref().filter(|name| !name.is_empty()) else {
        return Ok(Firewall::Noop);
    };
    if let Some((_, firewall)) = FIREWALL_DRIVERS.iter().find(|(known, _)| *known == name) {
        return Ok(*firewall);
    }
    let near = FIREWALL_DRIVERS.iter().find(|(known, _)| known.starts_with(name) || name.starts_with(known));
    let hint = near.map_or_else(
        || format!("known are {}", FIREWALL_DRIVERS.iter().map(|(n, _)| *n).collect::<Vec<_>>().join(", ")),
        |(known, _)| format!("did you mean \"{known}\"?"),
    );
    let text = format!("[securitygroup] firewall_driver = \"{name}\" is not known; {hint}");
    Err(problem(config, "securitygroup", "firewall_driver", text))
}

fn problem(config: &Config, group: &str, name: &str, text: String) -> Problem {
    // A place is "file:line".
    let place = config.place(group, name).unwrap_or_default();
    let (file, line) = place.rsplit_once(':').unwrap_or((place.as_str(), "0"));
    Problem {
        gravity: oslo::config::Gravity::Error,
        file: file.to_owned(),
        line: line.parse().unwrap_or(0),
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str) -> Result<L2Config, Problem> {
        L2Config::load(&Config::parse("agent.ini", text), "h1")
    }

    /// The second half of the Liberty guide, as it stands there.
    const GUIDE: &str = "[linux_bridge]\nphysical_interface_mappings = public:eno1\n[vxlan]\nenable_vxlan = True\n\
        local_ip = 192.168.81.65\nl2_population = True\n[agent]\nprevent_arp_spoofing = True\n[securitygroup]\n\
        enable_security_group = True\n\
        firewall_driver = neutron.agent.linux.iptables_firewall.IptablesFirewallDriver\n";

    #[test]
    fn files_of_old() {
        let config = load(GUIDE).unwrap();
        assert_eq!(config.firewall, Firewall::Iptables);
        assert_eq!(config.interface_mappings["public"], "eno1");
        let vxlan = config.vxlan.unwrap();
        assert!(vxlan.options.l2_population && vxlan.local_ip.to_string() == "192.168.81.65");
    }

    #[test]
    fn what_enforces_security_groups() {
        let firewall = |section: &str| {
            let text = format!("[vxlan]\nenable_vxlan = false\n[securitygroup]\n{section}\n");
            load(&text).map(|config| config.firewall).map_err(|problem| problem.to_string())
        };
        assert_eq!(firewall("firewall_driver = iptables"), Ok(Firewall::Iptables));
        assert_eq!(firewall("firewall_driver = noop"), Ok(Firewall::Noop));
        assert_eq!(firewall(""), Ok(Firewall::Noop));
        assert_eq!(firewall("firewall_driver = iptables\nenable_security_group = false"), Ok(Firewall::Noop));
        // One letter short, as in the guide: it must not leave instances unprotected.
        let short = "neutron.agent.linux.iptables_firewall.IptablesFirewallDrive";
        assert_eq!(
            firewall(&format!("firewall_driver = {short}")),
            Err(format!(
                "agent.ini:4: [securitygroup] firewall_driver = \"{short}\" is not known; did you mean \"{short}r\"?"
            ))
        );
        assert!(firewall("firewall_driver = ebtables").unwrap_err().contains("known are iptables, "));
        assert!(firewall("firewall_driver = openvswitch").unwrap_err().contains("use iptables"));
    }

    #[test]
    fn what_enforces_security_groups_on_open_vswitch() {
        let firewall = |name: &str| {
            let config = Config::parse("agent.ini", &format!("[securitygroup]\nfirewall_driver = {name}\n"));
            L2Config::load_openvswitch(&config, "h1")
                .map(|c| c.firewall)
                .map_err(|problem| problem.to_string())
        };
        // As the Juno guide has it.
        let hybrid = "neutron.agent.linux.iptables_firewall.OVSHybridIptablesFirewallDriver";
        assert_eq!(firewall(hybrid), Ok(Firewall::IptablesHybrid));
        assert_eq!(firewall("openvswitch"), Ok(Firewall::OpenVswitch));
        let flows = "neutron.agent.linux.openvswitch_firewall.firewall.OVSFirewallDriver";
        assert_eq!(firewall(flows), Ok(Firewall::OpenVswitch));
        assert_eq!(firewall("noop"), Ok(Firewall::Noop));
        assert!(firewall("iptables").unwrap_err().contains("use openvswitch or iptables_hybrid"));
        assert!(firewall("openvswitch_").unwrap_err().contains("did you mean \"openvswitch\"?"));
    }

    #[test]
    fn tunnels_need_an_address_and_groups_that_are_groups() {
        for (text, expected) in [
            (
                "enable_vxlan = true",
                "agent.ini:2: [vxlan] enable_vxlan needs local_ip, an address of this host for tunnels",
            ),
            (
                "local_ip = 10.0.0.1\nvxlan_group = 10.0.0.0/8",
                "agent.ini:3: \"10.0.0.0/8\" is no multicast group or network of groups of local_ip's family",
            ),
            (
                "local_ip = 10.0.0.1\nmulticast_ranges = 239.1.1.1:9:3",
                "agent.ini:3: \"239.1.1.1:9:3\" is no <multicast group>:<first>:<last> of local_ip's family",
            ),
        ] {
            assert_eq!(load(&format!("[vxlan]\n{text}\n")).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn groups_of_networks() {
        let text = "[vxlan]\nlocal_ip = 10.0.0.1\nvxlan_group = 239.1.0.0/16\nmulticast_ranges = 239.9.9.9:100:200\n";
        let vxlan = load(text).unwrap().vxlan.unwrap();
        for (vni, group) in [(5, "239.1.0.5"), (65541, "239.1.0.5"), (150, "239.9.9.9")] {
            assert_eq!(vxlan.group(vni).unwrap().to_string(), group);
        }
        let v6 = load("[vxlan]\nlocal_ip = fd00::1\nvxlan_group = ff05::/120\n").unwrap().vxlan.unwrap();
        assert_eq!(v6.group(258).unwrap().to_string(), "ff05::2");
    }
}
