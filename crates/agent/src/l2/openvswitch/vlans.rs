//! Local VLANs: the tags that tell networks apart within the integration bridge of this host. They are
//! noted with the ports, so that a restart finds them again; Python's agent notes them in the same place.

use std::collections::{BTreeMap, BTreeSet};

use super::DEAD_VLAN;
use super::facts::Facts;
use crate::l2::view::View;

/// A network, or a segment of it.
pub type NetworkKey = (String, Option<u32>);
/// Tag by network.
pub type LocalVlans = BTreeMap<NetworkKey, u16>;

/// The lowest and the highest tag there is.
const TAGS: std::ops::RangeInclusive<u16> = 1..=4094;

/// The tags that ports on `bridge` were given.
#[must_use]
pub fn installed(facts: &Facts, bridge: &str) -> LocalVlans {
    let ports = facts.bridges.get(bridge).into_iter().flat_map(|bridge| bridge.ports.values());
    let noted = ports.filter_map(|port| {
        let network = port.other_config.get("net_uuid")?.clone();
        let segment = port.other_config.get("segmentation_id").and_then(|id| id.parse().ok());
        Some(((network, segment), port.tag.filter(|tag| *tag != DEAD_VLAN)?))
    });
    // Two networks with one tag would be one network: the first keeps it.
    let (mut vlans, mut taken) = (LocalVlans::new(), BTreeSet::new());
    for (key, tag) in noted {
        if !vlans.contains_key(&key) && taken.insert(tag) {
            vlans.insert(key, tag);
        }
    }
    vlans
}

/// A tag for each network that has a port here: the one it has, else the lowest that no port uses.
/// Networks for which none is left are missing.
#[must_use]
pub fn assign(view: &View, facts: &Facts, bridge: &str) -> LocalVlans {
    let mut vlans = installed(facts, bridge);
    let ports = facts.bridges.get(bridge).into_iter().flat_map(|bridge| bridge.ports.values());
    let mut taken: BTreeSet<u16> = ports.filter_map(|port| port.tag).chain(vlans.values().copied()).collect();
    let wanted: BTreeSet<NetworkKey> =
        view.ports.values().map(|port| (port.network_id.clone(), port.segmentation_id)).collect();
    vlans.retain(|key, _| wanted.contains(key));
    for key in wanted {
        if vlans.contains_key(&key) {
            continue;
        }
        if let Some(tag) = TAGS.into_iter().find(|tag| !taken.contains(tag)) {
            taken.insert(tag);
            vlans.insert(key, tag);
        }
    }
    vlans
}
