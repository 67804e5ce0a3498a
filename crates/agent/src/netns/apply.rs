//! Reading and changing namespaces: the only place where the two agents that use them touch the kernel.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;

use host::iptables::Iptables;
use host::netlink::{Link, Netlink, NewLink, Route as KernelRoute};
use host::sysctl::{self, Setting};
use host::{Netns, Result, announce, conntrack, netns, offload};
use model::Mac;
use tokio::sync::watch;

use super::plan::{Change, plan};
use super::switch::{Switch, SwitchOptions};
use super::{Device, Found, FoundDevice, FoundTap, Namespace, Plug, Route, SwitchPort, tap_of};

/// An address that goes can take routes and other addresses along, so what is there is looked at again after
/// every round; more rounds than this mean that something works against us.
const ROUNDS_MAX: u32 = 5;
/// The main routing table.
const TABLE_MAIN: u32 = 254;

/// Our view of the machine: sockets into the namespaces that we keep.
pub struct Host {
    outside: Outside,
    spaces: BTreeMap<String, Space>,
    /// What was outside at the begin of a look at many namespaces.
    seen: Option<Seen>,
}

/// The host around the namespaces.
struct Outside {
    root: Netlink,
    switch: Option<Switch>,
}

/// What was seen outside of the namespaces.
struct Seen {
    links: Vec<Link>,
    ports: BTreeMap<String, SwitchPort>,
}

struct Space {
    ns: Netns,
    netlink: Netlink,
    iptables: Iptables,
    /// Changes that the kernel refused and that we can live without.
    refused: Vec<Change>,
}

/// What a pass over a namespace did.
#[derive(Debug, Default)]
pub struct Report {
    /// Number of changes; 0 when all was right.
    pub changes: usize,
    /// Addresses that came, to be announced again after a while: the first announcement is lost when the
    /// device is not yet plugged into its bridge.
    pub announced: Vec<Announcement>,
}

/// Addresses on a device that its neighbours should know of.
#[derive(Debug, Clone)]
pub struct Announcement {
    /// The namespace.
    pub namespace: Netns,
    /// The device.
    pub device: String,
    /// The device's MAC address.
    pub mac: Mac,
    /// The addresses.
    pub addresses: Vec<IpAddr>,
}

impl Announcement {
    /// Tells the neighbours.
    ///
    /// # Errors
    /// When the device is gone or the kernel refuses.
    pub fn send(&self) -> Result<()> {
        announce::announce(&self.namespace, &self.device, self.mac, &self.addresses)
    }
}

impl Host {
    /// The machine as this process sees it, with its Open vSwitch where devices are plugged into one: then from
    /// within a runtime, and all other methods from a thread that may block.
    ///
    /// # Errors
    /// When the kernel refuses a netlink socket.
    pub fn open(switch: Option<&SwitchOptions>) -> Result<Host> {
        let outside =
            Outside { root: Netlink::open(&Netns::host())?, switch: switch.cloned().map(Switch::open) };
        Ok(Host { outside, spaces: BTreeMap::new(), seen: None })
    }

    /// Changes when the switch has lost something that may be a namespace's device; none without a switch.
    pub fn changes(&self) -> Option<watch::Receiver<()>> {
        self.outside.switch.as_ref().map(Switch::changes)
    }

    /// The names of the namespaces that begin with `prefix`.
    ///
    /// # Errors
    /// When the directory of namespaces cannot be read.
    pub fn namespaces(&self, prefix: &str) -> Result<Vec<String>> {
        Ok(netns::list()?.into_iter().filter(|name| name.starts_with(prefix)).collect())
    }

    /// The namespace, if it is there.
    pub fn namespace(&self, name: &str) -> Option<Netns> {
        Netns::open(name).ok()
    }

    /// Does `work`, which looks at many namespaces, with one reading of the host's own devices and ports.
    ///
    /// # Errors
    /// When the kernel refuses to list the devices, or the switch's database does not answer.
    pub fn look<T>(&mut self, work: impl FnOnce(&mut Host) -> T) -> Result<T> {
        self.seen = Some(self.outside.look()?);
        let done = work(self);
        self.seen = None;
        Ok(done)
    }

    /// Forgets which packet filters are installed in one of `turns` parts of the namespaces, so that the next
    /// pass reads them: a fork or two each, so not all at once.
    pub fn forget(&mut self, turn: usize, turns: usize) {
        for space in self.spaces.values_mut().skip(turn % turns.max(1)).step_by(turns.max(1)) {
            space.iptables.forget();
            space.refused.clear();
        }
    }

    /// Makes the namespace as desired; changes nothing that is right already.
    ///
    /// # Errors
    /// When the kernel or a tool refuses a change; what could be done is done.
    pub fn reconcile(&mut self, desired: &Namespace) -> Result<Report> {
        let mut report = Report { changes: self.ensure_space(&desired.name)?, ..Report::default() };
        let Host { outside, spaces, seen } = self;
        let Some(space) = spaces.get_mut(&desired.name) else { return Ok(report) };
        report.changes += set_sysctls(&space.ns, &desired.sysctls)?;
        // Filters come first: a floating IP must not be reachable before its translation is in place.
        if let Some(rules) = &desired.rules {
            match space.iptables.apply(rules) {
                Ok(changes) => report.changes += changes,
                Err(e) if desired.rules_are_vital => return Err(e),
                Err(e) => tracing::warn!(namespace = desired.name, "going on without packet filters: {e}"),
            }
        }
        for _ in 0..ROUNDS_MAX {
            let found = match seen {
                Some(seen) => find(seen, space, desired)?,
                None => find(&outside.look()?, space, desired)?,
            };
            let changes = plan(desired, &found);
            if changes.is_empty() || changes == space.refused {
                break;
            }
            // What was seen may be out of date: nothing is changed on its ground.
            if seen.take().is_some() {
                continue;
            }
            report.changes += changes.len();
            space.refused = apply(outside, space, desired, &changes, &mut report)?;
        }
        for device in desired.devices.values() {
            report.changes += set_sysctls(&space.ns, &device.sysctls)?;
        }
        Ok(report)
    }

    /// Opens the namespace, made if need be; one that was removed and made again under its name is another
    /// one. Returns 1 when it was made.
    fn ensure_space(&mut self, name: &str) -> Result<usize> {
        let opened = Netns::open(name);
        let made = opened.is_err();
        let ns = match opened {
            Ok(ns) => ns,
            Err(_) => Netns::ensure(name)?,
        };
        let known = self.spaces.get(name).is_some_and(|space| inode(&space.ns) == inode(&ns));
        if !known {
            let netlink = Netlink::open(&ns)?;
            let iptables = if made { Iptables::of_new(&ns) } else { Iptables::new(&ns) };
            self.spaces.insert(name.to_owned(), Space { ns, netlink, iptables, refused: Vec::new() });
        }
        Ok(usize::from(made))
    }

    /// Removes the namespace and the devices in it whose names begin with one of `owned`. One that is not
    /// there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn remove(&mut self, name: &str, owned: &[&str]) -> Result<()> {
        self.spaces.remove(name);
        if let Ok(ns) = Netns::open(name) {
            let netlink = Netlink::open(&ns)?;
            for link in netlink.links()? {
                if owned.iter().any(|prefix| link.name.starts_with(prefix)) {
                    self.outside.delete(&netlink, &link.name)?;
                }
            }
        }
        netns::delete(name)
    }
}

impl Outside {
    fn look(&self) -> Result<Seen> {
        let ports = self.switch.as_ref().map(Switch::ports).transpose()?.unwrap_or_default();
        Ok(Seen { links: self.root.links()?, ports })
    }

    fn switch(&self) -> Result<&Switch> {
        self.switch.as_ref().ok_or_else(|| host::Error::Odd("there is no Open vSwitch".to_owned()))
    }

    /// Takes a device of a namespace away, and the switch's port that it is or that its other end is.
    fn delete(&self, inside: &Netlink, name: &str) -> Result<()> {
        if let Some(switch) = &self.switch {
            switch.remove(&[name, &tap_of(name)])?;
        }
        drop_device(inside, name)
    }
}

/// Takes a device away, if it is there.
fn drop_device(inside: &Netlink, name: &str) -> Result<()> {
    match inside.index_of(name)? {
        // The switch may be quicker with what was its own.
        Some(index) => inside.delete_link(index).or_else(|e| if e.is_gone() { Ok(()) } else { Err(e) }),
        None => Ok(()),
    }
}

fn inode(ns: &Netns) -> Option<u64> {
    ns.file().and_then(|file| file.metadata().ok()).map(|metadata| metadata.ino())
}

/// Sets kernel parameters that differ. A kernel without one of them (IPv6 switched off) can do without.
fn set_sysctls(ns: &Netns, wanted: &BTreeMap<String, String>) -> Result<usize> {
    let mut written = 0;
    let settings: Vec<Setting> = wanted.iter().map(|(key, value)| Setting::new(key, value)).collect();
    match sysctl::set(ns, &settings) {
        Ok(set) => return Ok(set.len()),
        Err(e) if e.is_gone() => {}
        Err(e) => return Err(e),
    }
    for setting in settings {
        match sysctl::set(ns, std::slice::from_ref(&setting)) {
            Ok(set) => written += set.len(),
            Err(e) if e.is_gone() => tracing::debug!("no kernel parameter {}", setting.key),
            Err(e) => return Err(e),
        }
    }
    Ok(written)
}

fn find(seen: &Seen, space: &Space, desired: &Namespace) -> Result<Found> {
    let links = space.netlink.links()?;
    let mut addresses: HashMap<u32, BTreeMap<_, _>> = HashMap::new();
    for address in space.netlink.addrs()? {
        addresses.entry(address.index).or_default().insert(address.net, address.dynamic);
    }
    let tap_of = |link: &Link| {
        let tap = desired.devices.get(&link.name)?.tap()?;
        let paired = |other: &&Link| other.name == tap && other.parent == Some(link.index);
        seen.links.iter().find(paired).map(|tap| FoundTap { mtu: tap.mtu, up: tap.up })
    };
    let devices = links.iter().map(|link| {
        let found = FoundDevice {
            mac: link.mac.map(|mac| mac.to_string()).unwrap_or_default(),
            mtu: link.mtu,
            up: link.up,
            addresses: addresses.remove(&link.index).unwrap_or_default(),
            tap: tap_of(link),
        };
        (link.name.clone(), found)
    });
    let devices = devices.collect();
    let name_of = |index: u32| links.iter().find(|link| link.index == index).map(|link| link.name.clone());
    let ours = |route: &KernelRoute| route.table == TABLE_MAIN && !route.kernel;
    let routes = space.netlink.routes()?.into_iter().filter(ours).map(|route| Route {
        destination: route.dst,
        via: route.via.into_iter().chain(route.others).collect(),
        device: route.dev.and_then(name_of),
    });
    let wanted = |name: &&String| desired.devices.contains_key(*name);
    let outside = seen.links.iter().map(|link| &link.name).filter(wanted).cloned().collect();
    let mine = desired.devices.iter().filter_map(|(name, device)| Some(device.switch_port(name)?.0));
    let ports = mine.filter_map(|name| seen.ports.get_key_value(&name));
    let ports = ports.map(|(name, port)| (name.clone(), port.clone())).collect();
    Ok(Found { devices, routes: routes.collect(), outside, ports })
}

fn apply(
    outside: &Outside,
    space: &Space,
    desired: &Namespace,
    changes: &[Change],
    report: &mut Report,
) -> Result<Vec<Change>> {
    let mut refused = Vec::new();
    for change in changes {
        tracing::info!(namespace = desired.name, "{change:?}");
        match change {
            Change::DeleteRoute(route) => space.netlink.delete_route(&kernel_route(space, route)?)?,
            Change::DeleteDevice(name) => outside.delete(&space.netlink, name)?,
            Change::DropDevice(name) => drop_device(&space.netlink, name)?,
            Change::AddDevice(name) => add_device(outside, space, name, device_of(desired, name)?)?,
            Change::PlugTap(name) => plug(outside, name, device_of(desired, name)?)?,
            Change::SetMac(name) => space.netlink.set_mac(inside(space, name)?, mac_of(desired, name)?)?,
            Change::SetMtu(name) => set_mtu(&outside.root, space, name, device_of(desired, name)?)?,
            Change::SetUp(name) => set_up(&outside.root, space, name, device_of(desired, name)?)?,
            Change::DeleteAddress(name, net) => space.netlink.delete_addr(inside(space, name)?, *net)?,
            Change::Forget(address) => conntrack::forget(&space.ns, *address)?,
            // Addresses are the server's, nobody else has them: no waiting for duplicates to speak up.
            Change::AddAddress(name, net) => match space.netlink.add_addr(inside(space, name)?, *net, true) {
                Err(e) if net.addr().is_ipv6() && e.is_switched_off() => {
                    refuse(desired, change, &e, &mut refused);
                }
                outcome => outcome?,
            },
            // A user may ask for a route through a next hop that is not there: the rest goes on without it.
            Change::AddRoute(route) => {
                let added = kernel_route(space, route).and_then(|route| space.netlink.replace_route(&route));
                if let Err(e) = added {
                    refuse(desired, change, &e, &mut refused);
                }
            }
            Change::Announce(name, address) => {
                let mac = mac_of(desired, name)?;
                announce_later(space, name, mac, *address, report);
            }
        }
    }
    for announcement in &report.announced {
        announcement.send()?;
    }
    Ok(refused)
}

fn refuse(desired: &Namespace, change: &Change, e: &host::Error, refused: &mut Vec<Change>) {
    tracing::warn!(namespace = desired.name, "going on without {change:?}: {e}");
    refused.push(change.clone());
}

fn device_of<'a>(desired: &'a Namespace, name: &str) -> Result<&'a Device> {
    desired.devices.get(name).ok_or_else(|| host::Error::Odd(format!("no device {name} is wanted")))
}

fn mac_of(desired: &Namespace, name: &str) -> Result<Mac> {
    device_of(desired, name)?.mac.parse().map_err(|e: model::mac::BadMac| host::Error::Odd(e.to_string()))
}

fn inside(space: &Space, name: &str) -> Result<u32> {
    index(&space.netlink, name)
}

fn index(netlink: &Netlink, name: &str) -> Result<u32> {
    netlink.index_of(name)?.ok_or_else(|| host::Error::Odd(format!("device {name} is gone")))
}

fn add_device(outside: &Outside, space: &Space, name: &str, device: &Device) -> Result<()> {
    let mac = device.mac.parse().map_err(|e: model::mac::BadMac| host::Error::Odd(e.to_string()))?;
    match device.tap() {
        Some(tap) => {
            add_pair(&outside.root, space, name, &tap)?;
            space.netlink.set_mac(inside(space, name)?, mac)?;
            complete_checksums(outside, space, name, device)?;
            plug(outside, name, device)?;
        }
        None => move_in(outside, space, name, device, mac)?,
    }
    set_sysctls(&space.ns, &device.sysctls)?;
    set_mtu(&outside.root, space, name, device)?;
    set_up(&outside.root, space, name, device)
}

fn add_pair(root: &Netlink, space: &Space, name: &str, tap: &str) -> Result<()> {
    // Left over when a namespace was removed while something still kept it alive.
    if let Some(stale) = root.index_of(tap)? {
        root.delete_link(stale)?;
    }
    root.add_link(tap, &NewLink::Veth { peer: name, peer_ns: space.ns.file() })?;
    // The host takes no part in the tenants' networks.
    let no_ipv6 = (format!("net/ipv6/conf/{tap}/disable_ipv6"), "1".to_owned());
    set_sysctls(root.netns(), &[no_ipv6].into())?;
    Ok(())
}

/// A switch that is no part of the kernel passes on frames as they come out of a pair: without the checksum that the
/// kernel leaves for a network card to make. Whoever gets such a segment of TCP drops it.
fn complete_checksums(outside: &Outside, space: &Space, name: &str, device: &Device) -> Result<()> {
    match (&device.plug, device.switch_port(name)) {
        (Plug::SwitchedTap(_), Some((_, wanted))) if outside.switch()?.is_userspace(&wanted.bridge)? => {
            offload::checksums_off(&space.ns, name)
        }
        _ => Ok(()),
    }
}

/// Makes the end on the host a port of the switch, where it is to be one.
fn plug(outside: &Outside, name: &str, device: &Device) -> Result<()> {
    match (&device.plug, device.switch_port(name)) {
        (Plug::SwitchedTap(_), Some((port, wanted))) => outside.switch()?.add(&port, &wanted),
        _ => Ok(()),
    }
}

/// Moves the device of an internal port into the namespace; the switch makes it where it is not waiting.
fn move_in(outside: &Outside, space: &Space, name: &str, device: &Device, mac: Mac) -> Result<()> {
    let Some((port, wanted)) = device.switch_port(name) else { return Ok(()) };
    let switch = outside.switch()?;
    let waits = outside.root.index_of(name)?.is_some();
    if !waits || switch.ports()?.get(&port) != Some(&wanted) {
        switch.add(&port, &wanted)?;
    }
    let there = index(&outside.root, name)?;
    outside.root.set_mac(there, mac)?;
    outside.root.set_netns(there, &space.ns)
}

fn set_mtu(root: &Netlink, space: &Space, name: &str, device: &Device) -> Result<()> {
    let Some(mtu) = device.mtu else { return Ok(()) };
    if let Some(tap) = device.tap() {
        root.set_mtu(index(root, &tap)?, mtu)?;
    }
    space.netlink.set_mtu(inside(space, name)?, mtu)
}

fn set_up(root: &Netlink, space: &Space, name: &str, device: &Device) -> Result<()> {
    if let Some(tap) = device.tap() {
        root.set_up(index(root, &tap)?, true)?;
    }
    space.netlink.set_up(inside(space, name)?, true)
}

fn kernel_route(space: &Space, route: &Route) -> Result<KernelRoute> {
    let dev = route.device.as_deref().map(|name| inside(space, name)).transpose()?;
    let mut via = route.via.iter().copied();
    Ok(KernelRoute { via: via.next(), others: via.collect(), dev, ..KernelRoute::new(route.destination) })
}

fn announce_later(space: &Space, name: &str, mac: Mac, address: IpAddr, report: &mut Report) {
    match report.announced.iter_mut().find(|announcement| announcement.device == name) {
        Some(announcement) => announcement.addresses.push(address),
        None => report.announced.push(Announcement {
            namespace: space.ns.clone(),
            device: name.to_owned(),
            mac,
            addresses: vec![address],
        }),
    }
}
