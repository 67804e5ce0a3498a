//! `[agent] explicitly_egress_direct`: what is for one address leaves by the port that has it, or by the patch towards
//! its network, without a look at what the switch learnt. Tables, priorities and registers are upstream's.

use model::l2::DeviceDetails;
use model::names;
use ovs::openflow::{Action, Field, Match, Port};

use super::tunnel::MULTICAST;
use super::{Input, Table, number, table};
use crate::l2::config::Firewall;
use crate::l2::openvswitch::config::TunnelType;

/// Where the local VLAN of what ports sent is, as filters have it.
const NETWORK: Field = Field::Reg6;

/// A port that may carry traffic.
#[derive(Debug, Clone, Copy)]
struct Live<'a> {
    details: &'a DeviceDetails,
    number: u32,
    vlan: u16,
}

pub(super) fn flows(input: Input<'_>, out: &mut Table) {
    let filters = input.config.firewall == Firewall::OpenVswitch;
    if filters {
        out.goto(table::TRANSIENT, 2, Match::new(), table::ACCEPTED_EGRESS_NORMAL);
    } else {
        from_elsewhere(input, out);
    }
    for port in live(input) {
        if filters {
            delivered(port, table::ACCEPTED_EGRESS_NORMAL, out);
            let from = from(port).field(NETWORK, port.vlan);
            sent(input, port, table::ACCEPTED_EGRESS_NORMAL, from, out);
        } else {
            let network = Action::SetField(NETWORK, port.vlan.into());
            let actions = vec![network, Action::GotoTable(table::LOCAL_MAC_DIRECT)];
            out.add(table::TRANSIENT, 9, from(port).in_port(port.number), actions);
            delivered(port, table::LOCAL_MAC_DIRECT, out);
            let from = from(port).in_port(port.number);
            sent(input, port, table::TRANSIENT_EGRESS, from, out);
        }
    }
}

fn live(Input { view, config, facts, vlans }: Input<'_>) -> impl Iterator<Item = Live<'_>> {
    facts.devices(&config.ovs.integration_bridge).filter_map(|(device, _, port)| {
        let details = view.ports.get(device).filter(|details| details.admin_state_up)?;
        let vlan = *vlans.get(&(details.network_id.clone(), details.segmentation_id))?;
        Some(Live { details, number: port.ofport?, vlan })
    })
}

/// What comes by a patch is looked at where no filter does it.
fn from_elsewhere(input: Input<'_>, out: &mut Table) {
    let Input { config, facts, .. } = input;
    let physical = config.ovs.bridge_mappings.values().map(|bridge| names::integration_patch(bridge));
    let tunnels = config.tunnels.iter().map(|_| config.ovs.int_peer_patch_port.clone());
    for patch in physical.chain(tunnels) {
        if let Some(patch) = facts.ofport(&config.ovs.integration_bridge, &patch) {
            out.goto(table::TRANSIENT, 4, Match::new().in_port(patch), table::LOCAL_MAC_DIRECT);
        }
    }
    out.goto(table::LOCAL_MAC_DIRECT, 0, Match::new(), table::TRANSIENT_EGRESS);
}

fn from(port: Live<'_>) -> Match {
    Match::new().field(Field::EthSrc, number(port.details.mac_address))
}

/// To the port's address: from ports of this host, and from elsewhere with a tag.
fn delivered(port: Live<'_>, here: u8, out: &mut Table) {
    let to = || Match::new().field(Field::EthDst, number(port.details.mac_address));
    let deliver = Action::Output(Port(port.number));
    out.add(here, 12, to().field(NETWORK, port.vlan), vec![deliver.clone()]);
    out.add(here, 12, to().vlan(port.vlan), vec![Action::PopVlan, deliver]);
}

/// From the port to one address that is not on this host.
fn sent(input: Input<'_>, port: Live<'_>, here: u8, from: Match, out: &mut Table) {
    let Some(patch) = patch(input, port.details) else { return };
    let matching = from.masked(Field::EthDst, 0u8, MULTICAST);
    let tag = [Action::PushVlan(0x8100), Action::set_vlan(port.vlan)];
    let actions = tag.into_iter().chain([Action::Output(Port(patch))]).collect();
    out.add(here, 10, matching, actions);
}

/// The number of the patch that leads to other hosts of a port's network; flat networks have none, as upstream.
fn patch(Input { config, facts, .. }: Input<'_>, details: &DeviceDetails) -> Option<u32> {
    let ovs = &config.ovs;
    let name = match details.network_type.as_str() {
        "vlan" => names::integration_patch(ovs.bridge_mappings.get(details.physical_network.as_ref()?)?),
        kind => TunnelType::of(kind).map(|_| ovs.int_peer_patch_port.clone())?,
    };
    facts.ofport(&ovs.integration_bridge, &name)
}
