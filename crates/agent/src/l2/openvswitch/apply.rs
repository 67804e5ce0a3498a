//! The rim of the driver: the switch's database and its bridges, read and changed.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use host::{Error, Netns, Result, conntrack};
use ovs::openflow::{Flows, Gathered, Switch, diff};
use ovs::ovsdb::transaction::{Condition, Mutation};
use ovs::ovsdb::{Client, Replica, Settings, State, Transaction, Value, row};
use serde_json::{Map, Value as Json, json};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::config::{self, OvsConfig};
use super::desired::{Layout, Port, layout};
use super::facts::{Facts, WATCHES, facts, is_behind};
use super::flows::{Input, adopt, flows, marked, removable};
use super::hybrid::Hybrid;
use super::plan::{CONTROLLER, PROTOCOLS, Step, plan};
use super::vlans::{self, LocalVlans};
use crate::alarm::Alarm;
use crate::l2::config::Firewall;
use crate::l2::linuxbridge::Wired;
use crate::l2::view::{FdbMessage, View};

/// How long the database may say nothing before it is asked whether it lives.
const INACTIVITY_PROBE: Duration = Duration::from_secs(10);
/// Longest pause before the database is tried again.
const BACKOFF_MAX: Duration = Duration::from_secs(2);

/// Longest pause of the switch before it looks for a bridge's controller again, in milliseconds.
const CONTROLLER_BACKOFF_MS: i64 = 3_600_000;

/// The driver with what it remembers of the switch.
#[derive(Debug)]
pub struct OpenVswitch {
    config: OvsConfig,
    runtime: Handle,
    database: Client,
    alarm: Alarm,
    /// Conversations with bridges, and the flows they have, by name.
    bridges: BTreeMap<String, Bridge>,
    /// What filters where each port has a bridge of its own.
    hybrid: Option<Hybrid>,
    /// What the flows were last made for; they follow from nothing else.
    done: Option<(View, Arc<Facts>)>,
    /// What the switch's database said last, and what that means.
    known: Option<(Arc<State>, Arc<Facts>)>,
    /// Others may have changed them since.
    stale: bool,
    /// Where the kernel tracks connections.
    ns: Netns,
}

#[derive(Debug)]
struct Bridge {
    switch: Switch,
    installed: Option<Flows>,
}

impl OpenVswitch {
    /// Connects to the switch of this host, from within a runtime.
    ///
    /// # Errors
    /// When it does not answer, or lacks a bridge that `config` names, or the host `ns` cannot filter.
    pub fn open(config: OvsConfig, ns: &Netns) -> Result<OpenVswitch> {
        let settings = Settings {
            remote: config.database.clone(),
            database: "Open_vSwitch".into(),
            watches: WATCHES.to_vec(),
            inactivity_probe: INACTIVITY_PROBE,
            backoff_max: BACKOFF_MAX,
        };
        let runtime = Handle::current();
        let database = Client::start(settings);
        let patience = Duration::from_secs(config.ovs.ovsdb_timeout.max(1));
        let state = runtime.block_on(database.ready(patience)).map_err(|_| {
            Error::Odd(format!(
                "[ovs] ovsdb_connection: Open vSwitch's database {} does not answer within {} s; is ovsdb-server \
                 running?",
                config.database,
                patience.as_secs()
            ))
        })?;
        let config = with_its_datapath(config, &state.replica);
        let there = facts(&state.replica);
        for (physnet, bridge) in &config.ovs.bridge_mappings {
            if !there.bridges.contains_key(bridge) {
                return Err(Error::Odd(format!(
                    "[ovs] bridge_mappings: bridge {bridge} for physical network {physnet} does not exist; \
                     make it with ovs-vsctl add-br {bridge}"
                )));
            }
        }
        let hybrid = match config.firewall {
            Firewall::IptablesHybrid => Some(Hybrid::open(&config, ns)?),
            Firewall::Noop if config.prevent_arp_spoofing => {
                // Upstream's agent is not as strict, and may have run here before.
                tracing::info!(
                    "firewall_driver is noop: rules are not enforced, but ports with port security send from their \
                     own addresses only; for others see allowed_address_pairs and port_security_enabled"
                );
                None
            }
            Firewall::Iptables | Firewall::OpenVswitch | Firewall::Noop => None,
        };
        let remote = config::management(&config.run_dir, &config.ovs.integration_bridge);
        let entered = runtime.enter();
        let alarm = Alarm::set(database.watch(), remote, |_| true);
        drop(entered);
        Ok(OpenVswitch {
            config,
            runtime,
            database,
            alarm,
            bridges: BTreeMap::new(),
            hybrid,
            done: None,
            known: None,
            stale: false,
            ns: ns.clone(),
        })
    }

    /// Changes when the switch's database does, or ovs-vswitchd was restarted.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<()> {
        self.alarm.changes()
    }

    /// This host's end of tunnels, and their types.
    #[must_use]
    pub fn tunnels(&self) -> Option<(IpAddr, Vec<&'static str>)> {
        let tunnels = self.config.tunnels.as_ref()?;
        Some((tunnels.local_ip.into(), tunnels.types.iter().map(|kind| kind.name()).collect()))
    }

    /// The Neutron ports on the integration bridge with their numbers, which change when one is plugged anew.
    ///
    /// # Errors
    /// When the database is not connected.
    pub fn devices(&mut self) -> Result<BTreeMap<String, u32>> {
        let facts = self.facts()?;
        let devices = facts.devices(&self.config.ovs.integration_bridge);
        Ok(devices.filter_map(|(device, _, port)| Some((device.to_owned(), port.ofport?))).collect())
    }

    /// What it goes by in calls.
    #[must_use]
    pub fn agent_id(&self) -> String {
        format!("ovs-agent-{}", self.config.host)
    }

    /// What the server wants to know about this host's wiring.
    #[must_use]
    pub fn configurations(&self) -> Map<String, Json> {
        let tunnels = self.config.tunnels.as_ref();
        let types: Vec<&str> = tunnels.iter().flat_map(|t| &t.types).map(|kind| kind.name()).collect();
        let all = json!({
            "bridge_mappings": self.config.ovs.bridge_mappings,
            "integration_bridge": self.config.ovs.integration_bridge,
            "datapath_type": self.config.ovs.datapath_type,
            "tunnel_types": types,
            "tunneling_ip": tunnels.map(|t| t.local_ip.to_string()),
            "l2_population": tunnels.is_some_and(|t| t.l2_population),
            "arp_responder_enabled": tunnels.is_some_and(|t| t.arp_responder),
            "enable_distributed_routing": false,
            "ovs_hybrid_plug": self.config.firewall == Firewall::IptablesHybrid,
        });
        match all {
            Json::Object(all) => all,
            _ => Map::new(),
        }
    }

    /// Forgets which flows are installed, so that the next [`OpenVswitch::apply`] reads and repairs them.
    pub fn forget(&mut self) {
        self.bridges.values_mut().for_each(|bridge| bridge.installed = None);
        self.stale = true;
        if let Some(hybrid) = &mut self.hybrid {
            hybrid.forget();
        }
    }

    /// Makes the switch like `view` says, once it has taken in `messages` about forwarding.
    ///
    /// # Errors
    /// When the switch cannot be read or refuses; flows come before a port is put on its network.
    pub fn apply(&mut self, view: &mut View, messages: &[FdbMessage]) -> Result<Wired> {
        let before = self.facts()?;
        let vlans = vlans::assign(view, &before, &self.config.ovs.integration_bridge);
        self.check_bridges()?;
        if let Some(tunnels) = self.config.tunnels.clone().filter(|tunnels| tunnels.l2_population) {
            self.adopt(view, &before, &vlans)?;
            messages.iter().for_each(|message| view.learn_fdb(message, tunnels.local_ip.into()));
        }
        let wanted = layout(view, &self.config, &before, &vlans);
        let steps = plan(&wanted, &before, &self.config);
        self.change(&steps.before, &before)?;
        if steps.before.iter().any(|step| matches!(step, Step::MendBridge { lone: true, .. })) {
            // Its first controller made the switch drop its flows.
            self.forget();
        }
        let now = self.facts()?;
        if self.stale || !self.done.as_ref().is_some_and(|(then, facts)| then == view && *facts == now) {
            self.install_all(Input { view, config: &self.config.clone(), facts: &now, vlans: &vlans })?;
            self.done = Some((view.clone(), now.clone()));
        }
        if let Some(hybrid) = &mut self.hybrid {
            hybrid.apply(view)?;
        }
        // Only now that its filter guards it may a port be heard.
        self.change(&steps.after, &now)?;
        Ok(Wired { failed: failed(view, &wanted) })
    }

    fn install_all(&mut self, input: Input<'_>) -> Result<()> {
        let before = self.done.take();
        for (bridge, desired) in flows(input) {
            self.install(&bridge, desired)?;
        }
        self.stale = false;
        let Input { view, config, vlans, .. } = input;
        // A switch that is no part of the kernel tracks connections itself, and forgets none by their marks.
        let kernel = config.firewall == Firewall::OpenVswitch && config.ovs.datapath_type == "system";
        if kernel && before.is_some_and(|(then, _)| then.security != view.security) {
            // Flows stand whatever becomes of this.
            if let Err(error) = conntrack::delete(&self.ns, &marked(vlans)) {
                tracing::warn!(%error, "connections that are allowed again may stay cut");
            }
        }
        Ok(())
    }

    fn facts(&mut self) -> Result<Arc<Facts>> {
        let state = self.database.state();
        if !state.connected {
            return Err(Error::Odd(format!(
                "Open vSwitch's database {} is not connected: is ovsdb-server running?",
                self.config.database
            )));
        }
        if let Some((_, facts)) = self.known.as_ref().filter(|(known, _)| Arc::ptr_eq(known, &state)) {
            return Ok(facts.clone());
        }
        let facts = Arc::new(facts(&state.replica));
        self.known = Some((state, facts.clone()));
        Ok(facts)
    }

    /// Does steps in one transaction, and waits until the switch has done them.
    fn change(&self, steps: &[Step], facts: &Facts) -> Result<()> {
        if steps.is_empty() {
            return Ok(());
        }
        let transaction = transaction(steps, facts);
        let patience = Duration::from_secs(self.config.ovs.ovsdb_timeout.max(1));
        let done = |state: &State| !is_behind(&state.replica);
        self.runtime.block_on(async {
            self.database.transact(&transaction).await.map_err(odd)?;
            self.database.until("a change of bridges and ports", patience, done).await.map_err(odd)
        })?;
        Ok(())
    }

    /// Drops conversations that are over: ovs-vswitchd was restarted, and has lost its flows.
    fn check_bridges(&mut self) -> Result<()> {
        let names: Vec<String> = self.bridges.keys().cloned().collect();
        for name in names {
            let Some(bridge) = self.bridges.get_mut(&name) else { continue };
            if let Err(error) = self.runtime.block_on(bridge.switch.echo()) {
                tracing::warn!(bridge = name, %error, "bridge does not answer; its flows are read anew");
                self.bridges.remove(&name);
                self.stale = true;
            }
        }
        Ok(())
    }

    /// The bridge, with its flows read.
    fn bridge(&mut self, name: &str) -> Result<&mut Bridge> {
        if !self.bridges.contains_key(name) {
            let remote = config::management(&self.config.run_dir, name);
            let switch = self.runtime.block_on(Switch::connect(&remote)).map_err(odd)?;
            self.bridges.insert(name.to_owned(), Bridge { switch, installed: None });
        }
        let bridge =
            self.bridges.get_mut(name).ok_or_else(|| Error::Odd(format!("bridge {name} is gone")))?;
        if bridge.installed.is_none() {
            let mut flows = Gathered::default();
            self.runtime.block_on(bridge.switch.flows(|flow| flows.add(&flow))).map_err(odd)?;
            bridge.installed = Some(flows.sorted());
        }
        Ok(bridge)
    }

    /// What is installed on the tunnel bridge, for networks of which nothing was told.
    fn adopt(&mut self, view: &mut View, facts: &Facts, vlans: &LocalVlans) -> Result<()> {
        let name = self.config.ovs.tunnel_bridge.clone();
        if !facts.bridges.contains_key(&name) || vlans.keys().all(|(id, _)| view.fdb.contains_key(id)) {
            return Ok(());
        }
        let installed = self.bridge(&name)?.installed.clone().unwrap_or_default();
        adopt(view, &self.config, facts, vlans, &installed);
        Ok(())
    }

    /// Makes a bridge's flows the desired ones, in one bundle.
    fn install(&mut self, name: &str, desired: Flows) -> Result<()> {
        let runtime = self.runtime.clone();
        let bridge = self.bridge(name)?;
        let installed = bridge.installed.take().unwrap_or_default();
        match runtime.block_on(bridge.switch.apply(diff(&desired, &installed, removable))) {
            Ok(0) => {}
            Ok(count) => tracing::info!(bridge = name, count, "changed {count} flows of bridge {name}"),
            Err(error) => {
                self.bridges.remove(name);
                return Err(Error::Odd(format!("flows of bridge {name}: {error}")));
            }
        }
        // What is not ours stays, and is known.
        bridge.installed = Some(desired.with(installed.iter().filter(|flow| !removable(*flow))));
        Ok(())
    }
}

/// `system` is what files say by saying nothing; a switch without the kernel's datapath can only do it itself.
fn with_its_datapath(mut config: OvsConfig, copy: &Replica) -> OvsConfig {
    let root = copy.rows("Open_vSwitch").next().map(|(_, row)| row);
    let known: Vec<&str> =
        root.and_then(|row| row.get("datapath_types")).into_iter().flat_map(Value::texts).collect();
    if config.ovs.datapath_type == "system" && !known.contains(&"system") && known.contains(&"netdev") {
        tracing::warn!(
            "Open vSwitch has no system datapath on this host: going on with datapath_type = netdev"
        );
        config.ovs.datapath_type = "netdev".to_owned();
    }
    config
}

/// An error of the switch as one of the host.
fn odd(error: impl std::fmt::Display) -> Error {
    Error::Odd(error.to_string())
}

/// Devices that do not carry traffic, and why.
fn failed(view: &View, wanted: &Layout) -> BTreeMap<String, String> {
    let reason = |network: &String| wanted.problems.get(network).cloned();
    let ports = view.ports.iter().filter(|(_, port)| port.admin_state_up);
    ports.filter_map(|(device, port)| Some((device.clone(), reason(&port.network_id)?))).collect()
}

/// Steps as one transaction; it asks the switch to say when it is done.
fn transaction(steps: &[Step], facts: &Facts) -> Transaction {
    let mut out = Transaction::new();
    let mut new_bridges = BTreeMap::new();
    // Ports of new bridges go with them.
    let mut new_ports: BTreeMap<&str, BTreeSet<ovs::ovsdb::Atom>> = BTreeMap::new();
    for step in steps {
        match step {
            Step::AddBridge { name, datapath_type, mac_table_size } => {
                let local = Port { kind: "internal", options: BTreeMap::new() };
                new_ports.entry(name.as_str()).or_default().insert(add_port(&mut out, name, &local));
                new_bridges.insert(name.as_str(), (datapath_type, *mac_table_size));
            }
            Step::AddPort { bridge, name, port } => {
                let port = add_port(&mut out, name, port);
                new_ports.entry(bridge.as_str()).or_default().insert(port);
            }
            Step::MendBridge { id, lone, datapath_type, mac_table_size } => {
                mend_bridge(&mut out, *id, datapath_type, *mac_table_size);
                if *lone {
                    let controller = add_controller(&mut out);
                    let columns = row([("controller", controller.into())]);
                    out.update("Bridge", &[Condition::uuid(*id)], columns);
                }
            }
            Step::MendPort { interface, port } => {
                let columns =
                    row([("type", port.kind.into()), ("options", Value::map(port.options.clone()))]);
                out.update("Interface", &[Condition::uuid(*interface)], columns);
            }
            Step::DeletePort { bridge, port } => {
                let gone = Mutation::Delete("ports".into(), Value::set([*port]));
                out.mutate("Bridge", &[Condition::uuid(*bridge)], &[gone]);
            }
            Step::SetTag { port, vlan, notes } => {
                let columns = row([
                    ("tag", i64::from(*vlan).into()),
                    ("vlan_mode", Value::empty()),
                    ("trunks", Value::empty()),
                ]);
                out.update("Port", &[Condition::uuid(*port)], columns);
                note(&mut out, "Port", *port, notes);
            }
        }
    }
    for (name, ports) in new_ports {
        match (new_bridges.get(name), facts.bridges.get(name)) {
            (Some((datapath_type, size)), _) => add_bridge(&mut out, name, datapath_type, *size, ports),
            (None, Some(bridge)) => {
                let more = Mutation::Insert("ports".into(), Value::Set(ports));
                out.mutate("Bridge", &[Condition::uuid(bridge.id)], &[more]);
            }
            (None, None) => {}
        }
    }
    out.mutate("Open_vSwitch", &[], &[Mutation::Add("next_cfg".into(), 1)]);
    out.comment("neutron-openvswitch-agent");
    out
}

fn add_port(out: &mut Transaction, name: &str, port: &Port) -> ovs::ovsdb::Atom {
    let interface = row([
        ("name", name.into()),
        ("type", port.kind.into()),
        ("options", Value::map(port.options.clone())),
    ]);
    let interface = out.insert("Interface", interface);
    out.insert("Port", row([("name", name.into()), ("interfaces", interface.into())]))
}

/// One that is never there, asked for once an hour at most.
fn add_controller(out: &mut Transaction) -> ovs::ovsdb::Atom {
    let columns = row([
        ("target", CONTROLLER.into()),
        ("connection_mode", "out-of-band".into()),
        ("max_backoff", CONTROLLER_BACKOFF_MS.into()),
    ]);
    out.insert("Controller", columns)
}

fn add_bridge(
    out: &mut Transaction,
    name: &str,
    datapath_type: &str,
    mac_table_size: u32,
    ports: BTreeSet<ovs::ovsdb::Atom>,
) {
    let controller = add_controller(out);
    let bridge = row([
        ("name", name.into()),
        ("controller", controller.into()),
        ("datapath_type", datapath_type.into()),
        ("fail_mode", "secure".into()),
        ("protocols", Value::set(PROTOCOLS.iter().copied())),
        ("other_config", Value::map([("mac-table-size", mac_table_size.to_string())])),
        ("ports", Value::Set(ports)),
    ]);
    let bridge = out.insert("Bridge", bridge);
    out.mutate("Open_vSwitch", &[], &[Mutation::Insert("bridges".into(), bridge.into())]);
}

fn mend_bridge(out: &mut Transaction, id: uuid::Uuid, datapath_type: &str, mac_table_size: u32) {
    let here = [Condition::uuid(id)];
    let columns = row([("datapath_type", datapath_type.into()), ("fail_mode", "secure".into())]);
    out.update("Bridge", &here, columns);
    let protocols = Mutation::Insert("protocols".into(), Value::set(PROTOCOLS.iter().copied()));
    out.mutate("Bridge", &here, &[protocols]);
    let size = BTreeMap::from([("mac-table-size".to_owned(), mac_table_size.to_string())]);
    note(out, "Bridge", id, &size);
}

/// Pairs of `other_config` take these values; other pairs stay.
fn note(out: &mut Transaction, table: &str, id: uuid::Uuid, pairs: &BTreeMap<String, String>) {
    if pairs.is_empty() {
        return;
    }
    // An insertion leaves a pair alone whose key is there: the keys go first.
    let keys = Mutation::Delete("other_config".into(), Value::set(pairs.keys().cloned()));
    let values = Mutation::Insert("other_config".into(), Value::map(pairs.clone()));
    out.mutate(table, &[Condition::uuid(id)], &[keys, values]);
}
