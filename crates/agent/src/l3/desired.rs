//! What a router is on this host: one namespace with a device for each of its ports. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use ipnet::IpNet;
use model::l3::{Router, RouterPort};

use super::options::Options;
use super::tables;
use crate::netns::{Device, Namespace, Plug, Route, default_route, device_name, onlink_route};

/// How routers' namespaces begin.
pub const NAMESPACE_PREFIX: &str = "qrouter-";
const INTERNAL: &str = "qr-";
const EXTERNAL: &str = "qg-";

/// The namespace of a router.
pub fn namespace_name(router_id: &str) -> String {
    format!("{NAMESPACE_PREFIX}{router_id}")
}

/// The device of a port on a tenant's network.
pub fn internal_device(port: &RouterPort) -> String {
    device_name(INTERNAL, &port.id)
}

/// The device of the gateway port.
pub fn external_device(port: &RouterPort) -> String {
    device_name(EXTERNAL, &port.id)
}

/// Why this agent leaves a router alone; none when it is to be served.
pub fn refusal(router: &Router, options: &Options) -> Option<&'static str> {
    let gateway_network = router.gw_port.as_ref().map(|port| &port.network_id);
    if !router.admin_state_up {
        return Some("it is administratively down");
    }
    if router.distributed {
        return Some("it is distributed and this agent's mode is legacy");
    }
    if router.ha {
        return Some("it is highly available, which this agent does not know");
    }
    if gateway_network.is_none() && !options.handle_internal_only_routers {
        return Some("it has no gateway and handle_internal_only_routers is off");
    }
    match (gateway_network, &options.gateway_external_network_id) {
        (Some(network), Some(ours)) if network != ours => {
            Some("its gateway is not on gateway_external_network_id")
        }
        _ => None,
    }
}

/// The namespace that makes the router.
pub fn desired(router: &Router, options: &Options) -> Namespace {
    let mut namespace = Namespace {
        name: namespace_name(&router.id),
        owned: vec![INTERNAL, EXTERNAL],
        sysctls: sysctls(),
        rules: Some(tables::tables(router, options)),
        rules_are_vital: true,
        ..Namespace::default()
    };
    for port in router.interfaces.iter().filter(|port| port.admin_state_up) {
        namespace.devices.insert(internal_device(port), device(port, false, options.interfaces.plug(None)));
    }
    if let Some(gateway) = &router.gw_port {
        add_gateway(router, gateway, options, &mut namespace);
    }
    add_extra_routes(router, &mut namespace.routes);
    namespace
}

/// The operator's routes; several to one destination share its traffic, and one to everywhere takes the place
/// of the gateway's.
fn add_extra_routes(router: &Router, routes: &mut BTreeSet<Route>) {
    let mut hops: BTreeMap<IpNet, BTreeSet<IpAddr>> = BTreeMap::new();
    for route in &router.routes {
        hops.entry(route.destination.trunc()).or_default().insert(route.nexthop);
    }
    routes.retain(|route| !hops.contains_key(&route.destination));
    let extra = hops.into_iter().map(|(destination, hops)| Route {
        destination,
        via: hops.into_iter().collect(),
        device: None,
    });
    routes.extend(extra);
}

/// Forwarding, strict ARP (an address is answered for only where it is), and patience with TCP windows that
/// connection tracking did not see scaled.
fn sysctls() -> BTreeMap<String, String> {
    let values = [
        ("net/netfilter/nf_conntrack_tcp_be_liberal", "1"),
        ("net/ipv4/ip_forward", "1"),
        ("net/ipv4/conf/all/arp_ignore", "1"),
        ("net/ipv4/conf/all/arp_announce", "2"),
        ("net/ipv6/conf/all/forwarding", "1"),
    ];
    values.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

fn device(port: &RouterPort, external: bool, plug: Plug) -> Device {
    let addresses = port.fixed_ips.iter().filter_map(|fixed_ip| {
        let host = if fixed_ip.ip_address.is_ipv4() { 32 } else { 128 };
        IpNet::new(fixed_ip.ip_address, fixed_ip.prefixlen.unwrap_or(host)).ok()
    });
    Device {
        addresses: addresses.collect(),
        announce: true,
        forget: external,
        ..Device::of_port(&port.id, &port.mac_address, port.mtu, plug)
    }
}

fn add_gateway(router: &Router, gateway: &RouterPort, options: &Options, namespace: &mut Namespace) {
    let name = external_device(gateway);
    let plug = options.interfaces.plug(options.external_bridge.as_deref());
    let mut device = device(gateway, true, plug);
    device.addresses.extend(tables::translated(router).map(|(_, floating, _)| IpNet::from(floating)));
    let subnets = gateway.subnets.iter();
    let mut gateways: Vec<IpAddr> = subnets.filter_map(|subnet| subnet.gateway_ip).collect();
    if !gateways.iter().any(IpAddr::is_ipv6) {
        gateways.extend(options.ipv6_gateway.map(IpAddr::from));
    }
    // Without a gateway of its own the device listens to the provider's advertisements, though it forwards.
    let accept_ra = if gateways.iter().any(IpAddr::is_ipv6) { "0" } else { "2" };
    device.sysctls = BTreeMap::from([
        (format!("net/ipv6/conf/{name}/accept_ra"), accept_ra.to_owned()),
        (format!("net/ipv6/conf/{name}/forwarding"), "1".to_owned()),
    ]);
    namespace.devices.insert(name.clone(), device);
    // The external network's other subnets are on its wire. An internal network's other subnets have interfaces of
    // their own or are not this router's: no route, as upstream.
    let others = gateway.extra_subnets.iter().map(|subnet| onlink_route(subnet.cidr.trunc(), &name));
    namespace.routes.extend(others);
    for gateway_ip in gateways.iter().copied() {
        let reachable = gateway.subnets.iter().any(|subnet| subnet.cidr.contains(&gateway_ip));
        let link_local = matches!(gateway_ip, IpAddr::V6(ip) if ip.is_unicast_link_local());
        if !reachable && !link_local {
            namespace.routes.insert(onlink_route(IpNet::from(gateway_ip), &name));
        }
    }
    for version6 in [false, true] {
        // One default route a family: the kernel keeps only one of a metric.
        if let Some(first) = gateways.iter().find(|ip| ip.is_ipv6() == version6) {
            namespace.routes.insert(default_route(*first, &name));
        }
    }
}

#[cfg(test)]
mod tests;
