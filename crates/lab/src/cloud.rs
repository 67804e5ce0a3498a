//! One cloud on one machine: a simulated host with `neutron standalone`, a physical network, and a host outside.
//!
//! Wires: `provider` is the physical network of the guides (192.168.81.0/24, the gateway .254 is the outside host),
//! `tunnel` the network between hosts that VXLAN would use.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::{Host, Life};
use crate::report::{within, words};
use crate::underlay::Underlay;
use crate::users::Users;

/// The host that runs Neutron.
pub const CONTROLLER: &str = "controller";
/// The outside host's address on the physical network, which is the public subnet's gateway.
pub const GATEWAY: &str = "192.168.81.254";
/// An address beyond the gateway: the rest of the world.
pub const INTERNET: &str = "198.51.100.1";
/// The secret between the metadata agent and Nova.
pub const METADATA_SECRET: &str = "METADATA_SECRET";
/// Where the stand-in for Nova's metadata API listens on the controller.
pub const METADATA_PORT: u16 = 8775;
/// Where the process number of the standalone is kept on the controller.
const PID_FILE: &str = "/run/neutron-standalone.pid";
/// The standalone's log on the controller.
pub const LOG_FILE: &str = "/var/log/neutron/standalone.log";
/// How long Neutron may take from its start to its first answer.
const START_MAX: Duration = Duration::from_secs(60);

/// The programs a cloud is made of.
#[derive(Clone, Debug)]
pub struct Programs {
    /// This program.
    pub lab: PathBuf,
    /// The program under demonstration.
    pub neutron: PathBuf,
}

impl Programs {
    /// This program and its neighbour.
    ///
    /// # Errors
    /// The path of this program is unknown.
    pub fn beside_this_one() -> io::Result<Self> {
        let lab = std::env::current_exe()?;
        Ok(Self { neutron: lab.with_file_name("neutron"), lab })
    }
}

/// The cloud.
pub struct Cloud {
    /// Its programs.
    pub programs: Programs,
    /// The wires.
    pub underlay: Underlay,
    /// The host that runs Neutron and the instances' taps.
    pub controller: Host,
    /// The host on the physical network that knows nothing of Neutron.
    pub outside: Host,
    /// Whether the cloud outlives this process.
    pub life: Life,
}

impl Cloud {
    /// Starts hosts and wires; Neutron comes with [`Cloud::start_neutron`].
    ///
    /// # Errors
    /// A host or a device cannot be made.
    pub fn start(programs: Programs, life: Life) -> io::Result<Self> {
        let host = |name: &str| Host::start(&programs.lab, name, life);
        let underlay = Underlay::start(&programs.lab, life)?;
        underlay.wire("provider")?;
        underlay.wire("tunnel")?;
        let (controller, outside) = (host(CONTROLLER)?, host("outside")?);
        underlay.plug("provider", &controller, "eth0", None)?;
        underlay.plug("tunnel", &controller, "eth1", Some("192.0.2.11/24"))?;
        underlay.plug("provider", &outside, "eth0", Some(&format!("{GATEWAY}/24")))?;
        outside.run(&["ip", "address", "add", &format!("{INTERNET}/32"), "dev", "lo"])?;
        let cloud = Self { programs, underlay, controller, outside, life };
        cloud.controller.write("/etc/neutron/neutron.conf", &config())?;
        Ok(cloud)
    }

    /// Starts `neutron standalone` and waits for its first answer; returns how long that took.
    ///
    /// # Errors
    /// It does not start or does not answer; the end of its log is in the words.
    pub fn start_neutron(&self) -> Result<Duration, String> {
        let neutron = self.programs.neutron.display();
        let begin = std::time::Instant::now();
        let line = format!(
            "setsid sh -c 'echo $$ > {PID_FILE}; exec {neutron} standalone --config-file /etc/neutron/neutron.conf' \
             </dev/null >>{LOG_FILE} 2>&1 &"
        );
        self.controller.sh(&line).map_err(words)?;
        let answered = within(START_MAX, || {
            self.neutron(&["ext-list", "-f", "value", "-c", "alias"]).and_then(|out| {
                if out.is_empty() { Err("it answers without extensions".to_owned()) } else { Ok(()) }
            })
        });
        answered.map_err(|why| format!("{why}\n{}", self.log_end()))?;
        Ok(begin.elapsed())
    }

    /// Ends the standalone at once, as a crash would.
    ///
    /// # Errors
    /// It does not run.
    pub fn kill_neutron(&self) -> Result<(), String> {
        let line =
            format!("kill -9 $(cat {PID_FILE}) && while kill -0 $(cat {PID_FILE}) 2>/dev/null; do :; done");
        self.controller.sh(&line).map(|_| ()).map_err(words)
    }

    /// The processes whose end ends the cloud.
    pub fn holders(&self) -> Vec<u32> {
        vec![self.underlay.holder(), self.outside.holder(), self.controller.holder()]
    }

    /// Starts the stand-in for Nova's metadata API on the controller.
    ///
    /// # Errors
    /// It does not start.
    pub fn start_metadata(&self) -> Result<(), String> {
        let lab = self.programs.lab.display();
        let line = format!(
            "setsid {lab} nova-metadata {METADATA_PORT} {METADATA_SECRET} </dev/null >>/run/nova-metadata.log 2>&1 &"
        );
        self.controller.sh(&line).map(|_| ()).map_err(words)
    }
}

impl Users for Cloud {
    fn neutron(&self, args: &[&str]) -> Result<String, String> {
        let program = self.programs.neutron.display().to_string();
        let mut all = vec![program.as_str()];
        all.extend(args);
        self.controller.run(&all).map_err(words)
    }

    fn host(&self, _name: &str) -> &Host {
        &self.controller
    }

    fn lab(&self) -> (&Path, Life) {
        (&self.programs.lab, self.life)
    }

    fn log_end(&self) -> String {
        self.controller.run(&["tail", "-n", "20", LOG_FILE]).unwrap_or_default()
    }
}

/// The configuration of the guide, on one host.
fn config() -> String {
    format!(
        "[DEFAULT]
host = {CONTROLLER}
core_plugin = ml2
service_plugins = router
auth_strategy = noauth
min_rtr_adv_interval = 3
max_rtr_adv_interval = 4
nova_metadata_host = 127.0.0.1
nova_metadata_port = {METADATA_PORT}
metadata_proxy_shared_secret = {METADATA_SECRET}

[database]
connection = sqlite:////var/lib/neutron/neutron.db

[ml2]
type_drivers = flat,vlan,vxlan
tenant_network_types = vxlan
mechanism_drivers = linuxbridge,l2population
extension_drivers = port_security

[ml2_type_flat]
flat_networks = public

[ml2_type_vxlan]
vni_ranges = 1:1000

[linux_bridge]
physical_interface_mappings = public:eth0

[vxlan]
enable_vxlan = True
local_ip = 192.0.2.11
l2_population = True

[agent]
prevent_arp_spoofing = True

[securitygroup]
enable_security_group = True
enable_ipset = True
firewall_driver = iptables
"
    )
}
