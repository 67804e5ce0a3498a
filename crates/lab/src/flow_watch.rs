//! What changes in the flows of a bridge of a simulated host: Open vSwitch tells each watcher of every flow that was
//! added, deleted or changed, whoever did it.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::{within, words};

/// How long the watcher may take to begin.
const BEGUN_MAX: Duration = Duration::from_secs(10);
/// A table that nobody uses: flows in it are made to see that the watcher watches.
const OWN_TABLE: &str = "table=99";
/// What the switch says when a watcher is too slow: changes of one flow may be one then.
const PAUSED: &str = "MONITOR_PAUSED";

/// A watcher of one bridge.
pub struct FlowWatch<'a> {
    host: &'a Host,
    daemon: String,
}

/// Flows that changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Flows that were added, or changed.
    pub added: usize,
    /// Flows that were deleted.
    pub deleted: usize,
    /// The switch left some out.
    pub more: bool,
}

impl Changes {
    /// All of them.
    pub fn count(self) -> usize {
        self.added + self.deleted
    }
}

impl std::fmt::Display for Changes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let least = if self.more { "at least " } else { "" };
        write!(f, "{least}{} added, {} deleted", self.added, self.deleted)
    }
}

impl<'a> FlowWatch<'a> {
    /// Watches the flows of a bridge from now on.
    ///
    /// # Errors
    /// The bridge is not there.
    pub fn start(host: &'a Host, bridge: &str) -> Result<FlowWatch<'a>, String> {
        let daemon = format!("flows-of-{bridge}");
        host.sh(&format!("rm -f /var/log/lab/{daemon}.log")).map_err(words)?;
        let line = ["ovs-ofctl", "monitor", bridge, "watch:!initial"];
        host.start_daemon(&Daemon::new(&daemon, &line)).map_err(words)?;
        let watch = FlowWatch { host, daemon };
        within(BEGUN_MAX, || {
            let line = format!(
                "ovs-ofctl add-flow {bridge} {OWN_TABLE},actions=drop; ovs-ofctl del-flows {bridge} {OWN_TABLE}"
            );
            host.sh(&line).map_err(words)?;
            let log = watch.log()?;
            if log.contains("event=") { Ok(()) } else { Err(format!("no flow of {bridge} is seen: {log}")) }
        })?;
        Ok(watch)
    }

    fn log(&self) -> Result<String, String> {
        let path = self.host.path(&format!("/var/log/lab/{}.log", self.daemon));
        std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))
    }

    /// What changed so far.
    ///
    /// # Errors
    /// The watcher's words cannot be read.
    pub fn changes(&self) -> Result<Changes, String> {
        Ok(count(&self.log()?))
    }

    /// The changes themselves, as the switch tells them.
    ///
    /// # Errors
    /// As [`FlowWatch::changes`].
    pub fn lines(&self) -> Result<Vec<String>, String> {
        Ok(lines(&self.log()?).map(|line| line.trim().to_owned()).collect())
    }
}

impl Drop for FlowWatch<'_> {
    fn drop(&mut self) {
        // It ends by itself with its switch.
        let _ = self.host.end_daemon(&self.daemon, "KILL");
    }
}

fn lines(log: &str) -> impl Iterator<Item = &str> {
    log.lines().filter(|line| line.contains("event=") && !line.contains(OWN_TABLE))
}

fn count(log: &str) -> Changes {
    let deleted = lines(log).filter(|line| line.contains("event=DELETED")).count();
    Changes { added: lines(log).count() - deleted, deleted, more: log.contains(PAUSED) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_counted_but_its_own() {
        let log = "NXST_FLOW_MONITOR reply (xid=0x0):\n event=ADDED table=99 cookie=0 actions=drop\n\
                   NXST_FLOW_MONITOR reply (xid=0x0):\n event=DELETED reason=delete table=99 cookie=0\n\
                   NXST_FLOW_MONITOR reply (xid=0x0):\n event=ADDED table=82 cookie=0x1 in_port=1\n \
                   event=MODIFIED table=82 cookie=0x1 in_port=2\n event=DELETED reason=delete table=82 in_port=3\n";
        assert_eq!(count(log), Changes { added: 2, deleted: 1, more: false });
        assert_eq!(count(log).to_string(), "2 added, 1 deleted");
        assert!(count("NXT_FLOW_MONITOR_PAUSED (xid=0x0):").more);
    }
}
