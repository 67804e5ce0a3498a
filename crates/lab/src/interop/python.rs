//! Neutron's own agents: which there are, where they run, what they read.

use std::path::PathBuf;

use crate::cloud::CONTROLLER;
use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::words;
use crate::site::{COMPUTE, Site, project};

use super::wiring::Wiring;

/// What they read on each host.
pub(crate) const CONF: &str = "/etc/neutron/python.conf";
/// Lines of a log that are looked through.
pub(crate) const LOG_LINES: usize = 20_000;
/// Lines that are shown of what is wrong.
const SHOWN_MAX: usize = 40;

/// What is in lines that speak of no error, or of none that matters: options; a message that was announced twice, as
/// may happen; a fanout's exchange, which goes with its last listener; the answer to an agent that has ended; a kind of
/// cache that nobody asked for and that 25.2.3 cannot load.
const HARMLESS: [&str; 5] = [
    " DEBUG ",
    "ignoring duplicate message",
    "NOT_FOUND - no exchange 'q-agent-notifier-",
    "due to a missing queue (reply_",
    "Could not load 'oslo_cache.memcache_pool'",
];

/// A release of Neutron's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Release {
    /// The last one with a Linux bridge agent.
    V25,
    /// The one this project keeps to.
    V29,
}

impl Release {
    /// Its number.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Release::V25 => "25.2.3",
            Release::V29 => "29",
        }
    }

    /// Where `make interop` installs it.
    pub(crate) fn folder(self) -> PathBuf {
        project().join(".tools").join(format!("neutron-{}", self.name()))
    }

    /// The path of one of its programs.
    pub(crate) fn program(self, name: &str) -> String {
        self.folder().join("bin").join(name).display().to_string()
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// It is not.
    pub(crate) fn installed(self) -> Result<(), String> {
        if self.folder().join("bin/python").exists() {
            return Ok(());
        }
        Err(format!("{} is not there: make interop installs it", self.folder().display()))
    }

    /// A process that finds this release's programs, and what it lacks for Linux bridges.
    pub(crate) fn in_its_world(self, daemon: Daemon) -> Daemon {
        let path = std::env::var("PATH").unwrap_or_default();
        daemon
            .env("PATH", &format!("{}:{path}", self.folder().join("bin").display()))
            .env("PYTHONPATH", &project().join("tools/interop").to_string_lossy())
            .env("PYTHONWARNINGS", "ignore")
    }
}

/// An agent of Python's in the place of one of ours.
pub(crate) struct Agent {
    /// Our service.
    pub(crate) ours: &'static str,
    /// The host.
    pub(crate) on: &'static str,
    /// The release it is of.
    pub(crate) release: Release,
    /// What it says once it has looked at everything.
    pub(crate) settled: &'static str,
}

/// In the order in which they take over: metadata first, as two proxies cannot listen in one namespace.
pub(crate) const AGENTS: &[Agent] = &[
    Agent {
        ours: "neutron-linuxbridge-agent",
        on: COMPUTE,
        release: Release::V25,
        settled: "Agent loop - iteration:2 completed",
    },
    Agent {
        ours: "neutron-linuxbridge-agent",
        on: CONTROLLER,
        release: Release::V25,
        settled: "Agent loop - iteration:2 completed",
    },
    Agent {
        ours: "neutron-metadata-agent",
        on: CONTROLLER,
        release: Release::V29,
        settled: "neutron.agent.metadata_agent",
    },
    Agent {
        ours: "neutron-dhcp-agent",
        on: CONTROLLER,
        release: Release::V29,
        settled: "Synchronizing state complete",
    },
    Agent { ours: "neutron-l3-agent", on: CONTROLLER, release: Release::V29, settled: "Finished a router" },
    Agent {
        ours: SWITCHES,
        on: COMPUTE,
        release: Release::V29,
        settled: "Agent rpc_loop - iteration:2 completed",
    },
    Agent {
        ours: SWITCHES,
        on: CONTROLLER,
        release: Release::V29,
        settled: "Agent rpc_loop - iteration:2 completed",
    },
];

/// The agent of hosts that are wired by Open vSwitch.
const SWITCHES: &str = "neutron-openvswitch-agent";

impl Agent {
    /// What it is called beside ours.
    pub(crate) fn python(&self) -> String {
        format!("python-{}", self.ours)
    }

    /// Whether it is for hosts that are wired by Open vSwitch.
    pub(crate) fn switches(&self) -> bool {
        self.ours == SWITCHES
    }

    /// The signal it is ended by: the one for switches takes more than half a minute to end by itself.
    pub(crate) fn ends_by(&self) -> &'static str {
        if self.switches() { "KILL" } else { "TERM" }
    }

    /// How it is started: as root, so that it needs no helper to become root.
    pub(crate) fn daemon(&self) -> Result<Daemon, String> {
        self.release.installed()?;
        let program = self.release.program(self.ours);
        Ok(self.release.in_its_world(Daemon::new(&self.python(), &[&program, "--config-file", CONF])))
    }

    /// How often it has said that it has looked at everything.
    pub(crate) fn settled(&self, host: &Host) -> usize {
        host.daemon_log(&self.python(), LOG_LINES).matches(self.settled).count()
    }
}

/// Writes what they read: the guide's values under today's names.
pub(crate) fn configure(site: &Site, wiring: Wiring) -> Result<(), String> {
    let secret = value(&site.controller, "/etc/neutron/metadata_agent.ini", "metadata_proxy_shared_secret")?;
    for host in [&*site.controller, &*site.compute] {
        let conf = format!(
            "[DEFAULT]\nhost = {}\nstate_path = /var/lib/neutron\ndebug = true\n\
             transport_url = rabbit://openstack:opst@controller:5672/\n\
             interface_driver = bridge_interface.BridgeInterfaceDriver\n\
             enable_isolated_metadata = true\nnova_metadata_host = controller\n\
             metadata_proxy_shared_secret = {secret}\n\
             [experimental]\nlinuxbridge = true\n\
             [oslo_concurrency]\nlock_path = /var/lib/neutron/lock\n\
             [agent]\nroot_helper = env\nreport_interval = 5\n{}",
            host.name(),
            wiring.options(host)
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

/// A process that met something unexpected says so as an error. Tracebacks alone mean nothing: the helper of Python's
/// agents writes them for whatever was there already, and the agent goes on.
///
/// # Errors
/// The lines.
pub(crate) fn sound(host: &Host, daemon: &str) -> Result<(), String> {
    errors(&host.daemon_log(daemon, LOG_LINES))
}

/// Whether a log has no error.
///
/// # Errors
/// The lines that are some.
pub(crate) fn errors(log: &str) -> Result<(), String> {
    let bad = |line: &&str| {
        (line.contains(" ERROR ") || line.contains(" CRITICAL "))
            && !HARMLESS.iter().any(|word| line.contains(word))
    };
    let lines: Vec<&str> = log.lines().filter(bad).take(SHOWN_MAX).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

#[cfg(test)]
mod tests {
    use super::errors;

    #[test]
    fn errors_are_told_from_options_that_speak_of_them() {
        assert!(errors("x 1 INFO a\ny 1 DEBUG service log_level = ERROR ERROR \n").is_ok());
        assert_eq!(errors("x 1 INFO a\nx 1 ERROR b\n"), Err("x 1 ERROR b".to_owned()));
    }
}
