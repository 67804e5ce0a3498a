//! `lab guide-liberty`: the Liberty guide from its first to its last command, on two machines, twice: as printed and
//! mended; and its other architecture.

pub mod edits;
pub mod play;
pub mod stage;
pub mod table;
pub mod transcript;

pub(crate) mod as_printed;
pub mod instances;
pub mod juno;
pub(crate) mod metadata;
mod provider;
pub(crate) mod security;

use crate::cloud::Programs;
use crate::report::{Report, words};
use crate::shape::{self, Shape};
use crate::site::Site;
use play::Player;
use transcript::{Act, LIBERTY, Step};

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
        [("as printed", as_printed::run), ("mended", mended), ("provider networks only", provider::run)];
    for (name, part) in parts.into_iter().filter(|(name, _)| name.contains(only)) {
        if let Err(why) = part(&programs, &mut report) {
            report.step(&format!("take every step of '{name}'"), "none left out", || Err(why));
        }
    }
    Ok(report.end())
}

/// A part of the run; an error leaves out the rest of it.
type Part = fn(&Programs, &mut Report) -> Result<(), String>;

/// Starts the Liberty guide's machines for a part.
fn site(programs: &Programs, report: &mut Report) -> Result<Site, String> {
    site_as(programs, report, &shape::LIBERTY)
}

/// Starts the machines of a part.
fn site_as(programs: &Programs, report: &mut Report, shape: &'static Shape) -> Result<Site, String> {
    let mut made = None;
    report.step(
        &format!(
            "start {} machines, a gateway, and MariaDB, RabbitMQ, memcached and Keystone on the controller",
            shape.machines.len()
        ),
        "all of them answer",
        || {
            made = Some(Site::start_as(programs.clone(), shape)?);
            Ok("they do".to_owned())
        },
    );
    made.ok_or_else(|| "there are no machines".to_owned())
}

/// How a step is shown.
fn shown(step: &Step) -> String {
    match &step.act {
        Act::Sql(statement) => format!("MariaDB> {statement}"),
        Act::Edit { host, path } => format!("{host}: write {path}"),
        Act::Typed { host, line } => format!("{host}# {line}"),
    }
}

/// What a step is to print.
fn expected(step: &Step) -> String {
    match (&step.act, step.printed.len()) {
        (Act::Edit { .. }, _) => "the file is there".to_owned(),
        (_, 0) => "it works".to_owned(),
        (_, lines) => format!("what the guide prints ({lines} lines)"),
    }
}

/// Takes steps until one is not as expected.
fn play(player: &mut Player<'_>, report: &mut Report, steps: &[Step]) -> Result<(), String> {
    for step in steps {
        if !report.step(&shown(step), &expected(step), || player.take(step)) {
            return Err(format!("{}: not as expected\n{}", shown(step), player.site.logs(10)));
        }
    }
    Ok(())
}

fn mended(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("The guide, mended: the edits of edits.tsv and nothing else");
    let site = site(programs, report)?;
    let edits = edits::read(&LIBERTY, "edits.tsv")?;
    for edit in &edits {
        report.note(&edit.shown());
    }
    let mut player = Player::new(&site, &LIBERTY, edits)?;
    // On the compute host, lines about another service stand where its packages should be installed.
    report.step(
        "compute# yum install openstack-neutron openstack-neutron-linuxbridge ebtables ipset",
        "it works",
        || site.install(&site.compute).map(|()| "this project's program, on compute".to_owned()),
    );
    play(&mut player, report, &LIBERTY.steps()?)?;
    pings(&site, report)?;
    let pair = instances::run(&site, report)?;
    security::run(&site, report, &pair)?;
    metadata::run(&site, report, &pair);
    Ok(())
}

/// The guide's cloud without its demonstrations: servers, files, services and networks, ready for instances.
///
/// # Errors
/// Something does not start.
pub fn deploy(programs: &Programs) -> Result<Site, String> {
    deployed(programs, None)
}

/// Something that is done to the machines.
pub type Deed<'a> = &'a dyn Fn(&Site) -> Result<(), String>;

/// What another cloud has in the place of the guide's.
#[derive(Clone, Copy)]
pub struct Change<'a> {
    /// Done when the controller's files are written and none of its services runs.
    pub prepare: Deed<'a>,
    /// Makes the tables of a server in the place of this project's, and starts it.
    pub server: Option<Deed<'a>>,
    /// What that server said last.
    pub said: &'a dyn Fn(&Site) -> String,
    /// Words that stand for others in what is typed and printed.
    pub words: &'a [(&'a str, &'a str)],
}

/// As [`deploy`], with something else in the place of the guide's.
///
/// # Errors
/// As [`deploy`].
pub fn deploy_with(programs: &Programs, change: Change<'_>) -> Result<Site, String> {
    deployed(programs, Some(change))
}

fn deployed(programs: &Programs, change: Option<Change<'_>>) -> Result<Site, String> {
    let site = Site::start(programs.clone())?;
    site.services.user("neutron", "neutron", "service", "admin")?;
    site.services.endpoint("neutron", "network", "http://controller:9696")?;
    site.install(&site.compute)?;
    let mut player = Player::new(&site, &LIBERTY, edits::read(&LIBERTY, "edits.tsv")?)?;
    // Keystone's client takes seconds for each command: what it does is done already.
    let left_out = ["openstack ", "neutron ext-list", "rpm", "yum --enablerepo", "awk", "grub2"];
    for mut step in LIBERTY.steps()? {
        if matches!(&step.act, Act::Typed { line, .. } if left_out.iter().any(|start| line.starts_with(start)))
        {
            continue;
        }
        if let Some(change) = change
            && !change.take(&site, &mut step)?
        {
            continue;
        }
        let said = || change.map(|change| (change.said)(&site)).unwrap_or_default();
        let told = |why| format!("{}: {why}\n{}{}", shown(&step), site.logs(10), said());
        player.take(&step).map_err(told)?;
    }
    Ok(site)
}

impl Change<'_> {
    /// Makes a step one of the other cloud's; false if there is nothing left to do.
    fn take(&self, site: &Site, step: &mut Step) -> Result<bool, String> {
        let Act::Typed { line, .. } = &mut step.act else { return Ok(true) };
        let other =
            |text: &str| self.words.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
        *line = other(line);
        step.printed = step.printed.iter().map(|line| other(line)).collect();
        let tables = line.contains("neutron-db-manage");
        if tables {
            (self.prepare)(site)?;
        }
        let Some(server) = self.server else { return Ok(true) };
        if tables {
            server(site)?;
        }
        *line = line.replace(" neutron-server.service", "");
        // Neutron's own server draws addresses at random.
        Ok(!tables && !line.starts_with("neutron router-port-list"))
    }
}

/// The guide's first ping, by the address that `router-port-list` prints.
fn pings(site: &Site, report: &mut Report) -> Result<(), String> {
    const ROUTER: &str = "192.168.81.101";
    for (from, host) in [("outside", &site.outside), ("the controller", site.controller.as_ref())] {
        let done = report.step(&format!("ping {ROUTER} from {from}"), "three answers", || {
            crate::instance::ping(host, ROUTER).map_err(words)
        });
        if !done {
            return Err(site.logs(10));
        }
    }
    Ok(())
}
