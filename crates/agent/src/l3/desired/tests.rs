//! Routers against what Neutron 29's own agent makes of the same data.

use std::path::Path;

use expect_test::expect;
use host::iptables::{Family, Ruleset};
use model::l3::Router;

use super::super::options::Options;
use super::super::{radvd, tables};
use super::{desired, refusal};

fn router() -> Router {
    serde_json::from_str(include_str!("../samples/router.json")).unwrap()
}

fn options() -> Options {
    Options::new("net1", Path::new("/s"))
}

/// The rules by chain, in the layout of the recorded samples.
fn listing(rules: &Ruleset) -> String {
    let mut text = String::new();
    for (version, family) in [(4, Family::V4), (6, Family::V6)] {
        let mut tables: Vec<_> = rules.tables(family).collect();
        tables.sort_by_key(|(table, _)| table.word());
        for (table, rules) in tables {
            let mut chains: Vec<_> = rules.chains.iter().chain(&rules.shared).collect();
            chains.sort();
            for (chain, rules) in chains {
                text.push_str(&format!("{version} {} {chain}\n", table.word()));
                text.extend(rules.iter().map(|rule| format!("    {rule}\n")));
            }
        }
    }
    text
}

#[test]
fn rules_are_those_that_neutron_writes() {
    let mut router = router();
    expect_test::expect_file!["../samples/gateway.txt"]
        .assert_eq(&listing(&tables::tables(&router, &options())));
    router.enable_snat = Some(false);
    expect_test::expect_file!["../samples/snat-disabled.txt"]
        .assert_eq(&listing(&tables::tables(&router, &options())));
    router.enable_snat = Some(true);
    router.gw_port = None;
    router.floatingips.clear();
    expect_test::expect_file!["../samples/internal-only.txt"]
        .assert_eq(&listing(&tables::tables(&router, &options())));
}

#[test]
fn radvd_says_what_neutron_lets_it_say() {
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let text = radvd::config(&router(), &options()).unwrap();
    assert_eq!(words(&text), words(include_str!("../samples/radvd.txt")));
    let mut without = router();
    without.interfaces.iter_mut().for_each(|port| port.subnets.truncate(1));
    assert_eq!(radvd::config(&without, &options()), None);
}

#[test]
fn a_router_is_a_namespace_with_its_ports() {
    let namespace = desired(&router(), &options());
    let mut text = format!("{}\n", namespace.name);
    for (name, device) in &namespace.devices {
        let addresses: Vec<_> = device.addresses.iter().collect();
        text.push_str(&format!("{name} {} {:?} {addresses:?}\n", device.tap().unwrap(), device.mtu));
    }
    for route in &namespace.routes {
        text.push_str(&format!("{} via {:?} dev {:?}\n", route.destination, route.via, route.device));
    }
    expect![[r#"
        qrouter-72c207b4-44a8-40a8-a131-99923d1c61d1
        qg-e8db39a5-3d tape8db39a5-3d Some(1500) [203.0.113.171/32, 203.0.113.172/32, 203.0.113.250/24]
        qr-45056033-6c tap45056033-6c Some(1450) [192.168.1.1/24, 2001:db8:5::1/64]
        qr-55056033-6c tap55056033-6c Some(1450) [10.5.0.1/24, 2001:db8:6::1/64]
        0.0.0.0/0 via [203.0.113.1] dev Some("qg-e8db39a5-3d")
        10.20.0.0/16 via [192.168.1.9] dev None
        198.51.100.0/24 via [] dev Some("qg-e8db39a5-3d")
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_gateway_outside_of_its_subnet_is_reached_directly() {
    let mut router = router();
    let gateway = router.gw_port.as_mut().unwrap();
    gateway.subnets[0].gateway_ip = Some("100.64.0.1".parse().unwrap());
    gateway.extra_subnets.clear();
    router.routes.clear();
    let routes: Vec<String> = desired(&router, &options())
        .routes
        .iter()
        .map(|r| format!("{} {:?}", r.destination, r.via))
        .collect();
    assert_eq!(routes, ["0.0.0.0/0 [100.64.0.1]", "100.64.0.1/32 []"]);
}

#[test]
fn extra_routes_share_a_destination_and_override_the_gateway() {
    let mut router = router();
    router.gw_port.as_mut().unwrap().extra_subnets.clear();
    let route = |destination: &str, nexthop: &str| model::l3::ExtraRoute {
        destination: destination.parse().unwrap(),
        nexthop: nexthop.parse().unwrap(),
    };
    router.routes = vec![
        route("10.20.0.0/16", "192.168.1.9"),
        route("10.20.0.0/16", "192.168.1.8"),
        route("0.0.0.0/0", "10.5.0.7"),
    ];
    let routes: Vec<String> = desired(&router, &options())
        .routes
        .iter()
        .map(|r| format!("{} {:?}", r.destination, r.via))
        .collect();
    assert_eq!(routes, ["0.0.0.0/0 [10.5.0.7]", "10.20.0.0/16 [192.168.1.8, 192.168.1.9]"]);
}

#[test]
fn other_subnets_of_an_internal_network_have_no_route() {
    let mut router = router();
    let external = router.gw_port.as_ref().unwrap().extra_subnets.clone();
    let before = desired(&router, &options()).routes;
    router.interfaces[0].extra_subnets = external;
    router.interfaces[0].extra_subnets[0].cidr = "172.16.9.0/24".parse().unwrap();
    assert_eq!(desired(&router, &options()).routes, before);
}

#[test]
fn a_port_that_is_down_has_no_device() {
    let mut router = router();
    router.interfaces[0].admin_state_up = false;
    assert!(!desired(&router, &options()).devices.contains_key("qr-45056033-6c"));
}

#[test]
fn some_routers_are_not_for_this_agent() {
    let mut options = options();
    assert_eq!(refusal(&router(), &options), None);
    options.gateway_external_network_id = Some("another".to_owned());
    assert!(refusal(&router(), &options).unwrap().contains("gateway_external_network_id"));
    let mut router = router();
    router.gw_port = None;
    assert_eq!(refusal(&router, &options), None);
    options.handle_internal_only_routers = false;
    assert!(refusal(&router, &options).unwrap().contains("handle_internal_only_routers"));
    router.ha = true;
    assert!(refusal(&router, &options).unwrap().contains("highly available"));
    router.admin_state_up = false;
    assert!(refusal(&router, &options).unwrap().contains("administratively down"));
}
