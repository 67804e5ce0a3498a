//! Metadata with Nova's signature, and what Nova was told.

use super::instances::Pair;
use crate::instance::Instance;
use crate::report::{Report, within, words};
use crate::site::Site;

/// Takes the section's steps.
pub fn run(site: &Site, report: &mut Report, pair: &Pair) {
    report.section("Nova: metadata and events");
    for (name, instance) in [("vm1", &pair.first), ("vm2 on the compute host", &pair.second)] {
        let expects =
            format!("its id {}, the signature found right by Nova's stand-in", instance.plug.device);
        report.step(&format!("ask 169.254.169.254 for the id of {name}"), &expects, || ask(site, instance));
    }
    for (name, instance) in [("vm1", &pair.first), ("vm2", &pair.second)] {
        let expects = "network-vif-plugged with its port, with a token";
        report.step(&format!("what Nova was told of {name}"), expects, || {
            within(super::instances::WIRED_MAX, || {
                let log = site.controller.daemon_log("nova", 500);
                let told = |line: &&str| {
                    ["network-vif-plugged", &instance.plug.port, &instance.plug.device, "token=true"]
                        .iter()
                        .all(|word| line.contains(word))
                };
                log.lines().find(told).map(str::to_owned).ok_or_else(|| format!("nothing in:\n{log}"))
            })
        });
    }
}

/// Asks for an instance's own identifier, as its start scripts do.
///
/// # Errors
/// Another answer came, or Nova was not asked as it expects.
pub fn ask(site: &Site, instance: &Instance) -> Result<String, String> {
    let url = "http://169.254.169.254/latest/meta-data/instance-id";
    let said = instance.host.run(&["curl", "-s", "-S", "-m", "5", url]).map_err(words)?;
    let log = site.controller.daemon_log("nova", 100);
    let asked = format!("instance={}", instance.plug.device);
    let line = log.lines().rfind(|line| line.contains(&asked)).unwrap_or_default();
    // haproxy, which Python's agents ask through, listens on both families at once.
    let from = ["for=", "for=::ffff:"].map(|start| format!("{start}{} ", instance.ipv4()));
    let known = from.iter().any(|from| line.contains(from.as_str()));
    if said.trim() == instance.plug.device && line.ends_with("signature=true") && known {
        Ok(format!("{}\n{line}", said.trim()))
    } else {
        Err(format!("{said}\n{log}\n{}", site.logs(10)))
    }
}
