//! `lab interop`: agents of Neutron's own in Python on this project's server, on the guide's two machines. Each is
//! put in the place of ours under flood ping, all together serve new instances, and each makes room for ours again.

mod python;

use std::time::Duration;

use crate::chaos::flood::Flood;
use crate::cloud::{CONTROLLER, INTERNET, Programs};
use crate::guide::instances::{default_group, demo_project, leased};
use crate::guide::metadata;
use crate::host::Host;
use crate::instance::{Instance, ping};
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, Site};
use crate::users::Users;
use python::{AGENTS, Agent};

/// How long an agent may take until it has looked at everything.
const SETTLED_MAX: Duration = Duration::from_secs(90);
/// How long traffic is watched after an agent says that it has.
const WATCHED: Duration = Duration::from_secs(5);
/// Lines of an agent's log that are looked through.
const LOG_LINES: usize = 5_000;

/// The cloud with an instance on each host.
struct Cloud {
    site: Site,
    first: Instance,
    second: Instance,
    project: String,
}

/// Runs everything; false if any step was not as expected.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run() -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    report.section("Python's agents on this server: the Linux bridge agent of 25.2.3, the others of 29");
    let mut made = None;
    report.step("start the guide's cloud and an instance on each host", "they reach each other", || {
        let cloud = cloud(&programs)?;
        let said = cloud.first.ping(&cloud.second.ipv4())?;
        made = Some(cloud);
        Ok(said)
    });
    if let Some(cloud) = made {
        report.section("Each in the place of ours, under flood ping");
        for agent in AGENTS {
            exchange(&cloud, &mut report, agent, true);
        }
        together(&cloud, &mut report);
        report.section("Ours in their place again");
        for agent in AGENTS.iter().rev() {
            exchange(&cloud, &mut report, agent, false);
        }
        report.step("ping vm2 from vm1", "three answers", || cloud.first.ping(&cloud.second.ipv4()));
    }
    Ok(report.end())
}

fn cloud(programs: &Programs) -> Result<Cloud, String> {
    let site = crate::guide::deploy(programs)?;
    python::configure(&site)?;
    let project = demo_project(&site)?;
    let (first, second) = (boot(&site, "vm1", CONTROLLER, &project)?, boot(&site, "vm2", COMPUTE, &project)?);
    Ok(Cloud { site, first, second, project })
}

/// Boots an instance and plugs its tap into the network's bridge, as Nova does: the agents of Python leave the taps
/// of instances to it.
fn boot(site: &Site, name: &str, on: &str, project: &str) -> Result<Instance, String> {
    let instance = Instance::boot_on(site, on, "private", name, &["--tenant-id", project])?;
    let network = site.field(&["net-show", "private"], "id")?;
    let bridge = format!("brq{}", network.chars().take(11).collect::<String>());
    let line = format!(
        "test -e /sys/class/net/{bridge} || ip link add {bridge} type bridge; ip link set {bridge} up; \
         ip link set {tap} master {bridge}",
        tap = instance.plug.tap()
    );
    site.host(on).sh(&line).map_err(words)?;
    leased(&instance).map_err(|why| format!("{why}\n{}", logs(site)))?;
    Ok(instance)
}

/// What both kinds of agents said last.
fn logs(site: &Site) -> String {
    let mut text = site.logs(8);
    for agent in AGENTS {
        let log = site.host(agent.on).daemon_log(&agent.python(), 8);
        if !log.is_empty() {
            text += &format!("--- {} on {}\n{log}", agent.python(), agent.on);
        }
    }
    text
}

/// Ends one agent and starts the other of its kind, under traffic.
fn exchange(cloud: &Cloud, report: &mut Report, agent: &Agent, theirs: bool) {
    let whose = if theirs { "Python's" } else { "ours" };
    let tries = format!("{} on {}: {whose} takes over", agent.ours, agent.on);
    report.step(&tries, "no packet lost, no error, the agent alive", || {
        let inward = Flood::start(&cloud.first.host, &cloud.second.ipv4())?;
        let outward = Flood::start(&cloud.second.host, INTERNET)?;
        let done = take_over(&cloud.site, agent, theirs);
        std::thread::sleep(WATCHED);
        let (inward, outward) = (inward.end()?, outward.end()?);
        done.map_err(|why| format!("{why}\n{}", logs(&cloud.site)))?;
        let figures = format!(
            "east-west {} sent, {} lost; outward {} sent, {} lost",
            inward.sent,
            inward.lost(),
            outward.sent,
            outward.lost()
        );
        if inward.lost() + outward.lost() > 0 { Err(figures) } else { Ok(figures) }
    });
}

fn take_over(site: &Site, agent: &Agent, theirs: bool) -> Result<(), String> {
    let host = site.host(agent.on);
    if !theirs {
        host.end_daemon(&agent.python(), "TERM").map_err(words)?;
        sound(host, agent)?;
        site.start_unit(host, &format!("{}.service", agent.ours))?;
        return alive(site);
    }
    host.end_daemon(agent.ours, "TERM").map_err(words)?;
    host.start_daemon(&agent.daemon()?).map_err(words)?;
    within(SETTLED_MAX, || {
        let log = host.daemon_log(&agent.python(), LOG_LINES);
        if log.contains(agent.settled) { Ok(()) } else { Err(format!("it does not say '{}'", agent.settled)) }
    })?;
    sound(host, agent)?;
    alive(site)
}

/// An agent that met something unexpected says so as an error. Tracebacks alone mean nothing: its helper writes them
/// for whatever was there already, and the agent goes on.
fn sound(host: &Host, agent: &Agent) -> Result<(), String> {
    let log = host.daemon_log(&agent.python(), LOG_LINES);
    // Options are written down as well, and some speak of errors.
    let bad =
        |line: &&str| (line.contains(" ERROR ") || line.contains(" CRITICAL ")) && !line.contains(" DEBUG ");
    let lines: Vec<&str> = log.lines().filter(bad).take(40).collect();
    if lines.is_empty() { Ok(()) } else { Err(lines.join("\n")) }
}

fn alive(site: &Site) -> Result<(), String> {
    within(SETTLED_MAX, || {
        let out = site.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "alive"])?;
        let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
        if alive == AGENTS.len() { Ok(()) } else { Err(out) }
    })
}

/// All of Python's agents together serve instances that are new.
fn together(cloud: &Cloud, report: &mut Report) {
    report.section("All of Python's together");
    let Cloud { site, project, .. } = cloud;
    let mut made = None;
    report.step("boot an instance on each host", "ports ACTIVE, leases, answers east-west", || {
        let pair = (boot(site, "vm3", CONTROLLER, project)?, boot(site, "vm4", COMPUTE, project)?);
        let said = pair.0.ping(&pair.1.ipv4()).map_err(|why| format!("{why}\n{}", logs(site)))?;
        made = Some(pair);
        Ok(said)
    });
    let Some((_, there)) = made else { return };
    report.step(&format!("ping {INTERNET} from the new one on compute"), "three answers", || {
        there.ping(INTERNET).map_err(|why| format!("{why}\n{}", logs(site)))
    });
    report.step("ask 169.254.169.254 for its id", "the id", || {
        within(SETTLED_MAX, || metadata::ask(site, &there))
    });
    report.step("a floating IP, ICMP allowed from anywhere; ping it from outside", "three answers", || {
        let made = site.object(&["floatingip-create", "public", "--tenant-id", project])?;
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        site.neutron(&["floatingip-associate", &text("id"), &there.plug.port])?;
        let group = default_group(site, project)?;
        site.neutron(&["security-group-rule-create", &group, "--protocol", "icmp"])?;
        within(SETTLED_MAX, || ping(&site.outside, &text("floating_ip_address")))
            .map_err(|why| format!("{why}\n{}", logs(site)))
    });
    for agent in AGENTS {
        let said = format!("the log of {} on {}", agent.python(), agent.on);
        report.step(&said, "no error", || sound(site.host(agent.on), agent).map(|()| "none".to_owned()));
    }
}
