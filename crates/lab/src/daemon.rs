//! What runs on a simulated host for longer than a command: started by name, ended by name, its log kept.

use std::io;
use std::process::Stdio;

use crate::host::Host;

/// Where process numbers are kept on a host.
const PIDS: &str = "/run/lab";
/// Where logs are kept on a host.
const LOGS: &str = "/var/log/lab";

/// Runs the words after the name in a session of their own, with number and log in files of that name.
/// Returns when the number is there.
const START: &str = "name=$0; mkdir -p /run/lab /var/log/lab; rm -f /run/lab/$name.pid; \
    setsid sh -c 'echo $$ >\"$0\"; exec \"$@\"' /run/lab/$name.pid \"$@\" \
    </dev/null >>/var/log/lab/$name.log 2>&1 & \
    until [ -s /run/lab/$name.pid ]; do sleep 0.01; done";

/// Something to be started.
#[derive(Clone, Debug, Default)]
pub struct Daemon {
    /// What it is called here: names of its files follow.
    pub name: String,
    /// Program and arguments.
    pub words: Vec<String>,
    /// What it finds in its environment beside what is there.
    pub env: Vec<(String, String)>,
}

impl Daemon {
    /// A daemon of these words.
    pub fn new(name: &str, words: &[&str]) -> Self {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        Self { name: name.to_owned(), words, env: Vec::new() }
    }

    /// With a variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }
}

impl Host {
    /// Starts a daemon; an earlier one of the same name must have ended.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn start_daemon(&self, daemon: &Daemon) -> io::Result<()> {
        let mut command = self.command("sh");
        command.args(["-c", START, &daemon.name]).args(&daemon.words);
        command.envs(daemon.env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let done = command.output()?;
        if done.status.success() {
            return Ok(());
        }
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        Err(io::Error::other(format!("{} on {} does not start: {said}", daemon.name, self.name())))
    }

    /// Sends a signal (`KILL`, `TERM`) to a daemon.
    ///
    /// # Errors
    /// It does not run.
    pub fn signal_daemon(&self, name: &str, signal: &str) -> io::Result<()> {
        self.sh(&format!("kill -{signal} $(cat {PIDS}/{name}.pid)")).map(|_| ())
    }

    /// Sends a signal that ends it, and waits until it is gone.
    ///
    /// # Errors
    /// It does not run, or does not end within 30 seconds.
    pub fn end_daemon(&self, name: &str, signal: &str) -> io::Result<()> {
        let line = format!(
            "pid=$(cat {PIDS}/{name}.pid); kill -{signal} $pid || exit 1; \
             for i in $(seq 3000); do kill -0 $pid 2>/dev/null || exit 0; sleep 0.01; done; \
             echo {name} does not end >&2; exit 1"
        );
        self.sh(&line).map(|_| ())
    }

    /// Whether a daemon runs.
    pub fn daemon_runs(&self, name: &str) -> bool {
        self.signal_daemon(name, "0").is_ok()
    }

    /// The last lines of a daemon's log.
    pub fn daemon_log(&self, name: &str, lines: usize) -> String {
        let file = format!("{LOGS}/{name}.log");
        self.run(&["tail", "-n", &lines.to_string(), &file]).unwrap_or_default()
    }
}
