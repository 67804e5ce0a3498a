//! A physical network's bridge: local VLANs leave as what they are outside.

use model::names;
use ovs::openflow::{Action, Match, Port};

use super::{Input, Table, table};

pub(super) fn flows(input: Input<'_>, physnet: &str, bridge: &str) -> Table {
    let Input { view, facts, vlans, .. } = input;
    let mut out = Table::default();
    out.add(table::LOCAL_SWITCHING, 0, Match::new(), vec![Action::Output(Port::NORMAL)]);
    let Some(patch) = facts.ofport(bridge, &names::physical_patch(bridge)) else { return out };
    out.drop(table::LOCAL_SWITCHING, 2, Match::new().in_port(patch));
    for details in view.ports.values().filter(|port| port.physical_network.as_deref() == Some(physnet)) {
        let key = (details.network_id.clone(), details.segmentation_id);
        let Some(vlan) = vlans.get(&key).copied() else { continue };
        let tag = details.segmentation_id.and_then(|id| u16::try_from(id).ok());
        let outside = match (details.network_type.as_str(), tag) {
            ("flat", _) => Action::PopVlan,
            ("vlan", Some(tag)) => Action::set_vlan(tag),
            _ => continue,
        };
        let actions = vec![outside, Action::Output(Port::NORMAL)];
        out.add(table::LOCAL_SWITCHING, 4, Match::new().in_port(patch).vlan(vlan), actions);
    }
    out
}
