//! The Open vSwitch driver on real switches with their userspace datapath, with packets.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use agent::l2::L2Config;
use agent::l2::linuxbridge::Wired;
use agent::l2::openvswitch::{OpenVswitch, OvsConfig};
use agent::l2::view::{FdbTable, View};
use serde_json::{Value, json};

use crate::l2lab::Lab;

use lab::switch::{Switch, datapath_type, with_a_switch};

/// The driver's view and the driver, as the agent keeps them.
pub struct Host {
    pub switch: Switch,
    config: OvsConfig,
    pub driver: Option<OpenVswitch>,
    pub view: View,
}

impl Host {
    pub async fn new(switch: Switch, more: &str) -> Host {
        let (folder, datapath) = (switch.folder.display(), datapath_type());
        let text = format!(
            "[ovs]\ndatapath_type = {datapath}\novsdb_connection = unix:{folder}/db.sock\novsdb_timeout = 20\n{more}"
        );
        let config = OvsConfig::load(&oslo::config::Config::parse("test.ini", &text), "h1").unwrap();
        let mut host = Host { switch, config, driver: None, view: View::default() };
        host.restart().await;
        host
    }

    /// A new agent finds what the last one left.
    pub async fn restart(&mut self) {
        self.driver = None;
        let config = self.config.clone();
        let open = tokio::task::spawn_blocking(move || OpenVswitch::open(config, &host::Netns::host()));
        self.driver = Some(open.await.unwrap().unwrap());
    }

    pub async fn apply(&mut self) -> Wired {
        let (mut driver, mut view) = (self.driver.take().unwrap(), std::mem::take(&mut self.view));
        let work = move || {
            let wired = driver.apply(&mut view, &[]).unwrap();
            (driver, view, wired)
        };
        let (driver, view, wired) = tokio::task::spawn_blocking(work).await.unwrap();
        (self.driver, self.view) = (Some(driver), view);
        wired
    }

    /// An instance with a veth pair into a namespace of its own, plugged as Nova does.
    pub fn boot(&self, name: &str, n: u8) {
        self.switch.sh(&format!(
            "ip netns add {name}; ip link add tap{name} type veth peer name eth0 netns {name}; \
             ip link set tap{name} up; ip -n {name} link set lo up; \
             ip -n {name} link set eth0 address {mac} mtu 1400; ip -n {name} addr add 10.1.0.{n}/24 dev eth0; \
             ip -n {name} link set eth0 up; \
             ovs-vsctl add-port br-int tap{name} -- set interface tap{name} external_ids:iface-id={id} \
             external_ids:attached-mac={mac}",
            mac = mac(n),
            id = port_id(n),
        ));
    }

    /// A port of a network as the server tells of it.
    pub fn wire(&mut self, n: u8, network: &str, more: &Value) {
        let mut details = json!({
            "device": port_id(n), "port_id": port_id(n), "network_id": network, "mac_address": mac(n),
            "admin_state_up": true, "network_type": "local", "device_owner": "compute:nova",
            "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.1.0.{n}")}],
        });
        details.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.view.ports.insert(port_id(n), serde_json::from_value(details).unwrap());
    }

    pub fn pings(&self, name: &str, n: u8) -> bool {
        let command =
            format!("ip netns exec {name} ping -c1 -W1 10.1.0.{n} >/dev/null && echo yes || echo no");
        self.switch.sh(&command) == "yes"
    }

    /// Pings until it works: the first packets may be lost while the switch learns.
    pub fn reaches(&self, name: &str, n: u8) {
        assert!((0..10).any(|_| self.pings(name, n)), "{name} does not reach 10.1.0.{n}\n{}", self.dump());
    }

    /// The same with passes in between, as the agent makes them when the switch's database changes: numbers
    /// of ports may be new.
    async fn comes_to_reach(&mut self, name: &str, n: u8) {
        for _ in 0..10 {
            if self.pings(name, n) {
                return;
            }
            self.apply().await;
        }
        panic!("{name} does not come to reach 10.1.0.{n}\n{}", self.dump());
    }

    pub fn flows(&self, bridge: &str) -> String {
        self.switch.sh(&format!("ovs-ofctl -O OpenFlow14 --no-names --no-stats dump-flows {bridge}"))
    }

    pub fn dump(&self) -> String {
        let bridges = self.switch.sh("ovs-vsctl list-br");
        let shown = self.switch.sh("ovs-vsctl show");
        bridges.lines().map(|bridge| format!("{bridge}:\n{}\n", self.flows(bridge))).collect::<String>()
            + &shown
    }
}

pub fn mac(n: u8) -> String {
    format!("fa:16:3e:00:00:{n:02x}")
}

pub fn port_id(n: u8) -> String {
    format!("a00000{n:02x}-0000-0000-0000-000000000000")
}

#[test]
fn ports_of_one_network_meet_and_networks_do_not() {
    with_a_switch("agent-local", |switch: Switch| async move {
        let mut host = Host::new(switch, "").await;
        host.apply().await;
        for n in 1..=4 {
            host.boot(&format!("vm{n}"), n);
        }
        for (n, network) in [(1, "red"), (2, "red"), (3, "blue")] {
            host.wire(n, network, &json!({}));
        }
        assert_eq!(host.apply().await, Wired::default());
        host.comes_to_reach("vm1", 2).await;
        assert!(!host.pings("vm1", 3), "networks are apart");
        assert!(!host.pings("vm4", 1) && !host.pings("vm4", 3), "a port nobody told of is on no network");
        let before = (host.flows("br-int"), host.switch.sh("ovs-vsctl list port"));
        // Neither a second pass nor a new agent changes anything.
        host.apply().await;
        host.restart().await;
        host.apply().await;
        assert_eq!(before, (host.flows("br-int"), host.switch.sh("ovs-vsctl list port")));
        // A port that is down.
        host.wire(2, "red", &json!({"admin_state_up": false}));
        host.apply().await;
        assert!(!host.pings("vm1", 2), "a port that is down hears nothing");
        host.wire(2, "red", &json!({}));
        host.apply().await;
        host.reaches("vm1", 2);
    });
}

#[test]
fn ports_say_only_what_is_theirs() {
    with_a_switch("agent-spoof", |switch: Switch| async move {
        let mut host = Host::new(switch, "").await;
        host.apply().await;
        for n in 1..=2 {
            host.boot(&format!("vm{n}"), n);
            host.wire(n, "red", &json!({}));
        }
        host.apply().await;
        host.comes_to_reach("vm1", 2).await;
        // An address that is not its own: nobody believes its ARP.
        host.switch.sh("ip -n vm1 addr add 10.1.0.99/24 dev eth0; ip -n vm2 neigh flush all");
        assert!(!host.pings("vm2", 99));
        // Nor its frames with another hardware address.
        host.switch.sh("ip -n vm1 link set eth0 address fa:16:3e:00:00:77; ip -n vm2 neigh flush all");
        assert!(!host.pings("vm1", 2));
        // Unless it may.
        let pairs = json!({"allowed_address_pairs": [
            {"mac_address": "fa:16:3e:00:00:77", "ip_address": "10.1.0.99"}]});
        host.wire(1, "red", &pairs);
        host.apply().await;
        host.switch.sh("ip -n vm1 addr flush dev eth0; ip -n vm1 addr add 10.1.0.99/24 dev eth0");
        host.reaches("vm2", 99);
    });
}

#[test]
fn what_others_change_is_repaired() {
    with_a_switch("agent-repair", |switch: Switch| async move {
        let mut host =
            Host::new(switch, "[agent]\ntunnel_types = gre, vxlan\n[ovs]\nlocal_ip = 10.9.0.1\n").await;
        host.view.tunnels.insert("gre".into(), BTreeSet::from(["10.9.0.2".parse().unwrap()]));
        host.apply().await;
        host.boot("vm1", 1);
        host.boot("vm2", 2);
        for n in 1..=2 {
            host.wire(n, "red", &json!({"network_type": "gre", "segmentation_id": 7}));
        }
        host.apply().await;
        host.comes_to_reach("vm1", 2).await;
        let tunnels = "ovs-vsctl list-ports br-tun";
        assert_eq!(host.switch.sh(tunnels), "gre-0a090002\npatch-int");
        let before = (host.flows("br-int"), host.flows("br-tun"));
        // Upstream's agent sets a controller where it takes over, and this one leaves it.
        let theirs =
            "for bridge in br-int br-tun; do ovs-vsctl set-controller $bridge tcp:127.0.0.1:6633; done";
        host.switch.sh(theirs);
        assert_eq!(before, (host.flows("br-int"), host.flows("br-tun")));
        host.apply().await;
        assert_eq!(host.switch.sh("ovs-vsctl get-controller br-int"), "tcp:127.0.0.1:6633");
        // A bridge that loses it has lost its flows, and gets both back.
        host.switch.sh("ovs-vsctl del-controller br-int");
        host.apply().await;
        assert_eq!(before.0, host.flows("br-int"));
        assert_eq!(host.switch.sh("ovs-vsctl get-controller br-int"), "unix:neutron-openvswitch-agent.none");
        // A flow gone, one changed, one of another agent, a tag changed, a patch torn.
        host.switch.sh(
            "ovs-ofctl -O OpenFlow14 del-flows br-int table=60; ovs-ofctl -O OpenFlow14 del-flows br-tun; \
             ovs-ofctl -O OpenFlow14 add-flow br-int cookie=0x1234,table=24,priority=7,in_port=9,actions=drop; \
             ovs-vsctl set port tapvm2 tag=77 -- set interface patch-tun options:peer=nobody -- del-port gre-0a090002",
        );
        host.driver.as_mut().unwrap().forget();
        host.apply().await;
        host.comes_to_reach("vm1", 2).await;
        assert_eq!(host.switch.sh(tunnels), "gre-0a090002\npatch-int");
        host.apply().await;
        let strip = |text: &str| {
            text.lines().filter(|line| !line.contains("output:")).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(strip(&before.0), strip(&host.flows("br-int")));
        assert_eq!(before.1.lines().count(), host.flows("br-tun").lines().count());
        // Flows made by hand, without a cookie, are nobody's of ours.
        host.switch.sh("ovs-ofctl -O OpenFlow14 add-flow br-int table=99,actions=drop");
        host.driver.as_mut().unwrap().forget();
        host.apply().await;
        assert!(host.flows("br-int").contains("table=99"));
        // A switch that restarts has lost its flows; the next pass brings them back.
        let before = host.flows("br-int").lines().filter(|l| !l.contains("table=99")).count();
        host.switch.stop_vswitchd();
        host.switch.start_vswitchd();
        host.apply().await;
        assert_eq!(host.flows("br-int").lines().count(), before);
        host.comes_to_reach("vm1", 2).await;
        // A host that is no more.
        host.view.tunnels.clear();
        host.apply().await;
        assert_eq!(host.switch.sh(tunnels), "patch-int");
    });
}

#[test]
fn provider_networks_leave_by_their_bridge() {
    with_a_switch("agent-provider", |switch: Switch| async move {
        let datapath = datapath_type();
        switch.sh(&format!(
            "ovs-vsctl add-br br-eth1 -- set bridge br-eth1 datapath_type={datapath}; \
             ip netns add outside; ip link add eth1 type veth peer name eth0 netns outside; \
             ip link set eth1 up; ovs-vsctl add-port br-eth1 eth1; \
             ip -n outside link set eth0 up; ip -n outside addr add 10.1.0.50/24 dev eth0"
        ));
        let mut host = Host::new(switch, "bridge_mappings = physnet1:br-eth1\n").await;
        host.apply().await;
        for n in 1..=3 {
            host.boot(&format!("vm{n}"), n);
        }
        host.wire(1, "flat", &json!({"network_type": "flat", "physical_network": "physnet1"}));
        host.wire(
            2,
            "vlan",
            &json!({"network_type": "vlan", "physical_network": "physnet1", "segmentation_id": 101}),
        );
        host.wire(3, "none", &json!({"network_type": "flat", "physical_network": "elsewhere"}));
        let wired = host.apply().await;
        let words =
            "no bridge is mapped to physical network 'elsewhere' on this host ([ovs] bridge_mappings)";
        assert_eq!(wired.failed.get(&port_id(3)).map(String::as_str), Some(words));
        host.comes_to_reach("vm1", 50).await;
        assert!(!host.pings("vm2", 50), "a tagged network is not the untagged one");
        let tagged = host.switch.sh(
            "ip netns exec outside timeout 5 tcpdump -c1 -lenni eth0 'vlan 101 and arp' 2>/dev/null & sleep 1; \
             ip netns exec vm2 ping -c2 -W1 10.1.0.60 >/dev/null; wait",
        );
        assert!(tagged.contains("vlan 101") && tagged.contains(&mac(2)), "{tagged}\n{}", host.dump());
    });
}

/// Two hosts with an underlay between them: 10.9.0.1 and 10.9.0.2.
async fn two_hosts(switch: &Switch, more: &str) -> (Host, Host) {
    switch.sh("ip link add br0 type bridge; ip link set br0 up");
    let (mut hosts, datapath) = (Vec::new(), datapath_type());
    for n in [1, 2] {
        let switch = {
            let beside = switch.beside(&format!("h{n}"));
            switch.sh(&format!(
                "ip link add u{n} mtu 1600 type veth peer name eth0 mtu 1600 netns h{n}; ip link set u{n} master br0 up; \
                 ip -n h{n} link set eth0 up"
            ));
            beside
        };
        // Tunnels of the userspace datapath leave by the bridge that has their address.
        switch.sh(&format!(
            "ovs-vsctl add-br br-phy -- set bridge br-phy datapath_type={datapath} -- add-port br-phy eth0; \
             ip addr add 10.9.0.{n}/24 dev br-phy; ip link set br-phy up mtu 1600"
        ));
        hosts.push(Host::new(switch, &format!("local_ip = 10.9.0.{n}\n{more}")).await);
    }
    let second = hosts.pop().unwrap();
    (hosts.pop().unwrap(), second)
}

fn hosts_of_tunnels(host: &mut Host, kind: &str) {
    let both = ["10.9.0.1".parse().unwrap(), "10.9.0.2".parse().unwrap()];
    host.view.tunnels.insert(kind.into(), BTreeSet::from(both));
}

#[test]
fn networks_reach_other_hosts_through_tunnels() {
    with_a_switch("agent-tunnels", |switch: Switch| async move {
        let (mut one, mut two) = two_hosts(&switch, "[agent]\ntunnel_types = gre, vxlan, geneve\n").await;
        for kind in ["gre", "vxlan", "geneve"] {
            hosts_of_tunnels(&mut one, kind);
            hosts_of_tunnels(&mut two, kind);
        }
        one.apply().await;
        two.apply().await;
        // Another network first, so that local VLANs differ between the hosts.
        one.boot("vm9", 9);
        one.wire(9, "other", &json!({"network_type": "gre", "segmentation_id": 5}));
        one.apply().await;
        one.boot("vm1", 1);
        two.boot("vm2", 2);
        for kind in ["gre", "vxlan", "geneve"] {
            one.wire(1, "red", &json!({"network_type": kind, "segmentation_id": 100}));
            two.wire(2, "red", &json!({"network_type": kind, "segmentation_id": 100}));
            assert_eq!((one.apply().await, two.apply().await), (Wired::default(), Wired::default()));
            one.reaches("vm1", 2);
            assert!(!one.pings("vm9", 2), "networks are apart");
            assert!(one.flows("br-tun").contains("hard_timeout=300"), "where vm2 is was learnt");
        }
    });
}

/// With l2population the server says where everybody is: frames go to one host, and questions of ARP are answered
/// where they are asked.
#[test]
fn what_the_server_says_is_neither_flooded_nor_asked() {
    with_a_switch("agent-l2pop", |switch: Switch| async move {
        let more = "[agent]\ntunnel_types = vxlan\nl2_population = true\narp_responder = true\n";
        let (mut one, mut two) = two_hosts(&switch, more).await;
        let segment = json!({"network_type": "vxlan", "segmentation_id": 100});
        for (host, n) in [(&mut one, 1), (&mut two, 2)] {
            host.apply().await;
            host.boot(&format!("vm{n}"), n);
            host.wire(n, "red", &segment);
        }
        // Nobody floods: each host is told of the other's port, and of one that does not even run.
        for (host, there, ports) in [(&mut one, "10.9.0.2", [2, 77]), (&mut two, "10.9.0.1", [1, 78])] {
            let mut table = FdbTable::default();
            for n in ports {
                table.macs.insert(mac(n).parse().unwrap(), there.parse().unwrap());
                table.neighbours.insert(format!("10.1.0.{n}").parse().unwrap(), mac(n).parse().unwrap());
            }
            host.view.fdb.insert("red".into(), table);
            assert_eq!(host.apply().await, Wired::default());
            // The tunnel has its number now.
            host.apply().await;
        }
        assert!(
            !one.flows("br-tun").lines().any(|flow| flow.contains("table=22,") && flow.contains("output"))
        );
        one.reaches("vm1", 2);
        let asked = one.switch.sh("ip netns exec vm1 arping -c1 -w5 -I eth0 10.1.0.77");
        assert!(asked.to_lowercase().contains(&mac(77)), "{asked}\n{}", one.dump());
        // No longer said, no longer answered.
        one.view.fdb.insert("red".into(), FdbTable::default());
        one.apply().await;
        one.switch.sh("ip -n vm1 neigh flush all");
        assert!(!one.pings("vm1", 2));
        let asked = one.switch.sh("ip netns exec vm1 arping -c1 -w1 -I eth0 10.1.0.77 || true");
        assert!(!asked.to_lowercase().contains(&mac(77)), "{asked}");
    });
}

/// A port of a GRE network as the server's documents have it.
fn document(n: u8, network: &str) -> Value {
    json!({
        "port_id": port_id(n), "network_id": network, "mac_address": mac(n), "admin_state_up": true,
        "network_type": "gre", "segmentation_id": 100, "physical_network": null, "device_owner": "compute:nova",
        "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.1.0.{n}")}], "allowed_address_pairs": [],
        "port_security_enabled": true, "security_groups": [], "profile": {},
    })
}

/// The whole agent against a model server: tunnels from what hosts say of themselves, ports as they are
/// plugged, changed, deleted; a crash in between.
#[test]
fn the_agent_wires_what_the_server_says() {
    with_a_switch("agent-whole", |switch: Switch| async move {
        let (one, two) = two_hosts(&switch, "[agent]\ntunnel_types = gre\n").await;
        let cloud = Lab::new();
        let datapath = datapath_type();
        let text = |host: &Host, n: u8| {
            format!(
                "[ovs]\ndatapath_type = {datapath}\nlocal_ip = 10.9.0.{n}\novsdb_connection = unix:{}/db.sock\n\
                 ovsdb_timeout = 20\n[agent]\ntunnel_types = gre\npolling_interval = 1\n",
                host.switch.folder.display()
            )
        };
        let config = |host: &Host, n: u8| {
            let config = oslo::config::Config::parse("test.ini", &text(host, n));
            L2Config::load_openvswitch(&config, &format!("h{n}")).unwrap()
        };
        let start = |host: &Host, n: u8| cloud.run(config(host, n), host::Netns::host());
        let first = start(&one, 1);
        cloud
            .until("the first host's tunnels", |cloud| cloud.server.with(|c| c.tunnels.contains_key("gre")))
            .await;
        let _second = start(&two, 2);
        cloud.until("both hosts' tunnels", |cloud| cloud.server.with(|c| c.tunnels["gre"].len() == 2)).await;
        // As the server does when a host says what its end is.
        let end = json!({"tunnel_ip": "10.9.0.2", "tunnel_type": "gre"});
        cloud.cast("tunnel-update", "tunnel_update", end).await;
        for n in 1..=3 {
            cloud.server.with(|cloud| cloud.ports.insert(port_id(n), document(n, "red")));
        }
        one.boot("vm1", 1);
        two.boot("vm2", 2);
        two.boot("vm3", 3);
        for n in 1..=3 {
            cloud.up(&port_id(n)).await;
        }
        one.reaches("vm1", 2);
        one.reaches("vm1", 3);
        // Crashed, and started again while packets flow: none is lost.
        let flood = ["netns", "exec", "vm1", "ping", "-q", "-i", "0.02", "-c", "150", "-W1", "10.1.0.2"];
        let flood = Command::new("ip").args(flood).stdout(Stdio::piped()).spawn().unwrap();
        first.kill().await;
        cloud.server.with(|cloud| cloud.up.clear());
        let _again = start(&one, 1);
        cloud.up(&port_id(1)).await;
        let sent = tokio::task::spawn_blocking(|| flood.wait_with_output()).await.unwrap().unwrap();
        let sent = String::from_utf8_lossy(&sent.stdout);
        assert!(sent.contains("150 received"), "{sent}");
        // A port that is changed, and one that is deleted while its instance still runs.
        cloud.change(&port_id(2), "admin_state_up", json!(false)).await;
        cloud.server.with(|cloud| cloud.ports.remove(&port_id(3)));
        cloud.cast("port-delete", "port_delete", json!({"port_id": port_id(3)})).await;
        let dead = "ovs-vsctl get port tapvm2 tag; ovs-vsctl get port tapvm3 tag";
        cloud.until("dead ports", |_| two.switch.sh(dead) == "4095\n4095").await;
        assert!(!one.pings("vm1", 2) && !one.pings("vm1", 3));
        // The report tells the server what this host can bind.
        let report = cloud.server.with(|cloud| cloud.reports.first().cloned()).unwrap();
        assert_eq!(report["agent_type"], "Open vSwitch agent");
        assert_eq!(report["configurations"]["tunnel_types"], json!(["gre"]));
    });
}
