//! Hosts that are wired by Open vSwitch, with the firewall in flows: agents are killed at random moments under flood,
//! which no flow may notice; ovs-vswitchd is killed, and everything it lost must be back in time.

use std::time::{Duration, Instant, SystemTime};

use super::again;
use super::flood::Flood;
use crate::cloud::{CONTROLLER, INTERNET, Programs};
use crate::flow_watch::FlowWatch;
use crate::guide::instances::{demo_project, leased};
use crate::host::Host;
use crate::instance::Instance;
use crate::interop::on_switches;
use crate::interop::wiring::Wiring;
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, Site};
use crate::vswitch;

const AGENT: &str = "neutron-openvswitch-agent";
/// How often each agent is killed.
const KILLS: u64 = 12;
/// An agent lives for less than this, in milliseconds: from before it has read anything to after its first passes.
const LIFE_MAX: u64 = 1500;
/// An agent that is left alone has looked at everything by then.
const LOOKED: Duration = Duration::from_secs(12);
/// Flows, tunnels and ports are back by then, after ovs-vswitchd was started anew.
const BACK_MAX: Duration = Duration::from_secs(3);
/// How long is waited for them, to tell late from never.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bridges that agents make.
const BRIDGES: [&str; 2] = ["br-int", "br-tun"];

struct Cloud {
    site: Site,
    first: Instance,
    second: Instance,
}

/// Takes its steps in a cloud of its own.
pub(super) fn run(programs: &Programs, report: &mut Report) {
    report.section("Chaos on Open vSwitch: two machines, VXLAN, the firewall in flows");
    let mut made = None;
    report.step(
        "start the cloud and an instance on each host",
        "they reach each other and the outside",
        || {
            let cloud = cloud(programs)?;
            let said = reach(&cloud);
            made = Some(cloud);
            said
        },
    );
    let Some(cloud) = made else { return };
    for on in [COMPUTE, CONTROLLER] {
        let host = if on == COMPUTE { &*cloud.site.compute } else { &*cloud.site.controller };
        let tries = format!("kill -9 {AGENT} on {on} at {KILLS} random moments");
        report.step(&tries, "no packet lost, no flow added, changed or deleted", || {
            killed(&cloud, host).map_err(|why| format!("{why}\n{}", cloud.site.logs(12)))
        });
    }
    for on in [COMPUTE, CONTROLLER] {
        let host = if on == COMPUTE { &*cloud.site.compute } else { &*cloud.site.controller };
        let tries = format!("kill -9 ovs-vswitchd on {on}, start it");
        let expects = format!("all is back within {} s", BACK_MAX.as_secs());
        report.step(&tries, &expects, || {
            emptied(&cloud, host).map_err(|why| format!("{why}\n{}", cloud.site.logs(12)))
        });
    }
}

fn cloud(programs: &Programs) -> Result<Cloud, String> {
    let site = on_switches(programs)?;
    let project = demo_project(&site)?;
    let boot = |name: &str, on: &str| {
        let instance = Instance::boot_on(&site, on, "private", name, &["--tenant-id", &project])?;
        leased(&instance).map(|_| instance)
    };
    let (first, second) = (boot("vm1", CONTROLLER)?, boot("vm2", COMPUTE)?);
    Ok(Cloud { site, first, second })
}

fn reach(cloud: &Cloud) -> Result<String, String> {
    let inward = cloud.first.ping(&cloud.second.ipv4())?;
    Ok(format!("{inward}\n{}", cloud.second.ping(INTERNET)?))
}

/// Kills a host's agent again and again, and leaves it alone in the end.
fn killed(cloud: &Cloud, host: &Host) -> Result<String, String> {
    let watches =
        BRIDGES.iter().map(|bridge| FlowWatch::start(host, bridge)).collect::<Result<Vec<_>, String>>()?;
    let inward = Flood::start(&cloud.first.host, &cloud.second.ipv4())?;
    let outward = Flood::start(&cloud.second.host, INTERNET)?;
    let mut lives = Vec::new();
    let mut killing = Ok(());
    for life in moments(KILLS) {
        killing = again(&cloud.site, host, AGENT);
        if killing.is_err() {
            break;
        }
        std::thread::sleep(life);
        lives.push(format!("{:.2}", life.as_secs_f64()));
    }
    std::thread::sleep(LOOKED);
    let (inward, outward) = (inward.end()?, outward.end()?);
    killing?;
    let figures = format!(
        "east-west {} sent, {} lost; outward {} sent, {} lost; it lived for {} s",
        inward.sent,
        inward.lost(),
        outward.sent,
        outward.lost(),
        lives.join(", ")
    );
    for (bridge, watch) in BRIDGES.iter().zip(&watches) {
        let lines = watch.lines()?;
        if !lines.is_empty() {
            return Err(format!("{figures}\nflows of {bridge} changed:\n{}", lines.join("\n")));
        }
    }
    if inward.lost() + outward.lost() > 0 { Err(figures) } else { Ok(figures) }
}

/// Times for which an agent lives, drawn from the clock.
fn moments(count: u64) -> impl Iterator<Item = Duration> {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let mut state = now.as_nanos() as u64;
    (0..count).map(move |_| {
        // Knuth's constants: its upper bits are as good as dice.
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        Duration::from_millis((state >> 33) % LIFE_MAX)
    })
}

/// Kills a host's ovs-vswitchd: it switches packets itself, so that its flows are lost, and devices in namespaces lead
/// nowhere.
fn emptied(cloud: &Cloud, host: &Host) -> Result<String, String> {
    host.end_daemon("ovs-vswitchd", "KILL").map_err(words)?;
    let begin = Instant::now();
    vswitch::start_switch(host)?;
    Wiring::OpenVswitch.tunnels(host)?;
    let started = begin.elapsed();
    let answers = |from: &Host, to: &str| {
        within(PATIENCE, || from.run(&["ping", "-q", "-c", "1", "-W", "0.2", to]).map_err(words))?;
        Ok::<_, String>(begin.elapsed())
    };
    let inward = answers(&cloud.first.host, &cloud.second.ipv4())?;
    let outward = answers(&cloud.second.host, INTERNET)?;
    let lease = {
        cloud.second.forget_lease()?;
        leased(&cloud.second)?;
        begin.elapsed()
    };
    let figures = format!(
        "after its start: it answers {:.2} s, east-west {:.2} s, outward {:.2} s, a new lease {:.2} s",
        started.as_secs_f64(),
        inward.as_secs_f64(),
        outward.as_secs_f64(),
        lease.as_secs_f64()
    );
    if outward > BACK_MAX { Err(figures) } else { Ok(figures) }
}
