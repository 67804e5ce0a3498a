//! Who asks: the port behind an address, found by the server. Answers are kept for a moment, as an instance that
//! boots asks many times.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use model::Mac;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::plugin::Plugin;

/// How long an answer holds.
const CACHE_TIME: Duration = Duration::from_secs(5);
/// Most answers kept.
const CACHE_MAX: usize = 4096;
const OWNERS_OF_ROUTER_PORTS: [&str; 3] = [
    "network:router_interface",
    "network:ha_router_replicated_interface",
    "network:router_interface_distributed",
];

/// Where a request came in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Entrance {
    /// The DHCP server's namespace of a network.
    Network(String),
    /// The namespace of a router.
    Router(String),
}

/// An instance that asks for its metadata.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instance {
    /// Its id: the device id of its port.
    pub instance_id: String,
    /// Its project.
    pub project_id: String,
}

/// Finds instances by their addresses.
pub struct Lookup {
    plugin: Plugin,
    known: Mutex<HashMap<(Entrance, IpAddr), (Instant, Instance)>>,
}

impl Lookup {
    /// Asks the server behind `plugin`.
    pub fn new(plugin: Plugin) -> Lookup {
        Lookup { plugin, known: Mutex::default() }
    }

    /// The instance with `address` behind `entrance`; none when there is none or more than one.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn instance(
        &self,
        entrance: &Entrance,
        address: IpAddr,
        fresh: bool,
    ) -> Result<Option<Instance>, rpc::Error> {
        let key = (entrance.clone(), address);
        let now = Instant::now();
        let known = self.lock().get(&key).filter(|(until, _)| *until > now).map(|(_, who)| who.clone());
        if let (false, Some(instance)) = (fresh, known) {
            return Ok(Some(instance));
        }
        let networks = match entrance {
            Entrance::Network(id) => vec![json!(id)],
            Entrance::Router(id) => {
                let filters = json!({"device_id": [id], "device_owner": OWNERS_OF_ROUTER_PORTS});
                self.ports(filters).await?.iter().map(|port| port["network_id"].clone()).collect()
            }
        };
        let found = match networks.is_empty() {
            true => None,
            false => only(&self.ports(filters(address, &networks)).await?),
        };
        self.remember(key, now, found.clone());
        Ok(found)
    }

    async fn ports(&self, filters: Value) -> Result<Vec<Value>, rpc::Error> {
        let answer = self.plugin.call("get_ports", "1.0", json!({"filters": filters})).await?;
        Ok(match answer {
            Value::Array(ports) => ports,
            _ => Vec::new(),
        })
    }

    fn remember(&self, key: (Entrance, IpAddr), now: Instant, found: Option<Instance>) {
        let mut known = self.lock();
        if known.len() >= CACHE_MAX {
            known.retain(|_, (until, _)| *until > now);
        }
        match found {
            Some(instance) if known.len() < CACHE_MAX => {
                known.insert(key, (now + CACHE_TIME, instance));
            }
            _ => {
                known.remove(&key);
            }
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<(Entrance, IpAddr), (Instant, Instance)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A link-local address is no fixed IP of a port, but the port's MAC address is in it.
fn filters(address: IpAddr, networks: &[Value]) -> Value {
    match mac_of_link_local(address) {
        Some(mac) => json!({"mac_address": [mac.to_string()], "network_id": networks}),
        None => json!({"fixed_ips": {"ip_address": [address]}, "network_id": networks}),
    }
}

fn mac_of_link_local(address: IpAddr) -> Option<Mac> {
    let IpAddr::V6(address) = address else { return None };
    let [.., a, b, c, 0xff, 0xfe, d, e, f] = address.octets() else { return None };
    address.is_unicast_link_local().then_some(Mac([a ^ 0x02, b, c, d, e, f]))
}

/// The only port's instance: with two of them nobody could say who asks.
fn only(ports: &[Value]) -> Option<Instance> {
    let [port] = ports else { return None };
    let text = |key: &str| port.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let project_id = text("project_id").or_else(|| text("tenant_id")).unwrap_or_default().to_owned();
    Some(Instance { instance_id: text("device_id")?.to_owned(), project_id })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_local_address_names_its_mac() {
        let networks = [json!("n")];
        assert_eq!(
            filters("fe80::f816:3eff:fe00:1".parse().unwrap(), &networks),
            json!({"mac_address": ["fa:16:3e:00:00:01"], "network_id": ["n"]})
        );
        for address in ["2001:db8::f816:3eff:fe00:1", "10.0.0.1", "fe80::1"] {
            let filters = filters(address.parse().unwrap(), &networks);
            assert_eq!(filters["fixed_ips"]["ip_address"], json!([address]));
        }
    }

    #[test]
    fn only_one_port_is_an_answer() {
        let port = json!({"device_id": "vm", "tenant_id": "p"});
        let instance = Instance { instance_id: "vm".into(), project_id: "p".into() };
        assert_eq!(only(std::slice::from_ref(&port)), Some(instance));
        assert_eq!(only(&[port.clone(), port]), None);
        assert_eq!(only(&[]), None);
        assert_eq!(only(&[json!({"device_id": "", "project_id": "p"})]), None);
    }
}
