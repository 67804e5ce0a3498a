//! What requests and agents' questions cost: statements of each, told apart from how many rows they are about.

use crate::client::Served;
use rpc::{Call, Endpoint};
use serde_json::{Value, json};
use server::handlers::l2::Plugin;
use server::handlers::state::State;
use std::collections::BTreeMap;

fn call<'a>(ctx: &'a Value, method: &'a str, args: &Value) -> Call<'a> {
    Call { ctx, method, args: args.as_object().unwrap().clone() }
}

/// A server whose statements are counted, and what has been counted so far.
struct Counted {
    served: Served,
    costs: BTreeMap<&'static str, u64>,
}

impl Counted {
    async fn start() -> Counted {
        Counted { served: Served::start().await, costs: BTreeMap::new() }
    }

    /// Asks, and remembers under a name what that took.
    async fn ask(&mut self, name: &'static str, who: &str, method: &str, path: &str, body: Value) -> Value {
        let before = self.served.app.db.statements();
        let (status, answer) = self.served.ask(who, method, path, body).await;
        assert!((200..300).contains(&status), "{name}: {answer}");
        self.costs.insert(name, self.served.app.db.statements() - before);
        answer
    }

    /// Makes a resource; answers with its id.
    async fn make(&mut self, name: &'static str, who: &str, path: &str, body: Value) -> String {
        let answer = self.ask(name, who, "POST", path, body).await;
        let made = answer.as_object().unwrap().values().next().unwrap();
        made["id"].as_str().unwrap_or_default().to_string()
    }

    /// What an agent asks.
    async fn question(&mut self, name: &'static str, method: &str, args: Value) -> Value {
        let plugin = Plugin(self.served.app.clone());
        let (ctx, before) = (json!({}), self.served.app.db.statements());
        let answer = plugin.dispatch(call(&ctx, method, &args)).await.unwrap();
        self.costs.insert(name, self.served.app.db.statements() - before);
        answer
    }

    /// An agent that can bind ports on a host.
    async fn agent(&self, host: &str) {
        let configurations = json!({"tunneling_ip": "192.0.2.1", "tunnel_types": ["vxlan"]});
        let state = json!({"agent_type": "Linux bridge agent", "binary": "b", "host": host, "topic": "t",
                           "configurations": configurations, "start_flag": true});
        let (ctx, args) = (json!({}), json!({"agent_state": {"agent_state": state}}));
        let server = State::new(self.served.app.clone());
        server.dispatch(call(&ctx, "report_state", &args)).await.unwrap();
    }

    fn told(&self) -> String {
        self.costs.iter().map(|(name, count)| format!("{name}: {count}\n")).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_networks_and_ports_cost() {
    let mut c = Counted::start().await;
    let net = c.make("network: first of a project", "p", "networks", json!({"network": {"name": "a"}})).await;
    c.make("network: create", "p", "networks", json!({"network": {"name": "b"}})).await;
    let subnet = json!({"network_id": net, "cidr": "10.0.0.0/16", "ip_version": 4});
    c.make("subnet: create", "p", "subnets", json!({"subnet": subnet})).await;
    let new = json!({"port": {"network_id": net}});
    c.make("port: first of a subnet", "p", "ports", new.clone()).await;
    c.make("port: create", "p", "ports", new.clone()).await;
    let port = c.make("port: create as admin", "admin", "ports", new.clone()).await;
    let path = format!("ports/{port}");
    let many = json!({"ports": vec![json!({"network_id": net}); 10]});
    c.ask("port: create 10 in bulk", "p", "POST", "ports", many).await;
    let some = json!({"ports": vec![json!({"network_id": net}); 30]});
    c.ask("port: create 30 in bulk", "p", "POST", "ports", some).await;
    c.ask("port: show", "admin", "GET", &path, Value::Null).await;
    c.ask("port: list of 43", "admin", "GET", "ports", Value::Null).await;
    c.ask("port: list of 43 as member", "p", "GET", "ports", Value::Null).await;
    c.ask("port: rename", "admin", "PUT", &path, json!({"port": {"name": "x"}})).await;
    c.ask("port: change nothing", "admin", "PUT", &path, json!({"port": {"name": "x"}})).await;
    let moved = json!({"port": {"fixed_ips": [{"ip_address": "10.0.99.1"}]}});
    c.ask("port: other address", "admin", "PUT", &path, moved).await;
    c.agent("one").await;
    let plugged =
        json!({"port": {"device_id": "d", "device_owner": "compute:nova", "binding:host_id": "one"}});
    c.ask("port: bind", "admin", "PUT", &path, plugged).await;
    c.ask("port: delete", "admin", "DELETE", &path, Value::Null).await;
    let bound = json!({"network_id": net, "binding:host_id": "one", "device_owner": "compute:nova"});
    c.make("port: create bound", "admin", "ports", json!({"port": bound})).await;
    let many = json!({"ports": vec![bound; 10]});
    c.ask("port: create 10 bound in bulk", "admin", "POST", "ports", many).await;
    expect_test::expect![[r#"
        network: create: 21
        network: first of a project: 52
        port: bind: 31
        port: change nothing: 10
        port: create: 11
        port: create 10 bound in bulk: 146
        port: create 10 in bulk: 74
        port: create 30 in bulk: 214
        port: create as admin: 41
        port: create bound: 29
        port: delete: 13
        port: first of a subnet: 13
        port: list of 43: 8
        port: list of 43 as member: 9
        port: other address: 19
        port: rename: 11
        port: show: 8
        subnet: create: 21
    "#]]
    .assert_eq(&c.told());
}

/// A server on MariaDB whose round trips are counted: what is waited for costs more than what is sent together.
struct Waited {
    served: Served,
    told: String,
}

impl Waited {
    async fn start() -> Option<Waited> {
        if !crate::mariadb::wanted() {
            return None;
        }
        Some(Waited { served: Served::start().await, told: String::new() })
    }

    /// Asks as a member (as an admin where the name is empty, uncounted), and tells how often that waited.
    async fn ask(&mut self, name: &str, method: &str, path: &str, body: Value) -> Value {
        let who = if name.is_empty() { "admin" } else { "p" };
        let before = self.served.app.db.round_trips();
        let (status, answer) = self.served.ask(who, method, path, body).await;
        assert!(status < 300, "{answer}");
        if !name.is_empty() {
            self.told += &format!("{name}: {}\n", self.served.app.db.round_trips() - before);
        }
        answer
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ports_wait_for_on_mariadb() {
    let Some(mut c) = Waited::start().await else { return };
    let made = c.ask("network", "POST", "networks", json!({"network": {"name": "a"}})).await;
    let net = &made["network"]["id"];
    c.ask("network again", "POST", "networks", json!({"network": {"name": "b"}})).await;
    let subnet = json!({"network_id": net, "cidr": "10.0.0.0/16", "ip_version": 4});
    c.ask("subnet", "POST", "subnets", json!({"subnet": subnet})).await;
    for (name, count) in [("first", 1), ("one", 1), ("many", 50)] {
        let many = json!({"ports": vec![json!({"network_id": net}); count]});
        c.ask(name, "POST", "ports", many).await;
    }
    let made = c.ask("one more", "POST", "ports", json!({"port": {"network_id": net}})).await;
    let path = format!("ports/{}", made["port"]["id"].as_str().unwrap());
    c.ask("show", "GET", &path, Value::Null).await;
    c.ask("list of 53", "GET", "ports", Value::Null).await;
    c.ask("rename", "PUT", &path, json!({"port": {"name": "x"}})).await;
    c.ask("delete", "DELETE", &path, Value::Null).await;
    let many = json!({"ports": vec![json!({"network_id": net}); 50]});
    c.ask("50 more", "POST", "ports", many).await;
    // What was a long list is one the next time too.
    for (name, path, count) in [
        ("list of 102", "ports", 102),
        ("list of 102 again", "ports", 102),
        ("list of 102 for the third time", "ports", 102),
        ("page of 100", "ports?limit=100", 100),
    ] {
        let answer = c.ask(name, "GET", path, Value::Null).await;
        assert_eq!(answer["ports"].as_array().map(Vec::len), Some(count));
    }
    expect_test::expect![[r#"
        network: 24
        network again: 4
        subnet: 5
        first: 5
        one: 2
        many: 2
        one more: 2
        show: 1
        list of 53: 2
        rename: 6
        delete: 5
        50 more: 2
        list of 102: 3
        list of 102 again: 1
        list of 102 for the third time: 1
        page of 100: 2
    "#]]
    .assert_eq(&c.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_routers_wait_for_on_mariadb() {
    let Some(mut c) = Waited::start().await else { return };
    let public = json!({"network": {"name": "e", "router:external": true}});
    let public = c.ask("", "POST", "networks", public).await;
    let public = &public["network"]["id"];
    let subnet = json!({"network_id": public, "cidr": "203.0.113.0/24", "ip_version": 4});
    c.ask("", "POST", "subnets", json!({"subnet": subnet})).await;
    let net =
        c.ask("network: first of a project", "POST", "networks", json!({"network": {"name": "a"}})).await;
    let subnet = json!({"network_id": net["network"]["id"], "cidr": "10.0.0.0/16", "ip_version": 4});
    let subnet = c.ask("subnet", "POST", "subnets", json!({"subnet": subnet})).await;
    let made = c.ask("router", "POST", "routers", json!({"router": {"name": "a"}})).await;
    let path = format!("routers/{}", made["router"]["id"].as_str().unwrap());
    let gateway = json!({"router": {"external_gateway_info": {"network_id": public}}});
    c.ask("gateway", "PUT", &path, gateway).await;
    let inner = json!({"subnet_id": subnet["subnet"]["id"]});
    c.ask("interface", "PUT", &format!("{path}/add_router_interface"), inner.clone()).await;
    c.ask("show", "GET", &path, Value::Null).await;
    c.ask("interface removed", "PUT", &format!("{path}/remove_router_interface"), inner).await;
    expect_test::expect![[r#"
        network: first of a project: 24
        subnet: 5
        router: 3
        gateway: 7
        interface: 10
        show: 1
        interface removed: 10
    "#]]
    .assert_eq(&c.told);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_routers_and_floating_ips_cost() {
    let mut c = Counted::start().await;
    let public = json!({"network": {"name": "e", "router:external": true}});
    let public = c.make("network: create external", "admin", "networks", public).await;
    let subnet = json!({"network_id": public, "cidr": "203.0.113.0/24", "ip_version": 4});
    c.make("subnet: create", "admin", "subnets", json!({"subnet": subnet})).await;
    let net = c.make("network: create", "admin", "networks", json!({"network": {"name": "n"}})).await;
    let subnet = json!({"network_id": net, "cidr": "10.0.0.0/24", "ip_version": 4});
    let subnet = c.make("subnet: create", "admin", "subnets", json!({"subnet": subnet})).await;
    let router = c.make("router: create", "admin", "routers", json!({"router": {"name": "r"}})).await;
    let path = format!("routers/{router}");
    let gateway = json!({"router": {"external_gateway_info": {"network_id": public}}});
    c.ask("router: set gateway", "admin", "PUT", &path, gateway).await;
    let add = format!("{path}/add_router_interface");
    c.ask("router: add interface", "admin", "PUT", &add, json!({"subnet_id": subnet})).await;
    c.ask("router: show", "admin", "GET", &path, Value::Null).await;
    let port = c.make("port: create", "admin", "ports", json!({"port": {"network_id": net}})).await;
    let new = json!({"floatingip": {"floating_network_id": public}});
    let ip = c.make("floating IP: create", "admin", "floatingips", new).await;
    let path = format!("floatingips/{ip}");
    c.ask("floating IP: associate", "admin", "PUT", &path, json!({"floatingip": {"port_id": port}})).await;
    c.ask("floating IP: delete", "admin", "DELETE", &path, Value::Null).await;
    expect_test::expect![[r#"
        floating IP: associate: 14
        floating IP: create: 18
        floating IP: delete: 19
        network: create: 21
        network: create external: 54
        port: create: 11
        router: add interface: 27
        router: create: 12
        router: set gateway: 30
        router: show: 6
        subnet: create: 20
    "#]]
    .assert_eq(&c.told());
}

/// A subnet in which ports make their own addresses gives them to all that are there, and takes them back.
#[tokio::test(flavor = "multi_thread")]
async fn what_automatic_addresses_cost_does_not_grow_with_the_ports() {
    let mut c = Counted::start().await;
    let mut sums = Vec::new();
    for count in [2, 40] {
        let net = c.make("-", "admin", "networks", json!({"network": {"name": "n"}})).await;
        let new = json!({"network_id": net});
        c.ask("-", "admin", "POST", "ports", json!({"ports": vec![new; count]})).await;
        let subnet = json!({"network_id": net, "cidr": "fd00::/64", "ip_version": 6, "ipv6_ra_mode": "slaac",
                            "ipv6_address_mode": "slaac"});
        let subnet = c.make("subnet: create", "admin", "subnets", json!({"subnet": subnet})).await;
        let shown = c.ask("-", "admin", "GET", &format!("ports?network_id={net}"), Value::Null).await;
        let ports = shown["ports"].as_array().unwrap();
        let own = |port: &&Value| port["fixed_ips"][0]["subnet_id"] == *subnet;
        assert_eq!(ports.iter().filter(own).count(), count);
        c.ask("subnet: delete", "admin", "DELETE", &format!("subnets/{subnet}"), Value::Null).await;
        c.costs.remove("-");
        sums.push(c.told());
    }
    assert_eq!(sums[0], sums[1]);
    expect_test::expect![[r#"
        subnet: create: 42
        subnet: delete: 41
    "#]]
    .assert_eq(&sums[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_agents_cost_does_not_grow_with_their_devices() {
    let mut c = Counted::start().await;
    c.agent("one").await;
    let net = c.make("-", "admin", "networks", json!({"network": {"name": "n"}})).await;
    let subnet = json!({"network_id": net, "cidr": "10.0.0.0/16", "ip_version": 4});
    c.make("-", "admin", "subnets", json!({"subnet": subnet})).await;
    let mut sums = Vec::new();
    for count in [2, 40] {
        let new = json!({"network_id": net, "binding:host_id": "one", "device_owner": "compute:nova"});
        let made = c.ask("-", "admin", "POST", "ports", json!({"ports": vec![new; count]})).await;
        let taps: Vec<String> = made["ports"]
            .as_array()
            .unwrap()
            .iter()
            .map(|port| format!("tap{}", &port["id"].as_str().unwrap()[..11]))
            .collect();
        let asked = json!({"devices": taps, "host": "one", "agent_id": "lbone"});
        let method = "get_devices_details_list_and_failed_devices";
        c.question("devices: details", method, asked.clone()).await;
        c.question("devices: details again", method, asked).await;
        let report = json!({"devices_up": taps, "devices_down": [], "host": "one", "agent_id": "lbone"});
        c.question("devices: up", "update_device_list", report).await;
        let report = json!({"devices_up": [], "devices_down": taps, "host": "one", "agent_id": "lbone"});
        c.question("devices: down", "update_device_list", report).await;
        c.costs.remove("-");
        sums.push(c.told());
    }
    expect_test::expect![[r#"
        devices: details: 14
        devices: details again: 4
        devices: down: 14
        devices: up: 16

        devices: details: 14
        devices: details again: 4
        devices: down: 14
        devices: up: 16
    "#]]
    .assert_eq(&sums.join("\n"));
}
