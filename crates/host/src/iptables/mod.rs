//! iptables: wanted chains and rules as data, compared with what `iptables-save` shows, and
//! changed by one `iptables-restore -n` per family and change set.
//!
//! Chains are named and ordered as upstream's agents do (`neutron-linuxbri-FORWARD`,
//! `neutron-filter-top` …), so either adopts the other's. Only chains that begin with our
//! wrapping name, and rules that mention one, are ever changed or removed.
//!
//! `iptables-restore` replaces a table at once, so no packet sees a half-made change.

mod diff;
mod ruleset;

use std::collections::{HashMap, HashSet};

pub use diff::{Saved, SavedTable, parse};
pub use ruleset::{Families, Family, Features, Ruleset, Table, TableRules};

use crate::netns::Netns;
use crate::{Result, exec};

/// Seconds to wait for another program's hold on the tables (legacy iptables only).
const LOCK_WAIT_S: &str = "10";

/// The rules of one agent in one namespace, with the memory of what is installed.
#[derive(Debug)]
pub struct Iptables {
    ns: Netns,
    installed: HashMap<Family, Saved>,
    /// Families read since the last change: what differs now may differ in spelling only.
    fresh: HashSet<Family>,
    /// What the tool makes of rules it writes differently from us, per chain: ours, its.
    spelled: HashMap<diff::ChainKey, diff::Spelling>,
}

impl Iptables {
    /// The tables of `ns`; nothing is read yet.
    #[must_use]
    pub fn new(ns: &Netns) -> Self {
        Iptables { ns: ns.clone(), installed: HashMap::new(), fresh: HashSet::new(), spelled: HashMap::new() }
    }

    /// The tables of `ns`, which was just made: nothing is in them, so nothing is read.
    #[must_use]
    pub fn of_new(ns: &Netns) -> Self {
        let nothing = [Family::V4, Family::V6].map(|family| (family, Saved::new()));
        Iptables { installed: nothing.into(), ..Iptables::new(ns) }
    }

    /// Forgets what is installed: the next [`Iptables::apply`] reads it anew and so repairs
    /// what others changed.
    pub fn forget(&mut self) {
        self.installed.clear();
    }

    /// Makes the tables hold exactly the `wanted` rules of ours. Returns the number of
    /// changing lines, 0 when all was well.
    ///
    /// # Errors
    /// When a tool fails; then nothing of that family was changed and all is forgotten.
    pub fn apply(&mut self, wanted: &Ruleset) -> Result<usize> {
        let mut changes = 0;
        for family in wanted.families() {
            let outcome = match self.apply_family(wanted, family) {
                // What is remembered may be out of date: once more from what is.
                Err(_) if self.installed.remove(&family).is_some() => self.apply_family(wanted, family),
                outcome => outcome,
            };
            changes += outcome.inspect_err(|_| self.forget())?;
        }
        Ok(changes)
    }

    fn apply_family(&mut self, wanted: &Ruleset, family: Family) -> Result<usize> {
        self.installed(family)?;
        let fresh = self.fresh.remove(&family);
        let installed = self.installed.entry(family).or_default();
        let (text, changes) = diff::commands(wanted, family, installed, &self.spelled);
        if changes == 0 {
            return Ok(0);
        }
        exec::run(&self.ns, family.restore(), &["-n", "-w", LOCK_WAIT_S], &text)?;
        if fresh {
            // Compare spellings while the difference can only be one of spelling.
            let saved = self.read(family)?;
            diff::learn_spellings(wanted, family, &saved, &mut self.spelled);
            self.installed.insert(family, saved);
        } else {
            diff::assume(wanted, family, installed);
        }
        Ok(changes)
    }

    /// All tables of a family as they are installed, read if they are not remembered.
    ///
    /// # Errors
    /// When the tool fails.
    pub fn installed(&mut self, family: Family) -> Result<&Saved> {
        if !self.installed.contains_key(&family) {
            let saved = self.read(family)?;
            self.installed.insert(family, saved);
            self.fresh.insert(family);
        }
        Ok(self.installed.entry(family).or_default())
    }

    fn read(&self, family: Family) -> Result<Saved> {
        Ok(parse(&exec::run(&self.ns, family.save(), &[], "")?))
    }
}

#[cfg(test)]
mod tests;
