//! Security groups on ports of Open vSwitch, under each firewall, with real packets.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};

use agent::l2::L2Config;
use agent::l2::linuxbridge::Wired;
use expect_test::expect;
use lab::frames::Lie;
use lab::switch::{Switch, datapath_type, with_a_switch};
use model::names;
use serde_json::{Value, json};

use crate::l2lab::Lab;
use crate::ovs::{Host, mac, port_id};

const FRAMES: &str = include_str!("frames.py");
/// The DHCP server's port.
const SERVICE: u8 = 9;

#[derive(Debug, Clone, Copy, PartialEq)]
enum Firewall {
    Hybrid,
    Flows,
}

/// A host with instances 1 and 2 of group `red`, 3 of group `blue`, and a DHCP port.
struct Site {
    host: Host,
    firewall: Firewall,
    groups: BTreeMap<&'static str, Vec<Value>>,
    /// What is said of ports otherwise than usual.
    ports: BTreeMap<u8, Value>,
}

impl Site {
    async fn new(switch: Switch, firewall: Firewall) -> Site {
        let driver = match firewall {
            Firewall::Hybrid => "iptables_hybrid",
            Firewall::Flows => "openvswitch",
        };
        let more = format!("[securitygroup]\nfirewall_driver = {driver}\npermitted_ethertypes = 0x4008\n");
        let host = Host::new(switch, &more).await;
        let mut site = Site { host, firewall, groups: groups(), ports: BTreeMap::new() };
        site.host.apply().await;
        for n in [1, 2, 3] {
            plug(&site.host.switch, n, firewall);
        }
        plug(&site.host.switch, SERVICE, Firewall::Flows);
        site.tell().await;
        site
    }

    /// Tells the agent what the server knows.
    async fn tell(&mut self) {
        let owner = |n| if n == SERVICE { "network:dhcp" } else { "compute:nova" };
        let mut members: BTreeMap<&str, (Vec<String>, Vec<String>)> = BTreeMap::new();
        for n in [1, 2, 3, SERVICE] {
            let other = self.ports.get(&n).cloned().unwrap_or_else(|| json!({}));
            let addresses = [format!("10.1.0.{n}"), format!("fd00::{n}")];
            let fixed_ips = addresses.map(|ip| json!({"subnet_id": "s", "ip_address": ip}));
            let mut details = json!({"device_owner": owner(n), "fixed_ips": fixed_ips});
            details.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            self.host.wire(n, "net", &details);
            if n == SERVICE {
                continue;
            }
            let group = if n == 3 { "blue" } else { "red" };
            let mut port = json!({
                "device": port_id(n), "network_id": "net", "mac_address": mac(n), "device_owner": "compute:nova",
                "fixed_ips": [format!("10.1.0.{n}"), format!("fd00::{n}")], "security_groups": [group],
                "port_security_enabled": true, "security_group_rules": provider_rules(),
            });
            port.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
            let (v4, v6) = members.entry(group).or_default();
            v4.push(format!("10.1.0.{n}"));
            v6.push(format!("fd00::{n}"));
            let security = &mut self.host.view.security.ports;
            match port["port_security_enabled"] == true {
                true => _ = security.insert(port_id(n), serde_json::from_value(port).unwrap()),
                false => _ = security.remove(&port_id(n)),
            }
        }
        let security = &mut self.host.view.security;
        security.groups = serde_json::from_value(json!(self.groups)).unwrap();
        let members = members.into_iter().map(|(group, (v4, v6))| (group, json!({"IPv4": v4, "IPv6": v6})));
        security.members = serde_json::from_value(members.collect()).unwrap();
        assert_eq!(self.host.apply().await, Wired::default());
        // Numbers of new ports are known by now.
        self.host.apply().await;
    }

    /// Whether a frame sent by one instance comes out at another.
    fn passes(&self, from: u8, to: u8, frame: &str) -> bool {
        // Everybody may ask who has an address.
        let last = format!("arp('{}', '10.1.0.{from}', '10.1.0.254')", mac(from));
        let (from, to) = (format!("vm{from}"), format!("vm{to}"));
        comes_through(&from, &to, frame, &last).unwrap_or_else(|why| panic!("{why}\n{}", self.show()))
    }

    fn yes(&self, from: u8, to: u8, frame: &str) {
        assert!(self.passes(from, to, frame), "{frame} does not pass\n{}", self.show());
    }

    fn no(&self, from: u8, to: u8, frame: &str) {
        assert!(!self.passes(from, to, frame), "{frame} passes\n{}", self.show());
    }

    fn show(&self) -> String {
        match self.firewall {
            Firewall::Flows => self
                .host
                .switch
                .sh("ovs-ofctl -O OpenFlow14 dump-flows br-int; ovs-appctl dpctl/dump-conntrack"),
            Firewall::Hybrid => {
                self.host.switch.sh("iptables-save -c; ip6tables-save -c; conntrack -L 2>/dev/null")
            }
        }
    }

    fn pings(&self, from: u8, to: &str) -> bool {
        let command = format!("ip netns exec vm{from} ping -c1 -W1 {to} >/dev/null && echo yes || echo no");
        (0..5).any(|_| self.host.switch.sh(&command) == "yes")
    }
}

/// Whether a frame sent in one namespace comes out in another; `last` is one that does.
pub fn comes_through(from: &str, to: &str, frame: &str, last: &str) -> Result<bool, String> {
    let program = format!("{}\n{FRAMES}", lab::frames::KINDS);
    let output = Command::new("python3").args(["-c", &program, from, to, frame, last]).output().unwrap();
    match output.status.success() {
        true => Ok(output.stdout == b"yes\n"),
        false => Err(format!("{frame}: {}", String::from_utf8_lossy(&output.stderr))),
    }
}

/// Plugs an instance as Nova does.
fn plug(switch: &Switch, n: u8, firewall: Firewall) {
    let (id, mac) = (port_id(n), mac(n));
    let short = names::tap(&id).split_off(3);
    let on_switch = match firewall {
        Firewall::Flows => format!("tap{short}"),
        Firewall::Hybrid => format!("qvo{short}"),
    };
    let bridge = format!(
        "ip link add qbr{short} type bridge mcast_snooping 0 ageing_time 0; ip link set qbr{short} up; \
         ip link add qvb{short} type veth peer name qvo{short}; ip link set qvb{short} up master qbr{short}; \
         ip link set qvo{short} up; ip link set tap{short} master qbr{short};"
    );
    switch.sh(&format!(
        "ip netns add vm{n}; ip link add tap{short} type veth peer name eth0 netns vm{n}; \
         ip link set tap{short} up; ip -n vm{n} link set lo up; \
         ip netns exec vm{n} sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.eth0.accept_dad=0; \
         ip -n vm{n} link set eth0 address {mac} mtu 1400; ip -n vm{n} addr add 10.1.0.{n}/24 dev eth0; \
         ip -n vm{n} link set eth0 up; ip -n vm{n} addr add fd00::{n}/64 dev eth0 nodad; {} \
         ovs-vsctl add-port br-int {on_switch} -- set interface {on_switch} external_ids:iface-id={id}",
        if firewall == Firewall::Hybrid { bridge.as_str() } else { "" }
    ));
}

/// Out to everybody; in from the group itself, and for some services.
fn groups() -> BTreeMap<&'static str, Vec<Value>> {
    let mut red = Vec::new();
    for ethertype in ["IPv4", "IPv6"] {
        red.push(json!({"direction": "egress", "ethertype": ethertype}));
        red.push(json!({"direction": "ingress", "ethertype": ethertype, "remote_group_id": "red"}));
        red.push(service(ethertype, 4000, 4003));
    }
    let blue = ["IPv4", "IPv6"].map(|ethertype| json!({"direction": "egress", "ethertype": ethertype}));
    BTreeMap::from([("red", red), ("blue", blue.to_vec())])
}

/// What the server lets into every port: answers of DHCP, announcements of routers.
fn provider_rules() -> Value {
    let dhcp = |ethertype: &str, server: u16, client: u16| {
        json!({"direction": "ingress", "ethertype": ethertype, "protocol": "udp", "port_range_min": client,
            "port_range_max": client, "source_port_range_min": server, "source_port_range_max": server})
    };
    json!([dhcp("IPv4", 67, 68), dhcp("IPv6", 547, 546),
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp", "port_range_min": 134}])
}

fn service(ethertype: &str, min: u16, max: u16) -> Value {
    json!({"direction": "ingress", "ethertype": ethertype, "protocol": "udp", "port_range_min": min,
        "port_range_max": max})
}

/// A datagram between instances.
fn udp(from: u8, to: u8, sport: u16, dport: u16) -> String {
    udp_of(&mac(from), &format!("10.1.0.{from}"), to, sport, dport)
}

fn udp_of(src: &str, source: &str, to: u8, sport: u16, dport: u16) -> String {
    let target = if source.contains(':') { format!("fd00::{to}") } else { format!("10.1.0.{to}") };
    format!("udp('{src}', '{}', '{source}', '{target}', {sport}, {dport})", mac(to))
}

fn what_passes(site: &Site) {
    // The group's members meet, in both families; others do not come in.
    for (two, one) in [("10.1.0.2", "10.1.0.1"), ("fd00::2", "fd00::1")] {
        assert!(site.pings(1, two), "{}", site.show());
        assert!(!site.pings(3, one));
    }
    assert!(!site.pings(1, "10.1.0.3"), "no rule lets anybody in there");
    // The service, and not what is beside it.
    for port in [4000, 4003] {
        site.yes(3, 1, &udp(3, 1, 500, port));
        site.yes(3, 1, &udp_of(&mac(3), "fd00::3", 1, 500, port));
    }
    site.no(3, 1, &udp(3, 1, 500, 3999));
    site.no(3, 1, &udp_of(&mac(3), "fd00::3", 1, 500, 4004));
    // An answer comes in where nobody else does.
    site.no(1, 3, &udp(1, 3, 4001, 600));
    site.yes(3, 1, &udp(3, 1, 600, 4001));
    site.yes(1, 3, &udp(1, 3, 4001, 600));
    // DHCP, there and back.
    let ask = format!("udp('{}', 'ff:ff:ff:ff:ff:ff', '0.0.0.0', '255.255.255.255', 68, 67)", mac(3));
    site.yes(3, SERVICE, &ask);
    site.yes(SERVICE, 3, &udp(SERVICE, 3, 67, 68));
    site.yes(SERVICE, 3, &udp_of(&mac(SERVICE), "fd00::9", 3, 547, 546));
    // Routers announce themselves; instances of a network see it.
    let router = format!("router('{}', 'fe80::f816:3eff:fe00:9')", mac(SERVICE));
    site.yes(SERVICE, 3, &router);
}

/// What instance 1 must not say.
pub fn lies() -> Vec<(Lie, String)> {
    let (me, other, all, nodes) = (mac(1), mac(77), "ff:ff:ff:ff:ff:ff", "33:33:00:00:00:01");
    let own6 = "fe80::f816:3eff:fe00:1";
    let arp = |words: &str| (Lie::Arp, format!("arp('{me}', {words})"));
    let ip = |source: &str| (Lie::Ip, udp_of(&me, source, 2, 500, 4000));
    let (mac, nd, dhcp) = (|frame| (Lie::Mac, frame), |frame| (Lie::Nd, frame), |frame| (Lie::Dhcp, frame));
    vec![
        mac(udp_of(&other, "10.1.0.1", 2, 500, 4000)),
        mac(udp_of(&other, "fd00::1", 2, 500, 4000)),
        mac(udp_of(&crate::ovs::mac(2), "10.1.0.1", 2, 500, 4000)),
        mac(format!("other('{other}', '{all}', 0x88b5, 'of some protocol')")),
        mac(format!("other('{other}', '{}', 0x88b5, 'of some protocol')", crate::ovs::mac(2))),
        ip("10.1.0.77"),
        ip("10.1.0.2"),
        ip("169.254.0.7"),
        ip("fd00::77"),
        ip("fe80::77"),
        arp("'10.1.0.77', '10.1.0.2'"),
        arp(&format!("'10.1.0.77', '10.1.0.77', 2, dst='{}'", crate::ovs::mac(2))),
        arp("'10.1.0.77', '10.1.0.77'"),
        (Lie::Arp, format!("arp('{other}', '10.1.0.1', '10.1.0.2')")),
        nd(format!("advertise('{me}', '{nodes}', 'fd00::1', 'ff02::1', 'fd00::77')")),
        nd(format!("advertise('{me}', '{nodes}', '{own6}', 'ff02::1', 'fe80::77')")),
        nd(format!("advertise('{me}', '{}', '{own6}', 'fd00::2', 'fd00::77')", crate::ovs::mac(2))),
        nd(format!("advertise('{other}', '{nodes}', 'fd00::1', 'ff02::1', 'fd00::1')")),
        dhcp(udp(1, 2, 67, 68)),
        dhcp(format!("udp('{me}', '{all}', '10.1.0.1', '255.255.255.255', 67, 68)")),
        dhcp(udp_of(&me, "fd00::1", 2, 547, 546)),
        dhcp(format!("udp('{me}', '{nodes}', '{own6}', 'ff02::1', 547, 546)")),
        (Lie::Ra, format!("router('{me}', '{own6}')")),
        (Lie::Ra, format!("router('{me}', 'fd00::1')")),
    ]
}

/// What it may say of the same kinds.
pub fn truths() -> [String; 4] {
    let (me, nodes) = (mac(1), "33:33:00:00:00:01");
    [
        format!("arp('{me}', '10.1.0.1', '10.1.0.2')"),
        format!("advertise('{me}', '{nodes}', 'fd00::1', 'ff02::1', 'fd00::1')"),
        format!("advertise('{me}', '{nodes}', 'fe80::f816:3eff:fe00:1', 'ff02::1', 'fd00::1')"),
        format!("solicit_router('{me}', 'fe80::f816:3eff:fe00:1')"),
    ]
}

async fn what_is_a_lie(site: &mut Site) {
    // In the way is the liar's port alone.
    site.ports.insert(2, json!({"port_security_enabled": false}));
    site.tell().await;
    for (_, lie) in lies() {
        site.no(1, 2, &lie);
    }
    for truth in truths() {
        site.yes(1, 2, &truth);
    }
    site.ports.clear();
    site.tell().await;
    // With an address pair it may.
    let pairs = json!([{"mac_address": mac(1), "ip_address": "10.1.0.64/26"},
        {"mac_address": mac(77), "ip_address": "fd00::77"}]);
    site.ports.insert(1, json!({"allowed_address_pairs": pairs}));
    site.tell().await;
    site.yes(1, 2, &udp_of(&mac(1), "10.1.0.77", 2, 500, 4000));
    site.yes(1, 2, &udp_of(&mac(77), "fd00::77", 2, 500, 4000));
    site.yes(1, 2, &format!("arp('{}', '10.1.0.77', '10.1.0.2')", mac(1)));
    site.no(1, 2, &format!("arp('{}', '10.1.0.7', '10.1.0.2')", mac(1)));
    site.no(1, 2, &udp_of(&mac(1), "10.1.0.7", 2, 500, 4000));
    // And what is sent to that address reaches it.
    site.yes(3, 1, &format!("udp('{}', '{}', 'fd00::3', 'fd00::77', 500, 4000)", mac(3), mac(77)));
    // Without port security everything goes.
    site.ports.insert(1, json!({"port_security_enabled": false}));
    site.tell().await;
    site.yes(1, 2, &udp_of(&mac(78), "10.1.0.78", 2, 500, 4000));
    site.yes(1, 2, &format!("arp('{}', '10.1.0.78', '10.1.0.2')", mac(1)));
    site.yes(3, 1, &udp(3, 1, 500, 3999));
    site.ports.clear();
    site.tell().await;
    site.no(1, 2, &lies()[0].1);
    site.no(3, 1, &udp(3, 1, 501, 3999));
}

/// A ping every 5 ms, whose answers are counted.
struct Pings(Option<Child>);

impl Drop for Pings {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Pings {
    fn start(from: u8, to: &str) -> Pings {
        let arguments = ["netns", "exec", &format!("vm{from}"), "ping", "-q", "-i", "0.005", "-W1", to];
        Pings(Some(Command::new("ip").args(arguments).stdout(Stdio::piped()).spawn().unwrap()))
    }

    /// Packets lost.
    fn lost(mut self) -> i32 {
        let child = self.0.take().unwrap();
        let pid = nix::unistd::Pid::from_raw(child.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let text = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
        let line = text.lines().find(|line| line.contains("transmitted")).unwrap();
        let numbers: Vec<i32> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        assert!(numbers[1] > 0, "{text}");
        numbers[0] - numbers[1]
    }
}

async fn what_changes(site: &mut Site) {
    let (ask, answer) = (udp(3, 1, 700, 4002), udp(1, 3, 4002, 700));
    site.yes(3, 1, &ask);
    site.yes(1, 3, &answer);
    let pings = Pings::start(1, "10.1.0.2");
    // A change of another rule, of another port, of members.
    site.groups.get_mut("red").unwrap().push(service("IPv4", 5000, 5000));
    site.tell().await;
    site.groups.get_mut("blue").unwrap().push(json!({"direction": "ingress", "ethertype": "IPv4",
        "protocol": "icmp", "remote_group_id": "red"}));
    site.tell().await;
    assert!(site.pings(1, "10.1.0.3"), "{}", site.show());
    site.yes(3, 1, &ask);
    site.yes(1, 3, &answer);
    site.yes(3, 1, &udp(3, 1, 500, 5000));
    // What the rules no longer say ends, in both directions where one switch tracks for both: a filter of the other
    // port's own lets in what that port still asks for.
    let both = site.firewall == Firewall::Flows;
    let red = site.groups["red"].clone();
    site.groups.insert("red", red.iter().filter(|rule| rule["port_range_min"] != 4000).cloned().collect());
    site.tell().await;
    site.no(3, 1, &ask);
    assert!(!both || !site.passes(1, 3, &answer), "{}", site.show());
    assert!(pings.lost() <= 1, "the last may be on its way");
    // Said again, it begins again.
    site.groups.insert("red", red);
    site.tell().await;
    site.yes(3, 1, &udp(3, 1, 701, 4002));
    // A member that leaves.
    assert!(site.pings(1, "10.1.0.2"));
    let flow = (udp(2, 1, 800, 3000), udp(1, 2, 3000, 800));
    site.yes(2, 1, &flow.0);
    site.yes(1, 2, &flow.1);
    site.ports.insert(2, json!({"security_groups": ["blue"]}));
    site.tell_without_member(2).await;
    site.no(2, 1, &flow.0);
    assert!(!both || !site.passes(1, 2, &flow.1), "{}", site.show());
}

impl Site {
    /// As [`Site::tell`], with one that is no member of its usual group any more.
    async fn tell_without_member(&mut self, n: u8) {
        self.tell().await;
        let gone = [format!("10.1.0.{n}"), format!("fd00::{n}")];
        let red = self.host.view.security.members.get_mut("red").unwrap();
        for list in [&mut red.v4, &mut red.v6] {
            list.retain(|member| !gone.iter().any(|ip| ip == member.address()));
        }
        self.host.apply().await;
    }
}

async fn a_firewall(switch: Switch, firewall: Firewall) {
    let mut site = Site::new(switch, firewall).await;
    what_passes(&site);
    what_is_a_lie(&mut site).await;
    what_changes(&mut site).await;
}

/// A port as the server's documents have it.
fn document(n: u8) -> Value {
    let fixed_ips = [format!("10.1.0.{n}"), format!("fd00::{n}")];
    json!({
        "port_id": port_id(n), "network_id": "net", "mac_address": mac(n), "admin_state_up": true,
        "network_type": "local", "segmentation_id": null, "physical_network": null, "profile": {},
        "device_owner": "compute:nova", "allowed_address_pairs": [], "port_security_enabled": true,
        "fixed_ips": fixed_ips.map(|ip| json!({"subnet_id": "s", "ip_address": ip})), "security_groups": ["default"],
    })
}

/// Every change of a bridge's flows, as the switch tells of it.
struct Watch(Child, std::path::PathBuf);

impl Watch {
    fn start(switch: &Switch) -> Watch {
        let file = switch.folder.join("watched");
        let socket = format!("unix:{}/br-int.mgmt", switch.folder.display());
        let mut command = Command::new("ovs-ofctl");
        command.args(["monitor", &socket, "watch:!initial"]).stdout(Stdio::null());
        command.env("OVS_RUNDIR", &switch.folder);
        let mut watch = Watch(command.stderr(std::fs::File::create(&file).unwrap()).spawn().unwrap(), file);
        // It watches once it sees a flow that is nobody's.
        while watch.lines().is_empty() {
            assert_eq!(watch.0.try_wait().unwrap(), None, "{}", std::fs::read_to_string(&watch.1).unwrap());
            switch.sh("ovs-ofctl add-flow br-int table=99,actions=drop; ovs-ofctl del-flows br-int table=99");
        }
        watch
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(&self.1).unwrap();
        text.lines().filter(|line| line.contains("event=")).map(str::to_owned).collect()
    }

    fn changes(&self) -> Vec<String> {
        self.lines().into_iter().filter(|line| !line.contains("table=99")).collect()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// The configuration of a whole agent.
fn whole(switch: &Switch, firewall: Firewall) -> L2Config {
    let driver = if firewall == Firewall::Flows { "openvswitch" } else { "iptables_hybrid" };
    let text = format!(
        "[ovs]\ndatapath_type = {}\novsdb_connection = unix:{}/db.sock\novsdb_timeout = 20\n\
         [agent]\npolling_interval = 1\n[securitygroup]\nfirewall_driver = {driver}\n",
        datapath_type(),
        switch.folder.display()
    );
    let config = oslo::config::Config::parse("test.ini", &text);
    L2Config::load_openvswitch(&config, "h1").unwrap()
}

fn reaches(switch: &Switch, from: u8, to: &[&str]) -> bool {
    let ping =
        |to: &&str| format!("ip netns exec vm{from} ping -c1 -W1 {to} >/dev/null && echo yes || echo no");
    to.iter().all(|to| switch.sh(&ping(to)) == "yes")
}

/// Instances 1 and 2 of the default group, plugged and reported.
async fn two_instances(cloud: &Lab, switch: &Switch, firewall: Firewall) {
    cloud.until("br-int", |_| switch.sh("ovs-vsctl list-br") == "br-int").await;
    for n in [1, 2] {
        cloud.server.with(|cloud| cloud.ports.insert(port_id(n), document(n)));
        plug(switch, n, firewall);
        cloud.up(&port_id(n)).await;
    }
    cloud.members_changed().await;
    cloud.until("vm1 reaches vm2", |_| reaches(switch, 1, &["10.1.0.2", "fd00::2"])).await;
}

/// The whole agent, killed in the middle of its work under traffic, again and again.
async fn a_crash(switch: Switch, firewall: Firewall) {
    let config = whole(&switch, firewall);
    let cloud = Lab::new();
    let start = || cloud.run(config.clone(), host::Netns::host());
    let mut agent = start();
    cloud.until("a report", |cloud| cloud.server.with(|cloud| !cloud.reports.is_empty())).await;
    let report = cloud.server.with(|cloud| cloud.reports[0].clone());
    assert_eq!(report["configurations"]["ovs_hybrid_plug"], firewall == Firewall::Hybrid);
    two_instances(&cloud, &switch, firewall).await;
    let rules = || {
        switch
            .sh("iptables-save; ip6tables-save; ipset list")
            .lines()
            .filter(|l| !l.starts_with([':', '#']))
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let (watch, before) = (Watch::start(&switch), rules());
    let flood = [Pings::start(1, "10.1.0.2"), Pings::start(2, "fd00::1")];
    for _ in 0..3 {
        agent.kill().await;
        cloud.server.with(|cloud| cloud.up.clear());
        agent = start();
        cloud.up(&port_id(1)).await;
        cloud.up(&port_id(2)).await;
    }
    assert!(flood.map(Pings::lost).iter().all(|lost| *lost <= 1), "the last may be on its way");
    assert_eq!((watch.changes(), rules()), (vec![], before.clone()));
    // What was removed by hand comes back.
    switch.sh("ovs-ofctl -O OpenFlow14 del-flows br-int table=60");
    if firewall == Firewall::Hybrid {
        switch.sh("iptables -F neutron-openvswi-sg-chain");
    }
    let events = |kind: &str| watch.changes().iter().filter(|line| line.contains(kind)).count();
    cloud.until("flows are back", |_| events("DELETED") > 0 && events("DELETED") == events("ADDED")).await;
    cloud.until("rules are back", |_| rules() == before).await;
    agent.kill().await;
}

/// Flows of upstream's agent for the same two ports and rules; `captured/firewall.py` made them.
const UPSTREAM: &str = include_str!("../captured/firewall.txt");

/// Flows without what does not matter: whose they are, how they go on to another table, and which number a
/// conjunction has.
fn essence(flows: &str) -> BTreeSet<String> {
    let plain = |line: &str| {
        let line = line.trim_start().split_once(", ").map_or(line, |(_, rest)| rest);
        let mut out = line.replace("goto_table:", "resubmit(,").replace("resubmit(,,", "resubmit(,");
        for (before, after) in [("conj_id=", ","), ("conjunction(", ","), ("actions=set_field:", "->reg7")] {
            let Some((head, tail)) = out.split_once(before) else { continue };
            let Some((number, tail)) = tail.split_once(after).filter(|(number, _)| number.len() < 12) else {
                continue;
            };
            let odd = number.ends_with(['1', '3', '5', '7', '9', 'b', 'd', 'f']);
            out = format!("{head}{before}{}{after}{tail}", if odd { "odd" } else { "even" });
        }
        out.replace(')', "")
    };
    flows.lines().filter(|line| line.contains("table=")).map(plain).collect()
}

/// Upstream's flows give way to ours under traffic, and say the same.
async fn a_takeover(switch: Switch) {
    let cloud = Lab::new();
    let config = whole(&switch, Firewall::Flows);
    let agent = cloud.run(config.clone(), host::Netns::host());
    two_instances(&cloud, &switch, Firewall::Flows).await;
    agent.kill().await;
    let dump = || switch.sh("ovs-ofctl -O OpenFlow14 --no-names --no-stats dump-flows br-int");
    let ours = dump();
    let number = |n: u8| switch.sh(&format!("ovs-vsctl get interface {} ofport", names::tap(&port_id(n))));
    let filters = UPSTREAM.replace("41377", &number(1)).replace("41378", &number(2));
    let frame = |line: &&str| {
        let of_filters = |table: &str| table.parse().is_ok_and(|table: u8| table > 62);
        let table = line.split_once("table=").and_then(|(_, rest)| rest.split_once(','));
        !line.contains("table=60, priority=9")
            && !line.contains("table=60, priority=100")
            && !table.is_some_and(|(table, _)| of_filters(table))
    };
    let rest: Vec<&str> = ours.lines().map(str::trim_start).filter(frame).collect();
    let theirs = format!(
        "{}\n{filters}",
        rest.join("\n").replace("cookie=0x6e657574726f6e72", "cookie=0x1d2c3b4a59687766")
    );
    std::fs::write(switch.folder.join("theirs"), theirs).unwrap();
    switch.sh("ovs-ofctl -O OpenFlow14 --bundle replace-flows br-int theirs");
    let (installed, wanted) = (essence(&dump()), essence(&ours));
    let difference = |one: &BTreeSet<String>, other: &BTreeSet<String>| {
        one.difference(other).map(|line| line.clone() + "\n").collect::<String>()
    };
    expect![[r#"
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,icmp_type=136,nd_target=fd00::1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,icmp_type=136,nd_target=fe80::f816:3eff:fe00:1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,icmp_type=136,nd_target=fd00::2 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,icmp_type=136,nd_target=fe80::f816:3eff:fe00:2 actions=resubmit(,94
    "#]].assert_eq(&difference(&installed, &wanted));
    expect![[r#"
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,icmp_type=136,icmp_code=0,nd_target=fd00::1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=131 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fd00::1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x1,in_port=1,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=143 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,icmp_type=136,icmp_code=0,nd_target=fd00::2 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:2 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=131 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fd00::2 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fe80::f816:3eff:fe00:2 actions=resubmit(,94
        table=71, priority=95,icmp6,reg5=0x2,in_port=2,dl_src=fa:16:3e:00:00:02,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=143 actions=resubmit(,94
    "#]].assert_eq(&difference(&wanted, &installed));
    assert!(reaches(&switch, 1, &["10.1.0.2", "fd00::2"]), "under upstream's flows");
    let flood = [Pings::start(1, "10.1.0.2"), Pings::start(2, "fd00::1")];
    cloud.server.with(|cloud| cloud.up.clear());
    let agent = cloud.run(config, host::Netns::host());
    cloud.up(&port_id(1)).await;
    let sorted = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    cloud.until("our flows in place of theirs", |_| sorted(&dump()) == sorted(&ours)).await;
    assert!(reaches(&switch, 1, &["10.1.0.2", "fd00::2"]));
    assert!(flood.map(Pings::lost).iter().all(|lost| *lost <= 1), "the last may be on its way");
    agent.kill().await;
}

#[test]
fn flows_of_upstreams_agent_are_taken_over() {
    with_a_switch("filter-takeover", a_takeover);
}

/// ovs-vswitchd is killed and started again: it has lost all flows, and gets them back.
#[test]
fn a_switch_that_restarts_is_filled_again() {
    with_a_switch("filter-restart", |mut switch| async move {
        let cloud = Lab::new();
        let config = whole(&switch, Firewall::Flows);
        let agent = cloud.run(config, host::Netns::host());
        two_instances(&cloud, &switch, Firewall::Flows).await;
        let flows = |switch: &Switch| {
            let text = switch
                .sh("ovs-ofctl -O OpenFlow14 --no-names --no-stats dump-flows br-int 2>/dev/null || true");
            text.lines().map(str::to_owned).collect::<Vec<_>>()
        };
        let before = flows(&switch);
        for _ in 0..2 {
            switch.stop_vswitchd();
            switch.start_vswitchd();
            cloud.until("all flows", |_| flows(&switch).len() == before.len()).await;
            cloud.until("vm1 reaches vm2", |_| reaches(&switch, 1, &["10.1.0.2", "fd00::2"])).await;
        }
        agent.kill().await;
    });
}

#[test]
fn a_crash_changes_no_flow() {
    with_a_switch("filter-crash", |switch| a_crash(switch, Firewall::Flows));
}

#[test]
fn a_crash_changes_no_rule() {
    with_a_switch("hybrid-crash", |switch| a_crash(switch, Firewall::Hybrid));
}

/// Without a filter everybody may be reached, but nobody may lie.
#[test]
fn without_a_filter_ports_are_still_who_they_are() {
    with_a_switch("filter-none", |switch| async move {
        let mut host = Host::new(switch, "[securitygroup]\nfirewall_driver = noop\n").await;
        host.apply().await;
        let port = |n: u8| {
            let fixed_ips = [format!("10.1.0.{n}"), format!("fd00::{n}")];
            json!({"fixed_ips": fixed_ips.map(|ip| json!({"subnet_id": "s", "ip_address": ip}))})
        };
        for n in [1, 2] {
            plug(&host.switch, n, Firewall::Flows);
            host.wire(n, "net", &port(n));
        }
        host.apply().await;
        host.apply().await;
        let last = format!("arp('{}', '10.1.0.1', '10.1.0.254')", mac(1));
        let check = |host: &Host, frame: &str, passes: bool| {
            let came = comes_through("vm1", "vm2", frame, &last).unwrap();
            assert_eq!(came, passes, "{frame}\n{}", host.dump());
        };
        for (_, lie) in lies() {
            check(&host, &lie, false);
        }
        let lease = format!("udp('{}', 'ff:ff:ff:ff:ff:ff', '0.0.0.0', '255.255.255.255', 68, 67)", mac(1));
        let own = ["10.1.0.1", "fd00::1", "fe80::f816:3eff:fe00:1"];
        let own = own.map(|ip| udp_of(&mac(1), ip, 2, 500, 4000));
        for truth in truths().iter().chain(&own).chain([&lease]) {
            check(&host, truth, true);
        }
        // What a port is allowed besides, and one that nobody looks at.
        let foreign = udp_of(&mac(1), "10.1.0.77", 2, 500, 4000);
        let mut more = port(1);
        more["allowed_address_pairs"] = json!([{"mac_address": mac(1), "ip_address": "10.1.0.64/26"}]);
        host.wire(1, "net", &more);
        host.apply().await;
        check(&host, &foreign, true);
        check(&host, &udp_of(&mac(1), "10.1.0.7", 2, 500, 4000), false);
        more["port_security_enabled"] = json!(false);
        host.wire(1, "net", &more);
        host.apply().await;
        check(&host, &udp_of(&mac(77), "10.1.0.7", 2, 500, 4000), true);
    });
}

#[test]
fn flows_filter() {
    with_a_switch("filter-flows", |switch| a_firewall(switch, Firewall::Flows));
}

#[test]
fn iptables_filters_on_bridges_of_ports() {
    with_a_switch("filter-hybrid", |switch| a_firewall(switch, Firewall::Hybrid));
}
