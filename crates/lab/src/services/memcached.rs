//! memcached: Keystone's and keystonemiddleware's cache.

use super::Services;
use crate::daemon::Daemon;

impl Services {
    pub(super) fn memcached_start(&self) -> Result<(), String> {
        let (bind, port) = (self.setup.bind.to_string(), self.setup.ports.memcached.to_string());
        let words = ["memcached", "-u", "root", "-l", &bind, "-p", &port, "-U", "0", "-m", "64"];
        self.daemon(&Daemon::new("memcached", &words))
    }
}
