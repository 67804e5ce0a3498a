//! Filters compared with those that upstream's agent installed for the same ports and rules
//! (`upstream/`: what `iptables-save` showed), and what a change cuts.

use host::iptables::{Family, parse};
use serde_json::json;

use super::*;

const GROUP: &str = "24191168-b2c0-47d8-aa81-c46ad9bcf7b6";
const NETWORK: &str = "00000001-0000-4000-8000-000000000000";

fn rules() -> serde_json::Value {
    json!([
        {"direction": "egress", "ethertype": "IPv4"},
        {"direction": "egress", "ethertype": "IPv6"},
        {"direction": "ingress", "ethertype": "IPv4", "remote_group_id": GROUP},
        {"direction": "ingress", "ethertype": "IPv6", "remote_group_id": GROUP},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 22, "port_range_max": 22,
         "source_ip_prefix": "0.0.0.0/0"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 8000,
         "port_range_max": 8080, "source_ip_prefix": "192.0.2.0/24"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp", "port_range_min": 8, "port_range_max": 0},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "icmp", "port_range_min": 128},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "udplite", "port_range_min": 5, "port_range_max": 5},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "vrrp"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "112"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "253"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "0"},
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "sctp", "port_range_min": 1,
         "port_range_max": 65535},
        {"direction": "egress", "ethertype": "IPv4", "protocol": "udp", "port_range_min": 53, "port_range_max": 53,
         "dest_ip_prefix": "192.0.2.53"},
    ])
}

fn provider_rules() -> serde_json::Value {
    json!([
        {"direction": "ingress", "ethertype": "IPv4", "protocol": "udp", "port_range_min": 68, "port_range_max": 68,
         "source_port_range_min": 67, "source_port_range_max": 67, "dest_ip_prefix": "10.1.0.1/32"},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "udp", "port_range_min": 546, "port_range_max": 546,
         "source_port_range_min": 547, "source_port_range_max": 547, "dest_ip_prefix": "fe80::/64"},
        {"direction": "ingress", "ethertype": "IPv6", "protocol": "ipv6-icmp", "source_port_range_min": 134},
    ])
}

fn add(view: &mut View, n: u8, ips: &[&str], owner: &str, secure: bool) {
    let (id, device) = (format!("{n:08x}-0000-4000-8000-000000000000"), format!("tap{n:08x}-00"));
    let mac = format!("fa:16:3e:00:01:{n:02x}");
    let fixed: Vec<_> = ips.iter().map(|ip| json!({"subnet_id": "s", "ip_address": ip})).collect();
    let details = json!({
        "device": device, "port_id": id, "network_id": NETWORK, "mac_address": mac, "admin_state_up": true,
        "network_type": "vxlan", "segmentation_id": 1, "fixed_ips": fixed, "device_owner": owner,
        "port_security_enabled": secure,
    });
    view.ports.insert(device.clone(), serde_json::from_value(details).unwrap());
    if secure {
        let port = json!({
            "device": device, "network_id": NETWORK, "mac_address": mac, "fixed_ips": ips, "device_owner": owner,
            "security_groups": [GROUP], "port_security_enabled": true,
        });
        view.security.ports.insert(device, serde_json::from_value(port).unwrap());
    }
}

/// What upstream's agent was given when `upstream/` was recorded.
fn recorded_view() -> View {
    let mut view = View::default();
    view.security.groups.insert(GROUP.into(), serde_json::from_value(rules()).unwrap());
    let members =
        json!({"IPv4": [["10.1.0.1", "fa:16:3e:00:01:01"], ["10.1.0.2", null]], "IPv6": [["fd00::1", null]]});
    view.security.members.insert(GROUP.into(), serde_json::from_value(members).unwrap());
    add(&mut view, 1, &["10.1.0.1", "fd00::1"], "compute:nova", true);
    add(&mut view, 2, &["10.1.0.2", "fd00::2"], "compute:nova", true);
    add(&mut view, 3, &["10.1.0.3"], "compute:nova", false);
    add(&mut view, 4, &["10.1.0.4"], "network:dhcp", false);
    let first = view.security.ports.get_mut("tap00000001-00").unwrap();
    first.security_group_rules = serde_json::from_value(provider_rules()).unwrap();
    first.allowed_address_pairs = serde_json::from_value(json!([
        {"mac_address": "fa:16:3e:00:01:99", "ip_address": "10.9.0.0/24"},
        {"mac_address": "fa:16:3e:00:01:01", "ip_address": "10.8.0.8"},
    ]))
    .unwrap();
    view
}

fn zones() -> Zones {
    let mut zones = Zones::new(Plug::NetworkBridge);
    zones.ensure([("", NETWORK)].into_iter());
    zones
}

fn style(ipset: bool) -> Style {
    Style {
        binary: "neutron-linuxbridge-agent".into(),
        comments: true,
        ipset,
        v6: true,
        looks_into: false,
        plug: Plug::NetworkBridge,
        bridges: vec!["brq+".into()],
    }
}

fn chain(filters: &Filters, family: Family, name: &str) -> Vec<String> {
    let (_, filter) = filters.rules.tables(family).find(|(table, _)| *table == Table::Filter).unwrap();
    filter.chains.get(&format!("neutron-linuxbri-{name}")).cloned().unwrap_or_default()
}

#[test]
fn as_upstream_to_the_letter() {
    let filters = filters(&recorded_view(), &zones(), &style(true));
    for (family, saved) in
        [(Family::V4, include_str!("upstream/v4.txt")), (Family::V6, include_str!("upstream/v6.txt"))]
    {
        let upstream = parse(saved);
        for (table, rules) in filters.rules.tables(family) {
            let theirs = &upstream[&table].0;
            let names = |chain: &&String| chain.starts_with("neutron-linuxbri-");
            let upstreams = |chain: &&String| !chain.contains("-unknown-");
            let our_chains = rules.chains.keys().filter(upstreams);
            assert!(theirs.keys().filter(names).eq(our_chains), "{family:?} {table:?}");
            for (chain, ours) in rules.chains.iter().filter(|(chain, _)| upstreams(chain)) {
                let ours: Vec<_> = ours.iter().filter(|rule| !rule.contains(comment::NOT_YET)).collect();
                assert_eq!(ours, theirs[chain].iter().collect::<Vec<_>>(), "{family:?} {table:?} {chain}");
            }
            for (chain, ours) in &rules.shared {
                assert_eq!(ours, &theirs[chain], "{family:?} {table:?} {chain}");
            }
        }
    }
    let sets: Vec<_> = filters.sets.iter().map(|(name, members)| (name.as_str(), members.len())).collect();
    assert_eq!(sets, [("NIPv424191168-b2c0-47d8-aa81-", 2), ("NIPv624191168-b2c0-47d8-aa81-", 1)]);
}

#[test]
fn nothing_passes_before_its_rules_are_known() {
    let mut view = recorded_view();
    view.security.ports.clear();
    let filters = filters(&view, &zones(), &style(true));
    let known = |filters: &Filters| {
        let of = |rule: &String| rule.split(' ').find(|word| word.starts_with("tap")).map(str::to_owned);
        chain(filters, Family::V4, "unknown-i").iter().filter_map(of).collect::<Vec<_>>()
    };
    assert_eq!(known(&filters), ["tap00000003-00", "tap00000004-00"], "no port security, and a trusted one");
    let comment = r#"-m comment --comment "Drop traffic of ports whose rules are not yet known." -j"#;
    let taps = |way, iface| format!("-{iface} brq+ -m physdev --physdev-{way} tap+ --physdev-is-bridged");
    let jump = |way, iface| {
        let state = "-m state ! --state RELATED,ESTABLISHED";
        format!("{} {state} {comment} neutron-linuxbri-unknown-{iface}", taps(way, iface))
    };
    assert_eq!(chain(&filters, Family::V6, "FORWARD")[..2], [jump("in", 'i'), jump("out", 'o')]);
    let informed = super::filters(&recorded_view(), &zones(), &style(true));
    assert_eq!(known(&informed).len(), 4);
}

#[test]
fn a_family_without_addresses_is_no_free_for_all() {
    let mut view = View::default();
    add(&mut view, 1, &["10.1.0.1"], "compute:nova", true);
    let only_v4 = filters(&view, &zones(), &style(true));
    let sources = |filters: &Filters, family| {
        let rules = chain(filters, family, "s00000001-0");
        rules.iter().map(|rule| rule.split(" -m ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let drop = r#"-m comment --comment "Drop traffic without an IP/MAC allow rule." -j DROP"#;
    assert_eq!(sources(&only_v4, Family::V6), ["-s fe80::f816:3eff:fe00:101/128", drop]);
    view.security.ports.values_mut().for_each(|port| port.fixed_ips = vec!["fd00::1".parse().unwrap()]);
    assert_eq!(sources(&filters(&view, &zones(), &style(true)), Family::V4), [drop]);
    view.security.ports.values_mut().for_each(|port| port.fixed_ips.clear());
    let by_mac = filters(&view, &zones(), &style(true));
    for family in [Family::V4, Family::V6] {
        let rules = chain(&by_mac, family, "s00000001-0");
        assert!(rules[0].starts_with("-m mac --mac-source fa:16:3e:00:01:01 "), "{rules:?}");
        assert_eq!(rules.len(), 2);
    }
}

#[test]
fn advertisements_are_of_the_ports_own_addresses() {
    let of = |view: &View| {
        let filters = filters(view, &zones(), &Style { looks_into: true, ..style(true) });
        let jump = chain(&filters, Family::V6, "s00000001-0")[0].clone();
        (jump, chain(&filters, Family::V6, "n00000001-0"))
    };
    let mut view = View::default();
    add(&mut view, 1, &["10.1.0.1", "fd00::1"], "compute:nova", true);
    let pairs = json!([{"mac_address": "fa:16:3e:00:01:01", "ip_address": "fd00:0:0:1200::/56"}]);
    let port = view.security.ports.get_mut("tap00000001-00").unwrap();
    port.allowed_address_pairs = serde_json::from_value(pairs).unwrap();
    let (jump, rules) = of(&view);
    assert_eq!(jump, "-p ipv6-icmp -m icmp6 --icmpv6-type 136 -j neutron-linuxbri-n00000001-0");
    let rule = |words: &str| format!("-m u32 --u32 \"0x4>>0x8&0xff=0x3a&&{words}\" -j RETURN");
    let expected = [
        rule("0x30=0xfd000000&&0x34&0xffffff00=0x1200"),
        rule("0x30=0xfe800000&&0x34=0x0&&0x38=0xf8163eff&&0x3c=0xfe000101"),
        rule("0x30=0xfd000000&&0x34=0x0&&0x38=0x0&&0x3c=0x1"),
    ];
    assert_eq!(rules[..3], expected);
    assert!(rules[3].ends_with("-j DROP"), "{rules:?}");
    // Who may use any address may say so.
    let port = view.security.ports.get_mut("tap00000001-00").unwrap();
    port.allowed_address_pairs[0].ip_address = "::/0".to_owned();
    let (jump, rules) = of(&view);
    assert!(rules.is_empty() && !jump.contains("136"), "{jump} {rules:?}");
}

#[test]
fn without_sets_members_are_listed() {
    let filters = filters(&recorded_view(), &zones(), &style(false));
    assert!(filters.sets.is_empty());
    let rules = chain(&filters, Family::V4, "i00000001-0");
    assert!(rules.contains(&"-s 10.1.0.2/32 -j RETURN".to_owned()), "{rules:?}");
    assert!(!rules.contains(&"-s 10.1.0.1/32 -j RETURN".to_owned()), "not itself: {rules:?}");
}

#[test]
fn zones_are_found_again() {
    let filters = filters(&recorded_view(), &zones(), &style(true));
    let (_, raw) = filters.rules.tables(Family::V4).find(|(table, _)| *table == Table::Raw).unwrap();
    let mut found = Zones::installed(Plug::NetworkBridge, raw.chains["neutron-linuxbri-PREROUTING"].iter());
    assert_eq!(found, zones());
    found.ensure(["00000002-0000", NETWORK, "00000003-0000"].map(|network| ("", network)).into_iter());
    assert_eq!(
        [NETWORK, "00000002-0000", "00000003-0000"].map(|network| found.of("", network)),
        [Some(4097), Some(4098), Some(4099)]
    );
    let mut found = found.keep([("", "00000003-0000")].into_iter());
    found.ensure([("", "00000004-0000")].into_iter());
    assert_eq!((found.of("", NETWORK), found.of("", "00000004-0000")), (None, Some(4097)));
}

/// A cut as its conditions in words.
fn words(cuts: &BTreeSet<host::conntrack::Cut>) -> Vec<String> {
    let word = |cut: &host::conntrack::Cut| {
        let end = |ip: Option<std::net::IpAddr>| ip.map_or("*".into(), |ip| ip.to_string());
        let protocol = cut.protocol.map_or("*".into(), |p| p.to_string());
        format!("{} {protocol} {} -> {}", cut.zone.unwrap_or(0), end(cut.src), end(cut.dst))
    };
    cuts.iter().map(word).collect()
}

#[test]
fn what_is_no_longer_allowed_is_cut() {
    let before = recorded_view().security;
    type Change = fn(&mut Security);
    let cases: &[(&str, Change, &[&str])] = &[
        ("nothing", |_| {}, &[]),
        (
            "a rule for ssh",
            |s| s.groups.get_mut(GROUP).unwrap().retain(|r| r.port_range_min != Some(22)),
            &["4097 6 * -> 10.1.0.1", "4097 6 * -> 10.1.0.2"],
        ),
        (
            "a new rule",
            |s| {
                let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp"});
                s.groups.get_mut(GROUP).unwrap().push(serde_json::from_value(rule).unwrap());
            },
            &[],
        ),
        (
            "a member",
            |s| s.members.get_mut(GROUP).unwrap().v4.truncate(1),
            &["4097 * 10.1.0.2 -> 10.1.0.1", "4097 * 10.1.0.2 -> 10.1.0.2"],
        ),
        (
            "a port",
            |s| _ = s.ports.remove("tap00000002-00"),
            &["4097 * * -> 10.1.0.2", "4097 * 10.1.0.2 -> *", "4097 * * -> fd00::2", "4097 * fd00::2 -> *"],
        ),
    ];
    for (what, change, expected) in cases {
        let mut now = before.clone();
        change(&mut now);
        let mut got = words(&cuts(&before, &now, &zones()));
        let mut expected: Vec<String> = expected.iter().map(|e| (*e).to_owned()).collect();
        got.sort();
        expected.sort();
        assert_eq!(got, expected, "without {what}");
    }
}
