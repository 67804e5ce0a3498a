//! The agents' figures, inside simulated hosts: from a plugged tap to an ACTIVE port, and a whole host from cold.
//!
//! `lab bench` starts the hosts and runs `lab bench-inside WHAT DIR` in them; that prints one line per figure.

use super::api::{median, ms, post};
use super::http::Connection;
use super::process::{Scratch, Server};
use super::table::Table;
use crate::host::{Host, Life};
use serde_json::Value;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Ports plugged one after the other for the median.
const PLUGS: usize = 21;
/// Networks, each with a router, of the host that is wired from cold.
const NETWORKS: usize = 50;
/// Ports on each of these networks.
const PORTS_PER_NETWORK: usize = 4;
/// How long the whole may take before it counts as failed.
const WIRED_MAX: Duration = Duration::from_secs(300);
/// What the standalone needs beside its defaults.
const CONFIG: &str = "[quotas]\nquota_router = -1\n[vxlan]\nlocal_ip = 192.0.2.1\n";
/// Between the lines of what runs inside and the table.
const MARK: &str = "figure\t";

/// Measures in hosts of its own; needs root.
///
/// # Errors
/// When a host cannot be made or something is not wired.
pub fn measure(lab: &Path, table: &mut Table) -> io::Result<()> {
    let scratch = Scratch::new("wiring")?;
    for what in ["plug", "prepare", "cold"] {
        let host = Host::start(lab, "bench", Life::WithStarter)?;
        host.run(&["ip", "link", "add", "eth0", "type", "veth", "peer", "name", "eth1"])?;
        host.run(&["ip", "address", "add", "192.0.2.1/24", "dev", "eth0"])?;
        host.run(&["ip", "link", "set", "eth0", "up"])?;
        host.run(&["ip", "link", "set", "eth1", "up"])?;
        let (lab, dir) = (lab.display().to_string(), scratch.0.display().to_string());
        let said = host.run(&[&lab, "bench-inside", what, &dir])?;
        for line in said.lines().filter_map(|line| line.strip_prefix(MARK)) {
            let mut cells = line.split('\t');
            let mut cell = || cells.next().unwrap_or_default().to_string();
            let (what, figure, aim) = (cell(), cell(), cell());
            table.add(what, figure, &aim, "");
        }
    }
    Ok(())
}

/// What runs inside a host.
///
/// # Errors
/// As [`measure`].
pub async fn inside(neutron: &Path, what: &str, dir: &Path) -> io::Result<()> {
    match what {
        "plug" => plug(neutron, &dir.join("plug")).await,
        "prepare" => prepare(neutron, &dir.join("cold")).await,
        "cold" => cold(neutron, &dir.join("cold")).await,
        other => Err(io::Error::other(format!("no such measurement: {other}"))),
    }
}

fn say(what: &str, figure: &str, aim: &str) -> io::Result<()> {
    io::Write::write_fmt(&mut io::stdout(), format_args!("{MARK}{what}\t{figure}\t{aim}\n"))
}

fn ip(words: &str) -> io::Result<()> {
    let done = Command::new("ip").args(words.split(' ')).stdin(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(());
    }
    Err(io::Error::other(format!("ip {words}: {}", String::from_utf8_lossy(&done.stderr))))
}

/// Plugs a tap as Nova does: the device appears on the host with the port's name.
fn plug_tap(port: &str) -> io::Result<()> {
    let (tap, peer) = (tap(port), format!("vif{}", short(port)));
    ip(&format!("link add {tap} type veth peer name {peer}"))?;
    ip(&format!("link set {peer} up"))?;
    ip(&format!("link set {tap} up"))
}

fn short(port: &str) -> &str {
    port.get(..11).unwrap_or(port)
}

fn tap(port: &str) -> String {
    format!("tap{}", short(port))
}

async fn get(connection: &mut Connection, path: &str) -> io::Result<Value> {
    let answer = connection.send("GET", path, "").await?;
    serde_json::from_slice(&answer.body).map_err(io::Error::other)
}

/// A network with a subnet of its own; answers with the ids of both.
async fn network(connection: &mut Connection, n: usize) -> io::Result<(String, String)> {
    let made = post(connection, "/v2.0/networks", &format!(r#"{{"network": {{"name": "n{n}"}}}}"#)).await?;
    let id = made["network"]["id"].as_str().unwrap_or_default().to_string();
    let body = format!(
        r#"{{"subnet": {{"network_id": "{id}", "cidr": "10.{}.{}.0/24", "ip_version": 4}}}}"#,
        1 + n / 250,
        n % 250
    );
    let made = post(connection, "/v2.0/subnets", &body).await?;
    Ok((id, made["subnet"]["id"].as_str().unwrap_or_default().to_string()))
}

async fn port(connection: &mut Connection, network: &str) -> io::Result<String> {
    let body = format!(r#"{{"port": {{"network_id": "{network}", "binding:host_id": "bench"}}}}"#);
    let made = post(connection, "/v2.0/ports", &body).await?;
    Ok(made["port"]["id"].as_str().unwrap_or_default().to_string())
}

/// The agents report when they have started; ports can be bound from then on.
async fn agents_alive(connection: &mut Connection) -> io::Result<()> {
    let begin = Instant::now();
    while begin.elapsed() < WIRED_MAX {
        let agents = get(connection, "/v2.0/agents").await?;
        if agents["agents"].as_array().is_some_and(|all| all.len() == 4) {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Err(io::Error::other("the agents do not report"))
}

async fn plug(neutron: &Path, dir: &Path) -> io::Result<()> {
    let server = Server::start(neutron, "standalone", dir, CONFIG).await?;
    let mut connection = Connection::open(&server.address).await?;
    agents_alive(&mut connection).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    say("resident memory of standalone, idle", &format!("{:.1} MiB", server.resident_mib()?), "< 40 MiB")?;
    let (network, _) = network(&mut connection, 0).await?;
    let mut times = Vec::new();
    for _ in 0..PLUGS {
        let port = port(&mut connection, &network).await?;
        let path = format!("/v2.0/ports/{port}?fields=status");
        let begin = Instant::now();
        plug_tap(&port)?;
        while get(&mut connection, &path).await?["port"]["status"] != "ACTIVE" {
            if begin.elapsed() > WIRED_MAX {
                return Err(io::Error::other(format!("port {port} does not become ACTIVE")));
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        times.push(begin.elapsed());
    }
    let longest = times.iter().max().copied().unwrap_or_default();
    let figure = format!("p50 {}, longest {}", ms(median(&mut times)), ms(longest));
    say("tap plugged to port ACTIVE, one after the other", &figure, "< 300 ms")
}

/// Fills a database whose agents then start on a host that has nothing yet.
async fn prepare(neutron: &Path, dir: &Path) -> io::Result<()> {
    let server = Server::start(neutron, "standalone", dir, CONFIG).await?;
    let mut connection = Connection::open(&server.address).await?;
    agents_alive(&mut connection).await?;
    let mut ports = String::new();
    for n in 0..NETWORKS {
        let (network, subnet) = network(&mut connection, n).await?;
        let made =
            post(&mut connection, "/v2.0/routers", &format!(r#"{{"router": {{"name": "r{n}"}}}}"#)).await?;
        let router = made["router"]["id"].as_str().unwrap_or_default();
        let path = format!("/v2.0/routers/{router}/add_router_interface");
        let added = connection.send("PUT", &path, &format!(r#"{{"subnet_id": "{subnet}"}}"#)).await?;
        if added.status != 200 {
            return Err(io::Error::other(format!("PUT {path}: {}", added.status)));
        }
        for _ in 0..PORTS_PER_NETWORK {
            ports += &port(&mut connection, &network).await?;
            ports.push('\n');
        }
    }
    std::fs::write(dir.join("ports"), ports)
}

/// What there is to wait for: ports that are ACTIVE, namespaces of routers and of DHCP servers.
async fn wired(connection: &mut Connection, ports: &[&str]) -> io::Result<bool> {
    let all = get(connection, "/v2.0/ports?status=ACTIVE&fields=id").await?;
    let active = all["ports"].as_array().map(Vec::as_slice).unwrap_or_default();
    let active: Vec<&str> = active.iter().filter_map(|p| p["id"].as_str()).collect();
    let spaces: Vec<String> = std::fs::read_dir("/run/netns")?
        .filter_map(|entry| Some(entry.ok()?.file_name().to_string_lossy().into_owned()))
        .collect();
    let count = |prefix: &str| spaces.iter().filter(|name| name.starts_with(prefix)).count();
    Ok(ports.iter().all(|port| active.contains(port))
        && count("qrouter-") == NETWORKS
        && count("qdhcp-") == NETWORKS)
}

async fn cold(neutron: &Path, dir: &Path) -> io::Result<()> {
    let text = std::fs::read_to_string(dir.join("ports"))?;
    let ports: Vec<&str> = text.lines().collect();
    for port in &ports {
        plug_tap(port)?;
    }
    let begin = Instant::now();
    let server = Server::start(neutron, "standalone", dir, CONFIG).await?;
    let mut connection = Connection::open(&server.address).await?;
    while !wired(&mut connection, &ports).await? {
        if begin.elapsed() > WIRED_MAX {
            return Err(io::Error::other("not everything is wired; the log is beside the database"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (time, cpu) = (begin.elapsed().as_secs_f64(), server.cpu()?.as_secs_f64());
    let what = format!("{NETWORKS} networks, {NETWORKS} routers, {} ports wired from cold", ports.len());
    say(&what, &format!("{time:.1} s, {cpu:.1} s CPU of the process"), "seconds")?;
    // What the moment took is given back by then.
    tokio::time::sleep(Duration::from_secs(12)).await;
    say("resident memory of standalone with those", &format!("{:.1} MiB", server.resident_mib()?), "< 40 MiB")
}
