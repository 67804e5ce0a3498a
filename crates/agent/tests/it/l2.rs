//! The L2 agent on real bridges, with real packets.

use std::process::{Child, Command, Stdio};
use std::time::Instant;

use agent::l2::driver::Driver;
use agent::l2::extension::Extension;
use agent::l2::view::View;
use host::exec;
use host::iptables::Table;
use host::netlink::{Kind, NewLink};
use model::names;
use serde_json::{Value, json};

use crate::firewall::{comes_through, lies, truths};
use crate::l2lab::{Host, Instance, Lab, config, network_id, port, tunnels, underlay};

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_one_host_reach_each_other_by_their_group_only() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    let b = Instance::boot(&lab.server, &host, &port(1, 2));
    let mut outsider = port(1, 3);
    outsider["security_groups"] = json!(["other"]);
    lab.server.with(|cloud| {
        cloud.groups.insert("other".into(), vec![json!({"direction": "egress", "ethertype": "IPv4"})])
    });
    let c = Instance::boot(&lab.server, &host, &outsider);
    for instance in [&a, &b, &c] {
        lab.up(&instance.tap()).await;
    }
    assert_eq!(host.link("vxlan-101").unwrap().mtu, 1450);
    assert_eq!(host.link(&a.tap()).unwrap().mtu, 1450);
    lab.members_changed().await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    assert!(!c.reaches(&a.ip), "the default group lets only its members in");
    assert!(!a.reaches(&c.ip), "a group without ingress rules lets nobody in");
    let reports = lab.server.with(|cloud| cloud.reports.clone());
    let configurations = &reports[0]["configurations"];
    assert_eq!(configurations["tunneling_ip"], "172.31.0.11");
    assert_eq!(
        (&reports[0]["agent_type"], &reports[0]["start_flag"]),
        (&json!("Linux bridge agent"), &json!(true))
    );
    agent.kill().await;
}

/// Entries for a port on another host.
fn entries(network: u8, host_ip: &str, ports: &[&Instance]) -> Value {
    let mut list = vec![json!(["00:00:00:00:00:00", "0.0.0.0"])];
    list.extend(ports.iter().map(|p| json!([p.mac(), p.ip])));
    let entry =
        json!({"segment_id": 100 + u32::from(network), "network_type": "vxlan", "ports": {host_ip: list}});
    json!({"fdb_entries": {network_id(network): entry}})
}

#[tokio::test(flavor = "multi_thread")]
async fn instances_of_two_hosts_through_a_tunnel() {
    let (lab, h1, h2) = (Lab::new(), Host::new("h1"), Host::new("h2"));
    let _underlay = underlay(&[&h1, &h2]);
    let agents =
        [lab.start(&h1, &tunnels("172.31.0.11")).await, lab.start(&h2, &tunnels("172.31.0.12")).await];
    let a = Instance::boot(&lab.server, &h1, &port(1, 1));
    let b = Instance::boot(&lab.server, &h2, &port(1, 2));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    lab.members_changed().await;
    assert!(!a.reaches(&b.ip), "nobody said where b is");
    // Everybody hears everything, each agent passes over its own.
    lab.cast("l2population-update", "add_fdb_entries", entries(1, "172.31.0.11", &[&a])).await;
    lab.cast("l2population-update", "add_fdb_entries", entries(1, "172.31.0.12", &[&b])).await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    let vxlan = h1.link("vxlan-101").unwrap();
    let Kind::Vxlan(spec) = &vxlan.kind else { panic!("no tunnel") };
    assert!(spec.proxy && spec.link == Some(h1.link("eth0").unwrap().index));
    let fdb: Vec<_> =
        h1.nl.fdbs().unwrap().into_iter().filter(|f| f.index == vxlan.index && f.permanent).collect();
    assert_eq!(fdb.len(), 2, "{fdb:?}");
    let neighs = h1.nl.neighs().unwrap();
    assert!(neighs.iter().any(|n| n.index == vxlan.index && n.ip.to_string() == b.ip && n.permanent));

    let change = json!({"172.31.0.12": {"before": [[b.mac(), b.ip]], "after": [[b.mac(), "10.1.0.77"]]}});
    let change = json!({"fdb_entries": {"chg_ip": {network_id(1): change}}});
    lab.cast("l2population-update", "update_fdb_entries", change).await;
    lab.until("the neighbour has its new address", |_| {
        let neighs = h1.nl.neighs().unwrap();
        let on =
            |ip: &str| neighs.iter().any(|n| n.index == vxlan.index && n.permanent && n.ip.to_string() == ip);
        on("10.1.0.77") && !on(&b.ip)
    })
    .await;
    lab.cast("l2population-update", "remove_fdb_entries", entries(1, "172.31.0.12", &[&b])).await;
    lab.until("entries gone", |_| {
        !h1.nl.fdbs().unwrap().iter().any(|f| f.index == vxlan.index && f.permanent)
    })
    .await;
    for agent in agents {
        agent.kill().await;
    }
}

/// A ping every 5 ms; each lost packet shows in the end.
struct Flood(Child);

impl Flood {
    fn start(from: &Instance, to: &str) -> Flood {
        let child = from.ns.run(|| {
            Command::new("ping").args(["-i", "0.005", "-q", to]).stdout(Stdio::piped()).spawn().unwrap()
        });
        Flood(child.unwrap())
    }

    /// Ends it and returns (sent, received).
    fn stop(self) -> (u32, u32) {
        let pid = nix::unistd::Pid::from_raw(self.0.id().try_into().unwrap());
        nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGINT).unwrap();
        let text = String::from_utf8(self.0.wait_with_output().unwrap().stdout).unwrap();
        let line = text.lines().find(|line| line.contains("transmitted")).unwrap().to_owned();
        let numbers: Vec<u32> = line.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
        (numbers[0], numbers[1])
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_changes_nothing_and_loses_nothing() {
    let (lab, h1, h2) = (Lab::new(), Host::new("h1"), Host::new("h2"));
    let _underlay = underlay(&[&h1, &h2]);
    let mut agent = lab.start(&h1, &tunnels("172.31.0.11")).await;
    let other = lab.start(&h2, &tunnels("172.31.0.12")).await;
    let a = Instance::boot(&lab.server, &h1, &port(1, 1));
    let c = Instance::boot(&lab.server, &h1, &port(1, 3));
    let b = Instance::boot(&lab.server, &h2, &port(1, 2));
    for instance in [&a, &b, &c] {
        lab.up(&instance.tap()).await;
    }
    lab.members_changed().await;
    lab.cast("l2population-update", "add_fdb_entries", entries(1, "172.31.0.11", &[&a, &c])).await;
    lab.cast("l2population-update", "add_fdb_entries", entries(1, "172.31.0.12", &[&b])).await;
    lab.until("a reaches b and c", |_| a.reaches(&b.ip) && a.reaches(&c.ip)).await;
    let snapshot = || {
        let text = |program: &str| {
            let all = h1.run(program, &[]);
            all.lines().filter(|l| !l.starts_with('#') && !l.starts_with(':')).collect::<Vec<_>>().join("\n")
        };
        let links: Vec<_> = h1.nl.links().unwrap();
        let fdbs: Vec<_> = h1.nl.fdbs().unwrap().into_iter().filter(|f| f.permanent).collect();
        (text("iptables-save"), text("ip6tables-save"), text("ebtables-save"), links, fdbs)
    };
    let before = snapshot();
    let flood = [Flood::start(&a, &b.ip), Flood::start(&a, &c.ip)];
    for broken in [false, true, false] {
        agent.kill().await;
        lab.server.with(|cloud| {
            cloud.up.clear();
            cloud.broken = broken;
        });
        agent = if broken {
            lab.start_without_waiting(&h1, &tunnels("172.31.0.11"))
        } else {
            lab.start(&h1, &tunnels("172.31.0.11")).await
        };
        if broken {
            tokio::time::sleep(std::time::Duration::from_millis(1500)).await;
            assert_eq!(snapshot(), before, "without a server all stays as it is");
            lab.server.with(|cloud| cloud.broken = false);
        }
        lab.up(&a.tap()).await;
        lab.up(&c.tap()).await;
    }
    for (sent, received) in flood.map(Flood::stop) {
        assert!(sent > 200 && sent - received <= 1, "{received} of {sent}: the last may still be on its way");
    }
    assert_eq!(snapshot(), before);
    agent.kill().await;
    other.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_removed_by_hand_is_put_back() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    let b = Instance::boot(&lab.server, &host, &port(1, 2));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    lab.members_changed().await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    let bridge = names::bridge(&network_id(1));
    host.nl.delete_link(host.link(&bridge).unwrap().index).unwrap();
    lab.until("the bridge is back", |_| a.reaches(&b.ip)).await;
    host.nl.delete_link(host.link("vxlan-101").unwrap().index).unwrap();
    let in_bridge = |_: &Lab| {
        host.link("vxlan-101").is_some_and(|l| l.up && l.master == host.link(&bridge).map(|b| b.index))
    };
    lab.until("the tunnel is back", in_bridge).await;
    let rules = host.run("iptables-save", &["-t", "filter"]);
    host.run("iptables", &["-F", "neutron-linuxbri-sg-chain"]);
    host.run("iptables", &["-D", "FORWARD", "-j", "neutron-linuxbri-FORWARD"]);
    host.run("ebtables", &["-t", "nat", "-F", &format!("neutronARP-{}", a.tap())]);
    let bare = |text: String| text.lines().filter(|l| l.starts_with("-A")).collect::<Vec<_>>().join("\n");
    let expected = bare(rules);
    lab.until("the rules are back", |_| bare(host.run("iptables-save", &["-t", "filter"])) == expected).await;
    lab.until("a reaches b again", |_| a.reaches(&b.ip)).await;
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_open_and_close_and_cut_what_they_allowed() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    lab.server.with(|cloud| cloud.groups.get_mut("default").unwrap().truncate(2));
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    let b = Instance::boot(&lab.server, &host, &port(1, 2));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    assert!(!a.reaches(&b.ip), "nothing is allowed in");
    let rule = json!({"direction": "ingress", "ethertype": "IPv4", "protocol": "icmp"});
    lab.server.with(|cloud| cloud.groups.get_mut("default").unwrap().push(rule));
    lab.rules_changed().await;
    lab.until("icmp is allowed in", |_| a.reaches(&b.ip)).await;
    // One connection, of which packets keep coming.
    let flood = Flood::start(&a, &b.ip);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    lab.server.with(|cloud| _ = cloud.groups.get_mut("default").unwrap().pop());
    lab.rules_changed().await;
    lab.until("icmp is refused", |_| !a.reaches(&b.ip)).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let (sent, received) = flood.stop();
    assert!(received > 0 && sent - received > 20, "the established one is cut: {received} of {sent}");
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn spoofing_gets_nowhere() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    let b = Instance::boot(&lab.server, &host, &port(1, 2));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    lab.server.with(|cloud| {
        cloud.groups.get_mut("default").unwrap().push(json!({"direction": "ingress", "ethertype": "IPv4"}))
    });
    lab.rules_changed().await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    let eth0 = a.nl.index_of("eth0").unwrap().unwrap();
    a.nl.add_addr(eth0, "10.1.0.66/24".parse().unwrap(), true).unwrap();
    let from = |source: &str| {
        let args = ["-c", "2", "-i", "0.2", "-W", "1", "-I", source, &b.ip];
        exec::run_any(&a.ns, "ping", &args, "").unwrap().0.success()
    };
    assert!(from("10.1.0.1") && !from("10.1.0.66"), "another address");
    // The pair arrives with the next look at the port.
    let pair = json!([{"mac_address": "fa:16:3e:00:01:01", "ip_address": "10.1.0.66"}]);
    lab.change(&a.port, "allowed_address_pairs", pair).await;
    lab.until("the pair is allowed", |_| from("10.1.0.66")).await;
    let own: model::Mac = a.mac().parse().unwrap();
    a.nl.set_mac(eth0, "fa:16:3e:00:09:09".parse().unwrap()).unwrap();
    assert!(!from("10.1.0.1"), "another hardware address");
    a.nl.set_mac(eth0, own).unwrap();
    lab.until("its own again", |_| from("10.1.0.1")).await;
    // Without port security anything goes.
    a.nl.set_mac(eth0, "fa:16:3e:00:09:09".parse().unwrap()).unwrap();
    lab.change(&a.port, "port_security_enabled", json!(false)).await;
    lab.until("no port security, no check", |_| from("10.1.0.1")).await;
    lab.change(&a.port, "port_security_enabled", json!(true)).await;
    lab.until("checked again", |_| !from("10.1.0.1")).await;
    agent.kill().await;
}

/// Every kind of lie as a frame made by hand; the one who would hear it lets everything in.
#[tokio::test(flavor = "multi_thread")]
async fn no_lie_leaves_a_port() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let port = |n: u8, secured: bool| {
        let mut port = port(1, n);
        let fixed_ips = [format!("10.1.0.{n}"), format!("fd00::{n}")];
        port["fixed_ips"] = json!(fixed_ips.map(|ip| json!({"subnet_id": "s", "ip_address": ip})));
        port["mac_address"] = json!(crate::ovs::mac(n));
        port["port_security_enabled"] = json!(secured);
        port
    };
    let a = Instance::boot(&lab.server, &host, &port(1, true));
    let b = Instance::boot(&lab.server, &host, &port(2, false));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    let file = |instance: &Instance| {
        let file = instance.ns.file().unwrap();
        format!("/proc/{}/fd/{}", std::process::id(), std::os::fd::AsRawFd::as_raw_fd(file))
    };
    let (from, to) = (file(&a), file(&b));
    let last = format!("arp('{}', '10.1.0.1', '10.1.0.254')", a.mac());
    let rules =
        || ["iptables-save", "ip6tables-save", "ebtables-save"].map(|tool| host.run(tool, &[])).concat();
    for (kind, lie) in lies() {
        assert!(!comes_through(&from, &to, &lie, &last).unwrap(), "{kind:?} {lie}\n{}", rules());
    }
    for truth in truths() {
        assert!(comes_through(&from, &to, &truth, &last).unwrap(), "{truth}\n{}", rules());
    }
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flat_network_takes_over_the_interface_and_gives_it_back() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let underlay = underlay(&[&host]);
    let outside = host::netlink::Netlink::open(&underlay).unwrap();
    let br0 = outside.index_of("br0").unwrap().unwrap();
    outside.add_addr(br0, "172.31.0.1/24".parse().unwrap(), true).unwrap();
    host.run("ip", &["route", "add", "default", "via", "172.31.0.1"]);
    let more =
        format!("{}[linux_bridge]\nphysical_interface_mappings = physnet1:eth0\n", tunnels("172.31.0.11"));
    let agent = lab.start(&host, &more).await;
    let mut flat = port(2, 9);
    flat["network_type"] = json!("flat");
    flat["physical_network"] = json!("physnet1");
    flat["segmentation_id"] = json!(null);
    flat["mtu"] = json!(1500);
    flat["fixed_ips"] = json!([{"subnet_id": "s", "ip_address": "172.31.0.100"}]);
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    lab.up(&a.tap()).await;
    let b = Instance::boot(&lab.server, &host, &flat);
    lab.up(&b.tap()).await;
    let bridge = names::bridge(&network_id(2));
    let owner = |ip: &str| {
        let addr = host.nl.addrs().unwrap().into_iter().find(|a| a.net.addr().to_string() == ip)?;
        host.nl.links().unwrap().into_iter().find(|l| l.index == addr.index).map(|l| l.name)
    };
    assert_eq!(owner("172.31.0.11"), Some(bridge.clone()));
    assert!(host.run("ip", &["route", "show", "default"]).contains(&format!("via 172.31.0.1 dev {bridge}")));
    assert!(b.reaches("172.31.0.1"), "the instance reaches the outside");
    host.run("ping", &["-c1", "-W2", "172.31.0.1"]);
    lab.until("tunnels follow the address", |_| {
        let index = host.link(&bridge).map(|l| l.index);
        matches!(host.link("vxlan-101").map(|l| l.kind), Some(Kind::Vxlan(spec)) if spec.link == index)
    })
    .await;
    // The port goes, then the network.
    lab.server.with(|cloud| cloud.ports.remove(&b.port));
    host.nl.delete_link(host.link(&b.tap()).unwrap().index).unwrap();
    lab.cast("network-delete", "network_delete", json!({"network_id": network_id(2)})).await;
    lab.until("the bridge is gone", |_| host.link(&bridge).is_none()).await;
    assert_eq!(owner("172.31.0.11").as_deref(), Some("eth0"));
    assert!(host.run("ip", &["route", "show", "default"]).contains("via 172.31.0.1 dev eth0"));
    host.run("ping", &["-c1", "-W2", "172.31.0.1"]);
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_wired_is_reported_down_and_harms_nobody() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let mut odd = port(3, 7);
    odd["network_type"] = json!("flat");
    odd["physical_network"] = json!("nowhere");
    let odd = Instance::boot(&lab.server, &host, &odd);
    let good = Instance::boot(&lab.server, &host, &port(1, 1));
    lab.up(&good.tap()).await;
    let down = |device: &str| lab.server.with(|cloud| cloud.down.contains(device));
    lab.until("reported down", |_| down(&odd.tap())).await;
    host.nl.delete_link(host.link(&good.tap()).unwrap().index).unwrap();
    lab.until("a device that is gone is down", |_| down(&good.tap())).await;
    let rules = host.run("iptables-save", &[]);
    assert!(!rules.contains(&good.tap()), "its rules are gone: {rules}");
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operators_bridge_is_used_as_it_is() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    host.nl.add_link("br-ext", &NewLink::Bridge).unwrap();
    let agent = lab
        .start(&host, "[vxlan]\nenable_vxlan = false\n[linux_bridge]\nbridge_mappings = ext:br-ext\n")
        .await;
    let mut flat = port(2, 9);
    flat["network_type"] = json!("flat");
    flat["physical_network"] = json!("ext");
    flat["device_owner"] = json!("network:dhcp");
    let id = flat["port_id"].as_str().unwrap().to_owned();
    lab.server.with(|cloud| cloud.ports.insert(id.clone(), flat));
    // As the DHCP agent plugs: a pair, no bridge.
    host.nl.add_link(&names::tap(&id), &NewLink::Veth { peer: "ns-x", peer_ns: None }).unwrap();
    lab.up(&names::tap(&id)).await;
    let (bridge, tap) = (host.link("br-ext").unwrap(), host.link(&names::tap(&id)).unwrap());
    assert_eq!((tap.master, tap.up, bridge.up), (Some(bridge.index), true, true));
    lab.cast("network-delete", "network_delete", json!({"network_id": network_id(2)})).await;
    lab.cast("port-update", "port_update", json!({"port": {"id": id}})).await;
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(host.link("br-ext").is_some());
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_ports_at_once() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let instances: Vec<Instance> =
        (1..=100).map(|n| Instance::boot(&lab.server, &host, &port(n % 10, n))).collect();
    let start = Instant::now();
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    for instance in &instances {
        lab.up(&instance.tap()).await;
    }
    println!("100 ports from cold: {:?}", start.elapsed());
    let start = Instant::now();
    let one = Instance::boot(&lab.server, &host, &port(1, 201));
    let plugged = start.elapsed();
    lab.up(&one.tap()).await;
    println!("one more: {:?} to plug, {:?} to up", plugged, start.elapsed() - plugged);
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_passes_a_port_nobody_knows() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    lab.server.with(|cloud| {
        cloud.groups.get_mut("default").unwrap().push(json!({"direction": "ingress", "ethertype": "IPv4"}))
    });
    let a = Instance::boot(&lab.server, &host, &port(1, 1));
    lab.up(&a.tap()).await;
    let stray = Instance::plug(&host, &port(1, 2));
    assert!(!stray.reaches(&a.ip) && !a.reaches(&stray.ip));
    lab.server.with(|cloud| cloud.ports.insert(stray.port.clone(), port(1, 2)));
    lab.cast("port-update", "port_update", json!({"port": {"id": stray.port}})).await;
    lab.up(&stray.tap()).await;
    lab.until("now known", |_| stray.reaches(&a.ip) && a.reaches(&stray.ip)).await;
    agent.kill().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ipv6_is_filtered_alike() {
    let (lab, host) = (Lab::new(), Host::new("h1"));
    let _underlay = underlay(&[&host]);
    let agent = lab.start(&host, &tunnels("172.31.0.11")).await;
    let v6 = |n: u8| {
        let mut port = port(1, n);
        port["fixed_ips"] = json!([{"subnet_id": "s", "ip_address": format!("fd00::{n}")}]);
        port
    };
    let (a, b) = (Instance::boot(&lab.server, &host, &v6(1)), Instance::boot(&lab.server, &host, &v6(2)));
    lab.up(&a.tap()).await;
    lab.up(&b.tap()).await;
    lab.members_changed().await;
    lab.until("a reaches b", |_| a.reaches(&b.ip)).await;
    let eth0 = a.nl.index_of("eth0").unwrap().unwrap();
    a.nl.add_addr(eth0, "fd00::66/64".parse().unwrap(), true).unwrap();
    let args = ["-c", "2", "-i", "0.2", "-W", "1", "-I", "fd00::66", &b.ip];
    assert!(!exec::run_any(&a.ns, "ping", &args, "").unwrap().0.success(), "another address");
    let rules = host.run("ip6tables-save", &["-t", "filter"]);
    let router = format!("-A neutron-linuxbri-o{} -p ipv6-icmp -m icmp6 --icmpv6-type 134", &a.tap()[3..13]);
    assert!(rules.contains(&router), "no router advertisements from instances: {rules}");
    agent.kill().await;
}

/// A throw-away QoS rule: outgoing packets of a port that has a policy get a DSCP mark.
const QOS: Extension = Extension {
    name: "qos",
    chain: "qos-dscp",
    table: Table::Mangle,
    hook: "POSTROUTING",
    rules: |device, port| {
        let marked = format!("-m physdev --physdev-in {device} --physdev-is-bridged -j DSCP --set-dscp 0x1a");
        port.qos_policy_id.iter().map(|_| marked.clone()).collect()
    },
};

#[test]
fn extensions_contribute_to_what_is_wanted() {
    let host = Host::new("h1");
    let mangle = || host.run("iptables-save", &["-t", "mangle"]);
    let apply = |extensions: Vec<Extension>, ports: &[Value]| {
        let config = config("h1", "[vxlan]\nenable_vxlan = false\n");
        let mut driver = Driver::linux_bridge(config, extensions, &host.ns).unwrap();
        let mut view = View::default();
        for port in ports {
            let mut port = port.clone();
            port["network_type"] = json!("local");
            port["device"] = json!(names::tap(port["port_id"].as_str().unwrap()));
            view.ports.insert(port["device"].as_str().unwrap().into(), serde_json::from_value(port).unwrap());
        }
        assert_eq!(driver.apply(&mut view, &[]).unwrap().failed.len(), 0);
    };
    let (mut marked, plain) = (port(1, 1), port(1, 2));
    marked["qos_policy_id"] = json!("policy");
    apply(vec![QOS], &[marked, plain]);
    let rule =
        "-A neutron-linuxbri-qos-dscp -m physdev --physdev-in tap00000001-00 --physdev-is-bridged -j DSCP";
    let text = mangle();
    assert!(text.contains(rule) && text.contains("-A POSTROUTING -j neutron-linuxbri-qos-dscp"), "{text}");
    assert_eq!(text.matches("DSCP").count(), 1, "{text}");
    apply(vec![QOS], &[port(1, 1)]);
    assert!(mangle().contains("neutron-linuxbri-qos-dscp") && !mangle().contains("DSCP"));
    apply(vec![], &[port(1, 1)]);
    assert!(!mangle().contains("neutron-linuxbri-qos"), "{}", mangle());
}
