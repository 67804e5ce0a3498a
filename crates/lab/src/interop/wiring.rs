//! What the hosts are wired by: Linux bridges, as in the guide, or Open vSwitch.

use crate::cloud::CONTROLLER;
use crate::host::Host;
use crate::instance::Plug;
use crate::report::words;
use crate::site::{COMPUTE_ADDRESS, CONTROLLER_ADDRESS, Site};
use crate::vswitch;

/// What the guide says of its wires, and what stands for it on hosts with Open vSwitch.
const OTHER_WORDS: &[(&str, &str)] = &[
    ("neutron-linuxbridge-agent", "neutron-openvswitch-agent"),
    ("Linux bridge agent", "Open vSwitch agent"),
];
/// The card of the guide's machines.
const CARD: &str = crate::shape::LIBERTY.card;
/// Where our Open vSwitch agent finds its options.
const SWITCH_FILE: &str = "/etc/neutron/plugins/ml2/openvswitch_agent.ini";

/// A way to wire hosts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wiring {
    /// The guide's.
    LinuxBridge,
    /// ovs-vswitchd switches packets itself, as this kernel may not be able to. Tunnels end on a bridge of their own with
    /// a card, as such a switch wants them, and the physical network is reached by a further card.
    OpenVswitch,
}

impl Wiring {
    /// The name of its mechanism driver.
    pub(crate) fn mechanism(self) -> &'static str {
        match self {
            Wiring::LinuxBridge => "linuxbridge",
            Wiring::OpenVswitch => "openvswitch",
        }
    }

    /// Words for the guide's.
    pub(crate) fn words(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Wiring::LinuxBridge => &[],
            Wiring::OpenVswitch => OTHER_WORDS,
        }
    }

    /// The options of a host's agent, ours or Python's.
    pub(crate) fn options(self, host: &Host) -> String {
        let controller = host.name() == CONTROLLER;
        match self {
            Wiring::LinuxBridge => format!(
                "[linux_bridge]\nphysical_interface_mappings = public:{CARD}\n\
                 [vxlan]\nenable_vxlan = true\nlocal_ip = {}\nl2_population = true\n\
                 [securitygroup]\nfirewall_driver = iptables\n",
                if controller { CONTROLLER_ADDRESS } else { COMPUTE_ADDRESS }
            ),
            Wiring::OpenVswitch => format!(
                "[agent]\ntunnel_types = vxlan\nl2_population = true\narp_responder = true\n\
                 [ovs]\nlocal_ip = {}\nbridge_mappings = {}\ndatapath_type = netdev\n\
                 ovsdb_connection = unix:/run/openvswitch/db.sock\n\
                 [securitygroup]\nfirewall_driver = openvswitch\n",
                tunnel_address(host),
                if controller { "public:br-ex" } else { "" }
            ),
        }
    }

    /// Makes what the agents take for granted on both hosts, and writes what ours read.
    ///
    /// # Errors
    /// A card, a daemon or a bridge cannot be made.
    pub(crate) fn prepare(self, site: &Site) -> Result<(), String> {
        if self == Wiring::LinuxBridge {
            return Ok(());
        }
        for host in [&*site.controller, &*site.compute] {
            site.underlay.plug("tunnels", host, "eth1", None).map_err(words)?;
            self.switch(host)?;
            host.write(SWITCH_FILE, &self.options(host)).map_err(words)?;
        }
        site.underlay.plug("physical", &site.controller, "eth2", None).map_err(words)?;
        let files =
            "/etc/neutron/l3_agent.ini /etc/neutron/dhcp_agent.ini /etc/neutron/plugins/ml2/ml2_conf.ini";
        let line = format!(
            "ovs-vsctl add-br br-ex -- set bridge br-ex datapath_type=netdev -- add-port br-ex eth2; \
             sed -i 's/^interface_driver.*/interface_driver = openvswitch/; \
             s/^mechanism_drivers.*/mechanism_drivers = openvswitch,l2population/' {files}"
        );
        site.controller.sh(&line).map(|_| ()).map_err(words)
    }

    /// Starts a host's switch, anew if it runs; nothing on Linux bridges.
    ///
    /// # Errors
    /// It does not answer.
    pub(crate) fn switch(self, host: &Host) -> Result<(), String> {
        if self == Wiring::LinuxBridge {
            return Ok(());
        }
        vswitch::restart(host)?;
        self.tunnels(host)
    }

    /// Gives a host's switch the address that tunnels leave from, as the host's network scripts do.
    ///
    /// # Errors
    /// The switch refuses.
    pub(crate) fn tunnels(self, host: &Host) -> Result<(), String> {
        vswitch::tunnels(host, "eth1", tunnel_address(host))
    }

    /// Puts an instance's tap onto the network's bridge, as Nova does: the agents of Python leave the taps of
    /// instances to it. Onto a switch it was put already.
    ///
    /// # Errors
    /// The host refuses.
    pub(crate) fn plug_in(self, host: &Host, network: &str, plug: &Plug) -> Result<(), String> {
        if self == Wiring::OpenVswitch {
            return Ok(());
        }
        let (tap, bridge) = (plug.tap(), format!("brq{}", network.chars().take(11).collect::<String>()));
        let line = format!(
            "test -e /sys/class/net/{bridge} || ip link add {bridge} type bridge; \
             ip link set {bridge} up; ip link set {tap} master {bridge}"
        );
        host.sh(&line).map(|_| ()).map_err(words)
    }
}

/// Where a host's tunnels end.
fn tunnel_address(host: &Host) -> &'static str {
    if host.name() == CONTROLLER { "10.20.0.66" } else { "10.20.0.65" }
}
