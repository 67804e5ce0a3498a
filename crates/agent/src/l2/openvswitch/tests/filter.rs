//! Cases of security groups as flows.

use ovs::openflow::flow::Command;
use ovs::openflow::{FlowMod, diff};

use super::*;
use crate::l2::openvswitch::flows::removable;

const FILTERS: &str = "[securitygroup]\nfirewall_driver = openvswitch\n";
const GROUP: &str = "default";

/// `ports` of one network and one group with `rules`, whose members are these ports.
fn secured(ports: &[u8], rules: &Value) -> View {
    let list: Vec<(u8, &str, Value)> = ports.iter().map(|n| (*n, "red", json!({}))).collect();
    let mut view = view(&list);
    for n in ports {
        let port = json!({
            "device": id(*n), "network_id": "red", "mac_address": format!("fa:16:3e:00:00:{n:02x}"),
            "fixed_ips": [format!("10.1.0.{n}"), format!("fd00::{n:x}")], "device_owner": "compute:nova",
            "security_groups": [GROUP], "port_security_enabled": true,
        });
        view.security.ports.insert(id(*n), serde_json::from_value(port).unwrap());
    }
    view.security.groups.insert(GROUP.into(), serde_json::from_value(rules.clone()).unwrap());
    let members = json!({
        "IPv4": ports.iter().map(|n| format!("10.1.0.{n}")).collect::<Vec<_>>(),
        "IPv6": ports.iter().map(|n| format!("fd00::{n:x}")).collect::<Vec<_>>(),
    });
    view.security.members.insert(GROUP.into(), serde_json::from_value(members).unwrap());
    view
}

/// Everything out, and in from the group itself.
fn default_rules() -> Vec<Value> {
    let mut rules = Vec::new();
    for ethertype in ["IPv4", "IPv6"] {
        rules.push(json!({"direction": "egress", "ethertype": ethertype}));
        rules.push(json!({"direction": "ingress", "ethertype": ethertype, "remote_group_id": GROUP}));
    }
    rules
}

fn with_default(more: Value) -> Value {
    default_rules().into_iter().chain([more]).collect()
}

fn int(view: &View, facts: &mut Facts) -> Flows {
    pass(view, facts, &config(FILTERS)).remove("br-int").unwrap()
}

/// The integration bridge's flows with one filtered port, number 11, and one that is trusted.
fn of_one_port() -> BTreeMap<String, Flows> {
    let mut view = secured(
        &[1],
        &with_default(json!({
        "direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80, "port_range_max": 81,
        "source_ip_prefix": "10.2.0.0/16"})),
    );
    let pair = json!({"mac_address": "fa:16:3e:00:00:99", "ip_address": "10.9.0.0/24"});
    let port = view.security.ports.get_mut(&id(1)).unwrap();
    port.allowed_address_pairs = vec![serde_json::from_value(pair).unwrap()];
    // Another network's service, which is trusted.
    view.ports.insert(id(2), details(2, "blue", &json!({"device_owner": "network:dhcp"})));
    BTreeMap::from([("br-int".to_owned(), int(&view, &mut fresh(&[1, 2])))])
}

#[test]
fn finding_a_port() {
    check(
        &of_one_port(),
        "br-int",
        &[0, 24, 25, 60],
        &expect![[r#"
        priority=0 actions=goto_table:58
        priority=2,in_port=104 actions=drop
        priority=65535,dl_vlan=4095 actions=drop
        table=24, priority=0 actions=drop
        table=60, priority=1 actions=NORMAL
        table=60, priority=90,dl_vlan=2,dl_dst=fa:16:3e:00:00:01 actions=set_field:0xb->reg5,set_field:0x2->reg6,pop_vlan,goto_table:81
        table=60, priority=90,dl_vlan=2,dl_dst=fa:16:3e:00:00:99 actions=set_field:0xb->reg5,set_field:0x2->reg6,pop_vlan,goto_table:81
        table=60, priority=100,in_port=11 actions=set_field:0xb->reg5,set_field:0x2->reg6,goto_table:71
        table=60, priority=100,in_port=12 actions=set_field:0xc->reg5,set_field:0x1->reg6,goto_table:73
    "#]],
    );
}

#[test]
fn what_a_port_sends() {
    check(
        &of_one_port(),
        "br-int",
        &[71, 73],
        &expect![[r#"
        table=71, priority=0 actions=drop
        table=71, priority=10,reg5=0xb,in_port=11 actions=ct_clear,goto_table:93
        table=71, priority=65,ip,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,nw_src=10.1.0.1 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
        table=71, priority=65,ipv6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fd00::1 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
        table=71, priority=65,ipv6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
        table=71, priority=65,ip,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:99,nw_src=10.9.0.0/24 actions=ct(table=72,zone=NXM_NX_REG6[0..15])
        table=71, priority=70,udp,reg5=0xb,in_port=11,tp_src=67,tp_dst=68 actions=goto_table:93
        table=71, priority=70,udp6,reg5=0xb,in_port=11,tp_src=547,tp_dst=546 actions=goto_table:93
        table=71, priority=70,icmp6,reg5=0xb,in_port=11,icmp_type=134 actions=goto_table:93
        table=71, priority=80,udp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,nw_src=0.0.0.0,tp_src=68,tp_dst=67 actions=goto_table:73
        table=71, priority=80,udp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,nw_src=10.1.0.1,tp_src=68,tp_dst=67 actions=goto_table:73
        table=71, priority=80,udp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fd00::1,tp_src=546,tp_dst=547 actions=goto_table:73
        table=71, priority=80,udp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1,tp_src=546,tp_dst=547 actions=goto_table:73
        table=71, priority=80,udp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:99,nw_src=10.9.0.0/24,tp_src=68,tp_dst=67 actions=goto_table:73
        table=71, priority=95,arp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,arp_spa=10.1.0.1 actions=goto_table:94
        table=71, priority=95,rarp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=131 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fd00::1 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=143 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fd00::1,icmp_type=130 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fd00::1,icmp_type=133 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fd00::1,icmp_type=135 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1,icmp_type=130 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1,icmp_type=133 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1,icmp_type=135 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,icmp_type=136,icmp_code=0,nd_target=fd00::1 actions=goto_table:94
        table=71, priority=95,icmp6,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:01,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=goto_table:94
        table=71, priority=95,arp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:99,arp_spa=10.9.0.0/24 actions=goto_table:94
        table=71, priority=95,rarp,reg5=0xb,in_port=11,dl_src=fa:16:3e:00:00:99 actions=goto_table:94
        table=71, priority=110,ct_state=+trk actions=ct_clear,resubmit(,71)
        table=73, priority=0 actions=drop
        table=73, priority=80,reg5=0xb actions=goto_table:94
        table=73, priority=80,reg5=0xc actions=goto_table:94
        table=73, priority=90,ct_state=+new-est,ip,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:91
        table=73, priority=90,ct_state=+new-est,ipv6,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15]),goto_table:91
        table=73, priority=100,reg6=0x2,dl_dst=fa:16:3e:00:00:01 actions=set_field:0xb->reg5,goto_table:81
        table=73, priority=100,reg6=0x2,dl_dst=fa:16:3e:00:00:99 actions=set_field:0xb->reg5,goto_table:81
    "#]],
    );
}

#[test]
fn what_a_port_gets() {
    check(
        &of_one_port(),
        "br-int",
        &[72, 81, 82, 91, 92, 93, 94],
        &expect![[r#"
        table=72, priority=0 actions=drop
        table=72, priority=40,ct_state=+est,ip,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))
        table=72, priority=40,ct_state=+est,ipv6,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))
        table=72, priority=40,ct_state=-est,reg5=0xb actions=goto_table:93
        table=72, priority=50,ct_state=-new-est+rel-inv,ct_zone=2,ct_mark=0,reg5=0xb actions=goto_table:94
        table=72, priority=50,ct_state=+est-rel+rpl,ct_zone=2,ct_mark=0,reg5=0xb actions=goto_table:94
        table=72, priority=50,ct_mark=0x1,reg5=0xb actions=goto_table:93
        table=72, priority=50,ct_state=+inv+trk actions=goto_table:93
        table=72, priority=74,ct_state=+new-est,ip,reg5=0xb actions=goto_table:73
        table=72, priority=74,ct_state=+est-rel-rpl,ip,reg5=0xb actions=goto_table:73
        table=72, priority=74,ct_state=+new-est,ipv6,reg5=0xb actions=goto_table:73
        table=72, priority=74,ct_state=+est-rel-rpl,ipv6,reg5=0xb actions=goto_table:73
        table=81, priority=0 actions=drop
        table=81, priority=80,ct_state=+trk,reg5=0xb actions=goto_table:82
        table=81, priority=90,ct_state=-trk,ip,reg5=0xb actions=ct(table=82,zone=NXM_NX_REG6[0..15])
        table=81, priority=90,ct_state=-trk,ipv6,reg5=0xb actions=ct(table=82,zone=NXM_NX_REG6[0..15])
        table=81, priority=95,udp,reg5=0xb,tp_src=67,tp_dst=68 actions=output:11
        table=81, priority=95,udp6,reg5=0xb,tp_src=547,tp_dst=546 actions=output:11
        table=81, priority=100,arp,reg5=0xb actions=output:11
        table=81, priority=100,icmp6,reg5=0xb,icmp_type=130 actions=output:11
        table=81, priority=100,icmp6,reg5=0xb,icmp_type=134 actions=output:11
        table=81, priority=100,icmp6,reg5=0xb,icmp_type=135 actions=output:11
        table=81, priority=100,icmp6,reg5=0xb,icmp_type=136 actions=output:11
        table=82, priority=0 actions=drop
        table=82, priority=40,ct_state=+est,ip,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))
        table=82, priority=40,ct_state=+est,ipv6,reg5=0xb actions=ct(commit,zone=NXM_NX_REG6[0..15],exec(set_field:0x1->ct_mark))
        table=82, priority=40,ct_state=-est,reg5=0xb actions=goto_table:93
        table=82, priority=50,ct_state=-new-est+rel-inv,ct_zone=2,ct_mark=0,reg5=0xb actions=output:11
        table=82, priority=50,ct_state=+est-rel+rpl,ct_zone=2,ct_mark=0,reg5=0xb actions=output:11
        table=82, priority=50,ct_mark=0x1,reg5=0xb actions=goto_table:93
        table=82, priority=50,ct_state=+inv+trk actions=goto_table:93
        table=82, priority=70,conj_id=816971072,ct_state=+est-rel-rpl,ipv6,reg5=0xb actions=set_field:0x30b1fd40->reg7,output:11
        table=82, priority=70,conj_id=816971073,ct_state=+new-est,ipv6,reg5=0xb actions=set_field:0x30b1fd41->reg7,ct(commit,zone=NXM_NX_REG6[0..15]),output:11,goto_table:92
        table=82, priority=70,conj_id=816974552,ct_state=+est-rel-rpl,ip,reg5=0xb actions=set_field:0x30b20ad8->reg7,output:11
        table=82, priority=70,conj_id=816974553,ct_state=+new-est,ip,reg5=0xb actions=set_field:0x30b20ad9->reg7,ct(commit,zone=NXM_NX_REG6[0..15]),output:11,goto_table:92
        table=82, priority=70,ct_state=+new-est,ip,reg6=0x2,nw_src=10.1.0.1 actions=conjunction(816974553,1/2)
        table=82, priority=70,ct_state=+est-rel-rpl,ip,reg6=0x2,nw_src=10.1.0.1 actions=conjunction(816974552,1/2)
        table=82, priority=70,ct_state=+new-est,ip,reg5=0xb actions=conjunction(816974553,2/2)
        table=82, priority=70,ct_state=+est-rel-rpl,ip,reg5=0xb actions=conjunction(816974552,2/2)
        table=82, priority=70,ct_state=+new-est,ipv6,reg6=0x2,ipv6_src=fd00::1 actions=conjunction(816971073,1/2)
        table=82, priority=70,ct_state=+est-rel-rpl,ipv6,reg6=0x2,ipv6_src=fd00::1 actions=conjunction(816971072,1/2)
        table=82, priority=70,ct_state=+new-est,ipv6,reg5=0xb actions=conjunction(816971073,2/2)
        table=82, priority=70,ct_state=+est-rel-rpl,ipv6,reg5=0xb actions=conjunction(816971072,2/2)
        table=82, priority=77,ct_state=+new-est,tcp,reg5=0xb,nw_src=10.2.0.0/16,tp_dst=0x50/0xfffe actions=ct(commit,zone=NXM_NX_REG6[0..15]),output:11,goto_table:92
        table=82, priority=77,ct_state=+est-rel-rpl,tcp,reg5=0xb,nw_src=10.2.0.0/16,tp_dst=0x50/0xfffe actions=output:11
        table=91, priority=1 actions=goto_table:94
        table=92, priority=0 actions=drop
        table=93, priority=0 actions=drop
        table=94, priority=1 actions=NORMAL
    "#]],
    );
}

/// Ports whose rules the server has not told yet, or that are down, are heard by nobody.
#[test]
fn a_port_waits_for_its_rules() {
    let mut view = secured(&[1, 2], &json!(default_rules()));
    view.security.ports.remove(&id(1));
    view.ports.get_mut(&id(2)).unwrap().admin_state_up = false;
    let mut facts = fresh(&[1, 2]);
    let flows = int(&view, &mut facts);
    let of = |n: u32| flows.iter().filter(move |flow| flow.matching().to_string() == format!("in_port={n}"));
    for n in [11, 12] {
        let found: Vec<_> = of(n).map(|flow| (flow.table(), flow.to_key().priority)).collect();
        assert_eq!(found, [(0, 2)]);
    }
    assert!(facts.bridges["br-int"].ports.values().filter(|port| port.iface_id.is_some()).all(Port::is_dead));
}

/// Two ports may not share a hardware address by an address pair: its owner keeps it.
#[test]
fn an_address_pair_takes_no_address_away() {
    let mut view = secured(&[1, 2], &json!(default_rules()));
    for (n, other) in [(1, "fa:16:3e:00:00:02"), (2, "fa:16:3e:00:00:01")] {
        let pair = json!({"mac_address": other, "ip_address": "10.9.0.1"});
        view.security.ports.get_mut(&id(n)).unwrap().allowed_address_pairs =
            vec![serde_json::from_value(pair).unwrap()];
    }
    let flows = text(&int(&view, &mut fresh(&[1, 2])));
    for (mac, number) in [("fa:16:3e:00:00:01", "0xb"), ("fa:16:3e:00:00:02", "0xc")] {
        let found: Vec<&str> = flows.lines().filter(|flow| flow.contains(&format!("dl_dst={mac}"))).collect();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|flow| flow.contains(&format!("set_field:{number}->reg5"))), "{found:?}");
    }
}

/// What a change of the view changes of the flows: added, removed.
fn changes(before: &View, after: &View, ports: &[u8]) -> (usize, usize) {
    let mut facts = fresh(ports);
    let installed = int(before, &mut facts);
    let desired = int(after, &mut facts);
    let changes: Vec<FlowMod> = diff(&desired, &installed, removable).collect();
    let added = changes.iter().filter(|change| change.command == Command::Add).count();
    (added, changes.len() - added)
}

/// 200 ports of one group on the host.
#[test]
fn a_rule_changes_only_the_flows_it_must() {
    let ports: Vec<u8> = (1..=200).collect();
    let before = secured(&ports, &json!(default_rules()));
    assert_eq!(changes(&before, &before, &ports), (0, 0));
    // One of addresses: for each port a flow for new and one for known connections.
    let http = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80,
        "port_range_max": 80});
    let after = secured(&ports, &with_default(http));
    assert_eq!(changes(&before, &after, &ports), (400, 0));
    assert_eq!(changes(&after, &before, &ports), (0, 400));
    // One of the group itself: two for each port's packets, two for each port's verdict, two for each member.
    let ssh = |port: u16| {
        json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "tcp", "port_range_min": port,
            "port_range_max": port, "remote_group_id": GROUP})
    };
    let first = secured(&ports, &with_default(ssh(22)));
    assert_eq!(changes(&before, &first, &ports), (1200, 0));
    // The next one finds verdicts and members in place.
    let mut rules = default_rules();
    rules.extend([ssh(22), ssh(23)]);
    assert_eq!(changes(&first, &secured(&ports, &json!(rules)), &ports), (400, 0));
    // A member more somewhere else: two flows in all.
    let mut more = before.clone();
    let member = serde_json::from_value(json!("10.1.0.250")).unwrap();
    more.security.members.get_mut(GROUP).unwrap().v4.push(member);
    assert_eq!(changes(&before, &more, &ports), (2, 0));
    assert_eq!(changes(&more, &before, &ports), (0, 2));
}
