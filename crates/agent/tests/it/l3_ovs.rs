//! The L3 agent on a real Open vSwitch with its userspace datapath: internal ports, gateways on a bridge of their
//! own, and what becomes of them when agent or switch are started anew.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use agent::l3::options::Options;
use lab::switch::{Switch, datapath_type, with_a_switch};
use oslo::config::Config;
use rpc::Transport;
use serde_json::{Value, json};

use crate::l3::{NAMESPACE, ROUTER, interface};
use crate::machine::{Agent, until};
use crate::server::Server;

fn router() -> Value {
    json!({"id": ROUTER, "admin_state_up": true, "enable_snat": true, "routes": [], "distributed": false,
        "ha": false, "_floatingips": [],
        "gw_port": interface("eeeeeeee", "fa:16:3e:00:00:e0", "203.0.113.0/24", "203.0.113.250", None),
        "_interfaces": [interface("11111111", "fa:16:3e:00:00:a1", "192.168.1.0/24", "192.168.1.1", None)]})
}

struct Cloud {
    switch: Switch,
    transport: Transport,
    server: Arc<Server>,
    _listeners: Vec<rpc::Listener>,
}

impl Cloud {
    /// An instance on the integration bridge, a host outside on br-ex.
    fn new(switch: Switch) -> Cloud {
        let transport = Transport::memory();
        let (server, listeners) = Server::start(&transport);
        server.put_router(router());
        let datapath = datapath_type();
        for (bridge, name, address) in [("br-int", "vm1", "192.168.1.181"), ("br-ex", "out", "203.0.113.1")] {
            switch.sh(&format!(
                "ovs-vsctl add-br {bridge} -- set bridge {bridge} datapath_type={datapath} && ip netns add {name} && \
                 ip link add p-{name} type veth peer name eth0 netns {name} && ip link set p-{name} up && \
                 ip -n {name} addr add {address}/24 dev eth0 && ip -n {name} link set lo up && \
                 ip -n {name} link set eth0 up && ovs-vsctl add-port {bridge} p-{name}"
            ));
        }
        switch.sh("ip -n vm1 route add default via 192.168.1.1");
        Cloud { switch, transport, server, _listeners: listeners }
    }

    fn start_agent(&self, more: &str) -> Agent {
        let folder = self.switch.folder.display();
        let text = format!(
            "[DEFAULT]\nstate_path = {folder}\ninterface_driver = openvswitch\nexternal_network_bridge = br-ex\n\
             {more}\n[ovs]\novsdb_connection = unix:{folder}/db.sock\novsdb_timeout = 20\n"
        );
        let mut options = Options::load(&Config::parse("l3_agent.ini", &text), "net1").unwrap();
        // What becomes of ports is seen by itself, not by looking now and then.
        options.resync_interval = Duration::from_secs(3600);
        let transport = self.transport.clone();
        Agent::start(async move { agent::l3::run(options, &transport).await.unwrap() })
    }

    /// What the Open vSwitch agent does, once the port is there.
    async fn wire(&self, port: &str) {
        until("the port is there", || self.try_sh(&format!("ovs-vsctl get port {port} tag"))).await;
        assert_eq!(self.switch.sh(&format!("ovs-vsctl get port {port} tag trunks")), "4095\n[4095]");
        self.switch.sh(&format!("ovs-vsctl clear port {port} tag vlan_mode trunks"));
    }

    fn try_sh(&self, line: &str) -> Option<String> {
        let said = self.switch.sh(&format!("{line} 2>/dev/null || echo in vain"));
        (!said.ends_with("in vain")).then_some(said)
    }

    async fn until_ping(&self) {
        until("vm1 reaches the outside", || self.try_sh("ip netns exec vm1 ping -c1 -W1 203.0.113.1")).await;
    }

    /// Devices and ports; what the switch counts is left out.
    fn shown(&self) -> String {
        self.switch.sh(&format!(
            "ip -n {NAMESPACE} -o link | grep -v 'lo:'; ip -n {NAMESPACE} -o addr | sed 's/tentative *//; s/valid_lft.*//'; \
             ip -n {NAMESPACE} route; ovs-vsctl --columns=_uuid,name,type,external_ids list interface; \
             ovs-vsctl --columns=_uuid,name,tag list port"
        ))
    }
}

/// What a program in the router's namespace says to vm1 by TCP.
async fn hello_by_tcp() -> String {
    let of = |name: &str| host::Netns::open(name).unwrap();
    let bound = of(NAMESPACE).run(|| TcpListener::bind("192.168.1.1:8775").unwrap()).unwrap();
    let server = std::thread::spawn(move || bound.accept().unwrap().0.write_all(b"hello").unwrap());
    let client = move || {
        let to = "192.168.1.1:8775".parse().unwrap();
        let mut stream = TcpStream::connect_timeout(&to, Duration::from_secs(20)).unwrap();
        let mut said = String::new();
        stream.read_to_string(&mut said).unwrap();
        said
    };
    let said = tokio::task::spawn_blocking(move || of("vm1").run(client).unwrap()).await.unwrap();
    server.join().unwrap();
    said
}

#[test]
fn routers_have_internal_ports_and_keep_them() {
    with_a_switch("agent-l3", |switch: Switch| async move {
        let mut cloud = Cloud::new(switch);
        let agent = cloud.start_agent("");
        cloud.wire("qr-11111111-6c").await;
        cloud.until_ping().await;
        let bridge_of = |port: &str| cloud.switch.sh(&format!("ovs-vsctl port-to-br {port}"));
        assert_eq!(bridge_of("qr-11111111-6c"), "br-int");
        assert_eq!(bridge_of("qg-eeeeeeee-6c"), "br-ex");
        let ids = cloud.switch.sh("ovs-vsctl get interface qr-11111111-6c type external_ids");
        assert_eq!(
            ids,
            "internal\n{attached-mac=\"fa:16:3e:00:00:a1\", iface-id=\"11111111-6cc7-4b80-9575-f2710ba05cfd\", \
             iface-status=active}"
        );
        // A new agent finds everything right.
        let before = cloud.shown();
        let folder = cloud.switch.folder.clone();
        let pings = tokio::task::spawn_blocking(move || {
            let mut ping = std::process::Command::new("ip");
            ping.args("netns exec vm1 ping -q -i 0.01 -c 150 -W 1 203.0.113.1".split(' '));
            String::from_utf8(ping.current_dir(folder).output().unwrap().stdout).unwrap()
        });
        agent.end().await;
        let synced = cloud.server.heard("sync_routers").len();
        let agent = cloud.start_agent("");
        until("read again", || (cloud.server.heard("sync_routers").len() > synced).then_some(())).await;
        let said = pings.await.unwrap();
        assert!(said.contains(" 0% packet loss"), "{said}");
        assert_eq!(cloud.shown(), before);
        // This switch is no part of the kernel: started anew it makes its devices once more, on the host.
        cloud.switch.stop_vswitchd();
        cloud.switch.start_vswitchd();
        cloud.until_ping().await;
        // A port that somebody removed.
        cloud.switch.sh("ovs-vsctl del-port qr-11111111-6c");
        cloud.wire("qr-11111111-6c").await;
        cloud.until_ping().await;
        // A router that goes takes its ports along.
        cloud.server.routers.lock().unwrap().clear();
        agent.end().await;
        let agent = cloud.start_agent("");
        until("no ports are left", || {
            (!cloud.switch.sh("ovs-vsctl list-ports br-int; ovs-vsctl list-ports br-ex").contains("q"))
                .then_some(())
        })
        .await;
        agent.end().await;
    });
}

/// One bridge leads to one external network: the server says which as long as there is only one, an option from then on.
#[test]
fn a_bridge_of_gateways_leads_to_one_external_network() {
    with_a_switch("agent-l3-external", |switch: Switch| async move {
        const OTHER: &str = "f00fc7e0-f959-11e5-9e5f-3c970e9d3c2b";
        let cloud = Cloud::new(switch);
        *cloud.server.externals.lock().unwrap() = vec!["eeeeeeee"];
        let agent = cloud.start_agent("");
        cloud.wire("qr-11111111-6c").await;
        cloud.until_ping().await;
        agent.end().await;
        // A second external network, and a router there: neither router's network is sure to be behind the bridge.
        let mut other = router();
        other["id"] = json!(OTHER);
        other["_interfaces"] = json!([]);
        other["gw_port"] =
            interface("ffffffff", "fa:16:3e:00:00:f0", "198.51.100.0/24", "198.51.100.250", None);
        cloud.server.put_router(other);
        *cloud.server.externals.lock().unwrap() = vec!["eeeeeeee", "ffffffff"];
        let asked = || cloud.server.heard("get_external_network_id").len();
        let before = (asked(), cloud.shown());
        let agent = cloud.start_agent("");
        until("asked of both", || (asked() >= before.0 + 2).then_some(())).await;
        assert_eq!(cloud.shown(), before.1, "what was there stays");
        assert!(!cloud.switch.sh("ip netns list").contains(OTHER));
        cloud.until_ping().await;
        agent.end().await;
        // The option says which.
        let agent = cloud.start_agent("gateway_external_network_id = ffffffff");
        until("the other router", || cloud.try_sh("ovs-vsctl port-to-br qg-ffffffff-6c")).await;
        until("the first one is gone", || {
            (!cloud.switch.sh("ip netns list").contains(NAMESPACE)).then_some(())
        })
        .await;
        agent.end().await;
    });
}

#[test]
fn routers_have_pairs_where_they_are_asked_for() {
    with_a_switch("agent-l3-veth", |switch: Switch| async move {
        let cloud = Cloud::new(switch);
        let agent = cloud.start_agent("ovs_use_veth = True");
        cloud.wire("tap11111111-6c").await;
        cloud.until_ping().await;
        // Checksums are made on the way out, by the agent on the router's side and by whoever plugs on the instance's.
        cloud.switch.sh("ip netns exec vm1 ethtool -K eth0 tx off");
        assert_eq!(hello_by_tcp().await, "hello");
        cloud.switch.sh("ovs-vsctl del-port tapeeeeeeee-6c");
        cloud.until_ping().await;
        assert_eq!(cloud.switch.sh("ovs-vsctl port-to-br tapeeeeeeee-6c"), "br-ex");
        // Internal ports from now on.
        agent.end().await;
        let agent = cloud.start_agent("");
        cloud.wire("qr-11111111-6c").await;
        cloud.until_ping().await;
        assert!(!cloud.switch.sh("ovs-vsctl list-ports br-int").contains("tap"));
        agent.end().await;
    });
}
