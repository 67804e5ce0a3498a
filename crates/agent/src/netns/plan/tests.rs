//! Plans of small namespaces.

use std::collections::{BTreeMap, BTreeSet};

use expect_test::{Expect, expect};

use super::super::{
    Device, Found, FoundDevice, FoundTap, Namespace, Plug, Route, default_route, onlink_route, tap_of,
};
use super::plan;

fn net(text: &str) -> ipnet::IpNet {
    text.parse().unwrap()
}

fn desired(addresses: &[&str]) -> Namespace {
    let mut device = Device::of_port("0123456789abcdef", "FA:16:3E:00:00:01", Some(1450), Plug::Tap);
    device.addresses = addresses.iter().map(|text| net(text)).collect();
    device.announce = true;
    device.forget = true;
    Namespace {
        name: "qrouter-r".to_owned(),
        owned: vec!["qr-", "qg-"],
        devices: BTreeMap::from([("qg-0123456789a".to_owned(), device)]),
        routes: [default_route([172, 24, 4, 1].into(), "qg-0123456789a")].into(),
        ..Namespace::default()
    }
}

/// The namespace that `desired` asks for.
fn found(desired: &Namespace) -> Found {
    let device = |device: &Device| FoundDevice {
        mac: device.mac.clone(),
        mtu: device.mtu.unwrap_or(1500),
        up: true,
        addresses: device.addresses.iter().map(|net| (*net, false)).collect(),
        tap: device.tap().map(|_| FoundTap { mtu: device.mtu.unwrap_or(1500), up: true }),
    };
    Found {
        ports: desired.devices.iter().filter_map(|(name, wanted)| wanted.switch_port(name)).collect(),
        outside: BTreeSet::new(),
        devices: desired.devices.iter().map(|(name, wanted)| (name.clone(), device(wanted))).collect(),
        routes: desired.routes.clone(),
    }
}

fn check(desired: &Namespace, found: &Found, expected: &Expect) {
    let lines: Vec<String> = plan(desired, found).iter().map(|change| format!("{change:?}\n")).collect();
    expected.assert_eq(&lines.concat());
}

#[test]
fn what_is_right_stays() {
    let wanted = desired(&["172.24.4.10/24"]);
    let mut there = found(&wanted);
    check(&wanted, &there, &expect![""]);
    // The kernel's link-local address, a SLAAC address and loopback are not ours.
    let device = there.devices.get_mut("qg-0123456789a").unwrap();
    device.addresses.insert(net("fe80::1/64"), false);
    device.addresses.insert(net("2001:db8::1/64"), true);
    there.devices.insert("lo".to_owned(), FoundDevice::default());
    check(&wanted, &there, &expect![""]);
}

#[test]
fn a_namespace_is_made_in_order() {
    check(
        &desired(&["172.24.4.10/24"]),
        &Found::default(),
        &expect![[r#"
        AddDevice("qg-0123456789a")
        AddAddress("qg-0123456789a", 172.24.4.10/24)
        AddRoute(Route { destination: 0.0.0.0/0, via: [172.24.4.1], device: Some("qg-0123456789a") })
        Announce("qg-0123456789a", 172.24.4.10)
    "#]],
    );
}

#[test]
fn an_address_that_goes_takes_its_connections_along() {
    let there = found(&desired(&["172.24.4.10/24", "172.24.4.20/32"]));
    check(
        &desired(&["172.24.4.10/24", "172.24.4.30/32"]),
        &there,
        &expect![[r#"
        DeleteAddress("qg-0123456789a", 172.24.4.20/32)
        Forget(172.24.4.20)
        AddAddress("qg-0123456789a", 172.24.4.30/32)
        Announce("qg-0123456789a", 172.24.4.30)
    "#]],
    );
}

#[test]
fn drift_is_repaired() {
    let wanted = desired(&["172.24.4.10/24"]);
    let mut there = found(&wanted);
    let device = there.devices.get_mut("qg-0123456789a").unwrap();
    device.mac = "02:00:00:00:00:00".to_owned();
    device.mtu = 1500;
    device.tap = Some(FoundTap { mtu: 1450, up: false });
    device.addresses = BTreeMap::from([(net("172.24.4.10/24"), true)]);
    there.devices.insert("qr-gone".to_owned(), FoundDevice::default());
    there.routes =
        [Route { destination: net("10.9.0.0/16"), via: Vec::new(), device: Some("lo".to_owned()) }].into();
    check(
        &wanted,
        &there,
        &expect![[r#"
        DeleteRoute(Route { destination: 10.9.0.0/16, via: [], device: Some("lo") })
        DeleteDevice("qr-gone")
        SetMac("qg-0123456789a")
        SetMtu("qg-0123456789a")
        SetUp("qg-0123456789a")
        DeleteAddress("qg-0123456789a", 172.24.4.10/24)
        AddAddress("qg-0123456789a", 172.24.4.10/24)
        AddRoute(Route { destination: 0.0.0.0/0, via: [172.24.4.1], device: Some("qg-0123456789a") })
        Announce("qg-0123456789a", 172.24.4.10)
    "#]],
    );
}

#[test]
fn a_device_without_its_other_end_is_made_again() {
    let wanted = desired(&[]);
    let mut there = found(&wanted);
    there.devices.get_mut("qg-0123456789a").unwrap().tap = None;
    check(
        &wanted,
        &there,
        &expect![[r#"
        DeleteDevice("qg-0123456789a")
        AddDevice("qg-0123456789a")
    "#]],
    );
}

#[test]
fn the_way_to_a_gateway_outside_comes_before_the_route_through_it() {
    let mut wanted = desired(&["172.24.4.10/24"]);
    let there = found(&wanted);
    wanted.routes = [
        default_route([10, 0, 0, 1].into(), "qg-0123456789a"),
        onlink_route(net("10.0.0.1/32"), "qg-0123456789a"),
    ]
    .into();
    check(
        &wanted,
        &there,
        &expect![[r#"
        DeleteRoute(Route { destination: 0.0.0.0/0, via: [172.24.4.1], device: Some("qg-0123456789a") })
        AddRoute(Route { destination: 10.0.0.1/32, via: [], device: Some("qg-0123456789a") })
        AddRoute(Route { destination: 0.0.0.0/0, via: [10.0.0.1], device: Some("qg-0123456789a") })
    "#]],
    );
}

const NAME: &str = "qg-0123456789a";

fn switched(plug: Plug) -> Namespace {
    let mut wanted = desired(&["172.24.4.10/24"]);
    wanted.devices.get_mut(NAME).unwrap().plug = plug;
    wanted
}

#[test]
fn ports_of_the_switch_are_adopted() {
    for plug in [Plug::Internal("br-int".to_owned()), Plug::SwitchedTap("br-int".to_owned())] {
        let wanted = switched(plug);
        check(&wanted, &found(&wanted), &expect![""]);
    }
    assert_eq!(
        (tap_of("qg-0123456789a").as_str(), tap_of("tap0123").as_str()),
        ("tap0123456789a", "tap0123")
    );
}

#[test]
fn a_port_that_the_switch_made_once_more_is_moved_in() {
    let wanted = switched(Plug::Internal("br-ex".to_owned()));
    let mut there = found(&wanted);
    there.outside.insert(NAME.to_owned());
    check(
        &wanted,
        &there,
        &expect![[r#"
            DropDevice("qg-0123456789a")
            AddDevice("qg-0123456789a")
            AddAddress("qg-0123456789a", 172.24.4.10/24)
            Announce("qg-0123456789a", 172.24.4.10)
        "#]],
    );
}

#[test]
fn a_port_on_another_bridge_is_made_again() {
    let there = found(&switched(Plug::Internal("br-int".to_owned())));
    check(
        &switched(Plug::Internal("br-ex".to_owned())),
        &there,
        &expect![[r#"
            DeleteDevice("qg-0123456789a")
            AddDevice("qg-0123456789a")
            AddAddress("qg-0123456789a", 172.24.4.10/24)
            Announce("qg-0123456789a", 172.24.4.10)
        "#]],
    );
}

#[test]
fn a_pair_that_was_unplugged_is_plugged() {
    let wanted = switched(Plug::SwitchedTap("br-int".to_owned()));
    let mut there = found(&wanted);
    there.ports.clear();
    check(
        &wanted,
        &there,
        &expect![[r#"
        PlugTap("qg-0123456789a")
    "#]],
    );
}
