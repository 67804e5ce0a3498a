//! Cases: what is saved and what is wanted, and the restore text between them.

use std::collections::HashMap;

use expect_test::{Expect, expect};

use super::diff::{assume, commands};
use super::*;

const FEATURES: Features = Features { mangle: false, nat: false, v6: true, comments: true };

fn with_port(name: &str) -> Ruleset {
    let mut rules = Ruleset::new("neutron-linuxbridge-agent", FEATURES);
    rules.add_chain(Families::Both, Table::Filter, "sg-chain");
    rules.add_chain(Families::Both, Table::Filter, name);
    rules.add_rule(Families::Both, Table::Filter, "FORWARD", "-j ACCEPT", None);
    let jump = "-m physdev --physdev-out tap1 --physdev-is-bridged -j $sg-chain";
    rules.add_top_rule(Families::Both, Table::Filter, "FORWARD", jump, Some("Direct traffic."));
    rules.add_rule(Families::V4, Table::Filter, name, "-p icmp -j RETURN", None);
    rules.add_rule(Families::Both, Table::Filter, name, "-j DROP", Some("Bye."));
    rules
}

fn check(wanted: &Ruleset, saved: &str, expected: &Expect) {
    let (text, _) = commands(wanted, Family::V4, &parse(saved), &HashMap::new());
    expected.assert_eq(&text);
}

#[test]
fn from_nothing() {
    let wanted = with_port("i24191168-b2c0");
    check(
        &wanted,
        "",
        &expect![[r#"
            *filter
            :neutron-linuxbri-FORWARD - [0:0]
            :neutron-linuxbri-INPUT - [0:0]
            :neutron-linuxbri-OUTPUT - [0:0]
            :neutron-linuxbri-i24191168-b - [0:0]
            :neutron-linuxbri-local - [0:0]
            :neutron-linuxbri-sg-chain - [0:0]
            :neutron-filter-top - [0:0]
            -A neutron-linuxbri-FORWARD -m physdev --physdev-out tap1 --physdev-is-bridged -m comment --comment "Direct traffic." -j neutron-linuxbri-sg-chain
            -A neutron-linuxbri-FORWARD -j ACCEPT
            -A neutron-linuxbri-i24191168-b -p icmp -j RETURN
            -A neutron-linuxbri-i24191168-b -m comment --comment "Bye." -j DROP
            -I FORWARD 1 -j neutron-filter-top
            -I FORWARD 2 -j neutron-linuxbri-FORWARD
            -I INPUT 1 -j neutron-linuxbri-INPUT
            -I OUTPUT 1 -j neutron-filter-top
            -I OUTPUT 2 -j neutron-linuxbri-OUTPUT
            -I neutron-filter-top 1 -j neutron-linuxbri-local
            COMMIT
            *nat
            :neutron-linuxbri-PREROUTING - [0:0]
            -I PREROUTING 1 -j neutron-linuxbri-PREROUTING
            COMMIT
            *raw
            :neutron-linuxbri-OUTPUT - [0:0]
            :neutron-linuxbri-PREROUTING - [0:0]
            -I OUTPUT 1 -j neutron-linuxbri-OUTPUT
            -I PREROUTING 1 -j neutron-linuxbri-PREROUTING
            COMMIT
        "#]],
    );
}

#[test]
fn router_chains() {
    let features = Features { mangle: true, nat: true, v6: true, comments: true };
    let wanted = Ruleset::new("neutron-l3-agent", features);
    check(
        &wanted,
        "",
        &expect![[r#"
            *filter
            :neutron-l3-agent-FORWARD - [0:0]
            :neutron-l3-agent-INPUT - [0:0]
            :neutron-l3-agent-OUTPUT - [0:0]
            :neutron-l3-agent-local - [0:0]
            :neutron-filter-top - [0:0]
            -I FORWARD 1 -j neutron-filter-top
            -I FORWARD 2 -j neutron-l3-agent-FORWARD
            -I INPUT 1 -j neutron-l3-agent-INPUT
            -I OUTPUT 1 -j neutron-filter-top
            -I OUTPUT 2 -j neutron-l3-agent-OUTPUT
            -I neutron-filter-top 1 -j neutron-l3-agent-local
            COMMIT
            *mangle
            :neutron-l3-agent-FORWARD - [0:0]
            :neutron-l3-agent-INPUT - [0:0]
            :neutron-l3-agent-OUTPUT - [0:0]
            :neutron-l3-agent-POSTROUTING - [0:0]
            :neutron-l3-agent-PREROUTING - [0:0]
            :neutron-l3-agent-mark - [0:0]
            -A neutron-l3-agent-PREROUTING -j neutron-l3-agent-mark
            -I FORWARD 1 -j neutron-l3-agent-FORWARD
            -I INPUT 1 -j neutron-l3-agent-INPUT
            -I OUTPUT 1 -j neutron-l3-agent-OUTPUT
            -I POSTROUTING 1 -j neutron-l3-agent-POSTROUTING
            -I PREROUTING 1 -j neutron-l3-agent-PREROUTING
            COMMIT
            *nat
            :neutron-l3-agent-OUTPUT - [0:0]
            :neutron-l3-agent-POSTROUTING - [0:0]
            :neutron-l3-agent-PREROUTING - [0:0]
            :neutron-l3-agent-float-snat - [0:0]
            :neutron-l3-agent-snat - [0:0]
            :neutron-postrouting-bottom - [0:0]
            -A neutron-l3-agent-snat -j neutron-l3-agent-float-snat
            -I OUTPUT 1 -j neutron-l3-agent-OUTPUT
            -I POSTROUTING 1 -j neutron-l3-agent-POSTROUTING
            -I POSTROUTING 2 -j neutron-postrouting-bottom
            -I PREROUTING 1 -j neutron-l3-agent-PREROUTING
            -I neutron-postrouting-bottom 1 -m comment --comment "Perform source NAT on outgoing traffic." -j neutron-l3-agent-snat
            COMMIT
            *raw
            :neutron-l3-agent-OUTPUT - [0:0]
            :neutron-l3-agent-PREROUTING - [0:0]
            -I OUTPUT 1 -j neutron-l3-agent-OUTPUT
            -I PREROUTING 1 -j neutron-l3-agent-PREROUTING
            COMMIT
        "#]],
    );
}

#[test]
fn what_is_right_is_left_alone_and_the_rest_is_ours_only() {
    let wanted = with_port("i1");
    let mut saved = Saved::new();
    assume(&wanted, Family::V4, &mut saved);
    let (text, changes) = commands(&wanted, Family::V4, &saved, &HashMap::new());
    assert_eq!((text.as_str(), changes), ("", 0));

    let filter = &mut saved.get_mut(&Table::Filter).unwrap().0;
    let stranger = "-s 192.0.2.0/24 -j DROP".to_owned();
    filter.get_mut("FORWARD").unwrap().insert(0, stranger);
    filter.get_mut("OUTPUT").unwrap().insert(0, "-j neutron-openvswi-OUTPUT".to_owned());
    filter.insert("DOCKER".into(), vec!["-j neutron-linuxbri-old".into(), "-j ACCEPT".into()]);
    filter.insert("neutron-linuxbri-old".into(), vec!["-j DROP".into()]);
    filter.insert("neutron-openvswi-OUTPUT".into(), vec![]);
    filter.get_mut("neutron-linuxbri-i1").unwrap().insert(1, "-j ACCEPT".into());
    let (text, _) = commands(&wanted, Family::V4, &saved, &HashMap::new());
    expect![[r#"
        *filter
        -D neutron-linuxbri-i1 2
        -D DOCKER -j neutron-linuxbri-old
        -D FORWARD -j neutron-filter-top
        -D FORWARD -j neutron-linuxbri-FORWARD
        -I FORWARD 1 -j neutron-filter-top
        -I FORWARD 2 -j neutron-linuxbri-FORWARD
        -F neutron-linuxbri-old
        -X neutron-linuxbri-old
        COMMIT
    "#]]
    .assert_eq(&text);
}

#[test]
fn own_chains_change_in_the_middle() {
    let rules = |list: &[&str]| {
        let mut rules = Ruleset::new("neutron-linuxbri", FEATURES);
        rules.add_chain(Families::V4, Table::Filter, "c");
        for rule in list {
            rules.add_rule(Families::V4, Table::Filter, "c", rule, None);
        }
        rules
    };
    let cases: &[(&[&str], &[&str], &str)] = &[
        (&["a", "b", "c"], &["a", "x", "c"], "-D C 2|-I C 2 x"),
        (&["a", "b", "c"], &["a", "b", "c", "d"], "-A C d"),
        (&["a", "c"], &["a", "b1", "b2", "c"], "-I C 2 b1|-I C 3 b2"),
        (&["a", "b", "c", "d"], &["a", "d"], "-D C 2|-D C 2"),
        (&["a", "a"], &["a"], "-D C 2"),
        (&["a"], &["b"], "-D C 1|-A C b"),
        (&[], &["b"], "-A C b"),
    ];
    for (now, then, expected) in cases {
        let mut saved = Saved::new();
        assume(&rules(now), Family::V4, &mut saved);
        let (text, _) = commands(&rules(then), Family::V4, &saved, &HashMap::new());
        let lines: Vec<String> = text
            .lines()
            .filter(|l| l.starts_with('-'))
            .map(|l| l.replace("neutron-linuxbri-c", "C"))
            .collect();
        assert_eq!(lines.join("|"), *expected, "{now:?} -> {then:?}");
    }
}
