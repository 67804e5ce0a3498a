//! Tunnel endpoints of Open vSwitch agents: `tunnel_sync` (`q-plugin`, version 1.4; without a host up to 1.1).

use super::args::Args;
use super::{failure, refused};
use crate::app::App;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::notifier;
use crate::p;
use rpc::{Failure, Target};
use serde_json::{Value, json};
use std::net::IpAddr;

/// The port that VXLAN endpoints are listed with.
const VXLAN_UDP_PORT: i64 = 4789;

/// The types of tunnels that have endpoints.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Tunnel {
    Gre,
    Vxlan,
    Geneve,
}

impl Tunnel {
    fn named(name: &str) -> Option<Tunnel> {
        match name {
            "gre" => Some(Tunnel::Gre),
            "vxlan" => Some(Tunnel::Vxlan),
            "geneve" => Some(Tunnel::Geneve),
            _ => None,
        }
    }

    fn table(self) -> &'static str {
        match self {
            Tunnel::Gre => "ml2_gre_endpoints",
            Tunnel::Vxlan => "ml2_vxlan_endpoints",
            Tunnel::Geneve => "ml2_geneve_endpoints",
        }
    }
}

struct Sync<'a> {
    tunnel: Tunnel,
    ip: &'a str,
    host: Option<&'a str>,
}

struct Synced {
    /// All endpoints, the caller's included.
    endpoints: Value,
    /// The address that the host had before: others tear their tunnels to it down.
    left: Option<String>,
}

/// Makes `host` the one behind `ip`. An address that was another host's is taken over silently: the other host
/// may have a new one by now.
async fn sync(tx: &mut Tx, input: &Sync<'_>) -> Result<Synced, Stop> {
    let Sync { tunnel, ip, host } = *input;
    let table = tunnel.table();
    let sql = format!("SELECT ip_address, host FROM {table} WHERE ip_address = ? OR host = ?");
    let known = tx.all(&sql, p![ip, host.unwrap_or_default()]).await?;
    let of_ip = known.iter().find(|row| row.text(0) == ip);
    let of_host = known.iter().find(|row| host.is_some() && row.opt_text(1).as_deref() == host);
    let moved = of_ip.is_none().then_some(of_host).flatten().map(|row| row.text(0));
    let stands = of_ip.is_some_and(|row| host.is_none() || row.opt_text(1).as_deref() == host);
    if !stands {
        let sql = format!("DELETE FROM {table} WHERE ip_address = ? OR host = ?");
        tx.exec(&sql, p![ip, host.unwrap_or_default()]).await?;
        let made = match tunnel {
            Tunnel::Vxlan => {
                let sql = format!("INSERT INTO {table} (ip_address, host, udp_port) VALUES (?, ?, ?)");
                tx.exec(&sql, p![ip, host.map(str::to_string), VXLAN_UDP_PORT]).await
            }
            Tunnel::Gre | Tunnel::Geneve => {
                let sql = format!("INSERT INTO {table} (ip_address, host) VALUES (?, ?)");
                tx.exec(&sql, p![ip, host.map(str::to_string)]).await
            }
        };
        match made {
            Err(Stop::Duplicate(key)) => return Err(Stop::Retry(format!("another server was first: {key}"))),
            other => other?,
        };
    }
    let port = if tunnel == Tunnel::Vxlan { "udp_port" } else { "NULL" };
    let rows =
        tx.all(&format!("SELECT ip_address, host, {port} FROM {table} ORDER BY ip_address"), &[]).await?;
    let endpoint = |row: &crate::db::Row| {
        let mut endpoint = json!({"ip_address": row.text(0), "host": row.opt_text(1)});
        if let Some(port) = row.opt_int(2) {
            endpoint["udp_port"] = json!(port);
        }
        endpoint
    };
    Ok(Synced { endpoints: rows.iter().map(endpoint).collect(), left: moved })
}

/// Answers `tunnel_sync`: remembers where the agent's tunnels end, tells all agents, and returns all endpoints.
pub(super) async fn tunnel_sync(app: &App, args: &Args) -> Result<Value, Failure> {
    let invalid =
        |error_message: &str| refused(&Fault::ConvertFailed { error_message: error_message.into() });
    let ip = args.opt("tunnel_ip").ok_or_else(|| invalid("Tunnel IP value needed by the ML2 plugin"))?;
    if ip.parse::<IpAddr>().is_err() {
        return Err(invalid(&format!("'{ip}' is no tunnel IP")));
    }
    let kind = args.opt("tunnel_type");
    let kind = kind.ok_or_else(|| invalid("Network type value needed by the ML2 plugin"))?;
    let host = args.opt("host");
    let Some(tunnel) = Tunnel::named(kind) else {
        let host = host.unwrap_or("legacy mode (no host provided by agent)");
        let message = format!("Network type value {kind} not supported, host: {host} with tunnel IP: {ip}");
        return Err(invalid(&message));
    };
    let synced = app.write(sync, &Sync { tunnel, ip, host }).await.map_err(failure)?;
    if let Some(left) = synced.left {
        let args = json!({"tunnel_ip": left, "tunnel_type": kind});
        let target = Target::fanout("q-agent-notifier-tunnel-delete");
        notifier::cast(app, &target, "tunnel_delete", "1.0", args).await;
    }
    let args = json!({"tunnel_ip": ip, "tunnel_type": kind});
    notifier::cast(app, &Target::fanout("q-agent-notifier-tunnel-update"), "tunnel_update", "1.0", args)
        .await;
    Ok(json!({"tunnels": synced.endpoints}))
}
