//! Figures of messages, for Prometheus. They are kept by kind and outcome, not by method: whoever reaches the
//! broker may name methods.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::LazyLock;
use std::time::Instant;

/// Upper ends of the classes of durations, in seconds.
const SECONDS: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.05, 0.1, 1.0, 10.0, 60.0];

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Labels {
    kind: &'static str,
    outcome: &'static str,
}

/// Histograms by labels, made as they are needed.
type Durations = Family<Labels, Histogram, fn() -> Histogram>;

static MESSAGES: LazyLock<Durations> =
    LazyLock::new(|| Family::new_with_constructor(|| Histogram::new(SECONDS)));

/// Makes the figures of messages known.
pub fn register(registry: &mut Registry) {
    registry.register(
        "neutron_rpc_message_duration_seconds",
        "Messages: calls that we made until their answer, casts that we made, messages that we answered",
        MESSAGES.clone(),
    );
}

/// Counts a message of a kind (`call`, `cast`, `handled`) that was begun at `started`.
pub(crate) fn message(kind: &'static str, started: Instant, worked: bool) {
    let outcome = if worked { "ok" } else { "failed" };
    MESSAGES.get_or_create(&Labels { kind, outcome }).observe(started.elapsed().as_secs_f64());
}
