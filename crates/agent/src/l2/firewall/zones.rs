//! Conntrack zones, one per network of this host. They are remembered where they are used: in
//! the installed rules, so that a restart keeps them and with them every connection.

use std::collections::{BTreeMap, BTreeSet};

use model::names;

/// The first zone Neutron uses; lower ones are for others.
const FIRST: u16 = 4097;

/// Zones by the part of the network's id that is in its bridge's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Zones(BTreeMap<String, u16>);

impl Zones {
    /// Reads the zones that installed rules of the raw table's PREROUTING chain give to bridges.
    #[must_use]
    pub fn installed<'a>(rules: impl Iterator<Item = &'a String>) -> Self {
        let zone = |rule: &'a String| {
            let words: Vec<&str> = rule.split(' ').collect();
            let after = |name: &str| words.iter().position(|w| *w == name).and_then(|at| words.get(at + 1));
            let bridge = after("--physdev-in").or_else(|| after("-i"))?;
            let id = bridge.strip_prefix(names::BRIDGE_PREFIX)?;
            Some((id.to_owned(), after("--zone")?.parse().ok()?))
        };
        Zones(rules.filter_map(zone).collect())
    }

    /// The zone of a network.
    #[must_use]
    pub fn of(&self, network_id: &str) -> Option<u16> {
        self.0.get(key(network_id)?).copied()
    }

    /// Gives every one of `networks` a zone: those that have one keep it.
    pub fn ensure<'a>(&mut self, networks: impl Iterator<Item = &'a str>) {
        for network in networks {
            let Some(key) = key(network) else { continue };
            if !self.0.contains_key(key) {
                let taken: BTreeSet<u16> = self.0.values().copied().collect();
                if let Some(free) = (FIRST..=u16::MAX).find(|zone| !taken.contains(zone)) {
                    self.0.insert(key.to_owned(), free);
                }
            }
        }
    }

    /// Frees the zones of all other networks.
    pub fn retain<'a>(&mut self, networks: impl Iterator<Item = &'a str>) {
        let keys: BTreeSet<&str> = networks.filter_map(key).collect();
        self.0.retain(|id, _| keys.contains(id.as_str()));
    }
}

fn key(network_id: &str) -> Option<&str> {
    network_id.get(..11).or(Some(network_id)).filter(|key| !key.is_empty())
}
