//! The guide, mended, up to its first network: servers and agents stand on two machines and nothing is in the
//! database yet. What other checks begin with.

use super::play::Player;
use super::transcript::{Act, LIBERTY, Step};
use super::{edits, play, site};
use crate::cloud::Programs;
use crate::report::{Report, within};
use crate::site::Site;
use crate::users::Users;
use std::time::Duration;

/// How long the agents may take until all are alive.
const ALIVE_MAX: Duration = Duration::from_secs(60);
/// The guide's agents: Linux bridge on both machines; DHCP, L3 and metadata on the controller.
const AGENTS: usize = 5;

/// Takes the guide's steps up to its first network and waits for the agents.
///
/// # Errors
/// A step is not as expected.
pub fn run(programs: &Programs, report: &mut Report) -> Result<Site, String> {
    let site = site(programs, report)?;
    {
        let mut player = Player::new(&site, &LIBERTY, edits::read(&LIBERTY, "edits.tsv")?)?;
        site.install(&site.compute)?;
        let steps: Vec<Step> = LIBERTY.steps()?.into_iter().take_while(|step| !looks(step)).collect();
        play(&mut player, report, &steps)?;
    }
    let done = report.step("neutron agent-list", "five alive", || {
        within(ALIVE_MAX, || {
            let out = site.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "alive"])?;
            let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
            if alive == AGENTS { Ok(out) } else { Err(out) }
        })
    });
    if done { Ok(site) } else { Err(site.logs(10)) }
}

/// From its first look at the extensions on, the guide only uses what stands.
fn looks(step: &Step) -> bool {
    matches!(&step.act, Act::Typed { line, .. } if line.contains("ext-list"))
}
