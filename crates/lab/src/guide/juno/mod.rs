//! `lab guide-juno`: the Juno guide from its first to its last command, on three machines with Open vSwitch and GRE,
//! twice: as printed and mended; and what else holds on its machines and a second compute host.

mod as_printed;
mod firewalls;
mod instances;
mod isolation;
mod overlays;
mod settings;
mod spoofing;
mod wide;

use super::play::Player;
use super::transcript::{Act, JUNO, Step};
use super::{edits, metadata, play, security, shown, site_as};
use crate::cloud::Programs;
use crate::horizon;
use crate::report::Report;
use crate::shape::{self, Shape};
use crate::site::{Site, project};

/// A part of the run; an error leaves out the rest of it.
type Part = fn(&Programs, &mut Report) -> Result<(), String>;

/// Runs the parts whose names contain `only`; false if any step was not as expected.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run(only: &str) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    let parts: [(&str, Part); 3] =
        [("as printed", as_printed::run), ("mended", mended), ("two compute hosts", wide::run)];
    for (name, part) in parts.into_iter().filter(|(name, _)| name.contains(only)) {
        if let Err(why) = part(&programs, &mut report) {
            report.step(&format!("take every step of '{name}'"), "none left out", || Err(why));
        }
    }
    Ok(report.end())
}

fn mended(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("The Juno guide, mended: the edits of edits.tsv and nothing else");
    let site = site_as(programs, report, &shape::JUNO)?;
    let edits = edits::read(&JUNO, "edits.tsv")?;
    for edit in &edits {
        report.note(&edit.shown());
    }
    let mut player = Player::new(&site, &JUNO, edits)?;
    play(&mut player, report, &JUNO.steps()?)?;
    // The guide's last section; instances come after it, as no Nova could show them.
    horizon::run(&site, report, horizon::PEOPLE, &project().join(horizon::PICTURES))?;
    let pair = instances::run(&site, report)?;
    security::run(&site, report, &pair)?;
    metadata::run(&site, report, &pair);
    instances::repaired(&site, report, &pair)
}

/// The guide's cloud, mended, without its demonstrations: ready for instances.
///
/// # Errors
/// Something does not start.
pub fn deploy(programs: &Programs) -> Result<Site, String> {
    deploy_as(programs, &shape::JUNO)
}

/// As [`deploy`], on machines among which are the guide's.
fn deploy_as(programs: &Programs, shape: &'static Shape) -> Result<Site, String> {
    let site = Site::start_as(programs.clone(), shape)?;
    site.services.user("neutron", "NEUTRON_PASS", "service", "admin")?;
    site.services.endpoint("neutron", "network", "http://Controller:9696")?;
    let mut player = Player::new(&site, &JUNO, edits::read(&JUNO, "edits.tsv")?)?;
    // Keystone's client takes seconds for each command: what it does is done already.
    let left_out = ["keystone user-", "keystone service-", "keystone endpoint-", "neutron ext-list"];
    for step in JUNO.steps()? {
        if !matches!(&step.act, Act::Typed { line, .. } if left_out.iter().any(|start| line.starts_with(start)))
        {
            player.take(&step).map_err(|why| format!("{}: {why}\n{}", shown(&step), site.logs(10)))?;
        }
    }
    Ok(site)
}

/// Whether a step uses what stands: the guide's first network and what follows.
fn uses(step: &Step) -> bool {
    matches!(&step.act, Act::Typed { line, .. } if line.contains("net-create ext-net"))
}

/// Waits for so many agents.
fn agents(site: &Site, report: &mut Report, count: usize) {
    let expects = format!("{count} alive");
    report.step("neutron agent-list", &expects, || super::as_printed::alive(site, count));
}
