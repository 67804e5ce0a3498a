//! The DHCP agent's loop: what the server says is read again when a message, a failure or the clock asks for
//! it, and the host is made to match.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::dhcp::{DhcpPort, NetworkInfo};
use serde_json::{Value, json};

use super::notes::Dirty;
use super::options::Options;
use super::port::{self, Step};
use super::{apply, desired};
use crate::inbox::Inbox;
use crate::metadata::listeners::{Listeners, Site};
use crate::netns::apply::Host;
use crate::plugin::{AgentState, Counters, Plugin};
use crate::reconciler::{Reconciler, Service};

const TOPIC: &str = "dhcp_agent";
const PLUGIN_TOPIC: &str = "q-plugin";
/// Most ports in one notice of readiness.
const READY_PORTS_MAX: usize = 64;
/// Most steps to a usable port: take over, then fill up.
const PORT_STEPS_MAX: u32 = 3;
/// In so many looks at the host all packet filters are read, a part of them each time.
const FILTER_AUDITS: usize = 3;
/// Where metadata is asked for.
const METADATA_PORT: u16 = 80;

/// Runs the agent for ever. Dropping the future stops it; what it serves goes on.
///
/// # Errors
/// When the kernel refuses what nothing works without.
pub async fn run(options: Options, transport: &rpc::Transport) -> host::Result<()> {
    let counters = Counters::default();
    let state = AgentState {
        binary: "neutron-dhcp-agent",
        host: options.host.clone(),
        topic: TOPIC,
        agent_type: "DHCP agent",
        configurations: json!({
            "dhcp_driver": options.dhcp_driver, "dhcp_lease_duration": options.dhcp_lease_duration,
            "log_agent_heartbeats": options.log_agent_heartbeats, "networks": 0, "subnets": 0, "ports": 0,
        }),
        availability_zone: Some(options.availability_zone.clone()),
    };
    let host = Host::open(options.interfaces.switch.as_ref())?;
    let service = Service {
        transport,
        topics: &[TOPIC],
        inbox: Inbox::default(),
        state,
        counters: counters.clone(),
        report_interval: Duration::from_secs(options.report_interval.max(1)),
        resync_interval: options.resync_interval,
        changes: host.changes(),
    };
    let mut options = options;
    // Daemons run elsewhere than we do.
    options.dhcp_confs = std::path::absolute(&options.dhcp_confs)
        .map_err(|e| host::Error::io(format!("finding {}", options.dhcp_confs.display()), e))?;
    std::fs::create_dir_all(&options.dhcp_confs)
        .map_err(|e| host::Error::io(format!("making {}", options.dhcp_confs.display()), e))?;
    options.confs_are_public = apply::is_public(&options.dhcp_confs);
    let agent = Agent {
        plugin: Plugin::new(transport.client(), PLUGIN_TOPIC),
        host: Arc::new(Mutex::new(host)),
        listeners: Listeners::new(options.metadata_proxy_socket.clone()),
        options: Arc::new(options),
        counters,
        networks: BTreeMap::new(),
        failed: BTreeSet::new(),
        unready: BTreeSet::new(),
        told: BTreeSet::new(),
    };
    service.run(agent).await;
    Ok(())
}

struct Agent {
    plugin: Plugin,
    host: Arc<Mutex<Host>>,
    listeners: Listeners,
    options: Arc<Options>,
    counters: Counters,
    /// What is served, with our port on it.
    networks: BTreeMap<String, (NetworkInfo, DhcpPort)>,
    /// Networks to try again; the empty name stands for all.
    failed: BTreeSet<String>,
    /// Ports whose readiness is still to be told.
    unready: BTreeSet<String>,
    /// Ports whose readiness was told.
    told: BTreeSet<String>,
}

impl Reconciler for Agent {
    type Notes = Dirty;

    async fn look_again(&mut self, dirty: Dirty) {
        // Told again even when told before: the server asks for it anew.
        for port_id in &dirty.ports {
            self.told.remove(port_id);
        }
        if dirty.all {
            self.sync_all().await;
            return;
        }
        let mut networks = dirty.networks;
        for (id, (network, _)) in &self.networks {
            if network.all_subnets().any(|subnet| dirty.subnets.contains(&subnet.id)) {
                networks.insert(id.clone());
            }
        }
        for network_id in networks {
            self.refresh(&network_id).await;
        }
    }

    fn forget(&mut self, number: usize) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).forget(number, FILTER_AUDITS);
    }

    async fn audit(&mut self) {
        let failed = std::mem::take(&mut self.failed);
        if failed.contains("") {
            self.sync_all().await;
            return;
        }
        let known: Vec<String> = self.networks.keys().filter(|id| !failed.contains(*id)).cloned().collect();
        for network_id in failed {
            self.refresh(&network_id).await;
        }
        self.serve(&known).await;
    }

    async fn conclude(&mut self) -> bool {
        self.tell_readiness().await;
        self.count();
        self.failed.is_empty() && self.unready.is_empty()
    }
}

impl Agent {
    /// Reads everything and drops what is no longer ours.
    async fn sync_all(&mut self) {
        self.failed.remove("");
        let args = json!({"host": self.options.host, "enable_dhcp_filter": false});
        let networks = match self.plugin.call("get_active_networks_info", "1.1", args).await {
            Ok(Value::Array(networks)) => networks,
            Ok(odd) => {
                tracing::error!("the server's answer is no list of networks: {odd:.200}");
                return self.failed_all();
            }
            Err(e) => {
                tracing::error!("cannot read the networks to serve: {e}");
                return self.failed_all();
            }
        };
        self.told.clear();
        let mut current = BTreeSet::new();
        for network in networks {
            let id = network.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            current.insert(id.clone());
            self.read(&id, network).await;
            if self.unready.len() >= READY_PORTS_MAX {
                self.tell_readiness().await;
            }
        }
        let known = self.networks.keys().cloned().chain(apply::existing(&self.options));
        let gone: BTreeSet<String> = known.filter(|id| !current.contains(id)).collect();
        for network_id in gone {
            self.disable(&network_id).await;
        }
    }

    fn failed_all(&mut self) {
        self.failed.insert(String::new());
    }

    /// Reads one network again.
    async fn refresh(&mut self, network_id: &str) {
        // All subnets, as in the list of networks: routes lead to those without DHCP too.
        let args = json!({"network_id": network_id, "host": self.options.host, "enable_dhcp": null});
        match self.plugin.call("get_network_info", "1.1", args).await {
            Ok(Value::Null) => self.disable(network_id).await,
            Ok(network) => self.read(network_id, network).await,
            Err(rpc::Error::Remote(failure)) if failure.class == "NetworkNotFound" => {
                self.disable(network_id).await;
            }
            Err(e) => {
                tracing::error!(network_id, "cannot read network {network_id}: {e}");
                self.failed.insert(network_id.to_owned());
            }
        }
    }

    async fn read(&mut self, network_id: &str, network: Value) {
        self.failed.remove(network_id);
        match serde_json::from_value::<NetworkInfo>(network) {
            Ok(network) if desired::is_wanted(&network) => self.configure(network).await,
            Ok(_) => self.disable(network_id).await,
            Err(e) => tracing::error!(network_id, "network {network_id} cannot be understood: {e}"),
        }
    }

    async fn configure(&mut self, mut network: NetworkInfo) {
        let id = network.id.clone();
        match self.own_port(&mut network).await {
            Ok(Some(port)) => {
                self.networks.insert(id.clone(), (network, port));
                self.serve(&[id]).await;
            }
            Ok(None) => {
                tracing::warn!(network_id = id, "network {id} has no port for this DHCP server yet");
                self.failed.insert(id);
            }
            // The network is there, and was taken from this host.
            Err(rpc::Error::Remote(failure)) if failure.class == "NetworkNotFound" => self.disable(&id).await,
            Err(rpc::Error::Remote(failure)) if failure.class == "IpAddressGenerationFailure" => {
                // A message comes when there are addresses again.
                tracing::warn!(network_id = id, "network {id} has no address left for its DHCP server");
            }
            Err(e) => {
                tracing::error!(network_id = id, "no port on network {id}: {e}");
                self.failed.insert(id);
            }
        }
    }

    /// Our port on the network, put among its ports; none when the server refuses one.
    async fn own_port(&self, network: &mut NetworkInfo) -> Result<Option<DhcpPort>, rpc::Error> {
        let host = &self.options.host;
        for _ in 0..PORT_STEPS_MAX {
            let answer = match port::next_step(network, host) {
                Step::Use(port) => return Ok(Some(*port)),
                Step::Update(port_id, changes) => {
                    let args = json!({"port_id": port_id, "port": {"port": changes}, "host": host});
                    self.plugin.call("update_dhcp_port", "1.1", args).await?
                }
                Step::Create(port) => {
                    let args = json!({"port": {"port": port}, "host": host});
                    self.plugin.call("create_dhcp_port", "1.1", args).await?
                }
            };
            let Ok(port) = serde_json::from_value::<DhcpPort>(answer) else { return Ok(None) };
            port::put(network, &port);
        }
        Ok(None)
    }

    /// Makes the host serve known networks.
    async fn serve(&mut self, network_ids: &[String]) {
        let known = network_ids.iter().filter_map(|id| self.networks.get(id).cloned());
        let known: Vec<(NetworkInfo, DhcpPort)> = known.collect();
        let (host, options) = (self.host.clone(), self.options.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
            host.look(|host| {
                let serve = |(network, port): (NetworkInfo, DhcpPort)| {
                    let served = apply::serve(host, &network, &port, &options);
                    (network, served)
                };
                known.into_iter().map(serve).collect::<Vec<_>>()
            })
        });
        let done = match done.await {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => return tracing::error!("the host's devices cannot be read: {e}"),
            Err(e) => return tracing::error!("serving networks broke off: {e}"),
        };
        for (network, served) in done {
            match served {
                Ok((served, ns, _)) => self.served(&network, served, ns),
                Err(e) => {
                    let id = network.id;
                    tracing::error!(network_id = id, "network {id} cannot be served: {e}");
                    self.failed.insert(id);
                }
            }
        }
    }

    fn served(&mut self, network: &NetworkInfo, served: desired::Served, ns: host::Netns) {
        let id = &network.id;
        self.failed.remove(id);
        let site = Site {
            ns,
            addresses: served.metadata,
            port: METADATA_PORT,
            device: Some(served.interface),
            header: ("X-Neutron-Network-ID", id.clone()),
        };
        self.listeners.keep(id, site);
        let ports = network.ports.iter().map(|port| &port.id).filter(|id| !self.told.contains(*id));
        self.unready.extend(ports.cloned());
    }

    /// Stops serving a network and gives our port back.
    async fn disable(&mut self, network_id: &str) {
        let known = self.networks.remove(network_id).is_some();
        let (host, options, id) = (self.host.clone(), self.options.clone(), network_id.to_owned());
        if !known && !options.dhcp_confs.join(network_id).exists() {
            return;
        }
        self.listeners.remove(network_id);
        let done = tokio::task::spawn_blocking(move || {
            let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
            apply::remove(&mut host, &id, &options)
        });
        match done.await {
            Ok(Ok(())) => tracing::info!(network_id, "network {network_id} is no longer served"),
            Ok(Err(e)) => {
                tracing::error!(network_id, "network {network_id} cannot be cleared away: {e}");
                self.failed_all();
            }
            Err(e) => tracing::error!(network_id, "clearing network {network_id} away broke off: {e}"),
        }
        let host = &self.options.host;
        let args =
            json!({"network_id": network_id, "device_id": port::device_id(host, network_id), "host": host});
        if let Err(e) = self.plugin.call("release_dhcp_port", "1.0", args).await {
            tracing::warn!(network_id, "our port on network {network_id} is not given back: {e}");
        }
    }

    async fn tell_readiness(&mut self) {
        while !self.unready.is_empty() {
            let some: Vec<String> = self.unready.iter().take(READY_PORTS_MAX).cloned().collect();
            let args = json!({"port_ids": some});
            if let Err(e) = self.plugin.call("dhcp_ready_on_ports", "1.5", args).await {
                tracing::error!("cannot tell the server which ports are ready: {e}");
                return;
            }
            for port_id in some {
                self.unready.remove(&port_id);
                self.told.insert(port_id);
            }
        }
    }

    fn count(&self) {
        let networks = self.networks.values().map(|(network, _)| network);
        let subnets = networks.clone().map(|network| network.subnets.len()).sum();
        let ports = networks.map(|network| network.ports.len()).sum();
        self.counters.set([("networks", self.networks.len()), ("subnets", subnets), ("ports", ports)]);
    }
}
