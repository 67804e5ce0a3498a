//! What only a kernel with 802.1Q can show. `make test-kernel` runs it in a guest that has one; `cargo test` by itself
//! leaves it out.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[path = "../it/l2lab.rs"]
#[expect(dead_code, reason = "the other tests of the Linux bridge agent use more of it")]
mod l2lab;

use std::process::{Command, Stdio};

use l2lab::{Host, Instance, Lab, port, underlay};
use serde_json::{Value, json};

const PHYSICAL: &str =
    "[vxlan]\nenable_vxlan = false\n[linux_bridge]\nphysical_interface_mappings = physnet1:eth0\n";

/// A port of a VLAN network.
fn tagged(network: u8, n: u8) -> Value {
    let mut port = port(network, n);
    port["network_type"] = json!("vlan");
    port["physical_network"] = json!("physnet1");
    port["mtu"] = json!(1500);
    port
}

/// An untagged port of the physical network.
fn untagged(network: u8, n: u8) -> Value {
    let mut port = tagged(network, n);
    port["network_type"] = json!("flat");
    port["segmentation_id"] = Value::Null;
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn vlan_networks_of_linux_bridge_meet_across_hosts_and_stay_apart() {
    let (lab, h1, h2) = (Lab::new(), Host::new("h1"), Host::new("h2"));
    let _underlay = underlay(&[&h1, &h2]);
    let agents = [lab.start(&h1, PHYSICAL).await, lab.start(&h2, PHYSICAL).await];
    let a = Instance::boot(&lab.server, &h1, &tagged(1, 1));
    let b = Instance::boot(&lab.server, &h2, &tagged(1, 2));
    let other = Instance::boot(&lab.server, &h2, &tagged(2, 3));
    let flat = Instance::boot(&lab.server, &h2, &untagged(3, 4));
    for instance in [&a, &b, &other, &flat] {
        lab.up(&instance.tap()).await;
    }
    lab.members_changed().await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    assert!(!a.reaches(&other.ip), "another tag is another network");
    assert!(!a.reaches(&flat.ip), "no tag is another network");
    assert_eq!(h1.link("eth0.101").unwrap().mtu, 1500);
    assert!(h2.link("eth0.101").is_some() && h2.link("eth0.102").is_some());
    // Seen from the wire: frames of a carry its network's tag.
    let filter = format!("vlan 101 and ether src {}", a.mac());
    let capture = h2.ns.run(|| {
        let words = ["10", "tcpdump", "-c1", "-lenni", "eth0", &filter];
        Command::new("timeout").args(words).stdout(Stdio::piped()).spawn().unwrap()
    });
    // tcpdump may begin to listen after the first of them.
    (0..5).for_each(|_| assert!(a.reaches(&b.ip)));
    let capture = capture.unwrap().wait_with_output().unwrap();
    let capture = String::from_utf8(capture.stdout).unwrap();
    assert!(capture.contains("vlan 101"), "{capture}");
    for agent in agents {
        agent.kill().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vlan_device_goes_with_the_last_port_of_its_network() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, PHYSICAL).await;
    let a = Instance::boot(&lab.server, &host, &tagged(1, 1));
    lab.up(&a.tap()).await;
    assert!(host.link("eth0.101").is_some());
    host.run("ip", &["link", "del", &a.tap()]);
    lab.server.with(|cloud| cloud.ports.clear());
    let gone = json!({"port_id": a.port});
    lab.cast("port-delete", "port_delete", gone).await;
    let network = json!({"network_id": l2lab::network_id(1)});
    lab.cast("network-delete", "network_delete", network).await;
    lab.until("the device is gone", |_| host.link("eth0.101").is_none()).await;
    agent.kill().await;
}
