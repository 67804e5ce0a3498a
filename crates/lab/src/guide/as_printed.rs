//! The guide byte for byte: what can run, runs; each slip is named by our processes with file, line and remedy. Then
//! the slips are mended one after the other, and the next one is named.

use std::time::Duration;

use super::edits::{self, Edit, Kind};
use super::play::Player;
use super::transcript::{Act, LIBERTY, Step};
use super::{expected, shown, site};
use crate::cloud::Programs;
use crate::host::Host;
use crate::report::{Report, within, words};
use crate::site::Site;
use crate::users::Users;

/// How long a process may take until it says what is wrong.
const SAID_MAX: Duration = Duration::from_secs(20);
/// How long agents may take until all are alive.
const ALIVE_MAX: Duration = Duration::from_secs(40);
/// The service that the guide's files keep from running.
const L2: &str = "neutron-linuxbridge-agent";

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("The guide as printed, byte for byte");
    let site = site(programs, report)?;
    let mut player = Player::new(&site, &LIBERTY, Vec::new())?;
    let steps = LIBERTY.steps()?;
    let until = steps.iter().position(|step| on_compute(step) && typed(step)).unwrap_or(steps.len());
    for step in &steps[..until] {
        if !report.step(&shown(step), &expected(step), || player.take(step)) {
            return Err(format!("{}: not as expected\n{}", shown(step), site.logs(10)));
        }
    }
    for step in steps[until..].iter().filter(|step| on_compute(step) && typed(step)) {
        report.step(
            &shown(step),
            "no such unit: systemctl stands where packages should be installed",
            || match (shown(step).contains(" enable "), player.take(step)) {
                (true, Ok(said)) => Ok(said),
                (false, Err(why)) if why.contains("Unit not found") => Ok(why),
                (_, outcome) => Err(format!("{outcome:?}")),
            },
        );
    }
    runs(&site, report);
    site.install(&site.compute)?;
    let edits = edits::read(&LIBERTY, "edits.tsv")?;
    for edit in &edits {
        let daemon = if edit.path.contains("metadata") { "neutron-metadata-agent" } else { L2 };
        // Instances must not be wired by an agent that does not know its firewall or its address.
        let closed = daemon == L2 && matches!(edit.kind, Kind::Line { .. });
        slip(&site, report, edit, Service { daemon, closed })?;
    }
    report.step("neutron agent-list, every slip mended", "five alive", || alive(&site, 5));
    Ok(())
}

fn on_compute(step: &Step) -> bool {
    matches!(&step.act, Act::Typed { host, .. } | Act::Edit { host, .. } if host == "compute")
}

fn typed(step: &Step) -> bool {
    matches!(step.act, Act::Typed { .. })
}

/// What the slips do not concern works.
fn runs(site: &Site, report: &mut Report) {
    for name in ["neutron-server", "neutron-dhcp-agent", "neutron-metadata-agent", "neutron-l3-agent"] {
        report.step(&format!("look for {name}"), "it runs", || {
            if site.controller.daemon_runs(name) {
                Ok("it does".to_owned())
            } else {
                Err(site.said(&site.controller, name, 20))
            }
        });
    }
    report.step("neutron agent-list", "DHCP, L3 and metadata agent alive, no Linux bridge agent", || {
        within(ALIVE_MAX, || {
            let out = site.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "alive"])?;
            let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
            if alive == 3 && !out.contains(L2) { Ok(out) } else { Err(out) }
        })
    });
}

/// The service that a slip concerns.
#[derive(Clone, Copy, Debug)]
pub struct Service {
    /// Its name.
    pub daemon: &'static str,
    /// It must not run with this slip.
    pub closed: bool,
}

/// A slip: named with file and line, then mended, and the service started anew.
///
/// # Errors
/// It is not named, or cannot be mended.
pub fn slip(site: &Site, report: &mut Report, edit: &Edit, service: Service) -> Result<(), String> {
    let host = site.host(&edit.host);
    let Service { daemon, closed } = service;
    let place = place(host, edit)?;
    let expects = format!("{place} and {:?} in what {daemon} says", edit.said);
    let named = report.step(&format!("start {daemon} on {}", host.name()), &expects, || {
        // It may have ended with its complaint already, or never have been started.
        site.start_unit(host, &format!("{daemon}.service"))?;
        let complaint = within(SAID_MAX, || said(site, host, daemon, &place, &edit.said))?;
        within(SAID_MAX, || {
            if closed && host.daemon_runs(daemon) { Err(format!("it runs; {complaint}")) } else { Ok(()) }
        })?;
        Ok(complaint)
    });
    mend(site, host, edit)?;
    if host.daemon_runs(daemon) {
        host.end_daemon(daemon, "TERM").map_err(words)?;
    }
    site.start_unit(host, &format!("{daemon}.service"))?;
    if named { Ok(()) } else { Err(format!("{place} is not named:\n{}", site.said(host, daemon, 20))) }
}

/// `file:line`, or the file alone where one is missing.
fn place(host: &Host, edit: &Edit) -> Result<String, String> {
    let path = &edit.path;
    Ok(match &edit.kind {
        Kind::Line { printed, .. } => {
            let text =
                std::fs::read_to_string(host.path(path)).map_err(|error| format!("{path}: {error}"))?;
            let line =
                edits::line_number(&text, printed).ok_or_else(|| format!("{path} has no {printed}"))?;
            format!("{path}:{line}")
        }
        Kind::Name(_) | Kind::Copy(_) => path.clone(),
    })
}

fn said(site: &Site, host: &Host, daemon: &str, place: &str, word: &str) -> Result<String, String> {
    let log = site.said(host, daemon, 60);
    let line = log.lines().rfind(|line| line.contains(place) && line.contains(word));
    line.map(str::to_owned).ok_or_else(|| format!("nothing of {place} in:\n{log}"))
}

fn mend(site: &Site, host: &Host, edit: &Edit) -> Result<(), String> {
    let read = |host: &Host| {
        std::fs::read_to_string(host.path(&edit.path)).map_err(|error| format!("{}: {error}", edit.path))
    };
    match &edit.kind {
        Kind::Line { printed, mended } => {
            let text = edits::replaced(&read(host)?, printed, mended)?;
            host.write(&edit.path, &text).map_err(words)
        }
        Kind::Name(name) => host.run(&["mv", &edit.path, name]).map(|_| ()).map_err(words),
        Kind::Copy(from) => host.write(&edit.path, &read(site.host(from))?).map_err(words),
    }
}

/// Waits until so many agents are alive.
///
/// # Errors
/// There are fewer, or more.
pub fn alive(site: &Site, agents: usize) -> Result<String, String> {
    within(ALIVE_MAX, || {
        let out =
            site.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "host", "-c", "alive"])?;
        let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
        if alive == agents { Ok(out) } else { Err(format!("{alive} alive\n{out}\n{}", site.logs(10))) }
    })
}
