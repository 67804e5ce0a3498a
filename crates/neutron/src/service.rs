//! What all services share: the log, signals, the service manager.

pub use crate::args::Args;
use crate::options;
use oslo::config::{Config, Gravity};
use std::time::Duration;
use tokio::signal::unix::{Signal, SignalKind, signal};

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

/// What the process is asked for from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// SIGTERM or SIGINT.
    End,
    /// SIGHUP.
    Reload,
}

/// The signals of a service.
pub struct Signals {
    term: Signal,
    int: Signal,
    hup: Signal,
}

impl Signals {
    /// Watches them from now on.
    ///
    /// # Errors
    /// When they cannot be watched.
    pub fn watch() -> std::io::Result<Signals> {
        Ok(Signals {
            term: signal(SignalKind::terminate())?,
            int: signal(SignalKind::interrupt())?,
            hup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next one.
    pub async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.term.recv() => Asked::End,
            _ = self.int.recv() => Asked::End,
            _ = self.hup.recv() => Asked::Reload,
        }
    }

    /// Waits for another request to end.
    pub async fn end(&mut self) {
        while self.next().await != Asked::End {}
    }
}

/// Tells systemd how the service is; without systemd nobody hears it.
pub fn tell_manager(states: &[sd_notify::NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager was not told");
    }
}

/// Tells systemd that the runtime still turns, as often as it wants to hear so (`WatchdogSec=`).
pub async fn feed_watchdog() {
    let Some(limit) = sd_notify::watchdog_enabled() else { return };
    // Half of the limit is what sd_watchdog_enabled(3) advises.
    let mut ticks = tokio::time::interval((limit / 2).max(Duration::from_millis(1)));
    loop {
        ticks.tick().await;
        tell_manager(&[sd_notify::NotifyState::Watchdog]);
    }
}

/// Says why the process does not go on.
pub fn complain(why: &str) {
    use std::io::Write;
    // Nobody is left to be told when even this fails.
    let _ = writeln!(std::io::stderr(), "{why}");
}
