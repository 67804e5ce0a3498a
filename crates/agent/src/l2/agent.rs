//! The loop of the L2 agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use host::netlink::Monitor;
use host::{Error as HostError, Netns};
use model::l2::DeviceReply;
use rpc::Transport;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::config::{Firewall, L2Config};
use super::driver::Driver;
use super::endpoint::{Notes, listen};
use super::extension::{self, Extension};
use super::firewall::is_trusted;
use super::linuxbridge::Wired;
use super::server::{CallError, Server};
use super::view::View;
use crate::alarm::changed;
use crate::inbox::Inbox;
use crate::metrics;
use crate::plugin::{AgentState, Counters, report_for_ever};

/// How long events are gathered before a pass: plugging a device causes several.
const GATHER: Duration = Duration::from_millis(5);
/// How often all that is installed is read again, to find what others changed.
const VERIFY: Duration = Duration::from_secs(10);

/// Why the agent cannot work, or could not finish a pass.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The host refused.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The server could not be reached, or refused.
    #[error(transparent)]
    Server(#[from] CallError),
    /// An extension that does not exist.
    #[error("[agent] extensions: '{0}' is not known")]
    Extension(String),
    /// A bug of ours.
    #[error("a pass was torn off: {0}")]
    Torn(#[from] tokio::task::JoinError),
}

/// Wires the ports of the host `ns` with Linux bridges until `shutdown` comes true. `ready`
/// becomes true after the first whole pass. What is installed stays when the agent ends.
///
/// # Errors
/// When the host lacks what `config` names. Later failures are logged and tried again.
pub async fn run(
    config: L2Config,
    transport: &Transport,
    ns: &Netns,
    ready: watch::Sender<bool>,
    mut shutdown: watch::Receiver<bool>,
) -> Result<(), AgentError> {
    let extensions = load(&config.agent.extensions)?;
    let inbox: Inbox<Notes> = Inbox::default();
    let (settings, place) = (config.clone(), ns.clone());
    // Listen and watch before the first look: nothing may come unseen in between.
    let _listeners = listen(transport, &config.host, &inbox, config.ovs.is_some());
    let mut monitor = Monitor::open(ns)?;
    let open = move || match settings.ovs.clone() {
        Some(ovs) => Driver::open_vswitch(ovs, &place),
        None => Driver::linux_bridge(settings, extensions, &place),
    };
    let driver = tokio::task::spawn_blocking(open).await??;
    let mut switch = driver.changes();
    let (state, binary) = (state(&driver, &config), driver.binary());
    let server = Server::new(transport.client(), driver.agent_id()?, config.host.clone());
    let counters = Counters::default();
    counters.starting(true);
    let mut agent = Agent::new(driver, server, &config, inbox.clone(), counters.clone());
    let (report_every, again) =
        (Duration::from_secs_f64(config.agent.report_interval.max(1.0)), inbox.clone());
    let way = transport.clone();
    let _reporter = AbortOnDrop(tokio::spawn(async move {
        let look_again = || again.note(|notes| notes.resync = true);
        report_for_ever(&way, state, counters, report_every, look_again).await;
    }));
    let mut poll = interval(Duration::from_secs(config.agent.polling_interval.max(1)));
    let mut verify = interval(VERIFY);
    poll.set_missed_tick_behavior(MissedTickBehavior::Delay);
    verify.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = inbox.woken() => sleep(GATHER).await,
            events = monitor.events() => {
                events?;
                sleep(GATHER).await;
            }
            () = changed(&mut switch) => sleep(GATHER).await,
            _ = poll.tick() => {}
            _ = verify.tick() => agent.verify = true,
            () = ended(&mut shutdown) => break,
        }
        let started = Instant::now();
        let passed = agent.pass().await;
        metrics::pass(binary, started, passed.is_ok());
        match passed {
            Ok(()) => _ = ready.send_replace(true),
            Err(AgentError::Torn(error)) => return Err(error.into()),
            Err(error) => tracing::error!(%error, "pass not finished; will be tried again"),
        }
    }
    Ok(())
}

/// Waits for the end; that nobody is left to call it is one too.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|end| *end).await;
}

fn load(names: &[String]) -> Result<Vec<Extension>, AgentError> {
    let find = |name: &String| extension::ALL.iter().find(|e| e.name == name).copied();
    names.iter().map(|name| find(name).ok_or_else(|| AgentError::Extension(name.clone()))).collect()
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The agent as the server's list shows it.
fn state(driver: &Driver, config: &L2Config) -> AgentState {
    let mut configurations = driver.configurations();
    configurations.insert("extensions".into(), json!(config.agent.extensions));
    configurations.insert("devices".into(), json!(0));
    AgentState {
        binary: driver.binary(),
        host: config.host.clone(),
        topic: "N/A",
        agent_type: driver.agent_type(),
        configurations: Value::Object(configurations),
        availability_zone: None,
    }
}

/// The agent between passes.
struct Agent {
    driver: Option<Driver>,
    /// A port's device.
    device: fn(&str) -> String,
    /// Tunnels to every other host, which the server has to know of.
    tunnels: Option<(IpAddr, Vec<&'static str>)>,
    server: Server,
    inbox: Inbox<Notes>,
    counters: Counters,
    filters: bool,
    devices_per_call: usize,
    view: View,
    /// Devices of the last pass.
    seen: BTreeMap<String, u32>,
    /// Devices to ask about again: an answer or a step failed.
    pending: BTreeSet<String>,
    /// Statuses the server has not taken yet: up or not.
    unsaid: BTreeMap<String, bool>,
    /// Devices that failed to be wired.
    failed: BTreeSet<String>,
    /// Ask for everything.
    resync: bool,
    /// The server has answered about everything at least once.
    informed: bool,
    /// Read again what is installed.
    verify: bool,
}

impl Agent {
    fn new(
        driver: Driver,
        server: Server,
        config: &L2Config,
        inbox: Inbox<Notes>,
        counters: Counters,
    ) -> Self {
        Agent {
            device: driver.naming(),
            tunnels: driver.tunnels(),
            driver: Some(driver),
            server,
            inbox,
            counters,
            filters: config.firewall != Firewall::Noop,
            devices_per_call: config.devices_per_call,
            view: View::default(),
            seen: BTreeMap::new(),
            pending: BTreeSet::new(),
            unsaid: BTreeMap::new(),
            failed: BTreeSet::new(),
            resync: true,
            informed: false,
            verify: false,
        }
    }

    /// Looks at both sides and does what is missing.
    async fn pass(&mut self) -> Result<(), AgentError> {
        let notes = self.inbox.take();
        self.resync |= notes.resync;
        let refresh = self.resync;
        let devices = self.with_driver(|driver, _| driver.devices()).await??;
        self.counters.set([("devices", devices.len())]);
        self.take_notes(&notes, &devices).await?;
        let asked = std::mem::take(&mut self.pending);
        let affected = self.view.affected_by(&notes.groups);
        let learned = self.learn(&asked, &affected).await;
        if learned.is_err() {
            self.pending.extend(asked.iter().chain(&affected).cloned());
            if !self.informed {
                // The view is not whole yet: what is installed stays as it is.
                return learned;
            }
        }
        self.informed = true;
        self.view.tidy();
        let verify = std::mem::take(&mut self.verify);
        let wired = self.with_driver(move |driver, view| {
            if verify {
                driver.forget();
            }
            driver.apply(view, &notes.fdb)
        });
        match wired.await? {
            Ok(wired) => self.conclude(&asked, wired),
            Err(error) => {
                self.pending.extend(asked);
                // Forwarding entries may be lost with this pass; all are asked for again.
                self.resync = true;
                return Err(error.into());
            }
        }
        learned?;
        self.resync = false;
        self.report_statuses(refresh).await?;
        self.counters.starting(false);
        Ok(())
    }

    /// Runs `work` with the driver and the view where blocking is allowed.
    async fn with_driver<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Driver, &mut View) -> T + Send + 'static,
    ) -> Result<T, tokio::task::JoinError> {
        let (driver, mut view) = (self.driver.take(), std::mem::take(&mut self.view));
        let task = tokio::task::spawn_blocking(move || {
            let mut driver = driver;
            let value = driver.as_mut().map(|driver| work(driver, &mut view));
            (driver, view, value)
        });
        let (driver, view, value) = task.await?;
        (self.driver, self.view) = (driver, view);
        match value {
            Some(value) => Ok(value),
            // The driver is lost only with a panic, which ended the agent then.
            None => std::future::pending().await,
        }
    }

    /// From notes and devices to what has to be asked.
    async fn take_notes(&mut self, notes: &Notes, devices: &BTreeMap<String, u32>) -> Result<(), AgentError> {
        for network in notes.deleted_networks.iter().cloned() {
            self.with_driver(|driver, _| driver.delete_network(network)).await?;
        }
        notes.tunnels.iter().for_each(|message| self.view.learn_tunnel(message));
        let device_of = self.device;
        for device in notes.deactivated.iter().map(|id| device_of(id)) {
            self.view.disown(&device);
            let unplug = self.with_driver(move |driver, _| driver.unplug(&device)).await?;
            unplug?;
        }
        let gone: Vec<String> =
            self.seen.keys().filter(|device| !devices.contains_key(*device)).cloned().collect();
        for device in gone {
            tracing::info!(device, "device is gone");
            self.view.remove_port(&device);
            self.failed.remove(&device);
            self.unsaid.insert(device, false);
        }
        let new =
            devices.iter().filter(|(device, index)| self.resync || self.seen.get(*device) != Some(index));
        self.pending.extend(new.map(|(device, _)| device.clone()));
        self.pending.extend(notes.ports.iter().map(|id| device_of(id)));
        let ports = self.view.ports.iter().filter(|(_, port)| notes.networks.contains(&port.network_id));
        self.pending.extend(ports.map(|(device, _)| device.clone()));
        self.pending.retain(|device| devices.contains_key(device));
        self.view.disowned.retain(|device| devices.contains_key(device));
        self.seen.clone_from(devices);
        Ok(())
    }

    /// Asks the server about the devices in `asked`, and about their filters and those of `affected` ones.
    async fn learn(
        &mut self,
        asked: &BTreeSet<String>,
        affected: &BTreeSet<String>,
    ) -> Result<(), AgentError> {
        self.learn_tunnels().await?;
        let list: Vec<String> = asked.iter().cloned().collect();
        let mut filtered = affected.clone();
        for chunk in list.chunks(self.devices_per_call) {
            let answer = self.server.details(chunk).await?;
            self.pending.extend(answer.failed_devices);
            for reply in answer.devices {
                match reply {
                    DeviceReply::Known(details) => {
                        if details.port_security_enabled && !is_trusted(&details.device_owner) {
                            filtered.insert(details.device.clone());
                        }
                        self.view.disowned.remove(&details.device);
                        self.view.ports.insert(details.device.clone(), *details);
                    }
                    DeviceReply::Inactive { device, .. } | DeviceReply::Unknown { device } => {
                        tracing::info!(device, "device is no port of this host");
                        self.view.disown(&device);
                    }
                }
            }
        }
        if !self.filters {
            return Ok(());
        }
        let list: Vec<String> = filtered.into_iter().collect();
        for chunk in list.chunks(self.devices_per_call) {
            let info = self.server.security(chunk).await?;
            self.view.learn_security(chunk, info, self.device);
        }
        Ok(())
    }

    /// Tells the server of this host's ends of tunnels and asks for those of the others.
    async fn learn_tunnels(&mut self) -> Result<(), AgentError> {
        let Some((local_ip, types)) = self.tunnels.clone().filter(|_| self.resync) else { return Ok(()) };
        for kind in types {
            let hosts = self.server.tunnel_sync(local_ip, kind).await?;
            self.view.tunnels.insert(kind.to_owned(), hosts);
        }
        Ok(())
    }

    /// Notes what to tell the server about the devices that were asked about.
    fn conclude(&mut self, asked: &BTreeSet<String>, wired: Wired) {
        for (device, why) in &wired.failed {
            if !self.failed.contains(device) {
                tracing::error!(device, why, "port cannot be wired");
            }
        }
        let recovered = self.failed.iter().filter(|device| !wired.failed.contains_key(*device));
        let concerned: BTreeSet<&String> = asked.iter().chain(recovered).chain(wired.failed.keys()).collect();
        for device in concerned {
            let Some(port) = self.view.ports.get(device).filter(|port| port.admin_state_up) else { continue };
            let protected = !self.filters
                || !port.port_security_enabled
                || is_trusted(&port.device_owner)
                || self.view.security.ports.contains_key(device);
            if !protected {
                self.pending.insert(device.clone());
                continue;
            }
            let up = !wired.failed.contains_key(device);
            if up || !self.failed.contains(device) {
                self.unsaid.insert(device.clone(), up);
            }
        }
        self.failed = wired.failed.into_keys().collect();
    }

    /// Tells the server which devices are up and which are not.
    async fn report_statuses(&mut self, refresh_tunnels: bool) -> Result<(), AgentError> {
        let unsaid: Vec<(String, bool)> = std::mem::take(&mut self.unsaid).into_iter().collect();
        let mut chunks = unsaid.chunks(self.devices_per_call);
        while let Some(chunk) = chunks.next() {
            let (up, down): (Vec<_>, Vec<_>) = chunk.iter().cloned().partition(|(_, up)| *up);
            let names =
                |list: Vec<(String, bool)>| list.into_iter().map(|(device, _)| device).collect::<Vec<_>>();
            let answer = self.server.update(&names(up), &names(down), refresh_tunnels).await;
            let answer = answer.inspect_err(|_| {
                self.unsaid.extend(chunk.iter().chain(chunks.by_ref().flatten()).cloned());
            })?;
            self.unsaid.extend(answer.failed_devices_up.into_iter().map(|device| (device, true)));
            self.unsaid.extend(answer.failed_devices_down.into_iter().map(|device| (device, false)));
        }
        Ok(())
    }
}
