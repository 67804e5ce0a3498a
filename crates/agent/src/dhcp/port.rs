//! The port that a DHCP server answers from: found among the network's ports, taken over, or asked for. Pure.

use std::collections::BTreeSet;

use model::dhcp::{DEVICE_ID_RESERVED_DHCP_PORT, DhcpPort, NetworkInfo};
use serde_json::{Value, json};
use uuid::Uuid;

/// How to come by the port.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// It is there as it should be.
    Use(Box<DhcpPort>),
    /// Change it: its id and the changes.
    Update(String, Value),
    /// Ask for a new one.
    Create(Value),
}

/// The device id of a host's DHCP port on a network; only the first label of the host's name counts, so that
/// it is the same whether the full name is known or not.
pub fn device_id(host: &str, network_id: &str) -> String {
    let label = host.split('.').next().unwrap_or(host);
    format!("dhcp{}-{network_id}", Uuid::new_v5(&Uuid::NAMESPACE_DNS, label.as_bytes()))
}

/// The next step towards our port on the network.
pub fn next_step(network: &NetworkInfo, host: &str) -> Step {
    let device_id = device_id(host, &network.id);
    let served: BTreeSet<&str> =
        network.subnets.iter().filter(|subnet| subnet.enable_dhcp).map(|subnet| subnet.id.as_str()).collect();
    if let Some(port) = network.ports.iter().find(|port| port.device_id == device_id) {
        return step_for(network, port, &served);
    }
    let reserved = |port: &&DhcpPort| port.device_id == DEVICE_ID_RESERVED_DHCP_PORT;
    if let Some(port) = network.ports.iter().find(reserved) {
        return Step::Update(port.id.clone(), json!({"network_id": network.id, "device_id": device_id}));
    }
    let fixed_ips: Vec<Value> = served.iter().map(|subnet_id| json!({"subnet_id": subnet_id})).collect();
    Step::Create(json!({
        "name": "", "admin_state_up": true, "device_id": device_id, "network_id": network.id,
        "project_id": network.project(), "tenant_id": network.project(), "fixed_ips": fixed_ips,
    }))
}

/// The port needs an address on every served subnet and gives up those on subnets no longer served; addresses
/// that come by themselves (SLAAC) do not count.
fn step_for(network: &NetworkInfo, port: &DhcpPort, served: &BTreeSet<&str>) -> Step {
    let own: BTreeSet<&str> = port.fixed_ips.iter().map(|fixed_ip| fixed_ip.subnet_id.as_str()).collect();
    let unserved = network.subnets.iter().filter(|subnet| !subnet.enable_dhcp);
    let given_up = |subnet_id: &str| own.contains(subnet_id);
    let stale =
        unserved.filter(|subnet| subnet.ipv6_address_mode.is_none()).any(|subnet| given_up(&subnet.id));
    if served.is_subset(&own) && !stale {
        return Step::Use(Box::new(port.clone()));
    }
    let kept = port.fixed_ips.iter().filter(|fixed_ip| served.contains(fixed_ip.subnet_id.as_str()));
    let kept = kept.map(|ip| json!({"subnet_id": ip.subnet_id, "ip_address": ip.ip_address}));
    let new = served.difference(&own).map(|subnet_id| json!({"subnet_id": subnet_id}));
    let fixed_ips: Vec<Value> = kept.chain(new).collect();
    Step::Update(port.id.clone(), json!({"network_id": network.id, "fixed_ips": fixed_ips}))
}

/// Puts the port among the network's ports, in the place of what was known of it.
pub fn put(network: &mut NetworkInfo, port: &DhcpPort) {
    match network.ports.iter_mut().find(|known| known.id == port.id) {
        Some(known) => *known = port.clone(),
        None => network.ports.push(port.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(ports: Value) -> NetworkInfo {
        serde_json::from_value(json!({
            "id": "n", "project_id": "p", "ports": ports,
            "subnets": [
                {"id": "a", "ip_version": 4, "cidr": "10.0.0.0/24", "enable_dhcp": true},
                {"id": "b", "ip_version": 4, "cidr": "10.0.1.0/24", "enable_dhcp": true},
                {"id": "c", "ip_version": 4, "cidr": "10.0.2.0/24", "enable_dhcp": false},
                {"id": "d", "ip_version": 6, "cidr": "2001:db8::/64", "enable_dhcp": false, "ipv6_address_mode": "slaac"}]}))
        .unwrap()
    }

    fn ours(device_id: &str, subnets: &[(&str, &str)]) -> Value {
        let fixed_ips: Vec<Value> =
            subnets.iter().map(|(subnet, ip)| json!({"subnet_id": subnet, "ip_address": ip})).collect();
        json!([{"id": "port", "mac_address": "fa:16:3e:00:00:01", "device_id": device_id, "fixed_ips": fixed_ips}])
    }

    const DEVICE_ID: &str = "dhcp2b8d8d04-cb1b-5e3c-b3b4-bbd4bb0a3ff6-n";

    #[test]
    fn the_device_id_is_made_of_the_first_label() {
        assert_eq!(device_id("net1.example.org", "n"), device_id("net1", "n"));
        assert_eq!(device_id("net1", "n").len(), DEVICE_ID.len());
    }

    #[test]
    fn a_new_port_gets_an_address_on_each_served_subnet() {
        let Step::Create(port) = next_step(&network(json!([])), "net1") else { panic!() };
        assert_eq!(port["fixed_ips"], json!([{"subnet_id": "a"}, {"subnet_id": "b"}]));
        assert_eq!(port["device_id"], json!(device_id("net1", "n")));
    }

    #[test]
    fn a_reserved_port_is_taken_over() {
        let step = next_step(&network(ours(DEVICE_ID_RESERVED_DHCP_PORT, &[("a", "10.0.0.2")])), "net1");
        let changes = json!({"network_id": "n", "device_id": device_id("net1", "n")});
        assert_eq!(step, Step::Update("port".to_owned(), changes));
    }

    #[test]
    fn a_port_follows_the_served_subnets() {
        let device_id = device_id("net1", "n");
        let both = &[("a", "10.0.0.2"), ("b", "10.0.1.2"), ("d", "2001:db8::2")];
        assert!(matches!(next_step(&network(ours(&device_id, both)), "net1"), Step::Use(_)));
        let other = &[("a", "10.0.0.2"), ("c", "10.0.2.2")];
        let fixed_ips = json!([{"subnet_id": "a", "ip_address": "10.0.0.2"}, {"subnet_id": "b"}]);
        assert_eq!(
            next_step(&network(ours(&device_id, other)), "net1"),
            Step::Update("port".to_owned(), json!({"network_id": "n", "fixed_ips": fixed_ips}))
        );
        let stale = &[("a", "10.0.0.2"), ("b", "10.0.1.2"), ("c", "10.0.2.2")];
        assert!(matches!(next_step(&network(ours(&device_id, stale)), "net1"), Step::Update(..)));
    }
}
