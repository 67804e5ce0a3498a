//! Security groups across hosts: what a group says of another holds on the host of each member.

use std::time::Duration;

use super::instances::{Pair, leased_with};
use crate::instance::{Instance, ping_in_vain};
use crate::report::{Report, within, words};
use crate::site::Site;
use crate::users::Users;

/// A change of a rule must be in force on the other host after that long.
const RULE_MAX: Duration = Duration::from_secs(5);

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(site: &Site, report: &mut Report, pair: &Pair) -> Result<(), String> {
    report.section("Security groups across hosts");
    let target = pair.second.ipv4();
    let mut made = None;
    report.step(
        &format!("boot vm3 on {} in a security group of its own", pair.tenancy.near),
        "a lease",
        || {
            site.neutron(&["security-group-create", "other", "--tenant-id", &pair.project])?;
            let more = ["--tenant-id", &pair.project, "--security-group", "other"];
            let third = Instance::boot_on(site, pair.tenancy.near, pair.tenancy.network, "vm3", &more)?;
            let said = leased_with(&third, pair.tenancy.mtu)?;
            made = Some(third);
            Ok(said)
        },
    );
    let third = made.ok_or("vm3 did not boot")?;
    // ICMP is open to everybody since the floating IP: TCP tells groups apart.
    let lab = site.programs.lab.display();
    let serve = format!("setsid {lab} talk-serve 7777 </dev/null >/dev/null 2>&1 &");
    pair.second.host.sh(&serve).map_err(words)?;
    report.step("TCP from vm1 to vm2 on the other host", "it connects: both are in one group", || {
        within(RULE_MAX, || connect(&pair.first, &target))
    });
    report.step("TCP from vm3 to vm2", "it does not: another group", || match connect(&third, &target) {
        Ok(said) => Err(said),
        Err(why) => Ok(why),
    });
    let group = super::instances::default_group(site, &pair.project)?;
    let mut rule = String::new();
    report.step("a rule that lets members of vm3's group in", "TCP connects within 5 s", || {
        let args = ["security-group-rule-create", &group, "--protocol", "tcp", "--remote-group-id", "other"];
        let made = site.object(&args)?;
        made["id"].as_str().unwrap_or_default().clone_into(&mut rule);
        within(RULE_MAX, || connect(&third, &target))
    });
    report.step("the rule removed", "TCP connects no more within 5 s", || {
        site.neutron(&["security-group-rule-delete", &rule])?;
        within(RULE_MAX, || match connect(&third, &target) {
            Ok(said) => Err(format!("still: {said}")),
            Err(why) => Ok(why),
        })
    });
    report.step("vm3 tells vm2's neighbour on the other host lies about its address", "no answer", || {
        let (free, with_length) = (pair.tenancy.free, format!("{}/24", pair.tenancy.free));
        let change =
            |word: &str| third.host.run(&["ip", "address", word, &with_length, "dev", "eth0"]).map_err(words);
        change("add")?;
        let vain = ping_in_vain(&third.host, &["-I", free, &target]);
        change("del")?;
        vain
    });
    Ok(())
}

fn connect(from: &Instance, target: &str) -> Result<String, String> {
    let line = format!("exec 3<>/dev/tcp/{target}/7777 && echo connected");
    let said = from.host.run(&["timeout", "1", "bash", "-c", &line]).map_err(words)?;
    Ok(said.trim().to_owned())
}
