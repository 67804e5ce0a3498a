//! From what `iptables-save` shows to what is wanted: the text for one `iptables-restore -n`.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::ruleset::{Family, Ruleset, Table, TableRules};

/// All tables of one family as saved.
pub type Saved = BTreeMap<Table, SavedTable>;

/// One table as saved: rules by chain, without `-A chain`, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SavedTable(pub BTreeMap<String, Vec<String>>);

/// Where a chain is.
pub(super) type ChainKey = (Family, Table, String);

/// A chain's rules as we write them, and as the tool writes the same rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Spelling {
    ours: Vec<String>,
    theirs: Vec<String>,
}

/// Reads the output of `iptables-save`. Tables that are no concern of ours are left out.
#[must_use]
pub fn parse(text: &str) -> Saved {
    let mut saved = Saved::new();
    let mut current: Option<&mut SavedTable> = None;
    for line in text.lines().map(str::trim_end) {
        if let Some(word) = line.strip_prefix('*') {
            current = Table::parse(word).map(|table| saved.entry(table).or_default());
        } else if let (Some(table), Some(chain)) = (current.as_mut(), line.strip_prefix(':')) {
            let name = chain.split(' ').next().unwrap_or_default();
            table.0.entry(name.to_owned()).or_default();
        } else if let (Some(table), Some(rule)) = (current.as_mut(), line.strip_prefix("-A ")) {
            let (chain, rule) = rule.split_once(' ').unwrap_or((rule, ""));
            table.0.entry(chain.to_owned()).or_default().push(rule.to_owned());
        }
    }
    saved
}

/// The text for `iptables-restore -n`, and the number of changing lines in it.
pub(super) fn commands(
    wanted: &Ruleset,
    family: Family,
    installed: &Saved,
    spelled: &HashMap<ChainKey, Spelling>,
) -> (String, usize) {
    let (mut text, mut changes) = (String::new(), 0);
    let (empty, nothing) = (SavedTable::default(), TableRules::default());
    let prefix = format!("{}-", wanted.wrap());
    // A table that is no longer wanted may have chains of an earlier time.
    let left = installed.iter().filter(|(_, saved)| saved.0.keys().any(|chain| chain.starts_with(&prefix)));
    let mut tables: BTreeMap<Table, &TableRules> = left.map(|(table, _)| (*table, &nothing)).collect();
    tables.extend(wanted.tables(family));
    for (table, rules) in tables {
        let saved = installed.get(&table).unwrap_or(&empty);
        let same = |chain: &str, now: &[String], then: &[String]| {
            let spelling = spelled.get(&(family, table, chain.to_owned()));
            alike(now, then) || spelling.is_some_and(|s| s.ours == then && s.theirs == now)
        };
        let lines = table_commands(&prefix, rules, saved, &same);
        if !lines.is_empty() {
            changes += lines.len();
            let word = table.word();
            // Writing to a String cannot fail.
            let _ = writeln!(text, "*{word}\n{}\nCOMMIT", lines.join("\n"));
        }
    }
    (text, changes)
}

/// Equal but for the case of hardware addresses: older iptables, and so upstream, write them
/// in upper case.
fn alike(now: &[String], then: &[String]) -> bool {
    let same =
        |(a, b): (&String, &String)| a == b || (a.contains("--mac-source") && a.eq_ignore_ascii_case(b));
    now.len() == then.len() && now.iter().zip(then).all(same)
}

type Same<'a> = dyn Fn(&str, &[String], &[String]) -> bool + 'a;

fn table_commands(prefix: &str, wanted: &TableRules, saved: &SavedTable, same: &Same<'_>) -> Vec<String> {
    let mut lines = Vec::new();
    let none = Vec::new();
    for chain in wanted.chains.keys().chain(wanted.shared.keys()) {
        // Built-in chains are always there; naming one would set its policy.
        if !saved.0.contains_key(chain) && !is_builtin(chain) {
            lines.push(format!(":{chain} - [0:0]"));
        }
    }
    for (chain, rules) in &wanted.chains {
        let now = saved.0.get(chain).unwrap_or(&none);
        if !same(chain, now, rules) {
            own_chain(chain, now, rules, &mut lines);
        }
    }
    let is_ours = |chain: &str| chain.starts_with(prefix);
    for (chain, now) in saved.0.iter().filter(|(chain, _)| !is_ours(chain)) {
        let rules = wanted.shared.get(chain).unwrap_or(&none);
        shared_chain(prefix, chain, now, rules, &mut lines);
    }
    for (chain, rules) in wanted.shared.iter().filter(|(chain, _)| !saved.0.contains_key(*chain)) {
        shared_chain(prefix, chain, &none, rules, &mut lines);
    }
    let gone = || saved.0.keys().filter(|chain| is_ours(chain) && !wanted.chains.contains_key(*chain));
    lines.extend(gone().map(|chain| format!("-F {chain}")));
    lines.extend(gone().map(|chain| format!("-X {chain}")));
    lines
}

fn is_builtin(chain: &str) -> bool {
    matches!(chain, "INPUT" | "OUTPUT" | "FORWARD" | "PREROUTING" | "POSTROUTING")
}

/// A chain of ours: what is alike at both ends stays, with its counters; the middle changes.
fn own_chain(chain: &str, now: &[String], then: &[String], lines: &mut Vec<String>) {
    let head = now.iter().zip(then).take_while(|(a, b)| a == b).count();
    let (now, then) = (now.get(head..).unwrap_or_default(), then.get(head..).unwrap_or_default());
    let tail = now.iter().rev().zip(then.iter().rev()).take_while(|(a, b)| a == b).count();
    let (old, new) = (now.len() - tail, then.len() - tail);
    lines.extend(std::iter::repeat_n(format!("-D {chain} {}", head + 1), old));
    for (offset, rule) in then.iter().take(new).enumerate() {
        lines.push(if tail == 0 {
            format!("-A {chain} {rule}")
        } else {
            format!("-I {chain} {} {rule}", head + offset + 1)
        });
    }
}

/// A chain of everybody's: our rules stand together above those of strangers. Rules of other
/// Neutron agents may stand above ours: two agents must not push each other down for ever.
fn shared_chain(prefix: &str, chain: &str, now: &[String], then: &[String], lines: &mut Vec<String>) {
    let is_ours = |rule: &&String| rule.contains(prefix) || then.contains(rule);
    let ours: Vec<&String> = now.iter().filter(is_ours).collect();
    let without_siblings = now.iter().filter(|rule| is_ours(rule) || !rule.contains("neutron-"));
    if ours.iter().copied().eq(then) && without_siblings.take(then.len()).eq(then) {
        return;
    }
    // By text, never by number: a number could hit a stranger's rule.
    lines.extend(ours.iter().map(|rule| format!("-D {chain} {rule}")));
    lines.extend(then.iter().enumerate().map(|(at, rule)| format!("-I {chain} {} {rule}", at + 1)));
}

/// After a successful restore: what is installed, without reading it again.
pub(super) fn assume(wanted: &Ruleset, family: Family, installed: &mut Saved) {
    let prefix = format!("{}-", wanted.wrap());
    for (_, saved) in installed.iter_mut() {
        saved.0.retain(|chain, _| !chain.starts_with(&prefix));
        saved.0.values_mut().for_each(|rules| rules.retain(|rule| !rule.contains(&prefix)));
    }
    for (table, rules) in wanted.tables(family) {
        let saved = &mut installed.entry(table).or_default().0;
        for (chain, now) in saved.iter_mut() {
            let then = rules.shared.get(chain).map(Vec::as_slice).unwrap_or_default();
            now.retain(|rule| !then.contains(rule));
            now.splice(0..0, then.iter().cloned());
        }
        for (chain, rules) in rules.chains.iter().chain(&rules.shared) {
            saved.entry(chain.clone()).or_insert_with(|| rules.clone());
        }
    }
}

/// Right after a restore from a fresh reading, a chain that reads differently from what was
/// written differs in spelling only (if it has as many rules): remembers that, so that it
/// is not written again and again.
pub(super) fn learn_spellings(
    wanted: &Ruleset,
    family: Family,
    saved: &Saved,
    spelled: &mut HashMap<ChainKey, Spelling>,
) {
    for (table, rules) in wanted.tables(family) {
        for (chain, ours) in &rules.chains {
            let theirs = saved.get(&table).and_then(|t| t.0.get(chain));
            let Some(theirs) = theirs.filter(|theirs| !alike(theirs, ours) && theirs.len() == ours.len())
            else {
                continue;
            };
            tracing::debug!(chain, "iptables spells rules differently");
            let spelling = Spelling { ours: ours.clone(), theirs: theirs.clone() };
            spelled.insert((family, table, chain.clone()), spelling);
        }
    }
}
