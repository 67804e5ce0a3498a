//! Cases of the driver's pure parts: what the server said and what is there, to plans and flows.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use expect_test::{Expect, expect};
use model::Mac;
use model::l2::DeviceDetails;
use ovs::openflow::{Entry, Flow, Flows};
use serde_json::{Value, json};
use uuid::Uuid;

mod filter;

use super::config::OvsConfig;
use super::desired::layout;
use super::facts::{Bridge, Facts, Port};
use super::flows::{Input, adopt, flows};
use super::plan::{Plan, Step, plan};
use super::vlans;
use crate::l2::view::{FdbTable, View};

const OPTIONS: &str =
    "[ovs]\nlocal_ip = 10.9.0.1\nbridge_mappings = physnet1:br-ex\n[agent]\ntunnel_types = gre, vxlan\n";

fn config(more: &str) -> OvsConfig {
    OvsConfig::load(&oslo::config::Config::parse("agent.ini", &format!("{OPTIONS}{more}")), "h1").unwrap()
}

fn id(n: u8) -> String {
    format!("a0000000-0000-0000-0000-0000000000{n:02x}")
}

/// A port as the server tells of it.
fn details(n: u8, network: &str, more: &Value) -> DeviceDetails {
    let mut details = json!({
        "device": id(n), "port_id": id(n), "network_id": network, "mac_address": format!("fa:16:3e:00:00:{n:02x}"),
        "admin_state_up": true, "network_type": "local", "device_owner": "compute:nova",
        "fixed_ips": [{"subnet_id": "s", "ip_address": format!("10.1.0.{n}")}],
    });
    details.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    serde_json::from_value(details).unwrap()
}

fn view(ports: &[(u8, &str, Value)]) -> View {
    let ports = ports.iter().map(|(n, network, more)| (id(*n), details(*n, network, more)));
    View { ports: ports.collect(), ..View::default() }
}

fn gre(segment: u32) -> Value {
    json!({"network_type": "gre", "segmentation_id": segment})
}

/// A host before the agent's first run: Nova has plugged ports, the operator made br-ex.
fn fresh(ports: &[u8]) -> Facts {
    let device = |n: &u8| {
        let port = Port {
            id: Uuid::from_u128(u128::from(*n)),
            iface_id: Some(id(*n)),
            ofport: Some(u32::from(*n) + 10),
            plain: true,
            ..Port::default()
        };
        (format!("tap{n}"), port)
    };
    let bridge = |n: u128, ports| Bridge { id: Uuid::from_u128(n), ports, ..Bridge::default() };
    let bridges = [
        ("br-int".to_owned(), bridge(1000, ports.iter().map(device).collect())),
        ("br-ex".to_owned(), bridge(1001, BTreeMap::new())),
    ];
    Facts { bridges: bridges.into() }
}

fn all_ports(facts: &mut Facts) -> impl Iterator<Item = &mut Port> {
    facts.bridges.values_mut().flat_map(|bridge| bridge.ports.values_mut())
}

/// What the switch makes of steps: numbers for new ports, names for new rows.
fn happen(facts: &mut Facts, steps: &[Step]) {
    for (n, step) in steps.iter().enumerate() {
        let n = u32::try_from(n).unwrap() + 100;
        let row = Uuid::from_u128(u128::from(n) + facts.bridges.len() as u128 * 1000);
        let secure = |bridge: &mut Bridge, datapath: &str, size: u32| {
            (bridge.secure, bridge.controlled) = (true, true);
            bridge.datapath_type = datapath.to_owned();
            bridge.protocols = super::plan::PROTOCOLS.iter().map(|p| (*p).to_owned()).collect();
            bridge.other_config.insert("mac-table-size".into(), size.to_string());
        };
        match step {
            Step::AddBridge { name, datapath_type, mac_table_size } => {
                let mut bridge = Bridge { id: row, ..Bridge::default() };
                secure(&mut bridge, datapath_type, *mac_table_size);
                facts.bridges.insert(name.clone(), bridge);
            }
            Step::MendBridge { id, datapath_type, mac_table_size, .. } => {
                let bridge = facts.bridges.values_mut().find(|bridge| bridge.id == *id).unwrap();
                secure(bridge, datapath_type, *mac_table_size);
            }
            Step::AddPort { bridge, name, port } => {
                let (kind, options) = (port.kind.to_owned(), port.options.clone());
                let port = Port {
                    id: row,
                    interface: row,
                    kind,
                    options,
                    ofport: Some(n),
                    plain: true,
                    ..Port::default()
                };
                facts.bridges.get_mut(bridge).unwrap().ports.insert(name.clone(), port);
            }
            Step::MendPort { interface, port } => {
                let there = all_ports(facts).find(|there| there.interface == *interface).unwrap();
                (there.kind, there.options) = (port.kind.to_owned(), port.options.clone());
            }
            Step::DeletePort { bridge, port } => {
                let bridge = facts.bridges.values_mut().find(|there| there.id == *bridge).unwrap();
                bridge.ports.retain(|_, there| there.id != *port);
            }
            Step::SetTag { port, vlan, notes } => {
                let there = all_ports(facts).find(|there| there.id == *port).unwrap();
                (there.tag, there.plain) = (Some(*vlan), true);
                there.other_config.extend(notes.clone());
            }
        }
    }
}

fn planned(view: &View, facts: &Facts, config: &OvsConfig) -> Plan {
    let vlans = vlans::assign(view, facts, "br-int");
    plan(&layout(view, config, facts, &vlans), facts, config)
}

/// A pass as the driver does it; flows as they are then.
fn pass(view: &View, facts: &mut Facts, config: &OvsConfig) -> BTreeMap<String, Flows> {
    let vlans = vlans::assign(view, facts, "br-int");
    let steps = plan(&layout(view, config, facts, &vlans), facts, config);
    happen(facts, &steps.before);
    let flows = flows(Input { view, config, facts, vlans: &vlans });
    happen(facts, &steps.after);
    flows
}

fn text(flows: &Flows) -> String {
    let mut out = String::new();
    for flow in flows.iter() {
        writeln!(out, "{}", Flow { cookie: 0, ..flow.to_flow() }).unwrap();
    }
    out
}

fn check(flows: &BTreeMap<String, Flows>, bridge: &str, tables: &[u8], expected: &Expect) {
    let of_tables = flows[bridge].iter().filter(|flow| tables.contains(&flow.table()));
    expected.assert_eq(&text(&of_tables.map(Entry::to_flow).collect()));
}

fn three_networks() -> View {
    let physical = |kind: &str, segment: Value| json!({"network_type": kind, "physical_network": "physnet1", "segmentation_id": segment});
    let mut view = view(&[
        (1, "n-gre", gre(7)),
        (2, "n-flat", physical("flat", Value::Null)),
        (3, "n-vlan", physical("vlan", json!(101))),
    ]);
    let hosts = ["10.9.0.1", "10.9.0.2", "10.9.0.3"].map(|ip| ip.parse().unwrap());
    view.tunnels.insert("gre".into(), hosts.into());
    view
}

#[test]
fn the_first_pass_makes_all_and_the_second_nothing() {
    let (config, view, mut facts) = (config(""), three_networks(), fresh(&[1, 2, 3, 4]));
    let first = planned(&view, &facts, &config);
    let shown = |steps: &[Step]| {
        let show = |step: &Step| match step {
            Step::AddBridge { name, .. } => format!("add bridge {name}\n"),
            Step::MendBridge { id, .. } => format!("mend bridge {}\n", id.as_u128()),
            Step::AddPort { bridge, name, port } => {
                format!("add {} {name} to {bridge}: {:?}\n", port.kind, port.options)
            }
            Step::MendPort { .. } => "mend port\n".to_owned(),
            Step::DeletePort { port, .. } => format!("delete port {}\n", port.as_u128()),
            Step::SetTag { port, vlan, notes } => format!("tag {} {vlan} {notes:?}\n", port.as_u128()),
        };
        steps.iter().map(show).collect::<String>()
    };
    expect![[r#"
        mend bridge 1001
        mend bridge 1000
        add bridge br-tun
        add patch phy-br-ex to br-ex: {"peer": "int-br-ex"}
        add patch int-br-ex to br-int: {"peer": "phy-br-ex"}
        add patch patch-tun to br-int: {"peer": "patch-int"}
        add gre gre-0a090002 to br-tun: {"df_default": "true", "egress_pkt_mark": "0", "in_key": "flow", "local_ip": "10.9.0.1", "out_key": "flow", "remote_ip": "10.9.0.2"}
        add gre gre-0a090003 to br-tun: {"df_default": "true", "egress_pkt_mark": "0", "in_key": "flow", "local_ip": "10.9.0.1", "out_key": "flow", "remote_ip": "10.9.0.3"}
        add patch patch-int to br-tun: {"peer": "patch-tun"}
        tag 4 4095 {}
    "#]].assert_eq(&shown(&first.before));
    expect![[r#"
        tag 1 2 {"net_uuid": "n-gre", "network_type": "gre", "physical_network": "None", "segmentation_id": "7", "tag": "2"}
        tag 2 1 {"net_uuid": "n-flat", "network_type": "flat", "physical_network": "physnet1", "tag": "1"}
        tag 3 3 {"net_uuid": "n-vlan", "network_type": "vlan", "physical_network": "physnet1", "segmentation_id": "101", "tag": "3"}
    "#]].assert_eq(&shown(&first.after));
    pass(&view, &mut facts, &config);
    assert_eq!(planned(&view, &facts, &config), Plan::default());
}

#[test]
fn flows_of_the_integration_bridge() {
    let flows = pass(&three_networks(), &mut fresh(&[1, 2, 3, 4]), &config(""));
    check(
        &flows,
        "br-int",
        &[0, 23, 24, 30, 31, 58, 59, 60, 62],
        &expect![[r#"
        priority=0 actions=goto_table:58
        priority=2,in_port=14 actions=drop
        priority=2,in_port=104 actions=drop
        priority=3,in_port=104,vlan_tci=0x0000/0x1fff actions=push_vlan:0x8100,set_field:4097->vlan_vid,goto_table:58
        priority=3,in_port=104,dl_vlan=101 actions=set_field:4099->vlan_vid,goto_table:58
        priority=9,in_port=11 actions=goto_table:25
        priority=9,in_port=12 actions=goto_table:25
        priority=9,in_port=13 actions=goto_table:25
        priority=10,arp,in_port=11 actions=goto_table:24
        priority=10,icmp6,in_port=11,icmp_type=136 actions=goto_table:24
        priority=10,arp,in_port=12 actions=goto_table:24
        priority=10,icmp6,in_port=12,icmp_type=136 actions=goto_table:24
        priority=10,arp,in_port=13 actions=goto_table:24
        priority=10,icmp6,in_port=13,icmp_type=136 actions=goto_table:24
        priority=65535,dl_vlan=4095 actions=drop
        table=23, priority=0 actions=drop
        table=24, priority=0 actions=drop
        table=24, priority=2,arp,in_port=11,arp_spa=10.1.0.1 actions=goto_table:25
        table=24, priority=2,icmp6,in_port=11,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=goto_table:25
        table=24, priority=2,arp,in_port=12,arp_spa=10.1.0.2 actions=goto_table:25
        table=24, priority=2,icmp6,in_port=12,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:2 actions=goto_table:25
        table=24, priority=2,arp,in_port=13,arp_spa=10.1.0.3 actions=goto_table:25
        table=24, priority=2,icmp6,in_port=13,icmp_type=136,icmp_code=0,nd_target=fe80::f816:3eff:fe00:3 actions=goto_table:25
        table=30, priority=0 actions=goto_table:58
        table=31, priority=0 actions=goto_table:58
        table=58, priority=0 actions=goto_table:59
        table=59, priority=0 actions=goto_table:60
        table=60, priority=1 actions=NORMAL
        table=62, priority=3 actions=NORMAL
    "#]],
    );
    check(
        &flows,
        "br-ex",
        &[0],
        &expect![[r#"
        priority=0 actions=NORMAL
        priority=2,in_port=103 actions=drop
        priority=4,in_port=103,dl_vlan=1 actions=pop_vlan,NORMAL
        priority=4,in_port=103,dl_vlan=3 actions=set_field:4197->vlan_vid,NORMAL
    "#]],
    );
}

/// Without a filter the sources of packets are looked at here.
#[test]
fn flows_of_a_port_that_nothing_filters() {
    let mut view = three_networks();
    view.ports.retain(|device, _| *device == id(1));
    let flows = pass(&view, &mut fresh(&[1]), &config(""));
    check(
        &flows,
        "br-int",
        &[25],
        &expect![[r#"
        table=25, priority=2,in_port=11,dl_src=fa:16:3e:00:00:01 actions=goto_table:30
        table=25, priority=3,ip,in_port=11 actions=drop
        table=25, priority=3,ipv6,in_port=11 actions=drop
        table=25, priority=4,udp,in_port=11,dl_src=fa:16:3e:00:00:01,nw_src=0.0.0.0,tp_src=68,tp_dst=67 actions=goto_table:30
        table=25, priority=4,ip,in_port=11,dl_src=fa:16:3e:00:00:01,nw_src=10.1.0.1 actions=goto_table:30
        table=25, priority=4,icmp6,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=131 actions=goto_table:30
        table=25, priority=4,icmp6,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=135,icmp_code=0,nd_target=fe80::f816:3eff:fe00:1 actions=goto_table:30
        table=25, priority=4,icmp6,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=::,ipv6_dst=ff02::/16,icmp_type=143 actions=goto_table:30
        table=25, priority=4,ipv6,in_port=11,dl_src=fa:16:3e:00:00:01,ipv6_src=fe80::f816:3eff:fe00:1 actions=goto_table:30
        table=25, priority=5,udp,in_port=11,tp_src=67,tp_dst=68 actions=drop
        table=25, priority=5,udp6,in_port=11,tp_src=547,tp_dst=546 actions=drop
        table=25, priority=5,icmp6,in_port=11,icmp_type=134 actions=drop
    "#]],
    );
}

#[test]
fn flows_of_the_tunnel_bridge() {
    let flows = pass(&three_networks(), &mut fresh(&[1, 2, 3]), &config(""));
    check(
        &flows,
        "br-tun",
        &[0, 2, 3, 4, 6, 10, 20, 21, 22],
        &expect![[r#"
        priority=0 actions=drop
        priority=1,in_port=106 actions=goto_table:3
        priority=1,in_port=107 actions=goto_table:3
        priority=1,in_port=108 actions=goto_table:2
        table=2, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20
        table=2, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22
        table=3, priority=0 actions=drop
        table=3, priority=1,tun_id=0x7 actions=push_vlan:0x8100,set_field:4098->vlan_vid,goto_table:10
        table=4, priority=0 actions=drop
        table=6, priority=0 actions=drop
        table=10, priority=1 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x6e657574726f6e72,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:108
        table=10, priority=2,arp,arp_tha=ff:ff:ff:ff:ff:ff actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x6e657574726f6e72,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:108
        table=10, priority=2,icmp6,icmp_type=134 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x6e657574726f6e72,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:108
        table=10, priority=2,icmp6,icmp_type=136 actions=learn(table=20,hard_timeout=300,priority=1,cookie=0x6e657574726f6e72,NXM_OF_VLAN_TCI[0..11],NXM_OF_ETH_DST[]=NXM_OF_ETH_SRC[],load:0->NXM_OF_VLAN_TCI[],load:NXM_NX_TUN_ID[]->NXM_NX_TUN_ID[],output:OXM_OF_IN_PORT[]),output:108
        table=20, priority=0 actions=goto_table:22
        table=22, priority=0 actions=drop
        table=22, priority=1,dl_vlan=2 actions=pop_vlan,set_field:0x7->tun_id,output:106,output:107
    "#]],
    );
}

const TOLD: &str = "l2_population = true\narp_responder = true\n";

fn told() -> View {
    let mut view = view(&[(1, "n-gre", gre(7)), (2, "n-other", gre(8))]);
    let host = |n: u8| format!("10.9.0.{n}").parse().unwrap();
    let mac = |n| Mac([0xfa, 0x16, 0x3e, 0, 0, n]);
    let table = FdbTable {
        flood: BTreeSet::from([host(2), host(3)]),
        macs: BTreeMap::from([(mac(5), host(2)), (mac(6), host(3))]),
        neighbours: BTreeMap::from([("10.1.0.5".parse().unwrap(), mac(5))]),
    };
    view.fdb.insert("n-gre".into(), table);
    view.fdb.insert("n-other".into(), FdbTable::default());
    view
}

#[test]
fn flows_of_what_the_server_told() {
    let mut facts = fresh(&[1, 2]);
    let flows = pass(&told(), &mut facts, &config(TOLD));
    check(
        &flows,
        "br-tun",
        &[2, 20, 21, 22],
        &expect![[r#"
        table=2, priority=0,dl_dst=00:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:20
        table=2, priority=0,dl_dst=01:00:00:00:00:00/01:00:00:00:00:00 actions=goto_table:22
        table=2, priority=1,arp,dl_dst=ff:ff:ff:ff:ff:ff actions=goto_table:21
        table=20, priority=0 actions=goto_table:22
        table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:05 actions=pop_vlan,set_field:0x7->tun_id,output:106
        table=20, priority=2,dl_vlan=1,dl_dst=fa:16:3e:00:00:06 actions=pop_vlan,set_field:0x7->tun_id,output:107
        table=21, priority=0 actions=goto_table:22
        table=21, priority=1,arp,dl_vlan=1,arp_tpa=10.1.0.5 actions=set_field:2->arp_op,move:NXM_NX_ARP_SHA[]->NXM_NX_ARP_THA[],move:NXM_OF_ARP_SPA[]->NXM_OF_ARP_TPA[],set_field:fa:16:3e:00:00:05->arp_sha,set_field:10.1.0.5->arp_spa,move:NXM_OF_ETH_SRC[]->NXM_OF_ETH_DST[],set_field:fa:16:3e:00:00:05->eth_src,IN_PORT
        table=22, priority=0 actions=drop
        table=22, priority=1,dl_vlan=1 actions=pop_vlan,set_field:0x7->tun_id,output:106,output:107
    "#]],
    );
    let tunnels: Vec<&String> = facts.bridges["br-tun"].ports.keys().collect();
    assert_eq!(tunnels, ["gre-0a090002", "gre-0a090003", "patch-int"]);
}

/// An agent that starts anew knows what flows say, until it is told.
#[test]
fn what_is_installed_is_adopted() {
    let (config, mut facts) = (config(TOLD), fresh(&[1, 2]));
    let installed = pass(&told(), &mut facts, &config);
    let mut anew = View { fdb: BTreeMap::new(), ..told() };
    let vlans = vlans::assign(&anew, &facts, "br-int");
    adopt(&mut anew, &config, &facts, &vlans, &installed["br-tun"]);
    assert_eq!(anew, told());
    assert_eq!(planned(&anew, &facts, &config), Plan::default());
}

#[test]
fn local_vlans_are_kept_and_never_shared() {
    let mut facts = fresh(&[1, 2, 3]);
    let note = |facts: &mut Facts, n: u8, network: &str, tag: u16| {
        let port = facts.bridges.get_mut("br-int").unwrap().ports.get_mut(&format!("tap{n}")).unwrap();
        port.tag = Some(tag);
        port.other_config.insert("net_uuid".into(), network.into());
    };
    note(&mut facts, 1, "red", 2);
    let three = view(&[(1, "red", json!({})), (2, "blue", json!({})), (3, "green", json!({}))]);
    let tags = |facts: &Facts| {
        let vlans = vlans::assign(&three, facts, "br-int");
        ["red", "blue", "green"].map(|network| vlans[&(network.to_owned(), None)])
    };
    assert_eq!(tags(&facts), [2, 1, 3]);
    // A tag that a port without notes has is taken.
    facts.bridges.get_mut("br-int").unwrap().ports.get_mut("tap3").unwrap().tag = Some(1);
    assert_eq!(tags(&facts), [2, 3, 4]);
    // Two networks that somebody gave one tag are parted.
    note(&mut facts, 2, "blue", 2);
    assert_eq!(tags(&facts).into_iter().collect::<BTreeSet<_>>().len(), 3);
    // Dead is no network.
    note(&mut facts, 2, "blue", super::DEAD_VLAN);
    assert_eq!(tags(&facts), [2, 3, 4]);
}

#[test]
fn who_may_be_heard() {
    let config = config("");
    let mut facts = fresh(&[1, 2, 3, 4, 5]);
    facts.bridges.get_mut("br-int").unwrap().ports.get_mut("tap5").unwrap().tag = Some(9);
    let mut view = view(&[
        (1, "n1", gre(7)),
        (2, "n1", json!({"network_type": "gre", "segmentation_id": 7, "admin_state_up": false})),
        (3, "n2", json!({"network_type": "geneve", "segmentation_id": 9})),
    ]);
    let tags = |view: &View| {
        let vlans = vlans::assign(view, &facts, "br-int");
        let layout = layout(view, &config, &facts, &vlans);
        let alive = |tag: &super::desired::Tag| *tag != super::desired::Tag::Dead;
        let tags: Vec<(String, bool)> =
            layout.tags.iter().map(|(port, tag)| (port.clone(), alive(tag))).collect();
        (tags, layout.problems)
    };
    let tag = |n: u8, alive: bool| (format!("tap{n}"), alive);
    let (found, problems) = tags(&view);
    // 2 is down, 3 cannot be wired, 4 is unknown so far; 5 was wired once and is left as it is.
    assert_eq!(found, [tag(1, true), tag(2, false), tag(3, false), tag(4, false)]);
    assert_eq!(problems["n2"], "networks of type geneve are not enabled on this host ([agent] tunnel_types)");
    view.disowned.insert(id(5));
    assert_eq!(tags(&view).0.last(), Some(&tag(5, false)));
}
