//! The L3 agent with real namespaces and real packets: an instance on each of two networks, and an outside host.

use std::sync::Arc;
use std::time::Duration;

use agent::l3::options::Options;
use rpc::{Target, Transport};
use serde_json::{Value, json};

use crate::machine::{Agent, Machine, on_a_machine, sh, try_sh, until, until_sh};
use crate::server::Server;

pub const ROUTER: &str = "72c207b4-44a8-40a8-a131-99923d1c61d1";
pub const NAMESPACE: &str = "qrouter-72c207b4-44a8-40a8-a131-99923d1c61d1";
const FIP: &str = "203.0.113.171";

pub fn interface(id: &str, mac: &str, cidr4: &str, ip4: &str, cidr6: Option<(&str, &str)>) -> Value {
    let subnet = |cidr: &str, ip: &str, mode: Value| json!({"id": cidr, "cidr": cidr, "gateway_ip": ip, "dns_nameservers": [], "ipv6_ra_mode": mode, "subnetpool_id": null});
    let mut subnets = vec![subnet(cidr4, ip4, Value::Null)];
    let mut fixed_ips = vec![json!({"subnet_id": cidr4, "ip_address": ip4, "prefixlen": 24})];
    if let Some((cidr6, ip6)) = cidr6 {
        subnets.push(subnet(cidr6, ip6, json!("slaac")));
        fixed_ips.push(json!({"subnet_id": cidr6, "ip_address": ip6, "prefixlen": 64}));
    }
    json!({"id": format!("{id}-6cc7-4b80-9575-f2710ba05cfd"), "network_id": id, "mac_address": mac,
        "admin_state_up": true, "fixed_ips": fixed_ips, "subnets": subnets, "extra_subnets": [],
        "address_scopes": {"4": null, "6": null}, "mtu": 1450})
}

fn floatingip(fixed: &str) -> Value {
    json!({"id": "fip", "floating_ip_address": FIP, "fixed_ip_address": fixed, "status": "DOWN", "fixed_ip_address_scope": null})
}

fn router(floatingips: &[Value]) -> Value {
    json!({"id": ROUTER, "admin_state_up": true, "enable_snat": true,
        "routes": [
            {"destination": "10.50.0.0/16", "nexthop": "192.168.1.181"}, {"destination": "10.50.0.0/16", "nexthop": "192.168.1.182"},
            {"destination": "10.60.0.0/16", "nexthop": "192.168.2.182"}, {"destination": "10.70.0.0/16", "nexthop": "10.99.99.99"}],
        "distributed": false, "ha": false,
        "gw_port": interface("eeeeeeee", "fa:16:3e:00:00:e0", "203.0.113.0/24", "203.0.113.250", None).as_object().map(|port| {
            let mut port = port.clone();
            port["subnets"][0]["gateway_ip"] = json!("203.0.113.1");
            port
        }),
        "_floatingips": floatingips,
        "_interfaces": [
            interface("11111111", "fa:16:3e:00:00:a1", "192.168.1.0/24", "192.168.1.1", Some(("2001:db8:1::/64", "2001:db8:1::1"))),
            interface("22222222", "fa:16:3e:00:00:a2", "192.168.2.0/24", "192.168.2.1", None)]})
}

struct Cloud {
    machine: Machine,
    transport: Transport,
    server: Arc<Server>,
    _listeners: Vec<rpc::Listener>,
}

impl Cloud {
    /// Bridges for two networks and the outside, an instance or a host on each.
    fn new(machine: Machine) -> Cloud {
        let transport = Transport::memory();
        let (server, listeners) = Server::start(&transport);
        for (name, address, gateway) in [
            ("vm1", "192.168.1.181/24", Some("192.168.1.1")),
            ("vm2", "192.168.2.182/24", Some("192.168.2.1")),
            ("out", "203.0.113.1/24", None),
        ] {
            sh(&format!(
                "ip link add br-{name} type bridge && ip link set br-{name} up && ip netns add {name} && \
                 ip link add p-{name} type veth peer name eth0 netns {name} && ip link set p-{name} master br-{name} up && \
                 ip -n {name} addr add {address} dev eth0 && ip -n {name} link set lo up && ip -n {name} link set eth0 up"
            ));
            if let Some(gateway) = gateway {
                sh(&format!("ip -n {name} route add default via {gateway}"));
            }
        }
        Cloud { machine, transport, server, _listeners: listeners }
    }

    fn start_agent(&self) -> Agent {
        let mut options = Options::new("net1", &self.machine.state_path);
        options.resync_interval = Duration::from_millis(200);
        options.min_rtr_adv_interval = 3;
        options.max_rtr_adv_interval = 4;
        let transport = self.transport.clone();
        Agent::start(async move { agent::l3::run(options, &transport).await.unwrap() })
    }

    /// What the L2 agent does.
    async fn plug(&self) {
        for (id, bridge) in [("11111111-6c", "vm1"), ("22222222-6c", "vm2"), ("eeeeeeee-6c", "out")] {
            until_sh(&format!("ip link set tap{id} master br-{bridge}")).await;
        }
    }

    async fn update(&self, router: Value) {
        self.server.put_router(router);
        self.tell("routers_updated", json!({"routers": [ROUTER]})).await;
    }

    async fn tell(&self, method: &str, args: Value) {
        let client = self.transport.client();
        client.cast(&json!({}), &Target::server("l3_agent", "net1"), method, "1.1", args).await.unwrap();
    }

    /// The last status told of the floating IP.
    fn status(&self) -> Option<String> {
        let told = self.server.heard("update_floatingip_statuses");
        told.iter().rev().find_map(|args| args["fip_statuses"]["fip"].as_str().map(str::to_owned))
    }
}

async fn until_ping(from: &str, to: &str) {
    until_sh(&format!("ip netns exec {from} ping -c1 -W1 {to}")).await;
}

/// The namespace in words; counters and the kernel's own changes left out.
fn namespace() -> String {
    sh(&format!(
        "ip -n {NAMESPACE} -o addr | sed 's/tentative *//; s/valid_lft.*//' | sort; ip -n {NAMESPACE} route | sort; ip -n {NAMESPACE} -o link; \
         ip netns exec {NAMESPACE} iptables-save | grep -v '^[#:]'; ip netns exec {NAMESPACE} ip6tables-save | grep -v '^[#:]'"
    ))
}

#[test]
fn packets_are_routed_translated_and_reach_floating_ips() {
    on_a_machine("router", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_router(router(&[]));
        let agent = cloud.start_agent();
        cloud.plug().await;
        until_ping("vm1", "192.168.1.1").await;
        until_ping("vm1", "192.168.2.182").await;
        let routes = sh(&format!("ip -n {NAMESPACE} route"));
        assert!(routes.contains("10.50.0.0/16") && routes.contains("nexthop via 192.168.1.182"), "{routes}");
        assert!(routes.contains("10.60.0.0/16 via 192.168.2.182") && !routes.contains("10.70"), "{routes}");
        // The outside knows no way back to private addresses: only a translated source gets an answer.
        until_ping("vm1", "203.0.113.1").await;
        assert!(!try_sh(&format!("ip netns exec out ping -c1 -W1 {FIP}")).status.success());

        cloud.update(router(&[floatingip("192.168.1.181")])).await;
        until_ping("out", FIP).await;
        until_ping("vm2", FIP).await;
        until("ACTIVE", || cloud.status().filter(|status| status == "ACTIVE")).await;
        until("announced", || {
            let mac = sh("ip -n out neigh show 203.0.113.171");
            mac.contains("fa:16:3e:00:00:e0").then_some(())
        })
        .await;

        // It moves to the other instance; connections do not linger on the old one.
        cloud.update(router(&[floatingip("192.168.2.182")])).await;
        until_sh(&format!(
            "ip netns exec {NAMESPACE} iptables-save -t nat | grep -q -- '--to-destination 192.168.2.182'"
        ))
        .await;
        sh("ip -n vm1 link set eth0 down");
        until_ping("out", FIP).await;

        cloud.update(router(&[])).await;
        until("DOWN", || cloud.status().filter(|status| status == "DOWN")).await;
        until("no longer there", || {
            (!try_sh(&format!("ip netns exec out ping -c1 -W1 {FIP}")).status.success()).then_some(())
        })
        .await;
        agent.end().await;
    });
}

#[test]
fn instances_make_addresses_of_the_routers_advertisements() {
    on_a_machine("slaac", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_router(router(&[]));
        let agent = cloud.start_agent();
        cloud.plug().await;
        until_sh("ip -n vm1 -6 -o addr show dev eth0 scope global | grep -q 2001:db8:1:").await;
        until_sh("ip -n vm1 -6 route show default | grep -q 'via fe80'").await;
        until_ping("vm1", "2001:db8:1::1").await;
        agent.end().await;
    });
}

#[test]
fn a_restart_drops_no_packet_and_damage_is_repaired() {
    on_a_machine("restart", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_router(router(&[floatingip("192.168.1.181")]));
        let agent = cloud.start_agent();
        cloud.plug().await;
        until_ping("out", FIP).await;
        until("told", || cloud.status()).await;
        let before = namespace();
        let pings =
            tokio::task::spawn_blocking(|| sh("ip netns exec vm1 ping -q -i 0.01 -c 150 -W 1 203.0.113.1"));
        agent.end().await;
        let synced = cloud.server.heard("sync_routers").len();
        let agent = cloud.start_agent();
        until("read again", || (cloud.server.heard("sync_routers").len() > synced).then_some(())).await;
        assert!(pings.await.unwrap().contains(" 0% packet loss"));
        assert_eq!(namespace(), before);
        // Nor was a rule written anew when all were read: its counter would be back at nothing.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let counted = sh(&format!(
            "ip netns exec {NAMESPACE} iptables-save -c -t nat | grep -e '-d {FIP}/32 -j DNAT' | grep PREROUTING"
        ));
        assert!(!counted.starts_with("[0:"), "{counted}");

        for damage in [
            "iptables -t nat -F neutron-l3-agent-snat",
            "iptables -t nat -D POSTROUTING -j neutron-l3-agent-POSTROUTING",
            "ip addr del 203.0.113.171/32 dev qg-eeeeeeee-6c",
            "ip route del default",
            "ip link set qr-11111111-6c down",
            "sysctl -w net.ipv4.ip_forward=0",
        ] {
            sh(&format!("ip netns exec {NAMESPACE} {damage}"));
            until(damage, || (namespace() == before).then_some(())).await;
        }
        until_ping("out", FIP).await;
        sh("ip link del tap11111111-6c");
        cloud.plug().await;
        until_ping("vm1", "203.0.113.1").await;
        sh(&format!("ip netns delete {NAMESPACE}"));
        cloud.plug().await;
        until_ping("out", FIP).await;

        cloud.server.routers.lock().unwrap().clear();
        cloud.tell("router_deleted", json!({"router_id": ROUTER})).await;
        until("nothing is left", || (!sh("ip netns list; ip -o link").contains("tap")).then_some(())).await;
        assert!(!sh("ip netns list").contains("qrouter"));
        agent.end().await;
    });
}

#[test]
fn routers_of_an_earlier_life_are_cleared_away() {
    on_a_machine("stale", |machine| async move {
        let cloud = Cloud::new(machine);
        sh(
            "ip netns add qrouter-11111111-2222-4333-8444-555555555555 && ip link add tapxyz type veth peer name qr-xyz netns qrouter-11111111-2222-4333-8444-555555555555",
        );
        let agent = cloud.start_agent();
        until("cleared away", || (!sh("ip netns list; ip -o link").contains("xyz")).then_some(())).await;
        until("no namespace", || (!sh("ip netns list").contains("qrouter")).then_some(())).await;
        agent.end().await;
    });
}

#[test]
fn a_host_without_ipv6_routes_ipv4() {
    on_a_machine("ipv4-only", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_router(router(&[]));
        sh(&format!(
            "ip netns add {NAMESPACE} && ip netns exec {NAMESPACE} sysctl -qw net.ipv6.conf.all.disable_ipv6=1 net.ipv6.conf.default.disable_ipv6=1"
        ));
        let agent = cloud.start_agent();
        cloud.plug().await;
        until_ping("vm1", "203.0.113.1").await;
        until_ping("vm1", "192.168.2.182").await;
        agent.end().await;
    });
}
