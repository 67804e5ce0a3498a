//! From the bridges that are to those that should be: single steps in the order in which they
//! can be done. Pure.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use host::netlink::{Addr, Fdb, Kind, Link, Neigh, Route, VxlanSpec};
use ipnet::IpNet;
use model::{Mac, names};

use super::desired::{Bridge, Desired, Tap, Uplink, UplinkKind};
use crate::l2::view::FdbTable;

/// What is on the host: one dump of each kind.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// Devices by name.
    pub links: BTreeMap<String, Link>,
    /// Addresses; only read when a bridge may have to take some over.
    pub addrs: Vec<Addr>,
    /// Routes; likewise.
    pub routes: Vec<Route>,
    /// Forwarding entries of VXLAN devices.
    pub fdbs: Vec<Fdb>,
    /// Neighbour entries.
    pub neighs: Vec<Neigh>,
}

/// A step, and the network it is for: if it fails, that network's later steps are left out.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The network's id.
    pub network: String,
    /// What to do.
    pub action: Action,
}

/// One change. Devices by name, as some do not exist yet when the plan is made.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Make a bridge, up, with or without IPv6 of its own.
    AddBridge { name: String, silent: bool },
    /// Make a VLAN subinterface, up.
    AddVlan { name: String, parent: String, id: u16 },
    /// Make a tunnel end.
    AddVxlan { name: String, parent: String, spec: VxlanSpec, mtu: Option<u32> },
    /// Remove a device.
    Delete { name: String },
    /// Set up or down.
    SetUp { name: String, up: bool },
    /// Set the MTU.
    SetMtu { name: String, mtu: u32 },
    /// Put into a bridge, or out of any.
    SetMaster { name: String, bridge: Option<String> },
    /// Put an interface into a bridge (or out), and its addresses and routes onto it (or back).
    Move { from: String, to: String, enslave: bool, addrs: Vec<IpNet>, routes: Vec<Route> },
    /// Add a forwarding entry.
    AddFdb { device: String, mac: Mac, dst: IpAddr },
    /// Remove one.
    DeleteFdb { device: String, mac: Mac, dst: IpAddr },
    /// Add a neighbour entry.
    AddNeigh { device: String, ip: IpAddr, mac: Mac },
    /// Remove one.
    DeleteNeigh { device: String, ip: IpAddr },
}

impl Facts {
    fn index(&self, name: &str) -> Option<u32> {
        self.links.get(name).map(|link| link.index)
    }

    fn master_of(&self, link: &Link) -> Option<&str> {
        let master = link.master?;
        self.links.values().find(|l| l.index == master).map(|l| l.name.as_str())
    }

    /// Addresses and routes by hand of a device that another one has to take over.
    fn belongings(&self, name: &str) -> (Vec<IpNet>, Vec<Route>) {
        let Some(index) = self.index(name) else { return Default::default() };
        let addrs = self.addrs.iter().filter(|a| a.index == index && a.global && !a.dynamic);
        let routes = self.routes.iter().filter(|r| r.dev == Some(index) && !r.kernel);
        (addrs.map(|a| a.net).collect(), routes.cloned().collect())
    }
}

/// The steps from `facts` to `desired`, and those that remove the networks in `deleted`.
#[must_use]
pub fn plan(
    desired: &Desired,
    facts: &Facts,
    deleted: &BTreeSet<String>,
    physical: &BTreeSet<String>,
) -> Vec<Step> {
    let mut steps = Vec::new();
    for (name, bridge) in &desired.bridges {
        plan_bridge(name, bridge, facts, &mut steps);
    }
    for (name, uplink) in &desired.uplinks {
        plan_uplink(name, uplink, facts, &mut steps);
    }
    for (name, tap) in &desired.taps {
        plan_tap(name, tap, facts, &mut steps);
    }
    for (device, table) in &desired.fdb {
        let network = desired.uplinks.get(device).map(|u| u.network.clone()).unwrap_or_default();
        let actions = plan_fdb(device, table, facts);
        steps.extend(actions.into_iter().map(|action| Step { network: network.clone(), action }));
    }
    let wanted = desired.networks();
    for network in deleted.iter().filter(|network| !wanted.contains(network.as_str())) {
        plan_delete(network, facts, physical, &mut steps);
    }
    steps
}

fn plan_bridge(name: &str, bridge: &Bridge, facts: &Facts, steps: &mut Vec<Step>) {
    let mut step = |action| steps.push(Step { network: bridge.network.clone(), action });
    match facts.links.get(name) {
        None if bridge.ours => step(Action::AddBridge { name: name.to_owned(), silent: bridge.silent }),
        // An operator's bridge that is missing shows as the failure of the steps that need it.
        None => {}
        Some(link) if !link.up => step(Action::SetUp { name: name.to_owned(), up: true }),
        Some(_) => {}
    }
}

/// Whether an existing tunnel end is the wanted one.
fn same_tunnel(now: &VxlanSpec, wanted: &VxlanSpec, parent: Option<u32>) -> bool {
    let port = wanted.port == 0 || now.port == wanted.port;
    now.vni == wanted.vni
        && now.group == wanted.group
        && (wanted.local.is_none() || now.local == wanted.local)
        && now.proxy == wanted.proxy
        && (now.link == parent || parent.is_none())
        && port
}

fn plan_uplink(name: &str, uplink: &Uplink, facts: &Facts, steps: &mut Vec<Step>) {
    let mut step = |action| steps.push(Step { network: uplink.network.clone(), action });
    let owned = name.to_owned();
    let mut now = facts.links.get(name);
    match &uplink.kind {
        UplinkKind::Physical => {}
        UplinkKind::Vlan { parent, id } => {
            if now.is_none() {
                step(Action::AddVlan { name: owned.clone(), parent: parent.clone(), id: *id });
            }
        }
        UplinkKind::Vxlan { parent, spec } => {
            let fits = |link: &&Link| match &link.kind {
                Kind::Vxlan(now) => same_tunnel(now, spec, facts.index(parent)),
                _ => false,
            };
            if now.is_some() && !now.as_ref().is_some_and(fits) {
                step(Action::Delete { name: owned.clone() });
                now = None;
            }
            if now.is_none() {
                let (parent, spec, mtu) = (parent.clone(), spec.clone(), uplink.mtu);
                step(Action::AddVxlan { name: owned.clone(), parent, spec, mtu });
            }
        }
    }
    if let (Some(link), Some(mtu)) = (now, uplink.mtu.filter(|mtu| now.is_some_and(|l| l.mtu != *mtu))) {
        step(Action::SetMtu { name: link.name.clone(), mtu });
    }
    let master = now.and_then(|link| facts.master_of(link));
    let (addrs, routes) = match uplink.kind {
        UplinkKind::Vxlan { .. } => Default::default(),
        UplinkKind::Physical | UplinkKind::Vlan { .. } => facts.belongings(name),
    };
    if !addrs.is_empty() || !routes.is_empty() {
        step(Action::Move { from: owned.clone(), to: uplink.bridge.clone(), enslave: true, addrs, routes });
    } else if master != Some(uplink.bridge.as_str()) {
        step(Action::SetMaster { name: owned.clone(), bridge: Some(uplink.bridge.clone()) });
    }
    if !now.is_some_and(|link| link.up) {
        step(Action::SetUp { name: owned, up: true });
    }
}

fn plan_tap(name: &str, tap: &Tap, facts: &Facts, steps: &mut Vec<Step>) {
    let mut step = |action| steps.push(Step { network: tap.network.clone(), action });
    let Some(link) = facts.links.get(name) else { return };
    if let Some(mtu) = tap.mtu.filter(|mtu| *mtu != link.mtu) {
        step(Action::SetMtu { name: name.to_owned(), mtu });
    }
    if facts.master_of(link) != Some(tap.bridge.as_str()) {
        step(Action::SetMaster { name: name.to_owned(), bridge: Some(tap.bridge.clone()) });
    }
    if link.up != tap.up {
        step(Action::SetUp { name: name.to_owned(), up: tap.up });
    }
}

fn plan_fdb(device: &str, table: &FdbTable, facts: &Facts) -> Vec<Action> {
    let index = facts.index(device);
    let name = || device.to_owned();
    let now: BTreeSet<(Mac, IpAddr)> =
        facts.fdbs.iter().filter(|f| Some(f.index) == index && f.permanent).map(|f| (f.mac, f.dst)).collect();
    let flood = table.flood.iter().map(|dst| (Mac::ZERO, *dst));
    let then: BTreeSet<(Mac, IpAddr)> =
        flood.chain(table.macs.iter().map(|(mac, dst)| (*mac, *dst))).collect();
    let mut actions = Vec::new();
    for (mac, dst) in now.difference(&then) {
        // An address that moved is replaced by the entry below, without a gap.
        if *mac == Mac::ZERO || !table.macs.contains_key(mac) {
            actions.push(Action::DeleteFdb { device: name(), mac: *mac, dst: *dst });
        }
    }
    let added =
        then.difference(&now).map(|(mac, dst)| Action::AddFdb { device: name(), mac: *mac, dst: *dst });
    actions.extend(added);
    let neighs = facts.neighs.iter().filter(|n| Some(n.index) == index && n.permanent && !n.proxy);
    let now: BTreeMap<IpAddr, Option<Mac>> = neighs.map(|n| (n.ip, n.mac)).collect();
    let gone = now.keys().filter(|ip| !table.neighbours.contains_key(*ip));
    actions.extend(gone.map(|ip| Action::DeleteNeigh { device: name(), ip: *ip }));
    let new = table.neighbours.iter().filter(|(ip, mac)| now.get(*ip) != Some(&Some(**mac)));
    actions.extend(new.map(|(ip, mac)| Action::AddNeigh { device: name(), ip: *ip, mac: *mac }));
    actions
}

/// Removes a network's bridge with what is ours in it, once no port is plugged into it.
fn plan_delete(network: &str, facts: &Facts, physical: &BTreeSet<String>, steps: &mut Vec<Step>) {
    let bridge = names::bridge(network);
    let Some(link) = facts.links.get(&bridge) else { return };
    let ports: Vec<&Link> = facts.links.values().filter(|l| l.master == Some(link.index)).collect();
    if ports.iter().any(|port| names::is_tap(&port.name)) {
        return;
    }
    let mut step = |action| steps.push(Step { network: network.to_owned(), action });
    let (addrs, routes) = facts.belongings(&bridge);
    let mut heir = false;
    for port in ports {
        let name = port.name.clone();
        let inherits = !heir && !addrs.is_empty() && !matches!(port.kind, Kind::Vxlan(_));
        if inherits {
            heir = true;
            let (addrs, routes) = (addrs.clone(), routes.clone());
            step(Action::Move { from: bridge.clone(), to: name, enslave: false, addrs, routes });
        } else if matches!(port.kind, Kind::Vxlan(_) | Kind::Vlan(_)) && !physical.contains(&name) {
            step(Action::Delete { name });
        } else {
            step(Action::SetMaster { name, bridge: None });
        }
    }
    step(Action::Delete { name: bridge });
}
