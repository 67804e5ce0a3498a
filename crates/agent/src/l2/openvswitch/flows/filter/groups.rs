//! What groups allow. A rule about addresses is a flow for each port. A rule about a remote group is a
//! conjunction: who the other is (a flow for each member and network), and what the packet is (a flow for each
//! port); so groups of n ports and m members have n + m flows and not n × m.

use std::collections::{BTreeMap, BTreeSet};

use ipnet::IpNet;
use model::Mac;
use model::l2::{Direction, Ethertype, Member, SecurityRule};
use ovs::openflow::{Action, Field, Match, Port, ct_state};

use super::super::{Table, number, table};
use super::ids::{Reference, blocks};
use super::{CONJUNCTION, Guarded, NETWORK, commit, is, rules};
use crate::l2::firewall::parse_net;
use crate::l2::view::{Security, remote_of};

/// Clauses of a conjunction: the other, and the packet.
const CLAUSES: u8 = 2;
const THE_OTHER: u8 = 1;
const THE_PACKET: u8 = 2;

/// Flows with the conjunctions they are clauses of.
type Clauses = BTreeMap<(u8, u16, Match), BTreeSet<u32>>;
/// Conjunctions by network, remote group and kind, with their ranks.
type Uses<'a> = BTreeMap<(u16, &'a str, Direction, Ethertype), BTreeSet<(u16, u32)>>;

/// The flows of all ports' groups.
pub(super) fn flows(ports: &[Guarded<'_>], security: &Security, out: &mut Table) {
    let ids = blocks(references(ports, security).collect());
    let (mut clauses, mut uses) = (Clauses::new(), Uses::new());
    for port in ports {
        for (group, rule) in rules_of(port, security) {
            let Some(remote) = remote_of(rule) else {
                plain(port, rule, out);
                continue;
            };
            let reference = (group, remote.as_str(), rule.direction, rule.ethertype);
            let Some(block) = ids.get(&reference) else { continue };
            let rank = rules::rank(rule);
            let id = block + u32::from(rank) * 2;
            uses.entry((port.vlan, remote, rule.direction, rule.ethertype)).or_default().insert((rank, id));
            let here = rules_table(rule.direction);
            for matching in rules::packets(rule, port.packets()) {
                clause(&mut clauses, here, rules::priority(rule), &matching, id);
            }
            allowed(port, rule, id, out);
        }
    }
    put(std::mem::take(&mut clauses), THE_PACKET, out);
    for ((vlan, remote, direction, ethertype), conjunctions) in uses {
        for matching in others(security, vlan, remote, direction, ethertype) {
            for (rank, id) in &conjunctions {
                clause(&mut clauses, rules_table(direction), rules::conjunctive(*rank), &matching, *id);
            }
        }
    }
    put(clauses, THE_OTHER, out);
}

/// The rules of a port's groups, with their groups.
fn rules_of<'a>(
    port: &Guarded<'a>,
    security: &'a Security,
) -> impl Iterator<Item = (&'a str, &'a SecurityRule)> + use<'a> {
    let groups = port.port.security_groups.iter();
    let known = groups.filter_map(|group| Some((group.as_str(), security.groups.get(group)?)));
    known.flat_map(|(group, rules)| rules.iter().map(move |rule| (group, rule)))
}

fn references<'a>(ports: &[Guarded<'a>], security: &'a Security) -> impl Iterator<Item = Reference<'a>> {
    let groups: BTreeSet<&'a String> = ports.iter().flat_map(|port| &port.port.security_groups).collect();
    let rules = groups.into_iter().filter_map(|group| Some((group.as_str(), security.groups.get(group)?)));
    rules.flat_map(|(group, rules)| {
        let of = move |rule: &'a SecurityRule| {
            Some((group, remote_of(rule)?.as_str(), rule.direction, rule.ethertype))
        };
        rules.iter().filter_map(of)
    })
}

fn rules_table(direction: Direction) -> u8 {
    match direction {
        Direction::Ingress => table::RULES_INGRESS,
        Direction::Egress => table::RULES_EGRESS,
    }
}

/// Packets of a connection in its first direction, and those that begin one.
fn states(matching: &Match) -> [Match; 2] {
    let established = matching.clone().ct_state(ct_state::EST, ct_state::REL | ct_state::RPL);
    [established, matching.clone().ct_state(ct_state::NEW, ct_state::EST)]
}

/// What becomes of allowed packets of a known connection, and of a new one.
fn verdicts(port: &Guarded<'_>, direction: Direction) -> [Vec<Action>; 2] {
    match direction {
        Direction::Ingress => {
            let deliver = Action::Output(Port(port.number));
            let told = Action::GotoTable(table::ACCEPTED_INGRESS);
            [vec![deliver.clone()], vec![commit(), deliver, told]]
        }
        // A connection is remembered once the packet leaves, or by the port of this host that it is for.
        Direction::Egress => {
            let on = vec![Action::GotoTable(table::ACCEPT_OR_INGRESS)];
            [on.clone(), on]
        }
    }
}

/// A rule about addresses.
fn plain(port: &Guarded<'_>, rule: &SecurityRule, out: &mut Table) {
    for matching in rules::packets(rule, port.packets()) {
        for (matching, actions) in states(&matching).into_iter().zip(verdicts(port, rule.direction)) {
            out.add(rules_table(rule.direction), rules::priority(rule), matching, actions);
        }
    }
}

/// Packets for which a conjunction holds.
fn allowed(port: &Guarded<'_>, rule: &SecurityRule, id: u32, out: &mut Table) {
    let packets = is(port.packets(), rule.ethertype);
    let both = [id, id + 1].into_iter().zip(states(&packets)).zip(verdicts(port, rule.direction));
    for ((id, matching), mut actions) in both {
        actions.insert(0, Action::SetField(CONJUNCTION, id.into()));
        let matching = matching.field(Field::ConjId, id);
        out.add(rules_table(rule.direction), rules::priority(rule), matching, actions);
    }
}

/// Notes that packets fulfil a clause of a conjunction and, when they begin a connection, of the one after it.
fn clause(clauses: &mut Clauses, table: u8, priority: u16, matching: &Match, id: u32) {
    for (id, matching) in [id, id + 1].into_iter().zip(states(matching)) {
        clauses.entry((table, priority, matching)).or_default().insert(id);
    }
}

fn put(all: Clauses, clause: u8, out: &mut Table) {
    for ((table, priority, matching), ids) in all {
        let actions = ids.into_iter().map(|id| Action::Conjunction { id, clause, clauses: CLAUSES });
        out.add(table, priority, matching, actions.collect());
    }
}

/// Packets of a network that come from (ingress) or go to (egress) a member of a group.
fn others<'a>(
    security: &'a Security,
    vlan: u16,
    group: &str,
    direction: Direction,
    ethertype: Ethertype,
) -> impl Iterator<Item = Match> + use<'a> {
    let members = security.members.get(group).map(|members| match ethertype {
        Ethertype::V4 => members.v4.as_slice(),
        Ethertype::V6 => members.v6.as_slice(),
    });
    let packets = is(Match::new().field(NETWORK, vlan), ethertype);
    members.unwrap_or_default().iter().filter_map(move |member| {
        let net =
            parse_net(member.address()).filter(|net| net.addr().is_ipv4() == (ethertype == Ethertype::V4))?;
        let packets = rules::remote(packets.clone(), direction, net);
        // A member that may use every address is told by its hardware address.
        match mac_of(member).filter(|_| is_everything(net)) {
            Some(mac) => Some(packets.field(hardware(direction), number(mac))),
            None => Some(packets),
        }
    })
}

fn is_everything(net: IpNet) -> bool {
    net.prefix_len() == 0
}

fn mac_of(member: &Member) -> Option<Mac> {
    match member {
        Member::Pair(_, Some(mac)) => mac.parse().ok(),
        Member::Pair(_, None) | Member::Address(_) => None,
    }
}

fn hardware(direction: Direction) -> Field {
    match direction {
        Direction::Ingress => Field::EthSrc,
        Direction::Egress => Field::EthDst,
    }
}
