//! The DHCP agent with real namespaces, a real dnsmasq and a real client.

use std::sync::Arc;
use std::time::Duration;

use agent::dhcp::options::Options;
use rpc::{Target, Transport};
use serde_json::{Value, json};

use crate::machine::{Agent, Machine, on_a_machine, sh, try_sh, until, until_sh};
use crate::server::Server;

const NETWORK: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const NAMESPACE: &str = "qdhcp-aaaaaaaa-0000-4000-8000-000000000001";
/// The DHCP port that the server under test makes on that network.
const TAP: &str = "tapdddddddd-00";
const INSIDE: &str = "ns-dddddddd-00";

fn port(number: u8, extra: Value) -> Value {
    json!({"id": format!("bbbbbbbb-0000-4000-8000-0000000000{number:02}"), "network_id": NETWORK,
        "mac_address": format!("fa:16:3e:00:00:{number:02x}"), "device_id": format!("vm-{number}"),
        "device_owner": "compute:nova", "extra_dhcp_opts": extra, "project_id": "project",
        "fixed_ips": [{"subnet_id": "subnet", "ip_address": format!("10.1.0.{number}")}]})
}

fn network(ports: &[Value]) -> Value {
    json!({"id": NETWORK, "project_id": "p", "admin_state_up": true, "mtu": 1400, "ports": ports,
        "subnets": [{"id": "subnet", "ip_version": 4, "cidr": "10.1.0.0/24", "enable_dhcp": true,
            "gateway_ip": "10.1.0.1", "dns_nameservers": ["8.8.8.8"], "host_routes": []}]})
}

fn options(machine: &Machine) -> Options {
    let mut options = Options::new("net1", &machine.state_path);
    options.resync_interval = Duration::from_millis(200);
    options
}

/// What the L2 agent and Nova would do: a bridge with the DHCP port and an instance on it.
struct Cloud {
    machine: Machine,
    transport: Transport,
    server: Arc<Server>,
    _listeners: Vec<rpc::Listener>,
}

impl Cloud {
    fn new(machine: Machine) -> Cloud {
        let transport = Transport::memory();
        let (server, listeners) = Server::start(&transport);
        sh("ip link add br0 type bridge && ip link set br0 up");
        std::fs::write(
            machine.state_path.join("lease.sh"),
            "#!/bin/sh\n[ \"$reason\" = BOUND ] && echo \"$new_ip_address $new_interface_mtu $new_routers\" > \"$(dirname $0)/bound\"\nexit 0\n",
        )
        .unwrap();
        sh(&format!("chmod +x {}/lease.sh", machine.state_path.display()));
        Cloud { machine, transport, server, _listeners: listeners }
    }

    fn start_agent(&self) -> Agent {
        let (options, transport) = (options(&self.machine), self.transport.clone());
        Agent::start(async move { agent::dhcp::run(options, &transport).await.unwrap() })
    }

    async fn plug_dhcp_port(&self) {
        until_sh(&format!("ip link set {TAP} master br0")).await;
    }

    fn boot(&self, number: u8) {
        sh(&format!(
            "ip netns add vm{number} && ip link add tapvm{number} type veth peer name eth0 netns vm{number} && \
             ip -n vm{number} link set eth0 address fa:16:3e:00:00:{number:02x} up && \
             ip link set tapvm{number} master br0 up"
        ));
    }

    /// Address, MTU and router that a client gets.
    async fn lease(&self, number: u8) -> String {
        let directory = self.machine.state_path.display();
        std::fs::remove_file(self.machine.state_path.join("bound")).ok();
        let client = format!(
            "timeout 15 ip netns exec vm{number} dhclient -1 -d -sf {directory}/lease.sh -lf {directory}/client.leases \
             -pf {directory}/client.pid eth0"
        );
        let mut client = tokio::process::Command::new("sh")
            .arg("-c")
            .arg(client)
            .kill_on_drop(true)
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let bound = self.machine.state_path.join("bound");
        let lease =
            until("a lease", || std::fs::read_to_string(&bound).ok().filter(|text| text.ends_with('\n')))
                .await;
        until_sh(&format!("kill $(cat {directory}/client.pid)")).await;
        client.wait().await.unwrap();
        std::fs::remove_file(self.machine.state_path.join("client.leases")).ok();
        lease.trim().to_owned()
    }

    fn dnsmasq_pid(&self) -> Option<String> {
        let pid = std::fs::read_to_string(self.file("pid")).ok()?;
        try_sh(&format!("kill -0 {}", pid.trim())).status.success().then(|| pid.trim().to_owned())
    }

    fn file(&self, name: &str) -> std::path::PathBuf {
        self.machine.state_path.join("dhcp").join(NETWORK).join(name)
    }

    async fn tell(&self, method: &str, payload: Value) {
        let client = self.transport.client();
        let args = json!({"payload": payload});
        client.cast(&json!({}), &Target::server("dhcp_agent", "net1"), method, "1.0", args).await.unwrap();
    }
}

#[test]
fn instances_get_leases_and_new_ports_are_served_at_once() {
    on_a_machine("leases", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_network(network(&[port(11, json!([]))]));
        let agent = cloud.start_agent();
        cloud.plug_dhcp_port().await;
        cloud.boot(11);
        assert_eq!(cloud.lease(11).await, "10.1.0.11 1400 10.1.0.1");
        until("the port is told ready", || {
            cloud
                .server
                .heard("dhcp_ready_on_ports")
                .iter()
                .flat_map(|args| args["port_ids"].as_array().unwrap().clone())
                .any(|id| id == port(11, json!([]))["id"])
                .then_some(())
        })
        .await;

        // A port with options of its own; dnsmasq of Debian 12 dies of a mere signal here.
        let new = port(12, json!([{"opt_name": "mtu", "opt_value": "1300", "ip_version": 4}]));
        cloud.server.networks.lock().unwrap().get_mut(NETWORK).unwrap()["ports"]
            .as_array_mut()
            .unwrap()
            .push(new.clone());
        cloud.tell("port_create_end", json!({"port": new})).await;
        until("the new port's line", || {
            std::fs::read_to_string(cloud.file("host")).ok().filter(|text| text.contains("10.1.0.12"))
        })
        .await;
        cloud.boot(12);
        assert!(cloud.lease(12).await.starts_with("10.1.0.12 "));
        let new = port(13, json!([]));
        cloud.server.networks.lock().unwrap().get_mut(NETWORK).unwrap()["ports"]
            .as_array_mut()
            .unwrap()
            .push(new.clone());
        cloud.tell("port_create_end", json!({"port": new})).await;
        cloud.boot(13);
        assert!(cloud.lease(13).await.starts_with("10.1.0.13 "));
        agent.end().await;
    });
}

#[test]
fn a_lease_ends_with_its_port() {
    on_a_machine("release", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_network(network(&[port(11, json!([])), port(12, json!([]))]));
        let agent = cloud.start_agent();
        cloud.plug_dhcp_port().await;
        cloud.boot(11);
        cloud.lease(11).await;
        let pid = cloud.dnsmasq_pid();
        let leases = || std::fs::read_to_string(cloud.file("leases")).unwrap();
        assert!(leases().contains("10.1.0.11"));
        cloud.server.networks.lock().unwrap().get_mut(NETWORK).unwrap()["ports"]
            .as_array_mut()
            .unwrap()
            .remove(0);
        cloud.tell("port_delete_end", json!({"port_id": "x", "network_id": NETWORK})).await;
        until("the lease is gone", || (!leases().contains("10.1.0.11")).then_some(())).await;
        assert_eq!(cloud.dnsmasq_pid(), pid, "by a release, not by a restart");
        agent.end().await;
    });
}

#[test]
fn a_restart_changes_nothing_and_damage_is_repaired() {
    on_a_machine("adopt", |machine| async move {
        let cloud = Cloud::new(machine);
        cloud.server.put_network(network(&[port(11, json!([]))]));
        let agent = cloud.start_agent();
        cloud.plug_dhcp_port().await;
        let pid = until("dnsmasq", || cloud.dnsmasq_pid()).await;
        let device = || {
            sh(&format!(
                "ip -n {NAMESPACE} -o addr show dev {INSIDE}; ip -n {NAMESPACE} route; ip -o link show {TAP}; ip netns exec {NAMESPACE} iptables-save | grep -v '^[#:]'"
            ))
        };
        until("told", || (!cloud.server.heard("dhcp_ready_on_ports").is_empty()).then_some(())).await;
        let before = device();

        agent.end().await;
        let told = cloud.server.heard("dhcp_ready_on_ports").len();
        let agent = cloud.start_agent();
        until("told again", || (cloud.server.heard("dhcp_ready_on_ports").len() > told).then_some(())).await;
        assert_eq!((cloud.dnsmasq_pid(), device()), (Some(pid.clone()), before.clone()));

        // Killed between writing the files and telling dnsmasq: the next life tells it.
        agent.end().await;
        std::fs::write(cloud.file("pid.read"), "of other files").unwrap();
        sh(&format!("sed -i s/,10.1.0.11/,10.1.0.99/ {} && kill -HUP {pid}", cloud.file("host").display()));
        let agent = cloud.start_agent();
        until("told", || {
            std::fs::read_to_string(cloud.file("pid.read")).ok().filter(|text| text.starts_with(&pid))
        })
        .await;
        assert_eq!(cloud.dnsmasq_pid(), Some(pid.clone()));

        sh(&format!("kill -9 {pid}"));
        let pid = until("another dnsmasq", || cloud.dnsmasq_pid().filter(|new| *new != pid)).await;
        sh(&format!("ip netns delete {NAMESPACE}"));
        until("dnsmasq in the new namespace", || cloud.dnsmasq_pid().filter(|new| *new != pid)).await;
        cloud.plug_dhcp_port().await;
        cloud.boot(11);
        assert!(cloud.lease(11).await.starts_with("10.1.0.11 "));

        cloud.server.networks.lock().unwrap().clear();
        cloud.tell("network_delete_end", json!({"network_id": NETWORK})).await;
        until("nothing is left", || (!cloud.file("").exists()).then_some(())).await;
        assert!(!sh("ip netns list").contains("qdhcp-") && !sh("ip -o link").contains(TAP));
        until("the port is given back", || cloud.server.heard("release_dhcp_port").pop()).await;
        agent.end().await;
    });
}

#[test]
fn clients_get_ipv6_addresses_and_options() {
    on_a_machine("ipv6", |machine| async move {
        let cloud = Cloud::new(machine);
        let mut dual = network(&[port(11, json!([])), port(12, json!([]))]);
        dual["subnets"].as_array_mut().unwrap().push(
            json!({"id": "six", "ip_version": 6, "cidr": "2001:db8:6::/64", "enable_dhcp": true,
            "gateway_ip": null, "dns_nameservers": ["2001:db8::53"], "host_routes": [],
            "ipv6_ra_mode": "dhcpv6-stateful", "ipv6_address_mode": "dhcpv6-stateful"}),
        );
        let ips = dual["ports"][0]["fixed_ips"].as_array_mut().unwrap();
        ips.push(json!({"subnet_id": "six", "ip_address": "2001:db8:6::11"}));
        cloud.server.put_network(dual);
        let agent = cloud.start_agent();
        cloud.plug_dhcp_port().await;
        cloud.boot(11);
        let directory = cloud.machine.state_path.display();
        std::fs::write(
            cloud.machine.state_path.join("lease6.sh"),
            "#!/bin/sh\n[ \"$reason\" = BOUND6 ] && echo \"$new_ip6_address $new_dhcp6_name_servers\" > \"$(dirname $0)/bound6\"\nexit 0\n",
        )
        .unwrap();
        sh(&format!("chmod +x {directory}/lease6.sh"));
        // A link-local address takes a second to be sure of itself.
        until_sh("ip -n vm11 -6 addr show dev eth0 | grep 'scope link' | grep -qv tentative").await;
        let client = format!(
            "timeout 15 ip netns exec vm11 dhclient -6 -1 -d -D LL -sf {directory}/lease6.sh -lf {directory}/six.leases \
             -pf {directory}/six.pid eth0 >/dev/null 2>&1"
        );
        let client =
            tokio::process::Command::new("sh").arg("-c").arg(client).kill_on_drop(true).spawn().unwrap();
        let bound = cloud.machine.state_path.join("bound6");
        let lease =
            until("a lease", || std::fs::read_to_string(&bound).ok().filter(|text| text.ends_with('\n')))
                .await;
        assert_eq!(lease.trim(), "2001:db8:6::11 2001:db8::53");
        until_sh(&format!("kill $(cat {directory}/six.pid)")).await;
        drop(client);

        // The lease survives a restart of dnsmasq and goes with its port.
        let leases = || std::fs::read_to_string(cloud.file("leases")).unwrap_or_default();
        let pid = cloud.dnsmasq_pid().unwrap();
        sh(&format!("kill -9 {pid}"));
        until("another dnsmasq", || cloud.dnsmasq_pid().filter(|new| *new != pid)).await;
        // dnsmasq writes its file anew when it starts: for a moment it is empty.
        until("the lease is kept", || leases().contains("2001:db8:6::11").then_some(())).await;
        cloud.server.networks.lock().unwrap().get_mut(NETWORK).unwrap()["ports"]
            .as_array_mut()
            .unwrap()
            .remove(0);
        cloud.tell("port_delete_end", json!({"port_id": "x", "network_id": NETWORK})).await;
        until("the lease is gone", || (!leases().contains("2001:db8:6::11")).then_some(())).await;
        agent.end().await;
    });
}
