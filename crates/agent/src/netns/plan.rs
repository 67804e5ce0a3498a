//! What has to change in a namespace: removals first, then devices, addresses, routes. Pure. The effects that
//! leave no state behind (telling neighbours, dropping connections) are decided here, as only here both sides
//! of a transition are seen.

use std::net::IpAddr;

use ipnet::IpNet;

use super::{Device, Found, FoundDevice, Namespace, Plug, Route};
use crate::dhcp::options::METADATA_V6;

/// One step towards the desired namespace. Devices are named by their end inside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Take a route away.
    DeleteRoute(Route),
    /// Take a device and what it is on the host away: the other end, the switch's port.
    DeleteDevice(String),
    /// Take a device away that its port of the switch has left.
    DropDevice(String),
    /// Make a device, or move in the one that waits on the host, and bring it up.
    AddDevice(String),
    /// Make the device's other end a port of the switch.
    PlugTap(String),
    /// Give a device its port's MAC address.
    SetMac(String),
    /// Give both ends the network's MTU.
    SetMtu(String),
    /// Bring both ends up.
    SetUp(String),
    /// Take an address away.
    DeleteAddress(String, IpNet),
    /// Drop the connections through an address.
    Forget(IpAddr),
    /// Add an address.
    AddAddress(String, IpNet),
    /// Add or replace a route.
    AddRoute(Route),
    /// Tell the neighbours where an address is now.
    Announce(String, IpAddr),
}

/// The steps from `found` to `desired`; none when all is right.
pub fn plan(desired: &Namespace, found: &Found) -> Vec<Change> {
    let mut changes = Vec::new();
    for route in &found.routes {
        if !desired.routes.iter().any(|wanted| is_same_route(wanted, route)) {
            changes.push(Change::DeleteRoute(route.clone()));
        }
    }
    for name in found.devices.keys() {
        let ours = desired.owned.iter().any(|prefix| name.starts_with(prefix));
        if ours && !desired.devices.contains_key(name) {
            changes.push(Change::DeleteDevice(name.clone()));
        }
    }
    for (name, device) in &desired.devices {
        match found.devices.get(name) {
            None => plan_new(name, device, &mut changes),
            Some(there) => match wiring(name, device, there, found) {
                Wiring::Right => plan_device(name, device, there, &mut changes),
                Wiring::Unplugged => {
                    changes.push(Change::PlugTap(name.clone()));
                    plan_device(name, device, there, &mut changes);
                }
                Wiring::Left => {
                    changes.push(Change::DropDevice(name.clone()));
                    plan_new(name, device, &mut changes);
                }
                Wiring::Wrong => {
                    changes.push(Change::DeleteDevice(name.clone()));
                    plan_new(name, device, &mut changes);
                }
            },
        }
    }
    // On-link routes come first: they are what makes a next hop outside of the subnets reachable.
    let (onlink, through): (Vec<_>, Vec<_>) = desired
        .routes
        .iter()
        .filter(|wanted| !found.routes.iter().any(|route| is_same_route(wanted, route)))
        .partition(|route| route.via.is_empty());
    changes.extend(onlink.into_iter().chain(through).cloned().map(Change::AddRoute));
    announce(desired, &mut changes);
    changes
}

/// How a device's connection with the host is.
enum Wiring {
    Right,
    /// The end on the host is no port of the switch.
    Unplugged,
    /// The switch was started anew and has made the port's device once more: this one leads nowhere. Only
    /// switches that are no part of the kernel do that.
    Left,
    /// Start afresh.
    Wrong,
}

fn wiring(name: &str, device: &Device, there: &FoundDevice, found: &Found) -> Wiring {
    let wanted = device.switch_port(name);
    let plugged = wanted.is_none_or(|(port, wanted)| found.ports.get(&port) == Some(&wanted));
    match (&device.plug, &there.tap) {
        (Plug::Internal(_), None) if plugged && found.outside.contains(name) => Wiring::Left,
        (Plug::Internal(_), None) if plugged => Wiring::Right,
        (Plug::Tap | Plug::SwitchedTap(_), Some(_)) if plugged => Wiring::Right,
        (Plug::SwitchedTap(_), Some(_)) => Wiring::Unplugged,
        // The other end is gone only when somebody renamed or moved it.
        _ => Wiring::Wrong,
    }
}

fn plan_new(name: &str, device: &Device, changes: &mut Vec<Change>) {
    changes.push(Change::AddDevice(name.to_owned()));
    changes.extend(device.addresses.iter().map(|net| Change::AddAddress(name.to_owned(), *net)));
}

fn plan_device(name: &str, device: &Device, found: &FoundDevice, changes: &mut Vec<Change>) {
    if device.mac != found.mac {
        changes.push(Change::SetMac(name.to_owned()));
    }
    let tap = found.tap.as_ref();
    if device.mtu.is_some_and(|mtu| mtu != found.mtu || tap.is_some_and(|tap| mtu != tap.mtu)) {
        changes.push(Change::SetMtu(name.to_owned()));
    }
    if !found.up || tap.is_some_and(|tap| !tap.up) {
        changes.push(Change::SetUp(name.to_owned()));
    }
    for (net, kernels) in &found.addresses {
        let wanted = device.addresses.contains(net);
        let stays = if wanted { !kernels } else { *kernels || is_foreign_link_local(net) };
        if !stays {
            changes.push(Change::DeleteAddress(name.to_owned(), *net));
        }
        if !stays && !wanted && device.forget {
            changes.push(Change::Forget(net.addr()));
        }
    }
    for net in &device.addresses {
        if found.addresses.get(net) != Some(&false) {
            changes.push(Change::AddAddress(name.to_owned(), *net));
        }
    }
}

/// The kernel's own link-local address is not ours to remove; the metadata address is.
fn is_foreign_link_local(net: &IpNet) -> bool {
    match net.addr() {
        IpAddr::V4(_) => false,
        IpAddr::V6(address) => address.is_unicast_link_local() && address.to_string() != METADATA_V6,
    }
}

fn is_same_route(wanted: &Route, found: &Route) -> bool {
    wanted.destination == found.destination
        && wanted.via == found.via
        && (wanted.device.is_none() || wanted.device == found.device)
}

/// Neighbours are told last, when everything that their packets meet is in place.
fn announce(desired: &Namespace, changes: &mut Vec<Change>) {
    let said: Vec<Change> = changes
        .iter()
        .filter_map(|change| match change {
            Change::AddAddress(name, net) => {
                let device = desired.devices.get(name)?;
                device.announce.then(|| Change::Announce(name.clone(), net.addr()))
            }
            _ => None,
        })
        .collect();
    changes.extend(said);
}

#[cfg(test)]
mod tests;
