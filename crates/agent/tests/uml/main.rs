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
use std::time::{Duration, Instant};

use agent::l2::linuxbridge::Wired;
use agent::l2::openvswitch::{OpenVswitch, OvsConfig};
use agent::l2::view::View;
use lab::switch::{Switch, datapath_type, with_a_switch};
use serde_json::{Value, json};

use ovs::{Host, mac, port_id};

/// Networks and how they are carried; an instance on each side has a port of each.
const NETWORKS: [&str; 4] = ["gre", "vxlan", "geneve", "vlan"];
/// Agents that are killed, each a tenth of a second later in its work than the one before.
const KILLS: u64 = 10;
/// Packets of a ping meanwhile.
const PINGS: u32 = 500;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["guest"] => with_a_switch("uml-there", there),
        ["agent", folder] => agent(folder),
        _ => {
            lab::uml::fetch().unwrap();
            with_a_switch("uml-here", here);
        }
    }
    ExitCode::SUCCESS
}

/// What the server says to a host: a port of each network, 1, 3, 5 and 7 on the first host, 2, 4, 6 and 8 on the second.
fn view(number: u8) -> View {
    let mut view = View::default();
    let both = ["10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()];
    for kind in ["gre", "vxlan", "geneve"] {
        view.tunnels.insert(kind.into(), BTreeSet::from(both));
    }
    for (n, kind) in (number..).step_by(2).zip(NETWORKS) {
        let physical = if kind == "vlan" { json!("physnet1") } else { Value::Null };
        let details = json!({
            "device": port_id(n), "port_id": port_id(n), "network_id": kind, "mac_address": mac(n),
            "admin_state_up": true, "network_type": kind, "segmentation_id": 101, "physical_network": physical,
            "device_owner": "compute:nova", "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.1.0.{n}")}],
        });
        view.ports.insert(port_id(n), serde_json::from_value(details).unwrap());
    }
    view
}

fn options(number: u8) -> String {
    format!(
        "local_ip = 10.9.0.{number}\nbridge_mappings = physnet1:br-phy\n[agent]\ntunnel_types = gre, vxlan, geneve\n"
    )
}

/// A switch with `eth0` on its physical network's bridge, which has the address of tunnels, and its instances.
async fn host(switch: Switch, number: u8) -> Host {
    let datapath = datapath_type();
    switch.sh(&format!(
        "ip link set eth0 up; ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type={datapath} -- add-port br-phy eth0; \
         ip addr add 10.9.0.{number}/24 dev br-phy; ip link set br-phy up"
    ));
    let mut host = Host::new(switch, &options(number)).await;
    host.apply().await;
    for n in (number..).step_by(2).take(NETWORKS.len()) {
        host.boot(&format!("vm{n}"), n);
    }
    host.view = view(number);
    assert_eq!(host.apply().await, Wired::default());
    // Ports have their numbers now.
    host.apply().await;
    host
}

/// The second host's agent as a process of its own: looks at everything again and again, until it is killed.
fn agent(folder: &str) {
    let text = format!(
        "[ovs]\ndatapath_type = {}\novsdb_connection = unix:{folder}/db.sock\novsdb_timeout = 20\n{}",
        datapath_type(),
        options(2)
    );
    let config = OvsConfig::load(&oslo::config::Config::parse("test.ini", &text), "h1").unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let work = move || {
        let mut driver = OpenVswitch::open(config, &host::Netns::host()).unwrap();
        let mut view = view(2);
        loop {
            driver.forget();
            assert_eq!(driver.apply(&mut view, &[]).unwrap(), Wired::default());
        }
    };
    runtime.block_on(async { tokio::task::spawn_blocking(work).await.unwrap() });
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

/// The half in the guest: every network reaches the other host, none reaches another, and agents that are killed in the
/// middle of their work lose no packet and change no flow.
async fn there(switch: Switch) {
    switch.sh("nsenter --net=/proc/1/ns/net ip link set eth0 netns $$");
    let host = host(switch, 2).await;
    for (n, kind) in (1..).step_by(2).zip(NETWORKS) {
        host.reaches(&format!("vm{}", n + 1), n);
        println!("{kind}: vm{} of the guest reaches vm{n} of this machine", n + 1);
    }
    for (from, to) in [(2, 3), (4, 1), (6, 7), (8, 1)] {
        assert!(!host.pings(&format!("vm{from}"), to), "networks are apart: vm{from} reaches vm{to}");
    }
    let floods: Vec<_> = (1..).step_by(2).zip(NETWORKS).map(|(n, kind)| (kind, flood(n + 1, n))).collect();
    let (before, start) = ((flows(&host, "br-int"), flows(&host, "br-tun")), Instant::now());
    let program = std::env::current_exe().unwrap();
    for tenths in 0..KILLS {
        let mut agent = Command::new(&program).arg("agent").arg(&host.switch.folder).spawn().unwrap();
        tokio::time::sleep(Duration::from_millis(50 + 100 * tenths)).await;
        assert_eq!(agent.try_wait().unwrap(), None, "it works until it is killed");
        agent.kill().unwrap();
        agent.wait().unwrap();
    }
    for (kind, flood) in floods {
        let said = tokio::task::spawn_blocking(|| flood.wait_with_output()).await.unwrap().unwrap();
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        assert!(said.contains(&format!("{PINGS} received")), "{kind}: {said}");
        println!("{kind}: {PINGS} of {PINGS} packets came back while {KILLS} agents were killed");
    }
    assert_eq!(before, (flows(&host, "br-int"), flows(&host, "br-tun")));
    // Nor was one of them made anew.
    let age = start.elapsed().as_secs_f64();
    let ages =
        host.switch.sh("for b in br-int br-tun br-phy; do ovs-ofctl -O OpenFlow14 dump-flows $b; done");
    let lasting = || ages.lines().filter(|line| line.contains("duration=") && !line.contains("hard_timeout"));
    assert!(lasting().count() > before.0.len(), "{ages}");
    for line in lasting() {
        let duration = line.split("duration=").nth(1).and_then(|rest| rest.split('s').next()).unwrap();
        assert!(duration.parse::<f64>().unwrap() >= age, "younger than {age} s: {line}");
    }
}

/// Flows but those that were learnt from packets.
fn flows(host: &Host, bridge: &str) -> Vec<String> {
    host.flows(bridge).lines().filter(|line| !line.contains("hard_timeout")).map(str::to_owned).collect()
}

fn flood(from: u8, to: u8) -> std::process::Child {
    let count = PINGS.to_string();
    let (from, to) = (format!("vm{from}"), format!("10.1.0.{to}"));
    let words = ["netns", "exec", &from, "ping", "-q", "-i", "0.02", "-c", &count, "-W", "5", &to];
    Command::new("ip").args(words).stdout(Stdio::piped()).spawn().unwrap()
}
