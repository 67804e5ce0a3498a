//! The services as processes: the server, and server and agents in one.

use crate::memory;
use crate::roles::Role;
use crate::service::{self, Args};
use agent::{dhcp, l2, l3, metadata};
use clap::Parser;
use oslo::config::Config;
use rpc::Transport;
use server::assemble::{self, Server, ServerOptions};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What `neutron standalone` takes where no file says otherwise: everything in one folder, on this machine alone.
const STANDALONE: &str = "\
[DEFAULT]
auth_strategy = noauth
bind_host = 127.0.0.1
enable_isolated_metadata = true
[database]
connection = sqlite:///$state_path/neutron.sqlite
[ml2]
type_drivers = flat,vlan,gre,vxlan,geneve,local
project_network_types = vxlan
mechanism_drivers = linuxbridge,l2population
extension_drivers = port_security
[ml2_type_vxlan]
vni_ranges = 1:65535
[vxlan]
local_ip = 127.0.0.1
l2_population = true
";

/// What `neutron server` takes where no file says otherwise.
const SERVER: &str = "\
[database]
connection = sqlite:///$state_path/neutron.sqlite
";

/// Runs a role until it is asked to end; says what is wrong when it cannot.
pub fn run(role: Role, args: Vec<OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors to clap; it knows where to print and how to end.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match start(role, &args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            service::complain(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn start(role: Role, args: &Args) -> Result<(), String> {
    let (program, defaults) = match role {
        Role::Standalone => ("neutron-standalone", STANDALONE),
        Role::Server => ("neutron-server", SERVER),
        Role::LinuxBridgeAgent
        | Role::L3Agent
        | Role::DhcpAgent
        | Role::MetadataAgent
        | Role::Db
        | Role::Config => {
            return Err(
                "an agent as a process of its own needs a message broker, which this version does not \
                        speak to yet; `neutron standalone` runs server and agents in one process"
                    .into(),
            );
        }
    };
    let config = args.config(defaults)?;
    service::start_log(&config, program)?;
    service::log_review(&config);
    memory::limit_pools();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("the runtime does not start: {e}"))?;
    let home =
        args.config_files.first().and_then(|f| f.parent()).unwrap_or(Path::new("/etc/neutron")).to_path_buf();
    runtime.block_on(serve(&config, &home, role == Role::Standalone))
}

async fn serve(config: &Config, home: &Path, with_agents: bool) -> Result<(), String> {
    let transport = Transport::memory();
    let Server { app, changes, listen } = assemble::server(config, home, &transport).await?;
    let options = ServerOptions::load(config).map_err(|p| p.to_string())?;
    let host = host_name(&options)?;
    let socket = tokio::net::TcpListener::bind(listen).await;
    let socket =
        socket.map_err(|e| format!("[DEFAULT] bind_host, bind_port: cannot listen on {listen}: {e}"))?;
    let trims = tokio::spawn(memory::trim_regularly());
    let running = server::serve::start(&app, &transport, &host, changes);
    let (end, ended) = watch::channel(false);
    let mut agents = JoinSet::new();
    if with_agents {
        agents_of(config, &host, &PathBuf::from(&options.state_path), &transport, &ended, &mut agents)?;
    }
    tracing::info!(%listen, host, "ready: http://{listen}/");
    let mut asked = ended.clone();
    let end_of_http = async move { drop(asked.wait_for(|end| *end).await) };
    let http = tokio::spawn(server::api::serve_on(app, socket, end_of_http));
    let outcome = tokio::select! {
        done = service::asked_to_end() => done.map_err(|e| format!("signals cannot be watched: {e}")),
        Some(done) = agents.join_next() => Err(match done {
            Ok(Ok(())) => "an agent ended by itself".to_string(),
            Ok(Err(why)) => why,
            Err(panic) => format!("an agent broke: {panic}"),
        }),
    };
    tracing::info!("ending: what the agents made stays");
    // Nobody listens any more when everything has ended already.
    let _ = end.send(true);
    let _ = tokio::time::timeout(service::GRACE, http).await;
    running.stop().await;
    trims.abort();
    outcome
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

type Ended = Result<(), String>;

fn agents_of(
    config: &Config,
    host: &str,
    state: &Path,
    transport: &Transport,
    ended: &watch::Receiver<bool>,
    agents: &mut JoinSet<Ended>,
) -> Result<(), String> {
    std::fs::create_dir_all(state)
        .map_err(|e| format!("[DEFAULT] state_path: {} cannot be made: {e}", state.display()))?;
    let l2 = l2::L2Config::load(config, host).map_err(|p| p.to_string())?;
    let (way, ended) = (transport.clone(), ended.clone());
    agents.spawn(async move {
        let here = ::host::netns::Netns::host();
        let (ready, _) = watch::channel(false);
        l2::run(l2, &way, &here, ready, ended).await.map_err(|e| format!("Linux bridge agent: {e}"))
    });
    let words = |problem: oslo::config::Problem| problem.to_string();
    let (options, way) = (dhcp::options::Options::load(config, host).map_err(words)?, transport.clone());
    agents.spawn(async move { dhcp::run(options, &way).await.map_err(|e| format!("DHCP agent: {e}")) });
    let (options, way) = (l3::options::Options::load(config, host).map_err(words)?, transport.clone());
    agents.spawn(async move { l3::run(options, &way).await.map_err(|e| format!("L3 agent: {e}")) });
    let (options, way) = (metadata::options::Options::load(config, host).map_err(words)?, transport.clone());
    agents
        .spawn(async move { metadata::run(options, &way).await.map_err(|e| format!("metadata agent: {e}")) });
    Ok(())
}
