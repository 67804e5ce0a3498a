//! The flows of one bridge, in few bytes: a host has tens of thousands of them and compares them at every pass.
//!
//! They stand encoded one after the other in one piece of memory, which goes back to the machine whole, and are found
//! by a list of where they begin.

use std::fmt;

use super::action::Action;
use super::flow::{Flow, Key};
use super::instruction::{decode_instructions, encode_instructions};
use super::matching::Match;
use super::wire::Writer;

/// Lengths of a flow's key and of the rest, two bytes each.
const LENGTHS: usize = 4;
/// Table and priority; the match follows.
const KEY_MIN: usize = 3;
/// The cookie; instructions follow.
const REST_MIN: usize = 8;

/// Key and rest of a flow that fits a message of 64 KiB, with what the message has besides.
const BYTES_MAX: usize = 65_000;

/// Flows that stay, in order of their keys, each key once. The ones that were learnt from packets are no part of it.
#[derive(Clone, Default)]
pub struct Flows {
    /// For each flow the lengths of key and rest, then these.
    bytes: Vec<u8>,
    /// Where flows begin, in order of keys.
    begins: Vec<usize>,
}

impl Flows {
    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.begins.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.begins.is_empty()
    }

    /// These and, of `others`, the ones whose keys they lack.
    #[must_use]
    pub fn with<'a>(self, others: impl Iterator<Item = Entry<'a>>) -> Flows {
        let mut all = Gathered::default();
        all.extend(others);
        if all.0.is_empty() {
            return self;
        }
        all.extend(self.iter());
        all.sorted()
    }

    /// In order of keys.
    pub fn iter(&self) -> impl Iterator<Item = Entry<'_>> {
        self.begins.iter().filter_map(|begin| Entry::first(self.bytes.get(*begin..)?))
    }
}

impl fmt::Debug for Flows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl PartialEq for Flows {
    fn eq(&self, other: &Flows) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Flows {}

/// Of two with the same key the later stays.
impl FromIterator<Flow> for Flows {
    fn from_iter<T: IntoIterator<Item = Flow>>(flows: T) -> Flows {
        let mut gathered = Gathered::default();
        flows.into_iter().for_each(|flow| gathered.add(&flow));
        gathered.sorted()
    }
}

/// Flows while they are gathered, in any order.
#[derive(Debug, Default)]
pub struct Gathered(Flows);

impl Gathered {
    /// Takes one in, unless it goes by itself.
    pub fn add(&mut self, flow: &Flow) {
        if flow.is_passing() {
            return;
        }
        let Flows { bytes, begins } = &mut self.0;
        let begin = bytes.len();
        let mut out = Writer { bytes: std::mem::take(bytes) };
        out.zeros(LENGTHS);
        out.u8(flow.key.table);
        out.u16(flow.key.priority);
        out.bytes.extend(flow.key.matching.as_bytes());
        let key = out.bytes.len() - begin - LENGTHS;
        out.u64(flow.cookie);
        encode_instructions(&flow.actions, &mut out);
        let rest = out.bytes.len() - begin - LENGTHS - key;
        if key + rest > BYTES_MAX {
            tracing::error!(
                table = flow.key.table,
                matching = %flow.key.matching,
                "a flow is left out: its {} actions are more than a message of OpenFlow can hold",
                flow.actions.len()
            );
            out.bytes.truncate(begin);
        } else {
            out.patch_u16(begin, super::wire::length(key));
            out.patch_u16(begin + 2, super::wire::length(rest));
            begins.push(begin);
        }
        *bytes = out.bytes;
    }

    fn extend<'a>(&mut self, entries: impl Iterator<Item = Entry<'a>>) {
        for entry in entries {
            self.0.begins.push(self.0.bytes.len());
            self.0.bytes.extend(entry.0);
        }
    }

    /// All of them; of two with the same key the later.
    #[must_use]
    pub fn sorted(self) -> Flows {
        let Flows { mut bytes, mut begins } = self.0;
        let key = |begin: usize| bytes.get(begin..).and_then(Entry::first).map(Entry::key);
        // Of equal keys the one gathered last comes first, and stays.
        begins.sort_unstable_by(|a, b| key(*a).cmp(&key(*b)).then(b.cmp(a)));
        begins.dedup_by_key(|begin| key(*begin));
        bytes.shrink_to_fit();
        begins.shrink_to_fit();
        Flows { bytes, begins }
    }
}

/// A flow among [`Flows`].
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a>(&'a [u8]);

impl<'a> Entry<'a> {
    /// The one that begins where `bytes` do.
    fn first(bytes: &'a [u8]) -> Option<Entry<'a>> {
        let (lengths, _) = bytes.split_first_chunk::<LENGTHS>()?;
        let [key, rest] = Self::lengths(*lengths);
        bytes.get(..LENGTHS + key + rest).map(Entry)
    }

    fn lengths([a, b, c, d]: [u8; LENGTHS]) -> [usize; 2] {
        [u16::from_be_bytes([a, b]).into(), u16::from_be_bytes([c, d]).into()]
    }

    fn parts(self) -> (&'a [u8], &'a [u8]) {
        let (lengths, both) = self.0.split_first_chunk::<LENGTHS>().unwrap_or((&[0; LENGTHS], &[]));
        both.split_at_checked(Self::lengths(*lengths)[0]).unwrap_or_default()
    }

    /// What is compared when flows are put in order.
    pub(super) fn key(self) -> &'a [u8] {
        self.parts().0
    }

    /// Its table.
    #[must_use]
    pub fn table(self) -> u8 {
        self.key().first().copied().unwrap_or_default()
    }

    /// Whose it is.
    #[must_use]
    pub fn cookie(self) -> u64 {
        let cookie = self.parts().1.first_chunk::<REST_MIN>();
        cookie.map_or(0, |bytes| u64::from_be_bytes(*bytes))
    }

    /// Which packets, and where.
    #[must_use]
    pub fn matching(self) -> Match {
        Match::of_bytes(self.key().get(KEY_MIN..).unwrap_or_default())
    }

    /// What it does.
    #[must_use]
    pub fn actions(self) -> Vec<Action> {
        let instructions = self.parts().1.get(REST_MIN..).unwrap_or_default();
        // They are read as they were written.
        decode_instructions(instructions).unwrap_or_default()
    }

    /// What tells it from others.
    #[must_use]
    pub fn to_key(self) -> Key {
        let priority = match self.key() {
            [_, high, low, ..] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        Key { table: self.table(), priority, matching: self.matching() }
    }

    /// The flow itself.
    #[must_use]
    pub fn to_flow(self) -> Flow {
        let (cookie, actions) = (self.cookie(), self.actions());
        Flow { key: self.to_key(), cookie, actions, idle_timeout: 0, hard_timeout: 0 }
    }
}

impl fmt::Debug for Entry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.to_flow())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::action::Port;

    fn flow(table: u8, priority: u16, port: u32) -> Flow {
        let actions = vec![Action::Output(Port(port)), Action::GotoTable(60)];
        Flow { cookie: 7, ..Flow::new(table, priority, Match::new().in_port(port % 10).arp(), actions) }
    }

    #[test]
    fn what_goes_in_comes_out_in_order_and_once() {
        let all = [flow(3, 500, 1), flow(0, 9, 2), flow(3, 40, 1), flow(0, 9, 12), Flow::default()];
        let flows: Flows = all.iter().cloned().collect();
        let sorted = [Flow::default(), flow(0, 9, 12), flow(3, 40, 1), flow(3, 500, 1)];
        assert_eq!(flows.iter().map(Entry::to_flow).collect::<Vec<_>>(), sorted);
        assert_eq!(flows, sorted.into_iter().rev().collect(), "the order they came in does not matter");
        let entry = flows.iter().last().unwrap();
        assert_eq!((entry.table(), entry.cookie()), (3, 7));
    }

    #[test]
    fn what_cannot_stay_is_left_out() {
        let learnt = Flow { hard_timeout: 300, ..flow(1, 1, 1) };
        let long = Flow { actions: vec![Action::Output(Port(1)); 5000], ..flow(2, 2, 2) };
        assert_eq!(Flows::from_iter([learnt, long, flow(3, 3, 3)]), Flows::from_iter([flow(3, 3, 3)]));
    }

    #[test]
    fn own_flows_win_over_others_with_the_same_key() {
        let own = Flows::from_iter([flow(0, 9, 2)]);
        let others = Flows::from_iter([flow(0, 9, 12), flow(0, 1, 1)]);
        let both = own.clone().with(others.iter());
        assert_eq!(both, Flows::from_iter([flow(0, 9, 2), flow(0, 1, 1)]));
        assert_eq!(own.clone().with(std::iter::empty()), own);
    }
}
