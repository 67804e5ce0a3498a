//! Where a floating IP leads: port, address and router.

use super::text;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::p;
use crate::request::Rq;
use crate::resources::router::rows::{self, FixedIp, PortRow};
use crate::resources::router::{gateway, interface, visible};
use serde_json::Value;

/// Where a floating IP leads.
pub struct Association {
    /// The port.
    pub port_id: String,
    /// Its address, IPv4.
    pub fixed_ip_address: String,
    /// The router between it and the external network.
    pub router_id: String,
}

fn bad(msg: String) -> Stop {
    Fault::FloatingipBadRequest { msg }.into()
}

/// DHCP ports get no floating IP.
fn serviced(owner: &str) -> bool {
    owner != "network:dhcp"
}

/// The association that `body` asks for; none where it asks for none. `fip` is the floating IP.
pub async fn asked(rq: Rq<'_>, tx: &mut Tx, body: &Body, fip: &Body) -> Result<Option<Association>, Stop> {
    let (port, address) = (text(body, "port_id"), text(body, "fixed_ip_address"));
    if port.is_empty() {
        if !address.is_empty() {
            return Err(bad("fixed_ip_address cannot be specified without a port_id".into()));
        }
        return Ok(None);
    }
    let port = usable(rq, tx, port, text(fip, "project_id")).await?;
    let ip = choose(&port, address)?;
    let router_id = match text(body, "router_id") {
        "" => find_router(tx, &port, ip, text(fip, "floating_network_id")).await?,
        router => named_router(rq, tx, router, text(fip, "floating_network_id")).await?,
    };
    let association =
        Association { port_id: port.id.clone(), fixed_ip_address: ip.ip_address.clone(), router_id };
    refuse_twin(tx, fip, &association).await?;
    Ok(Some(association))
}

async fn usable(rq: Rq<'_>, tx: &mut Tx, id: &str, project: &str) -> Result<PortRow, Stop> {
    let gone = || Fault::PortNotFound { port_id: id.into() };
    if !visible(rq, tx, "port", id).await? {
        return Err(gone().into());
    }
    let port = rows::port_by_id(tx, id).await?.ok_or_else(gone)?;
    if port.project_id != project && !rq.ctx.is_admin {
        return Err(bad(format!(
            "Cannot process floating IP association with Port {id}, since that port is owned by a different project"
        )));
    }
    if !serviced(&port.device_owner) {
        // Upstream forgets to fill in the id here; its words are kept.
        return Err(bad("Port %(id)s is unable to be assigned a floating IP".into()));
    }
    Ok(port)
}

/// The port's address to lead to: the one that is asked for, or the only IPv4 address there is.
fn choose<'a>(port: &'a PortRow, asked: &str) -> Result<&'a FixedIp, Stop> {
    let id = &port.id;
    if !asked.is_empty() {
        if asked.contains(':') {
            return Err(bad(format!(
                "Cannot process floating IP association with {asked}, since that is not an IPv4 address"
            )));
        }
        let found = port.fixed_ips.iter().find(|ip| ip.ip_address == asked);
        return found.ok_or_else(|| bad(format!("Port {id} does not have fixed ip {asked}")));
    }
    let mut four = port.fixed_ips.iter().filter(|ip| !ip.is_v6());
    match (four.next(), four.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            Err(bad(format!("Cannot add floating IP to port {id} that has no fixed IPv4 addresses")))
        }
        (Some(_), Some(_)) => Err(bad(format!(
            "Port {id} has multiple fixed IPv4 addresses.  Must provide a specific IPv4 address when assigning a floating IP"
        ))),
    }
}

/// The router between the address and the external network: the one whose interface is the subnet's gateway,
/// else any.
async fn find_router(tx: &mut Tx, port: &PortRow, ip: &FixedIp, external: &str) -> Result<String, Stop> {
    let sql = "SELECT DISTINCT routerports.router_id, ipallocations.ip_address FROM routerports JOIN ports ON ports.id = routerports.port_id JOIN ipallocations ON ipallocations.port_id = ports.id JOIN ports AS gw_port ON gw_port.device_id = routerports.router_id WHERE ports.network_id = ? AND routerports.port_type = ? AND ipallocations.subnet_id = ? AND gw_port.network_id = ? AND gw_port.device_owner = ? ORDER BY routerports.router_id";
    let params = p![&port.network_id, interface::OWNER, &ip.subnet_id, external, gateway::OWNER];
    let found = tx.all(sql, params).await?;
    let subnet = rows::subnets(tx, "id", &[&ip.subnet_id]).await?.into_iter().next();
    let gateway = subnet.and_then(|subnet| subnet.gateway_ip);
    let first = found.iter().find(|row| row.opt_text(1) == gateway).or_else(|| found.first());
    first.map(|row| row.text(0)).ok_or_else(|| {
        Fault::ExternalGatewayForFloatingIPNotFound {
            external_network_id: external.into(),
            subnet_id: ip.subnet_id.clone(),
            port_id: port.id.clone(),
        }
        .into()
    })
}

/// A router that the client named must lead to the external network.
async fn named_router(rq: Rq<'_>, tx: &mut Tx, router: &str, external: &str) -> Result<String, Stop> {
    if !visible(rq, tx, "router", router).await? {
        return Err(Fault::RouterNotFound { router_id: router.into() }.into());
    }
    let gateway = gateway::port(tx, router).await?;
    if gateway.is_some_and(|gateway| gateway.network_id == external) {
        return Ok(router.to_string());
    }
    Err(Fault::Conflict { text: format!("Router {router} has no external gateway on network {external}") }
        .into())
}

async fn refuse_twin(tx: &mut Tx, fip: &Body, wanted: &Association) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM floatingips WHERE fixed_port_id = ? AND floating_network_id = ? AND fixed_ip_address = ? AND id <> ?";
    let network = text(fip, "floating_network_id");
    let params = p![&wanted.port_id, network, &wanted.fixed_ip_address, text(fip, "id")];
    match tx.opt(sql, params).await? {
        None => Ok(()),
        Some(_) => {
            let mut taken_fip = fip.clone();
            taken_fip.insert("port_id".into(), Value::from(wanted.port_id.as_str()));
            taken_fip.insert("fixed_ip_address".into(), Value::from(wanted.fixed_ip_address.as_str()));
            Err(taken(&taken_fip).into())
        }
    }
}

/// The refusal of a second floating IP for one address.
pub fn taken(fip: &Body) -> Fault {
    Fault::FloatingIPPortAlreadyAssociated {
        floating_ip_address: text(fip, "floating_ip_address").into(),
        fip_id: text(fip, "id").into(),
        port_id: text(fip, "port_id").into(),
        fixed_ip: text(fip, "fixed_ip_address").into(),
        net_id: text(fip, "floating_network_id").into(),
    }
}
