//! Whether everything is as it should be: the database holds what was acknowledged, the DHCP server knows every port,
//! a new instance on the compute host works.

use std::collections::BTreeSet;

use serde_json::Value;

use super::load::{Ledger, Order};
use crate::guide::instances::leased;
use crate::instance::Instance;
use crate::report::words;
use crate::site::{COMPUTE, Site};
use crate::users::Users;

/// All of it.
///
/// # Errors
/// What is not as it should be yet.
pub fn all(site: &Site, order: &Order, ledger: &Ledger, project: &str) -> Result<String, String> {
    let ports = ports(order)?;
    let text = |port: &Value, key: &str| port[key].as_str().unwrap_or_default().to_owned();
    let there: BTreeSet<String> = ports.iter().map(|port| text(port, "id")).collect();
    let faults = ledger.faults(&there);
    if !faults.is_empty() {
        return Err(format!("{} faults, such as {}", faults.len(), faults[0]));
    }
    let served = ports.iter().filter(|port| !text(port, "device_owner").starts_with("network:dhcp"));
    let macs: BTreeSet<String> = served.map(|port| text(port, "mac_address")).collect();
    let known = known_to_dhcp(site, &order.network)?;
    if macs != known {
        let (lacking, left) = (macs.difference(&known).count(), known.difference(&macs).count());
        return Err(format!(
            "of {} ports, the DHCP server lacks {lacking} and has {left} too many",
            macs.len()
        ));
    }
    let new = new_instance(site, project)?;
    Ok(format!("{} ports in the database and in the DHCP server's file; {new}", there.len()))
}

fn ports(order: &Order) -> Result<Vec<Value>, String> {
    let path =
        format!("/ports?network_id={}&fields=id&fields=mac_address&fields=device_owner", order.network);
    let answer = order.target().ask(&order.host, "GET", &path, None)?;
    answer.json()["ports"].as_array().cloned().ok_or_else(|| format!("no ports in {}", answer.body))
}

/// MAC addresses in dnsmasq's file of hosts.
fn known_to_dhcp(site: &Site, network: &str) -> Result<BTreeSet<String>, String> {
    let path = site.controller.path(&format!("/var/lib/neutron/dhcp/{network}/host"));
    let text = std::fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(text.lines().filter_map(|line| line.split(',').next()).map(str::to_owned).collect())
}

/// An instance that is new on the compute host gets a lease and reaches the router.
fn new_instance(site: &Site, project: &str) -> Result<String, String> {
    let instance = Instance::boot_on(site, COMPUTE, "private", "new", &["--tenant-id", project])?;
    let port = instance.plug.port.clone();
    let tap = instance.plug.tap();
    let said = leased(&instance).and_then(|_| instance.ping("172.16.1.1"));
    drop(instance);
    // The device goes with the instance; it may be gone already.
    let _ = site.compute.run(&["ip", "link", "del", &tap]).map_err(words);
    site.neutron(&["port-delete", &port])?;
    said.map(|_| "a new instance has its lease and reaches the router".to_owned())
}
