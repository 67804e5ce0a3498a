//! The log, in oslo.log's format: where it goes, how much of it, whose request a line belongs to.
//!
//! A line belongs to the request whose span it is written in: a span with the field `request_id`, and with
//! `user`, `project` … where they are known ([`request_span`]).

mod format;
mod layer;
mod sink;

use crate::config::{Config, Problem};
use format::Template;
use layer::{Lines, Style};
use sink::Sink;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::Registry;
use tracing_subscriber::reload::Handle;
use tracing_subscriber::util::SubscriberInitExt as _;

crate::options! {
    /// What every process reads of its log.
    pub struct LogOptions in "DEFAULT" {
        /// Log more: what each pass and request does.
        debug: bool = false;
        /// Write the log into this file instead of to standard error.
        log_file: Option<String> = None, was [("DEFAULT", "logfile")];
        /// The folder of `log_file`, and of one named after the program where `log_file` is not set.
        log_dir: Option<String> = None, was [("DEFAULT", "logdir")];
        /// Look before each line whether the log file was moved away, and begin a new one then.
        watch_log_file: bool = false;
        /// Write to standard error as well when there is a log file.
        use_stderr: bool = false;
        /// Write to the system's log (/dev/log) instead of to standard error.
        use_syslog: bool = false;
        /// The facility of the system's log: LOG_DAEMON, LOG_LOCAL0 or the same without LOG_.
        syslog_log_facility: String = "LOG_USER".into();
        /// Write to systemd's journal in its own protocol instead of to standard error.
        use_journal: bool = false;
        /// The date and time of a line, as strftime has it; in UTC where the machine has no other time zone.
        log_date_format: String = "%Y-%m-%d %H:%M:%S".into();
        /// A line that belongs to a request.
        logging_context_format_string: String = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [%(global_request_id)s %(request_id)s %(user_identity)s] %(instance)s%(message)s".into();
        /// A line that belongs to none.
        logging_default_format_string: String = "%(asctime)s.%(msecs)03d %(process)d %(levelname)s %(name)s [-] %(instance)s%(message)s".into();
        /// Who asks, within a line that belongs to a request.
        logging_user_identity_format: String = "%(user)s %(project)s %(domain)s %(system_scope)s %(user_domain)s %(project_domain)s".into();
        /// What is added to lines of the level DEBUG.
        logging_debug_format_suffix: String = "%(funcName)s %(pathname)s:%(lineno)d".into();
        /// A file of Python's logging module. It cannot be read here and changes nothing.
        log_config_append: Option<String> = None, was [("DEFAULT", "log_config"), ("DEFAULT", "log-config")];
    }
}

/// What can be changed while the process runs.
struct Running {
    level: Handle<Targets, Registry>,
    lines: Arc<Mutex<Lines>>,
}

static RUNNING: OnceLock<Running> = OnceLock::new();

/// Starts the log of this process, called `program`. The variable `RUST_LOG` overrides the level.
///
/// # Errors
/// When an option cannot be read or the destination not be opened.
pub fn start(config: &Config, program: &str) -> Result<(), String> {
    let options = LogOptions::load(config).map_err(|problem| problem.to_string())?;
    let lines = Arc::new(Mutex::new(lines(&options, program)?));
    let (level, handle) = tracing_subscriber::reload::Layer::new(level(&options));
    let made = Registry::default().with(level).with(layer::OsloLayer(lines.clone())).try_init();
    made.map_err(|e| format!("the log does not start: {e}"))?;
    // A second start of the log fails above.
    let _ = RUNNING.set(Running { level: handle, lines });
    std::panic::set_hook(Box::new(|panic| tracing::error!("a defect of this program: {panic}")));
    say_what_is_idle(&options);
    Ok(())
}

/// Takes over level, formats and destination from a configuration that was read again; a file that was moved
/// away begins anew.
///
/// # Errors
/// What cannot be taken over; the log goes on as it was.
pub fn reload(config: &Config, program: &str) -> Result<(), String> {
    let options = LogOptions::load(config).map_err(|problem: Problem| problem.to_string())?;
    let Some(running) = RUNNING.get() else { return Ok(()) };
    let fresh = lines(&options, program)?;
    running.level.reload(level(&options)).map_err(|e| e.to_string())?;
    *running.lines.lock().unwrap_or_else(PoisonError::into_inner) = fresh;
    say_what_is_idle(&options);
    Ok(())
}

/// A span for all that is done for one request; `user`, `project` … are recorded once they are known.
pub fn request_span(request_id: &str) -> tracing::Span {
    use tracing::field::Empty;
    tracing::info_span!(
        "request",
        request_id,
        global_request_id = Empty,
        user = Empty,
        project = Empty,
        system_scope = Empty
    )
}

fn level(options: &LogOptions) -> Targets {
    let wanted = std::env::var("RUST_LOG").ok().and_then(|words| words.parse().ok());
    let own = if options.debug { LevelFilter::DEBUG } else { LevelFilter::INFO };
    // What others' crates say of themselves in detail drowns what ours say.
    let others = ["hyper", "hyper_util", "rustls"].map(|name| (name, LevelFilter::INFO));
    wanted.unwrap_or_else(|| {
        Targets::new().with_default(own).with_targets(others).with_target("lapin", LevelFilter::OFF)
    })
}

fn lines(options: &LogOptions, program: &str) -> Result<Lines, String> {
    Ok(Lines {
        sinks: sinks(options, program)?,
        style: Style {
            date: options.log_date_format.clone(),
            with_context: Template::read(&options.logging_context_format_string),
            without: Template::read(&options.logging_default_format_string),
            identity: Template::read(&options.logging_user_identity_format),
            debug_suffix: Template::read(&options.logging_debug_format_suffix),
        },
    })
}

fn sinks(options: &LogOptions, program: &str) -> Result<Vec<Sink>, String> {
    let mut sinks = Vec::new();
    let file = log_path(options, program);
    if options.use_journal {
        sinks.push(Sink::journal(program)?);
    }
    if options.use_syslog {
        sinks.push(Sink::syslog(program, &options.syslog_log_facility)?);
    }
    if let Some(path) = file {
        sinks.push(Sink::file(path, options.watch_log_file)?);
    }
    if options.use_stderr || sinks.is_empty() {
        sinks.push(Sink::Stderr);
    }
    Ok(sinks)
}

fn log_path(options: &LogOptions, program: &str) -> Option<PathBuf> {
    match (&options.log_dir, &options.log_file) {
        (Some(dir), Some(file)) => Some(PathBuf::from(dir).join(file)),
        (Some(dir), None) => Some(PathBuf::from(dir).join(format!("{program}.log"))),
        (None, Some(file)) => Some(PathBuf::from(file)),
        (None, None) => None,
    }
}

fn say_what_is_idle(options: &LogOptions) {
    if let Some(file) = &options.log_config_append {
        tracing::warn!(
            "log_config_append = {file}: files of Python's logging module cannot be read here; use debug, log_file, \
             use_syslog or use_journal"
        );
    }
}

/// The word of a level, as Python's logging has it.
fn level_name(level: Level) -> &'static str {
    match level {
        Level::ERROR => "ERROR",
        Level::WARN => "WARNING",
        Level::INFO => "INFO",
        _ => "DEBUG",
    }
}

/// syslog's number of a level.
fn severity(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}
