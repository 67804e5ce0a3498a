//! The database: changes made and seen, refusals, lost connections.

use std::time::Duration;

use ovs::Remote;
use ovs::ovsdb::replica::Watch;
use ovs::ovsdb::transaction::{Condition, Mutation, Test};
use ovs::ovsdb::value::{integer, text};
use ovs::ovsdb::{Client, ClientError, Settings, State, Transaction, Value, row};

use lab::switch::{PATIENCE, Switch, with_a_switch};

const WATCHES: &[Watch] = &[
    Watch { table: "Open_vSwitch", columns: &["bridges", "cur_cfg", "next_cfg", "external_ids"] },
    Watch { table: "Bridge", columns: &["name", "ports", "datapath_type", "fail_mode", "no_such_column"] },
    Watch { table: "Port", columns: &["name", "interfaces", "tag", "other_config"] },
    Watch { table: "Interface", columns: &["name", "type", "ofport", "options", "external_ids", "error"] },
];

fn settings(remote: Remote) -> Settings {
    Settings {
        remote,
        database: "Open_vSwitch".into(),
        watches: WATCHES.to_vec(),
        inactivity_probe: Duration::from_secs(5),
        backoff_max: Duration::from_millis(200),
    }
}

fn add_bridge(name: &str) -> Transaction {
    let mut change = Transaction::new();
    let local = change.insert("Interface", row([("name", name.into()), ("type", "internal".into())]));
    let port = change.insert("Port", row([("name", name.into()), ("interfaces", local.into())]));
    let bridge = row([
        ("name", name.into()),
        ("ports", port.into()),
        ("datapath_type", "netdev".into()),
        ("fail_mode", "secure".into()),
    ]);
    let bridge = change.insert("Bridge", bridge);
    let bridges = Mutation::Insert("bridges".into(), bridge.into());
    change.mutate("Open_vSwitch", &[], &[bridges, Mutation::Add("next_cfg".into(), 1)]);
    change.comment("a bridge");
    change
}

fn configured(state: &State) -> bool {
    let (_, row) = state.replica.rows("Open_vSwitch").next().unwrap();
    integer(row, "cur_cfg").unwrap_or_default() >= integer(row, "next_cfg").unwrap_or_default()
}

async fn connect(remote: Remote) -> Client {
    let client = Client::start(settings(remote));
    client.ready(PATIENCE).await.unwrap();
    client
}

#[test]
fn changes_are_made_and_seen() {
    with_a_switch("changes", |switch: Switch| async move {
        let tcp = connect("tcp:127.0.0.1:6640".parse().unwrap()).await;
        let client = connect(Remote::Unix(switch.database())).await;
        client.transact(&add_bridge("br-int")).await.unwrap();
        // The copy shows what was done when the answer is there.
        let state = client.state();
        let (_, bridge) = state.replica.named("Bridge", "br-int").unwrap();
        assert_eq!((text(bridge, "datapath_type"), text(bridge, "fail_mode")), ("netdev", "secure"));
        client.until("the bridge", PATIENCE, configured).await.unwrap();
        let state = client.state();
        let (_, local) = state.replica.named("Interface", "br-int").unwrap();
        assert_eq!(integer(local, "ofport"), Some(65534), "{local:?}");
        assert_eq!(switch.sh("ovs-vsctl list-br"), "br-int");
        // Others' changes are seen too, also on the other connection.
        switch.sh("ovs-vsctl add-port br-int p1 tag=3 -- set interface p1 type=internal external_ids:a=b external_ids:c=d");
        let seen = |state: &State| {
            let Some((_, port)) = state.replica.named("Port", "p1") else { return false };
            let Some((_, interface)) = state.replica.named("Interface", "p1") else { return false };
            let ids = interface.get("external_ids");
            integer(port, "tag") == Some(3)
                && integer(interface, "ofport") == Some(1)
                && ids == Some(&Value::map([("a", "b"), ("c", "d")]))
        };
        client.until("p1", PATIENCE, seen).await.unwrap();
        tcp.until("p1", PATIENCE, seen).await.unwrap();
        // Parts of maps and sets.
        switch.sh("ovs-vsctl remove interface p1 external_ids a -- set interface p1 external_ids:c=e -- clear port p1 tag");
        let changed = |state: &State| {
            let (_, port) = state.replica.named("Port", "p1").unwrap();
            let (_, interface) = state.replica.named("Interface", "p1").unwrap();
            integer(port, "tag").is_none() && interface["external_ids"] == Value::map([("c", "e")])
        };
        tcp.until("the changes of p1", PATIENCE, changed).await.unwrap();
        switch.sh("ovs-vsctl del-port p1");
        tcp.until("no p1", PATIENCE, |state| state.replica.named("Interface", "p1").is_none()).await.unwrap();
    });
}

#[test]
fn refusals_say_why() {
    with_a_switch("refusals", |switch: Switch| async move {
        let client = connect(Remote::Unix(switch.database())).await;
        client.transact(&add_bridge("br-int")).await.unwrap();
        let twice = client.transact(&add_bridge("br-int")).await.unwrap_err();
        assert!(twice.to_string().contains("constraint violation"), "{twice}");
        // A wait that does not hold stops everything.
        let mut guarded = Transaction::new();
        let here = [Condition::new("name", Test::Is, "br-int")];
        guarded.wait("Bridge", &here, &["fail_mode"], &[row([("fail_mode", "standalone".into())])]);
        guarded.update("Bridge", &here, row([("fail_mode", Value::empty())]));
        match client.transact(&guarded).await.unwrap_err() {
            ClientError::Refused(refused) => assert_eq!(refused.error, "timed out"),
            other => panic!("{other}"),
        }
        assert_eq!(switch.sh("ovs-vsctl get bridge br-int fail_mode"), "secure");
        let mut odd = Transaction::new();
        odd.delete("NoSuchTable", &[]);
        let odd = client.transact(&odd).await.unwrap_err().to_string();
        assert!(odd.contains("NoSuchTable"), "{odd}");
    });
}

#[test]
fn a_lost_connection_comes_back_with_all_that_changed() {
    with_a_switch("lost", |mut switch: Switch| async move {
        let client = connect(Remote::Unix(switch.database())).await;
        client.transact(&add_bridge("br-int")).await.unwrap();
        switch.stop_database();
        client.until("the loss", PATIENCE, |state| !state.connected).await.unwrap();
        let lost = client.transact(&add_bridge("br-tun")).await.unwrap_err();
        assert!(matches!(lost, ClientError::Disconnected { .. }), "{lost}");
        assert!(client.state().replica.named("Bridge", "br-int").is_some(), "the last copy is kept");
        switch.start_database();
        switch.sh("ovs-vsctl --no-wait add-br br-new -- set bridge br-new datapath_type=netdev");
        let back =
            |state: &State| state.connections == 2 && state.replica.named("Bridge", "br-new").is_some();
        client.until("the new connection", PATIENCE, back).await.unwrap();
        client.transact(&add_bridge("br-tun")).await.unwrap();
    });
}

/// A server that accepts and then says nothing is given up.
#[test]
fn silence_is_noticed() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let remote = format!("tcp:{}", listener.local_addr().unwrap()).parse().unwrap();
        let mut settings = settings(remote);
        settings.inactivity_probe = Duration::from_millis(50);
        let _client = Client::start(settings);
        let _first = listener.accept().await.unwrap();
        listener.accept().await.unwrap();
    });
}
