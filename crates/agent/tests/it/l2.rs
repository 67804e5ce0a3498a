//! The L2 agent on real bridges, with real packets.

use std::time::{Duration, Instant};

use host::exec;
use model::names;
use serde_json::json;

use crate::l2lab::{Host, Instance, Lab, config, network_id, port, tunnels, underlay};

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_one_host_reach_each_other_by_their_group_only() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    let b = Instance::boot(&lab.server, &host, &port(1, 2));
    let mut outsider = port(1, 3);
    outsider["security_groups"] = json!(["other"]);
    lab.server.with(|cloud| {
        cloud.groups.insert("other".into(), vec![json!({"direction": "egress", "ethertype": "IPv4"})])
    });
    let c = Instance::boot(&lab.server, &host, &outsider);
    for instance in [&a, &b, &c] {
        lab.up(&instance.tap()).await;
    }
    assert_eq!(host.link("vxlan-101").unwrap().mtu, 1450);
    assert_eq!(host.link(&a.tap()).unwrap().mtu, 1450);
    lab.cast(
        "security_group-update",
        "security_groups_member_updated",
        json!({"security_groups": ["default"]}),
    )
    .await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    assert!(!c.reaches(&a.ip), "the default group lets only its members in");
    assert!(!a.reaches(&c.ip), "a group without ingress rules lets nobody in");
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugged_port_is_active_quickly() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    for n in 1..=3 {
        let start = Instant::now();
        let instance = Instance::boot(&lab.server, &host, &port(1, n));
        lab.up(&instance.tap()).await;
        println!("plugged to up: {:?}", start.elapsed());
    }
    agent.kill().await;
}
