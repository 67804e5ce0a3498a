//! ipset: sets of addresses that rules refer to, changed by one `ipset restore` per change set.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use ipnet::IpNet;

use crate::netns::Netns;
use crate::{Result, exec};

/// What Neutron's sets begin with: `NIPv4…`, `NIPv6…`.
const PREFIXES: [&str; 2] = ["NIPv4", "NIPv6"];
/// Bytes of a set's name: 31, less two that upstream keeps for a swapped copy.
const NAME_BYTES: usize = 29;

/// Sets by name with their members. A member's prefix length is never 0.
pub type Sets = BTreeMap<String, BTreeSet<IpNet>>;

/// The name of the set for the members of a security group (or address group).
#[must_use]
pub fn name(v6: bool, group: &str) -> String {
    let [v4_prefix, v6_prefix] = PREFIXES;
    let mut name = format!("{}{group}", if v6 { v6_prefix } else { v4_prefix });
    name.truncate(NAME_BYTES);
    name
}

/// A member as a set can hold it: ipset knows no prefix of length 0, two halves stand for it.
pub fn members(net: IpNet) -> Vec<IpNet> {
    if net.prefix_len() > 0 {
        return vec![net.trunc()];
    }
    net.subnets(1).map(Iterator::collect).unwrap_or_default()
}

/// Neutron's sets in `ns`.
///
/// # Errors
/// When the tool fails.
pub fn list(ns: &Netns) -> Result<Sets> {
    Ok(parse(&exec::run(ns, "ipset", &["save"], "")?))
}

/// Reads the output of `ipset save`, Neutron's sets only.
#[must_use]
pub fn parse(text: &str) -> Sets {
    let mut sets = Sets::new();
    for line in text.lines() {
        let mut words = line.split(' ');
        match (words.next(), words.next(), words.next()) {
            (Some("create"), Some(name), Some(_)) if PREFIXES.iter().any(|p| name.starts_with(p)) => {
                sets.entry(name.to_owned()).or_default();
            }
            (Some("add"), Some(name), Some(member)) => {
                if let (Some(set), Some(net)) = (sets.get_mut(name), parse_member(member)) {
                    set.insert(net);
                }
            }
            _ => {}
        }
    }
    sets
}

fn parse_member(text: &str) -> Option<IpNet> {
    text.parse().or_else(|_| text.parse::<std::net::IpAddr>().map(IpNet::from)).ok()
}

/// Makes and fills sets; takes away only members, never sets. To be done before the rules
/// that refer to new sets are installed.
///
/// # Errors
/// When the tool fails.
pub fn apply(ns: &Netns, wanted: &Sets, installed: &Sets) -> Result<usize> {
    restore(ns, &fill_commands(wanted, installed))
}

/// Removes sets that no rule refers to any more.
///
/// # Errors
/// When the tool fails, e.g. because a set is still in use.
pub fn destroy(ns: &Netns, wanted: &Sets, installed: &Sets) -> Result<usize> {
    let gone = installed.keys().filter(|name| !wanted.contains_key(*name));
    restore(ns, &gone.map(|name| format!("destroy {name}\n")).collect::<String>())
}

fn restore(ns: &Netns, text: &str) -> Result<usize> {
    if !text.is_empty() {
        exec::run(ns, "ipset", &["restore", "-exist"], text)?;
    }
    Ok(text.lines().count())
}

fn fill_commands(wanted: &Sets, installed: &Sets) -> String {
    let (mut text, none) = (String::new(), BTreeSet::new());
    // Writing to a String cannot fail.
    for (name, members) in wanted {
        let now = installed.get(name);
        if now.is_none() {
            let family = if name.starts_with("NIPv6") { "inet6" } else { "inet" };
            let _ = writeln!(text, "create {name} hash:net family {family}");
        }
        let now = now.unwrap_or(&none);
        for member in members.difference(now) {
            let _ = writeln!(text, "add {name} {member}");
        }
        for member in now.difference(members) {
            let _ = writeln!(text, "del {name} {member}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sets(list: &[(&str, &[&str])]) -> Sets {
        let set = |members: &[&str]| members.iter().map(|m| m.parse().unwrap()).collect();
        list.iter().map(|(name, members)| ((*name).to_owned(), set(members))).collect()
    }

    #[test]
    fn names_as_upstream() {
        assert_eq!(name(false, "24191168-b2c0-47d8-aa81-c46ad9bcf7b6"), "NIPv424191168-b2c0-47d8-aa81-");
        assert_eq!(name(true, "24191168-b2c0-47d8-aa81-c46ad9bcf7b6"), "NIPv624191168-b2c0-47d8-aa81-");
    }

    #[test]
    fn everything_is_two_halves() {
        let halves =
            |net: &str| members(net.parse().unwrap()).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(halves("0.0.0.0/0"), ["0.0.0.0/1", "128.0.0.0/1"]);
        assert_eq!(halves("::/0"), ["::/1", "8000::/1"]);
        assert_eq!(halves("10.1.2.3/8"), ["10.0.0.0/8"]);
    }

    #[test]
    fn saved_sets_of_others_are_not_seen() {
        let text = "create NIPv4a hash:net family inet hashsize 1024 maxelem 65536\nadd NIPv4a 10.0.0.3\n\
                    add NIPv4a 10.1.0.0/16\ncreate docker hash:ip family inet\nadd docker 192.0.2.1\n\
                    create NIPv6a hash:net family inet6\nadd NIPv6a fd00::5\n";
        let expected = sets(&[("NIPv4a", &["10.0.0.3/32", "10.1.0.0/16"]), ("NIPv6a", &["fd00::5/128"])]);
        assert_eq!(parse(text), expected);
    }

    #[test]
    fn the_least_is_changed() {
        let installed = sets(&[("NIPv4a", &["10.0.0.3/32", "10.0.0.4/32"]), ("NIPv4b", &[])]);
        let wanted = sets(&[("NIPv4a", &["10.0.0.4/32", "10.0.0.5/32"]), ("NIPv6c", &["fd00::5/128"])]);
        assert_eq!(
            fill_commands(&wanted, &installed),
            "add NIPv4a 10.0.0.5/32\ndel NIPv4a 10.0.0.3/32\ncreate NIPv6c hash:net family inet6\n\
             add NIPv6c fd00::5/128\n"
        );
        assert_eq!(fill_commands(&wanted, &wanted), "");
    }
}
