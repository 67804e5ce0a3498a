//! The demonstration: one cloud, shown on real packets, and gone again.

pub mod guide;
mod instances;
pub mod reach;
mod security;

use std::path::Path;
use std::process::Command;

use crate::cloud::{Cloud, Programs};
use crate::host::Life;
use crate::instance::Instance;
use crate::report::{Report, words};
use crate::users::Users;

/// Where downloads are kept between runs.
pub const CACHE: &str = ".lab";

/// The instances that the sections share.
pub struct Instances {
    /// Two on the private network.
    pub first: Instance,
    /// The second.
    pub second: Instance,
    /// One on another private network.
    pub third: Instance,
}

/// A cloud being shown.
pub struct Show<'a> {
    /// The cloud.
    pub cloud: &'a Cloud,
    /// Where steps are told.
    pub report: &'a mut Report,
}

impl Show<'_> {
    /// Types a users' command, shows it and what it prints.
    ///
    /// # Errors
    /// It fails.
    pub fn typed(&mut self, line: &str) -> Result<String, String> {
        self.report.note(&format!("$ neutron {line}"));
        let args: Vec<&str> = line.split(' ').collect();
        let out = self.cloud.neutron(&args);
        match &out {
            Ok(text) | Err(text) => self.report.note(text),
        }
        out
    }

    /// A step; an error ends the section.
    ///
    /// # Errors
    /// It was not as expected.
    pub fn step(
        &mut self,
        tries: &str,
        expects: &str,
        work: impl FnOnce() -> Result<String, String>,
    ) -> Result<(), String> {
        if self.report.step(tries, expects, work) { Ok(()) } else { Err(format!("{tries}: not as expected")) }
    }

    /// A step whose failure the following ones can do without.
    pub fn try_step(&mut self, tries: &str, expects: &str, work: impl FnOnce() -> Result<String, String>) {
        self.report.step(tries, expects, work);
    }
}

/// Runs the whole demonstration; false if any step was not as expected.
///
/// # Errors
/// This program's own path is unknown.
pub fn run() -> std::io::Result<bool> {
    let programs = Programs::beside_this_one()?;
    let before = machine();
    let mut report = Report::default();
    show(&programs, &mut report);
    report.section("The machine");
    report.step("compare the machine's namespaces, links, rules and resolv.conf", "as before", || {
        let after = machine();
        if after == before {
            Ok("nothing left, nothing changed".to_owned())
        } else {
            Err(difference(&before, &after))
        }
    });
    Ok(report.end())
}

fn show(programs: &Programs, report: &mut Report) {
    report.section("The cloud: a host with Neutron, a physical network, a host outside");
    let mut made = None;
    report.step("start hosts and wires", "namespaces of their own", || {
        let cloud = Cloud::start(programs.clone(), Life::WithStarter).map_err(words)?;
        let saw = format!("{} and {} on a physical network", cloud.controller.name(), cloud.outside.name());
        made = Some(cloud);
        Ok(saw)
    });
    let Some(cloud) = made else { return };
    if !report.step("start neutron standalone", "an answer on 127.0.0.1:9696", || {
        cloud.start_metadata()?;
        Ok(format!("ext-list answers {:.2} s after the start", cloud.start_neutron()?.as_secs_f64()))
    }) {
        return;
    }
    let mut show = Show { cloud: &cloud, report };
    if let Err(why) = sections(&mut show) {
        report.note(&format!("the rest is left out: {why}\nthe end of Neutron's log:\n{}", cloud.log_end()));
        report.step("take every step", "none left out", || Err(why));
    }
}

fn sections(show: &mut Show<'_>) -> Result<(), String> {
    guide::run(show)?;
    let instances = instances::run(show)?;
    reach::run(show, &instances)?;
    security::run(show, &instances)?;
    instances::ipv6(show, &instances);
    instances::metadata(show, &instances);
    instances::machine(show, &instances, Path::new(CACHE))
}

/// What the demonstration must leave as it was.
fn machine() -> Vec<(&'static str, String)> {
    let said = |words: &[&str]| {
        let done = Command::new(words[0]).args(&words[1..]).output();
        done.map(|done| String::from_utf8_lossy(&done.stdout).into_owned()).unwrap_or_default()
    };
    let rules = said(&["iptables-save"]);
    // Counters and dates move by themselves.
    let rules: Vec<&str> =
        rules.lines().filter(|line| line.starts_with("-A") || line.starts_with('*')).collect();
    vec![
        ("ip netns", said(&["ip", "netns"])),
        ("ip link", said(&["ip", "-o", "link"])),
        ("iptables-save", rules.join("\n")),
        ("/etc/resolv.conf", std::fs::read_to_string("/etc/resolv.conf").unwrap_or_default()),
    ]
}

fn difference(before: &[(&str, String)], after: &[(&str, String)]) -> String {
    let changed = before.iter().zip(after).filter(|(before, after)| before != after);
    changed
        .map(|(before, after)| format!("{}:\nbefore: {}\nafter: {}", before.0, before.1, after.1))
        .collect()
}
