//! neutron-rs and Python Neutron in one run: the same MariaDB at its default durability, the same Keystone, the
//! same requests, no agents alive.

use super::api::{failed, ms, post};
use super::bare;
use super::http::Connection;
use super::load::{self, Run};
use super::pair::{Around, Program, venv};
use super::process::{Scratch, machine};
use super::table::Table;
use serde_json::{Value, json};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// Clients at once.
const CLIENTS: [usize; 3] = [1, 8, 32];
/// Ports that are listed.
const SIZES: [usize; 2] = [1_000, 5_000];

/// What one program did.
struct Side {
    start: f64,
    idle_mib: f64,
    full_mib: f64,
    /// By clients: ports per second, CPU milliseconds of the program each.
    creates: Vec<(f64, f64, Run)>,
}

/// Measures both and the bare statements; `quick` divides the counts by ten.
///
/// # Errors
/// Something is not installed, does not start or refuses what it should do.
pub async fn run(neutron: &Path, quick: bool) -> io::Result<Table> {
    let scale = if quick { 10 } else { 1 };
    let around = Around::of_environment()?;
    let (scratch, venv) = (Scratch::new("against")?, venv()?);
    let token = token(&around.keystone).await?;
    let mut table = Table::new(machine()?);
    for size in SIZES {
        lists(neutron, &venv, &around, &scratch.0, &token, size / scale, &mut table).await?;
    }
    database(&around, "bench_ours").await?;
    let ours = Program::ours(neutron, &around, "bench_ours", &scratch.0.join("ours"), &token).await?;
    let ceiling = load::run(&ours.address, 8, 20_000 / scale, |_| ("GET", "/".into(), String::new())).await?;
    let ours = measure(ours, &token, 2_000 / scale).await?;
    let bare = bare_statements(&around, 2_000 / scale).await?;
    database(&around, "bench_python").await?;
    let python = Program::python(&venv, &around, "bench_python", &scratch.0.join("python"), &token).await?;
    let python = measure(python, &token, 200 / scale).await?;
    table.add("load generator's ceiling (GET /, 8 clients)", format!("{:.0}/s", ceiling.rate()), "", "");
    compare(&mut table, &ours, &python, &bare);
    Ok(table)
}

/// A database of that name, empty.
async fn database(around: &Around, name: &str) -> io::Result<()> {
    bare::statement(&around.mariadb, &format!("DROP DATABASE IF EXISTS {name}")).await?;
    bare::statement(&around.mariadb, &format!("CREATE DATABASE {name} CHARACTER SET utf8mb3")).await
}

/// A token of the project `demo`.
async fn token(keystone: &str) -> io::Result<String> {
    let host = keystone.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let body = json!({"auth": {"identity": {"methods": ["password"], "password": {"user": {
        "name": "demo", "domain": {"id": "default"}, "password": "demo-secret"}}},
        "scope": {"project": {"name": "demo", "domain": {"id": "default"}}}}});
    let mut connection = Connection::open(host).await?;
    let answer = connection.send("POST", "/v3/auth/tokens", &body.to_string()).await?;
    answer.token.ok_or_else(|| io::Error::other(format!("Keystone gives no token: {}", answer.status)))
}

/// A network with a subnet; its id.
async fn network(program: &Program, token: &str) -> io::Result<String> {
    let mut connection = Connection::open_as(&program.address, token).await?;
    let made = post(&mut connection, "/v2.0/networks", r#"{"network": {"name": "bench"}}"#).await?;
    let id = made["network"]["id"].as_str().unwrap_or_default().to_string();
    // Python closes its connections after each answer.
    let mut connection = Connection::open_as(&program.address, token).await?;
    let body = format!(r#"{{"subnet": {{"network_id": "{id}", "cidr": "10.0.0.0/14", "ip_version": 4}}}}"#);
    post(&mut connection, "/v2.0/subnets", &body).await?;
    Ok(id)
}

async fn create(
    program: &Program,
    token: &str,
    network: &str,
    clients: usize,
    count: usize,
) -> io::Result<Run> {
    let body: Arc<str> = format!(r#"{{"port": {{"network_id": "{network}"}}}}"#).into();
    load::run_as(&program.address, token, clients, count, move |_| {
        ("POST", "/v2.0/ports".into(), body.to_string())
    })
    .await
}

async fn measure(program: Program, token: &str, count: usize) -> io::Result<Side> {
    let network = network(&program, token).await?;
    let (start, idle_mib) = (program.started_in.as_secs_f64(), program.pss_mib()?);
    let mut creates = Vec::new();
    for clients in CLIENTS {
        let before = program.cpu()?;
        let run = create(&program, token, &network, clients, count).await?;
        let cpu = (program.cpu()? - before).as_secs_f64() * 1e3 / count.max(1) as f64;
        creates.push((run.rate(), cpu, run));
    }
    Ok(Side { start, idle_mib, full_mib: program.pss_mib()?, creates })
}

/// Ports per second of the bare statements, by clients.
async fn bare_statements(around: &Around, count: usize) -> io::Result<Vec<f64>> {
    let url = format!("{}/bench_ours", around.mariadb);
    let place = bare::place(&url).await?;
    let mut rates = Vec::new();
    for (round, clients) in CLIENTS.into_iter().enumerate() {
        let time = bare::run(&url, &place, round, clients, count).await?;
        rates.push(count as f64 / time.as_secs_f64().max(1e-9));
    }
    Ok(rates)
}

/// One database, listed by both.
async fn lists(
    neutron: &Path,
    venv: &Path,
    around: &Around,
    dir: &Path,
    token: &str,
    size: usize,
    table: &mut Table,
) -> io::Result<()> {
    let name = format!("bench_{size}");
    database(around, &name).await?;
    let ours = Program::ours(neutron, around, &name, &dir.join(&name), token).await?;
    let network = network(&ours, token).await?;
    create(&ours, token, &network, 8, size).await?;
    let (fast, ours_cpu) = list(&ours, token, size, 20).await?;
    drop(ours);
    let python = Program::python(venv, around, &name, &dir.join(format!("{name}_python")), token).await?;
    let (slow, python_cpu) = list(&python, token, size, 5).await?;
    let (a, b) = (fast.quantile_ms(0.5), slow.quantile_ms(0.5));
    table.add(
        format!("GET /v2.0/ports, {size} ports"),
        format!("p50 {a:.1} ms, {ours_cpu:.1} ms CPU: {:.0} times as fast{}", b / a, failed(&fast)),
        "30 times",
        &format!("p50 {b:.0} ms, {python_cpu:.0} ms CPU{}", failed(&slow)),
    );
    Ok(())
}

async fn list(program: &Program, token: &str, size: usize, times: usize) -> io::Result<(Run, f64)> {
    let before = program.cpu()?;
    let run =
        load::run_as(&program.address, token, 1, times, |_| ("GET", "/v2.0/ports".into(), String::new()))
            .await?;
    let cpu = (program.cpu()? - before).as_secs_f64() * 1e3 / times.max(1) as f64;
    let mut connection = Connection::open_as(&program.address, token).await?;
    let answer = connection.send("GET", "/v2.0/ports?fields=id", "").await?;
    let all: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
    match all["ports"].as_array().map(Vec::len) {
        Some(listed) if listed == size => Ok((run, cpu)),
        listed => Err(io::Error::other(format!("{listed:?} ports are listed instead of {size}"))),
    }
}

fn compare(table: &mut Table, ours: &Side, python: &Side, bare: &[f64]) {
    let both = ours.creates.iter().zip(&python.creates).zip(bare);
    for (clients, ((ours, python), bare)) in CLIENTS.into_iter().zip(both) {
        let (rate, cpu, run) = ours;
        table.add(
            format!("POST /v2.0/ports, {clients} clients"),
            format!(
                "{rate:.0}/s, p50 {:.2} ms: {:.0} times as many{}",
                run.quantile_ms(0.5),
                rate / python.0,
                failed(run)
            ),
            if clients == 1 { "" } else { "100 times" },
            &format!("{:.1}/s, p50 {:.0} ms{}", python.0, python.2.quantile_ms(0.5), failed(&python.2)),
        );
        table.add(
            "  the server's CPU each",
            format!("{cpu:.2} ms"),
            "< 1 ms",
            &format!("{:.0} ms", python.1),
        );
        let share = format!("{bare:.0}/s: the server makes {:.0} % of it", 100.0 * rate / bare);
        table.add("  its bare statements on this MariaDB", share, "20 %", "");
    }
    let start = std::time::Duration::from_secs_f64(ours.start);
    table.add("start to first answer", ms(start), "", &format!("{:.0} ms", python.start * 1e3));
    for (what, ours, python) in [
        ("memory (PSS), idle", ours.idle_mib, python.idle_mib),
        ("memory (PSS), after the ports", ours.full_mib, python.full_mib),
    ] {
        let part = format!("{ours:.1} MiB: 1/{:.0}", python / ours);
        table.add(what, part, "1/20", &format!("{python:.0} MiB"));
    }
}
