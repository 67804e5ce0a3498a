//! What has to change for installed flows to become the desired ones.

use super::flow::FlowMod;
use super::flows::{Entry, Flows};

/// The changes that lead from `installed` to `desired`: what is missing or different is added in its place,
/// what is too much and `ours` goes. Additions come first; all are meant for one bundle.
pub fn diff<'a>(
    desired: &'a Flows,
    installed: &'a Flows,
    ours: impl Fn(Entry<'a>) -> bool + 'a,
) -> impl Iterator<Item = FlowMod> + 'a {
    let wanting = beside(desired, installed).filter(|(flow, there)| *there != Some(*flow));
    let surplus = beside(installed, desired).filter(move |(flow, there)| there.is_none() && ours(*flow));
    let added = wanting.map(|(flow, _)| FlowMod::add(flow.to_flow()));
    added.chain(surplus.map(|(flow, _)| FlowMod::remove(flow.to_key())))
}

/// Each of `flows` with the one of `others` that has the same key.
fn beside<'a>(flows: &'a Flows, others: &'a Flows) -> impl Iterator<Item = (Entry<'a>, Option<Entry<'a>>)> {
    let mut others = others.iter().peekable();
    flows.iter().map(move |flow| {
        while others.next_if(|other| other.key() < flow.key()).is_some() {}
        (flow, others.next_if(|other| other.key() == flow.key()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::openflow::action::{Action, Port};
    use crate::openflow::flow::{Command, Flow};
    use crate::openflow::matching::Match;

    const OURS: u64 = 7;

    fn flow(priority: u16, cookie: u64, port: u32) -> Flow {
        let output = vec![Action::Output(Port(port))];
        Flow { cookie, ..Flow::new(0, priority, Match::new().in_port(1), output) }
    }

    fn changes(desired: &[Flow], installed: &[Flow]) -> Vec<(Command, u16)> {
        let [desired, installed] = [desired, installed].map(|flows| Flows::from_iter(flows.to_vec()));
        let changes = diff(&desired, &installed, |entry| entry.cookie() == OURS);
        changes.map(|change| (change.command, change.flow.key.priority)).collect()
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
