//! The wanted rules of one agent, built up as upstream's agents do: own chains wrapped in the
//! agent's name, jumped to from the built-in ones.

use std::collections::BTreeMap;

/// Bytes of an agent's name that wrap its chains.
const WRAP_BYTES: usize = 16;
/// Bytes of a chain's own name when wrapped.
const CHAIN_BYTES: usize = 11;
/// The comment on the jump to our `snat` chain.
const SNAT_OUT: &str = "Perform source NAT on outgoing traffic.";

/// Which protocol's tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// iptables
    V4,
    /// ip6tables
    V6,
}

impl Family {
    pub(super) fn save(self) -> &'static str {
        match self {
            Family::V4 => "iptables-save",
            Family::V6 => "ip6tables-save",
        }
    }

    pub(super) fn restore(self) -> &'static str {
        match self {
            Family::V4 => "iptables-restore",
            Family::V6 => "ip6tables-restore",
        }
    }
}

/// The families a chain or rule is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// IPv4 only.
    V4,
    /// IPv6 only.
    V6,
    /// Both alike.
    Both,
}

impl Families {
    fn list(self) -> &'static [Family] {
        match self {
            Families::V4 => &[Family::V4],
            Families::V6 => &[Family::V6],
            Families::Both => &[Family::V4, Family::V6],
        }
    }
}

/// A table, in the order upstream writes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Table {
    /// filter
    Filter,
    /// mangle
    Mangle,
    /// nat
    Nat,
    /// raw
    Raw,
}

impl Table {
    /// The word in `*filter` and `-t filter`.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Table::Filter => "filter",
            Table::Mangle => "mangle",
            Table::Nat => "nat",
            Table::Raw => "raw",
        }
    }

    pub(super) fn parse(word: &str) -> Option<Self> {
        [Table::Filter, Table::Mangle, Table::Nat, Table::Raw].into_iter().find(|table| table.word() == word)
    }
}

/// Which of the usual chains an agent starts with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Features {
    /// The mangle table, with the `mark` chain (routers).
    pub mangle: bool,
    /// Full NAT with `snat` and `float-snat` (routers); without it nat has PREROUTING only.
    pub nat: bool,
    /// IPv6 tables too.
    pub v6: bool,
    /// Write comments (option `comment_iptables_rules`).
    pub comments: bool,
}

/// Wanted chains and rules of one table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableRules {
    /// Chains of ours by full name: rules without `-A chain`, top ones first.
    pub chains: BTreeMap<String, Vec<String>>,
    /// Chains shared with others (built-in ones and `neutron-filter-top` …): our rules in them.
    pub shared: BTreeMap<String, Vec<String>>,
    /// How many of the rules in a chain are top ones.
    tops: BTreeMap<String, usize>,
}

/// All wanted rules of one agent in one namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ruleset {
    wrap: String,
    features: Features,
    tables: BTreeMap<(Family, Table), TableRules>,
}

impl Ruleset {
    /// The usual chains for the agent `binary` (e.g. `neutron-l3-agent`), of which 16 bytes
    /// wrap its chains' names.
    #[must_use]
    pub fn new(binary: &str, features: Features) -> Self {
        let wrap = binary.get(..WRAP_BYTES).unwrap_or(binary).replace(' ', "_");
        let mut rules = Ruleset { wrap, features, tables: BTreeMap::new() };
        rules.shared_top("FORWARD");
        rules.shared_top("OUTPUT");
        rules.add_chain(Families::Both, Table::Filter, "local");
        rules.add_shared_rule(Families::Both, Table::Filter, "neutron-filter-top", "-j $local", None);
        rules.wrap_builtin(Families::Both, Table::Filter, &["INPUT", "OUTPUT", "FORWARD"]);
        rules.wrap_builtin(Families::Both, Table::Raw, &["PREROUTING", "OUTPUT"]);
        rules.wrap_builtin(Families::Both, Table::Nat, &["PREROUTING"]);
        if features.mangle {
            let all = &["PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING"];
            rules.wrap_builtin(Families::Both, Table::Mangle, all);
            rules.add_chain(Families::V4, Table::Mangle, "mark");
            rules.add_rule(Families::V4, Table::Mangle, "PREROUTING", "-j $mark", None);
        }
        if features.nat {
            rules.wrap_builtin(Families::V4, Table::Nat, &["OUTPUT", "POSTROUTING"]);
            let bottom = "-j neutron-postrouting-bottom";
            rules.add_shared_rule(Families::V4, Table::Nat, "POSTROUTING", bottom, None);
            rules.add_chain(Families::V4, Table::Nat, "snat");
            let bottom = "neutron-postrouting-bottom";
            rules.add_shared_rule(Families::V4, Table::Nat, bottom, "-j $snat", Some(SNAT_OUT));
            rules.add_chain(Families::V4, Table::Nat, "float-snat");
            rules.add_rule(Families::V4, Table::Nat, "snat", "-j $float-snat", None);
        }
        rules
    }

    fn shared_top(&mut self, chain: &str) {
        self.add_shared_rule(Families::Both, Table::Filter, chain, "-j neutron-filter-top", None);
    }

    fn wrap_builtin(&mut self, families: Families, table: Table, chains: &[&str]) {
        for chain in chains {
            self.add_chain(families, table, chain);
            self.add_shared_rule(families, table, chain, &format!("-j ${chain}"), None);
        }
    }

    /// Adds the chain `name` (11 bytes of it count), wrapped in the agent's name.
    pub fn add_chain(&mut self, families: Families, table: Table, name: &str) {
        let full = self.full_name(name);
        for family in self.wanted(families) {
            self.table(family, table).chains.entry(full.clone()).or_default();
        }
    }

    /// Adds a rule at the end of our chain `chain`, written as `iptables-save` writes it,
    /// without `-A chain`. A word `$name` stands for our chain `name`.
    pub fn add_rule(
        &mut self,
        families: Families,
        table: Table,
        chain: &str,
        rule: &str,
        comment: Option<&str>,
    ) {
        self.put(families, table, chain, rule, comment, false);
    }

    /// Like [`Ruleset::add_rule`], but above those that are not top ones.
    pub fn add_top_rule(
        &mut self,
        families: Families,
        table: Table,
        chain: &str,
        rule: &str,
        comment: Option<&str>,
    ) {
        self.put(families, table, chain, rule, comment, true);
    }

    /// Adds a rule to a chain that is not wrapped: a built-in one, or one that Neutron's
    /// agents share.
    pub fn add_shared_rule(
        &mut self,
        families: Families,
        table: Table,
        chain: &str,
        rule: &str,
        comment: Option<&str>,
    ) {
        let rule = self.expand(rule, comment);
        for family in self.wanted(families) {
            self.table(family, table).shared.entry(chain.to_owned()).or_default().push(rule.clone());
        }
    }

    fn put(
        &mut self,
        families: Families,
        table: Table,
        chain: &str,
        rule: &str,
        comment: Option<&str>,
        top: bool,
    ) {
        let (full, rule) = (self.full_name(chain), self.expand(rule, comment));
        for family in self.wanted(families) {
            let table = self.table(family, table);
            let rules = table.chains.entry(full.clone()).or_default();
            if top {
                let tops = table.tops.entry(full.clone()).or_default();
                rules.insert(*tops, rule.clone());
                *tops += 1;
            } else {
                rules.push(rule.clone());
            }
        }
    }

    /// The families that have tables.
    #[must_use]
    pub fn families(&self) -> Vec<Family> {
        self.wanted(Families::Both)
    }

    /// What wraps the names of our chains, without the dash.
    #[must_use]
    pub fn wrap(&self) -> &str {
        &self.wrap
    }

    /// The full name of our chain `name`.
    #[must_use]
    pub fn full_name(&self, name: &str) -> String {
        format!("{}-{}", self.wrap, name.get(..CHAIN_BYTES).unwrap_or(name))
    }

    /// The wanted tables of a family.
    pub fn tables(&self, family: Family) -> impl Iterator<Item = (Table, &TableRules)> {
        self.tables.iter().filter(move |((f, _), _)| *f == family).map(|((_, table), rules)| (*table, rules))
    }

    fn wanted(&self, families: Families) -> Vec<Family> {
        families.list().iter().copied().filter(|f| *f == Family::V4 || self.features.v6).collect()
    }

    fn table(&mut self, family: Family, table: Table) -> &mut TableRules {
        self.tables.entry((family, table)).or_default()
    }

    fn expand(&self, rule: &str, comment: Option<&str>) -> String {
        let words = rule.split(' ').map(|word| match word.strip_prefix('$') {
            Some(name) => self.full_name(name),
            None => word.to_owned(),
        });
        let rule = words.collect::<Vec<_>>().join(" ");
        match comment.filter(|_| self.features.comments) {
            Some(comment) => with_comment(&rule, comment),
            None => rule,
        }
    }
}

/// Puts the comment where `iptables-save` shows it: before the jump.
fn with_comment(rule: &str, comment: &str) -> String {
    let comment = format!("-m comment --comment \"{comment}\"");
    if rule.starts_with("-j") {
        return format!("{comment} {rule}");
    }
    match rule.split_once(" -j ") {
        Some((matches, target)) => format!("{matches} {comment} -j {target}"),
        None => format!("{rule} {comment}"),
    }
}
