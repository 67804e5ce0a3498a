//! What has to change for installed flows to become the desired ones.

use std::collections::BTreeMap;

use super::action::Action;
use super::flow::{Flow, FlowMod, Key};

/// The rest of a flow, by its key.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Entry {
    /// Whose it is.
    pub cookie: u64,
    /// What it does.
    pub actions: Vec<Action>,
}

/// Flows that stay, of one bridge. The ones that were learnt from packets are no part of it.
pub type Flows = BTreeMap<Key, Entry>;

/// Flows by their keys, without those that go by themselves.
#[must_use]
pub fn lasting(flows: impl IntoIterator<Item = Flow>) -> Flows {
    let lasting = flows.into_iter().filter(|flow| !flow.is_passing());
    lasting.map(|flow| (flow.key, Entry { cookie: flow.cookie, actions: flow.actions })).collect()
}

/// The changes that lead from `installed` to `desired`: what is missing or different is added in its place,
/// what is too much and `ours` goes. Additions come first; all are meant for one bundle.
#[must_use]
pub fn diff(desired: &Flows, installed: &Flows, ours: impl Fn(&Key, &Entry) -> bool) -> Vec<FlowMod> {
    let wanting = desired.iter().filter(|(key, entry)| installed.get(*key) != Some(*entry));
    let added = wanting.map(|(key, entry)| {
        let Entry { cookie, actions } = entry.clone();
        FlowMod::add(Flow { key: key.clone(), cookie, actions, idle_timeout: 0, hard_timeout: 0 })
    });
    let surplus = installed.iter().filter(|(key, entry)| !desired.contains_key(*key) && ours(key, entry));
    added.chain(surplus.map(|(key, _)| FlowMod::remove(key.clone()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::action::Port;
    use crate::openflow::flow::Command;
    use crate::openflow::matching::Match;

    const OURS: u64 = 7;

    fn flow(priority: u16, cookie: u64, port: u32) -> Flow {
        let output = vec![Action::Output(Port(port))];
        Flow { cookie, ..Flow::new(0, priority, Match::new().in_port(1), output) }
    }

    fn changes(desired: &[Flow], installed: &[Flow]) -> Vec<(Command, u16)> {
        let (desired, installed) = (lasting(desired.to_vec()), lasting(installed.to_vec()));
        let changes = diff(&desired, &installed, |_, entry| entry.cookie == OURS);
        changes.iter().map(|change| (change.command, change.flow.key.priority)).collect()
    }

    #[test]
    fn only_what_differs_changes() {
        let one = [flow(1, OURS, 1)];
        assert_eq!(changes(&one, &one), []);
        assert_eq!(changes(&one, &[]), [(Command::Add, 1)]);
        assert_eq!(changes(&one, &[flow(1, OURS, 2)]), [(Command::Add, 1)]);
        assert_eq!(changes(&one, &[flow(1, 9, 1)]), [(Command::Add, 1)], "it becomes ours");
        assert_eq!(
            changes(&one, &[flow(2, OURS, 1), flow(3, 9, 1)]),
            [(Command::Add, 1), (Command::DeleteStrict, 2)],
            "another's stays"
        );
        let learnt = Flow { hard_timeout: 300, ..flow(4, OURS, 1) };
        assert_eq!(changes(&[], &[learnt]), [], "what was learnt goes by itself");
    }
}
