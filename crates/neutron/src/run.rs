//! The services as processes: from the arguments to the end.

use crate::memory;
use crate::options::ProcessOptions;
use crate::parts::Process;
use crate::review;
use crate::roles::Role;
use crate::search::Search;
use crate::service::{self, Args, Asked, Signals};
use oslo::config::Config;
use sd_notify::NotifyState;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

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

/// What a server takes where no file says otherwise.
const SERVER: &str = "\
[database]
connection = sqlite:///$state_path/neutron.sqlite
";

/// What a server needs to be told.
const SERVER_NEEDS: &str = "\
it needs at least: in neutron.conf [DEFAULT] transport_url (RabbitMQ), [database] connection, and who users are \
(auth_strategy with [keystone_authtoken]); in plugin.ini, a link to plugins/ml2/ml2_conf.ini, the [ml2] network types \
and mechanism drivers
`neutron standalone` runs server and agents on one machine without any file";

/// What an agent needs to be told.
const AGENT_NEEDS: &str = "it needs at least: in neutron.conf [DEFAULT] transport_url (RabbitMQ)";

/// Runs a role until it is asked to end; says what is wrong when it cannot.
pub fn run(role: Role, args: Vec<OsString>) -> ExitCode {
    let args = match Args::of(role.program(), args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are errors to clap; it knows where to print and how to end.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match Setup::of(role, args).and_then(|setup| start(&setup)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            service::complain(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

/// Where a process has its configuration from.
struct Setup {
    role: Role,
    args: Args,
    search: Search,
}

impl Setup {
    fn of(role: Role, args: Args) -> Result<Setup, String> {
        // Standalone is complete without files: what lies about on the machine is meant for others.
        let search = match role {
            Role::Standalone => Search::default(),
            _ => {
                let home = std::env::var_os("HOME").map(PathBuf::from);
                Search::of(role.program(), role.own_files(), home.as_deref(), Path::exists)
            }
        };
        let none = args.config_files.is_empty() && args.config_dirs.is_empty() && search.files.is_empty();
        if none && role != Role::Standalone {
            let needs = if role.parts().server() { SERVER_NEEDS } else { AGENT_NEEDS };
            return Err(search.in_vain(role.program(), needs));
        }
        Ok(Setup { role, args, search })
    }

    fn config(&self) -> Result<Config, String> {
        let defaults = match self.role {
            Role::Standalone => STANDALONE,
            role if role.parts().server() => SERVER,
            _ => "",
        };
        self.args.config_with(defaults, &self.search)
    }

    /// The folder of the first file: where relative paths in the configuration begin.
    fn home(&self) -> PathBuf {
        let first = self.args.config_files.first().and_then(|file| file.parent());
        first.unwrap_or(Path::new("/etc/neutron")).to_path_buf()
    }
}

fn start(setup: &Setup) -> Result<(), String> {
    let config = setup.config()?;
    oslo::log::start(&config, setup.role.program())?;
    service::log_review(&config);
    // Whoever names files means those and no others.
    let search = if setup.args.config_files.is_empty() { setup.search.clone() } else { Search::default() };
    review::log(setup.role, &config, &search);
    memory::limit_pools(setup.role);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|e| format!("the runtime does not start: {e}"))?;
    let outcome = runtime.block_on(serve(setup, &config));
    if let Err(why) = &outcome {
        // Whoever started us hears it on standard error; the log is read later.
        tracing::error!("{why}");
    }
    outcome
}

async fn serve(setup: &Setup, config: &Config) -> Result<(), String> {
    let mut signals = Signals::watch().map_err(|e| format!("signals cannot be watched: {e}"))?;
    let home = setup.home();
    let started = tokio::select! {
        started = Process::start(setup.role, config, &home) => started?,
        // Whoever waits for a database or a broker can still be ended.
        () = signals.end() => return Ok(()),
    };
    let trims = tokio::spawn(memory::trim_regularly());
    let watchdog = tokio::spawn(service::feed_watchdog());
    service::tell_manager(&[NotifyState::Ready]);
    let outcome = work(setup, started, &mut signals, config).await;
    trims.abort();
    watchdog.abort();
    outcome
}

/// Until it is asked to end, or cannot go on.
async fn work(
    setup: &Setup,
    mut process: Process,
    signals: &mut Signals,
    config: &Config,
) -> Result<(), String> {
    let outcome = loop {
        tokio::select! {
            asked = signals.next() => match asked {
                Asked::End => break Ok(()),
                Asked::Reload => reload(setup, &mut process),
            },
            why = process.ended() => break Err(why),
        }
    };
    service::tell_manager(&[NotifyState::Stopping]);
    tracing::info!("ending: what the agents made stays");
    tokio::select! {
        () = process.stop(grace(config)) => outcome,
        () = signals.end() => Err("asked to end twice: requests and messages under way are broken off".into()),
    }
}

/// How long requests in progress may take when the process ends; none for ever.
fn grace(config: &Config) -> Option<Duration> {
    let seconds = ProcessOptions::load(config).map_or(60, |options| options.graceful_shutdown_timeout);
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// Reads the configuration again. What is wrong with it is said, and what was goes on.
fn reload(setup: &Setup, process: &mut Process) {
    let now = NotifyState::monotonic_usec_now().ok();
    service::tell_manager(&[Some(NotifyState::Reloading), now].into_iter().flatten().collect::<Vec<_>>());
    match setup.config() {
        Ok(config) => {
            if let Err(why) = oslo::log::reload(&config, setup.role.program()) {
                tracing::error!("the log goes on as it was: {why}");
            }
            process.reload(&config);
        }
        Err(why) => tracing::error!("the configuration is not taken over: {why}"),
    }
    service::tell_manager(&[NotifyState::Ready]);
}
