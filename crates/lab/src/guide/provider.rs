//! The guide's other architecture: provider networks only, no routers, no L3 agent.

use super::instances::{WIRED_MAX, leased};
use super::play::Player;
use super::transcript::{Act, LIBERTY, Step};
use super::{edits, metadata, play, site};
use crate::cloud::{CONTROLLER, GATEWAY, INTERNET, Programs};
use crate::instance::Instance;
use crate::report::{Report, within};
use crate::site::{COMPUTE, Site};
use crate::users::Users;

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("The guide's other architecture: provider networks only");
    let site = site(programs, report)?;
    let mut edits = edits::read(&LIBERTY, "edits.tsv")?;
    edits.extend(edits::read(&LIBERTY, "provider.tsv")?);
    let mut player = Player::new(&site, &LIBERTY, edits)?;
    site.install(&site.compute)?;
    let steps: Vec<Step> = LIBERTY.steps()?.into_iter().filter(concerns).collect();
    play(&mut player, report, &steps)?;
    report.step("neutron agent-list", "four alive, no L3 agent", || {
        within(WIRED_MAX, || {
            let out =
                site.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "host", "-c", "alive"])?;
            let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
            if alive == 4 && !out.contains("l3") { Ok(out) } else { Err(out) }
        })
    });
    instances(&site, report)
}

/// Whether a step belongs to this architecture; networks of tenants, routers and the tables with them do not.
fn concerns(step: &Step) -> bool {
    match &step.act {
        Act::Sql(_) | Act::Edit { .. } => true,
        Act::Typed { line, .. } => {
            let other = ["l3-agent", "private", "router-", "agent-list", "ext-list", "ip netns"];
            line.contains("net-create public") || !other.iter().any(|word| line.contains(word))
        }
    }
}

fn instances(site: &Site, report: &mut Report) -> Result<(), String> {
    let mut made = Vec::new();
    for (name, on) in [("vm1", CONTROLLER), ("vm2", COMPUTE)] {
        report.step(
            &format!("boot {name} on {on}, on the public network"),
            "its port ACTIVE, a lease",
            || {
                let instance = Instance::boot_on(site, on, "public", name, &[])?;
                let said = leased(&instance)?;
                made.push(instance);
                Ok(said)
            },
        );
    }
    let [first, second] = made.as_slice() else { return Err(site.logs(10)) };
    report.step("ping vm2 from vm1", "three answers", || first.ping(&second.ipv4()));
    for (name, instance) in [("vm1", first), ("vm2", second)] {
        report.step(
            &format!("ping the physical gateway and {INTERNET} from {name}"),
            "three answers each",
            || Ok(format!("{}\n{}", instance.ping(GATEWAY)?, instance.ping(INTERNET)?)),
        );
        let expects = "its own, signed, through the DHCP server's namespace";
        report.step(&format!("ask 169.254.169.254 for the id of {name}"), expects, || {
            metadata::ask(site, instance)
        });
    }
    Ok(())
}
