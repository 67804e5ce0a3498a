//! The rim of Open vSwitch for routers and DHCP servers: their devices' ports in the switch's database.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use host::{Error, Result};
use ovs::Remote;
use ovs::ovsdb::replica::Watch;
use ovs::ovsdb::transaction::{Condition, Mutation, Test};
use ovs::ovsdb::value::text;
use ovs::ovsdb::{Client, Replica, Row, Settings, State, Transaction, Value, row};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::SwitchPort;
use crate::alarm::Alarm;
use crate::l2::openvswitch::DEAD_VLAN;
use crate::l2::openvswitch::config::management;
use crate::l2::openvswitch::facts::is_behind;

/// What is watched.
const WATCHES: &[Watch] = &[
    Watch { table: "Open_vSwitch", columns: &["bridges", "cur_cfg", "next_cfg"] },
    Watch { table: "Bridge", columns: &["name", "ports", "datapath_type"] },
    Watch { table: "Port", columns: &["name", "interfaces"] },
    Watch { table: "Interface", columns: &["name", "type", "external_ids", "error"] },
];
/// How long the database may say nothing before it is asked whether it lives.
const INACTIVITY_PROBE: Duration = Duration::from_secs(10);
/// Longest pause before the database is tried again.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Where the switch is and how devices become its ports.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchOptions {
    /// Its database.
    pub database: Remote,
    /// The folder with its bridges' sockets.
    pub run_dir: PathBuf,
    /// How long it may take for a change.
    pub patience: Duration,
    /// The bridge that the Open vSwitch agent puts ports on their networks in.
    pub integration_bridge: String,
    /// Devices are pairs instead of internal ports.
    pub use_veth: bool,
}

/// A conversation with the switch's database. Its methods block.
pub struct Switch {
    options: SwitchOptions,
    runtime: Handle,
    database: Client,
    alarm: Alarm,
}

impl Switch {
    /// Begins to connect, from within a runtime.
    pub fn open(options: SwitchOptions) -> Switch {
        let settings = Settings {
            remote: options.database.clone(),
            database: "Open_vSwitch".into(),
            watches: WATCHES.to_vec(),
            inactivity_probe: INACTIVITY_PROBE,
            backoff_max: BACKOFF_MAX,
        };
        let database = Client::start(settings);
        let bridge = management(&options.run_dir, &options.integration_bridge);
        let mut before = BTreeMap::new();
        let alarm = Alarm::set(database.watch(), bridge, move |state| {
            let now = ports(&state.replica);
            is_missing(&std::mem::replace(&mut before, now.clone()), &now)
        });
        Switch { options, runtime: Handle::current(), database, alarm }
    }

    /// Changes when Neutron ports were taken away, and when ovs-vswitchd was started anew: where it switches packets
    /// itself, it has made the devices of internal ports once more.
    pub fn changes(&self) -> watch::Receiver<()> {
        self.alarm.changes()
    }

    /// The ports that are Neutron ports, by name.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn ports(&self) -> Result<BTreeMap<String, SwitchPort>> {
        let state = self.runtime.block_on(self.database.ready(self.options.patience)).map_err(odd)?;
        Ok(ports(&state.replica))
    }

    /// Whether a bridge's frames pass through ovs-vswitchd itself, not the kernel.
    ///
    /// # Errors
    /// When the database does not answer.
    pub fn is_userspace(&self, bridge: &str) -> Result<bool> {
        let state = self.runtime.block_on(self.database.ready(self.options.patience)).map_err(odd)?;
        let row = state.replica.named("Bridge", bridge).map(|(_, row)| row);
        Ok(row.is_some_and(|row| text(row, "datapath_type") == "netdev"))
    }

    /// Makes a port, and waits until the switch has it. One of this name that is there is made anew.
    ///
    /// # Errors
    /// When the bridge is not there, or the switch refuses the port or does not get there in time.
    pub fn add(&self, name: &str, port: &SwitchPort) -> Result<()> {
        self.remove(&[name])?;
        let state = self.database.state();
        let Some((bridge, _)) = state.replica.named("Bridge", &port.bridge) else {
            return Err(Error::Odd(format!(
                "bridge {} does not exist: {}",
                port.bridge,
                self.remedy(&port.bridge)
            )));
        };
        let mut out = Transaction::new();
        let kind = if port.internal { "internal" } else { "" };
        let ids =
            [("iface-id", port.port_id.as_str()), ("iface-status", "active"), ("attached-mac", &port.mac)];
        let interface = out.insert(
            "Interface",
            row([("name", name.into()), ("type", kind.into()), ("external_ids", Value::map(ids))]),
        );
        let mut columns = row([("name", name.into()), ("interfaces", interface.into())]);
        if port.bridge == self.options.integration_bridge {
            columns.extend(silent());
        }
        let new = out.insert("Port", columns);
        let more = Mutation::Insert("ports".into(), new.into());
        out.mutate("Bridge", &[Condition::uuid(bridge)], &[more]);
        self.change(out)?;
        let state = self.database.state();
        match state.replica.named("Interface", name).map(|(_, row)| text(row, "error")) {
            Some("") => Ok(()),
            Some(error) => Err(Error::Odd(format!("Open vSwitch refuses port {name}: {error}"))),
            None => Err(Error::Odd(format!("port {name} was removed again"))),
        }
    }

    fn remedy(&self, bridge: &str) -> String {
        if bridge == self.options.integration_bridge {
            "the Open vSwitch agent makes it; does it run on this host?".to_owned()
        } else {
            format!("make it with ovs-vsctl add-br {bridge}")
        }
    }

    /// Takes ports away; those that are not there are no error.
    ///
    /// # Errors
    /// When the switch refuses or does not get there in time.
    pub fn remove(&self, names: &[&str]) -> Result<()> {
        let state = self.runtime.block_on(self.database.ready(self.options.patience)).map_err(odd)?;
        let mut out = Transaction::new();
        for (port, row) in state.replica.rows("Port").filter(|(_, row)| names.contains(&text(row, "name"))) {
            tracing::debug!(port = text(row, "name"), "removing a port of the switch");
            let gone = Mutation::Delete("ports".into(), Value::set([port]));
            out.mutate("Bridge", &[Condition::new("ports", Test::Includes, port)], &[gone]);
        }
        if out.is_empty() { Ok(()) } else { self.change(out) }
    }

    /// Does a transaction, and waits until the switch has followed it.
    fn change(&self, mut transaction: Transaction) -> Result<()> {
        transaction.mutate("Open_vSwitch", &[], &[Mutation::Add("next_cfg".into(), 1)]);
        let done = |state: &State| !is_behind(&state.replica);
        self.runtime.block_on(async {
            self.database.transact(&transaction).await.map_err(odd)?;
            self.database.until("a change of ports", self.options.patience, done).await.map_err(odd)
        })?;
        Ok(())
    }
}

fn odd(error: impl std::fmt::Display) -> Error {
    Error::Odd(error.to_string())
}

/// A port that nothing passes until the Open vSwitch agent puts it on its network; an access port alone would
/// still let frames without a tag out.
fn silent() -> Row {
    let dead = i64::from(DEAD_VLAN);
    row([("tag", dead.into()), ("vlan_mode", "trunk".into()), ("trunks", Value::set([dead]))])
}

/// Whether something that was there is no more, or is another.
fn is_missing(before: &BTreeMap<String, SwitchPort>, now: &BTreeMap<String, SwitchPort>) -> bool {
    before.iter().any(|(name, port)| now.get(name) != Some(port))
}

fn ports(copy: &Replica) -> BTreeMap<String, SwitchPort> {
    let mut out = BTreeMap::new();
    for (_, bridge) in copy.rows("Bridge") {
        let ports = bridge.get("ports").into_iter().flat_map(Value::uuids);
        for port in ports.filter_map(|id| copy.row("Port", id)) {
            let interface = port.get("interfaces").into_iter().flat_map(Value::uuids).next();
            let Some(interface) = interface.and_then(|id| copy.row("Interface", id)) else { continue };
            let external = |key| interface.get("external_ids").and_then(|ids| ids.get(key));
            let Some(port_id) = external("iface-id") else { continue };
            let found = SwitchPort {
                bridge: text(bridge, "name").to_owned(),
                internal: text(interface, "type") == "internal",
                port_id: port_id.to_owned(),
                mac: external("attached-mac").unwrap_or_default().to_ascii_lowercase(),
            };
            out.insert(text(port, "name").to_owned(), found);
        }
    }
    out
}
