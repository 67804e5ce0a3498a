//! Figures of the server, for Prometheus: requests, transactions, agents.

use crate::agents;
use crate::app::App;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::LazyLock;

/// Upper ends of the classes of durations, in seconds: most requests take less than one millisecond.
const SECONDS: [f64; 11] = [0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: String,
    resource: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct AgentLabels {
    agent_type: String,
    alive: &'static str,
    admin_state_up: &'static str,
}

struct Figures {
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    agents: Family<AgentLabels, Gauge>,
    transactions: Counter,
    retries: Counter,
}

static FIGURES: LazyLock<Figures> = LazyLock::new(|| Figures {
    requests: Family::new_with_constructor(|| Histogram::new(SECONDS)),
    agents: Family::default(),
    transactions: Counter::default(),
    retries: Counter::default(),
});

/// Makes the figures of a server known.
pub fn register(registry: &mut Registry) {
    let figures = &*FIGURES;
    registry.register(
        "neutron_http_request_duration_seconds",
        "Requests to the API by method, resource and status of the answer",
        figures.requests.clone(),
    );
    registry.register("neutron_agents", "Agents by type, liveness and admin state", figures.agents.clone());
    registry.register(
        "neutron_db_write_transactions",
        "Transactions that wrote and were committed",
        figures.transactions.clone(),
    );
    registry.register(
        "neutron_db_write_retries",
        "Transactions that the database asked to be run again",
        figures.retries.clone(),
    );
}

/// Counts a request.
pub(crate) fn request(method: &str, resource: &'static str, status: u16, seconds: f64) {
    // A client may invent methods; figures may not grow with them.
    let known = ["GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS", "PATCH"];
    let method = if known.contains(&method) { method } else { "other" };
    let labels = RequestLabels { method: method.to_string(), resource, status };
    FIGURES.requests.get_or_create(&labels).observe(seconds);
}

/// Counts a transaction that was committed after so many attempts before the last.
pub(crate) fn transaction(retries: u32) {
    FIGURES.transactions.inc();
    FIGURES.retries.inc_by(u64::from(retries));
}

/// Counts the agents anew; to be called before the figures are read.
pub async fn refresh(app: &App) {
    let now = (app.clock)();
    let all = match app.db.read().await {
        Ok(mut tx) => agents::list(&mut tx, None, None).await,
        Err(stop) => Err(stop),
    };
    let all = match all {
        Ok(all) => all,
        Err(stop) => return tracing::warn!(?stop, "agents cannot be counted"),
    };
    FIGURES.agents.clear();
    for agent in all {
        let word = |flag: bool| if flag { "true" } else { "false" };
        let labels = AgentLabels {
            alive: word(agent.alive(now, app.agents.agent_down_time)),
            admin_state_up: word(agent.admin_state_up),
            agent_type: agent.agent_type,
        };
        FIGURES.agents.get_or_create(&labels).inc();
    }
}
