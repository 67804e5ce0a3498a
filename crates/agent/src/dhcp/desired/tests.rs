//! Namespaces of DHCP servers, how they reload, where they take metadata requests.

use std::path::Path;

use expect_test::expect;
use host::daemon::Reload;
use model::dhcp::{DhcpPort, NetworkInfo};

use super::super::options::Options;
use super::{Served, desired, is_wanted};

fn sample() -> (NetworkInfo, DhcpPort) {
    let network: NetworkInfo = serde_json::from_str(include_str!("../samples/network.json")).unwrap();
    let port = network.ports.iter().find(|port| port.device_id == "dhcp-a").unwrap().clone();
    (network, port)
}

fn served(change: impl FnOnce(&mut NetworkInfo, &mut Options), old_host_file: &str) -> Served {
    let (mut network, port) = sample();
    let mut options = Options::new("net1", Path::new("/s"));
    change(&mut network, &mut options);
    desired(&network, &port, &options, old_host_file)
}

#[test]
fn the_namespace_has_one_device_with_an_address_on_each_served_subnet() {
    let namespace = served(|_, options| options.enable_isolated_metadata = true, "").namespace;
    expect![[r#"
        qdhcp-74f45ea4-8df5-4445-a6e8-dac22316fcf9
        ns-bbbbbbbb-00 tapbbbbbbbb-00 fa:16:3e:00:00:05 Some(1450) [10.1.0.2/24, 10.2.0.2/24, 10.7.0.2/24, 169.254.169.254/32, 2001:db8:1::2/64, 2001:db8:2::2/64, 2001:db8:3::2/64, fe80::a9fe:a9fe/128]
        {Route { destination: 0.0.0.0/0, via: [10.1.0.1], device: Some("ns-bbbbbbbb-00") }, Route { destination: ::/0, via: [2001:db8:1::1], device: Some("ns-bbbbbbbb-00") }}
    "#]]
    .assert_eq(&format!(
        "{}\n{}{:?}\n",
        namespace.name,
        namespace
            .devices
            .iter()
            .map(|(name, d)| format!(
                "{name} {} {} {:?} {:?}\n",
                d.tap().unwrap(),
                d.mac,
                d.mtu,
                d.addresses.iter().collect::<Vec<_>>()
            ))
            .collect::<String>(),
        namespace.routes
    ));
}

#[test]
fn tags_in_the_host_file_ask_for_a_restart() {
    let without = |network: &mut NetworkInfo, _: &mut Options| {
        network.ports.iter_mut().for_each(|port| port.extra_dhcp_opts.clear());
    };
    assert_eq!(served(without, "").dnsmasq.reload, Reload::HangUp);
    assert_eq!(served(without, "mac,name,10.0.0.1,set:port-p\n").dnsmasq.reload, Reload::Restart);
    assert_eq!(served(|_, _| {}, "").dnsmasq.reload, Reload::Restart);
}

#[test]
fn metadata_is_served_where_no_router_does() {
    let count = |change: fn(&mut NetworkInfo, &mut Options)| served(change, "").metadata.len();
    assert_eq!(count(|_, _| {}), 0);
    assert_eq!(count(|_, options| options.enable_isolated_metadata = true), 2);
    let routed = |network: &mut NetworkInfo, options: &mut Options| {
        options.enable_isolated_metadata = true;
        network.subnets.truncate(1);
    };
    assert_eq!(count(routed), 0);
    let forced = |network: &mut NetworkInfo, options: &mut Options| {
        options.force_metadata = true;
        network.subnets.truncate(1);
    };
    assert_eq!(count(forced), 1);
    let metadata_network = |network: &mut NetworkInfo, options: &mut Options| {
        options.enable_isolated_metadata = true;
        options.enable_metadata_network = true;
        network.subnets.truncate(1);
        network.subnets[0].cidr = "169.254.169.240/28".parse().unwrap();
    };
    assert_eq!(count(metadata_network), 1);
}

#[test]
fn a_network_without_served_subnets_or_down_has_no_server() {
    let (mut network, _) = sample();
    assert!(is_wanted(&network));
    network.admin_state_up = false;
    assert!(!is_wanted(&network));
    network.admin_state_up = true;
    network.subnets.iter_mut().for_each(|subnet| subnet.enable_dhcp = false);
    assert!(!is_wanted(&network));
}
