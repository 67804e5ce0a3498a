//! Open vSwitch on a machine of the laboratory: its daemons with the userspace datapath, and the bridge that tunnels
//! leave by, as that datapath needs one.

use std::time::Duration;

use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::{within, words};

/// The database's socket.
const SOCKET: &str = "/run/openvswitch/db.sock";
/// The bridge that holds the card for tunnels.
const TUNNELS: &str = "br-phy";
/// How long a daemon may take to answer.
const ANSWER_MAX: Duration = Duration::from_secs(20);

/// Starts the daemons, or starts them anew; the database stays.
///
/// # Errors
/// They do not answer.
pub fn restart(host: &Host) -> Result<(), String> {
    for name in ["ovs-vswitchd", "ovsdb-server"] {
        if host.daemon_runs(name) {
            host.end_daemon(name, "TERM").map_err(words)?;
        }
    }
    let prepare = "mkdir -p /run/openvswitch; test -e /etc/openvswitch/lab.db || { mkdir -p /etc/openvswitch && \
                   ovsdb-tool create /etc/openvswitch/lab.db /usr/share/openvswitch/vswitch.ovsschema; }";
    host.sh(prepare).map_err(words)?;
    let remote = format!("--remote=punix:{SOCKET}");
    let database = ["ovsdb-server", "/etc/openvswitch/lab.db", &remote, "-vsyslog:off"];
    host.start_daemon(&Daemon::new("ovsdb-server", &database)).map_err(words)?;
    within(ANSWER_MAX, || host.sh("ovs-vsctl --no-wait --timeout=2 init").map_err(words))?;
    start_switch(host)
}

/// Starts ovs-vswitchd, which has ended, and waits until it has made what its database says.
///
/// # Errors
/// It does not answer.
pub fn start_switch(host: &Host) -> Result<(), String> {
    let switch = ["ovs-vswitchd", &format!("unix:{SOCKET}"), "--disable-system", "-vsyslog:off"];
    host.start_daemon(&Daemon::new("ovs-vswitchd", &switch)).map_err(words)?;
    within(ANSWER_MAX, || {
        host.sh("ovs-vsctl --timeout=5 set open_vswitch . external_ids:started=$$").map_err(words)
    })?;
    Ok(())
}

/// Puts a card into a bridge with an address that tunnels can leave from.
///
/// # Errors
/// The switch refuses.
pub fn tunnels(host: &Host, card: &str, address: &str) -> Result<(), String> {
    let line = format!(
        "ovs-vsctl --timeout=10 --may-exist add-br {TUNNELS} -- set bridge {TUNNELS} datapath_type=netdev -- \
         --may-exist add-port {TUNNELS} {card} && ip link set {card} up && \
         ip address replace {address}/24 dev {TUNNELS} && ip link set {TUNNELS} up"
    );
    host.sh(&line).map(|_| ()).map_err(words)
}
