//! The Juno guide byte for byte: what can run, runs; each slip is named by our processes with file, line and remedy.

use super::{JUNO, agents, uses};
use crate::cloud::Programs;
use crate::guide::as_printed::{Service, slip};
use crate::guide::edits::{self, Edit, Kind};
use crate::guide::play::Player;
use crate::guide::{play, site_as};
use crate::report::Report;
use crate::shape;

/// The guide's Open vSwitch agent.
const L2: &str = "neutron-plugin-openvswitch-agent";
/// Open vSwitch agents on two machines; DHCP, L3 and metadata on the network node.
const AGENTS: usize = 5;

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("The Juno guide as printed, byte for byte");
    let site = site_as(programs, report, &shape::JUNO)?;
    let mut player = Player::new(&site, &JUNO, Vec::new())?;
    let steps = JUNO.steps()?;
    let until = steps.iter().position(uses).unwrap_or(steps.len());
    play(&mut player, report, &steps[..until])?;
    for mut edit in edits::read(&JUNO, "edits.tsv")? {
        if let Kind::Line { mended, .. } = &mut edit.kind {
            *mended = player.this_run(mended);
        }
        slip(&site, report, &edit, service(&edit))?;
    }
    agents(&site, report, AGENTS);
    play(&mut player, report, &steps[until..])
}

/// The service that reads a file.
fn service(edit: &Edit) -> Service {
    if edit.host == "controller" {
        return Service { daemon: "neutron-server", closed: false };
    }
    if edit.path.contains("ml2_conf") {
        // Tunnels without an address are none.
        return Service { daemon: L2, closed: matches!(edit.kind, Kind::Line { .. }) };
    }
    Service { daemon: "neutron-dhcp-agent", closed: false }
}
