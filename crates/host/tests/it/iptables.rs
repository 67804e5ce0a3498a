//! iptables, ipset and conntrack against the kernel: written once, found right afterwards.

use std::collections::BTreeSet;

use host::iptables::{Families, Features, Iptables, Ruleset, Table};
use host::netns::Netns;
use host::{conntrack, exec, ipset};

fn rules() -> Ruleset {
    let features = Features { mangle: true, nat: true, v6: true, comments: true };
    let mut rules = Ruleset::new("neutron-l3-agent", features);
    rules.add_chain(Families::Both, Table::Filter, "i1");
    let jump = "-m physdev --physdev-out tap1 --physdev-is-bridged -j $i1";
    rules.add_top_rule(Families::Both, Table::Filter, "FORWARD", jump, Some("A comment (e.g. this)."));
    for rule in [
        "-p tcp -m tcp --dport 22 -j RETURN",
        "-s 10.0.0.0/24 -p udp -m udp -m multiport --dports 100:200 -j RETURN",
        "-m state --state RELATED,ESTABLISHED -j RETURN",
        "-p icmp -m icmp --icmp-type 8/0 -j RETURN",
        "-m mac --mac-source FA:16:3E:00:00:01 -j RETURN",
    ] {
        rules.add_rule(Families::V4, Table::Filter, "i1", rule, None);
    }
    rules.add_rule(
        Families::V6,
        Table::Filter,
        "i1",
        "-p ipv6-icmp -m icmp6 --icmpv6-type 134 -j DROP",
        None,
    );
    rules.add_rule(Families::V4, Table::Nat, "snat", "-s 10.0.0.0/24 -j SNAT --to-source 192.0.2.1", None);
    rules.add_rule(
        Families::Both,
        Table::Raw,
        "PREROUTING",
        "-m physdev --physdev-in tap1 -j CT --zone 4097",
        None,
    );
    rules
}

/// A namespace with rules of others.
fn namespace() -> Netns {
    let ns = Netns::anonymous().unwrap();
    let theirs = "*filter\n-A FORWARD -s 192.0.2.7/32 -j DROP\nCOMMIT\n";
    exec::run(&ns, "iptables-restore", &["-n"], theirs).unwrap();
    ns
}

#[test]
fn applied_once_and_found_right_by_the_next_agent() {
    let ns = namespace();
    assert!(Iptables::new(&ns).apply(&rules()).unwrap() > 0);
    let before = exec::run(&ns, "iptables-save", &[], "").unwrap();
    let mut next = Iptables::new(&ns);
    assert_eq!(next.apply(&rules()).unwrap(), 0, "{before}");
    assert_eq!(next.apply(&rules()).unwrap(), 0);
    next.forget();
    assert_eq!(next.apply(&rules()).unwrap(), 0);
}

#[test]
fn changes_without_reading_and_repairs_after_it() {
    let ns = namespace();
    let mut iptables = Iptables::new(&ns);
    iptables.apply(&rules()).unwrap();
    let mut more = rules();
    more.add_chain(Families::V4, Table::Filter, "i2");
    more.add_rule(Families::V4, Table::Filter, "i2", "-j DROP", None);
    more.add_top_rule(Families::V4, Table::Filter, "FORWARD", "-i brq1 -j $i2", None);
    assert_eq!(iptables.apply(&more).unwrap(), 3);
    assert_eq!(Iptables::new(&ns).apply(&more).unwrap(), 0);

    let break_it = "*filter\n-F neutron-l3-agent-i2\n-D FORWARD -j neutron-l3-agent-FORWARD\nCOMMIT\n";
    exec::run(&ns, "iptables-restore", &["-n"], break_it).unwrap();
    assert_eq!(iptables.apply(&more).unwrap(), 0, "what is remembered is believed");
    iptables.forget();
    assert!(iptables.apply(&more).unwrap() > 0);
    assert_eq!(iptables.apply(&rules()).unwrap(), 3);
    assert_eq!(Iptables::new(&ns).apply(&rules()).unwrap(), 0);
    let left = exec::run(&ns, "iptables-save", &[], "").unwrap();
    assert!(left.contains("-A FORWARD -s 192.0.2.7/32 -j DROP"), "{left}");
}

#[test]
fn a_stale_memory_is_no_obstacle() {
    let ns = namespace();
    let mut iptables = Iptables::new(&ns);
    iptables.apply(&rules()).unwrap();
    exec::run(&ns, "iptables-restore", &[], "*filter\nCOMMIT\n").unwrap();
    let mut more = rules();
    more.add_rule(Families::V4, Table::Filter, "i1", "-j DROP", None);
    assert!(iptables.apply(&more).unwrap() > 0);
    assert_eq!(Iptables::new(&ns).apply(&more).unwrap(), 0);
}

#[test]
fn other_spellings_are_learned() {
    let ns = namespace();
    let mut odd = rules();
    odd.add_rule(Families::V4, Table::Filter, "i1", "-p 6 --no-such-option 0080", None);
    let mut iptables = Iptables::new(&ns);
    assert!(iptables.apply(&odd).is_err(), "no rule at all");
    let mut odd = rules();
    odd.add_rule(Families::V4, Table::Filter, "i1", "-p 6 -m tcp --dport 80 -s 10.0.0.1 -j RETURN", None);
    assert!(iptables.apply(&odd).unwrap() > 0);
    iptables.forget();
    assert_eq!(iptables.apply(&odd).unwrap(), 0);
}

#[test]
fn sets_and_rules_that_refer_to_them() {
    let ns = Netns::anonymous().unwrap();
    let name = ipset::name(false, "24191168-b2c0-47d8-aa81-c46ad9bcf7b6");
    let net = |text: &str| text.parse::<ipnet::IpNet>().unwrap();
    let mut wanted = ipset::Sets::new();
    wanted.insert(name.clone(), BTreeSet::from([net("10.0.0.5/32"), net("10.1.0.0/16")]));
    wanted.insert(ipset::name(true, "x"), BTreeSet::from([net("fd00::/64")]));
    let installed = ipset::list(&ns).unwrap();
    assert!(ipset::apply(&ns, &wanted, &installed).unwrap() > 0);
    let installed = ipset::list(&ns).unwrap();
    assert_eq!(installed, wanted);
    assert_eq!(ipset::apply(&ns, &wanted, &installed).unwrap(), 0);

    let mut with_set = rules();
    let rule = format!("-p tcp -m set --match-set {name} src -j RETURN");
    with_set.add_rule(Families::V4, Table::Filter, "i1", &rule, None);
    let mut iptables = Iptables::new(&ns);
    iptables.apply(&with_set).unwrap();
    assert_eq!(Iptables::new(&ns).apply(&with_set).unwrap(), 0);
    wanted.remove(&name);
    assert!(ipset::destroy(&ns, &wanted, &installed).is_err(), "in use");
    iptables.apply(&rules()).unwrap();
    ipset::destroy(&ns, &wanted, &installed).unwrap();
    assert_eq!(ipset::list(&ns).unwrap(), wanted);
}

#[test]
fn connections_are_cut() {
    let ns = Netns::anonymous().unwrap();
    host::netlink::Netlink::open(&ns).unwrap().set_up_by_name("lo").unwrap();
    let track = "*filter\n-A INPUT -m state --state NEW -j ACCEPT\nCOMMIT\n";
    exec::run(&ns, "iptables-restore", &["-n"], track).unwrap();
    for address in ["127.0.0.1", "127.0.0.2"] {
        exec::run(&ns, "ping", &["-c1", "-W1", address], "").unwrap();
    }
    let cut = |dst: &str| conntrack::Cut {
        zone: None,
        v6: false,
        protocol: Some(1),
        src: None,
        dst: Some(dst.parse().unwrap()),
        mark: None,
    };
    let cuts = BTreeSet::from([
        cut("127.0.0.2"),
        cut("127.0.0.3"),
        conntrack::Cut { zone: Some(9), ..cut("127.0.0.1") },
    ]);
    conntrack::delete(&ns, &cuts).unwrap();
    let left = exec::run(&ns, "conntrack", &["-L"], "").unwrap();
    assert!(left.contains("dst=127.0.0.1") && !left.contains("dst=127.0.0.2"), "{left}");
    // Those of a zone that have a mark.
    for (port, zone, mark) in [("1", "5", "1"), ("2", "5", "0"), ("3", "6", "1")] {
        let flow = ["-I", "-s", "10.0.0.1", "-d", "10.0.0.2", "-p", "udp", "--dport", "9", "--sport", port];
        exec::run(&ns, "conntrack", &[&flow[..], &["-t", "600", "-w", zone, "-m", mark]].concat(), "")
            .unwrap();
    }
    let marked =
        conntrack::Cut { zone: Some(5), protocol: None, dst: None, mark: Some(1), ..cut("10.0.0.2") };
    conntrack::delete(&ns, &BTreeSet::from([marked])).unwrap();
    let left = exec::run(&ns, "conntrack", &["-L", "-p", "udp"], "").unwrap();
    let has = |port: &str| left.contains(&format!("sport={port} dport=9"));
    assert_eq!(["1", "2", "3"].map(has), [false, true, true], "{left}");
}
