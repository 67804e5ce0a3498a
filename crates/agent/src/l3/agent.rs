//! The L3 agent's loop: what the server says is read again when a message, a failure or the clock asks for it,
//! and the host is made to match.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use model::l3::Router;
use serde_json::{Value, json};

use super::desired::NAMESPACE_PREFIX;
use super::external::{self, External, Known, Ruling};
use super::notes::Dirty;
use super::options::Options;
use super::statuses::statuses;
use super::tables::translated;
use super::{apply, desired};
use crate::inbox::Inbox;
use crate::metadata::listeners::{Listeners, Site};
use crate::netns::apply::{Announcement, Host};
use crate::plugin::{AgentState, Counters, Plugin};
use crate::reconciler::{Reconciler, Service};

const TOPIC: &str = "l3_agent";
const PLUGIN_TOPIC: &str = "q-l3-plugin";
/// What is announced by casts to all L2 agents and the like.
const NETWORK_UPDATE_TOPIC: &str = "q-agent-notifier-network-update";
/// Most routers in one request, and what it is halved to when the server is slow.
const CHUNK_MAX: usize = 256;
const CHUNK_MIN: usize = 32;
/// In so many looks at the host all packet filters are read, a part of them each time.
const FILTER_AUDITS: usize = 3;
/// Announcements are repeated after these times: the device may not have been plugged in at first.
const ANNOUNCE_AGAIN: [Duration; 3] =
    [Duration::from_millis(500), Duration::from_secs(2), Duration::from_secs(4)];

/// Runs the agent for ever. Dropping the future stops it; its routers go on.
///
/// # Errors
/// When the kernel refuses what nothing works without.
pub async fn run(options: Options, transport: &rpc::Transport) -> host::Result<()> {
    let counters = Counters::default();
    let state = AgentState {
        binary: "neutron-l3-agent",
        host: options.host.clone(),
        topic: TOPIC,
        agent_type: "L3 agent",
        configurations: json!({
            "agent_mode": "legacy", "handle_internal_only_routers": options.handle_internal_only_routers,
            "gateway_external_network_id": options.gateway_external_network_id.clone().unwrap_or_default(),
            "external_network_bridge": options.external_bridge.clone().unwrap_or_default(), "use_namespaces": true, "router_id": "",
            "interface_driver": options.interfaces.driver, "log_agent_heartbeats": options.log_agent_heartbeats,
            "extensions": [], "routers": 0, "ex_gw_ports": 0, "interfaces": 0, "floating_ips": 0,
        }),
        availability_zone: Some(options.availability_zone.clone()),
    };
    let host = Host::open(options.interfaces.switch.as_ref())?;
    let service = Service {
        transport,
        topics: &[TOPIC, NETWORK_UPDATE_TOPIC],
        inbox: Inbox::default(),
        state,
        counters: counters.clone(),
        report_interval: Duration::from_secs(options.report_interval.max(1)),
        resync_interval: options.resync_interval,
        changes: host.changes(),
    };
    let mut options = options;
    // Daemons run elsewhere than we do.
    for path in [&mut options.ra_confs, &mut options.external_pids] {
        *path = std::path::absolute(&*path)
            .map_err(|e| host::Error::io(format!("finding {}", path.display()), e))?;
    }
    let agent = Agent {
        plugin: Plugin::new(transport.client(), PLUGIN_TOPIC),
        host: Arc::new(Mutex::new(host)),
        listeners: Listeners::new(options.metadata_proxy_socket.clone()),
        options: Arc::new(options),
        counters,
        routers: BTreeMap::new(),
        failed: BTreeSet::new(),
        failed_all: false,
        external: Known::default(),
        chunk: CHUNK_MAX,
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
    routers: BTreeMap<String, Hosted>,
    failed: BTreeSet<String>,
    failed_all: bool,
    /// What the server said of its external networks.
    external: Known,
    /// How many routers are asked for at once.
    chunk: usize,
}

/// A router on this host.
struct Hosted {
    router: Router,
    /// Floating IPs that the server believes to be active.
    told: BTreeSet<String>,
    /// Where floating IPs led when the router was last in place.
    translations: BTreeMap<IpAddr, IpAddr>,
}

impl Reconciler for Agent {
    type Notes = Dirty;

    async fn look_again(&mut self, dirty: Dirty) {
        if dirty.all {
            return self.sync_all().await;
        }
        let mut ids = dirty.routers;
        for (id, hosted) in &self.routers {
            let mut ports = hosted.router.interfaces.iter().chain(&hosted.router.gw_port);
            if ports.any(|port| dirty.networks.contains(&port.network_id)) {
                ids.insert(id.clone());
            }
        }
        self.read(&ids.into_iter().collect::<Vec<_>>()).await;
    }

    fn forget(&mut self, number: usize) {
        self.host.lock().unwrap_or_else(PoisonError::into_inner).forget(number, FILTER_AUDITS);
    }

    async fn audit(&mut self) {
        if self.failed_all {
            return self.sync_all().await;
        }
        let failed: Vec<String> = std::mem::take(&mut self.failed).into_iter().collect();
        let known: Vec<String> = self.routers.keys().filter(|id| !failed.contains(id)).cloned().collect();
        self.read(&failed).await;
        self.serve(&known).await;
    }

    async fn conclude(&mut self) -> bool {
        self.count();
        !self.failed_all && self.failed.is_empty()
    }
}

impl Agent {
    /// Reads everything and drops what is no longer ours, whoever left it.
    async fn sync_all(&mut self) {
        self.failed_all = false;
        let args = json!({"host": self.options.host});
        let ids: Vec<String> = match self.plugin.call("get_router_ids", "1.9", args).await {
            Ok(ids) => match serde_json::from_value(ids) {
                Ok(ids) => ids,
                Err(e) => {
                    tracing::error!("the server's answer is no list of routers: {e}");
                    self.failed_all = true;
                    return;
                }
            },
            Err(e) => {
                tracing::error!("cannot read which routers to host: {e}");
                self.failed_all = true;
                return;
            }
        };
        self.read(&ids).await;
        let spaces = self.host.lock().unwrap_or_else(PoisonError::into_inner).namespaces(NAMESPACE_PREFIX);
        let left = spaces.unwrap_or_default().into_iter();
        let left = left.filter_map(|name| name.strip_prefix(NAMESPACE_PREFIX).map(str::to_owned));
        let known: BTreeSet<String> = self.routers.keys().cloned().chain(left).collect();
        for id in known.into_iter().filter(|id| !ids.contains(id)) {
            self.remove(&id).await;
        }
    }

    /// Reads these routers again; those that the server does not name are not ours.
    async fn read(&mut self, ids: &[String]) {
        let mut rest = ids;
        while !rest.is_empty() {
            let (some, others) = rest.split_at(rest.len().min(self.chunk));
            let args = json!({"host": self.options.host, "router_ids": some});
            match self.plugin.call("sync_routers", "1.0", args).await {
                Ok(Value::Array(routers)) => {
                    self.chunk = (self.chunk + CHUNK_MIN).min(CHUNK_MAX);
                    self.take(some, routers).await;
                }
                Ok(odd) => tracing::error!("the server's answer is no list of routers: {odd:.200}"),
                Err(e) => {
                    tracing::error!("cannot read {} routers: {e}", some.len());
                    self.failed.extend(some.iter().cloned());
                    if matches!(e, rpc::Error::Timeout { .. }) {
                        self.chunk = (self.chunk / 2).max(CHUNK_MIN);
                    }
                }
            }
            rest = others;
        }
    }

    async fn take(&mut self, asked: &[String], routers: Vec<Value>) {
        let mut seen = BTreeSet::new();
        for value in routers {
            let id = value.get("id").and_then(Value::as_str).unwrap_or_default().to_owned();
            seen.insert(id.clone());
            match serde_json::from_value::<Router>(value) {
                Ok(router) => match self.ruled(&router).await {
                    Ruling::Serve => {
                        let hosted = self.routers.entry(id.clone()).or_insert_with(|| Hosted::new(&router));
                        hosted.router = router;
                        self.serve(&[id]).await;
                    }
                    Ruling::Refuse(reason) => {
                        tracing::info!(router_id = id, "router {id} is not hosted here: {reason}");
                        self.remove(&id).await;
                    }
                    Ruling::Leave(why) => {
                        tracing::error!(router_id = id, "router {id} is left as it is: {why}");
                        self.failed.insert(id);
                    }
                },
                Err(e) => tracing::error!(router_id = id, "router {id} cannot be understood: {e}"),
            }
        }
        for id in asked.iter().filter(|id| !seen.contains(*id)) {
            self.remove(id).await;
        }
    }

    /// Whether a router is ours. The server is asked only where the bridge for gateways has one network, which no option
    /// names, and the router's gateway is on another than before.
    async fn ruled(&mut self, router: &Router) -> Ruling {
        match external::ruling(router, &self.options, &self.external) {
            External::Ruled(ruling) => ruling,
            External::Ask(network) => {
                let args = json!({"host": self.options.host});
                let answer = self.plugin.call("get_external_network_id", "1.0", args).await;
                let (known, ruling) = external::answered(&network, answer);
                if let Some(known) = known {
                    self.external = known;
                }
                ruling
            }
        }
    }

    /// Makes the host carry known routers.
    async fn serve(&mut self, ids: &[String]) {
        let known = ids.iter().filter_map(|id| self.routers.get(id));
        let known: Vec<(Router, Vec<IpAddr>)> =
            known.map(|hosted| (hosted.router.clone(), hosted.moved())).collect();
        let (host, options) = (self.host.clone(), self.options.clone());
        let done = tokio::task::spawn_blocking(move || {
            let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
            host.look(|host| {
                let serve = |(router, moved): (Router, Vec<IpAddr>)| {
                    let done = apply::serve(host, &router, &moved, &options);
                    (router.id, done)
                };
                known.into_iter().map(serve).collect::<Vec<_>>()
            })
        });
        let done = match done.await {
            Ok(Ok(done)) => done,
            Ok(Err(e)) => return tracing::error!("the host's devices cannot be read: {e}"),
            Err(e) => return tracing::error!("making routers broke off: {e}"),
        };
        for (id, done) in done {
            let worked = done.is_ok();
            match done {
                Ok(done) => self.after(&id, done),
                Err(e) => {
                    tracing::error!(router_id = id, "router {id} cannot be made: {e}");
                    self.failed.insert(id.clone());
                }
            }
            self.tell(&id, worked).await;
        }
    }

    fn after(&mut self, id: &str, done: apply::Done) {
        self.failed.remove(id);
        if let Some(hosted) = self.routers.get_mut(id) {
            hosted.translations = translations(&hosted.router);
        }
        announce_again(done.announced);
        let addresses = if self.options.enable_metadata_proxy { vec![[0_u16; 8].into()] } else { Vec::new() };
        let site = Site {
            ns: done.ns,
            addresses,
            port: self.options.metadata_port,
            device: None,
            header: ("X-Neutron-Router-ID", id.to_owned()),
        };
        self.listeners.keep(id, site);
    }

    /// Tells the server what it does not know yet of the router's floating IPs.
    async fn tell(&mut self, id: &str, worked: bool) {
        let Some(hosted) = self.routers.get_mut(id) else { return };
        let news = statuses(&hosted.router, worked, &hosted.told);
        if news.is_empty() {
            return;
        }
        let args = json!({"router_id": id, "fip_statuses": news});
        if let Err(e) = self.plugin.call("update_floatingip_statuses", "1.1", args).await {
            tracing::error!(router_id = id, "cannot tell the server of floating IPs: {e}");
            self.failed.insert(id.to_owned());
            return;
        }
        for (fip_id, status) in news {
            let fip = hosted.router.floatingips.iter_mut().find(|fip| fip.id == fip_id);
            if let Some(fip) = fip {
                fip.status = Some(status.to_owned());
            }
        }
        hosted.told = hosted.router.floatingips.iter().map(|fip| fip.id.clone()).collect();
    }

    async fn remove(&mut self, id: &str) {
        let known = self.routers.remove(id).is_some();
        self.failed.remove(id);
        self.listeners.remove(id);
        if !known && !host::netns::exists(&desired::namespace_name(id)) {
            return;
        }
        let (host, options, router_id) = (self.host.clone(), self.options.clone(), id.to_owned());
        let done = tokio::task::spawn_blocking(move || {
            let mut host = host.lock().unwrap_or_else(PoisonError::into_inner);
            apply::remove(&mut host, &router_id, &options)
        });
        match done.await {
            Ok(Ok(())) => tracing::info!(router_id = id, "router {id} is no longer hosted"),
            Ok(Err(e)) => {
                tracing::error!(router_id = id, "router {id} cannot be cleared away: {e}");
                self.failed_all = true;
            }
            Err(e) => tracing::error!(router_id = id, "clearing router {id} away broke off: {e}"),
        }
    }

    fn count(&self) {
        let routers = self.routers.values().map(|hosted| &hosted.router);
        self.counters.set([
            ("routers", self.routers.len()),
            ("ex_gw_ports", routers.clone().filter(|router| router.gw_port.is_some()).count()),
            ("interfaces", routers.clone().map(|router| router.interfaces.len()).sum()),
            ("floating_ips", routers.map(|router| router.floatingips.len()).sum()),
        ]);
    }
}

impl Hosted {
    fn new(router: &Router) -> Hosted {
        // What is there at the start was made for what the server says now, as far as we can know.
        Hosted { router: router.clone(), told: BTreeSet::new(), translations: translations(router) }
    }

    /// Floating IPs that lead elsewhere than before: their connections still go the old way.
    fn moved(&self) -> Vec<IpAddr> {
        let now = translations(&self.router);
        let moved = self
            .translations
            .iter()
            .filter(|(floating, fixed)| now.get(*floating).is_some_and(|new| new != *fixed));
        moved.map(|(floating, _)| *floating).collect()
    }
}

fn translations(router: &Router) -> BTreeMap<IpAddr, IpAddr> {
    translated(router).map(|(_, floating, fixed)| (floating, fixed)).collect()
}

fn announce_again(announcements: Vec<Announcement>) {
    if announcements.is_empty() {
        return;
    }
    tokio::spawn(async move {
        for pause in ANNOUNCE_AGAIN {
            tokio::time::sleep(pause).await;
            let announcements = announcements.clone();
            let sent =
                tokio::task::spawn_blocking(move || announcements.iter().try_for_each(Announcement::send));
            // The device may be gone by now, and with it the need.
            if !matches!(sent.await, Ok(Ok(()))) {
                return;
            }
        }
    });
}
