//! `lab interop`: agents of Neutron's own in Python on this project's server, and this project's agents on servers of
//! Neutron's own, on the guide's two machines. Each agent is put in the place of the other kind's under flood ping, all
//! together serve new instances, and each makes room for the other again.

mod checks;
pub(crate) mod python;
mod server;
pub(crate) mod wiring;

use std::time::Duration;

use crate::chaos::flood::Flood;
use crate::cloud::{CONTROLLER, INTERNET, Programs};
use crate::guide::Change;
use crate::guide::instances::{demo_project, leased};
use crate::instance::Instance;
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, Site};
use crate::users::Users;
use python::{AGENTS, Agent, Release, errors, sound};
use server::Server;
use wiring::Wiring;

/// How long an agent may take until it has looked at everything.
const SETTLED_MAX: Duration = Duration::from_secs(90);
/// How long traffic is watched after an agent says that it has.
const WATCHED: Duration = Duration::from_secs(5);
/// Lines of one of our logs that are looked through.
const LOG_LINES: usize = 5_000;

/// Whose agent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ours,
    Python,
}

/// One run: whose server, what the hosts are wired by.
struct Part {
    title: &'static str,
    server: Server,
    wiring: Wiring,
}

/// Agents of a cloud: one for wires on each host, and three on the controller.
const AGENTS_ALIVE: usize = 5;

const PARTS: [Part; 5] = [
    Part {
        title: "Python's agents on this server: the Linux bridge agent of 25.2.3, the others of 29",
        server: Server::Ours,
        wiring: Wiring::LinuxBridge,
    },
    Part {
        title: "Our Linux bridge agent on the server of Python 25.2.3",
        server: Server::Python(Release::V25),
        wiring: Wiring::LinuxBridge,
    },
    Part {
        title: "Our DHCP, L3 and metadata agents on the server of Python 29",
        server: Server::Python(Release::V29),
        wiring: Wiring::LinuxBridge,
    },
    Part {
        title: "Python's Open vSwitch agent of 29 on this server",
        server: Server::Ours,
        wiring: Wiring::OpenVswitch,
    },
    Part {
        title: "Our Open vSwitch agent on the server of Python 29",
        server: Server::Python(Release::V29),
        wiring: Wiring::OpenVswitch,
    },
];

impl Part {
    /// The agents that change places: on Linux bridges, a server of Python's is for those of its release.
    fn agents(&self) -> Vec<&'static Agent> {
        let fits = |agent: &&Agent| match (self.wiring, self.server) {
            (Wiring::LinuxBridge, Server::Ours) => !agent.switches(),
            (Wiring::LinuxBridge, Server::Python(release)) => !agent.switches() && agent.release == release,
            (Wiring::OpenVswitch, _) => agent.switches(),
        };
        AGENTS.iter().filter(fits).collect()
    }
}

/// The cloud with an instance on each host.
struct Cloud {
    site: Site,
    server: Server,
    wiring: Wiring,
    first: Instance,
    second: Instance,
    project: String,
}

/// Runs the parts whose titles contain `only`; false if any step was not as expected.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run(only: &str) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    for part in PARTS.iter().filter(|part| part.title.contains(only)) {
        one(part, &programs, &mut report);
    }
    Ok(report.end())
}

fn one(part: &Part, programs: &Programs, report: &mut Report) {
    report.section(part.title);
    let mut made = None;
    let tries = format!("start the guide's cloud with {} and an instance on each host", part.server.name());
    report.step(&tries, "they reach each other", || {
        let cloud = cloud(part, programs)?;
        let said = cloud.first.ping(&cloud.second.ipv4())?;
        made = Some(cloud);
        Ok(said)
    });
    let Some(cloud) = made else { return };
    if part.server != Server::Ours {
        checks::together(&cloud, report, "our agents", &["vm3", "vm4"]);
    }
    report.section("Python's in the place of ours, under flood ping");
    for agent in part.agents() {
        exchange(&cloud, report, agent, Kind::Python);
    }
    checks::together(&cloud, report, "Python's agents", &["vm5", "vm6"]);
    for agent in part.agents() {
        let said = format!("errors in the log of {} on {}", agent.python(), agent.on);
        report.step(&said, "none", || {
            sound(cloud.site.host(agent.on), &agent.python()).map(|()| "none".to_owned())
        });
    }
    if part.server == Server::Ours
        && let Some(agent) = part.agents().first()
    {
        anew(&cloud, report, agent);
    }
    report.section("Ours in the place of Python's, under flood ping");
    for agent in part.agents().into_iter().rev() {
        exchange(&cloud, report, agent, Kind::Ours);
    }
    report.step("ping vm2 from vm1", "three answers", || cloud.first.ping(&cloud.second.ipv4()));
    if let Server::Python(release) = part.server {
        let said = format!("errors in the log of {}", part.server.name());
        report.step(&said, "none", || server::undisturbed(&cloud.site, release));
    }
}

fn cloud(part: &Part, programs: &Programs) -> Result<Cloud, String> {
    let Part { server, wiring, .. } = *part;
    let start = |site: &Site| match server {
        Server::Ours => Ok(()),
        Server::Python(release) => server::start(site, release, wiring),
    };
    let said = |site: &Site| match server {
        Server::Ours => String::new(),
        Server::Python(release) => server::logs(site, release, 40),
    };
    let change = Change {
        prepare: &|site| wiring.prepare(site),
        server: (server != Server::Ours).then_some(&start),
        said: &said,
        words: wiring.words(),
    };
    let site = crate::guide::deploy_with(programs, change)?;
    python::configure(&site, wiring)?;
    let project = demo_project(&site)?;
    let boot = |name, on| boot(&site, server, wiring, name, on, &project);
    let (first, second) = (boot("vm1", CONTROLLER)?, boot("vm2", COMPUTE)?);
    Ok(Cloud { site, server, wiring, first, second, project })
}

/// A cloud of ours alone whose two hosts are wired by Open vSwitch: VXLAN with l2population, the firewall in flows.
///
/// # Errors
/// Something does not start.
pub(crate) fn on_switches(programs: &Programs) -> Result<Site, String> {
    let wiring = Wiring::OpenVswitch;
    let said = |_: &Site| String::new();
    let prepare = |site: &Site| wiring.prepare(site);
    let change = Change { prepare: &prepare, server: None, said: &said, words: wiring.words() };
    let site = crate::guide::deploy_with(programs, change)?;
    crate::guide::as_printed::alive(&site, AGENTS_ALIVE)?;
    Ok(site)
}

/// Boots an instance and plugs its tap in, as Nova does.
fn boot(
    site: &Site,
    server: Server,
    wiring: Wiring,
    name: &str,
    on: &str,
    project: &str,
) -> Result<Instance, String> {
    let told = |why: String| format!("{why}\n{}", logs(site, server));
    let network = site.field(&["net-show", "private"], "id")?;
    let instance = Instance::boot_on(site, on, "private", name, &["--tenant-id", project]).map_err(told)?;
    wiring.plug_in(site.host(on), &network, &instance.plug)?;
    leased(&instance).map_err(told)?;
    Ok(instance)
}

/// What both kinds of agents said last, and a server of Python's.
fn logs(site: &Site, server: Server) -> String {
    let mut text = site.logs(8);
    for agent in AGENTS {
        let log = site.host(agent.on).daemon_log(&agent.python(), 8);
        if !log.is_empty() {
            text += &format!("--- {} on {}\n{log}", agent.python(), agent.on);
        }
    }
    if let Server::Python(release) = server {
        text += &server::logs(site, release, 40);
    }
    text
}

/// Ends one agent and starts the other of its kind, under traffic.
fn exchange(cloud: &Cloud, report: &mut Report, agent: &Agent, to: Kind) {
    let whose = if to == Kind::Python { "Python's" } else { "ours" };
    let tries = format!("{} on {}: {whose} takes over", agent.ours, agent.on);
    // Python's Open vSwitch agent loses seconds in some of its starts, after itself as well: see `anew`.
    let judged = to == Kind::Ours || !agent.switches();
    let expects = if judged {
        "no packet lost, no error, the agent alive"
    } else {
        "no error, the agent alive; what is lost is counted"
    };
    report.step(&tries, expects, || {
        let (figures, lost) = under_flood(cloud, || take_over(&cloud.site, agent, to))?;
        if lost > 0 && judged { Err(figures) } else { Ok(figures) }
    });
}

/// For comparison: what Python's agent loses when it takes over from itself. Nobody is blamed for it.
fn anew(cloud: &Cloud, report: &mut Report, agent: &Agent) {
    let tries = format!("{} on {}: Python's takes over from itself", agent.ours, agent.on);
    report.step(&tries, "whatever is lost is lost by Python's own doing", || {
        let host = cloud.site.host(agent.on);
        let (figures, _) = under_flood(cloud, || {
            host.end_daemon(&agent.python(), agent.ends_by()).map_err(words)?;
            python_starts(&cloud.site, agent)
        })?;
        Ok(figures)
    });
}

/// What was sent and lost while something was done, and how much was lost.
fn under_flood(cloud: &Cloud, act: impl FnOnce() -> Result<(), String>) -> Result<(String, u64), String> {
    let inward = Flood::start(&cloud.first.host, &cloud.second.ipv4())?;
    let outward = Flood::start(&cloud.second.host, INTERNET)?;
    let done = act();
    std::thread::sleep(WATCHED);
    let (inward, outward) = (inward.end()?, outward.end()?);
    done.map_err(|why| format!("{why}\n{}", logs(&cloud.site, cloud.server)))?;
    let figures = format!(
        "east-west {} sent, {} lost; outward {} sent, {} lost",
        inward.sent,
        inward.lost(),
        outward.sent,
        outward.lost()
    );
    Ok((figures, inward.lost() + outward.lost()))
}

fn take_over(site: &Site, agent: &Agent, to: Kind) -> Result<(), String> {
    let host = site.host(agent.on);
    let before = started(site, agent)?;
    match to {
        Kind::Python => {
            host.end_daemon(agent.ours, "TERM").map_err(words)?;
            python_starts(site, agent)?;
            sound(host, &agent.python())?;
        }
        Kind::Ours => {
            host.end_daemon(&agent.python(), agent.ends_by()).map_err(words)?;
            sound(host, &agent.python())?;
            site.start_unit(host, &format!("{}.service", agent.ours))?;
        }
    }
    within(SETTLED_MAX, || match started(site, agent)? {
        now if now == before => Err(format!("the server knows only of the agent's start at {before}")),
        now => Ok(now),
    })?;
    errors(&site.said(host, agent.ours, LOG_LINES))
}

fn python_starts(site: &Site, agent: &Agent) -> Result<(), String> {
    let host = site.host(agent.on);
    let before = agent.settled(host);
    host.start_daemon(&agent.daemon()?).map_err(words)?;
    within(SETTLED_MAX, || {
        if agent.settled(host) > before {
            Ok(())
        } else {
            Err(format!("it does not say '{}'", agent.settled))
        }
    })
}

/// When the server heard last that an agent, whoever's, started; an error unless all agents are alive.
fn started(site: &Site, agent: &Agent) -> Result<String, String> {
    let columns = ["id", "binary", "host", "alive"].map(|name| ["-c", name]).concat();
    let out = site.neutron(&[&["agent-list", "-f", "value"], &*columns].concat())?;
    if out.lines().filter(|line| line.ends_with(":-)")).count() != AGENTS_ALIVE {
        return Err(out);
    }
    let line = out.lines().find(|line| line.contains(&format!(" {} {} ", agent.ours, agent.on)));
    let id = line.and_then(|line| line.split(' ').next()).ok_or(out.as_str())?;
    site.field(&["agent-show", id, "-F", "started_at"], "started_at")
}
