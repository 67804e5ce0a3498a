//! What runs in a process: server, agents, or both over one transport.

use crate::metrics;
use crate::roles::{Parts, Role};
use agent::{dhcp, l2, l3, metadata};
use oslo::config::Config;
use oslo::log::LogOptions;
use rpc::Transport;
use rpc::options::MessagingOptions;
use server::app::Shared;
use server::assemble::{self, Server, ServerOptions};
use server::serve::{Does, Running};
use std::path::Path;
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

type Ended = Result<(), String>;

/// How long messages that wait for the broker may take to leave when the process ends.
const LAST_MESSAGES: Duration = Duration::from_secs(3);

/// What runs in this process.
pub struct Process {
    http: Option<JoinHandle<std::io::Result<()>>>,
    running: Option<Running>,
    agents: JoinSet<Ended>,
    figures: Option<JoinHandle<()>>,
    transport: Transport,
    app: Option<Shared>,
    /// What it runs by.
    config: Config,
    end: watch::Sender<bool>,
}

impl Process {
    /// Starts all parts of a role. `home` is the folder where relative paths of the configuration begin.
    ///
    /// # Errors
    /// What is wrong, where, and what to do.
    pub async fn start(role: Role, config: &Config, home: &Path) -> Result<Process, String> {
        let parts = role.parts();
        let options = ServerOptions::load(config).map_err(|problem| problem.to_string())?;
        let host = host_name(&options)?;
        let transport = match role {
            Role::Standalone => Transport::memory(),
            _ => broker(config)?,
        };
        let (end, ended) = watch::channel(false);
        let mut process = Process {
            http: None,
            running: None,
            agents: JoinSet::new(),
            figures: None,
            transport,
            app: None,
            config: config.clone(),
            end,
        };
        if parts.server() {
            process.app = Some(process.server(parts, config, home, &host).await?);
        }
        let state = Path::new(&options.state_path);
        std::fs::create_dir_all(state)
            .map_err(|e| format!("[DEFAULT] state_path: {} cannot be made: {e}", state.display()))?;
        process.agents(parts, config, &host, &ended)?;
        process.figures =
            metrics::start(config, role.program(), process.app.clone(), process.transport.clone()).await;
        tracing::info!(host, "{} is ready", role.program());
        Ok(process)
    }

    async fn server(
        &mut self,
        parts: Parts,
        config: &Config,
        home: &Path,
        host: &str,
    ) -> Result<Shared, String> {
        let Server { app, changes, listen } = assemble::server(config, home, &self.transport).await?;
        let socket = if parts.api {
            let socket = tokio::net::TcpListener::bind(listen).await;
            let refused = |e| format!("[DEFAULT] bind_host, bind_port: cannot listen on {listen}: {e}");
            Some(socket.map_err(refused)?)
        } else {
            None
        };
        let does = Does { rpc: parts.rpc, periodic: parts.periodic };
        self.running = Some(server::serve::start_parts(&app, &self.transport, host, changes, does));
        if let Some(socket) = socket {
            let mut asked = self.end.subscribe();
            let end_of_http = async move { drop(asked.wait_for(|end| *end).await) };
            self.http = Some(tokio::spawn(server::api::serve_on(app.clone(), socket, end_of_http)));
            tracing::info!(%listen, "ready: http://{listen}/");
        }
        Ok(app)
    }

    fn agents(
        &mut self,
        parts: Parts,
        config: &Config,
        host: &str,
        ended: &watch::Receiver<bool>,
    ) -> Result<(), String> {
        let words = |problem: oslo::config::Problem| problem.to_string();
        if parts.l2 {
            let l2 = l2::L2Config::load(config, host).map_err(words)?;
            let (way, ended) = (self.transport.clone(), ended.clone());
            self.agents.spawn(async move {
                let here = ::host::netns::Netns::host();
                let (ready, _) = watch::channel(false);
                l2::run(l2, &way, &here, ready, ended).await.map_err(|e| format!("Linux bridge agent: {e}"))
            });
        }
        if parts.ovs {
            let ovs = l2::L2Config::load_openvswitch(config, host).map_err(words)?;
            let (way, ended) = (self.transport.clone(), ended.clone());
            self.agents.spawn(async move {
                let here = ::host::netns::Netns::host();
                let (ready, _) = watch::channel(false);
                l2::run(ovs, &way, &here, ready, ended).await.map_err(|e| format!("Open vSwitch agent: {e}"))
            });
        }
        if parts.dhcp {
            let options = dhcp::options::Options::load(config, host).map_err(words)?;
            let way = self.transport.clone();
            self.agents
                .spawn(async move { dhcp::run(options, &way).await.map_err(|e| format!("DHCP agent: {e}")) });
        }
        if parts.l3 {
            let options = l3::options::Options::load(config, host).map_err(words)?;
            let way = self.transport.clone();
            self.agents
                .spawn(async move { l3::run(options, &way).await.map_err(|e| format!("L3 agent: {e}")) });
        }
        if parts.metadata {
            let options = metadata::options::Options::load(config, host).map_err(words)?;
            let way = self.transport.clone();
            self.agents.spawn(async move {
                metadata::run(options, &way).await.map_err(|e| format!("metadata agent: {e}"))
            });
        }
        Ok(())
    }

    /// Waits until a part ends by itself, which none should; says why.
    pub async fn ended(&mut self) -> String {
        match self.agents.join_next().await {
            Some(Ok(Ok(()))) => "an agent ended by itself".to_string(),
            Some(Ok(Err(why))) => why,
            Some(Err(panic)) => format!("an agent broke: {panic}"),
            None => std::future::pending().await,
        }
    }

    /// Takes over what can be taken over from a configuration that was read again, and says what cannot.
    pub fn reload(&mut self, config: &Config) {
        let changed = self.config.differences(config);
        if let Some(app) = &self.app
            && let Err(problem) = assemble::reload(app, config)
        {
            return tracing::error!("the configuration is not taken over: {problem}");
        }
        let logs = LogOptions::declared();
        let followed = |group: &str, name: &str| {
            let server =
                || assemble::RELOADED.iter().any(|(g, n)| *g == group && (n.is_empty() || *n == name));
            (group == "DEFAULT" && logs.iter().any(|option| option.name == name))
                || (self.app.is_some() && server())
        };
        for (group, name) in &changed {
            let place = config.place(group, name).unwrap_or_else(|| "it is gone from the files".into());
            if followed(group, name) {
                tracing::info!("{place}: [{group}] {name} is taken over");
            } else {
                tracing::warn!("{place}: [{group}] {name} takes effect when the service is started anew");
            }
        }
        if changed.is_empty() {
            tracing::info!("the configuration was read again; nothing in it has changed");
        }
        // What waits for a new start is said once.
        self.config = config.clone();
    }

    /// Stops in order: no more requests, then agents hear of the last commits. Requests under way may take
    /// `grace`. What agents made stays.
    pub async fn stop(mut self, grace: Option<Duration>) {
        // Nobody listens any more when everything has ended already.
        let _ = self.end.send(true);
        if let Some(http) = self.http.take() {
            match grace {
                Some(grace) => drop(tokio::time::timeout(grace, http).await),
                None => drop(http.await),
            }
        }
        self.agents.abort_all();
        if let Some(running) = self.running.take() {
            running.stop().await;
        }
        while self.agents.join_next().await.is_some() {}
        // What was announced last still leaves; a broker that is gone must not hold the end.
        self.transport.close(LAST_MESSAGES).await;
        if let Some(figures) = &self.figures {
            figures.abort();
        }
    }
}

/// The way to the broker that the configuration names. `fake:` is oslo.messaging's word for messages that stay
/// inside the process: a server without agents needs no broker.
fn broker(config: &Config) -> Result<Transport, String> {
    let words = |problem: oslo::config::Problem| problem.to_string();
    let url = MessagingOptions::load(config).map_err(words)?.transport_url;
    if url.is_some_and(|url| url.starts_with("fake:")) {
        tracing::warn!("transport_url = fake: no agent of another process is heard");
        return Ok(Transport::memory());
    }
    Transport::from_config(config).map_err(words)
}

/// The host's name: as configured, or as the machine calls itself.
fn host_name(options: &ServerOptions) -> Result<String, String> {
    if !options.host.is_empty() {
        return Ok(options.host.clone());
    }
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
    name.map(|n| n.trim().to_string())
        .map_err(|e| format!("this machine's name cannot be read: {e}; set [DEFAULT] host"))
}
