//! What all services share: arguments, configuration, log, signals.

use crate::options::{self, ProcessOptions};
use clap::Parser;
use oslo::config::{Config, Gravity};
use std::path::PathBuf;

/// The arguments of a service.
#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
pub struct Args {
    /// A configuration file; given several times, later files win.
    #[arg(long = "config-file", value_name = "FILE")]
    pub config_files: Vec<PathBuf>,
    /// A folder whose *.conf files are read after the files, in the order of their names.
    #[arg(long = "config-dir", value_name = "DIR")]
    pub config_dirs: Vec<PathBuf>,
    /// Log more.
    #[arg(long, short)]
    pub debug: bool,
    /// Write the log into this file instead of to standard error.
    #[arg(long, value_name = "FILE")]
    pub log_file: Option<PathBuf>,
    /// The folder where the service keeps its state (`state_path`).
    #[arg(long, value_name = "DIR")]
    pub state_path: Option<PathBuf>,
}

impl Args {
    /// Reads the configuration: `defaults` (text of a file) below, files, folders, environment, arguments on top.
    ///
    /// # Errors
    /// What is wrong, where, and what to do, ready to be printed.
    pub fn config(&self, defaults: &str) -> Result<Config, String> {
        let mut config = Config::parse("built-in defaults", defaults);
        config.merge(Config::read(&self.config_files, &self.config_dirs).map_err(|p| p.to_string())?);
        for option in options::declared() {
            let name = format!("OS_{}__{}", option.group.to_uppercase(), option.name.to_uppercase());
            if let Ok(text) = std::env::var(&name) {
                config.set(&format!("environment variable {name}"), option.group, option.name, &text);
            }
        }
        let mut set = |name: &str, text: Option<String>| {
            if let Some(text) = text {
                config.set(&format!("--{}", name.replace('_', "-")), "DEFAULT", name, &text);
            }
        };
        set("debug", self.debug.then(|| "true".to_string()));
        set("log_file", self.log_file.as_ref().map(|p| p.display().to_string()));
        set("state_path", self.state_path.as_ref().map(|p| p.display().to_string()));
        config.declare(&options::declared());
        let wrong = options::unreadable(&config);
        if wrong.is_empty() {
            return Ok(config);
        }
        let said: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        Err(format!("{}\n`neutron config sample` prints every option", said.join("\nerror: ")))
    }
}

/// Starts the log; its destination and level follow the configuration.
///
/// # Errors
/// When the log file cannot be opened.
pub fn start_log(config: &Config, program: &str) -> Result<(), String> {
    let options = ProcessOptions::load(config).map_err(|p| p.to_string())?;
    oslo::log::start(options.debug, log_path(&options, program).as_deref())
}

fn log_path(options: &ProcessOptions, program: &str) -> Option<PathBuf> {
    match (&options.log_dir, &options.log_file) {
        (Some(dir), Some(file)) => Some(PathBuf::from(dir).join(file)),
        (Some(dir), None) => Some(PathBuf::from(dir).join(format!("{program}.log"))),
        (None, Some(file)) => Some(PathBuf::from(file)),
        (None, None) => None,
    }
}

/// Says in the log what the files hold that is wrong or without effect.
pub fn log_review(config: &Config) {
    for problem in config.review(&options::declared(), &options::idle()) {
        match problem.gravity {
            Gravity::Note => tracing::info!("{problem}"),
            Gravity::Warning => tracing::warn!("{problem}"),
            Gravity::Error => tracing::error!("{problem}"),
        }
    }
}

/// Waits until the process is asked to end (SIGTERM or SIGINT).
///
/// # Errors
/// When the signals cannot be watched.
pub async fn asked_to_end() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut term, mut int) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    tokio::select! {
        _ = term.recv() => {}
        _ = int.recv() => {}
    }
    Ok(())
}

/// How long requests in progress may take when the process ends.
pub const GRACE: std::time::Duration = std::time::Duration::from_secs(5);

/// Says why the process does not go on.
pub fn complain(why: &str) {
    use std::io::Write;
    // Nobody is left to be told when even this fails.
    let _ = writeln!(std::io::stderr(), "{why}");
}
