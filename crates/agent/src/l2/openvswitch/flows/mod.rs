//! Flows as they should be, by bridge: a pure function of what the server said, the configuration and the
//! numbers that ports have. Tables, priorities and the way of a packet are upstream's, so that either agent
//! finds the other's flows in place.

mod direct;
mod filter;
mod integration;
mod packets;
mod physical;
mod spoof;
mod table;
mod tunnel;

use std::collections::BTreeMap;

use model::Mac;
use ovs::openflow::{Action, Entry, Flow, Flows, Gathered, Match};

use super::config::OvsConfig;
use super::facts::Facts;
use super::vlans::LocalVlans;
use crate::l2::view::{FdbTable, View};

pub use filter::marked;
pub use tunnel::adopt;

/// Tells our flows from others': the letters "neutronr".
pub const COOKIE: u64 = 0x6e65_7574_726f_6e72;

/// All that flows are made of.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a> {
    /// What the server said.
    pub view: &'a View,
    /// What we were told.
    pub config: &'a OvsConfig,
    /// Numbers of ports.
    pub facts: &'a Facts,
    /// Tags of networks.
    pub vlans: &'a LocalVlans,
}

/// Flows of one bridge while they are gathered.
#[derive(Debug, Default)]
struct Table(Gathered);

impl Table {
    /// Packets that match, by priority, in a table.
    fn add(&mut self, table: u8, priority: u16, matching: Match, actions: Vec<Action>) {
        self.0.add(&Flow { cookie: COOKIE, ..Flow::new(table, priority, matching, actions) });
    }

    fn goto(&mut self, table: u8, priority: u16, matching: Match, next: u8) {
        self.add(table, priority, matching, vec![Action::GotoTable(next)]);
    }

    fn drop(&mut self, table: u8, priority: u16, matching: Match) {
        self.add(table, priority, matching, Vec::new());
    }
}

/// The flows of every bridge that there is.
#[must_use]
pub fn flows(input: Input<'_>) -> BTreeMap<String, Flows> {
    let mut out = BTreeMap::new();
    let Input { config, facts, .. } = input;
    let mut put = |bridge: &String, flows: Table| {
        if facts.bridges.contains_key(bridge) {
            out.insert(bridge.clone(), flows.0.sorted());
        }
    };
    put(&config.ovs.integration_bridge, integration::flows(input));
    for (physnet, bridge) in &config.ovs.bridge_mappings {
        put(bridge, physical::flows(input, physnet, bridge));
    }
    if let Some(tunnels) = &config.tunnels {
        put(&config.ovs.tunnel_bridge, tunnel::flows(input, tunnels));
    }
    out
}

/// Whether an installed flow may be removed when nobody wants it: ours, and what another agent left in the
/// tables that agents use. Flows without a cookie are made by hand or by other programs.
#[must_use]
pub fn removable(flow: Entry<'_>) -> bool {
    flow.cookie() == COOKIE || (flow.cookie() != 0 && table::AGENTS.contains(&flow.table()))
}

/// A hardware address as a field has it.
fn number(mac: Mac) -> u128 {
    mac.0.iter().fold(0, |number, byte| (number << 8) | u128::from(*byte))
}

/// The hardware address in a field.
fn mac(number: u128) -> Mac {
    let [.., a, b, c, d, e, f] = number.to_be_bytes();
    Mac([a, b, c, d, e, f])
}

/// What a network's forwarding needs; networks nobody told of have nothing.
fn fdb<'a>(view: &'a View, network: &str) -> Option<&'a FdbTable> {
    view.fdb.get(network)
}
