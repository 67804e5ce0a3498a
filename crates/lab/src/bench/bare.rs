//! What the database itself sustains: the statements of a port without a server, one transaction each.

use mysql_async::prelude::Queryable;
use mysql_async::{Conn, Opts, Params, TxOpts, Value};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What is read for a port: the network, its subnets and pools, the project's default group.
const READS: [&str; 3] = [
    "SELECT n.id, s.id, s.cidr, p.first_ip, p.last_ip FROM networks AS n LEFT JOIN subnets AS s ON s.network_id = n.id \
     LEFT JOIN ipallocationpools AS p ON p.subnet_id = s.id WHERE n.id = ?",
    "SELECT ip_address FROM ipamallocations WHERE ipam_subnet_id = ? AND ip_address = ?",
    "SELECT security_group_id FROM default_security_group WHERE project_id = ?",
];

/// Where the ports of a run go.
#[derive(Debug, Clone)]
pub struct Place {
    network: String,
    subnet: String,
    ipam_subnet: String,
    project: String,
}

fn other(error: impl std::fmt::Display) -> io::Error {
    io::Error::other(error.to_string())
}

async fn connect(url: &str) -> io::Result<Conn> {
    Conn::new(Opts::from_url(url).map_err(other)?).await.map_err(other)
}

/// Runs a statement on a database.
///
/// # Errors
/// It is refused.
pub async fn statement(url: &str, sql: &str) -> io::Result<()> {
    connect(url).await?.query_drop(sql).await.map_err(other)
}

/// The one network of a database.
///
/// # Errors
/// There is none with a subnet.
pub async fn place(url: &str) -> io::Result<Place> {
    let sql = "SELECT s.network_id, s.id, i.id, s.project_id FROM subnets AS s \
               JOIN ipamsubnets AS i ON i.neutron_subnet_id = s.id";
    let row: Option<(String, String, String, String)> =
        connect(url).await?.query_first(sql).await.map_err(other)?;
    let (network, subnet, ipam_subnet, project) = row.ok_or_else(|| other("there is no subnet"))?;
    Ok(Place { network, subnet, ipam_subnet, project })
}

/// Makes `count` ports over `clients` connections; from the first statement to the last commit.
///
/// # Errors
/// A statement is refused.
pub async fn run(
    url: &str,
    place: &Place,
    round: usize,
    clients: usize,
    count: usize,
) -> io::Result<Duration> {
    let next = Arc::new(AtomicUsize::new(0));
    let mut connections = Vec::new();
    for _ in 0..clients {
        connections.push(connect(url).await?);
    }
    let begin = Instant::now();
    let tasks: Vec<_> = connections
        .into_iter()
        .map(|connection| tokio::spawn(client(connection, place.clone(), next.clone(), round, count)))
        .collect();
    for task in tasks {
        task.await.map_err(other)??;
    }
    Ok(begin.elapsed())
}

async fn client(
    mut connection: Conn,
    place: Place,
    next: Arc<AtomicUsize>,
    round: usize,
    count: usize,
) -> io::Result<()> {
    loop {
        let n = next.fetch_add(1, Ordering::Relaxed);
        if n >= count {
            return connection.disconnect().await.map_err(other);
        }
        port(&mut connection, &place, round, n).await.map_err(other)?;
    }
}

fn texts(values: &[&str]) -> Params {
    Params::Positional(values.iter().map(|text| Value::from(*text)).collect())
}

/// Three reads and six inserts.
async fn port(
    connection: &mut Conn,
    place: &Place,
    round: usize,
    n: usize,
) -> Result<(), mysql_async::Error> {
    let id = format!("bbbbbbbb-{round:04}-4000-8000-{n:012}");
    let mac = format!("02:{round:02x}:00:{:02x}:{:02x}:{:02x}", n >> 16 & 255, n >> 8 & 255, n & 255);
    // Of no pool that a server gives addresses from.
    let ip = format!("172.{}.{}.{}", 16 + round, n >> 8 & 255, n & 255);
    let Place { network, subnet, ipam_subnet, project } = place;
    let mut tx = connection.start_transaction(TxOpts::default()).await?;
    for (sql, values) in READS.iter().zip([vec![network.as_str()], vec![ipam_subnet, &ip], vec![project]]) {
        let _: Vec<mysql_async::Row> = tx.exec(*sql, texts(&values)).await?;
    }
    let now = "2026-01-01 00:00:00";
    tx.exec_drop(
        "INSERT INTO standardattributes (resource_type, created_at, updated_at, description, revision_number) \
         VALUES ('ports', ?, ?, '', 1)",
        texts(&[now, now]),
    )
    .await?;
    let key = tx.last_insert_id().unwrap_or_default();
    let columns = [project, &id, "", network, &mac, "DOWN", "", ""].map(Value::from);
    let columns = columns.into_iter().chain([Value::from(key)]).collect();
    tx.exec_drop(
        "INSERT INTO ports (project_id, id, name, network_id, mac_address, status, device_id, device_owner, \
         standard_attr_id, admin_state_up) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)",
        Params::Positional(columns),
    )
    .await?;
    tx.exec_drop(
        "INSERT INTO portsecuritybindings (port_id, port_security_enabled) VALUES (?, 1)",
        texts(&[&id]),
    )
    .await?;
    tx.exec_drop(
        "INSERT INTO ipamallocations (ip_address, status, ipam_subnet_id) VALUES (?, 'ALLOCATED', ?)",
        texts(&[&ip, ipam_subnet]),
    )
    .await?;
    tx.exec_drop(
        "INSERT INTO ipallocations (port_id, ip_address, subnet_id, network_id) VALUES (?, ?, ?, ?)",
        texts(&[&id, &ip, subnet, network]),
    )
    .await?;
    tx.exec_drop(
        "INSERT INTO ml2_port_bindings (port_id, host, vif_type, vnic_type, profile, vif_details, status) \
         VALUES (?, '', 'unbound', 'normal', '', '', 'ACTIVE')",
        texts(&[&id]),
    )
    .await?;
    tx.commit().await
}
