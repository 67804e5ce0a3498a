//! A host, its network and a server for L2 tests: namespaces, plugged instances, and an
//! endpoint that answers what it was told to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use agent::l2::{self, L2Config};
use host::netlink::{Link, Netlink, NewLink};
use host::{Netns, exec};
use model::names;
use rpc::{Answer, Call, Endpoint, Failure, Listener, Target, Transport};
use serde_json::{Map, Value, json};
use tokio::sync::watch;

/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server knows, and what it was told.
#[derive(Debug, Default)]
pub struct Cloud {
    /// Port dictionaries with the segment's keys, by port id.
    pub ports: BTreeMap<String, Value>,
    /// Rules by group.
    pub groups: BTreeMap<String, Vec<Value>>,
    /// Devices that were reported up.
    pub up: BTreeSet<String>,
    /// Devices that were reported down.
    pub down: BTreeSet<String>,
    /// Reports of state.
    pub reports: Vec<Value>,
    /// Ends of tunnels by type.
    pub tunnels: BTreeMap<String, BTreeSet<String>>,
    /// Refuse everything.
    pub broken: bool,
}

#[derive(Clone, Default)]
pub struct Server(pub Arc<Mutex<Cloud>>);

impl Server {
    pub fn with<T>(&self, look: impl FnOnce(&mut Cloud) -> T) -> T {
        look(&mut self.0.lock().unwrap())
    }

    fn port_of(&self, device: &str) -> Option<Value> {
        self.with(|cloud| {
            cloud
                .ports
                .iter()
                .find(|(id, _)| names::tap(id) == device || **id == device)
                .map(|(_, p)| p.clone())
        })
    }

    fn details(&self, args: &Map<String, Value>) -> Value {
        let devices = args["devices"].as_array().unwrap().iter().map(|d| d.as_str().unwrap());
        let answers = devices.map(|device| match self.port_of(device) {
            Some(mut port) => {
                port["device"] = json!(device);
                port
            }
            None => json!({"device": device}),
        });
        json!(answers.collect::<Vec<_>>())
    }

    fn security(&self, args: &Map<String, Value>) -> Value {
        let (mut devices, mut groups, mut members) = (Map::new(), Map::new(), Map::new());
        for device in args["devices"].as_array().unwrap().iter().map(|d| d.as_str().unwrap()) {
            let Some(mut port) = self.port_of(device).filter(|p| p["port_security_enabled"] == true) else {
                continue;
            };
            for group in port["security_groups"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()) {
                let rules = self.with(|cloud| cloud.groups.get(group).cloned().unwrap_or_default());
                for remote in rules.iter().filter_map(|rule| rule["remote_group_id"].as_str()) {
                    members.insert(remote.to_owned(), self.members(remote));
                }
                groups.insert(group.to_owned(), json!(rules));
            }
            let ips: Vec<Value> =
                port["fixed_ips"].as_array().unwrap().iter().map(|ip| ip["ip_address"].clone()).collect();
            port["fixed_ips"] = json!(ips);
            port["device"] = json!(device);
            port["security_group_rules"] = json!([]);
            devices.insert(port["port_id"].as_str().unwrap().to_owned(), port);
        }
        json!({"devices": devices, "security_groups": groups, "sg_member_ips": members})
    }

    fn members(&self, group: &str) -> Value {
        let (mut v4, mut v6) = (Vec::new(), Vec::new());
        self.with(|cloud| {
            for port in cloud.ports.values() {
                if port["security_groups"].as_array().unwrap().contains(&json!(group)) {
                    for ip in port["fixed_ips"].as_array().unwrap().iter().map(|fixed| &fixed["ip_address"]) {
                        let list = if ip.as_str().unwrap().contains(':') { &mut v6 } else { &mut v4 };
                        list.push(json!([ip, port["mac_address"]]));
                    }
                }
            }
        });
        json!({"IPv4": v4, "IPv6": v6})
    }

    fn answer(&self, method: &str, args: &Map<String, Value>) -> Result<Value, Failure> {
        if self.with(|cloud| cloud.broken) {
            return Err(Failure::internal("out of order"));
        }
        Ok(match method {
            "get_devices_details_list" => self.details(args),
            // As on Neutron's own server, only whole ids are found by it.
            "get_devices_details_list_and_failed_devices" => {
                let devices = args["devices"].as_array().unwrap();
                let tap = |device: &Value| names::is_tap(device.as_str().unwrap());
                assert!(!devices.iter().any(tap), "{devices:?}");
                json!({"devices": self.details(args), "failed_devices": []})
            }
            "security_group_info_for_devices" => self.security(args),
            "update_device_list" => self.with(|cloud| {
                let list = |name: &str| {
                    args[name].as_array().unwrap().iter().map(|d| d.as_str().unwrap().to_owned())
                };
                for device in list("devices_up") {
                    cloud.down.remove(&device);
                    cloud.up.insert(device);
                }
                for device in list("devices_down") {
                    cloud.up.remove(&device);
                    cloud.down.insert(device);
                }
                json!({"devices_up": args["devices_up"], "devices_down": [], "failed_devices_up": [],
                       "failed_devices_down": []})
            }),
            "tunnel_sync" => self.with(|cloud| {
                let text = |name: &str| args[name].as_str().unwrap().to_owned();
                let ends = cloud.tunnels.entry(text("tunnel_type")).or_default();
                ends.insert(text("tunnel_ip"));
                json!({"tunnels": ends.iter().map(|ip| json!({"ip_address": ip})).collect::<Vec<_>>()})
            }),
            "report_state" => self.with(|cloud| {
                cloud.reports.push(args["agent_state"]["agent_state"].clone());
                json!("alive")
            }),
            _ => return Err(Failure::no_such_method(method)),
        })
    }
}

/// A topic of the server in the version that 25.2.3 serves, the oldest of Neutron's own that these agents work on.
struct Topic(Server, &'static str);

impl Endpoint for Topic {
    fn version(&self) -> &str {
        self.1
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        Box::pin(async move { self.0.answer(method, &args) })
    }
}

/// A host with one interface `eth0`, whose other end is on a bridge in `underlay`.
pub struct Host {
    pub ns: Netns,
    pub nl: Netlink,
    pub name: &'static str,
}

impl Host {
    pub fn new(name: &'static str) -> Host {
        let ns = Netns::anonymous().unwrap();
        let nl = Netlink::open(&ns).unwrap();
        nl.set_up_by_name("lo").unwrap();
        Host { ns, nl, name }
    }

    pub fn link(&self, name: &str) -> Option<Link> {
        self.nl.links().unwrap().into_iter().find(|link| link.name == name)
    }

    /// Runs a tool on the host; its output.
    pub fn run(&self, program: &str, args: &[&str]) -> String {
        exec::run(&self.ns, program, args, "").unwrap()
    }
}

/// Connects hosts by a bridge in a namespace of its own; they get 172.31.0.11, .12 …
pub fn underlay(hosts: &[&Host]) -> Netns {
    let ns = Netns::anonymous().unwrap();
    let nl = Netlink::open(&ns).unwrap();
    nl.add_link("br0", &NewLink::Bridge).unwrap();
    nl.set_up_by_name("br0").unwrap();
    let bridge = nl.index_of("br0").unwrap();
    for (at, host) in hosts.iter().enumerate() {
        let end = format!("u{at}");
        nl.add_link(&end, &NewLink::Veth { peer: "eth0", peer_ns: host.ns.file() }).unwrap();
        let index = nl.index_of(&end).unwrap().unwrap();
        nl.set_master(index, bridge).unwrap();
        nl.set_up(index, true).unwrap();
        let eth0 = host.link("eth0").unwrap().index;
        let net = format!("172.31.0.{}/24", 11 + at).parse().unwrap();
        host.nl.add_addr(eth0, net, true).unwrap();
        host.nl.set_up(eth0, true).unwrap();
    }
    ns
}

/// An instance: a namespace with `eth0`, whose other end is the port's tap on a host.
pub struct Instance {
    pub ns: Netns,
    pub nl: Netlink,
    pub port: String,
    pub ip: String,
    mac: String,
}

impl Instance {
    /// Makes the port known to the server and plugs it into `host`.
    pub fn boot(server: &Server, host: &Host, port: &Value) -> Instance {
        let id = port["port_id"].as_str().unwrap().to_owned();
        server.with(|cloud| cloud.ports.insert(id, port.clone()));
        Instance::plug(host, port)
    }

    /// Plugs a port into `host`, as Nova does: a bridge, if there is none, and the tap in it.
    pub fn plug(host: &Host, port: &Value) -> Instance {
        let id = port["port_id"].as_str().unwrap().to_owned();
        let ns = Netns::anonymous().unwrap();
        let nl = Netlink::open(&ns).unwrap();
        let (tap, bridge) = (names::tap(&id), names::bridge(port["network_id"].as_str().unwrap()));
        if host.link(&bridge).is_none() {
            host.nl.add_link(&bridge, &NewLink::Bridge).unwrap();
            host.nl.set_up_by_name(&bridge).unwrap();
        }
        host.nl.add_link(&tap, &NewLink::Veth { peer: "eth0", peer_ns: ns.file() }).unwrap();
        let index = host.nl.index_of(&tap).unwrap().unwrap();
        host.nl.set_master(index, host.nl.index_of(&bridge).unwrap()).unwrap();
        host.nl.set_up(index, true).unwrap();
        let eth0 = nl.index_of("eth0").unwrap().unwrap();
        nl.set_up_by_name("lo").unwrap();
        nl.set_mac(eth0, port["mac_address"].as_str().unwrap().parse().unwrap()).unwrap();
        nl.set_mtu(eth0, 1450).unwrap();
        nl.set_up(eth0, true).unwrap();
        let ips =
            port["fixed_ips"].as_array().unwrap().iter().map(|fixed| fixed["ip_address"].as_str().unwrap());
        for ip in ips.clone() {
            let net = if ip.contains(':') { format!("{ip}/64") } else { format!("{ip}/24") };
            nl.add_addr(eth0, net.parse().unwrap(), true).unwrap();
        }
        let ip = ips.clone().next().unwrap().to_owned();
        Instance { ns, nl, port: id, ip, mac: port["mac_address"].as_str().unwrap().to_owned() }
    }

    pub fn tap(&self) -> String {
        names::tap(&self.port)
    }

    pub fn mac(&self) -> &str {
        &self.mac
    }

    /// Whether `to` answers one of a few pings.
    pub fn reaches(&self, to: &str) -> bool {
        let (status, ..) =
            exec::run_any(&self.ns, "ping", &["-c", "3", "-i", "0.1", "-W", "1", to], "").unwrap();
        status.success()
    }
}

/// A port of `network` (the last 12 digits of its id) with an address 10.1.0.`n`.
pub fn port(network: u8, n: u8) -> Value {
    json!({
        "port_id": format!("{n:08x}-{network:04x}-4000-8000-000000000000"),
        "network_id": network_id(network),
        "mac_address": format!("fa:16:3e:00:{network:02x}:{n:02x}"),
        "admin_state_up": true, "network_type": "vxlan", "segmentation_id": 100 + u32::from(network),
        "physical_network": null, "mtu": 1450, "device_owner": "compute:nova",
        "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.1.0.{n}")}],
        "allowed_address_pairs": [], "port_security_enabled": true, "profile": {}, "security_groups": ["default"],
    })
}

pub fn network_id(network: u8) -> String {
    format!("{network:08x}-0000-4000-8000-000000000000")
}

/// The default group: out anywhere, in from itself.
pub fn default_group() -> Vec<Value> {
    vec![
        json!({"direction": "egress", "ethertype": "IPv4"}),
        json!({"direction": "egress", "ethertype": "IPv6"}),
        json!({"direction": "ingress", "ethertype": "IPv4", "remote_group_id": "default"}),
        json!({"direction": "ingress", "ethertype": "IPv6", "remote_group_id": "default"}),
    ]
}

/// Names the firewall where the kernel lacks what iptables needs.
const FIREWALL: &str = "LAB_FIREWALL";

pub fn config(host: &str, more: &str) -> L2Config {
    let firewall = std::env::var(FIREWALL).unwrap_or_else(|_| "iptables".to_owned());
    let text = format!(
        "[securitygroup]\nfirewall_driver = {firewall}\n[agent]\npolling_interval = 1\nreport_interval = 5\n{more}"
    );
    L2Config::load(&oslo::config::Config::parse("test.ini", &text), host).unwrap()
}

/// Unicast tunnels from `local_ip`.
pub fn tunnels(local_ip: &str) -> String {
    format!("[vxlan]\nlocal_ip = {local_ip}\nl2_population = true\narp_responder = true\n")
}

/// The cloud's one server and transport.
pub struct Lab {
    pub server: Server,
    pub transport: Transport,
    _listeners: Vec<Listener>,
}

impl Lab {
    pub fn new() -> Lab {
        let (server, transport) = (Server::default(), Transport::memory());
        server.with(|cloud| cloud.groups.insert("default".into(), default_group()));
        let listen = |topic: &str, version| {
            let endpoint: Arc<dyn Endpoint> = Arc::new(Topic(server.clone(), version));
            transport.listen(topic, "server", vec![endpoint])
        };
        let listeners = vec![listen("q-plugin", "1.9"), listen("q-reports-plugin", "1.3")];
        Lab { server, transport, _listeners: listeners }
    }

    /// Starts an agent on `host` and waits for its first pass.
    pub async fn start(&self, host: &Host, more: &str) -> Agent {
        let mut agent = self.start_without_waiting(host, more);
        let first = agent.ready.wait_for(|ready| *ready);
        if !matches!(tokio::time::timeout(PATIENCE, first).await, Ok(Ok(_))) {
            panic!("no first pass: {:?}", agent.task.await);
        }
        agent
    }

    pub fn start_without_waiting(&self, host: &Host, more: &str) -> Agent {
        self.run(config(host.name, more), host.ns.clone())
    }

    /// Starts an agent with all of its configuration.
    pub fn run(&self, config: L2Config, ns: Netns) -> Agent {
        let (tell_ready, ready) = watch::channel(false);
        let (stop, stopped) = watch::channel(false);
        let transport = self.transport.clone();
        let task = tokio::spawn(async move { l2::run(config, &transport, &ns, tell_ready, stopped).await });
        Agent { task, ready, _stop: stop }
    }

    pub async fn rules_changed(&self) {
        let groups = json!({"security_groups": ["default"]});
        self.cast("security_group-update", "security_groups_rule_updated", groups).await;
    }

    pub async fn members_changed(&self) {
        let groups = json!({"security_groups": ["default"]});
        self.cast("security_group-update", "security_groups_member_updated", groups).await;
    }

    /// Changes an attribute of a port and says that it changed.
    pub async fn change(&self, port: &str, attribute: &str, value: Value) {
        self.server.with(|cloud| cloud.ports.get_mut(port).unwrap()[attribute] = value);
        self.cast("port-update", "port_update", json!({"port": {"id": port}})).await;
    }

    pub async fn cast(&self, table: &str, method: &str, args: Value) {
        let target = Target::fanout(&format!("q-agent-notifier-{table}"));
        self.transport.client().cast(&json!({}), &target, method, "1.0", args).await.unwrap();
    }

    pub async fn up(&self, device: &str) {
        self.until(&format!("{device} up"), |lab| lab.server.with(|cloud| cloud.up.contains(device))).await;
    }

    /// Waits until something holds.
    pub async fn until(&self, what: &str, holds: impl Fn(&Lab) -> bool) {
        let start = Instant::now();
        while !holds(self) {
            assert!(start.elapsed() < PATIENCE, "never: {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

pub struct Agent {
    task: tokio::task::JoinHandle<Result<(), l2::AgentError>>,
    ready: watch::Receiver<bool>,
    _stop: watch::Sender<bool>,
}

impl Agent {
    /// Ends the agent in the middle of whatever it does.
    pub async fn kill(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}
