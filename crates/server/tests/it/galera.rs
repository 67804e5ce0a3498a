//! Two servers, each on its own node of a real Galera cluster: a commit may be refused because of one on the other node,
//! and locks are seen on their own node only. What may exist once exists once, limits hold, nobody is answered 500,
//! and a node that dies is a 503 until it is back.

use crate::client::{Served, loadable};
use crate::world::{self, Dir};
use futures_util::future::join_all;
use lab::galera::Galera;
use serde_json::{Value, json};
use server::db::options::{DatabaseOptions, Found, Limits};
use server::db::{Db, Make, url};
use std::collections::BTreeSet;
use std::sync::Arc;

/// How many requests each server gets at the same time.
const AT_ONCE: usize = 12;

struct Pair {
    cluster: Galera,
    servers: [Arc<Served>; 2],
}

async fn server(cluster: &Galera, node: usize) -> Arc<Served> {
    let place = url::parse(&format!("{}/neutron", cluster.url(node))).unwrap();
    let mut limits = Limits::from(&DatabaseOptions::default());
    // What the other node has committed is to be seen here.
    limits.wsrep_sync_wait = Some(1);
    let db = Db::connect(&Found { place, limits, said: "galera".into() }).await.unwrap();
    db.prepare(Make::WhenEmpty).await.unwrap();
    let app = world::app_on(db, &loadable(server::extensions::ALL, &["port_security"]));
    app.db.write(world::sync, &world::ml2()).await.unwrap();
    Arc::new(Served::of(app, Dir::new()).await)
}

impl Pair {
    // The cluster ends with the thread that starts it: that of the test.
    async fn start(name: &str) -> Pair {
        let cluster = Galera::of_two(name);
        cluster.sql(0, "CREATE DATABASE neutron").unwrap();
        let servers = [server(&cluster, 0).await, server(&cluster, 1).await];
        Pair { cluster, servers }
    }

    /// Asks both servers for the same, all at the same time; the answers, refusals last.
    async fn both(&self, who: &str, path: &str, body: &Value) -> Vec<(u16, Value)> {
        let asked = self.servers.iter().flat_map(|server| {
            (0..AT_ONCE).map(move |_| {
                let (server, who, path, body) =
                    (server.clone(), who.to_string(), path.to_string(), body.clone());
                tokio::spawn(async move { server.ask(&who, "POST", &path, body).await })
            })
        });
        let mut answers: Vec<_> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
        answers.sort_by_key(|(status, _)| *status);
        answers
    }

    /// The same, and how many of the answers were 201; all others are `refusal`.
    async fn made(&self, who: &str, path: &str, body: Value, refusal: u16) -> usize {
        let answers = self.both(who, path, &body).await;
        for (status, answer) in &answers {
            assert!([201, refusal].contains(status), "{path} {body}: {status} {answer}");
        }
        answers.iter().filter(|(status, _)| *status == 201).count()
    }

    async fn network(&self) -> String {
        let made = self.servers[0].make("p", "networks", json!({"network": {}})).await;
        made["id"].as_str().unwrap().to_string()
    }

    async fn network_with(&self, cidr: &str) -> String {
        let network = self.network().await;
        let subnet = json!({"subnet": {"network_id": network, "cidr": cidr, "ip_version": 4}});
        self.servers[0].make("p", "subnets", subnet).await;
        network
    }

    /// How often a commit was refused, or what was not committed yet had to go, because of the other node's commits.
    fn conflicts(&self) -> u32 {
        let figure = |node, name| self.cluster.status(node, name).parse::<u32>().unwrap();
        (0..2)
            .map(|node| figure(node, "wsrep_local_cert_failures") + figure(node, "wsrep_local_bf_aborts"))
            .sum()
    }
}

fn text<'a>(value: &'a Value, pointer: &str) -> &'a str {
    value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_exist_once_exists_once() {
    let pair = Pair::start("once").await;
    let all = 2 * AT_ONCE;

    let network = pair.network_with("10.0.0.0/24").await;
    let port = json!({"port": {"network_id": network}});
    assert_eq!(pair.made("p", "ports", port, 201).await, all);
    let ports = pair.servers[1].list("p", &format!("ports?network_id={network}")).await;
    let addresses: BTreeSet<&str> = ports.iter().map(|port| text(port, "/fixed_ips/0/ip_address")).collect();
    assert_eq!(addresses.len(), all, "{addresses:?}");
    assert!(pair.conflicts() > 0, "the two nodes were never in each other's way");

    let small = pair.network_with("10.1.0.0/28").await;
    let free = 16 - 3;
    assert_eq!(pair.made("p", "ports", json!({"port": {"network_id": small}}), 409).await, free);

    let mac = json!({"port": {"network_id": network, "mac_address": "fa:16:3e:00:00:01"}});
    assert_eq!(pair.made("p", "ports", mac, 409).await, 1);

    let networks = pair.both("q", "networks", &json!({"network": {}})).await;
    assert_eq!(networks.last().unwrap().0, 201, "{networks:?}");
    let groups = pair.servers[0].list("q", "security-groups").await;
    assert_eq!(groups.len(), 1, "the default group: {groups:?}");
    let seen = pair.servers[1].list("admin", "networks").await;
    let segments: BTreeSet<i64> =
        seen.iter().map(|network| network["provider:segmentation_id"].as_i64().unwrap()).collect();
    assert_eq!(segments.len(), seen.len(), "segments are given once");
    let segment = json!({"network": {"provider:network_type": "vxlan", "provider:segmentation_id": 999}});
    assert_eq!(pair.made("admin", "networks", segment, 409).await, 1);

    let subnet =
        json!({"subnet": {"network_id": pair.network().await, "cidr": "10.2.0.0/24", "ip_version": 4}});
    assert_eq!(pair.made("p", "subnets", subnet, 400).await, 1);

    let pool = json!({"subnetpool": {"name": "s", "prefixes": ["10.9.0.0/28"], "default_prefixlen": 30}});
    let pool = pair.servers[0].make("p", "subnetpools", pool).await;
    let subnet = json!({"subnet": {"network_id": pair.network().await, "subnetpool_id": pool["id"],
                        "ip_version": 4}});
    assert_eq!(pair.made("p", "subnets", subnet, 409).await, 4, "a pool of four");
}

/// Requests of different kinds that concern the same rows.
#[tokio::test(flavor = "multi_thread")]
async fn what_belongs_together_stays_together() {
    let pair = Pair::start("rows").await;
    let [one, other] = pair.servers.clone();
    for _ in 0..8 {
        // A network is deleted while ports are made on it: they go with it, or it stays.
        let network = pair.network_with("10.3.0.0/24").await;
        let path = format!("networks/{network}");
        let gone = tokio::spawn({
            let one = one.clone();
            async move { one.ask("p", "DELETE", &path, Value::Null).await }
        });
        let port = json!({"port": {"network_id": network}});
        let (status, answer) = other.ask("p", "POST", "ports", port).await;
        let (deleted, why) = gone.await.unwrap();
        assert!(
            matches!((deleted, status), (204, 404) | (409, 201)),
            "deleted: {deleted} {why}, made: {status} {answer}"
        );
    }
    // A subnet becomes the interface of one router only.
    let network = pair.network_with("10.4.0.0/24").await;
    let subnets = one.list("p", &format!("subnets?network_id={network}")).await;
    let mut asked = Vec::new();
    for server in [&one, &other] {
        let router = server.make("p", "routers", json!({"router": {}})).await;
        let path = format!("routers/{}/add_router_interface", text(&router, "/id"));
        let (server, body) = (server.clone(), json!({"subnet_id": subnets[0]["id"]}));
        asked.push(tokio::spawn(async move { server.ask("p", "PUT", &path, body).await.0 }));
    }
    let mut answers: Vec<u16> = join_all(asked).await.into_iter().map(Result::unwrap).collect();
    answers.sort_unstable();
    assert_eq!(answers, [200, 409], "both routers cannot have the subnet's gateway");
    // Changes to one row are not lost: its revision counts them.
    let changes = (0..AT_ONCE).map(|number| {
        let (server, path) = (pair.servers[number % 2].clone(), format!("networks/{network}"));
        let body = json!({"network": {"description": number.to_string()}});
        tokio::spawn(async move { server.ask("p", "PUT", &path, body).await })
    });
    let before = one.ask("p", "GET", &format!("networks/{network}"), Value::Null).await.1;
    for done in join_all(changes).await {
        let (status, answer) = done.unwrap();
        assert_eq!(status, 200, "{answer}");
    }
    let after = other.ask("p", "GET", &format!("networks/{network}"), Value::Null).await.1;
    let revision = |answer: &Value| answer["network"]["revision_number"].as_u64().unwrap();
    assert_eq!(revision(&after) - revision(&before), AT_ONCE as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quota_is_kept_on_both_nodes() {
    let pair = Pair::start("quota").await;
    let network = pair.network().await;
    let (status, answer) =
        pair.servers[0].ask("admin", "PUT", "quotas/p", json!({"quota": {"port": 5}})).await;
    assert_eq!(status, 200, "{answer}");
    assert_eq!(pair.made("p", "ports", json!({"port": {"network_id": network}}), 409).await, 5);
    assert_eq!(pair.servers[0].list("p", "ports").await.len(), 5);
}

/// Makes ports one after the other until one is refused; the ids of those that were acknowledged, and the refusal.
async fn until_refused(server: Arc<Served>, network: String) -> (Vec<String>, (u16, Value)) {
    let mut acknowledged = Vec::new();
    loop {
        let port = json!({"port": {"network_id": network}});
        let answer = server.ask("p", "POST", "ports", port).await;
        if answer.0 != 201 {
            return (acknowledged, answer);
        }
        acknowledged.push(text(&answer.1, "/port/id").to_string());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_is_a_503_until_it_is_back() {
    let mut pair = Pair::start("death").await;
    let network = pair.network_with("10.0.0.0/16").await;
    let port = json!({"port": {"network_id": network}});
    let [staying, dying] = pair.servers.clone();
    let before = staying.make("p", "ports", port.clone()).await;
    let mut acknowledged = vec![text(&before, "/id").to_string()];

    let load = || -> Vec<_> {
        (0..3).map(|_| tokio::spawn(until_refused(dying.clone(), network.clone()))).collect()
    };
    let asked = load();
    pair.cluster.kill(1);
    // The first node finds out that it is alone; what it is asked meanwhile waits and is done.
    for _ in 0..5 {
        let made = staying.make("p", "ports", port.clone()).await;
        acknowledged.push(text(&made, "/id").to_string());
    }
    for asked in asked {
        let (made, (status, answer)) = asked.await.unwrap();
        assert_eq!(status, 503, "{answer}");
        acknowledged.extend(made);
    }
    assert_eq!(dying.ask("p", "GET", "ports", Value::Null).await.0, 503);

    pair.cluster.start(1);
    pair.cluster.until_synced(1);
    acknowledged.push(text(&dying.make("p", "ports", port.clone()).await, "/id").to_string());

    // Without the first node the second has no majority: it runs, and serves nothing.
    let asked = load();
    pair.cluster.kill(0);
    for asked in asked {
        let (made, (status, answer)) = asked.await.unwrap();
        assert_eq!(status, 503, "{answer}");
        acknowledged.extend(made);
    }
    for server in &pair.servers {
        let answer = server.ask("p", "POST", "ports", port.clone()).await;
        assert_eq!(answer.0, 503, "{}", answer.1);
        let answer = server.ask("p", "GET", "ports", Value::Null).await;
        assert_eq!(answer.0, 503, "{}", answer.1);
    }
    pair.cluster.start(0);
    for node in 0..2 {
        pair.cluster.until_synced(node);
    }
    for server in &pair.servers {
        acknowledged.push(text(&server.make("p", "ports", port.clone()).await, "/id").to_string());
    }
    for server in &pair.servers {
        let ports = server.list("p", "ports").await;
        let there: BTreeSet<&str> = ports.iter().map(|port| text(port, "/id")).collect();
        let lost: Vec<&String> = acknowledged.iter().filter(|id| !there.contains(id.as_str())).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}
