//! Figures of the agents, for Prometheus: passes and how long they took, state reports.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::LazyLock;
use std::time::Instant;

/// Upper ends of the classes of durations, in seconds: a pass without work takes some milliseconds.
const SECONDS: [f64; 9] = [0.002, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 30.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PassLabels {
    agent: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReportLabels {
    agent: &'static str,
    outcome: &'static str,
}

struct Figures {
    passes: Family<PassLabels, Histogram, fn() -> Histogram>,
    reports: Family<ReportLabels, Counter>,
}

static FIGURES: LazyLock<Figures> = LazyLock::new(|| Figures {
    passes: Family::new_with_constructor(|| Histogram::new(SECONDS)),
    reports: Family::default(),
});

/// Makes the figures of agents known.
pub fn register(registry: &mut Registry) {
    registry.register(
        "neutron_agent_pass_duration_seconds",
        "Passes of agents over what they look after, by outcome",
        FIGURES.passes.clone(),
    );
    registry.register(
        "neutron_agent_state_reports",
        "State reports to the server, by outcome",
        FIGURES.reports.clone(),
    );
}

fn word(worked: bool) -> &'static str {
    if worked { "ok" } else { "failed" }
}

/// Counts a pass of an agent, named as its binary, that began at `started`.
pub(crate) fn pass(agent: &'static str, started: Instant, worked: bool) {
    let labels = PassLabels { agent, outcome: word(worked) };
    FIGURES.passes.get_or_create(&labels).observe(started.elapsed().as_secs_f64());
}

/// Counts a state report.
pub(crate) fn report(agent: &'static str, worked: bool) {
    FIGURES.reports.get_or_create(&ReportLabels { agent, outcome: word(worked) }).inc();
}
