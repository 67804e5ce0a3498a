//! The Linux bridge driver: a bridge per network, with a VXLAN device, a VLAN subinterface or
//! an interface of the host to connect it; filters by iptables, ipset and ebtables.

mod apply;
mod desired;
mod plan;
mod spoof;

use std::collections::{BTreeMap, BTreeSet};

use host::ebtables::{self, Chains};
use host::netlink::{Kind, Link, Netlink};
use host::{Error, Netns, Result, sysctl};
use model::{Mac, names};
use serde_json::{Map, Value, json};

use super::config::{Firewall, L2Config};
use super::extension::Extension;
use super::firewall::{IptablesFirewall, Plug, Style, looks_into_packets};
use super::view::{FdbMessage, FdbTable, View};
use desired::{Desired, UplinkKind, desired};
use plan::{Facts, plan};

/// The agent's program, whose name wraps the iptables chains.
pub const BINARY: &str = "neutron-linuxbridge-agent";

/// The driver with what it remembers of the host.
#[derive(Debug)]
pub struct LinuxBridge {
    config: L2Config,
    extensions: Vec<Extension>,
    nl: Netlink,
    firewall: Option<IptablesFirewall>,
    ebtables: Option<Chains>,
    filtered: Option<View>,
    deleted: BTreeSet<String>,
}

/// What became of one pass over the host.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Wired {
    /// Devices that do not carry traffic though they should, and why.
    pub failed: BTreeMap<String, String>,
}

impl LinuxBridge {
    /// Opens the host `ns` and checks that it has what `config` names.
    ///
    /// # Errors
    /// When a mapped interface or bridge, the tunnel address or `br_netfilter` is missing.
    pub fn open(config: L2Config, extensions: Vec<Extension>, ns: &Netns) -> Result<Self> {
        let nl = Netlink::open(ns)?;
        let links = nl.links()?;
        let mapped = config.interface_mappings.iter().chain(&config.bridge_mappings);
        for (physnet, device) in mapped {
            if !links.iter().any(|link| link.name == *device) {
                return Err(Error::Odd(format!(
                    "device {device} for physical network {physnet} does not exist"
                )));
            }
        }
        let style = Style {
            binary: BINARY.into(),
            comments: config.agent.comment_iptables_rules,
            ipset: config.enable_ipset,
            v6: sysctl::get(ns, "net/ipv6/conf/all/disable_ipv6").is_ok(),
            looks_into: config.agent.prevent_arp_spoofing
                && config.firewall != Firewall::Noop
                && looks_into_packets(ns),
            plug: Plug::NetworkBridge,
            bridges: std::iter::once(format!("{}+", names::BRIDGE_PREFIX))
                .chain(config.bridge_mappings.values().cloned())
                .collect(),
        };
        let firewall = match config.firewall {
            Firewall::Noop => None,
            Firewall::Iptables | Firewall::IptablesHybrid | Firewall::OpenVswitch => {
                Some(IptablesFirewall::open(ns, style)?)
            }
        };
        let driver = LinuxBridge {
            config,
            extensions,
            nl,
            firewall,
            ebtables: None,
            filtered: None,
            deleted: BTreeSet::new(),
        };
        driver.tunnel_device()?;
        Ok(driver)
    }

    /// Name of the device that has the tunnel address; empty without tunnels.
    fn tunnel_device(&self) -> Result<String> {
        let Some(vxlan) = &self.config.vxlan else { return Ok(String::new()) };
        let missing =
            || Error::Odd(format!("[vxlan] local_ip = {} is on no interface of this host", vxlan.local_ip));
        let addrs = self.nl.addrs()?;
        let index =
            addrs.iter().find(|a| a.net.addr() == vxlan.local_ip).map(|a| a.index).ok_or_else(missing)?;
        let link = self.nl.links()?.into_iter().find(|link| link.index == index);
        link.map(|link| link.name).ok_or_else(missing)
    }

    /// The port devices on the host with their numbers, which change when a device is replaced.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn devices(&self) -> Result<BTreeMap<String, u32>> {
        let links = self.nl.links()?;
        Ok(links.into_iter().filter(|l| names::is_tap(&l.name)).map(|l| (l.name, l.index)).collect())
    }

    /// `lb` and the hardware address of a device that stays.
    ///
    /// # Errors
    /// When there is no device with an address.
    pub fn agent_id(&self) -> Result<String> {
        let links = self.nl.links()?;
        let mapped = self.config.bridge_mappings.values().next();
        let lasting = |link: &&Link| match mapped {
            Some(bridge) => link.name == *bridge,
            None => {
                link.name != "lo"
                    && !names::is_tap(&link.name)
                    && !link.name.starts_with(names::BRIDGE_PREFIX)
            }
        };
        let mac = links.iter().filter(lasting).find_map(|link| link.mac.filter(|mac| *mac != Mac::ZERO));
        let mac =
            mac.ok_or_else(|| Error::Odd("no device with a hardware address to tell this host by".into()))?;
        Ok(format!("lb{}", mac.to_string().replace(':', "")))
    }

    /// What the server wants to know about this host's wiring.
    #[must_use]
    pub fn configurations(&self) -> Map<String, Value> {
        let mut all = Map::new();
        all.insert("bridge_mappings".into(), json!(self.config.bridge_mappings));
        all.insert("interface_mappings".into(), json!(self.config.interface_mappings));
        if let Some(vxlan) = &self.config.vxlan {
            all.insert("tunneling_ip".into(), json!(vxlan.local_ip));
            all.insert("tunnel_types".into(), json!(["vxlan"]));
            all.insert("l2_population".into(), json!(vxlan.options.l2_population));
        }
        all
    }

    /// Forgets what is installed, so that the next pass finds what others changed.
    pub fn forget(&mut self) {
        if let Some(firewall) = &mut self.firewall {
            firewall.forget();
        }
        self.ebtables = None;
        self.filtered = None;
    }

    /// Notes that a network is no more; its bridge goes as soon as no port is in it.
    pub fn delete_network(&mut self, network: String) {
        self.deleted.insert(network);
    }

    /// Takes a port's device out of its bridge: it now belongs to another host.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn unplug(&self, device: &str) -> Result<()> {
        match self.nl.index_of(device)? {
            Some(index) => self.nl.set_master(index, None),
            None => Ok(()),
        }
    }

    /// Makes the host like `view` says, once it has taken in `messages` about forwarding. Entries
    /// of networks that are new to the view but installed already are taken into it before.
    ///
    /// # Errors
    /// When filters cannot be installed or the host not be read: then nothing was wired.
    pub fn apply(&mut self, view: &mut View, messages: &[FdbMessage]) -> Result<Wired> {
        let outcome = self.try_apply(view, messages);
        if outcome.is_err() {
            self.forget();
        }
        outcome
    }

    fn try_apply(&mut self, view: &mut View, messages: &[FdbMessage]) -> Result<Wired> {
        if self.filtered.as_ref() != Some(&*view) {
            // Filters come first: no port is wired before it is protected.
            self.apply_filters(view)?;
        }
        let tunnel_device = self.tunnel_device()?;
        let facts = self.facts(&desired(view, &self.config, &tunnel_device))?;
        adopt_fdb(view, &facts, &self.config);
        if let Some(vxlan) = &self.config.vxlan {
            messages.iter().for_each(|message| view.learn_fdb(message, vxlan.local_ip));
        }
        let wanted = desired(view, &self.config, &tunnel_device);
        self.filtered = Some(view.clone());
        let physical: BTreeSet<String> = self.config.interface_mappings.values().cloned().collect();
        let steps = plan(&wanted, &facts, &self.deleted, &physical);
        let indexes = facts.links.into_iter().map(|(name, link)| (name, link.index)).collect();
        let failed = apply::apply(&self.nl, steps, indexes);
        self.finish_deletions(&failed)?;
        let problems: BTreeMap<&String, &String> = wanted.problems.iter().chain(&failed).collect();
        let reason = |network: &String| problems.get(network).map(|why| (*why).clone());
        let ports = view.ports.iter();
        let failed =
            ports.filter_map(|(device, port)| Some((device.clone(), reason(&port.network_id)?))).collect();
        Ok(Wired { failed })
    }

    /// Deleted networks whose bridge is gone need no more thought.
    fn finish_deletions(&mut self, failed: &BTreeMap<String, String>) -> Result<()> {
        if !self.deleted.is_empty() {
            for (network, why) in failed.iter().filter(|(network, _)| self.deleted.contains(*network)) {
                tracing::warn!(network, why, "bridge of a deleted network cannot be removed");
            }
            let links: BTreeSet<String> = self.nl.links()?.into_iter().map(|link| link.name).collect();
            self.deleted.retain(|network| links.contains(&names::bridge(network)));
        }
        Ok(())
    }

    fn facts(&self, wanted: &Desired) -> Result<Facts> {
        let takes_over = |kind: &UplinkKind| !matches!(kind, UplinkKind::Vxlan { .. });
        let addresses = wanted.uplinks.values().any(|u| takes_over(&u.kind)) || !self.deleted.is_empty();
        let forwarding = self.config.vxlan.as_ref().is_some_and(|vxlan| vxlan.options.l2_population);
        Ok(Facts {
            links: self.nl.links()?.into_iter().map(|link| (link.name.clone(), link)).collect(),
            addrs: if addresses { self.nl.addrs()? } else { Vec::new() },
            routes: if addresses { self.nl.routes()? } else { Vec::new() },
            fdbs: if forwarding { self.nl.fdbs()? } else { Vec::new() },
            neighs: if forwarding { self.nl.neighs()? } else { Vec::new() },
        })
    }

    fn apply_filters(&mut self, view: &View) -> Result<()> {
        let ns = self.nl.netns().clone();
        if self.config.agent.prevent_arp_spoofing {
            let wanted = spoof::chains(view);
            let installed = match self.ebtables.take() {
                Some(chains) => chains,
                None => ebtables::read(&ns)?,
            };
            ebtables::apply(&ns, &wanted, &installed)?;
            self.ebtables = Some(wanted);
        }
        let before = self.filtered.as_ref().map(|before| &before.security);
        match &mut self.firewall {
            Some(firewall) => firewall.apply(view, before, &self.extensions),
            None => Ok(()),
        }
    }
}

/// Takes installed forwarding entries into the view, for networks that it has a port but no
/// entries of: what an earlier run, or another agent, was told.
fn adopt_fdb(view: &mut View, facts: &Facts, config: &L2Config) {
    if !config.vxlan.as_ref().is_some_and(|vxlan| vxlan.options.l2_population) {
        return;
    }
    let tunnelled = view.ports.values().filter(|p| p.network_type == "vxlan");
    let networks: BTreeMap<String, u32> =
        tunnelled.filter_map(|p| Some((p.network_id.clone(), p.segmentation_id?))).collect();
    for (network, vni) in networks {
        if view.fdb.contains_key(&network) {
            continue;
        }
        let mut table = FdbTable::default();
        let index =
            facts.links.get(&names::vxlan(vni)).filter(|l| matches!(l.kind, Kind::Vxlan(_))).map(|l| l.index);
        for fdb in facts.fdbs.iter().filter(|f| Some(f.index) == index && f.permanent) {
            if fdb.mac == Mac::ZERO {
                table.flood.insert(fdb.dst);
            } else {
                table.macs.insert(fdb.mac, fdb.dst);
            }
        }
        let neighs = facts.neighs.iter().filter(|n| Some(n.index) == index && n.permanent && !n.proxy);
        table.neighbours.extend(neighs.filter_map(|n| Some((n.ip, n.mac?))));
        view.fdb.insert(network, table);
    }
}

#[cfg(test)]
mod tests;
