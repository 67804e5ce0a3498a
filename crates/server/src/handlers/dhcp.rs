//! The DHCP agents' questions (`q-plugin`, version 1.10): their networks, and ports to answer from.

use super::args::Args;
use super::{bodies, failure, metadata, refused};
use crate::agents::{self, DHCP};
use crate::app::Shared;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::internal;
use crate::ml2::provisioning::{self, Entity};
use crate::request::Rq;
use crate::store::Query;
use model::dhcp::{DEVICE_ID_RESERVED_DHCP_PORT, DEVICE_OWNER_DHCP};
use oslo::context::Context;
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The DHCP endpoint.
pub struct Dhcp(pub Shared);

/// Why a port could not be made or changed although nobody did wrong: what it was for is gone.
const GONE: &[&str] = &["NetworkNotFound", "SubnetNotFound", "InvalidInput", "IpAddressGenerationFailure"];

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Networks with their subnets and ports: three lists, however many networks.
async fn infos(rq: Rq<'_>, tx: &mut Tx, ids: &[String], all_subnets: bool) -> Result<Vec<Value>, Stop> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let networks = bodies(rq, tx, "network", |r| Query::among(r, "id", ids)).await?;
    let mut subnets: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for subnet in bodies(rq, tx, "subnet", |r| Query::among(r, "network_id", ids)).await? {
        if all_subnets || subnet.get("enable_dhcp") == Some(&Value::Bool(true)) {
            let network = text(&subnet, "network_id").to_string();
            subnets.entry(network).or_default().push(Value::Object(subnet));
        }
    }
    let mut ports: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in bodies(rq, tx, "port", |r| Query::among(r, "network_id", ids)).await? {
        ports.entry(text(&port, "network_id").to_string()).or_default().push(Value::Object(port));
    }
    let info = |network: &Body| {
        let id = text(network, "id");
        json!({
            "id": id, "project_id": network.get("project_id"), "tenant_id": network.get("project_id"),
            "admin_state_up": network.get("admin_state_up"), "mtu": network.get("mtu"),
            "subnets": subnets.remove(id).unwrap_or_default(), "non_local_subnets": [],
            "ports": ports.remove(id).unwrap_or_default(),
        })
    };
    Ok(networks.iter().map(info).collect())
}

struct Schedule<'a> {
    app: &'a Shared,
    now: i64,
    host: &'a str,
}

async fn auto_schedule(tx: &mut Tx, input: &Schedule<'_>) -> Result<(), Stop> {
    agents::dhcp::auto_schedule(tx, &input.app.agents, input.now, input.host).await
}

struct Ready<'a> {
    rq: Rq<'a>,
    ports: Vec<String>,
}

async fn ready(tx: &mut Tx, input: &Ready<'_>) -> Result<Vec<String>, Stop> {
    provisioning::complete(input.rq, tx, &input.ports, Entity::Dhcp).await
}

impl Dhcp {
    /// The networks of the agent on a host; those nobody serves become its own first.
    async fn networks_of(&self, host: &str) -> Result<Vec<String>, Stop> {
        let app = &self.0;
        if app.agents.network_auto_schedule {
            app.write(auto_schedule, &Schedule { app, now: (app.clock)(), host }).await?;
        }
        let mut tx = app.db.read().await?;
        let Some(agent) = agents::on_host(&mut tx, DHCP, host).await? else { return Ok(Vec::new()) };
        if !agent.admin_state_up && !app.agents.enable_services_on_agents_with_admin_state_down {
            return Ok(Vec::new());
        }
        agents::dhcp::active_networks(&mut tx, &agent.id).await
    }

    async fn active_infos(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let ids = self.networks_of(args.text("host")?).await.map_err(failure)?;
        let all_subnets = args.0.get("enable_dhcp_filter") == Some(&Value::Bool(false));
        let mut tx = self.0.db.read().await.map_err(failure)?;
        infos(rq, &mut tx, &ids, all_subnets).await.map(Value::Array).map_err(failure)
    }

    async fn network_info(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let ids = [args.text("network_id")?.to_string()];
        let mut tx = self.0.db.read().await.map_err(failure)?;
        // Null asks for all subnets; an agent that says nothing gets those with DHCP.
        let all_subnets = args.0.get("enable_dhcp") == Some(&Value::Null);
        let mut found = infos(rq, &mut tx, &ids, all_subnets).await.map_err(failure)?;
        Ok(found.pop().unwrap_or(Value::Null))
    }

    /// What an agent asks to make or change: `port: {port: {…}}`, bound to the agent's host.
    fn wanted(args: &Args) -> Result<Body, Failure> {
        let outer = args.object("port");
        let mut port = outer.get("port").and_then(Value::as_object).cloned().unwrap_or_default();
        if let Some(project) = port.remove("tenant_id") {
            port.entry("project_id").or_insert(project);
        }
        port.insert("binding:host_id".into(), json!(args.text("host")?));
        Ok(port)
    }

    async fn create_dhcp_port(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let mut port = Self::wanted(args)?;
        port.insert("device_owner".into(), json!(DEVICE_OWNER_DHCP));
        answer(internal::create(rq, "port", port).await)
    }

    async fn update_dhcp_port(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let (id, host) = (args.text("port_id")?, args.text("host")?);
        let wanted = Self::wanted(args)?;
        let network = text(&wanted, "network_id").to_string();
        let (old, serves) = {
            let mut tx = self.0.db.read().await.map_err(failure)?;
            let old = bodies(rq, &mut tx, "port", |r| Query::by(r, "id", id)).await.map_err(failure)?.pop();
            let bound =
                agents::dhcp::hosting(&mut tx, std::slice::from_ref(&network)).await.map_err(failure)?;
            (old, bound.iter().any(|(_, agent)| agent.host == host))
        };
        let ours = agents::dhcp::device_id(&network, host);
        let Some(old) = old else { return Ok(Value::Null) };
        if ![DEVICE_ID_RESERVED_DHCP_PORT, ours.as_str()].contains(&text(&old, "device_id")) {
            return Ok(Value::Null);
        }
        if !serves {
            tracing::warn!(host, network, "the DHCP agent does not host the network");
            return Err(refused(&Fault::NetworkNotFound { net_id: network }));
        }
        let changes: Body = wanted
            .into_iter()
            .filter(|(name, value)| {
                old.get(name) != Some(value) && name != "network_id" && name != "project_id"
            })
            .collect();
        answer(internal::update(rq, "port", id, changes).await)
    }

    async fn release_dhcp_port(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let filters =
            json!({"device_id": [args.text("device_id")?], "network_id": [args.text("network_id")?]});
        let listing = Args([("filters".to_string(), filters)].into_iter().collect());
        let found = metadata::list(&self.0, "port", &listing).await?;
        for id in found.as_array().into_iter().flatten().filter_map(|port| port.get("id")?.as_str()) {
            internal::delete(rq, "port", id).await.map_err(|fault| refused(&fault))?;
        }
        Ok(Value::Null)
    }

    async fn get_dhcp_port(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        if args.opt("port_id").is_none() {
            return self.port_of_device(args).await;
        }
        let id = args.text("port_id")?;
        let mut tx = self.0.db.read().await.map_err(failure)?;
        let found = bodies(rq, &mut tx, "port", |r| Query::by(r, "id", id)).await.map_err(failure)?.pop();
        found.map(Value::Object).ok_or_else(|| refused(&Fault::PortNotFound { port_id: id.to_string() }))
    }

    /// The port by which agents of 2014 ask for theirs: of a device on a network; null where there is none.
    async fn port_of_device(&self, args: &Args) -> Result<Value, Failure> {
        let filters =
            json!({"device_id": [args.text("device_id")?], "network_id": [args.text("network_id")?]});
        let listing = Args([("filters".to_string(), filters)].into_iter().collect());
        let found = metadata::list(&self.0, "port", &listing).await?;
        Ok(found.as_array().and_then(|ports| ports.first()).cloned().unwrap_or(Value::Null))
    }

    /// Takes the addresses of one subnet from an agent's port, as agents of 2014 may ask.
    async fn release_port_fixed_ip(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let (port, subnet) = (self.port_of_device(args).await?, args.text("subnet_id")?);
        let Some(id) = port["id"].as_str() else { return Ok(Value::Null) };
        let addresses = port["fixed_ips"].as_array().into_iter().flatten();
        let left: Vec<&Value> = addresses.filter(|address| address["subnet_id"] != subnet).collect();
        let changes: Body = [("fixed_ips".to_string(), json!(left))].into_iter().collect();
        match internal::update(rq, "port", id, changes).await {
            // It went meanwhile, and its addresses with it.
            Ok(_) | Err(Fault::PortNotFound { .. }) => Ok(Value::Null),
            Err(fault) => Err(refused(&fault)),
        }
    }

    async fn dhcp_ready_on_ports(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let input = Ready { rq, ports: args.texts("port_ids") };
        self.0.write(ready, &input).await.map_err(failure)?;
        Ok(Value::Null)
    }
}

/// A port as an agent gets it; null where what it was for is gone.
fn answer(done: Result<Option<Body>, Fault>) -> Result<Value, Failure> {
    match done {
        Ok(port) => Ok(port.map_or(Value::Null, Value::Object)),
        Err(fault) if GONE.contains(&fault.kind()) => {
            tracing::warn!(%fault, "a DHCP port could not be made or changed");
            Ok(Value::Null)
        }
        Err(fault) => Err(refused(&fault)),
    }
}

impl Endpoint for Dhcp {
    fn version(&self) -> &str {
        "1.10"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            let ctx = Context::admin();
            let rq = Rq { app: &self.0, ctx: &ctx };
            match method {
                "get_active_networks_info" => self.active_infos(rq, &args).await,
                "get_active_networks" => {
                    self.networks_of(args.text("host")?).await.map(Value::from).map_err(failure)
                }
                "get_network_info" => self.network_info(rq, &args).await,
                "create_dhcp_port" => self.create_dhcp_port(rq, &args).await,
                "update_dhcp_port" => self.update_dhcp_port(rq, &args).await,
                "release_dhcp_port" => self.release_dhcp_port(rq, &args).await,
                "release_port_fixed_ip" => self.release_port_fixed_ip(rq, &args).await,
                "get_dhcp_port" => self.get_dhcp_port(rq, &args).await,
                "dhcp_ready_on_ports" => self.dhcp_ready_on_ports(rq, &args).await,
                // Agents of 2014 tell of leases that ran out; nothing has been kept of leases since.
                "update_lease_expiration" => Ok(Value::Null),
                "get_networks" => metadata::list(&self.0, "network", &args).await,
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
