//! Devices, addresses, routes, rules, neighbours and forwarding entries: written, then read back.

use std::net::IpAddr;

use host::netlink::{
    Addr, Fdb, Kind, Link, LinkEvent, Monitor, Neigh, Netlink, NewLink, Route, Rule, VxlanSpec,
};
use host::netns::Netns;
use ipnet::IpNet;
use model::Mac;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn net(text: &str) -> IpNet {
    text.parse().unwrap()
}

fn mac(text: &str) -> Mac {
    text.parse().unwrap()
}

fn find(nl: &Netlink, name: &str) -> Option<Link> {
    nl.links().unwrap().into_iter().find(|l| l.name == name)
}

/// A namespace with a bridge, up.
fn bridge(nl: &Netlink, name: &str) -> u32 {
    nl.add_link(name, &NewLink::Bridge).unwrap();
    let index = find(nl, name).unwrap().index;
    nl.set_up(index, true).unwrap();
    index
}

#[test]
fn bridges_veths_and_names() {
    let (ns, other) = (Netns::anonymous().unwrap(), Netns::anonymous().unwrap());
    let (nl, there) = (Netlink::open(&ns).unwrap(), Netlink::open(&other).unwrap());
    let br = bridge(&nl, "brq1");
    assert!(nl.add_link("brq1", &NewLink::Bridge).unwrap_err().is_there());

    nl.add_link("tap1", &NewLink::Veth { peer: "eth0", peer_ns: other.file() }).unwrap();
    let tap = find(&nl, "tap1").unwrap();
    assert_eq!((tap.kind.clone(), tap.parent_elsewhere, tap.up, tap.master), (Kind::Veth, true, false, None));
    nl.set_master(tap.index, Some(br)).unwrap();
    nl.set_mtu(tap.index, 1450).unwrap();
    nl.set_mac(tap.index, mac("fe:16:3e:00:00:01")).unwrap();
    nl.set_up(tap.index, true).unwrap();
    there.set_up_by_name("eth0").unwrap();
    let tap = find(&nl, "tap1").unwrap();
    assert_eq!(
        (tap.master, tap.mtu, tap.mac, tap.up, tap.carrier),
        (Some(br), 1450, Some(mac("fe:16:3e:00:00:01")), true, true)
    );
    assert_eq!(find(&nl, "brq1").unwrap().kind, Kind::Bridge);

    nl.set_master(tap.index, None).unwrap();
    nl.set_up(tap.index, false).unwrap();
    nl.set_name(tap.index, "tap2").unwrap();
    nl.set_netns(tap.index, &other).unwrap();
    assert_eq!(find(&nl, "tap2"), None);
    let moved = find(&there, "tap2").unwrap();
    there.delete_link(moved.index).unwrap();
    there.delete_link(moved.index).unwrap();
    assert_eq!(find(&there, "eth0"), None, "both ends go");
}

/// A vxlan device `vxlan-100` on a device with an address; its number and settings.
fn vxlan(nl: &Netlink) -> (u32, VxlanSpec) {
    let eth = bridge(nl, "eth0");
    nl.add_addr(eth, net("172.31.0.11/24"), false).unwrap();
    let spec = VxlanSpec {
        vni: 100,
        local: Some(ip("172.31.0.11")),
        link: Some(eth),
        port: 8472,
        proxy: true,
        learning: true,
        tos: 4,
        ttl: 9,
        port_range: (40000, 50000),
        ..VxlanSpec::default()
    };
    nl.add_link("vxlan-100", &NewLink::Vxlan(&spec)).unwrap();
    let index = find(nl, "vxlan-100").unwrap().index;
    nl.set_up(index, true).unwrap();
    (index, spec)
}

#[test]
fn vxlan_settings_read_back() {
    let nl = Netlink::open(&Netns::anonymous().unwrap()).unwrap();
    let (_, spec) = vxlan(&nl);
    let link = spec.link;
    assert_eq!(find(&nl, "vxlan-100").unwrap().kind, Kind::Vxlan(spec));
    let grouped =
        VxlanSpec { vni: 101, group: Some(ip("239.1.1.1")), link, port: 8472, ..VxlanSpec::default() };
    nl.add_link("vxlan-101", &NewLink::Vxlan(&grouped)).unwrap();
    let Kind::Vxlan(read) = find(&nl, "vxlan-101").unwrap().kind else { panic!("no vxlan") };
    assert_eq!((read.group, read.learning), (Some(ip("239.1.1.1")), false));
}

#[test]
fn forwarding_entries() {
    let nl = Netlink::open(&Netns::anonymous().unwrap()).unwrap();
    let (index, _) = vxlan(&nl);
    let own = |nl: &Netlink| {
        let mut all: Vec<Fdb> = nl.fdbs().unwrap().into_iter().filter(|f| f.index == index).collect();
        all.sort();
        all
    };
    let vm = mac("fa:16:3e:00:00:02");
    let entry = |mac, dst| Fdb { index, mac, dst: ip(dst), permanent: true };
    nl.add_fdb(index, Mac::ZERO, ip("172.31.0.12")).unwrap();
    nl.add_fdb(index, Mac::ZERO, ip("172.31.0.13")).unwrap();
    nl.add_fdb(index, Mac::ZERO, ip("172.31.0.13")).unwrap();
    nl.add_fdb(index, vm, ip("172.31.0.12")).unwrap();
    nl.add_fdb(index, vm, ip("172.31.0.13")).unwrap();
    let all = [entry(Mac::ZERO, "172.31.0.12"), entry(Mac::ZERO, "172.31.0.13"), entry(vm, "172.31.0.13")];
    assert_eq!(own(&nl), all);
    nl.delete_fdb(index, Mac::ZERO, ip("172.31.0.12")).unwrap();
    nl.delete_fdb(index, Mac::ZERO, ip("172.31.0.12")).unwrap();
    nl.delete_fdb(index, vm, ip("172.31.0.13")).unwrap();
    assert_eq!(own(&nl), [entry(Mac::ZERO, "172.31.0.13")]);
}

#[test]
fn neighbours() {
    let nl = Netlink::open(&Netns::anonymous().unwrap()).unwrap();
    let (index, _) = vxlan(&nl);
    let (second, third) = (mac("fa:16:3e:00:00:02"), mac("fa:16:3e:00:00:03"));
    for address in ["10.1.0.2", "fd00::2"] {
        nl.replace_neigh(index, ip(address), second).unwrap();
        nl.replace_neigh(index, ip(address), third).unwrap();
    }
    nl.add_proxy_neigh(index, ip("10.1.0.9")).unwrap();
    let neighs: Vec<Neigh> = nl.neighs().unwrap().into_iter().filter(|n| n.index == index).collect();
    let proxy = neighs.iter().find(|n| n.proxy).copied();
    assert_eq!(proxy.map(|p| (p.ip, p.mac)), Some((ip("10.1.0.9"), None)));
    let permanent: Vec<Neigh> = neighs.into_iter().filter(|n| !n.proxy).collect();
    let neigh = |address| Neigh { index, ip: ip(address), mac: Some(third), permanent: true, proxy: false };
    assert_eq!(permanent, [neigh("10.1.0.2"), neigh("fd00::2")]);
    nl.delete_neigh(index, ip("10.1.0.2"), false).unwrap();
    nl.delete_neigh(index, ip("10.1.0.9"), true).unwrap();
    let left: Vec<IpAddr> =
        nl.neighs().unwrap().into_iter().filter(|n| n.index == index).map(|n| n.ip).collect();
    assert_eq!(left, [ip("fd00::2")]);
}

#[test]
fn addresses_routes_and_rules() {
    let nl = Netlink::open(&Netns::anonymous().unwrap()).unwrap();
    let dev = bridge(&nl, "qr-1");
    for text in ["10.0.0.1/24", "10.0.0.1/24", "fd00::1/64"] {
        nl.add_addr(dev, net(text), true).unwrap();
    }
    let mut global: Vec<Addr> =
        nl.addrs().unwrap().into_iter().filter(|a| a.index == dev && a.global).collect();
    global.sort();
    let addr = |text| Addr { index: dev, net: net(text), global: true, dynamic: false, tentative: false };
    assert_eq!(global, [addr("10.0.0.1/24"), addr("fd00::1/64")]);

    let default = Route { via: Some(ip("10.0.0.254")), dev: Some(dev), ..Route::new(net("0.0.0.0/0")) };
    let far =
        Route { via: Some(ip("10.0.0.9")), dev: Some(dev), table: 1042, ..Route::new(net("10.9.0.0/16")) };
    let direct = Route { dev: Some(dev), metric: 7, ..Route::new(net("10.8.0.0/16")) };
    let v6 = Route { via: Some(ip("fd00::9")), dev: Some(dev), metric: 100, ..Route::new(net("::/0")) };
    for route in [&default, &far, &direct, &v6, &default] {
        nl.replace_route(route).unwrap();
    }
    let by_hand = || nl.routes().unwrap().into_iter().filter(|r| !r.kernel && r.dev == Some(dev));
    let mut routes: Vec<Route> = by_hand().collect();
    routes.sort();
    let mut expected = vec![default.clone(), far.clone(), direct.clone(), v6.clone()];
    expected.sort();
    assert_eq!(routes, expected);
    for route in expected {
        nl.delete_route(&route).unwrap();
        nl.delete_route(&route).unwrap();
    }
    assert_eq!(by_hand().count(), 0);

    let rule = Rule { priority: 500, from: Some(net("10.0.0.0/24")), iif: None, table: 1042, v6: false };
    let by_device = Rule { priority: 501, from: None, iif: Some("qr-1".into()), table: 16, v6: true };
    for rule in [&rule, &by_device, &rule] {
        nl.add_rule(rule).unwrap();
    }
    let mut rules = nl.rules().unwrap();
    rules.sort();
    assert_eq!(rules, [rule.clone(), by_device.clone()]);
    nl.delete_rule(&rule).unwrap();
    nl.delete_rule(&by_device).unwrap();
    assert_eq!(nl.rules().unwrap(), []);

    nl.delete_addr(dev, net("10.0.0.1/24")).unwrap();
    nl.delete_addr(dev, net("10.0.0.1/24")).unwrap();
}

#[tokio::test]
async fn the_monitor_sees_devices_come_and_go() {
    let ns = Netns::anonymous().unwrap();
    let nl = Netlink::open(&ns).unwrap();
    let mut monitor = Monitor::open(&ns).unwrap();
    let index = bridge(&nl, "tap0");
    nl.delete_link(index).unwrap();
    let (mut came, mut went) = (false, false);
    while !went {
        for event in monitor.events().await.unwrap() {
            match event {
                LinkEvent::Changed(link) => came |= link.name == "tap0",
                LinkEvent::Gone(link) => went |= link.name == "tap0" && link.index == index,
                LinkEvent::Lost => panic!("nothing to lose"),
            }
        }
    }
    assert!(came);
}

#[test]
fn checksums_are_left_to_nobody() {
    let ns = Netns::anonymous().unwrap();
    let nl = Netlink::open(&ns).unwrap();
    nl.add_link("here", &NewLink::Veth { peer: "there", peer_ns: None }).unwrap();
    let features = |device: &str| host::exec::run(&ns, "ethtool", &["-k", device], "").unwrap();
    let both = |how: &str| [format!("rx-checksumming: {how}"), format!("tx-checksumming: {how}")];
    let says = |device: &str, how: &str| both(how).iter().all(|line| features(device).contains(line));
    assert!(says("here", "on") && says("there", "on"), "{}", features("here"));
    host::offload::checksums_off(&ns, "here").unwrap();
    assert!(says("here", "off") && says("there", "on"), "{}", features("here"));
    // Once more is no error; a device that is not there is one.
    host::offload::checksums_off(&ns, "here").unwrap();
    assert!(host::offload::checksums_off(&ns, "nowhere").unwrap_err().is_gone());
}
