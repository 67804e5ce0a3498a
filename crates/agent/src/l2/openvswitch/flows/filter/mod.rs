//! Security groups as flows of the integration bridge, with the switch's connection tracking. Tables, priorities
//! and registers are upstream's (`neutron.agent.linux.openvswitch_firewall`), so that either agent takes over
//! from the other without a packet lost: 60 finds the port, 71 and 81 let pass and drop what needs no rules,
//! 72 and 82 are the rules, 73 leads what a port sent to another port of the host. Register 5 has the port, 6 the
//! local VLAN, which is the zone of connection tracking too, 7 the conjunction that allowed a packet.

mod base;
mod groups;
mod ids;
mod rules;

use std::collections::{BTreeMap, BTreeSet};

use host::conntrack::Cut;
use model::Mac;
use model::l2::SecuredPort;
use ovs::openflow::{Action, Ct, Field, Match, Port, Subfield, Zone, ct_state};

use super::packets::is;
use super::{Input, Table, number, table};
use crate::l2::firewall::{open_ports, secured};
use crate::l2::openvswitch::vlans::LocalVlans;

/// Where the port is.
const PORT: Field = Field::Reg5;
/// Where the local VLAN is.
const NETWORK: Field = Field::Reg6;
/// Where the conjunction is.
const CONJUNCTION: Field = Field::Reg7;

/// On connections that were allowed once and no longer are.
const MARK_INVALID: u8 = 1;

/// The connections of these networks that were marked as no longer allowed. Forgotten when the rules change, one
/// that is allowed again begins anew.
#[must_use]
pub fn marked(vlans: &LocalVlans) -> BTreeSet<Cut> {
    let mark = Some(u32::from(MARK_INVALID));
    let of = |vlan: &u16| {
        let zone = Some(*vlan);
        [false, true].map(|v6| Cut { zone, v6, protocol: None, src: None, dst: None, mark })
    };
    vlans.values().flat_map(of).collect()
}

/// A filtered port and where it is.
#[derive(Debug, Clone, Copy)]
struct Guarded<'a> {
    port: &'a SecuredPort,
    number: u32,
    vlan: u16,
}

impl Guarded<'_> {
    /// Packets of it, in tables after it was found.
    fn packets(&self) -> Match {
        Match::new().field(PORT, self.number)
    }

    /// Hardware addresses it may use.
    fn macs(&self) -> BTreeSet<Mac> {
        let pairs = self.port.allowed_address_pairs.iter().map(|pair| pair.mac_address);
        pairs.chain([self.port.mac_address]).collect()
    }
}

/// The flows that filter all ports of the host.
pub(super) fn flows(input: Input<'_>, out: &mut Table) {
    frame(out);
    let devices = input.facts.devices(&input.config.ovs.integration_bridge);
    let numbers: BTreeMap<&str, u32> = devices.filter_map(|(id, _, port)| Some((id, port.ofport?))).collect();
    let place = |device: &str| {
        let details = input.view.ports.get(device).filter(|details| details.admin_state_up)?;
        let vlan = input.vlans.get(&(details.network_id.clone(), details.segmentation_id))?;
        Some((*numbers.get(device)?, *vlan))
    };
    let guarded: Vec<Guarded<'_>> = secured(input.view)
        .filter_map(|(device, port)| {
            let (number, vlan) = place(device)?;
            Some(Guarded { port, number, vlan })
        })
        .collect();
    // Whoever has a hardware address of its own is found by it, whatever others were allowed.
    for port in &guarded {
        port.port.allowed_address_pairs.iter().for_each(|pair| reached(port, pair.mac_address, out));
    }
    for port in &guarded {
        reached(port, port.port.mac_address, out);
        let from = with_port(port.number, port.vlan, table::BASE_EGRESS);
        out.add(table::TRANSIENT, 100, Match::new().in_port(port.number), from);
        base::egress(port, &input.config.permitted_ethertypes, out);
        base::accept_or_ingress(port, out);
        base::ingress(port, &input.config.permitted_ethertypes, out);
        base::tracked(port, out);
    }
    groups::flows(&guarded, &input.view.security, out);
    let open = open_ports(input.view, true).chain(open_ports(input.view, false));
    for (number, vlan) in open.filter_map(|device| place(device)) {
        out.add(
            table::TRANSIENT,
            100,
            Match::new().in_port(number),
            with_port(number, vlan, table::ACCEPT_OR_INGRESS),
        );
        let rest = Match::new().field(PORT, number);
        out.goto(table::ACCEPT_OR_INGRESS, 80, rest, table::ACCEPTED_EGRESS_NORMAL);
    }
}

/// Flows that are always there.
fn frame(out: &mut Table) {
    for number in table::FIREWALL {
        out.drop(*number, 0, Match::new());
    }
    let tracked = Match::new().ct_state(ct_state::TRK, 0);
    let again = vec![Action::CtClear, Action::resubmit(table::BASE_EGRESS)];
    out.add(table::BASE_EGRESS, 110, tracked, again);
    let normal = vec![Action::Output(Port::NORMAL)];
    out.add(table::ACCEPTED_EGRESS_NORMAL, 1, Match::new(), normal);
    out.goto(table::ACCEPTED_EGRESS, 1, Match::new(), table::ACCEPTED_EGRESS_NORMAL);
    out.drop(table::ACCEPTED_INGRESS, 0, Match::new());
    out.drop(table::DROPPED, 0, Match::new());
}

/// A port is found by a hardware address, by what comes from elsewhere and by what ports of this host sent.
fn reached(port: &Guarded<'_>, mac: Mac, out: &mut Table) {
    let to = || Match::new().field(Field::EthDst, number(mac));
    let mut actions = with_port(port.number, port.vlan, table::BASE_INGRESS);
    actions.insert(2, Action::PopVlan);
    out.add(table::TRANSIENT, 90, to().vlan(port.vlan), actions);
    let mut actions = with_port(port.number, port.vlan, table::BASE_INGRESS);
    actions.remove(1);
    out.add(table::ACCEPT_OR_INGRESS, 100, to().field(NETWORK, port.vlan), actions);
}

fn with_port(number: u32, vlan: u16, next: u8) -> Vec<Action> {
    vec![
        Action::SetField(PORT, number.into()),
        Action::SetField(NETWORK, vlan.into()),
        Action::GotoTable(next),
    ]
}

/// The zone of the packet's network.
fn zone() -> Zone {
    Zone::Field(Subfield { field: NETWORK, first: 0, bits: 16 })
}

/// On in a table with what is known of the connection.
fn track(next: u8) -> Vec<Action> {
    vec![Action::Ct(Box::new(Ct { table: Some(next), zone: zone(), ..Ct::default() }))]
}

/// The connection is remembered.
fn commit() -> Action {
    Action::Ct(Box::new(Ct { commit: true, zone: zone(), ..Ct::default() }))
}
