//! Agents over the in-memory transport: reports, schedulers, the dead.

use crate::world;
use rpc::{Answer, Call, Client, Endpoint, Target, Transport};
use serde_json::{Value, json};
use server::agents::periodic;
use server::app::App;
use server::catalog::Catalog;
use server::{handlers, p};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

/// The moment at which tests start.
const START: i64 = 1_800_000_000;

/// A server with its own clock, that listens.
struct World {
    app: Arc<App>,
    clock: Arc<AtomicI64>,
    transport: Transport,
    client: Client,
    _listeners: Vec<rpc::Listener>,
    _dir: world::Dir,
}

impl World {
    async fn new(change: impl FnOnce(&mut App)) -> World {
        let (db, dir) = world::db().await;
        let transport = Transport::memory();
        let clock = Arc::new(AtomicI64::new(START));
        let (publisher, _) = server::notify::channel();
        let mut app = App::new(db, Catalog::load(&[], &[]).unwrap(), transport.client(), publisher);
        let hand = clock.clone();
        app.clock = Box::new(move || hand.load(Ordering::Relaxed));
        change(&mut app);
        let app = Arc::new(app);
        let listen = |(topic, endpoints)| transport.listen(topic, "server", endpoints);
        let listeners = handlers::endpoints(&app).into_iter().map(listen).collect();
        let client = transport.client();
        World { app, clock, transport, client, _listeners: listeners, _dir: dir }
    }

    async fn ask(&self, topic: &str, method: &str, args: Value) -> Value {
        self.client.call(&json!({}), &Target::topic(topic), method, "1.0", args).await.unwrap()
    }

    async fn report(&self, kind: &str, host: &str, configurations: Value) -> Value {
        let state = json!({"agent_type": kind, "binary": "b", "host": host, "topic": "t",
                           "configurations": configurations});
        let time = server::agents::moment(self.app.clock.as_ref()()).replace(' ', "T");
        let args = json!({"agent_state": {"agent_state": state}, "time": format!("{time}.000001")});
        self.ask("q-reports-plugin", "report_state", args).await
    }

    fn later(&self, seconds: i64) {
        self.clock.fetch_add(seconds, Ordering::Relaxed);
    }

    async fn run(&self, sql: &str, params: &[server::db::Val]) {
        let mut tx = self.app.db.begin().await.unwrap();
        tx.exec(sql, params).await.unwrap();
        tx.commit().await.unwrap();
    }

    async fn texts(&self, sql: &str) -> Vec<String> {
        let rows = self.app.db.read().await.unwrap().all(sql, &[]).await.unwrap();
        rows.iter().map(|row| row.text(0)).collect()
    }

    async fn network(&self, id: &str) {
        self.run("INSERT INTO standardattributes (resource_type) VALUES (?)", p!["networks"]).await;
        self.run(
            "INSERT INTO networks (id, admin_state_up, standard_attr_id) \
             SELECT ?, 1, MAX(id) FROM standardattributes",
            p![id],
        )
        .await;
    }

    async fn subnet(&self, network: &str, dhcp: bool) {
        self.run("INSERT INTO standardattributes (resource_type) VALUES (?)", p!["subnets"]).await;
        self.run(
            "INSERT INTO subnets (id, network_id, ip_version, cidr, enable_dhcp, standard_attr_id) \
             SELECT ?, ?, 4, '10.0.0.0/24', ?, MAX(id) FROM standardattributes",
            p![format!("s-{network}"), network, dhcp],
        )
        .await;
    }

    async fn router(&self, id: &str) {
        self.run("INSERT INTO standardattributes (resource_type) VALUES (?)", p!["routers"]).await;
        self.run(
            "INSERT INTO routers (id, admin_state_up, standard_attr_id) \
             SELECT ?, 1, MAX(id) FROM standardattributes",
            p![id],
        )
        .await;
    }
}

/// An agent that writes down what it is told.
struct Ears(Arc<Mutex<Vec<String>>>);

impl Endpoint for Ears {
    fn version(&self) -> &str {
        "1.4"
    }
    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        self.0.lock().unwrap().push(format!("{method} {}", Value::Object(args)));
        Box::pin(async { Ok(Value::Null) })
    }
}

#[tokio::test]
async fn an_agent_is_new_alive_and_revived() {
    let world = World::new(|_| {}).await;
    let heartbeat = || world.texts("SELECT heartbeat_timestamp FROM agents");
    assert_eq!(world.report("L3 agent", "h", json!({})).await, "new");
    world.later(10);
    assert_eq!(world.report("L3 agent", "h", json!({})).await, "alive");
    assert_eq!(heartbeat().await, [server::agents::moment(START)], "a report without news is absorbed");
    world.later(1);
    assert_eq!(world.report("L3 agent", "h", json!({"routers": 1})).await, "alive");
    assert_eq!(heartbeat().await, [server::agents::moment(START + 11)], "news are written");
    world.later(76);
    assert_eq!(world.report("L3 agent", "h", json!({"routers": 1})).await, "revived");
    let stale = json!({"agent_state": {"agent_state": {"agent_type": "L3 agent", "binary": "b", "host": "x",
                       "topic": "t"}}, "time": "2001-01-01T00:00:00.000000"});
    assert_eq!(world.ask("q-plugin", "report_state", stale).await, Value::Null);
    assert_eq!(world.texts("SELECT host FROM agents").await, ["h"]);
    assert_eq!(world.ask("q-plugin", "has_alive_neutron_server", json!({})).await, true);
}

#[tokio::test]
async fn an_agent_that_asks_gets_what_nobody_serves() {
    let world = World::new(|_| {}).await;
    world.report("DHCP agent", "a", json!({})).await;
    world.report("L3 agent", "a", json!({})).await;
    for (network, dhcp) in [("n1", Some(true)), ("n2", Some(false)), ("n3", None)] {
        world.network(network).await;
        if let Some(dhcp) = dhcp {
            world.subnet(network, dhcp).await;
        }
    }
    world.router("r1").await;
    assert_eq!(world.ask("q-plugin", "get_active_networks", json!({"host": "a"})).await, json!(["n1"]));
    assert_eq!(world.ask("q-l3-plugin", "get_router_ids", json!({"host": "a"})).await, json!(["r1"]));
    world.report("DHCP agent", "b", json!({})).await;
    world.report("L3 agent", "b", json!({})).await;
    assert_eq!(world.ask("q-plugin", "get_active_networks", json!({"host": "b"})).await, json!([]));
    assert_eq!(world.ask("q-l3-plugin", "get_router_ids", json!({"host": "b"})).await, json!([]));
    assert_eq!(world.ask("q-l3-plugin", "get_router_ids", json!({"host": "nowhere"})).await, json!([]));
}

#[tokio::test]
async fn networks_and_routers_leave_dead_agents() {
    let world = World::new(|app| app.agents.allow_automatic_l3agent_failover = true).await;
    world.network("n1").await;
    world.subnet("n1", true).await;
    world.router("r1").await;
    for host in ["a", "b"] {
        world.report("DHCP agent", host, json!({})).await;
        world.report("L3 agent", host, json!({})).await;
        world.ask("q-plugin", "get_active_networks", json!({"host": host})).await;
        world.ask("q-l3-plugin", "get_router_ids", json!({"host": host})).await;
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ears = |topic| world.transport.listen(topic, "b", vec![Arc::new(Ears(heard.clone()))]);
    let _seats = [ears("dhcp_agent"), ears("l3_agent")];
    let dhcp = "SELECT a.host FROM networkdhcpagentbindings AS b JOIN agents AS a ON a.id = b.dhcp_agent_id";
    let l3 = "SELECT a.host FROM routerl3agentbindings AS b JOIN agents AS a ON a.id = b.l3_agent_id";
    let alive = async |host: &str| {
        world.report("DHCP agent", host, json!({})).await;
        world.report("L3 agent", host, json!({})).await;
    };
    world.later(100);
    alive("b").await;
    periodic::round(&world.app).await;
    assert_eq!((world.texts(dhcp).await, world.texts(l3).await), (vec!["a".into()], vec!["a".into()]));
    world.later(100);
    alive("b").await;
    periodic::round(&world.app).await;
    assert_eq!((world.texts(dhcp).await, world.texts(l3).await), (vec!["b".into()], vec!["b".into()]));
    let mut told = heard.lock().unwrap().clone();
    told.sort();
    assert_eq!(
        told,
        [
            r#"network_create_end {"payload":{"network":{"id":"n1"},"priority":0}}"#,
            r#"router_added_to_agent {"payload":["r1"]}"#,
        ]
    );
}
