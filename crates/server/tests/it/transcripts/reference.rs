//! Our server set up as the reference was for the recording, or any other that runs already.

use crate::world;
use rpc::{Client, Target, Transport};
use serde_json::{Value, json};
use server::app::App;
use server::ml2::{Groups, Ml2};
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use tokio::runtime::Runtime;

/// The part of the reference's settings that the API shows.
const SETTINGS: &str = "
[ml2]
type_drivers = local,flat,vlan,gre,vxlan,geneve
project_network_types = vxlan
mechanism_drivers = linuxbridge,l2population
extension_drivers = port_security,dns
[ml2_type_flat]
flat_networks = public
[ml2_type_vlan]
network_vlan_ranges = public,physnet1:100:199
[ml2_type_gre]
tunnel_id_ranges = 1:1000
[ml2_type_vxlan]
vni_ranges = 1:1000
[ml2_type_geneve]
vni_ranges = 1:1000
max_header_size = 38
";

/// A server on an empty database.
pub struct Server {
    pub address: SocketAddr,
    ours: Option<Ours>,
}

struct Ours {
    runtime: Runtime,
    client: Client,
    _running: server::serve::Running,
    _dir: world::Dir,
}

impl Server {
    /// Starts ours, or takes the one that `TRANSCRIPT_SERVER` names.
    pub fn start() -> Server {
        if let Ok(named) = std::env::var("TRANSCRIPT_SERVER") {
            let address = named.to_socket_addrs().unwrap().next().unwrap();
            return Server { address, ours: None };
        }
        let runtime = Runtime::new().unwrap();
        let (address, client, running, dir) = runtime.block_on(start());
        Server { address, ours: Some(Ours { runtime, client, _running: running, _dir: dir }) }
    }

    /// An agent reports its state for the first time.
    pub fn report(&self, state: &str) {
        let ours = self.ours.as_ref().expect("agents report to our own server only");
        let mut state: Value = serde_json::from_str(state).unwrap();
        state["start_flag"] = json!(true);
        let time = jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.000000").to_string();
        let args = json!({"agent_state": {"agent_state": state}, "time": time});
        let target = Target::topic("q-reports-plugin");
        ours.runtime.block_on(ours.client.call(&json!({}), &target, "report_state", "1.0", args)).unwrap();
    }
}

async fn start() -> (SocketAddr, Client, server::serve::Running, world::Dir) {
    let (db, dir) = world::db().await;
    let transport = Transport::memory();
    let (publisher, changes) = server::notify::channel();
    let groups = Groups::load(&oslo::config::Config::parse("settings", SETTINGS)).unwrap();
    let ml2 = Ml2::new(groups).unwrap();
    let catalog = server::assemble::catalog(&ml2).unwrap();
    let app = Arc::new(App::new(db, catalog, transport.client(), publisher).with_ml2(ml2));
    let mut tx = app.db.begin().await.unwrap();
    server::ml2::allocation::sync(&mut tx, &app.ml2).await.unwrap();
    tx.commit().await.unwrap();
    let running = server::serve::start(&app, &transport, "server", changes);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = server::api::router(app);
    tokio::spawn(async move { axum::serve(listener, router).await });
    (address, transport.client(), running, dir)
}
