//! A host of another kernel among hosts of this one: user-mode-linux with the kernel's own Open vSwitch datapath and
//! 802.1Q, on the underlay of a namespace whose switch is in userspace. `make test-kernel` runs it; `cargo test` by
//! itself leaves it out. Called with the word `guest` it is the half that runs over there.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on ends")]
#![expect(clippy::print_stdout, reason = "without a harness a test says itself what it saw")]

#[path = "../it/l2lab.rs"]
#[expect(dead_code, reason = "the tests of the agents use more of it")]
mod l2lab;
#[path = "../it/ovs.rs"]
#[expect(dead_code, unused_imports, reason = "without a harness the tests in it are left out")]
mod ovs;

use std::collections::BTreeSet;
use std::process::{Command, ExitCode, Stdio};

use agent::l2::linuxbridge::Wired;
use lab::switch::{Switch, datapath_type, with_a_switch};
use serde_json::{Value, json};

use ovs::Host;

/// Networks and how they are carried; an instance on each side has a port of each.
const NETWORKS: [&str; 4] = ["gre", "vxlan", "geneve", "vlan"];
/// Packets of a ping while agents are started anew.
const PINGS: u32 = 400;

fn main() -> ExitCode {
    if std::env::args().nth(1).is_some_and(|word| word == "guest") {
        with_a_switch("uml-there", there);
    } else {
        lab::uml::fetch().unwrap();
        with_a_switch("uml-here", here);
    }
    ExitCode::SUCCESS
}

fn segment(kind: &str, id: u32) -> Value {
    let physical = if kind == "vlan" { json!("physnet1") } else { Value::Null };
    json!({"network_type": kind, "segmentation_id": id, "physical_network": physical})
}

/// A switch with `eth0` on its physical network's bridge, which has the address of tunnels, and an instance of each
/// network: 1, 3, 5 and 7 on the first host, 2, 4, 6 and 8 on the second.
async fn host(switch: Switch, number: u8) -> Host {
    let datapath = datapath_type();
    switch.sh(&format!(
        "ip link set eth0 up; ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type={datapath} -- add-port br-phy eth0; \
         ip addr add 10.9.0.{number}/24 dev br-phy; ip link set br-phy up"
    ));
    let more = format!(
        "local_ip = 10.9.0.{number}\nbridge_mappings = physnet1:br-phy\n[agent]\ntunnel_types = gre, vxlan, geneve\n"
    );
    let mut host = Host::new(switch, &more).await;
    let both = ["10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()];
    for kind in ["gre", "vxlan", "geneve"] {
        host.view.tunnels.insert(kind.into(), BTreeSet::from(both));
    }
    host.apply().await;
    for (n, kind) in (number..).step_by(2).zip(NETWORKS) {
        host.boot(&format!("vm{n}"), n);
        host.wire(n, kind, &segment(kind, 101));
    }
    assert_eq!(host.apply().await, Wired::default());
    // Ports have their numbers now.
    host.apply().await;
    host
}

/// The half on this kernel: an underlay, a host on it, and the way to the other.
async fn here(switch: Switch) {
    assert_eq!(datapath_type(), "netdev", "this half is for any kernel");
    switch.sh("ip link add br0 type bridge mcast_snooping 0; ip link set br0 up");
    let first = switch.beside("h1");
    switch.sh("ip link add u1 type veth peer name eth0 netns h1; ip link set u1 master br0 up; \
         ip tuntap add dev to-guest mode tap; ip link set to-guest master br0 up");
    let host = host(first, 1).await;
    let program = std::env::current_exe().unwrap();
    let guest = tokio::task::spawn_blocking(move || {
        let command = ["env", "LAB_DATAPATH=system", program.to_str().unwrap(), "guest"];
        lab::uml::run(Some("to-guest"), &command).unwrap()
    });
    let outcome = guest.await.unwrap();
    assert_eq!(format!("{outcome:?}"), format!("{:?}", ExitCode::SUCCESS), "{}", host.dump());
}

/// The half in the guest: every network reaches the other host, none reaches another, and agents that are started anew
/// lose no packet.
async fn there(switch: Switch) {
    switch.sh("nsenter --net=/proc/1/ns/net ip link set eth0 netns $$");
    let mut host = host(switch, 2).await;
    for (n, kind) in (1..).step_by(2).zip(NETWORKS) {
        host.reaches(&format!("vm{}", n + 1), n);
        println!("{kind}: vm{} of the guest reaches vm{n} of this machine", n + 1);
    }
    for (from, to) in [(2, 3), (4, 1), (6, 7), (8, 1)] {
        assert!(!host.pings(&format!("vm{from}"), to), "networks are apart: vm{from} reaches vm{to}");
    }
    let floods: Vec<_> = (1..).step_by(2).zip(NETWORKS).map(|(n, kind)| (kind, flood(n + 1, n))).collect();
    let (before, tunnels) = (host.flows("br-int"), host.flows("br-tun"));
    for _ in 0..5 {
        host.restart().await;
        host.apply().await;
    }
    for (kind, flood) in floods {
        let said = tokio::task::spawn_blocking(|| flood.wait_with_output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&format!("{PINGS} received")), "{kind}: {said}");
        println!("{kind}: {PINGS} of {PINGS} packets came back while agents were started anew");
    }
    let learnt = |text: &str| {
        text.lines().filter(|l| !l.contains("hard_timeout")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!((before, learnt(&tunnels)), (host.flows("br-int"), learnt(&host.flows("br-tun"))));
}

fn flood(from: u8, to: u8) -> std::process::Child {
    let count = PINGS.to_string();
    let (from, to) = (format!("vm{from}"), format!("10.1.0.{to}"));
    let words = ["netns", "exec", &from, "ping", "-q", "-i", "0.02", "-c", &count, "-W", "5", &to];
    Command::new("ip").args(words).stdout(Stdio::piped()).spawn().unwrap()
}
