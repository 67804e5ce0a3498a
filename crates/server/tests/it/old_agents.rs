//! Agents of Juno (2014.2) and Liberty (7.x), played by frames made by hand over a real broker: what they send is
//! understood, what they are answered and told is what they read. They no longer install.
//!
//! The frames are those of oslo.messaging 1.4 and 2.5: no `_timeout`, answers in two parts to a queue that goes with
//! its consumer; the calls, versions and arguments those of the agents of these releases.

use crate::raw::{Raw, patient, url};
use crate::wiring::{Act, Cloud, act, subnet};
use lapin::ExchangeKind;
use lapin::options::ExchangeDeclareOptions;
use oslo::config::Config;
use oslo::context::Context;
use rpc::Transport;
use serde_json::{Map, Value, json};
use server::request::Rq;
use std::fs::File;
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};

/// Whose frames these are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Release {
    Juno,
    Liberty,
}

impl Release {
    /// The context that its agents send: an admin's, without a user.
    fn context(self) -> Value {
        let mut context = json!({"user": null, "user_id": null, "user_name": null, "tenant": null,
            "tenant_id": null, "tenant_name": null, "project_id": null, "project_name": null, "is_admin": true,
            "roles": ["admin"], "request_id": "req-1", "timestamp": "2014-10-16 10:00:00.000000",
            "auth_token": null});
        if self == Release::Juno {
            context["read_deleted"] = json!("no");
        }
        context
    }
}

/// Queues of topics have the same names whatever their exchange: servers of two tests would share them. The program that
/// runs itself on MariaDB takes turns with that one, too.
static BROKER: Mutex<()> = Mutex::const_new(());

/// The turn at the broker among programs, until the value goes.
async fn turn() -> File {
    let port = url().rsplit(':').next().unwrap().trim_end_matches('/').to_owned();
    let file = File::create(std::env::temp_dir().join(format!("neutron-it-broker-{port}"))).unwrap();
    let wait = move || file.lock().map(|()| file).unwrap();
    tokio::task::spawn_blocking(wait).await.unwrap()
}

/// A host with agents of a release, at a server's broker.
struct Old {
    _broker: (MutexGuard<'static, ()>, File),
    release: Release,
    exchange: String,
    host: String,
    replies: Raw,
    queue: String,
    calls: u32,
}

/// A name that nothing else at the broker has.
fn name(stem: &str) -> String {
    format!("{stem}-{}", uuid::Uuid::new_v4().simple())
}

/// A server at the broker, and a host with agents of a release.
async fn cloud(release: Release) -> (Cloud, Old) {
    let broker = (BROKER.lock().await, turn().await);
    let exchange = name("exchange");
    let text = format!("[DEFAULT]\ntransport_url = {}\ncontrol_exchange = {exchange}\n", url());
    let transport = Transport::from_config(&Config::parse("neutron.conf", &text)).unwrap();
    let mut status = transport.watch();
    let cloud = Cloud::server(transport, false).await;
    patient(async { status.wait_for(|status| status.up).await.map(|_| ()).unwrap() }).await;
    let queue = name("reply");
    let old = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    let replies = Raw::declared(&queue, ExchangeKind::Direct, old, &queue, true).await;
    (cloud, Old { _broker: broker, release, exchange, host: name("host"), replies, queue, calls: 0 })
}

impl Old {
    fn message(&self, method: &str, version: &str, args: &Value) -> Map<String, Value> {
        let context = self.release.context();
        let context = context.as_object().unwrap().iter();
        let mut message: Map<String, Value> =
            context.map(|(key, value)| (format!("_context_{key}"), value.clone())).collect();
        message.extend(json!({"method": method, "args": args}).as_object().unwrap().clone());
        // Targets of version 1.0 were sent without one.
        if version != "1.0" {
            message.insert("version".into(), json!(version));
        }
        message.insert("_unique_id".into(), json!(uuid::Uuid::new_v4().simple().to_string()));
        message
    }

    async fn cast(&self, topic: &str, method: &str, version: &str, args: Value) {
        let message = Value::Object(self.message(method, version, &args));
        self.replies.send(&self.exchange, topic, &message).await;
    }

    /// The first of the two parts of an answer.
    async fn part(&mut self, topic: &str, method: &str, version: &str, args: &Value) -> Value {
        self.calls += 1;
        let id = format!("{}-{}", self.queue, self.calls);
        let mut message = self.message(method, version, args);
        message.insert("_msg_id".into(), json!(id));
        message.insert("_reply_q".into(), json!(self.queue));
        self.replies.send(&self.exchange, topic, &Value::Object(message)).await;
        let (first, second) = (self.replies.take().await.1, self.replies.take().await.1);
        assert_eq!((&first["_msg_id"], first.get("ending")), (&json!(id), None), "{method}");
        assert_eq!((&second["_msg_id"], &second["ending"]), (&json!(id), &json!(true)), "{method}");
        first
    }

    async fn call(&mut self, topic: &str, method: &str, version: &str, args: Value) -> Value {
        let part = self.part(topic, method, version, &args).await;
        assert_eq!(part["failure"], Value::Null, "{method}");
        part["result"].clone()
    }

    /// Class and module of what the server raised.
    async fn refused(&mut self, method: &str, version: &str) -> (String, String) {
        let part = self.part("q-plugin", method, version, &json!({})).await;
        let failure: Value = serde_json::from_str(part["failure"].as_str().unwrap()).unwrap();
        let text = |key: &str| failure[key].as_str().unwrap().to_owned();
        (text("class"), text("module"))
    }

    /// Reports an agent of this host; Juno's tell nobody to answer.
    async fn reports(&mut self, cloud: &Cloud, kind: &str, topic: &str, configurations: Value) {
        let state = json!({"binary": "neutron-agent", "host": self.host, "topic": topic, "start_flag": true,
                           "agent_type": kind, "configurations": configurations});
        let args = json!({"agent_state": {"agent_state": state}, "time": "2999-01-01T10:00:00.000000"});
        match self.release {
            Release::Juno => self.cast("q-plugin", "report_state", "1.0", args).await,
            Release::Liberty => {
                self.call("q-plugin", "report_state", "1.0", args).await;
            }
        }
        patient(async {
            loop {
                let sql = "SELECT id FROM agents WHERE host = ? AND agent_type = ?";
                let mut tx = cloud.app.db.read().await.unwrap();
                if tx.opt(sql, server::p![&self.host, kind]).await.unwrap().is_some() {
                    return;
                }
                drop(tx);
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await;
    }

    /// Listens to what all agents of a topic are told.
    async fn fanout(&self, topic: &str) -> Raw {
        let old = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
        let (exchange, queue) = (format!("{topic}_fanout"), name(&format!("{topic}_fanout")));
        Raw::declared(&exchange, ExchangeKind::Fanout, old, &queue, true).await
    }

    /// Listens to what this host's agent of a topic is told.
    async fn own(&self, topic: &str) -> Raw {
        Raw::server(&self.exchange, &format!("{topic}.{}", self.host)).await
    }

    fn l2(&self) -> Value {
        json!({"interface_mappings": {"public": "eth1"}, "tunneling_ip": "192.0.2.9", "tunnel_types": ["vxlan"],
               "l2_population": true, "devices": 0})
    }
}

/// A network whose ports need no DHCP agent to become ACTIVE.
async fn network(cloud: &Cloud) -> (String, String) {
    let network = cloud.make("network", json!({"name": "n"})).await;
    let mut plain = subnet(&network, "10.77.0.0/24");
    plain["enable_dhcp"] = json!(false);
    let subnet = cloud.make("subnet", plain).await;
    (network, subnet)
}

async fn port(cloud: &Cloud, network: &str, host: &str) -> String {
    let port = json!({"network_id": network, "binding:host_id": host, "device_owner": "compute:nova",
                      "device_id": "vm"});
    cloud.make("port", port).await
}

fn tap(port: &str) -> String {
    format!("tap{}", &port[..11])
}

/// What is told, and in a context that Juno and Liberty can make theirs: they insist on user and tenant, and Juno on
/// one of three words for deleted rows.
async fn told(ear: &mut Raw, method: &str) -> Value {
    loop {
        let message = ear.take().await.1;
        for key in ["_context_user_id", "_context_tenant_id", "_context_roles", "_context_is_admin"] {
            assert!(message.get(key).is_some(), "{key}: {message}");
        }
        assert_eq!(message["_context_read_deleted"], "no", "{message}");
        if message["method"] == method {
            return message["args"].clone();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_linux_bridge_agent_of_juno_wires_a_port() {
    let (cloud, mut agent) = cloud(Release::Juno).await;
    let host = agent.host.clone();
    let mut updates = agent.fanout("q-agent-notifier-port-update").await;
    let mut groups = agent.fanout("q-agent-notifier-security_group-update").await;
    // Beside the fanout it has a queue of its own for forwarding, as it did in 2014.
    let mut forwarding = agent.own("q-agent-notifier-l2population-update").await;
    agent.reports(&cloud, "Linux bridge agent", "N/A", agent.l2()).await;
    let (network, subnet) = network(&cloud).await;
    let (first, second) = (port(&cloud, &network, &host).await, port(&cloud, &network, &host).await);

    let asked = json!({"devices": [tap(&first), "tap00000000-00"], "agent_id": "lb001", "host": host});
    let list = agent.call("q-plugin", "get_devices_details_list", "1.3", asked).await;
    let details = &list[0];
    for (key, expected) in [
        ("device", json!(tap(&first))),
        ("port_id", json!(first)),
        ("network_id", json!(network)),
        ("network_type", json!("vxlan")),
        ("physical_network", Value::Null),
        ("admin_state_up", json!(true)),
    ] {
        assert_eq!(details[key], expected, "{key}");
    }
    assert!(details["segmentation_id"].is_u64() && details["fixed_ips"][0]["subnet_id"] == json!(subnet));
    assert_eq!(list[1], json!({"device": "tap00000000-00"}));
    let one = json!({"device": tap(&second), "agent_id": "lb001", "host": host});
    let details = agent.call("q-plugin", "get_device_details", "1.1", one).await;
    assert_eq!(details["port_id"], json!(second));

    for port in [&first, &second] {
        let up = json!({"device": tap(port), "agent_id": "lb001", "host": host});
        assert_eq!(agent.call("q-plugin", "update_device_up", "1.1", up).await, Value::Null);
        assert_eq!(cloud.status(port).await, "ACTIVE");
    }
    // The first port is the only one of its network anywhere: its host hears of no other.
    let far = name("far");
    let l2 = json!({"interface_mappings": {}, "tunneling_ip": "192.0.2.10", "tunnel_types": ["vxlan"],
                    "l2_population": true});
    let near = std::mem::replace(&mut agent.host, far.clone());
    agent.reports(&cloud, "Linux bridge agent", "N/A", l2).await;
    agent.host = near;
    let third = port(&cloud, &network, &far).await;
    let up = json!({"device": tap(&third), "agent_id": "lb002", "host": far});
    agent.call("q-plugin", "update_device_up", "1.1", up).await;
    let down = json!({"device": tap(&first), "agent_id": "lb001", "host": host});
    let gone = agent.call("q-plugin", "update_device_down", "1.1", down.clone()).await;
    assert_eq!(gone, json!({"device": tap(&first), "exists": true}));
    agent.call("q-plugin", "update_device_up", "1.1", down).await;
    let entries = told(&mut forwarding, "add_fdb_entries").await;
    let there = &entries["fdb_entries"][&network]["ports"]["192.0.2.10"];
    assert_eq!(there[0], json!(["00:00:00:00:00:00", "0.0.0.0"]), "{entries}");

    cloud.change("port", &first, json!({"admin_state_up": false})).await;
    let update = told(&mut updates, "port_update").await;
    assert_eq!((&update["port"]["id"], &update["network_type"]), (&json!(first), &json!("vxlan")));
    assert!(update["segmentation_id"].is_u64() && update.get("physical_network").is_some());
    let changed = told(&mut groups, "security_groups_member_updated").await;
    assert!(changed["security_groups"].is_array());
}

#[tokio::test(flavor = "multi_thread")]
async fn old_agents_learn_security_groups() {
    for release in [Release::Juno, Release::Liberty] {
        let (cloud, mut agent) = cloud(release).await;
        agent.reports(&cloud, "Linux bridge agent", "N/A", agent.l2()).await;
        let (network, _) = network(&cloud).await;
        let (port, _other) = (port(&cloud, &network, &agent.host).await, port(&cloud, &network, "").await);
        let asked = json!({"devices": [tap(&port)]});
        let info = agent.call("q-plugin", "security_group_info_for_devices", "1.2", asked.clone()).await;
        let device = &info["devices"][&port];
        let group = device["security_groups"][0].as_str().unwrap();
        // Members were addresses then, not pairs of address and MAC.
        let members = info["sg_member_ips"][group]["IPv4"].as_array().unwrap();
        assert_eq!(members.len(), 2, "{release:?}");
        assert!(
            members.contains(&device["fixed_ips"][0]) && members[0].is_string(),
            "{release:?}: {members:?}"
        );
        assert_eq!(info["security_groups"][group].as_array().unwrap().len(), 4, "{release:?}");
        let rules = agent.call("q-plugin", "security_group_rules_for_devices", "1.1", asked).await;
        let rules = rules[&port]["security_group_rules"].as_array().unwrap().clone();
        let from_member = rules.iter().find(|rule| rule["source_ip_prefix"].is_string());
        assert!(from_member.is_some(), "{release:?}: {rules:?}");
        assert!(rules.iter().all(|rule| rule["ethertype"].is_string() && rule["direction"].is_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dhcp_agent_of_juno_serves_a_network() {
    let (cloud, mut agent) = cloud(Release::Juno).await;
    let host = agent.host.clone();
    let mut ear = agent.own("dhcp_agent").await;
    agent.reports(&cloud, "Linux bridge agent", "N/A", agent.l2()).await;
    let configurations = json!({"dhcp_driver": "neutron.agent.linux.dhcp.Dnsmasq", "use_namespaces": true,
                                "dhcp_lease_duration": 86400});
    agent.reports(&cloud, "DHCP agent", "dhcp_agent", configurations).await;
    let network = cloud.make("network", json!({"name": "n"})).await;
    let subnet_id = cloud.make("subnet", subnet(&network, "10.77.0.0/24")).await;
    let heard = told(&mut ear, "subnet_create_end").await;
    assert_eq!(heard["payload"]["subnet"]["id"], json!(subnet_id));
    let networks = agent.call("q-plugin", "get_active_networks_info", "1.1", json!({"host": host})).await;
    let info = &networks[0];
    // What is called project since was called tenant.
    assert_eq!((&info["id"], &info["tenant_id"]), (&json!(network), &info["project_id"]));
    assert!(info["tenant_id"].is_string() && info["admin_state_up"] == json!(true));
    let device = server::agents::dhcp::device_id(&network, &host);
    let wanted = json!({"port": {"name": "", "admin_state_up": true, "device_id": device, "network_id": network,
        "tenant_id": info["tenant_id"], "fixed_ips": [{"subnet_id": subnet_id}]}});
    let made = json!({"port": wanted, "host": host});
    let port = agent.call("q-plugin", "create_dhcp_port", "1.1", made).await;
    let id = port["id"].as_str().unwrap();
    assert_eq!(port["device_owner"], "network:dhcp");
    let by_device = json!({"network_id": network, "device_id": device, "host": host});
    let found = agent.call("q-plugin", "get_dhcp_port", "1.1", by_device.clone()).await;
    assert_eq!(found["id"], json!(id));
    let changed = json!({"port_id": id, "host": host,
        "port": {"port": {"network_id": network, "fixed_ips": [{"subnet_id": subnet_id}]}}});
    assert_eq!(agent.call("q-plugin", "update_dhcp_port", "1.1", changed).await["id"], json!(id));
    let asked = json!({"network_id": network, "host": host});
    let info = agent.call("q-plugin", "get_network_info", "1.1", asked).await;
    let [of_network] = &info["ports"].as_array().unwrap()[..] else { panic!("{info}") };
    assert!(of_network["fixed_ips"][0]["ip_address"].is_string() && of_network["mac_address"].is_string());
    // One of the network's subnets is taken from the port, which keeps the address of the other.
    let other = cloud.make("subnet", subnet(&network, "10.78.0.0/24")).await;
    let both = json!({"fixed_ips": [{"subnet_id": subnet_id}, {"subnet_id": other}]});
    cloud.change("port", id, both).await;
    let mut of_subnet = by_device.clone();
    of_subnet["subnet_id"] = json!(subnet_id);
    for _ in 0..2 {
        let released = agent.call("q-plugin", "release_port_fixed_ip", "1.1", of_subnet.clone()).await;
        assert_eq!(released, Value::Null);
        let left = agent.call("q-plugin", "get_dhcp_port", "1.1", by_device.clone()).await;
        let left: Vec<&Value> =
            left["fixed_ips"].as_array().unwrap().iter().map(|ip| &ip["subnet_id"]).collect();
        assert_eq!(left, [&json!(other)]);
    }
    assert_eq!(agent.call("q-plugin", "release_dhcp_port", "1.0", by_device.clone()).await, Value::Null);
    let nothing = agent.call("q-plugin", "release_port_fixed_ip", "1.1", of_subnet).await;
    assert_eq!(nothing, Value::Null, "of a port that is gone");
    cloud.make("port", json!({"network_id": network})).await;
    assert!(told(&mut ear, "port_create_end").await["payload"]["port"]["id"].is_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_l3_agent_of_juno_runs_a_router() {
    let (cloud, mut agent) = cloud(Release::Juno).await;
    let host = agent.host.clone();
    let mut ear = agent.own("l3_agent").await;
    agent.reports(&cloud, "Linux bridge agent", "N/A", agent.l2()).await;
    let configurations = json!({"agent_mode": "legacy", "use_namespaces": true, "router_id": "",
        "handle_internal_only_routers": true, "external_network_bridge": "", "gateway_external_network_id": "",
        "interface_driver": "neutron.agent.linux.interface.BridgeInterfaceDriver"});
    agent.reports(&cloud, "L3 agent", "l3_agent", configurations).await;
    let (_, subnet_id) = network(&cloud).await;
    let outside = json!({"name": "public", "router:external": true, "provider:network_type": "flat",
                         "provider:physical_network": "public"});
    let outside = cloud.make("network", outside).await;
    cloud.make("subnet", subnet(&outside, "203.0.113.0/24")).await;
    let router = cloud.make("router", json!({"name": "r"})).await;
    let ctx = Context::admin();
    let rq = Rq { app: &cloud.app, ctx: &ctx };
    let body = json!({"subnet_id": subnet_id});
    let add = Act { rq, resource: "router", id: &router, name: "add_router_interface", body };
    cloud.app.write(act, &add).await.unwrap();
    cloud.change("router", &router, json!({"external_gateway_info": {"network_id": outside}})).await;
    assert_eq!(told(&mut ear, "routers_updated").await["routers"], json!([router]));

    let id = agent.call("q-l3-plugin", "get_external_network_id", "1.0", json!({"host": host})).await;
    assert_eq!(id, json!(outside));
    let plugins = agent.call("q-l3-plugin", "get_service_plugin_list", "1.3", json!({})).await;
    assert!(plugins.as_array().unwrap().contains(&json!("L3_ROUTER_NAT")));
    let asked = json!({"host": host, "router_ids": null});
    let routers = agent.call("q-l3-plugin", "sync_routers", "1.0", asked).await;
    let [found] = &routers.as_array().unwrap()[..] else { panic!("{routers}") };
    assert_eq!((&found["id"], &found["gw_port_host"]), (&json!(router), &json!(host)));
    for (place, cidr) in [(&found["gw_port"], "203.0.113.0/24"), (&found["_interfaces"][0], "10.77.0.0/24")] {
        // A port had one subnet then; Liberty's agent reads the list.
        assert_eq!((&place["subnet"]["cidr"], &place["subnets"][0]["cidr"]), (&json!(cidr), &json!(cidr)));
        for key in ["extra_subnets", "fixed_ips", "mac_address", "id", "network_id", "admin_state_up"] {
            assert!(place.get(key).is_some(), "{key}: {place}");
        }
    }
    let statuses = json!({"router_id": router, "fip_statuses": {}});
    let done = agent.call("q-l3-plugin", "update_floatingip_statuses", "1.1", statuses).await;
    assert_eq!(done, Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn old_agents_find_out_what_is_served() {
    let (cloud, mut agent) = cloud(Release::Liberty).await;
    let host = agent.host.clone();
    agent.reports(&cloud, "Open vSwitch agent", "N/A", json!({"tunneling_ip": "192.0.2.9"})).await;
    // They try the newest first and fall back on exactly these exceptions.
    let dispatcher = "oslo_messaging.rpc.dispatcher".to_owned();
    assert_eq!(
        agent.refused("get_device_details", "1.99").await,
        ("UnsupportedVersion".into(), dispatcher.clone())
    );
    assert_eq!(agent.refused("get_devices_of_tomorrow", "1.5").await, ("NoSuchMethod".into(), dispatcher));
    let (network, _) = network(&cloud).await;
    agent.reports(&cloud, "Linux bridge agent", "N/A", agent.l2()).await;
    let port = port(&cloud, &network, &host).await;
    let asked = json!({"devices": [port], "agent_id": "ovs-agent", "host": host});
    let method = "get_devices_details_list_and_failed_devices";
    let list = agent.call("q-plugin", method, "1.5", asked).await;
    assert_eq!((&list["devices"][0]["port_id"], &list["failed_devices"]), (&json!(port), &json!([])));
    let up = json!({"devices_up": [port], "devices_down": [], "agent_id": "ovs-agent", "host": host,
                    "agent_restarted": true});
    let done = agent.call("q-plugin", "update_device_list", "1.5", up).await;
    assert_eq!((&done["devices_up"], &done["failed_devices_up"]), (&json!([port]), &json!([])));
    assert_eq!(cloud.status(&port).await, "ACTIVE");
    // Juno's tunnel_sync names no host, Liberty's does.
    let mut tunnels = agent.fanout("q-agent-notifier-tunnel-update").await;
    let ends = json!({"tunnel_ip": "192.0.2.9", "tunnel_type": "gre"});
    let answer = agent.call("q-plugin", "tunnel_sync", "1.0", ends.clone()).await;
    assert_eq!(answer["tunnels"][0]["ip_address"], "192.0.2.9");
    assert_eq!(told(&mut tunnels, "tunnel_update").await["tunnel_ip"], "192.0.2.9");
    let mut ends = ends;
    ends["host"] = json!(host);
    let answer = agent.call("q-plugin", "tunnel_sync", "1.4", ends).await;
    assert_eq!(answer["tunnels"].as_array().unwrap().len(), 1);
}
