//! Conntrack zones, one per network of this host, or one per port where each port has a bridge of its own.
//! They are remembered where they are used: in the installed rules, so that a restart keeps them and with
//! them every connection.

use std::collections::{BTreeMap, BTreeSet};

use super::Plug;

/// The first zone Neutron uses; lower ones are for others.
const FIRST: u16 = 4097;

/// Zones by the part of the network's or port's id that is in a device's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zones {
    plug: Plug,
    by_key: BTreeMap<String, u16>,
}

impl Zones {
    /// None yet.
    #[must_use]
    pub fn new(plug: Plug) -> Self {
        Zones { plug, by_key: BTreeMap::new() }
    }

    /// Reads the zones that installed rules of the raw table's PREROUTING chain give to bridges.
    #[must_use]
    pub fn installed<'a>(plug: Plug, rules: impl Iterator<Item = &'a String>) -> Self {
        let zone = |rule: &'a String| {
            let words: Vec<&str> = rule.split(' ').collect();
            let after = |name: &str| words.iter().position(|w| *w == name).and_then(|at| words.get(at + 1));
            let device = after("--physdev-in").or_else(|| after("-i"))?;
            let id = device.strip_prefix(plug.prefix())?;
            Some((id.to_owned(), after("--zone")?.parse().ok()?))
        };
        Zones { plug, by_key: rules.filter_map(zone).collect() }
    }

    /// The zone of a port, by its device and network.
    #[must_use]
    pub fn of(&self, device: &str, network_id: &str) -> Option<u16> {
        self.by_key.get(self.plug.key(device, network_id)?).copied()
    }

    /// The zone of every one of these ports; those that had one keep it, others' are free again.
    #[must_use]
    pub fn keep<'a>(&self, ports: impl Iterator<Item = (&'a str, &'a str)>) -> Self {
        let keys: BTreeSet<&str> =
            ports.filter_map(|(device, network)| self.plug.key(device, network)).collect();
        let mut by_key = self.by_key.clone();
        by_key.retain(|key, _| keys.contains(key.as_str()));
        Zones { plug: self.plug, by_key }
    }

    /// Gives a zone to every one of these ports, by device and network: those that have one keep it.
    pub fn ensure<'a>(&mut self, ports: impl Iterator<Item = (&'a str, &'a str)>) {
        for (device, network) in ports {
            let Some(key) = self.plug.key(device, network) else { continue };
            if !self.by_key.contains_key(key) {
                let taken: BTreeSet<u16> = self.by_key.values().copied().collect();
                if let Some(free) = (FIRST..=u16::MAX).find(|zone| !taken.contains(zone)) {
                    self.by_key.insert(key.to_owned(), free);
                }
            }
        }
    }
}
