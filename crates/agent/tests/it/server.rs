//! A server for agents under test: answers from a table of documents and remembers what it was told.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use rpc::{Answer, Call, Endpoint, Failure, Listener, Transport};
use serde_json::{Value, json};

/// What it answers and what it heard.
#[derive(Default)]
pub struct Server {
    /// Networks by id, as `get_network_info` answers.
    pub networks: Mutex<BTreeMap<String, Value>>,
    /// Routers by id, as `sync_routers` answers.
    pub routers: Mutex<BTreeMap<String, Value>>,
    /// External networks, as `get_external_network_id` counts them; empty: the server has no such method any more.
    pub externals: Mutex<Vec<&'static str>>,
    /// All calls: method and arguments.
    pub calls: Mutex<Vec<(String, Value)>>,
}

impl Server {
    /// Starts answering on the topics of agents' calls.
    pub fn start(transport: &Transport) -> (Arc<Server>, Vec<Listener>) {
        let server = Arc::new(Server::default());
        // What 25.2.3 serves, the oldest of Neutron's own servers that these agents work on.
        let topics = [("q-plugin", "1.10"), ("q-l3-plugin", "1.12"), ("q-reports-plugin", "1.3")];
        let listeners = topics.map(|(topic, version)| {
            transport.listen(topic, "server", vec![Arc::new(Shared(server.clone(), version))])
        });
        (server, listeners.into())
    }

    /// Puts a network in place of what was there.
    pub fn put_network(&self, network: Value) {
        let id = network["id"].as_str().unwrap().to_owned();
        self.networks.lock().unwrap().insert(id, network);
    }

    /// Puts a router in place of what was there.
    pub fn put_router(&self, router: Value) {
        let id = router["id"].as_str().unwrap().to_owned();
        self.routers.lock().unwrap().insert(id, router);
    }

    /// The arguments of all calls of a method.
    pub fn heard(&self, method: &str) -> Vec<Value> {
        let calls = self.calls.lock().unwrap();
        calls.iter().filter(|(name, _)| name == method).map(|(_, args)| args.clone()).collect()
    }

    fn answer(&self, method: &str, args: &Value) -> Option<Value> {
        let mut networks = self.networks.lock().unwrap();
        Some(match method {
            "get_active_networks_info" => networks.values().cloned().collect(),
            "get_network_info" => {
                networks.get(args["network_id"].as_str().unwrap()).cloned().unwrap_or(Value::Null)
            }
            "create_dhcp_port" => create_dhcp_port(&mut networks, &args["port"]["port"]),
            "get_ports" => ports(&networks, &args["filters"]),
            "get_router_ids" => self.routers.lock().unwrap().keys().cloned().collect(),
            "sync_routers" => {
                let routers = self.routers.lock().unwrap();
                let ids = args["router_ids"].as_array().cloned().unwrap_or_default();
                ids.iter().filter_map(|id| routers.get(id.as_str().unwrap()).cloned()).collect()
            }
            "report_state" => json!("alive"),
            "dhcp_ready_on_ports" | "release_dhcp_port" | "update_floatingip_statuses" => Value::Null,
            _ => return None,
        })
    }
}

/// A DHCP port gets the second address of each subnet.
fn create_dhcp_port(networks: &mut BTreeMap<String, Value>, port: &Value) -> Value {
    let network = networks.get_mut(port["network_id"].as_str().unwrap()).unwrap();
    let address_on = |subnet_id: &Value| {
        let subnet = network["subnets"].as_array().unwrap().iter().find(|subnet| subnet["id"] == *subnet_id);
        let cidr: ipnet::IpNet = subnet.unwrap()["cidr"].as_str().unwrap().parse().unwrap();
        cidr.hosts().nth(1).unwrap().to_string()
    };
    let fixed_ips: Vec<Value> = port["fixed_ips"]
        .as_array()
        .unwrap()
        .iter()
        .map(|fixed_ip| json!({"subnet_id": fixed_ip["subnet_id"], "ip_address": address_on(&fixed_ip["subnet_id"])}))
        .collect();
    let id: String =
        port["network_id"].as_str().unwrap().chars().map(|c| if c == 'a' { 'd' } else { c }).collect();
    let port = json!({
        "id": id, "network_id": port["network_id"], "mac_address": "fa:16:3e:dd:00:01",
        "device_id": port["device_id"], "device_owner": "network:dhcp", "fixed_ips": fixed_ips,
        "extra_dhcp_opts": [], "binding:host_id": "net1",
    });
    network["ports"].as_array_mut().unwrap().push(port.clone());
    port
}

/// Ports by the filters that metadata look-ups use.
fn ports(networks: &BTreeMap<String, Value>, filters: &Value) -> Value {
    let any = |filter: &Value, value: &Value| filter.as_array().is_none_or(|wanted| wanted.contains(value));
    let all = networks.values().flat_map(|network| network["ports"].as_array().unwrap());
    let fits = |port: &&Value| {
        any(&filters["network_id"], &port["network_id"])
            && any(&filters["mac_address"], &port["mac_address"])
            && any(&filters["device_id"], &port["device_id"])
            && any(&filters["device_owner"], &port["device_owner"])
            && (filters["fixed_ips"].is_null()
                || port["fixed_ips"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .any(|fixed_ip| any(&filters["fixed_ips"]["ip_address"], &fixed_ip["ip_address"])))
    };
    all.filter(fits).cloned().collect()
}

struct Shared(Arc<Server>, &'static str);

impl Endpoint for Shared {
    fn version(&self) -> &str {
        self.1
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        let args = Value::Object(args);
        self.0.calls.lock().unwrap().push((method.to_owned(), args.clone()));
        let answer = match (method, &self.0.externals.lock().unwrap()[..]) {
            ("get_external_network_id", [one]) => Ok(json!(one)),
            ("get_external_network_id", [_, _, ..]) => {
                Err(Failure::neutron("TooManyExternalNetworks", "More than one", serde_json::Map::new()))
            }
            _ => self.0.answer(method, &args).ok_or_else(|| Failure::no_such_method(method)),
        };
        Box::pin(async move { answer })
    }
}
