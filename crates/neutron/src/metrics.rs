//! Figures for Prometheus on a port of their own: off unless a port is configured.

use axum::extract::State;
use axum::response::IntoResponse;
use http::header::CONTENT_TYPE;
use oslo::config::Config;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;
use rpc::Transport;
use server::app::Shared;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The format that Prometheus asks for.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

oslo::options! {
    /// Figures of this process for Prometheus.
    pub struct MetricsOptions in "metrics" {
        /// The address that figures are served on; they tell nothing secret, and anybody who reaches it may read.
        bind_host: IpAddr = IpAddr::from([127, 0, 0, 1]);
        /// The port that figures are served on (GET /metrics); 0 = none. Processes on one host need different
        /// ones: set it in the file of each service, not in neutron.conf.
        bind_port: u16 = 0;
    }
}

struct Figures {
    registry: Registry,
    app: Option<Shared>,
    transport: Transport,
    broker: Broker,
}

/// How the way to the broker is.
#[derive(Default)]
struct Broker {
    up: Gauge,
    connected: Gauge,
    dropped: Gauge,
}

impl Broker {
    fn register(&self, registry: &mut Registry) {
        let mut add = |name: &str, help: &str, gauge: &Gauge| registry.register(name, help, gauge.clone());
        add("neutron_rpc_up", "Whether messages are sent and heard", &self.up);
        add("neutron_rpc_connections", "How often the way to the broker came to be", &self.connected);
        add("neutron_rpc_dropped_messages", "Messages given up while there was no broker", &self.dropped);
    }

    fn refresh(&self, status: &rpc::Status) {
        let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.up.set(i64::from(status.up));
        self.connected.set(number(status.epoch));
        self.dropped.set(number(status.dropped));
    }
}

/// Serves figures if a port is configured. A process does not end for want of them: it says that there are none.
pub async fn start(
    config: &Config,
    program: &'static str,
    app: Option<Shared>,
    transport: Transport,
) -> Option<JoinHandle<()>> {
    let options = MetricsOptions::load(config).ok().filter(|options| options.bind_port != 0)?;
    let listen = SocketAddr::new(options.bind_host, options.bind_port);
    let socket = match TcpListener::bind(listen).await {
        Ok(socket) => socket,
        Err(e) => {
            tracing::error!("[metrics] bind_host, bind_port: no figures, cannot listen on {listen}: {e}");
            return None;
        }
    };
    let (broker, mut registry) = (Broker::default(), registry(program));
    broker.register(&mut registry);
    let figures = Arc::new(Figures { registry, app, transport, broker });
    let service = axum::Router::new().route("/metrics", axum::routing::get(show)).with_state(figures);
    tracing::info!(%listen, "figures: http://{listen}/metrics");
    Some(tokio::spawn(async move {
        if let Err(e) = axum::serve(socket, service).await {
            tracing::error!("figures are no longer served: {e}");
        }
    }))
}

fn registry(program: &'static str) -> Registry {
    let mut registry = Registry::default();
    let labels = vec![("program", program), ("version", env!("CARGO_PKG_VERSION"))];
    registry.register("neutron_build", "The program and its version", Info::new(labels));
    let started = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    registry.register(
        "process_start_time_seconds",
        "When the process started, in seconds since 1970",
        ConstGauge::new(started.as_secs_f64()),
    );
    server::metrics::register(&mut registry);
    agent::metrics::register(&mut registry);
    rpc::metrics::register(&mut registry);
    registry
}

async fn show(State(figures): State<Arc<Figures>>) -> impl IntoResponse {
    if let Some(app) = &figures.app {
        server::metrics::refresh(app).await;
    }
    figures.broker.refresh(&figures.transport.watch().borrow());
    let mut text = String::new();
    // Writing into a String does not fail.
    let _ = encode(&mut text, &figures.registry);
    ([(CONTENT_TYPE, OPEN_METRICS)], text)
}
