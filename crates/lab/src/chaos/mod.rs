//! `lab chaos`: processes of a cloud on two machines are killed under traffic and API load. No packet between running
//! instances may be lost, what was acknowledged must be in the database, and everything must be as it should within
//! 30 s, without help.

mod converged;
pub(crate) mod flood;
mod load;
mod switches;
mod two_servers;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use crate::cloud::{CONTROLLER, INTERNET, Programs};
use crate::guide::instances::{demo_project, leased};
use crate::host::Host;
use crate::instance::Instance;
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, Site};
use crate::users::Users;
use flood::{Count, Flood};
use load::{Ledger, Load, Order};

/// How long everything may take to be as it should.
const CONVERGED_MAX: Duration = Duration::from_secs(30);
/// Load before the first process is killed, and after the last was started again.
const LOAD_AROUND: Duration = Duration::from_secs(3);
/// How often the server is killed under load.
const SERVER_KILLS: u64 = 8;
/// Neutron's API.
const API_PORT: u16 = 9696;
/// The agents of the controller.
const CONTROLLER_AGENTS: [&str; 4] =
    ["neutron-linuxbridge-agent", "neutron-l3-agent", "neutron-dhcp-agent", "neutron-metadata-agent"];

/// A cloud with two instances, and a network for load.
struct Cloud {
    site: Site,
    first: Instance,
    second: Instance,
    order: Order,
    project: String,
}

/// A part of the run.
type Part = fn(&Programs, &mut Report);

/// Runs the parts whose names contain `only`, `bridges` and `switches`; false if anything was lost.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run(only: &str) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    let parts: [(&str, Part); 2] = [("bridges", bridges), ("switches", switches::run)];
    for (_, part) in parts.into_iter().filter(|(name, _)| name.contains(only)) {
        part(&programs, &mut report);
    }
    Ok(report.end())
}

/// Everything that can be killed, on hosts wired by Linux bridges.
fn bridges(programs: &Programs, report: &mut Report) {
    report.section("Chaos: two machines, instances on both, load on the API");
    let mut made = None;
    report.step("start the guide's cloud and an instance on each host", "they reach each other", || {
        let cloud = cloud(programs)?;
        let said = cloud.first.ping(&cloud.second.ipv4())?;
        made = Some(cloud);
        Ok(said)
    });
    if let Some(cloud) = made {
        faults(&cloud, report);
        two_servers::run(&cloud, report);
    }
}

fn cloud(programs: &Programs) -> Result<Cloud, String> {
    let site = crate::guide::deploy(programs)?;
    let project = demo_project(&site)?;
    let boot = |name: &str, on: &str| {
        let instance = Instance::boot_on(&site, on, "private", name, &["--tenant-id", &project])?;
        leased(&instance).map(|_| instance)
    };
    let (first, second) = (boot("vm1", CONTROLLER)?, boot("vm2", COMPUTE)?);
    site.neutron(&["quota-update", "--tenant-id", &admin_project(&site)?, "--port", "-1"])?;
    let network = site.object(&["net-create", "load"])?;
    site.neutron(&["subnet-create", "load", "10.50.0.0/16", "--name", "load"])?;
    let order = Order {
        host: site.controller.clone(),
        api: SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)),
        token: site.services.token("admin", "admin", "admin")?,
        network: network["id"].as_str().unwrap_or_default().to_owned(),
    };
    Ok(Cloud { site, first, second, order, project })
}

fn admin_project(site: &Site) -> Result<String, String> {
    site.field(&["net-show", "public"], "tenant_id")
}

/// What is done to the cloud; a process is gone for as long as its start takes, or as the fault itself says.
type Hurt = fn(&Site, &Order) -> Result<(), String>;

fn faults(cloud: &Cloud, report: &mut Report) {
    let all: [(&str, Hurt); 6] = [
        ("kill -9 the compute host's agent", |site, _| {
            again(site, &site.compute, "neutron-linuxbridge-agent")
        }),
        ("kill -9 all agents of the controller", |site, _| {
            CONTROLLER_AGENTS.iter().try_for_each(|name| again(site, &site.controller, name))
        }),
        ("kill -9 the server, again and again", server),
        ("kill -9 the server between commits and their announcements", unannounced),
        ("kill -9 RabbitMQ", |site, _| {
            site.controller.end_daemon("rabbitmq", "KILL").map_err(words)?;
            broker(site)
        }),
        ("kill -9 MariaDB", |site, _| {
            site.controller.end_daemon("mariadb", "KILL").map_err(words)?;
            site.services.mariadb_start()?;
            site.services.mariadb_wait()
        }),
    ];
    let expects = "no packet lost, what was acknowledged is there, all as it should be within 30 s";
    for (name, hurt) in all {
        report.step(name, expects, || {
            one(cloud, hurt).map_err(|why| format!("{why}\n{}", cloud.site.logs(12)))
        });
    }
}

/// Kills a service and starts it.
fn again(site: &Site, host: &Host, name: &str) -> Result<(), String> {
    host.end_daemon(name, "KILL").map_err(words)?;
    site.start_unit(host, &format!("{name}.service"))
}

/// Kills the server at moments that differ, so that some fall between a commit and what follows it.
fn server(site: &Site, order: &Order) -> Result<(), String> {
    for nth in 0..SERVER_KILLS {
        again(site, &site.controller, "neutron-server")?;
        within(CONVERGED_MAX, || {
            order.target().ask(&order.host, "GET", "/networks?limit=1&fields=id", None).map(|_| ())
        })?;
        std::thread::sleep(Duration::from_millis(400 + 137 * nth));
    }
    Ok(())
}

/// Kills the server when it has committed changes that nobody has heard of: without a broker it cannot announce any.
fn unannounced(site: &Site, _: &Order) -> Result<(), String> {
    site.controller.end_daemon("rabbitmq", "KILL").map_err(words)?;
    std::thread::sleep(LOAD_AROUND);
    site.controller.end_daemon("neutron-server", "KILL").map_err(words)?;
    let kept = site.services.sql("SELECT COUNT(*) FROM neutron.neutronrs_outbox")?;
    broker(site)?;
    site.start_unit(&site.controller, "neutron-server.service")?;
    match kept.trim() {
        "0" => Err("the server had announced everything: nothing was tried".into()),
        _ => Ok(()),
    }
}

fn broker(site: &Site) -> Result<(), String> {
    site.services.rabbitmq_start()?;
    site.services.rabbitmq_wait()
}

/// One fault under traffic and load; the figures.
fn one(cloud: &Cloud, hurt: Hurt) -> Result<String, String> {
    let inward = Flood::start(&cloud.first.host, &cloud.second.ipv4())?;
    let outward = Flood::start(&cloud.second.host, INTERNET)?;
    let load = Load::start(&cloud.order);
    std::thread::sleep(LOAD_AROUND);
    let hurting = hurt(&cloud.site, &cloud.order);
    let healing = Instant::now();
    std::thread::sleep(LOAD_AROUND);
    let ledger = load.stop();
    let converged = within(CONVERGED_MAX.saturating_sub(healing.elapsed()), || {
        converged::all(&cloud.site, &cloud.order, &ledger, &cloud.project)
    });
    let took = healing.elapsed();
    let (inward, outward) = (inward.end()?, outward.end()?);
    hurting?;
    let figures = figures(&ledger, &[("east-west", inward), ("outward", outward)], took);
    let said = converged.map_err(|why| format!("{figures}\n{why}"))?;
    if inward.lost() + outward.lost() > 0 {
        return Err(format!("packets were lost\n{figures}"));
    }
    Ok(format!("{figures}\n{said}"))
}

fn figures(ledger: &Ledger, floods: &[(&str, Count)], took: Duration) -> String {
    let mut text = String::new();
    for (name, count) in floods {
        text += &format!("{name}: {} packets sent, {} lost\n", count.sent, count.lost());
    }
    text += &format!(
        "API: {} requests acknowledged, {} not ({:?}), longest silence {:.2} s\nas it should be {:.2} s after the restart",
        ledger.acknowledged,
        ledger.failures(),
        ledger.failed,
        ledger.longest_silence.as_secs_f64(),
        took.as_secs_f64()
    );
    text
}
