//! ebtables: chains of ours in the bridge family's nat table, changed by one
//! `ebtables-restore --noflush`, which the nf_tables variant carries out at once.

use std::collections::BTreeMap;

use crate::netns::Netns;
use crate::{Result, exec};

/// The chain every frame of a bridge comes by first.
const PREROUTING: &str = "PREROUTING";

/// What begins the names of our chains.
const PREFIXES: [&str; 2] = ["neutronMAC-", "neutronARP-"];

/// Our chains with their rules (whole, in order), and our rules of PREROUTING.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chains {
    /// Rules of each chain, without `-A chain`.
    pub own: BTreeMap<String, Vec<String>>,
    /// Our rules of PREROUTING, in order.
    pub prerouting: Vec<String>,
}

fn is_ours(text: &str) -> bool {
    PREFIXES.iter().any(|prefix| text.contains(prefix))
}

/// What is installed in `ns`.
///
/// # Errors
/// When the tool fails.
pub fn read(ns: &Netns) -> Result<Chains> {
    Ok(parse(&exec::run(ns, "ebtables-save", &[], "")?))
}

/// Makes what is `installed` into what is `wanted`. Returns the number of changing lines.
///
/// # Errors
/// When the tool fails; then nothing was changed.
pub fn apply(ns: &Netns, wanted: &Chains, installed: &Chains) -> Result<usize> {
    let lines = commands(wanted, installed);
    if !lines.is_empty() {
        exec::run(ns, "ebtables-restore", &["--noflush"], &format!("*nat\n{}\n", lines.join("\n")))?;
    }
    Ok(lines.len())
}

/// Reads the output of `ebtables-save`: our part of the nat table.
#[must_use]
pub fn parse(text: &str) -> Chains {
    let mut chains = Chains::default();
    let mut in_nat = false;
    for line in text.lines().map(str::trim_end) {
        if let Some(table) = line.strip_prefix('*') {
            in_nat = table == "nat";
        }
        let Some((head, rest)) = line.split_once(' ').filter(|_| in_nat) else { continue };
        if let Some(chain) = head.strip_prefix(':').filter(|chain| is_ours(chain)) {
            chains.own.entry(chain.to_owned()).or_default();
        } else if let Some((chain, rule)) = rest.split_once(' ').filter(|_| head == "-A") {
            if let Some(rules) = chains.own.get_mut(chain) {
                rules.push(rule.to_owned());
            } else if chain == PREROUTING && is_ours(rule) {
                chains.prerouting.push(rule.to_owned());
            }
        }
    }
    chains
}

fn commands(wanted: &Chains, installed: &Chains) -> Vec<String> {
    let mut lines = Vec::new();
    for (chain, rules) in &wanted.own {
        let now = installed.own.get(chain);
        match now {
            Some(now) if now == rules => continue,
            Some(_) => lines.push(format!("-F {chain}")),
            None => lines.push(format!(":{chain} DROP")),
        }
        lines.extend(rules.iter().map(|rule| format!("-A {chain} {rule}")));
    }
    let gone = installed.prerouting.iter().filter(|rule| !wanted.prerouting.contains(rule));
    lines.extend(gone.map(|rule| format!("-D {PREROUTING} {rule}")));
    let new = wanted.prerouting.iter().filter(|rule| !installed.prerouting.contains(rule));
    lines.extend(new.map(|rule| format!("-A {PREROUTING} {rule}")));
    let unused: Vec<&String> =
        installed.own.keys().filter(|chain| !wanted.own.contains_key(*chain)).collect();
    lines.extend(unused.iter().map(|chain| format!("-F {chain}")));
    lines.extend(unused.iter().map(|chain| format!("-X {chain}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAVED: &str = "*nat\n:PREROUTING ACCEPT\n:OUTPUT ACCEPT\n:neutronMAC-tap1 DROP\n:other DROP\n\
        -A PREROUTING -i tap1 -j neutronMAC-tap1\n-A PREROUTING -i eth9 -j other\n\
        -A neutronMAC-tap1 -i tap1 --among-src fa:16:3e:0:0:1 -j RETURN\n-A neutronMAC-tap1 -j DROP\n\
        -A other -j DROP\n*filter\n:neutronMAC-tap7 DROP\n";

    fn chains(mac: &str) -> Chains {
        let rules = vec![format!("-i tap1 --among-src {mac} -j RETURN"), "-j DROP".into()];
        let prerouting = vec!["-i tap1 -j neutronMAC-tap1".into()];
        Chains { own: BTreeMap::from([("neutronMAC-tap1".into(), rules)]), prerouting }
    }

    #[test]
    fn ours_only() {
        assert_eq!(parse(SAVED), chains("fa:16:3e:0:0:1"));
    }

    #[test]
    fn what_differs_is_written() {
        let now = parse(SAVED);
        assert_eq!(commands(&now, &now), Vec::<String>::new());
        let changed = commands(&chains("fa:16:3e:0:0:2"), &now);
        let filled =
            ["-A neutronMAC-tap1 -i tap1 --among-src fa:16:3e:0:0:2 -j RETURN", "-A neutronMAC-tap1 -j DROP"];
        assert_eq!(changed, ["-F neutronMAC-tap1", filled[0], filled[1]]);
        let removed =
            ["-D PREROUTING -i tap1 -j neutronMAC-tap1", "-F neutronMAC-tap1", "-X neutronMAC-tap1"];
        assert_eq!(commands(&Chains::default(), &now), removed);
    }
}
