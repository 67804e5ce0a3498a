//! The tunnel bridge: frames to and from other hosts. Where addresses are is learnt from packets, and with
//! l2population said by the server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use model::Mac;
use ovs::openflow::matching::Bits;
use ovs::openflow::{Action, Entry, Field, Flows, Learn, LearnSpec, Match, Port, Subfield};

use super::{COOKIE, Input, Table, fdb, mac, number, table};
use crate::l2::openvswitch::config::{OvsConfig, TunnelType, Tunnels};
use crate::l2::openvswitch::facts::Facts;
use crate::l2::openvswitch::vlans::LocalVlans;
use crate::l2::view::{FdbTable, View};

/// Seconds after which what was learnt from a packet is forgotten.
const LEARNT_SECONDS: u16 = 300;
/// The bit that tells frames to many from frames to one.
pub(super) const MULTICAST: u128 = 1 << 40;
const BROADCAST: u128 = (1 << 48) - 1;
/// The ARP operation "reply".
const REPLY: u128 = 2;

/// Tunnel ports by type and remote host.
type Ends = BTreeMap<(TunnelType, Ipv4Addr), u32>;

fn to_local(kind: TunnelType) -> u8 {
    match kind {
        TunnelType::Gre => table::GRE_TUN_TO_LV,
        TunnelType::Vxlan => table::VXLAN_TUN_TO_LV,
        TunnelType::Geneve => table::GENEVE_TUN_TO_LV,
    }
}

pub(super) fn flows(input: Input<'_>, tunnels: &Tunnels) -> Table {
    let Input { view, config, facts, vlans } = input;
    let mut out = Table::default();
    let Some(patch) = facts.ofport(&config.ovs.tunnel_bridge, &config.ovs.tun_peer_patch_port) else {
        return out;
    };
    frame(patch, tunnels, &mut out);
    let ends = ends(facts, config);
    for ((kind, _), port) in &ends {
        out.goto(table::LOCAL_SWITCHING, 1, Match::new().in_port(*port), to_local(*kind));
    }
    let mut done = BTreeSet::new();
    for details in view.ports.values() {
        let Some(kind) = TunnelType::of(&details.network_type) else { continue };
        let key = (details.network_id.clone(), details.segmentation_id);
        let (Some(vlan), Some(segment)) = (vlans.get(&key).copied(), details.segmentation_id) else {
            continue;
        };
        if !done.insert(key) {
            continue;
        }
        let network = Network { kind, vlan, segment };
        network.inward(&mut out);
        if tunnels.l2_population {
            if let Some(table) = fdb(view, &details.network_id) {
                network.told(table, &ends, tunnels.arp_responder, &mut out);
            }
        } else {
            let all = ends.iter().filter(|((of, _), _)| *of == kind).map(|(_, port)| *port);
            network.flood(all.collect(), &mut out);
        }
    }
    out
}

/// Flows that are always there.
fn frame(patch: u32, tunnels: &Tunnels, out: &mut Table) {
    out.goto(table::LOCAL_SWITCHING, 1, Match::new().in_port(patch), table::PATCH_LV_TO_TUN);
    out.drop(table::LOCAL_SWITCHING, 0, Match::new());
    let to = |multicast: u128| Match::new().masked(Field::EthDst, multicast, MULTICAST);
    out.goto(table::PATCH_LV_TO_TUN, 0, to(0), table::UCAST_TO_TUN);
    out.goto(table::PATCH_LV_TO_TUN, 0, to(MULTICAST), table::FLOOD_TO_TUN);
    for kind in TunnelType::ALL {
        out.drop(to_local(kind), 0, Match::new());
    }
    let learn = vec![learn(), Action::Output(Port(patch))];
    let gratuitous = Match::new().arp().field(Field::ArpTha, BROADCAST);
    // Who says where it is now is believed at once: a router that moved, an address that moved.
    for moved in [gratuitous, Match::new().icmp6(134), Match::new().icmp6(136)] {
        out.add(table::LEARN_FROM_TUN, 2, moved, learn.clone());
    }
    out.add(table::LEARN_FROM_TUN, 1, Match::new(), learn);
    out.goto(table::UCAST_TO_TUN, 0, Match::new(), table::FLOOD_TO_TUN);
    out.drop(table::FLOOD_TO_TUN, 0, Match::new());
    if tunnels.arp_responder {
        let question = Match::new().arp().field(Field::EthDst, BROADCAST);
        out.goto(table::PATCH_LV_TO_TUN, 1, question, table::ARP_RESPONDER);
        out.goto(table::ARP_RESPONDER, 0, Match::new(), table::FLOOD_TO_TUN);
    }
}

/// Frames back to the sender of this one go by the tunnel it came by.
fn learn() -> Action {
    let part = |field, bits| Subfield { field, first: 0, bits };
    let specs = vec![
        LearnSpec::MatchField(part(Field::VlanTci, 12), part(Field::VlanTci, 12)),
        LearnSpec::MatchField(Field::EthSrc.into(), Field::EthDst.into()),
        LearnSpec::LoadValue(0, Field::VlanTci.into()),
        LearnSpec::LoadField(Field::TunId.into(), Field::TunId.into()),
        LearnSpec::Output(Field::InPort.into()),
    ];
    Action::Learn(Box::new(Learn {
        hard_timeout: LEARNT_SECONDS,
        priority: 1,
        cookie: COOKIE,
        table: table::UCAST_TO_TUN,
        specs,
        ..Learn::default()
    }))
}

/// The tunnels that have a port.
fn ends(facts: &Facts, config: &OvsConfig) -> Ends {
    let ports = facts.bridges.get(&config.ovs.tunnel_bridge).into_iter().flat_map(|b| b.ports.values());
    let end = |port: &crate::l2::openvswitch::facts::Port| {
        let kind = TunnelType::of(&port.kind)?;
        Some(((kind, port.options.get("remote_ip")?.parse().ok()?), port.ofport?))
    };
    ports.filter_map(end).collect()
}

/// A network that is carried in tunnels.
struct Network {
    kind: TunnelType,
    vlan: u16,
    segment: u32,
}

impl Network {
    /// What comes gets the local VLAN.
    fn inward(&self, out: &mut Table) {
        let actions = vec![
            Action::PushVlan(0x8100),
            Action::set_vlan(self.vlan),
            Action::GotoTable(table::LEARN_FROM_TUN),
        ];
        out.add(to_local(self.kind), 1, Match::new().field(Field::TunId, self.segment), actions);
    }

    fn outward(&self, ports: impl IntoIterator<Item = u32>) -> Vec<Action> {
        let mut actions = vec![Action::PopVlan, Action::set_tunnel(self.segment)];
        actions.extend(ports.into_iter().map(|port| Action::Output(Port(port))));
        actions
    }

    /// Frames to everybody go to these.
    fn flood(&self, ports: BTreeSet<u32>, out: &mut Table) {
        if !ports.is_empty() {
            out.add(table::FLOOD_TO_TUN, 1, Match::new().vlan(self.vlan), self.outward(ports));
        }
    }

    /// As the server says.
    fn told(&self, fdb: &FdbTable, ends: &Ends, arp_responder: bool, out: &mut Table) {
        let port = |host: &IpAddr| match host {
            IpAddr::V4(ip) => ends.get(&(self.kind, *ip)).copied(),
            IpAddr::V6(_) => None,
        };
        self.flood(fdb.flood.iter().filter_map(port).collect(), out);
        for (mac, host) in &fdb.macs {
            if let Some(port) = port(host) {
                let matching = Match::new().vlan(self.vlan).field(Field::EthDst, number(*mac));
                out.add(table::UCAST_TO_TUN, 2, matching, self.outward([port]));
            }
        }
        for (ip, mac) in fdb.neighbours.iter().filter(|_| arp_responder) {
            if let IpAddr::V4(ip) = ip {
                let matching = Match::new().vlan(self.vlan).arp().field(Field::ArpTpa, u32::from(*ip));
                out.add(table::ARP_RESPONDER, 1, matching, answer(*ip, *mac));
            }
        }
    }
}

/// Turns a question of ARP into its answer and sends it back.
fn answer(ip: Ipv4Addr, mac: Mac) -> Vec<Action> {
    let copy = |from: Field, to: Field| Action::Move(from.into(), to.into());
    vec![
        Action::SetField(Field::ArpOp, REPLY),
        copy(Field::ArpSha, Field::ArpTha),
        copy(Field::ArpSpa, Field::ArpTpa),
        Action::SetField(Field::ArpSha, number(mac)),
        Action::SetField(Field::ArpSpa, u32::from(ip).into()),
        copy(Field::EthSrc, Field::EthDst),
        Action::SetField(Field::EthSrc, number(mac)),
        Action::Output(Port::IN_PORT),
    ]
}

/// Takes what installed flows say about forwarding into the view, for networks that have a port here and of
/// which nothing was told yet: what an earlier run, or another agent, was told.
pub fn adopt(view: &mut View, config: &OvsConfig, facts: &Facts, vlans: &LocalVlans, installed: &Flows) {
    let hosts: BTreeMap<u32, Ipv4Addr> =
        ends(facts, config).into_iter().map(|((_, host), port)| (port, host)).collect();
    let networks: BTreeMap<String, u16> = vlans.iter().map(|((id, _), vlan)| (id.clone(), *vlan)).collect();
    let mut by_tag: BTreeMap<Bits, Vec<Entry<'_>>> = BTreeMap::new();
    for flow in installed.iter() {
        if let Some(tag) = flow.matching().get(Field::VlanTci) {
            by_tag.entry(tag).or_default().push(flow);
        }
    }
    for (network, vlan) in networks {
        if view.fdb.contains_key(&network) {
            continue;
        }
        let tag = Match::new().vlan(vlan).get(Field::VlanTci);
        let of_network = tag.and_then(|tag| by_tag.get(&tag)).into_iter().flatten().copied();
        let mut table = FdbTable::default();
        for flow in of_network {
            let actions = flow.actions();
            let outputs = actions.iter().filter_map(|action| match action {
                Action::Output(port) => hosts.get(&port.0).copied().map(IpAddr::V4),
                _ => None,
            });
            take_in(flow, outputs, &actions, &mut table);
        }
        view.fdb.insert(network, table);
    }
}

fn take_in(flow: Entry<'_>, mut hosts: impl Iterator<Item = IpAddr>, actions: &[Action], out: &mut FdbTable) {
    let matching = flow.matching();
    let field = |field| matching.get(field).map(|bits| bits.value);
    match flow.table() {
        table::FLOOD_TO_TUN => out.flood.extend(hosts),
        table::UCAST_TO_TUN => {
            if let (Some(address), Some(host)) = (field(Field::EthDst), hosts.next()) {
                out.macs.insert(mac(address), host);
            }
        }
        table::ARP_RESPONDER => {
            let said = actions.iter().find_map(|action| match action {
                Action::SetField(Field::ArpSha, address) => Some(mac(*address)),
                _ => None,
            });
            let ip = field(Field::ArpTpa).and_then(|ip| u32::try_from(ip).ok()).map(Ipv4Addr::from);
            out.neighbours.extend(ip.map(IpAddr::V4).zip(said));
        }
        _ => {}
    }
}
