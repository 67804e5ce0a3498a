//! Flows on a real bridge: put there by us and read by ovs-ofctl, and the reverse.

use std::collections::BTreeSet;

use ovs::Remote;
use ovs::openflow::message::Incoming;
use ovs::openflow::{
    Action, Bucket, Field, Flow, FlowMod, Flows, GroupKind, GroupMod, Match, MeterMod, MeterUnit, PacketOut,
    Port, Request, Switch as Bridge, SwitchError, Version, diff,
};

use lab::switch::{Switch, with_a_switch};

/// The flows that ovs-ofctl was made to send, as we understand them: see `flows_are_read_…` beside the code.
fn captured() -> Vec<Flow> {
    let lines = include_str!("../captured/messages.txt").lines();
    let messages = lines.filter(|line| line.starts_with("050e")).map(|line| {
        let digits = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        let mut bytes: Vec<u8> = digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
        FlowMod::decode(&Incoming::cut(&mut bytes).unwrap().unwrap().body).unwrap()
    });
    let mut flows: Vec<Flow> =
        messages.filter(|m| m.command == ovs::openflow::flow::Command::Add).map(|m| m.flow).collect();
    // The last of those with one key stays; none that goes by itself while the test runs.
    flows.retain(|flow| !flow.is_passing());
    flows
}

async fn bridge(switch: &Switch, name: &str, protocols: &str) -> Bridge {
    switch.sh(&format!(
        "ovs-vsctl add-br {name} -- set bridge {name} datapath_type=netdev fail_mode=secure protocols={protocols}"
    ));
    connect(switch, name).await
}

async fn connect(switch: &Switch, name: &str) -> Bridge {
    Bridge::connect(&Remote::Unix(switch.folder.join(format!("{name}.mgmt")))).await.unwrap()
}

async fn flows(bridge: &mut Bridge) -> Vec<Flow> {
    let mut flows = Vec::new();
    assert_eq!(bridge.flows(|flow| flows.push(flow)).await.unwrap(), 0, "flows that are not understood");
    flows
}

fn lines(text: &str) -> BTreeSet<String> {
    text.lines().map(|line| line.trim().to_owned()).collect()
}

#[test]
fn flows_are_the_same_on_both_sides() {
    with_a_switch("flows", |switch: Switch| async move {
        for (name, protocols, version) in [
            ("br-new", "OpenFlow10,OpenFlow13,OpenFlow14", Version::V14),
            ("br-old", "OpenFlow10,OpenFlow13", Version::V13),
        ] {
            let mut bridge = bridge(&switch, name, protocols).await;
            assert_eq!(bridge.version(), version);
            let ten = format!("{:016x}", bridge.datapath_id());
            assert_eq!(switch.sh(&format!("ovs-vsctl get bridge {name} datapath_id")), format!("\"{ten}\""));
            let meter = MeterMod::Add(3, MeterUnit::Kbps, 20000, Some(2000));
            bridge.tell(&Request::MeterMod(meter)).await.unwrap();
            let bucket = Bucket { weight: 0, actions: vec![Action::Output(Port(1))] };
            bridge.tell(&Request::GroupMod(GroupMod::Add(5, GroupKind::All, vec![bucket]))).await.unwrap();
            let desired = Flows::from_iter(captured());
            assert!(desired.len() > 40);
            let none = Flows::default();
            let count = bridge.apply(diff(&desired, &none, |_| true)).await.unwrap();
            assert_eq!(count, desired.len());
            // What the switch has is what we wanted, so the next pass does nothing.
            let installed = flows(&mut bridge).await;
            let ours: BTreeSet<String> = installed.iter().map(ToString::to_string).collect();
            let installed = Flows::from_iter(installed);
            assert_eq!(diff(&desired, &installed, |_| true).collect::<Vec<_>>(), []);
            // And it reads as ovs-ofctl prints it.
            let protocol = if version == Version::V14 { "OpenFlow14" } else { "OpenFlow13" };
            let theirs =
                switch.sh(&format!("ovs-ofctl -O {protocol} --no-names --no-stats dump-flows {name}"));
            assert_eq!(ours, lines(&theirs));
            // All that are too much go, in one bundle.
            let half = Flows::from_iter(captured().split_off(20));
            bridge.apply(diff(&half, &installed, |_| true)).await.unwrap();
            assert_eq!(Flows::from_iter(flows(&mut bridge).await), half);
        }
    });
}

#[test]
fn a_refused_bundle_changes_nothing() {
    with_a_switch("bundle", |switch: Switch| async move {
        let mut bridge = bridge(&switch, "br-int", "OpenFlow13,OpenFlow14").await;
        let good = Flow::new(0, 1, Match::new(), vec![Action::Output(Port::NORMAL)]);
        bridge.apply(vec![FlowMod::add(good.clone())]).await.unwrap();
        // A port to match without saying the protocol.
        let bad = Flow::new(0, 2, Match::new().field(Field::TcpDst, 80u8), vec![]);
        let other = Flow::new(1, 3, Match::new(), vec![]);
        let refused = bridge.apply(vec![FlowMod::clear(), FlowMod::add(other), FlowMod::add(bad)]).await;
        assert!(matches!(refused, Err(SwitchError::Refused(_))), "{refused:?}");
        // The conversation goes on.
        bridge.echo().await.unwrap();
        assert_eq!(flows(&mut bridge).await, [good]);
    });
}

/// More than one message can hold, in both directions.
#[test]
fn many_flows() {
    with_a_switch("many", |switch: Switch| async move {
        let mut bridge = bridge(&switch, "br-int", "OpenFlow13,OpenFlow14").await;
        let flow = |n: u32| {
            let matching = Match::new().ipv4().field(Field::Ipv4Src, n);
            Flow::new(82, 70, matching, vec![Action::Conjunction { id: 16, clause: 1, clauses: 2 }])
        };
        let desired: Flows = (1..=5000).map(flow).collect();
        bridge.apply(diff(&desired, &Flows::default(), |_| true)).await.unwrap();
        let installed = Flows::from_iter(flows(&mut bridge).await);
        assert_eq!(diff(&desired, &installed, |_| true).collect::<Vec<_>>(), []);
        assert_eq!(installed.len(), 5000);
    });
}

#[test]
fn a_switch_that_restarts_is_met_again() {
    with_a_switch("restart", |mut switch: Switch| async move {
        let mut bridge = bridge(&switch, "br-int", "OpenFlow13,OpenFlow14").await;
        switch.stop_vswitchd();
        let lost = bridge.flows(drop).await.unwrap_err();
        assert!(matches!(lost, SwitchError::Io { .. }), "{lost}");
        switch.start_vswitchd();
        let mut bridge = connect(&switch, "br-int").await;
        assert_eq!(flows(&mut bridge).await, []);
        // A packet sent by us goes through the tables.
        let flow = Flow::new(0, 1, Match::new().arp(), vec![]);
        bridge.apply(vec![FlowMod::add(flow)]).await.unwrap();
        let frame = [[0xff; 6].as_slice(), &[2, 0, 0, 0, 0, 1, 8, 6], &[0; 46]].concat();
        let out = PacketOut { in_port: Port::LOCAL, actions: vec![Action::Output(Port::TABLE)], frame };
        bridge.tell(&Request::PacketOut(out)).await.unwrap();
        assert!(switch.sh("ovs-ofctl -O OpenFlow14 dump-flows br-int").contains("n_packets=1"));
    });
}
