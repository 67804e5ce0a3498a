//! The figures of a cloud on two hosts, with MariaDB, RabbitMQ and Keystone around it: a thousand ports bound and wired
//! at once, and an agent that starts anew beside what it wired before.
//!
//! The cloud is the mended guide's: VXLAN with l2population, security groups, DHCP on the controller. Each port's device
//! is there before the port is bound, so what is measured is Neutron's part from the binding to ACTIVE.

use super::process;
use super::table::Table;
use crate::cloud::{CONTROLLER, Programs};
use crate::guide;
use crate::host::Host;
use crate::instance::tap_of;
use crate::report::{within, words};
use crate::services::http::Target;
use crate::site::{COMPUTE, Site};
use crate::users::Users;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Neutron's API.
const API_PORT: u16 = 9696;
const NETWORKS: usize = 20;
/// Half of them for each host.
const PORTS_PER_NETWORK: usize = 50;
/// Requests at once.
const CLIENTS: usize = 8;
/// How long everything may take before it counts as failed.
const WIRED_MAX: Duration = Duration::from_secs(300);
/// How long the DHCP agent may take with what it was told of before the binding begins.
const QUIET: Duration = Duration::from_secs(5);
/// The agent that wires ports.
const AGENT: &str = "neutron-linuxbridge-agent";
const SERVER: &str = "neutron-server";

/// A port and the host it is for.
struct Place {
    port: String,
    host: &'static str,
}

/// Measures; needs root and the services' programs.
///
/// # Errors
/// The cloud does not start, or something is not wired.
pub fn run() -> io::Result<Table> {
    let mut table = Table::new(process::machine()?);
    let site = guide::deploy(&Programs::beside_this_one()?).map_err(io::Error::other)?;
    let done = measure(&site, &mut table);
    done.map_err(|why| io::Error::other(format!("{why}\n{}", site.logs(12))))?;
    Ok(table)
}

fn measure(site: &Site, table: &mut Table) -> Result<(), String> {
    let target = Target {
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)),
        prefix: "/v2.0".to_owned(),
        token: Some(site.services.token("admin", "admin", "admin")?),
    };
    let places = prepare(site, &target)?;
    for name in [CONTROLLER, COMPUTE] {
        plug(site.host(name), places.iter().filter(|place| place.host == name))?;
    }
    std::thread::sleep(QUIET);

    let (begin, cpu) = (Instant::now(), cpu(&site.controller, SERVER)?);
    bind(site, &target, &places)?;
    let bound = begin.elapsed();
    active(site, places.len())?;
    let (time, cpu) = (begin.elapsed().as_secs_f64(), self::cpu(&site.controller, SERVER)? - cpu);
    let count = places.len();
    let what = format!("{count} ports on {NETWORKS} networks over two hosts, from binding to ACTIVE");
    let figure = format!(
        "{time:.1} s: {:.0}/s; all bound after {:.1} s by {CLIENTS} clients",
        count as f64 / time,
        bound.as_secs_f64()
    );
    table.add(what, figure, "", "");
    let each = cpu.as_secs_f64() * 1e3 / count as f64;
    table.add("  the server's CPU for it", format!("{:.1} s, {each:.1} ms each", cpu.as_secs_f64()), "", "");
    resync(site, &places, table)
}

/// Networks, subnets, and ports that are bound nowhere yet.
fn prepare(site: &Site, target: &Target) -> Result<Vec<Place>, String> {
    let admin = site.field(&["net-show", "public"], "tenant_id")?;
    site.neutron(&[
        "quota-update",
        "--tenant-id",
        &admin,
        "--port",
        "-1",
        "--network",
        "-1",
        "--subnet",
        "-1",
    ])?;
    let mut places = Vec::new();
    for n in 0..NETWORKS {
        let made = post(site, target, "/networks", &json!({"network": {"name": format!("bench{n}")}}))?;
        let network = text(&made["network"]["id"]);
        let cidr = format!("10.{}.0.0/16", 60 + n);
        let subnet = json!({"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4}});
        post(site, target, "/subnets", &subnet)?;
        let port = json!({"network_id": network, "device_owner": "compute:nova"});
        let made = post(site, target, "/ports", &json!({"ports": vec![port; PORTS_PER_NETWORK]}))?;
        for (at, port) in made["ports"].as_array().into_iter().flatten().enumerate() {
            let host = if at % 2 == 0 { CONTROLLER } else { COMPUTE };
            places.push(Place { port: text(&port["id"]), host });
        }
    }
    Ok(places)
}

fn post(site: &Site, target: &Target, path: &str, body: &Value) -> Result<Value, String> {
    target.ask(&site.controller, "POST", path, Some(body)).map(|answer| answer.json())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Makes devices as Nova does, all by one command.
fn plug<'a>(host: &Host, places: impl Iterator<Item = &'a Place>) -> Result<(), String> {
    let mut lines = String::new();
    for tap in places.map(|place| tap_of(&place.port)) {
        let peer = tap.replacen("tap", "vif", 1);
        // Writing to a String cannot fail.
        let _ = writeln!(
            lines,
            "link add {tap} type veth peer name {peer}\nlink set {peer} up\nlink set {tap} up"
        );
    }
    host.write("/run/bench-taps", &lines).map_err(words)?;
    host.run(&["ip", "-batch", "/run/bench-taps"]).map(|_| ()).map_err(words)
}

/// Binds all ports, some clients at once.
fn bind(site: &Site, target: &Target, places: &[Place]) -> Result<(), String> {
    let next = AtomicUsize::new(0);
    let client = || -> Result<(), String> {
        while let Some(place) = places.get(next.fetch_add(1, Ordering::Relaxed)) {
            let body = json!({"port": {"binding:host_id": place.host}});
            target.ask(&site.controller, "PUT", &format!("/ports/{}", place.port), Some(&body))?;
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
        clients
            .into_iter()
            .try_for_each(|client| client.join().unwrap_or_else(|_| Err("a client broke".to_owned())))
    })
}

/// Waits until all ports are ACTIVE. The database is asked, so that the server has nothing to do with the waiting.
fn active(site: &Site, count: usize) -> Result<(), String> {
    let sql = "SELECT COUNT(*) FROM neutron.ports WHERE status = 'ACTIVE' AND device_owner = 'compute:nova'";
    within(WIRED_MAX, || {
        let active = site.services.sql(sql)?;
        if active.trim() == count.to_string() {
            return Ok(());
        }
        Err(format!("{} of {count} ports are ACTIVE", active.trim()))
    })
}

/// The compute host's agent starts anew; a port that was taken out of its bridge meanwhile shows when its first whole
/// pass is done, for devices are wired after everything that filters them.
fn resync(site: &Site, places: &[Place], table: &mut Table) -> Result<(), String> {
    let host = &site.compute;
    let here: Vec<&Place> = places.iter().filter(|place| place.host == COMPUTE).collect();
    let tap = here.last().map(|place| tap_of(&place.port)).ok_or("no port on the compute host")?;
    host.end_daemon(AGENT, "KILL").map_err(words)?;
    host.run(&["ip", "link", "set", &tap, "nomaster"]).map_err(words)?;
    let (begin, cpu) = (Instant::now(), cpu(&site.controller, SERVER)?);
    site.start_unit(host, &format!("{AGENT}.service"))?;
    within(WIRED_MAX, || match host.run(&["ip", "-o", "link", "show", &tap]).map_err(words)? {
        line if line.contains(" master ") => Ok(()),
        line => Err(format!("not in its bridge: {line}")),
    })?;
    let time = begin.elapsed().as_secs_f64();
    let agent = self::cpu(host, AGENT)?.as_secs_f64();
    // The statuses that it reports are stored by then.
    std::thread::sleep(QUIET);
    let cpu = (self::cpu(&site.controller, SERVER)? - cpu).as_secs_f64();
    let what = format!("an agent started anew beside its {} ports, until the last is wired", here.len());
    let figure = format!("{time:.1} s; CPU: agent {agent:.1} s, server {cpu:.1} s");
    table.add(what, figure, "", "");
    Ok(())
}

/// Processor time that a service has used so far.
fn cpu(host: &Host, name: &str) -> Result<Duration, String> {
    let stat = host.sh(&format!("cat /proc/$(cat /run/lab/{name}.pid)/stat")).map_err(words)?;
    Ok(process::cpu_of(&stat))
}
