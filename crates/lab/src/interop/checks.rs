//! What a cloud must do for instances that are new, whoever's agents serve them.

use super::{Cloud, SETTLED_MAX, boot, logs};
use crate::cloud::{CONTROLLER, INTERNET};
use crate::demo::reach::seen_outside;
use crate::guide::instances::default_group;
use crate::guide::metadata;
use crate::instance::{ping, ping_in_vain};
use crate::report::{Report, within};
use crate::site::COMPUTE;
use crate::users::Users;

/// All agents together serve two new instances.
pub(super) fn together(cloud: &Cloud, report: &mut Report, whose: &str, names: &[&str; 2]) {
    report.section(&format!("All together, with {whose}"));
    let Cloud { site, server, wiring, project, .. } = cloud;
    let told = |why: String| format!("{why}\n{}", logs(site, *server));
    let mut made = None;
    report.step("boot an instance on each host", "ports ACTIVE, leases, answers east-west", || {
        let boot = |name: &str, on: &str| boot(site, *server, *wiring, name, on, project);
        let pair = (boot(names[0], CONTROLLER)?, boot(names[1], COMPUTE)?);
        let said = pair.0.ping(&pair.1.ipv4()).map_err(told)?;
        made = Some(pair);
        Ok(said)
    });
    let Some((_here, there)) = made else { return };
    report.step(&format!("ping {INTERNET} from the new one on compute"), "three answers", || {
        there.ping(INTERNET).map_err(told)
    });
    report.step("ask 169.254.169.254 for its id", "the id", || {
        within(SETTLED_MAX, || metadata::ask(site, &there))
    });
    let mut address = String::new();
    report.step("a floating IP for it; ping it from outside", "nothing: its group blocks", || {
        let made = site.object(&["floatingip-create", "public", "--tenant-id", project])?;
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        address = text("floating_ip_address");
        site.neutron(&["floatingip-associate", &text("id"), &there.plug.port])?;
        within(SETTLED_MAX, || seen_outside(&site.outside, &there, &address)).map_err(told)?;
        ping_in_vain(&site.outside, &[&address])
    });
    report.step(
        "ICMP allowed from anywhere; ping it again",
        "three answers, and none without the rule",
        || {
            let group = default_group(site, project)?;
            let rule = site.object(&["security-group-rule-create", &group, "--protocol", "icmp"])?;
            let said = within(SETTLED_MAX, || ping(&site.outside, &address)).map_err(told)?;
            site.neutron(&["security-group-rule-delete", rule["id"].as_str().unwrap_or_default()])?;
            within(SETTLED_MAX, || ping_in_vain(&site.outside, &[&address])).map_err(told)?;
            Ok(said)
        },
    );
}
