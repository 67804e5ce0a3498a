//! `report_state` and its siblings (version 1.4), on `q-reports-plugin` and, for older agents, `q-plugin`.

use super::args::Args;
use super::{failure, resources};
use crate::agents::{self, state};
use crate::app::Shared;
use crate::{notifier, p};
use rpc::{Answer, Call, Endpoint, Failure, Target};
use serde_json::{Map, Value, json};

/// Takes state reports.
pub struct State {
    app: Shared,
    /// When this server started: reports that were written before are stale.
    started: i64,
}

impl State {
    /// Of a server that starts now.
    pub fn new(app: Shared) -> State {
        let started = (app.clock)();
        State { app, started }
    }

    async fn report_state(&self, args: &Args) -> Result<Value, Failure> {
        let app = &self.app;
        let outer = args.object("agent_state");
        let inner = outer.get("agent_state").and_then(Value::as_object);
        let inner = inner.ok_or_else(|| Failure::internal("agent_state holds no agent_state"))?;
        let report = state::Report::read(inner).map_err(Failure::internal)?;
        let now = (app.clock)();
        if let Some(time) = args.opt("time").filter(|_| report.is_first()) {
            warn_of_clock(report.host(), now - agents::seconds(time), app.agents.agent_down_time);
        }
        if args.opt("time").is_some_and(|time| agents::seconds(time) < self.started) {
            tracing::debug!(host = ?inner.get("host"), "a report from before the server's start is ignored");
            return Ok(Value::Null);
        }
        if app.reports.absorbs(&report, now, &app.agents) {
            return Ok(json!(state::Status::Alive.word()));
        }
        let fresh_id = app.fresh_id();
        let input = state::Store { report: &report, now, fresh_id, options: &app.agents };
        let status = app.write(state::store, &input).await.map_err(failure)?;
        self.versions_reported(&report).await;
        app.reports.wrote(report, now);
        Ok(json!(status.word()))
    }

    /// What an agent listens for holds from now on, in the other servers too.
    async fn versions_reported(&self, report: &state::Report) {
        let app = &self.app;
        let Some((agent_type, versions)) = report.versions() else { return };
        app.versions.reported(agent_type, &versions);
        let args = json!({"agent_type": agent_type, "agent_host": report.host(), "version_map": versions});
        let target = Target::fanout(resources::SERVERS_TOPIC);
        notifier::cast(app, &target, "report_agent_resource_versions", "1.0", args).await;
    }

    async fn get_agents(&self, args: &Args) -> Result<Value, Failure> {
        let ctx = oslo::context::Context::admin();
        let rq = crate::request::Rq { app: &self.app, ctx: &ctx };
        let filters = args.object("filters");
        let mut tx = self.app.db.read().await.map_err(failure)?;
        let all = super::bodies(rq, &mut tx, "agent", |_| crate::store::Query::default());
        let fits = |body: &Map<String, Value>| {
            filters.iter().all(|(name, wanted)| match wanted.as_array() {
                Some(any) => body.get(name).is_some_and(|value| any.contains(value)),
                None => body.get(name) == Some(wanted),
            })
        };
        let found = all.await.map_err(failure)?;
        Ok(found.into_iter().filter(fits).map(Value::Object).collect())
    }

    async fn delete_agent(&self, args: &Args) -> Result<Value, Failure> {
        let (Some(host), Some(kind)) = (args.opt("host"), args.opt("agent_type")) else {
            tracing::warn!("delete_agent needs both host and agent_type");
            return Ok(Value::Null);
        };
        let mut tx = self.app.db.begin().await.map_err(failure)?;
        let sql = "DELETE FROM agents WHERE host = ? AND agent_type = ?";
        tx.exec(sql, p![host, kind]).await.map_err(failure)?;
        tx.commit().await.map_err(failure)?;
        self.app.reports.forget(kind, host);
        Ok(Value::Null)
    }
}

/// An agent whose clock is far from the server's would be taken for dead, or never.
fn warn_of_clock(host: &str, behind_seconds: i64, down_time: i64) {
    if behind_seconds.abs() > down_time {
        tracing::error!(
            host,
            behind_seconds,
            "the clocks of agent and server differ by more than agent_down_time ({down_time} s): the agent will \
             be taken for dead; set both clocks"
        );
    }
}

impl Endpoint for State {
    fn version(&self) -> &str {
        "1.4"
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move {
            let args = Args(args);
            match method {
                "report_state" => self.report_state(&args).await,
                "has_alive_neutron_server" => Ok(json!(self.app.db.read().await.is_ok())),
                "get_agents" => self.get_agents(&args).await,
                "delete_agent" => self.delete_agent(&args).await,
                _ => Err(Failure::no_such_method(method)),
            }
        })
    }
}
