//! The way of a port from the API to its agents and back, over the in-memory transport, with the rules of the
//! core: what agents read fits the structs they read it into.

use crate::world;
use model::dhcp::NetworkInfo;
use model::l2::{DeviceReply, DevicesDetails, SecurityGroupInfo};
use model::l3::Router;
use oslo::context::Context;
use rpc::{Answer, Call, Client, Endpoint, Target, Transport};
use serde_json::{Value, json};
use server::app::App;
use server::attr::Body;
use server::catalog::Catalog;
use server::db::{Stop, Tx};
use server::extensions;
use server::internal;
use server::ml2::mech::Mechanism;
use server::ml2::segment::Kind;
use server::request::Rq;
use server::serve::Running;
use std::sync::{Arc, Mutex};
use std::time::Duration;

const PROJECT: &str = "0123456789abcdef0123456789abcdef";

/// A message that agents heard: topic, method, arguments.
type Heard = (String, String, Value);

/// A server with everything loaded, that runs, and ears on the topics of its agents.
pub struct Cloud {
    pub app: Arc<App>,
    transport: Transport,
    client: Client,
    heard: Arc<Mutex<Vec<Heard>>>,
    _seats: Vec<rpc::Listener>,
    running: Running,
    _dir: world::Dir,
}

struct Ears {
    topic: String,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Endpoint for Ears {
    fn version(&self) -> &str {
        "1.5"
    }
    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        self.heard.lock().unwrap().push((self.topic.clone(), method.to_string(), Value::Object(args)));
        Box::pin(async { Ok(Value::Null) })
    }
}

/// Every topic that agents listen to.
const TOPICS: &[&str] = &[
    "q-agent-notifier-port-update",
    "q-agent-notifier-port-delete",
    "q-agent-notifier-network-update",
    "q-agent-notifier-network-delete",
    "q-agent-notifier-security_group-update",
    "q-agent-notifier-l2population-update",
    "dhcp_agent",
    "l3_agent",
];

impl Cloud {
    /// With hosts `one` (L2, DHCP, L3) and `two` (L2).
    async fn new() -> Cloud {
        Cloud::start(false).await
    }

    /// The same with announcements kept in the database until they are made.
    async fn with_outbox() -> Cloud {
        Cloud::start(true).await
    }

    async fn start(outbox: bool) -> Cloud {
        let mut cloud = Cloud::server(Transport::memory(), outbox).await;
        for host in ["one", "two"] {
            for topic in TOPICS {
                let ears = Ears { topic: format!("{topic}@{host}"), heard: cloud.heard.clone() };
                cloud._seats.push(cloud.transport.listen(topic, host, vec![Arc::new(ears)]));
            }
        }
        for (host, ip) in [("one", "10.0.0.1"), ("two", "10.0.0.2")] {
            let l2 = json!({"tunneling_ip": ip, "tunnel_types": ["vxlan"], "l2_population": true,
                            "interface_mappings": {"public": "eth1"}});
            cloud.report("Linux bridge agent", host, l2).await;
        }
        cloud.report("DHCP agent", "one", json!({})).await;
        cloud.report("L3 agent", "one", json!({"agent_mode": "legacy"})).await;
        cloud
    }

    /// A server that runs, and no agents.
    pub async fn server(transport: Transport, outbox: bool) -> Cloud {
        let (db, dir) = world::db().await;
        let (publisher, changes) = server::notify::channel();
        let mut app = App::new(db, everything(), transport.client(), publisher);
        app.outbox = outbox;
        app.ml2.mechanisms = vec![Mechanism::LinuxBridge, Mechanism::L2Population];
        app.ml2.project_types = vec![Kind::Vxlan];
        app.ml2.vxlan = vec![(70, 90)];
        let ml2 = app.ml2.clone();
        app.db.write(sync, &ml2).await.unwrap();
        let app = Arc::new(app);
        let running = server::serve::start(&app, &transport, "server", changes);
        let client = transport.client();
        Cloud { app, transport, client, heard: Arc::default(), _seats: Vec::new(), running, _dir: dir }
    }

    async fn report(&self, kind: &str, host: &str, configurations: Value) {
        let state = json!({"agent_type": kind, "binary": "b", "host": host, "topic": "t",
                           "configurations": configurations, "start_flag": true});
        let args = json!({"agent_state": {"agent_state": state}});
        assert_eq!(self.ask("q-reports-plugin", "report_state", "1.4", args).await, "new");
    }

    async fn ask(&self, topic: &str, method: &str, version: &str, args: Value) -> Value {
        self.client.call(&json!({}), &Target::topic(topic), method, version, args).await.unwrap()
    }

    async fn plugin(&self, method: &str, args: Value) -> Value {
        self.ask("q-plugin", method, "1.1", args).await
    }

    /// Makes a resource as an admin; returns its id.
    pub async fn make(&self, resource: &str, body: Value) -> String {
        let ctx = Context::admin();
        let mut body = body.as_object().unwrap().clone();
        body.entry("project_id").or_insert(json!(PROJECT));
        let made = internal::create(Rq { app: &self.app, ctx: &ctx }, resource, body).await;
        made.unwrap().unwrap()["id"].as_str().unwrap().to_string()
    }

    pub async fn change(&self, resource: &str, id: &str, changes: Value) {
        let ctx = Context::admin();
        let changes = changes.as_object().unwrap().clone();
        internal::update(Rq { app: &self.app, ctx: &ctx }, resource, id, changes).await.unwrap().unwrap();
    }

    async fn remove(&self, resource: &str, id: &str) {
        let ctx = Context::admin();
        assert!(internal::delete(Rq { app: &self.app, ctx: &ctx }, resource, id).await.unwrap());
    }

    async fn network(&self) -> (String, String) {
        let network = self.make("network", json!({"name": "n"})).await;
        let subnet = self.make("subnet", subnet(&network, "10.77.0.0/24")).await;
        (network, subnet)
    }

    async fn port(&self, network: &str, host: &str) -> String {
        let port = json!({"network_id": network, "binding:host_id": host, "device_owner": "compute:nova",
                          "device_id": "vm"});
        self.make("port", port).await
    }

    pub async fn status(&self, port: &str) -> String {
        let mut tx = self.app.db.read().await.unwrap();
        let row = tx.opt("SELECT status FROM ports WHERE id = ?", server::p![port]).await.unwrap();
        row.unwrap().text(0)
    }

    async fn up(&self, host: &str, ports: &[&str], refresh: bool) {
        let args = json!({"devices_up": ports, "devices_down": [], "agent_id": "lb", "host": host,
                          "refresh_tunnels": refresh});
        let answer = self.ask("q-plugin", "update_device_list", "1.8", args).await;
        assert_eq!(answer["failed_devices_up"], json!([]));
    }

    /// What was heard since the last time, once it says what is awaited.
    async fn hear(&self, method: &str) -> Vec<Heard> {
        for _ in 0..500 {
            if self.heard.lock().unwrap().iter().any(|(_, heard, _)| heard == method) {
                self.silence().await;
                return std::mem::take(&mut *self.heard.lock().unwrap());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("nobody heard {method}: {:?}", self.heard.lock().unwrap())
    }
}

impl Cloud {
    /// What belongs to the same change is sent as soon as the database has said what it needs.
    async fn silence(&self) {
        let pause = if crate::mariadb::wanted() { 400 } else { 20 };
        let mut before = 0;
        loop {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let now = self.heard.lock().unwrap().len();
            if now == before {
                return;
            }
            before = now;
        }
    }
}

fn everything() -> Catalog {
    Catalog::everything(extensions::ALL).unwrap()
}

async fn sync(tx: &mut Tx, ml2: &server::ml2::Ml2) -> Result<(), Stop> {
    server::ml2::allocation::sync(tx, ml2).await
}

pub fn subnet(network: &str, cidr: &str) -> Value {
    json!({"network_id": network, "cidr": cidr, "ip_version": 4})
}

fn methods(heard: &[Heard]) -> Vec<String> {
    let mut all: Vec<String> = heard.iter().map(|(topic, method, _)| format!("{method} {topic}")).collect();
    all.sort();
    all.dedup();
    all
}

fn args<'a>(heard: &'a [Heard], topic: &str, method: &str) -> &'a Value {
    let found = heard.iter().find(|(t, m, _)| t == topic && m == method);
    &found.unwrap_or_else(|| panic!("no {method} on {topic}: {heard:?}")).2
}

#[tokio::test]
async fn a_port_is_wired_and_everybody_hears_of_it() {
    let cloud = Cloud::new().await;
    let (network, _) = cloud.network().await;
    cloud.hear("subnet_create_end").await;
    let (a, b) = (cloud.port(&network, "one").await, cloud.port(&network, "two").await);
    let heard = cloud.hear("port_create_end").await;
    assert!(methods(&heard).contains(&"port_create_end dhcp_agent@one".to_string()), "{heard:?}");
    assert_eq!((cloud.status(&a).await, cloud.status(&b).await), ("DOWN".into(), "DOWN".into()));

    let asked =
        json!({"devices": [format!("tap{}", &a[..11]), "tap00000000-00"], "host": "one", "agent_id": "lb"});
    let details = cloud.ask("q-plugin", "get_devices_details_list_and_failed_devices", "1.5", asked).await;
    let details: DevicesDetails = serde_json::from_value(details).unwrap();
    let [DeviceReply::Known(known), DeviceReply::Unknown { .. }] = &details.devices[..] else {
        panic!("{details:?}")
    };
    assert_eq!((known.port_id.as_str(), known.network_type.as_str()), (a.as_str(), "vxlan"));
    assert!(known.segmentation_id.is_some_and(|vni| (70..=90).contains(&vni)) && known.fixed_ips.len() == 1);
    assert_eq!(cloud.status(&a).await, "BUILD");
    let elsewhere = cloud.plugin("get_device_details", json!({"device": b, "host": "one"})).await;
    assert_eq!(elsewhere, json!({"device": b, "no_active_binding": true}));

    cloud.up("one", &[&a], false).await;
    assert_eq!(cloud.status(&a).await, "BUILD", "its DHCP agent is not ready");
    cloud.ask("q-plugin", "dhcp_ready_on_ports", "1.5", json!({"port_ids": [a, b]})).await;
    assert_eq!(cloud.status(&a).await, "ACTIVE");
    cloud.up("two", &[&b], false).await;
    assert_eq!(cloud.status(&b).await, "ACTIVE");
    tokio::time::sleep(Duration::from_millis(50)).await;
    let heard = cloud.hear("add_fdb_entries").await;
    let whole = args(&heard, "q-agent-notifier-l2population-update@two", "add_fdb_entries");
    assert!(whole["fdb_entries"][&network]["ports"]["10.0.0.1"].is_array(), "{whole}");

    let down = json!({"device": a, "host": "one"});
    assert_eq!(cloud.plugin("update_device_down", down).await, json!({"device": a, "exists": true}));
    let heard = cloud.hear("remove_fdb_entries").await;
    let gone = args(&heard, "q-agent-notifier-l2population-update@two", "remove_fdb_entries");
    assert_eq!(gone["fdb_entries"][&network]["ports"]["10.0.0.1"].as_array().unwrap().len(), 2);
    assert_eq!(cloud.status(&a).await, "DOWN");
    cloud.remove("port", &b).await;
    let told = methods(&cloud.hear("port_delete").await);
    for expected in [
        "port_delete q-agent-notifier-port-delete@one",
        "port_delete_end dhcp_agent@one",
        "remove_fdb_entries q-agent-notifier-l2population-update@one",
        "security_groups_member_updated q-agent-notifier-security_group-update@two",
    ] {
        assert!(told.contains(&expected.to_string()), "{expected}: {told:?}");
    }
    cloud.running.stop().await;
}

#[tokio::test]
async fn a_port_made_before_its_agent_is_bound_when_asked_about() {
    let cloud = Cloud::new().await;
    let (network, _) = cloud.network().await;
    let port = cloud.port(&network, "three").await;
    let asked = json!({"device": port, "host": "three"});
    assert_eq!(cloud.plugin("get_device_details", asked.clone()).await, json!({"device": port}));
    let l2 = json!({"tunneling_ip": "10.0.0.3", "tunnel_types": ["vxlan"]});
    cloud.report("Linux bridge agent", "three", l2).await;
    assert_eq!(cloud.plugin("get_device_details", asked).await["port_id"], json!(port));
}

#[tokio::test]
async fn agents_learn_rules_and_members() {
    let cloud = Cloud::new().await;
    let (network, _) = cloud.network().await;
    let (a, b) = (cloud.port(&network, "one").await, cloud.port(&network, "two").await);
    let args = |version: &str| json!({"devices": [a], "call_version": version});
    let answer = cloud.ask("q-plugin", "security_group_info_for_devices", "1.3", args("1.3")).await;
    let info: SecurityGroupInfo = serde_json::from_value(answer).unwrap();
    assert_eq!(info.devices.keys().collect::<Vec<_>>(), [&a]);
    let group = &info.devices[&a].security_groups[0];
    assert_eq!(info.security_groups[group].len(), 4);
    let old = cloud.ask("q-plugin", "security_group_info_for_devices", "1.2", args("1.2")).await;
    assert_eq!(old["sg_member_ips"][group]["IPv4"].as_array().unwrap().len(), 2, "{old}");
    cloud.hear("port_create_end").await;
    let rule = json!({"security_group_id": group, "direction": "ingress", "ethertype": "IPv4",
                      "protocol": "tcp", "port_range_min": 22, "port_range_max": 22});
    cloud.make("security_group_rule", rule).await;
    let heard = cloud.hear("security_groups_rule_updated").await;
    let told = args_of_rules(&heard);
    assert_eq!(told, &json!({"security_groups": [group]}));
    cloud.change("port", &b, json!({"security_groups": []})).await;
    let told = methods(&cloud.hear("port_update").await);
    assert!(
        told.contains(
            &"security_groups_member_updated q-agent-notifier-security_group-update@one".to_string()
        ),
        "{told:?}"
    );
}

fn args_of_rules(heard: &[Heard]) -> &Value {
    args(heard, "q-agent-notifier-security_group-update@one", "security_groups_rule_updated")
}

#[tokio::test]
async fn a_dhcp_agent_serves_its_network() {
    let cloud = Cloud::new().await;
    let (network, subnet) = cloud.network().await;
    let heard = cloud.hear("network_create_end").await;
    assert_eq!(args(&heard, "dhcp_agent@one", "network_create_end")["payload"]["network"]["id"], network);
    let device = server::agents::dhcp::device_id(&network, "one");
    let wanted = json!({"name": "", "admin_state_up": true, "device_id": device, "network_id": network,
                        "tenant_id": PROJECT, "fixed_ips": [{"subnet_id": subnet}]});
    let port = cloud.plugin("create_dhcp_port", json!({"host": "one", "port": {"port": wanted}})).await;
    let id = port["id"].as_str().unwrap();
    assert_eq!((&port["device_owner"], &port["binding:host_id"]), (&json!("network:dhcp"), &json!("one")));
    // Agents of 2014 name the device, and tell of leases.
    let by_device = json!({"network_id": network, "device_id": device, "host": "one"});
    assert_eq!(cloud.plugin("get_dhcp_port", by_device.clone()).await["id"], *id);
    assert_eq!(cloud.plugin("get_dhcp_port", json!({"port_id": id})).await["id"], *id);
    assert_eq!(cloud.plugin("update_lease_expiration", by_device).await, Value::Null);
    let infos = cloud.plugin("get_active_networks_info", json!({"host": "one"})).await;
    let infos: Vec<NetworkInfo> = serde_json::from_value(infos).unwrap();
    assert_eq!((infos.len(), infos[0].subnets.len(), infos[0].ports.len()), (1, 1, 1));
    assert_eq!(infos[0].project(), PROJECT);
    cloud.up("one", &[id], false).await;
    assert_eq!(cloud.status(id).await, "ACTIVE");

    let silent =
        json!({"network_id": network, "cidr": "10.78.0.0/24", "ip_version": 4, "enable_dhcp": false});
    cloud.make("subnet", silent).await;
    for (asked, subnets) in [
        (json!({"network_id": network, "host": "one"}), 1),
        (json!({"network_id": network, "host": "one", "enable_dhcp": null}), 2),
    ] {
        let info: NetworkInfo =
            serde_json::from_value(cloud.plugin("get_network_info", asked).await).unwrap();
        assert_eq!(info.subnets.len(), subnets);
    }

    // Taken away by hand, its port is kept for the next agent.
    let agents = cloud.ask(
        "q-reports-plugin",
        "get_agents",
        "1.4",
        json!({"filters": {"agent_type": ["DHCP agent"]}}),
    );
    let agent = agents.await[0]["id"].as_str().unwrap().to_string();
    cloud.app.write(unbind, &(network.clone(), agent)).await.unwrap();
    let update = json!({"host": "one", "port_id": id,
                        "port": {"port": {"network_id": network, "device_id": device}}});
    let refused = cloud
        .client
        .call(&json!({}), &Target::topic("q-plugin"), "update_dhcp_port", "1.1", update.clone())
        .await
        .unwrap_err();
    assert!(refused.to_string().contains("NetworkNotFound"), "{refused}");
    assert_eq!(cloud.plugin("get_active_networks", json!({"host": "one"})).await, json!([network]));
    let taken = cloud.plugin("update_dhcp_port", update).await;
    assert_eq!((&taken["id"], &taken["device_id"]), (&json!(id), &json!(device)));
    let release = json!({"network_id": network, "device_id": device, "host": "one"});
    assert_eq!(cloud.plugin("release_dhcp_port", release).await, Value::Null);
    let ports =
        cloud.ask("q-plugin", "get_ports", "1.0", json!({"filters": {"network_id": [network]}})).await;
    assert_eq!(ports, json!([]));
}

async fn unbind(tx: &mut Tx, (network, agent): &(String, String)) -> Result<bool, Stop> {
    let agent = server::agents::get(tx, agent).await?.unwrap();
    server::agents::dhcp::unbind(tx, network, &agent).await
}

/// What an action on a resource needs.
pub struct Act<'a> {
    pub rq: Rq<'a>,
    pub resource: &'a str,
    pub id: &'a str,
    pub name: &'a str,
    pub body: Value,
}

pub async fn act(tx: &mut Tx, act: &Act<'_>) -> Result<Value, Stop> {
    let resource = act.rq.app.catalog.shape(act.resource).unwrap().resource;
    let old: Body = server::store::get(act.rq, tx, resource, act.id).await?.unwrap();
    let action = resource.actions.iter().find(|a| a.name == act.name).unwrap();
    (action.run)(act.rq, tx, &old, act.body.clone()).await
}

#[tokio::test]
async fn an_l3_agent_runs_its_router() {
    let cloud = Cloud::new().await;
    let (_, subnet_id) = cloud.network().await;
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
    let heard = cloud.hear("routers_updated").await;
    assert_eq!(args(&heard, "l3_agent@one", "routers_updated"), &json!({"routers": [router]}));
    cloud.change("router", &router, json!({"external_gateway_info": {"network_id": outside}})).await;
    cloud.hear("routers_updated").await;

    let ids = cloud.ask("q-l3-plugin", "get_router_ids", "1.9", json!({"host": "one"})).await;
    assert_eq!(ids, json!([router]));
    let asked = json!({"host": "one", "router_ids": ids});
    let routers = cloud.ask("q-l3-plugin", "sync_routers", "1.0", asked.clone()).await;
    let routers: Vec<Router> = serde_json::from_value(routers).unwrap();
    let [router_] = &routers[..] else { panic!("{routers:?}") };
    let gateway = router_.gw_port.as_ref().unwrap();
    assert_eq!(gateway.fixed_ips[0].prefixlen, Some(24));
    assert_eq!(router_.interfaces[0].subnets[0].cidr.to_string(), "10.77.0.0/24");
    let details = json!({"devices": [gateway.id, router_.interfaces[0].id], "host": "one", "agent_id": "lb"});
    let details = cloud.ask("q-plugin", "get_devices_details_list_and_failed_devices", "1.5", details).await;
    let details: DevicesDetails = serde_json::from_value(details).unwrap();
    assert!(details.devices.iter().all(|d| matches!(d, DeviceReply::Known(_))), "{details:?}");
    cloud.up("one", &[&gateway.id, &router_.interfaces[0].id], true).await;
    assert_eq!(cloud.status(&gateway.id).await, "ACTIVE");
    assert_eq!(cloud.status(&router_.interfaces[0].id).await, "ACTIVE");

    let port = cloud.port(&router_.interfaces[0].network_id, "two").await;
    let floating = json!({"floating_network_id": outside, "port_id": port});
    let floating = cloud.make("floatingip", floating).await;
    cloud.hear("routers_updated").await;
    let routers = cloud.ask("q-l3-plugin", "sync_routers", "1.0", asked).await;
    let routers: Vec<Router> = serde_json::from_value(routers).unwrap();
    assert_eq!(routers[0].floatingips[0].id, floating);
    let statuses = json!({"router_id": router, "fip_statuses": {&floating: "ACTIVE"}});
    cloud.ask("q-l3-plugin", "update_floatingip_statuses", "1.1", statuses).await;
    let mut tx = cloud.app.db.read().await.unwrap();
    let row = tx.opt("SELECT status FROM floatingips WHERE id = ?", server::p![&floating]).await.unwrap();
    assert_eq!(row.unwrap().text(0), "ACTIVE");
}

/// Agents up to 2016 may serve one external network each: a router is with that of its gateway.
#[tokio::test]
async fn a_router_follows_its_gateway_to_the_agent_of_that_network() {
    let cloud = Cloud::server(Transport::memory(), false).await;
    let hosts = ["first", "second"];
    let mut outside = Vec::new();
    for (host, cidr) in hosts.iter().zip(["203.0.113.0/24", "198.51.100.0/24"]) {
        let network = cloud.make("network", json!({"name": host, "router:external": true})).await;
        cloud.make("subnet", subnet(&network, cidr)).await;
        let only = json!({"agent_mode": "legacy", "gateway_external_network_id": network});
        cloud.report("L3 agent", host, only).await;
        outside.push(network);
    }
    let router = cloud.make("router", json!({"name": "r"})).await;
    let hosted = async || {
        let mut all = Vec::new();
        for host in hosts {
            let ids = cloud.ask("q-l3-plugin", "get_router_ids", "1.9", json!({"host": host})).await;
            all.push(ids == json!([router]));
        }
        all
    };
    for expected in [[true, false], [false, true], [true, false]] {
        let network = &outside[usize::from(expected[1])];
        cloud.change("router", &router, json!({"external_gateway_info": {"network_id": network}})).await;
        let mut tries = 0;
        while hosted().await != expected {
            tries += 1;
            assert!(tries < 1000, "{:?} instead of {expected:?}", hosted().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

#[tokio::test]
async fn agents_hear_of_ports_that_a_new_subnet_gives_an_address_to() {
    let cloud = Cloud::new().await;
    let (network, _) = cloud.network().await;
    let port = cloud.port(&network, "one").await;
    cloud.hear("port_create_end").await;
    let mut slaac = subnet(&network, "fd00:1::/64");
    slaac["ip_version"] = json!(6);
    slaac["ipv6_ra_mode"] = json!("slaac");
    slaac["ipv6_address_mode"] = json!("slaac");
    let subnet = cloud.make("subnet", slaac).await;
    let heard = cloud.hear("port_update").await;
    let told = args(&heard, "q-agent-notifier-port-update@one", "port_update");
    assert_eq!((&told["port"]["id"], told["port"]["fixed_ips"].as_array().unwrap().len()), (&json!(port), 2));
    assert!(methods(&heard).iter().any(|m| m.starts_with("security_groups_member_updated ")), "{heard:?}");
    cloud.remove("subnet", &subnet).await;
    let heard = cloud.hear("port_update").await;
    let told = args(&heard, "q-agent-notifier-port-update@one", "port_update");
    assert_eq!(told["port"]["fixed_ips"].as_array().unwrap().len(), 1);
    cloud.running.stop().await;
}

/// What a server that died between its commits and its messages leaves in the outbox is told by the next.
#[tokio::test]
async fn what_a_dead_server_did_not_tell_is_told_by_another() {
    let cloud = Cloud::with_outbox().await;
    let (network, _) = cloud.network().await;
    let (kept, gone) = (cloud.port(&network, "one").await, cloud.port(&network, "two").await);
    cloud.hear("port_create_end").await;
    let rows = async || {
        let sql = "SELECT id FROM neutronrs_outbox";
        cloud.app.db.read().await.unwrap().all(sql, &[]).await.unwrap().len()
    };
    while rows().await > 0 {
        // What is told is deleted, a moment later.
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // Commits without anybody who tells.
    let ctx = Context::admin();
    let (publisher, _) = server::notify::channel();
    let mut dying = App::new(cloud.app.db.clone(), everything(), cloud.client.clone(), publisher);
    dying.outbox = true;
    let rq = Rq { app: &dying, ctx: &ctx };
    let addresses = json!([{"mac_address": "fa:16:3e:00:00:01", "ip_address": "10.0.0.9"}]);
    let changes = [("allowed_address_pairs".to_string(), addresses)].into_iter().collect();
    internal::update(rq, "port", &kept, changes).await.unwrap().unwrap();
    internal::delete(rq, "port", &gone).await.unwrap();
    assert_eq!(rows().await, 2);
    let seen = server::notifier::sweep::sweep(&cloud.app, Some(Default::default())).await.unwrap();
    assert_eq!((seen.len(), rows().await), (2, 2), "what was seen once may be another's work in progress");
    server::notifier::sweep::sweep(&cloud.app, Some(seen)).await.unwrap();
    let heard = cloud.hear("port_delete").await;
    let told = args(&heard, "q-agent-notifier-port-update@one", "port_update");
    assert_eq!(
        (&told["port"]["id"], &told["port"]["allowed_address_pairs"][0]["ip_address"]),
        (&json!(kept), &json!("10.0.0.9"))
    );
    let told = args(&heard, "q-agent-notifier-port-delete@two", "port_delete");
    assert_eq!(told["port_id"], json!(gone));
    assert_eq!(rows().await, 0);
    cloud.running.stop().await;
}

/// An agent of 2026 lives on objects: it pulls what it does not know, and is pushed what changes, in its version.
#[tokio::test]
async fn an_agent_that_takes_objects_gets_them_in_its_version() {
    let cloud = Cloud::new().await;
    let ears = |topic: &str| {
        let ears = Ears { topic: topic.to_string(), heard: cloud.heard.clone() };
        cloud.transport.listen(topic, "three", vec![Arc::new(ears)])
    };
    let _seats =
        ["neutron-vo-Port-1.9", "neutron-vo-SecurityGroupRule-1.2", "neutron-vo-Port-1.11"].map(ears);
    let (network, _) = cloud.network().await;
    let quiet = cloud.port(&network, "one").await;
    let heard = cloud.hear("port_create_end").await;
    assert!(!methods(&heard).iter().any(|m| m.starts_with("push ")), "nobody takes objects: {heard:?}");

    let versions = json!({"Port": "1.9", "SecurityGroupRule": "1.2", "QosPolicy": "1.10"});
    let state = json!({"agent_type": "Open vSwitch agent", "binary": "b", "host": "three", "topic": "N/A",
                       "configurations": {}, "start_flag": true, "resource_versions": versions});
    let args_of = json!({"agent_state": {"agent_state": state}});
    cloud.ask("q-reports-plugin", "report_state", "1.4", args_of).await;
    let port = cloud.port(&network, "two").await;
    let heard = cloud.hear("push").await;
    let pushed = args(&heard, "neutron-vo-Port-1.9", "push");
    let object = &pushed["resource_list"][0];
    assert_eq!(
        (&pushed["event_type"], &object["versioned_object.version"]),
        (&json!("updated"), &json!("1.9"))
    );
    let data = &object["versioned_object.data"];
    assert_eq!(
        (&data["id"], &data["bindings"][0]["versioned_object.data"]["host"]),
        (&json!(port), &json!("two"))
    );
    assert!(!heard.iter().any(|(topic, _, _)| topic == "neutron-vo-Port-1.11"), "{heard:?}");
    cloud.remove("port", &port).await;
    let heard = cloud.hear("port_delete").await;
    let gone = args(&heard, "neutron-vo-Port-1.9", "push");
    assert_eq!(
        (&gone["event_type"], &gone["resource_list"][0]["versioned_object.data"]["id"]),
        (&json!("deleted"), &json!(port))
    );

    let pull = json!({"resource_type": "Port", "version": "1.10", "resource_id": quiet});
    let pulled = cloud.plugin("pull", pull).await;
    assert_eq!(pulled["versioned_object.data"]["status"], "DOWN");
    let all = json!({"resource_type": "SecurityGroup", "version": "1.6", "filter_kwargs": null});
    let pulled = cloud.plugin("bulk_pull", all).await;
    assert_eq!(pulled[0]["versioned_object.data"]["rules"].as_array().unwrap().len(), 4, "{pulled}");
    let trunk = json!({"resource_type": "Trunk", "version": "1.1", "resource_id": quiet});
    assert_eq!(cloud.plugin("pull", trunk).await, Value::Null);
    for (kind, version, class) in [("Nope", "1.0", "Invalid"), ("Port", "1.12", "InvalidTargetVersion")] {
        let asked = json!({"resource_type": kind, "version": version, "resource_id": quiet});
        let refused = cloud.client.call(&json!({}), &Target::topic("q-plugin"), "pull", "1.1", asked).await;
        assert!(refused.unwrap_err().to_string().contains(class), "{kind} {version}");
    }
}

#[tokio::test]
async fn tunnels_end_where_agents_say() {
    let cloud = Cloud::new().await;
    let _seats = ["q-agent-notifier-tunnel-update", "q-agent-notifier-tunnel-delete"].map(|topic| {
        let ears = Ears { topic: topic.to_string(), heard: cloud.heard.clone() };
        cloud.transport.listen(topic, "one", vec![Arc::new(ears)])
    });
    let end = |ip: &str, host: &str| json!({"ip_address": ip, "host": host, "udp_port": 4789});
    for (case, ip, host, endpoints) in [
        ("the first", "10.0.0.1", "one", vec![end("10.0.0.1", "one")]),
        ("the same again", "10.0.0.1", "one", vec![end("10.0.0.1", "one")]),
        ("another", "10.0.0.2", "two", vec![end("10.0.0.1", "one"), end("10.0.0.2", "two")]),
        ("its address changed", "10.0.0.3", "two", vec![end("10.0.0.1", "one"), end("10.0.0.3", "two")]),
        ("it took another's", "10.0.0.1", "two", vec![end("10.0.0.1", "two")]),
    ] {
        let asked = json!({"tunnel_ip": ip, "tunnel_type": "vxlan", "host": host});
        let answer = cloud.ask("q-plugin", "tunnel_sync", "1.4", asked).await;
        assert_eq!(answer["tunnels"], json!(endpoints), "{case}");
    }
    let heard = cloud.hear("tunnel_delete").await;
    let left = args(&heard, "q-agent-notifier-tunnel-delete", "tunnel_delete");
    assert_eq!(left, &json!({"tunnel_ip": "10.0.0.2", "tunnel_type": "vxlan"}));
    let gre = json!({"tunnel_ip": "10.0.0.1", "tunnel_type": "gre"});
    let answer = cloud.ask("q-plugin", "tunnel_sync", "1.0", gre).await;
    assert_eq!(
        answer["tunnels"],
        json!([{"ip_address": "10.0.0.1", "host": null}]),
        "an agent without a host"
    );
    let wrong = json!({"tunnel_ip": "10.0.0.1", "tunnel_type": "ipip", "host": "one"});
    let refused =
        cloud.client.call(&json!({}), &Target::topic("q-plugin"), "tunnel_sync", "1.4", wrong).await;
    assert!(refused.unwrap_err().to_string().contains("InvalidInput"));
}
