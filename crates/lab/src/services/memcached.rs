//! memcached: Keystone's and keystonemiddleware's cache, and where Horizon keeps its sessions.

use super::Services;
use crate::daemon::Daemon;

impl Services {
    pub(super) fn memcached_start(&self) -> Result<(), String> {
        let (bind, port) = (self.setup.bind.to_string(), self.setup.ports.memcached.to_string());
        let words = ["memcached", "-u", "root", "-l", &bind, "-p", &port, "-U", "0", "-m", "64"];
        self.daemon(&Daemon::new("memcached", &words))
    }

    /// Ends it and starts it anew, empty; Keystone as well, which would stumble once over each connection it had.
    ///
    /// # Errors
    /// One of them does not end, or does not start.
    pub fn memcached_restart(&self) -> Result<(), String> {
        for name in ["keystone", "memcached"] {
            self.host.end_daemon(name, "TERM").map_err(|error| error.to_string())?;
        }
        self.memcached_start()?;
        self.keystone_start()?;
        self.keystone_wait()
    }
}
