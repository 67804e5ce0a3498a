//! Cases: ports, configuration and what is on the host; then the steps between them, as text.

use std::net::IpAddr;

use expect_test::{Expect, expect};
use host::netlink::{Addr, Fdb, Neigh, Route, VxlanSpec};
use serde_json::json;

use super::desired::Uplink;
use super::plan::{Action, Step};
use super::*;

const NETWORK: &str = "11111111-1111-4000-8000-000000000000";
const BRIDGE: &str = "brq11111111-11";
const TAP: &str = "tap24191168-b2";

fn config(text: &str) -> L2Config {
    L2Config::load(&oslo::config::Config::parse("agent.ini", text), "h1").unwrap()
}

fn unicast() -> L2Config {
    config("[vxlan]\nlocal_ip = 172.31.0.11\nl2_population = true\narp_responder = true\nttl = 9\ntos = 4\n")
}

fn physical() -> L2Config {
    config(
        "[vxlan]\nenable_vxlan = false\n[linux_bridge]\n\
         physical_interface_mappings = physnet1:eth1\nbridge_mappings = ext:br-ext\n",
    )
}

fn view(network_type: &str, physnet: Option<&str>, segment: Option<u32>) -> View {
    let details = json!({
        "device": TAP, "port_id": "24191168-b2c0-47d8-aa81-c46ad9bcf7b6", "network_id": NETWORK,
        "mac_address": "fa:16:3e:00:00:01", "admin_state_up": true, "network_type": network_type,
        "segmentation_id": segment, "physical_network": physnet, "mtu": 1450, "device_owner": "compute:nova",
        "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1"}],
    });
    let mut view = View::default();
    view.ports.insert(TAP.into(), serde_json::from_value(details).unwrap());
    view
}

/// Devices: name, kind, master, mtu; all up. Numbers count from 1.
fn facts(links: &[(&str, Kind, Option<&str>, u32)]) -> Facts {
    let index = |name: &str| links.iter().position(|l| l.0 == name).map(|at| u32::try_from(at).unwrap() + 1);
    let link = |(name, kind, master, mtu): &(&str, Kind, Option<&str>, u32)| Link {
        index: index(name).unwrap(),
        name: (*name).to_owned(),
        kind: kind.clone(),
        master: master.and_then(index),
        parent: None,
        parent_elsewhere: false,
        mac: None,
        mtu: *mtu,
        up: true,
        carrier: true,
    };
    Facts { links: links.iter().map(|l| (l.0.to_owned(), link(l))).collect(), ..Facts::default() }
}

fn line(step: &Step) -> String {
    let master = |bridge: &Option<String>| bridge.clone().unwrap_or_else(|| "none".into());
    match &step.action {
        Action::AddBridge { name, silent } => format!("bridge {name} silent={silent}"),
        Action::AddVlan { name, parent, id } => format!("vlan {name} on {parent} tag {id}"),
        Action::AddVxlan { name, parent, spec, mtu } => format!(
            "vxlan {name} on {parent} vni {} group {:?} local {:?} ttl {} tos {} proxy {} mtu {mtu:?}",
            spec.vni, spec.group, spec.local, spec.ttl, spec.tos, spec.proxy
        ),
        Action::Delete { name } => format!("delete {name}"),
        Action::SetUp { name, up } => format!("{name} up={up}"),
        Action::SetMtu { name, mtu } => format!("{name} mtu {mtu}"),
        Action::SetMaster { name, bridge } => format!("{name} into {}", master(bridge)),
        Action::Move { from, to, enslave, addrs, routes } => {
            format!("move {addrs:?} and {} routes from {from} to {to} enslave={enslave}", routes.len())
        }
        Action::AddFdb { device, mac, dst } => format!("fdb {device} {mac} {dst}"),
        Action::DeleteFdb { device, mac, dst } => format!("fdb {device} -{mac} {dst}"),
        Action::AddNeigh { device, ip, mac } => format!("neigh {device} {ip} {mac}"),
        Action::DeleteNeigh { device, ip } => format!("neigh {device} -{ip}"),
    }
}

fn steps(view: &View, config: &L2Config, facts: &Facts, deleted: &[&str]) -> Vec<String> {
    let deleted = deleted.iter().map(|n| (*n).to_owned()).collect();
    let physical = config.interface_mappings.values().cloned().collect();
    let wanted = desired(view, config, "eth0");
    let problems = wanted.problems.values().map(|problem| format!("problem: {problem}"));
    problems.chain(plan(&wanted, facts, &deleted, &physical).iter().map(line)).collect()
}

fn check(view: &View, config: &L2Config, facts: &Facts, deleted: &[&str], expected: &Expect) {
    expected.assert_eq(&(steps(view, config, facts, deleted).join("\n") + "\n"));
}

fn tunnel(config: &L2Config, link: u32) -> Kind {
    let Some(Uplink { kind: UplinkKind::Vxlan { spec, .. }, .. }) =
        desired(&view("vxlan", None, Some(100)), config, "eth0").uplinks.remove("vxlan-100")
    else {
        panic!("no tunnel")
    };
    Kind::Vxlan(VxlanSpec { link: Some(link), port: 8472, ..spec })
}

#[test]
fn a_tunnelled_network_from_nothing() {
    let host = facts(&[("eth0", Kind::Physical, None, 1500), (TAP, Kind::Tun, None, 1500)]);
    check(
        &view("vxlan", None, Some(100)),
        &unicast(),
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=true
            vxlan vxlan-100 on eth0 vni 100 group None local Some(172.31.0.11) ttl 9 tos 4 proxy true mtu Some(1450)
            vxlan-100 into brq11111111-11
            vxlan-100 up=true
            tap24191168-b2 mtu 1450
            tap24191168-b2 into brq11111111-11
        "#]],
    );
    let multicast = config("[vxlan]\nlocal_ip = 172.31.0.11\nvxlan_group = 239.1.0.0/16\n");
    check(
        &view("vxlan", None, Some(100)),
        &multicast,
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=true
            vxlan vxlan-100 on eth0 vni 100 group Some(239.1.0.100) local None ttl 0 tos 0 proxy false mtu Some(1450)
            vxlan-100 into brq11111111-11
            vxlan-100 up=true
            tap24191168-b2 mtu 1450
            tap24191168-b2 into brq11111111-11
        "#]],
    );
}

#[test]
fn what_is_right_needs_no_step() {
    let (config, view) = (unicast(), view("vxlan", None, Some(100)));
    let right = facts(&[
        ("eth0", Kind::Physical, None, 1500),
        (BRIDGE, Kind::Bridge, None, 1450),
        (TAP, Kind::Tun, Some(BRIDGE), 1450),
        ("vxlan-100", tunnel(&config, 1), Some(BRIDGE), 1450),
    ]);
    assert_eq!(steps(&view, &config, &right, &[]), Vec::<String>::new());

    let mut wrong = right.clone();
    wrong.links.get_mut(BRIDGE).unwrap().up = false;
    wrong.links.get_mut(TAP).unwrap().master = None;
    wrong.links.get_mut("vxlan-100").unwrap().mtu = 1400;
    check(
        &view,
        &config,
        &wrong,
        &[],
        &expect![[r#"
            brq11111111-11 up=true
            vxlan-100 mtu 1450
            tap24191168-b2 into brq11111111-11
        "#]],
    );
    // The tunnel address moved to another device.
    wrong.links.get_mut("vxlan-100").unwrap().kind = tunnel(&config, 7);
    check(
        &view,
        &config,
        &wrong,
        &[],
        &expect![[r#"
            brq11111111-11 up=true
            delete vxlan-100
            vxlan vxlan-100 on eth0 vni 100 group None local Some(172.31.0.11) ttl 9 tos 4 proxy true mtu Some(1450)
            vxlan-100 into brq11111111-11
            vxlan-100 up=true
            tap24191168-b2 into brq11111111-11
        "#]],
    );
}

#[test]
fn an_admin_state_of_down_shuts_the_device() {
    let (config, mut view) = (unicast(), view("vxlan", None, Some(100)));
    view.ports.get_mut(TAP).unwrap().admin_state_up = false;
    let host = facts(&[
        ("eth0", Kind::Physical, None, 1500),
        (BRIDGE, Kind::Bridge, None, 1450),
        (TAP, Kind::Tun, Some(BRIDGE), 1450),
        ("vxlan-100", tunnel(&config, 1), Some(BRIDGE), 1450),
    ]);
    assert_eq!(steps(&view, &config, &host, &[]), [format!("{TAP} up=false")]);
}

fn address(index: u32, net: &str) -> Addr {
    Addr { index, net: net.parse().unwrap(), global: true, dynamic: false, tentative: false }
}

fn two_interfaces() -> Facts {
    facts(&[
        ("eth0", Kind::Physical, None, 1500),
        ("eth1", Kind::Physical, None, 1500),
        ("br-ext", Kind::Bridge, None, 1500),
        (TAP, Kind::Tun, None, 1450),
    ])
}

#[test]
fn flat_and_vlan_networks() {
    let host = two_interfaces();
    check(
        &view("flat", Some("physnet1"), None),
        &physical(),
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=false
            eth1 into brq11111111-11
            tap24191168-b2 into brq11111111-11
        "#]],
    );
    check(
        &view("vlan", Some("physnet1"), Some(100)),
        &physical(),
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=false
            vlan eth1.100 on eth1 tag 100
            eth1.100 into brq11111111-11
            eth1.100 up=true
            tap24191168-b2 into brq11111111-11
        "#]],
    );
    check(
        &view("flat", Some("ext"), None),
        &physical(),
        &host,
        &[],
        &expect![[r#"
            tap24191168-b2 into br-ext
        "#]],
    );
    check(
        &view("local", None, None),
        &physical(),
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=true
            tap24191168-b2 into brq11111111-11
        "#]],
    );
}

#[test]
fn a_bridge_takes_over_the_addresses_of_its_interface() {
    let mut host = two_interfaces();
    host.addrs = vec![address(2, "192.0.2.5/24"), address(1, "172.31.0.11/24")];
    host.routes = vec![
        Route { via: "192.0.2.1".parse().ok(), dev: Some(2), ..Route::new("0.0.0.0/0".parse().unwrap()) },
        Route { kernel: true, dev: Some(2), ..Route::new("192.0.2.0/24".parse().unwrap()) },
    ];
    check(
        &view("flat", Some("physnet1"), None),
        &physical(),
        &host,
        &[],
        &expect![[r#"
            bridge brq11111111-11 silent=false
            move [192.0.2.5/24] and 1 routes from eth1 to brq11111111-11 enslave=true
            tap24191168-b2 into brq11111111-11
        "#]],
    );
}

#[test]
fn what_cannot_be_wired() {
    let host = facts(&[("eth0", Kind::Physical, None, 1500), (TAP, Kind::Tun, None, 1450)]);
    for (view, problem) in [
        (view("vxlan", None, Some(1)), "VXLAN is not enabled on this host ([vxlan] enable_vxlan)"),
        (
            view("flat", Some("x"), None),
            "no interface or bridge is mapped to physical network 'x' on this host",
        ),
        (view("vlan", Some("physnet1"), None), "a VLAN network without a tag"),
        (view("gre", None, Some(1)), "a Linux bridge cannot carry networks of type gre"),
    ] {
        assert_eq!(steps(&view, &physical(), &host, &[]), [format!("problem: {problem}")]);
    }
}

#[test]
fn forwarding_entries() {
    let (config, mut view) = (unicast(), view("vxlan", None, Some(100)));
    let mut host = facts(&[
        ("eth0", Kind::Physical, None, 1500),
        (BRIDGE, Kind::Bridge, None, 1450),
        (TAP, Kind::Tun, Some(BRIDGE), 1450),
        ("vxlan-100", tunnel(&config, 1), Some(BRIDGE), 1450),
    ]);
    let index = host.links["vxlan-100"].index;
    let (one, two): (Mac, Mac) = ("fa:16:3e:00:00:02".parse().unwrap(), "fa:16:3e:00:00:03".parse().unwrap());
    let ip = |text: &str| text.parse::<IpAddr>().unwrap();
    let fdb = |mac, dst, permanent| Fdb { index, mac, dst: ip(dst), permanent };
    host.fdbs = vec![
        fdb(Mac::ZERO, "172.31.0.12", true),
        fdb(one, "172.31.0.12", true),
        fdb(two, "172.31.0.99", false),
    ];
    host.neighs = vec![Neigh { index, ip: ip("10.0.0.2"), mac: Some(one), permanent: true, proxy: false }];
    assert_eq!(steps(&view, &config, &host, &[]), Vec::<String>::new(), "nothing heard, nothing touched");

    adopt_fdb(&mut view, &host, &config);
    assert_eq!(steps(&view, &config, &host, &[]), Vec::<String>::new(), "adopted");
    let entries = |host_ip: &str, ports: serde_json::Value| {
        let entry = json!({NETWORK: {"segment_id": 100, "network_type": "vxlan", "ports": {host_ip: ports}}});
        serde_json::from_value::<model::l2::FdbEntries>(entry).unwrap()
    };
    let flood = ["00:00:00:00:00:00", "0.0.0.0"];
    let me = ip("172.31.0.11");
    let own = entries("172.31.0.11", json!([flood, ["fa:16:3e:00:00:01", "10.0.0.1"]]));
    view.learn_fdb(&FdbMessage::Add(own), me);
    assert_eq!(steps(&view, &config, &host, &[]), Vec::<String>::new(), "our own");
    // A port moves: the new place may be heard of before the old one is taken back.
    view.learn_fdb(&FdbMessage::Add(entries("172.31.0.13", json!([flood, [one, "10.0.0.2"]]))), me);
    view.learn_fdb(&FdbMessage::Remove(entries("172.31.0.12", json!([flood, [one, "10.0.0.2"]]))), me);
    check(
        &view,
        &config,
        &host,
        &[],
        &expect![[r#"
            fdb vxlan-100 -00:00:00:00:00:00 172.31.0.12
            fdb vxlan-100 00:00:00:00:00:00 172.31.0.13
            fdb vxlan-100 fa:16:3e:00:00:02 172.31.0.13
        "#]],
    );
    view.learn_fdb(&FdbMessage::Remove(entries("172.31.0.13", json!([[one, "10.0.0.2"]]))), me);
    check(
        &view,
        &config,
        &host,
        &[],
        &expect![[r#"
            fdb vxlan-100 -00:00:00:00:00:00 172.31.0.12
            fdb vxlan-100 -fa:16:3e:00:00:02 172.31.0.12
            fdb vxlan-100 00:00:00:00:00:00 172.31.0.13
            neigh vxlan-100 -10.0.0.2
        "#]],
    );
}

#[test]
fn a_deleted_network() {
    let (config, nothing) = (physical(), View::default());
    let mut host = facts(&[
        ("eth1", Kind::Physical, Some(BRIDGE), 1500),
        (BRIDGE, Kind::Bridge, None, 1500),
        ("vxlan-100", tunnel(&unicast(), 1), Some(BRIDGE), 1450),
        (TAP, Kind::Tun, Some(BRIDGE), 1450),
    ]);
    assert_eq!(steps(&nothing, &config, &host, &[NETWORK]), Vec::<String>::new(), "a port is still plugged");
    host.links.remove(TAP);
    check(
        &nothing,
        &config,
        &host,
        &[NETWORK],
        &expect![[r#"
            eth1 into none
            delete vxlan-100
            delete brq11111111-11
        "#]],
    );
    host.addrs = vec![address(2, "192.0.2.5/24")];
    check(
        &nothing,
        &config,
        &host,
        &[NETWORK],
        &expect![[r#"
            move [192.0.2.5/24] and 0 routes from brq11111111-11 to eth1 enslave=false
            delete vxlan-100
            delete brq11111111-11
        "#]],
    );
    assert_eq!(steps(&nothing, &config, &host, &[]), Vec::<String>::new(), "nobody said so");
}

#[test]
fn spoofing_chains() {
    let mut view = view("vxlan", None, Some(100));
    let port = view.ports.get_mut(TAP).unwrap();
    port.allowed_address_pairs = serde_json::from_value(json!([
        {"mac_address": "fa:16:3e:00:00:0a", "ip_address": "10.9.0.0/24"},
        {"mac_address": "fa:16:3e:00:00:01", "ip_address": "fd00::/64"},
    ]))
    .unwrap();
    let text = |view: &View| {
        let chains = spoof::chains(view);
        let own =
            chains.own.iter().flat_map(|(chain, rules)| rules.iter().map(move |r| format!("{chain} {r}")));
        chains.prerouting.iter().cloned().chain(own).collect::<Vec<_>>().join("\n") + "\n"
    };
    expect![[r#"
        -i tap24191168-b2 -j neutronMAC-tap24191168-b2
        -p ARP -i tap24191168-b2 -j neutronARP-tap24191168-b2
        neutronARP-tap24191168-b2 -p ARP --arp-ip-src 10.0.0.1 -j ACCEPT
        neutronARP-tap24191168-b2 -p ARP --arp-ip-src 10.9.0.0/24 -j ACCEPT
        neutronARP-tap24191168-b2 -j DROP
        neutronMAC-tap24191168-b2 --among-src fa:16:3e:0:0:1,fa:16:3e:0:0:a -j RETURN
        neutronMAC-tap24191168-b2 -j DROP
    "#]]
    .assert_eq(&text(&view));
    view.ports.get_mut(TAP).unwrap().allowed_address_pairs[0].ip_address = "0.0.0.0/0".into();
    assert!(!text(&view).contains("neutronARP"), "every address is allowed");
    view.ports.get_mut(TAP).unwrap().port_security_enabled = false;
    assert_eq!(text(&view), "\n");
}
