//! The integration bridge: ports of the host, told apart by local VLANs.

use model::names;
use ovs::openflow::{Action, Match, Port};

use super::{Input, Table, direct, filter, spoof, table};
use crate::l2::config::Firewall;
use crate::l2::firewall::awaits_rules;
use crate::l2::openvswitch::DEAD_VLAN;

pub(super) fn flows(input: Input<'_>) -> Table {
    let mut out = Table::default();
    let normal = || vec![Action::Output(Port::NORMAL)];
    out.drop(table::CANARY, 0, Match::new());
    out.drop(table::LOCAL_SWITCHING, table::PRIORITY_MAX, Match::new().vlan(DEAD_VLAN));
    out.goto(table::LOCAL_SWITCHING, 0, Match::new(), table::PACKET_RATE_LIMIT);
    out.goto(table::PACKET_RATE_LIMIT, 0, Match::new(), table::BANDWIDTH_RATE_LIMIT);
    out.goto(table::BANDWIDTH_RATE_LIMIT, 0, Match::new(), table::TRANSIENT);
    out.add(table::TRANSIENT, 1, Match::new(), normal());
    out.add(table::TRANSIENT_EGRESS, 3, Match::new(), normal());
    out.drop(table::ARP_SPOOF, 0, Match::new());
    out.goto(table::LOCAL_EGRESS, 0, Match::new(), table::PACKET_RATE_LIMIT);
    out.goto(table::LOCAL_IP, 0, Match::new(), table::PACKET_RATE_LIMIT);
    from_physical(input, &mut out);
    ports(input, &mut out);
    if input.config.firewall == Firewall::OpenVswitch {
        filter::flows(input, &mut out);
    }
    if input.config.egress_direct {
        direct::flows(input, &mut out);
    }
    out
}

/// What comes from a physical network gets the local VLAN of its network; the rest goes nowhere.
fn from_physical(Input { view, config, facts, vlans }: Input<'_>, out: &mut Table) {
    let bridge = &config.ovs.integration_bridge;
    let number = |physical: &String| facts.ofport(bridge, &names::integration_patch(physical));
    for port in config.ovs.bridge_mappings.values().filter_map(number) {
        out.drop(table::LOCAL_SWITCHING, 2, Match::new().in_port(port));
    }
    for details in view.ports.values() {
        let physical = details.physical_network.as_ref().and_then(|net| config.ovs.bridge_mappings.get(net));
        let Some(port) = physical.and_then(number) else { continue };
        let key = (details.network_id.clone(), details.segmentation_id);
        let Some(vlan) = vlans.get(&key).copied() else { continue };
        let here = Match::new().in_port(port);
        let tag = details.segmentation_id.and_then(|id| u16::try_from(id).ok());
        let (matching, mut actions) = match (details.network_type.as_str(), tag) {
            ("flat", _) => (here.untagged(), vec![Action::PushVlan(0x8100)]),
            ("vlan", Some(tag)) => (here.vlan(tag), Vec::new()),
            _ => continue,
        };
        actions.extend([Action::set_vlan(vlan), Action::GotoTable(table::PACKET_RATE_LIMIT)]);
        out.add(table::LOCAL_SWITCHING, 3, matching, actions);
    }
}

/// Ports of the host: what they may not send, or that they may send nothing.
fn ports(Input { view, config, facts, .. }: Input<'_>, out: &mut Table) {
    let filters = config.firewall == Firewall::OpenVswitch;
    for (device, _, port) in facts.devices(&config.ovs.integration_bridge) {
        let Some(number) = port.ofport else { continue };
        match view.ports.get(device) {
            Some(details) if details.admin_state_up && !(filters && awaits_rules(view, device)) => {
                // Filters look at the same things.
                if config.prevent_arp_spoofing && !filters {
                    spoof::guard(details, number, config.firewall == Firewall::Noop, out);
                }
            }
            None if !view.disowned.contains(device) && port.tag.is_some() && !port.is_dead() => {}
            Some(_) | None => out.drop(table::LOCAL_SWITCHING, 2, Match::new().in_port(number)),
        }
    }
}
