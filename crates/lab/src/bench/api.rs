//! The API's figures, on SQLite: start, ports created, listed, shown, changed, removed, the command's time.

use super::http::Connection;
use super::load::{self, Run};
use super::process::{Scratch, Server};
use super::table::Table;
use serde_json::Value;
use std::io;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Measures the server without agents.
pub async fn measure(neutron: &Path, quick: bool, table: &mut Table) -> io::Result<()> {
    let scale = if quick { 10 } else { 1 };
    let scratch = Scratch::new("bench")?;
    start_times(neutron, &scratch.0, table).await?;
    let server =
        Server::start(neutron, "server", &scratch.0.join("load"), "[quotas]\nquota_port = -1\n").await?;
    table.add(
        "resident memory, idle",
        format!("{:.1} MiB", server.resident_mib()?),
        "< 40 MiB",
        "661 MiB (PSS)",
    );
    ceiling(&server, 20_000 / scale, table).await?;
    let network = network(&server, "10.0.0.0/14").await?;
    creates(&server, &network, 2_000 / scale, table).await?;
    lists(neutron, &server, scale, table).await?;
    single(&server, 2_000 / scale, table).await?;
    table.add("resident memory, after all of this", format!("{:.1} MiB", server.resident_mib()?), "", "");
    Ok(())
}

async fn start_times(neutron: &Path, dir: &Path, table: &mut Table) -> io::Result<()> {
    let mut fresh = Vec::new();
    let mut again = Vec::new();
    for n in 0..5 {
        let state = dir.join(format!("start{n}"));
        fresh.push(Server::start(neutron, "server", &state, "").await?.started_in);
        again.push(Server::start(neutron, "server", &state, "").await?.started_in);
    }
    table.add("start to first answer, new database", ms(median(&mut fresh)), "< 500 ms", "");
    table.add("start to first answer, database there", ms(median(&mut again)), "< 500 ms", "3,900 ms");
    Ok(())
}

/// What the generator itself can do: the smallest request there is.
async fn ceiling(server: &Server, count: usize, table: &mut Table) -> io::Result<()> {
    let run = load::run(&server.address, 8, count, |_| ("GET", "/".into(), String::new())).await?;
    table.add("load generator's ceiling (GET /, 8 clients)", format!("{:.0}/s", run.rate()), "", "");
    Ok(())
}

async fn network(server: &Server, cidr: &str) -> io::Result<String> {
    let mut connection = Connection::open(&server.address).await?;
    let made = post(&mut connection, "/v2.0/networks", r#"{"network": {"name": "bench"}}"#).await?;
    let id = made["network"]["id"].as_str().unwrap_or_default().to_string();
    let body = format!(r#"{{"subnet": {{"network_id": "{id}", "cidr": "{cidr}", "ip_version": 4}}}}"#);
    post(&mut connection, "/v2.0/subnets", &body).await?;
    Ok(id)
}

pub(super) async fn post(connection: &mut Connection, path: &str, body: &str) -> io::Result<Value> {
    let answer = connection.send("POST", path, body).await?;
    if answer.status != 201 {
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        return Err(io::Error::other(format!("POST {path}: {} {text}", answer.status)));
    }
    serde_json::from_slice(&answer.body).map_err(io::Error::other)
}

async fn creates(server: &Server, network: &str, count: usize, table: &mut Table) -> io::Result<()> {
    for (clients, python) in [
        (1, "7.4/s, p50 122 ms, 102 ms CPU"),
        (8, "9.6/s, p50 799 ms, 124 ms CPU"),
        (32, "8.6/s, p50 3,709 ms, 137 ms CPU"),
    ] {
        let body: Arc<str> = format!(r#"{{"port": {{"network_id": "{network}"}}}}"#).into();
        let before = server.cpu()?;
        let run = load::run(&server.address, clients, count, move |_| {
            ("POST", "/v2.0/ports".into(), body.to_string())
        })
        .await?;
        let cpu = (server.cpu()? - before).as_secs_f64() * 1e3 / count as f64;
        let figure = format!(
            "{:.0}/s, p50 {:.2} ms, {cpu:.2} ms CPU{}",
            run.rate(),
            run.quantile_ms(0.5),
            failed(&run)
        );
        let aim = if clients == 1 { "< 1 ms CPU" } else { "> 1,000/s" };
        table.add(
            format!("POST /v2.0/ports, {clients} client{}", if clients == 1 { "" } else { "s" }),
            figure,
            aim,
            python,
        );
    }
    Ok(())
}

/// Lists of exactly 1,000 and 5,000 ports, on servers of their own.
async fn lists(neutron: &Path, server: &Server, scale: usize, table: &mut Table) -> io::Result<()> {
    for (size, aim, python) in [(1_000, "< 21 ms", "632 ms"), (5_000, "< 113 ms", "3,387 ms")] {
        let scratch = Scratch::new(&format!("list{size}"))?;
        let own = Server::start(neutron, "server", &scratch.0, "[quotas]\nquota_port = -1\n").await?;
        let network = network(&own, "10.0.0.0/16").await?;
        let body: Arc<str> = format!(r#"{{"port": {{"network_id": "{network}"}}}}"#).into();
        load::run(&own.address, 8, size, move |_| ("POST", "/v2.0/ports".into(), body.to_string())).await?;
        let before = own.cpu()?;
        let run = load::run(&own.address, 1, 20, |_| ("GET", "/v2.0/ports".into(), String::new())).await?;
        let cpu = (own.cpu()? - before).as_secs_f64() * 1e3 / 20.0;
        let figure = format!(
            "p50 {:.1} ms, {cpu:.1} ms CPU, {} KiB{}",
            run.quantile_ms(0.5),
            run.bytes / 1024,
            failed(&run)
        );
        table.add(format!("GET /v2.0/ports, {size} ports"), figure, aim, python);
        if size == 1_000 {
            table.add("neutron net-list, whole process", ms(command(neutron, &own)?), "< 20 ms", "1,070 ms");
        }
    }
    let _ = (server, scale);
    Ok(())
}

async fn single(server: &Server, count: usize, table: &mut Table) -> io::Result<()> {
    let mut connection = Connection::open(&server.address).await?;
    let answer = connection.send("GET", &format!("/v2.0/ports?fields=id&limit={count}"), "").await?;
    let all: Value = serde_json::from_slice(&answer.body).map_err(io::Error::other)?;
    let ids = all["ports"].as_array().cloned().unwrap_or_default();
    let ids: Arc<[String]> = ids.iter().filter_map(|p| Some(p["id"].as_str()?.to_string())).collect();
    let plan: [(&'static str, &'static str, &str); 3] = [
        ("GET", "", "108/s"),
        ("PUT", r#"{"port": {"name": "renamed"}}"#, "16.9/s"),
        ("DELETE", "", "22.1/s"),
    ];
    for (method, body, python) in plan {
        let of = ids.clone();
        let request = move |n: usize| (method, format!("/v2.0/ports/{}", of[n % of.len()]), body.to_string());
        let run = load::run(&server.address, 8, ids.len(), request).await?;
        let figure = format!("{:.0}/s, p50 {:.2} ms{}", run.rate(), run.quantile_ms(0.5), failed(&run));
        table.add(format!("{method} /v2.0/ports/ID, 8 clients"), figure, "", python);
    }
    Ok(())
}

/// The median time of `neutron net-list` as a whole process.
fn command(neutron: &Path, server: &Server) -> io::Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..21 {
        let begin = Instant::now();
        let done = Command::new(neutron)
            .arg("net-list")
            .env("OS_URL", format!("http://{}", server.address))
            .env("OS_AUTH_TYPE", "none")
            .env("OS_TOKEN", "none")
            .stdin(Stdio::null())
            .output()?;
        times.push(begin.elapsed());
        if !done.status.success() {
            return Err(io::Error::other(String::from_utf8_lossy(&done.stderr).into_owned()));
        }
    }
    Ok(median(&mut times))
}

pub(super) fn failed(run: &Run) -> String {
    if run.errors == 0 { String::new() } else { format!(", {} FAILED", run.errors) }
}

pub(super) fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

pub(super) fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}
