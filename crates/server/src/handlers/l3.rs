//! The L3 agents' questions (`q-l3-plugin`, version 1.13): their routers with everything around them.

use super::args::Args;
use super::router::{self, routers};
use super::{failure, metadata, refused};
use crate::agents::{self, L3};
use crate::app::Shared;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::internal;
use crate::p;
use crate::request::Rq;
use crate::store;
use oslo::context::Context;
use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The routers' endpoint.
pub struct L3Plugin(pub Shared);

struct Schedule<'a> {
    app: &'a Shared,
    host: &'a str,
}

async fn auto_schedule(tx: &mut Tx, input: &Schedule<'_>) -> Result<(), Stop> {
    agents::l3::auto_schedule(tx, &input.app.agents, input.host).await
}

struct Statuses<'a> {
    rq: Rq<'a>,
    router: &'a str,
    wanted: BTreeMap<String, String>,
}

/// Floating IPs get the status their agent reports. Those last known on the router that are no longer
/// associated are DOWN: their agent does not know them any more. Nobody is told: it was an agent that told us.
async fn store_statuses(tx: &mut Tx, input: &Statuses<'_>) -> Result<(), Stop> {
    let Some(shape) = input.rq.app.catalog.shape("floatingip") else { return Ok(()) };
    let rows = tx
        .all(
            "SELECT id FROM floatingips WHERE last_known_router_id = ? AND router_id IS NULL",
            p![input.router],
        )
        .await?;
    let mut wanted = input.wanted.clone();
    for row in rows {
        wanted.insert(row.text(0), "DOWN".into());
    }
    for (id, status) in wanted {
        let known = tx.opt("SELECT status FROM floatingips WHERE id = ?", p![&id]).await?;
        if known.is_some_and(|row| row.text(0) != status) {
            let changes: Body = [("status".to_string(), json!(status))].into_iter().collect();
            store::update(input.rq, tx, shape.resource, &id, &changes).await?;
        }
    }
    Ok(())
}

impl L3Plugin {
    /// The routers of the agent on a host, of those asked for or all.
    async fn ids(&self, host: &str, asked: Option<&[String]>) -> Result<Vec<String>, Stop> {
        let mut tx = self.0.db.read().await?;
        let Some(agent) = agents::on_host(&mut tx, L3, host).await? else { return Ok(Vec::new()) };
        if !agent.admin_state_up && !self.0.agents.enable_services_on_agents_with_admin_state_down {
            return Ok(Vec::new());
        }
        agents::l3::routers_of(&mut tx, &agent.id, asked).await
    }

    /// The agent's routers; routers that nobody runs become its own first.
    async fn get_router_ids(&self, args: &Args) -> Result<Value, Failure> {
        let host = args.text("host")?;
        if self.0.agents.router_auto_schedule {
            self.0.write(auto_schedule, &Schedule { app: &self.0, host }).await.map_err(failure)?;
        }
        self.ids(host, None).await.map(Value::from).map_err(failure)
    }

    /// The agent's routers in full, their ports bound to its host first.
    async fn sync_routers(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let host = args.text("host")?;
        let asked = args.texts("router_ids");
        let ids = self.ids(host, Some(&asked)).await.map_err(failure)?;
        let found = self.read(rq, &ids, host).await?;
        let unbound = router::ports_to_bind(&found, host);
        if unbound.is_empty() {
            return Ok(Value::Array(found));
        }
        for port in unbound {
            let changes: Body = [("binding:host_id".to_string(), json!(host))].into_iter().collect();
            match internal::update(rq, "port", &port, changes).await {
                // It went between the reading and now: the next reading does not name it.
                Ok(_) | Err(Fault::PortNotFound { .. }) => {}
                Err(fault) => return Err(refused(&fault)),
            }
        }
        self.read(rq, &ids, host).await.map(Value::Array)
    }

    async fn read(&self, rq: Rq<'_>, ids: &[String], host: &str) -> Result<Vec<Value>, Failure> {
        let mut tx = self.0.db.read().await.map_err(failure)?;
        routers(rq, &mut tx, ids, host).await.map_err(failure)
    }

    async fn update_floatingip_statuses(&self, rq: Rq<'_>, args: &Args) -> Result<Value, Failure> {
        let statuses = args.object("fip_statuses");
        let wanted = statuses.into_iter().filter_map(|(id, s)| Some((id, s.as_str()?.to_string()))).collect();
        let input = Statuses { rq, router: args.text("router_id")?, wanted };
        self.0.write(store_statuses, &input).await.map_err(failure)?;
        Ok(Value::Null)
    }

    /// The one external network; agents up to 2015 ask when none is configured.
    async fn get_external_network_id(&self) -> Result<Value, Failure> {
        let mut tx = self.0.db.read().await.map_err(failure)?;
        let rows = tx.all("SELECT network_id FROM externalnetworks LIMIT 2", &[]).await.map_err(failure)?;
        match rows.as_slice() {
            [] => Ok(Value::Null),
            [one] => Ok(json!(one.text(0))),
            _ => Err(Failure::neutron(
                "TooManyExternalNetworks",
                "More than one external network exists.",
                Map::new(),
            )),
        }
    }
}

impl Endpoint for L3Plugin {
    fn version(&self) -> &str {
        "1.13"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            let ctx = Context::admin();
            let rq = Rq { app: &self.0, ctx: &ctx };
            match method {
                "get_router_ids" => self.get_router_ids(&args).await,
                "sync_routers" => self.sync_routers(rq, &args).await,
                "update_floatingip_statuses" => self.update_floatingip_statuses(rq, &args).await,
                "get_service_plugin_list" => Ok(json!(["CORE", "L3_ROUTER_NAT"])),
                "get_external_network_id" => self.get_external_network_id().await,
                "get_networks" => metadata::list(&self.0, "network", &args).await,
                // There are no highly available routers to count or to take down.
                "get_host_ha_router_count" => Ok(json!(0)),
                "update_all_ha_network_port_statuses" => Ok(Value::Null),
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
