//! Neutron's own agents: which there are, where they run, what they read.

use std::path::PathBuf;

use crate::cloud::CONTROLLER;
use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::words;
use crate::site::{COMPUTE, COMPUTE_ADDRESS, CONTROLLER_ADDRESS, Site, project};

/// What they read on each host.
const CONF: &str = "/etc/neutron/python.conf";
/// Where `make interop` installs them, from the folder where commands are typed.
const TOOLS: &str = ".tools";

/// An agent of Python's in the place of one of ours.
pub(super) struct Agent {
    /// Our service.
    pub(super) ours: &'static str,
    /// The host.
    pub(super) on: &'static str,
    /// The release: its folder is `neutron-<release>`.
    release: &'static str,
    /// What it says once it has looked at everything.
    pub(super) settled: &'static str,
}

/// In the order in which they take over: metadata first, as two proxies cannot listen in one namespace.
pub(super) const AGENTS: &[Agent] = &[
    Agent {
        ours: "neutron-linuxbridge-agent",
        on: COMPUTE,
        release: "25.2.3",
        settled: "Agent loop - iteration:2 completed",
    },
    Agent {
        ours: "neutron-linuxbridge-agent",
        on: CONTROLLER,
        release: "25.2.3",
        settled: "Agent loop - iteration:2 completed",
    },
    Agent {
        ours: "neutron-metadata-agent",
        on: CONTROLLER,
        release: "29",
        settled: "neutron.agent.metadata_agent",
    },
    Agent {
        ours: "neutron-dhcp-agent",
        on: CONTROLLER,
        release: "29",
        settled: "Synchronizing state complete",
    },
    Agent { ours: "neutron-l3-agent", on: CONTROLLER, release: "29", settled: "Finished a router" },
];

impl Agent {
    /// What it is called beside ours.
    pub(super) fn python(&self) -> String {
        format!("python-{}", self.ours)
    }

    /// How it is started: as root, so that it needs no helper to become root.
    pub(super) fn daemon(&self) -> Result<Daemon, String> {
        let folder = folder(self.release)?;
        let program = folder.join("bin").join(self.ours);
        if !program.exists() {
            return Err(format!("{} is not there: make interop installs it", program.display()));
        }
        let path = std::env::var("PATH").unwrap_or_default();
        let words = [&*program.to_string_lossy(), "--config-file", CONF];
        Ok(Daemon::new(&self.python(), &words)
            .env("PATH", &format!("{}:{path}", folder.join("bin").display()))
            .env("PYTHONPATH", &project().join("tools/interop").to_string_lossy())
            .env("PYTHONWARNINGS", "ignore"))
    }
}

fn folder(release: &str) -> Result<PathBuf, String> {
    let here = std::env::current_dir().map_err(words)?;
    Ok(here.join(TOOLS).join(format!("neutron-{release}")))
}

/// Writes what they read: the guide's values under today's names.
pub(super) fn configure(site: &Site) -> Result<(), String> {
    let secret = value(&site.controller, "/etc/neutron/metadata_agent.ini", "metadata_proxy_shared_secret")?;
    for (host, address) in [(&*site.controller, CONTROLLER_ADDRESS), (&*site.compute, COMPUTE_ADDRESS)] {
        let linuxbridge = "/etc/neutron/plugins/ml2/linuxbridge_agent.ini";
        let mappings = value(host, linuxbridge, "physical_interface_mappings")?;
        let name = host.name();
        let conf = format!(
            "[DEFAULT]\nhost = {name}\nstate_path = /var/lib/neutron\ndebug = true\n\
             transport_url = rabbit://openstack:opst@controller:5672/\n\
             interface_driver = bridge_interface.BridgeInterfaceDriver\n\
             enable_isolated_metadata = true\nnova_metadata_host = controller\n\
             metadata_proxy_shared_secret = {secret}\n\
             [experimental]\nlinuxbridge = true\n\
             [oslo_concurrency]\nlock_path = /var/lib/neutron/lock\n\
             [agent]\nroot_helper = env\nreport_interval = 5\n\
             [linux_bridge]\nphysical_interface_mappings = {mappings}\n\
             [vxlan]\nenable_vxlan = true\nlocal_ip = {address}\nl2_population = true\n\
             [securitygroup]\nfirewall_driver = iptables\n"
        );
        host.write(CONF, &conf).map_err(words)?;
    }
    Ok(())
}

/// The value of an option in a file of a host.
fn value(host: &Host, file: &str, option: &str) -> Result<String, String> {
    let text = host.run(&["cat", file]).map_err(words)?;
    let found = text.lines().find_map(|line| {
        let (name, value) = line.split_once('=')?;
        (name.trim() == option).then(|| value.trim().to_owned())
    });
    found.ok_or_else(|| format!("{file} on {} has no {option}", host.name()))
}
