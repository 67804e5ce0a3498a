//! `explicitly_egress_direct` on a real switch: upstream's flows, and packets that pass by them.

use std::collections::BTreeSet;

use agent::l2::linuxbridge::Wired;
use lab::switch::{Switch, datapath_type, with_a_switch};
use model::names;
use serde_json::{Value, json};

use crate::ovs::{Host, mac, port_id};

/// Flows of upstream's agent for the same ports; `captured/direct.py` made them.
const FILTERED: &str = include_str!("../captured/direct-openvswitch.txt");
const PLAIN: &str = include_str!("../captured/direct-noop.txt");

/// Instances on a network in tunnels, one with a tag and one without, and a host outside of the last.
async fn site(switch: Switch, firewall: &str) -> Host {
    let datapath = datapath_type();
    switch.sh(&format!(
        "ovs-vsctl add-br br-ex -- set bridge br-ex datapath_type={datapath}; \
         ip netns add outside; ip link add eth1 type veth peer name eth0 netns outside; \
         ip link set eth1 up; ovs-vsctl add-port br-ex eth1; \
         ip -n outside link set eth0 up; ip -n outside addr add 10.1.0.50/24 dev eth0"
    ));
    let more = format!(
        "local_ip = 10.9.0.1\nbridge_mappings = physnet1:br-ex\n[agent]\ntunnel_types = vxlan\n\
         explicitly_egress_direct = true\n[securitygroup]\nfirewall_driver = {firewall}\n"
    );
    let mut host = Host::new(switch, &more).await;
    host.apply().await;
    let networks = [
        json!({"network_type": "vxlan", "segmentation_id": 100}),
        json!({"network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 101}),
        json!({"network_type": "flat", "physical_network": "physnet1"}),
    ];
    for (n, network) in (1..).zip(&networks) {
        plug(&mut host, n, &format!("net{n}"), network).await;
    }
    host
}

/// One that is filtered where the firewall does that; its group lets everything pass.
async fn plug(host: &mut Host, n: u8, network: &str, segment: &Value) {
    host.boot(&format!("vm{n}"), n);
    host.wire(n, network, segment);
    let rules = ["ingress", "egress"].map(|direction| json!({"direction": direction, "ethertype": "IPv4"}));
    let security = &mut host.view.security;
    security.groups = serde_json::from_value(json!({"all": rules})).unwrap();
    let port = json!({
        "device": port_id(n), "network_id": network, "mac_address": mac(n), "device_owner": "compute:nova",
        "fixed_ips": [format!("10.1.0.{n}")], "security_groups": ["all"], "port_security_enabled": true,
        "security_group_rules": [],
    });
    security.ports.insert(port_id(n), serde_json::from_value(port).unwrap());
    assert_eq!(host.apply().await, Wired::default());
    // The port's number is known by now.
    host.apply().await;
}

/// Flows without whose they are and how they go on.
fn essence(flows: &str) -> BTreeSet<String> {
    let plain = |line: &str| {
        let line = line.trim_start().split_once(", ").map_or(line, |(_, rest)| rest);
        line.replace("goto_table:", "resubmit(,").replace(')', "")
    };
    flows.lines().filter(|line| line.contains("table=")).map(plain).collect()
}

async fn as_upstream(host: &Host, upstream: &str, ours: &[&str]) {
    let number = |bridge: &str, port: &str| {
        host.switch.sh(&format!(
            "ovs-ofctl -O OpenFlow14 show {bridge} | sed -n 's/^ *\\([0-9]*\\)({port}).*/\\1/p'"
        ))
    };
    let mut text = upstream.to_owned();
    for n in 1..=3 {
        text = text.replace(&(41376 + n).to_string(), &number("br-int", &format!("tapvm{n}")));
    }
    let patches = [("41400", "patch-tun".to_owned()), ("41401", names::integration_patch("br-ex"))];
    for (said, patch) in patches {
        text = text.replace(said, &number("br-int", &patch));
    }
    std::fs::write(host.switch.folder.join("theirs.flows"), text).unwrap();
    let datapath = datapath_type();
    host.switch.sh(&format!(
        "ovs-vsctl add-br theirs -- set bridge theirs datapath_type={datapath} protocols=OpenFlow10,OpenFlow14 && \
         ovs-ofctl -O OpenFlow14 del-flows theirs && ovs-ofctl -O OpenFlow14 add-flows theirs theirs.flows"
    ));
    let installed = host.flows("br-int");
    let installed: String = installed
        .lines()
        .filter(|line| ours.iter().any(|place| line.contains(place)))
        .map(|line| format!("{line}\n"))
        .collect();
    let (wanted, there) = (essence(&host.flows("theirs")), essence(&installed));
    assert_eq!(wanted, there);
    host.switch.sh("ovs-vsctl del-br theirs");
}

async fn packets_pass(host: &mut Host) {
    plug(host, 4, "net1", &json!({"network_type": "vxlan", "segmentation_id": 100})).await;
    host.reaches("vm1", 4);
    host.reaches("vm3", 50);
    assert!(!host.pings("vm1", 2) && !host.pings("vm2", 50), "networks are apart");
    // Nor does anybody look at what the switch learnt.
    let answer = format!(
        "in_port=tapvm1,arp,dl_src={},dl_dst={},arp_op=2,arp_spa=10.1.0.1,arp_tpa=10.1.0.4",
        mac(1),
        mac(4)
    );
    let traced = host.switch.sh(&format!("ovs-appctl ofproto/trace br-int {answer}"));
    assert!(traced.contains("output:") && !traced.contains("NORMAL"), "{traced}");
}

#[test]
fn filtered_frames_to_one_address_are_led_as_upstream_does() {
    with_a_switch("direct-filter", |switch: Switch| async move {
        let mut host = site(switch, "openvswitch").await;
        let places = [
            "table=60, priority=2 ",
            "table=71, priority=110,",
            "table=94, priority=12,",
            "table=94, priority=10,",
        ];
        as_upstream(&host, FILTERED, &places).await;
        packets_pass(&mut host).await;
    });
}

#[test]
fn frames_to_one_address_are_led_as_upstream_does() {
    with_a_switch("direct-noop", |switch: Switch| async move {
        let mut host = site(switch, "noop").await;
        let places =
            ["table=60, priority=4,", "table=60, priority=9,", "table=61,", "table=62, priority=10,"];
        as_upstream(&host, PLAIN, &places).await;
        packets_pass(&mut host).await;
    });
}
