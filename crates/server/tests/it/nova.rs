//! Nova hears of its ports: a stand-in for Nova records what it is sent, with tokens of a real Keystone and an address
//! from its catalog.

use crate::client::{Served, loadable};
use crate::lab::Keystone;
use crate::world;
use axum::extract::{Request, State};
use http_body_util::BodyExt;
use oslo::config::Config;
use oslo::context::Context;
use serde_json::{Value, json};
use server::app::App;
use server::catalog::Catalog;
use server::db::{Stop, Tx};
use server::ml2::provisioning;
use server::notifier::nova::Nova;
use server::request::Rq;
use server::serve::{self, Running};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::TcpListener;

const INSTANCE: &str = "6e0b0a51-6d4c-4f0e-8d0c-5b6f3d5a3a10";

/// What Nova was sent: path, token, events.
type Heard = Arc<Mutex<Vec<(String, String, Value)>>>;

async fn hear(State(heard): State<Heard>, request: Request) -> axum::response::Response {
    let (parts, body) = request.into_parts();
    let body: Value = serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
    let token = parts.headers["x-auth-token"].to_str().unwrap().to_string();
    let mut events = body["events"].clone();
    heard.lock().unwrap().push((parts.uri.path().to_string(), token, events.clone()));
    for event in events.as_array_mut().unwrap() {
        event["code"] = json!(200);
    }
    axum::response::Response::new(json!({"events": events}).to_string().into())
}

/// A Nova that listens from now on.
async fn nova(address: SocketAddr) -> Heard {
    let heard = Heard::default();
    let service = axum::Router::new().fallback(hear).with_state(heard.clone());
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
    heard
}

/// An address where nobody listens yet.
async fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

/// Has Keystone's catalog say that Nova is at an address, in a region of its own: answers with the region.
async fn in_catalog(keystone: &Keystone, address: SocketAddr) -> String {
    let admin = keystone.admin().await;
    let region = format!("region-{}", uuid::Uuid::new_v4().simple());
    let make = async |path: &str, body: Value| {
        let answer = keystone.ask(&admin, "POST", path, Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.words());
        answer.json()
    };
    make("/regions", json!({"region": {"id": region}})).await;
    let service = make("/services", json!({"service": {"type": "compute", "name": region}})).await;
    for interface in ["public", "internal"] {
        let url = format!("http://{address}/{interface}/v2.1");
        let service = &service["service"]["id"];
        let body = json!({"interface": interface, "url": url, "service_id": service, "region_id": region});
        make("/endpoints", json!({"endpoint": body})).await;
    }
    region
}

/// A server that tells Nova what a configuration says.
async fn telling(config: &str) -> (Served, Running) {
    let (db, dir) = world::db().await;
    let all = loadable(server::extensions::ALL, &["port_security"]);
    let transport = rpc::Transport::memory();
    let (publisher, changes) = server::notify::channel();
    let app = App::new(db, Catalog::everything(&all).unwrap(), transport.client(), publisher);
    let mut app = app.with_ml2(world::ml2());
    app.nova = Nova::load(&Config::parse("neutron.conf", config)).unwrap();
    assert!(app.nova.is_some());
    let app = Arc::new(app);
    app.write(world::sync, &world::ml2()).await.unwrap();
    let running = serve::start(&app, &transport, "here", changes);
    (Served::of(app, dir).await, running)
}

async fn set_status(tx: &mut Tx, input: &(&App, String, &'static str)) -> Result<(), Stop> {
    let (app, port, status) = input;
    let rq = Rq { app, ctx: &Context::admin() };
    let wanted = BTreeMap::from([(port.clone(), *status)]);
    provisioning::set_status(rq, tx, &wanted).await.map(drop)
}

async fn port_becomes(served: &Served, port: &str, status: &'static str) {
    served.app.write(set_status, &(&*served.app, port.to_string(), status)).await.unwrap();
}

/// Makes a network and an instance's port on it.
async fn instance(served: &Served) -> String {
    let network = served.make("demo", "networks", json!({"network": {}})).await;
    let subnet = json!({"network_id": network["id"], "ip_version": 4, "cidr": "10.0.0.0/24"});
    served.make("demo", "subnets", json!({"subnet": subnet})).await;
    let port = json!({"network_id": network["id"], "device_id": INSTANCE, "device_owner": "compute:nova"});
    let port = served.make("demo", "ports", json!({"port": port})).await;
    port["id"].as_str().unwrap().to_string()
}

/// The names of all events heard of a port, once there are so many.
async fn heard_of(heard: &Heard, port: &str, many: usize) -> Vec<String> {
    for _ in 0..600 {
        let names: Vec<String> = heard
            .lock()
            .unwrap()
            .iter()
            .flat_map(|(_, _, events)| events.as_array().cloned().unwrap())
            .filter(|event| event["tag"] == port && event["server_uuid"] == INSTANCE)
            .map(|event| {
                format!("{} {}", event["name"].as_str().unwrap(), event["status"].as_str().unwrap_or("-"))
            })
            .collect();
        if names.len() >= many {
            return names;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("Nova did not hear of {many} events: {:?}", heard.lock().unwrap());
}

#[tokio::test]
async fn nova_hears_of_its_ports_in_order() {
    let keystone = Keystone::new();
    let address = free().await;
    let region = in_catalog(&keystone, address).await;
    let heard = nova(address).await;
    let (served, running) = telling(&format!(
        "[DEFAULT]\nsend_events_interval = 0\n[nova]\nauth_url = {}\nauth_plugin = password\n\
         project_domain_id = default\nuser_domain_id = default\nregion_name = {region}\nproject_name = service\n\
         username = nova\npassword = service-secret\nendpoint_type = internal\n",
        keystone.v3
    ))
    .await;
    let port = instance(&served).await;
    port_becomes(&served, &port, "ACTIVE").await;
    heard_of(&heard, &port, 1).await;
    served.ask("demo", "PUT", &format!("ports/{port}"), json!({"port": {"name": "n"}})).await;
    heard_of(&heard, &port, 2).await;
    port_becomes(&served, &port, "DOWN").await;
    heard_of(&heard, &port, 3).await;
    // An instance's port is not its owner's to delete.
    let gone = served.ask("admin", "DELETE", &format!("ports/{port}"), Value::Null).await;
    assert_eq!(gone.0, 204, "{}", gone.1);
    assert_eq!(
        heard_of(&heard, &port, 4).await,
        [
            "network-vif-plugged completed",
            "network-changed -",
            "network-vif-unplugged completed",
            "network-vif-deleted -"
        ]
    );
    running.stop().await;
    let (path, token, _) = heard.lock().unwrap()[0].clone();
    assert_eq!(path, "/internal/v2.1/os-server-external-events");
    let whose = keystone.ask(&token, "GET", "/auth/projects", None).await.json();
    assert_eq!(whose["projects"][0]["name"], "service");
}

#[tokio::test]
async fn a_nova_that_is_down_delays_nothing_and_hears_later() {
    let keystone = Keystone::new();
    let address = free().await;
    let v3 = &keystone.v3;
    let admin = keystone.admin().await;
    let projects = keystone.ask(&admin, "GET", "/projects?name=service", None).await.json();
    let project = projects["projects"][0]["id"].as_str().unwrap().to_string();
    // As Juno wrote it.
    let (served, _running) = telling(&format!(
        "[DEFAULT]\nsend_events_interval = 0\nnova_url = http://{address}/v2\nnova_admin_auth_url = {v3}\n\
         nova_admin_username = nova\nnova_admin_password = service-secret\nnova_admin_tenant_id = {project}\n"
    ))
    .await;
    let port = instance(&served).await;
    port_becomes(&served, &port, "ACTIVE").await;
    let answer = served.ask("demo", "PUT", &format!("ports/{port}"), json!({"port": {"name": "n"}})).await;
    assert_eq!(answer.0, 200);
    let heard = nova(address).await;
    let names = heard_of(&heard, &port, 2).await;
    assert_eq!(names, ["network-vif-plugged completed", "network-changed -"]);
    assert_eq!(heard.lock().unwrap()[0].0, format!("/v2/{project}/os-server-external-events"));
}

#[tokio::test]
async fn nova_hears_of_floating_ips() {
    let keystone = Keystone::new();
    let address = free().await;
    let region = in_catalog(&keystone, address).await;
    let heard = nova(address).await;
    let (served, _running) = telling(&format!(
        "[DEFAULT]\nsend_events_interval = 0\n[nova]\nauth_url = {}\nauth_type = password\nregion_name = {region}\n\
         project_name = service\nusername = nova\npassword = service-secret\n",
        keystone.v3
    ))
    .await;
    let port = instance(&served).await;
    let outside = json!({"router:external": true});
    let outside = served.make("admin", "networks", json!({"network": outside})).await;
    let subnet = json!({"network_id": outside["id"], "ip_version": 4, "cidr": "192.0.2.0/24"});
    served.make("admin", "subnets", json!({"subnet": subnet})).await;
    let gateway = json!({"external_gateway_info": {"network_id": outside["id"]}});
    let router = served.make("demo", "routers", json!({"router": gateway})).await;
    let router = router["id"].as_str().unwrap();
    let subnets = served.list("demo", "subnets?name=").await;
    let inside = subnets.iter().find(|subnet| subnet["cidr"] == "10.0.0.0/24").unwrap();
    let add = format!("routers/{router}/add_router_interface");
    let added = served.ask("demo", "PUT", &add, json!({"subnet_id": inside["id"]})).await;
    assert_eq!(added.0, 200, "{}", added.1);
    let floating = json!({"floating_network_id": outside["id"], "port_id": port});
    served.make("demo", "floatingips", json!({"floatingip": floating})).await;
    assert!(heard_of(&heard, &port, 1).await.contains(&"network-changed -".to_string()));
}
