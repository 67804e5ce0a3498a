//! Metadata from an instance's socket to Nova's, through the namespaces of a DHCP server and of a router.

use std::time::Duration;

use rpc::Transport;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::machine::{Machine, on_a_machine, sh, try_sh, until, until_sh};
use crate::server::Server;

const NETWORK: &str = "aaaaaaaa-0000-4000-8000-000000000001";
const ROUTER: &str = "72c207b4-44a8-40a8-a131-99923d1c61d1";
const SECRET: &str = "secret";
/// HMAC-SHA256 of `vm-11` under that secret, from another tool.
const SIGNATURE: &str = "2eea3d50c2ce5c159a188da98f71abfed84690f649d4bd949267057a07f0c3a3";

/// A Nova that answers with what it was asked; `/forbidden` and the like with failures.
async fn nova() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut request = vec![0; 4096];
                let length = stream.read(&mut request).await.unwrap();
                let request = String::from_utf8_lossy(&request[..length]).into_owned();
                let status = match request.split(' ').nth(1).unwrap_or_default() {
                    "/forbidden" => "403 Forbidden",
                    "/missing" => "404 Not Found",
                    "/odd" => "418 I'm a teapot",
                    _ => "200 OK",
                };
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Type: text/x-test\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    request.len()
                );
                stream.write_all((head + &request).as_bytes()).await.unwrap();
            });
        }
    });
    port
}

fn metadata_agent(machine: &Machine, transport: &Transport, nova: u16) -> tokio::task::JoinHandle<()> {
    let mut options = agent::metadata::options::Options::new("net1", &machine.state_path);
    options.metadata_proxy_shared_secret = SECRET.to_owned();
    options.nova_metadata_port = nova;
    let transport = transport.clone();
    tokio::spawn(async move { agent::metadata::run(options, &transport).await.unwrap() })
}

/// Runs curl in the instance without holding up the agents; status and body.
async fn curl(arguments: &str) -> (String, String) {
    let command = format!("ip netns exec vm curl -s -m 5 -w '\\n%{{http_code}}' {arguments}");
    let output = tokio::task::spawn_blocking(move || try_sh(&command)).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_lowercase())
}

async fn until_answered(arguments: &str) -> String {
    for _ in 0..100 {
        let (status, body) = curl(arguments).await;
        if status == "200" {
            return body;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("no answer to {arguments}");
}

/// An instance on a bridge of its own.
fn instance(address: &str) {
    sh(&format!(
        "ip link set lo up && ip link add br0 type bridge && ip link set br0 up && ip netns add vm && \
         ip link add tapvm type veth peer name eth0 netns vm && ip link set tapvm master br0 up && \
         ip -n vm link set eth0 address fa:16:3e:00:00:0b up && ip -n vm addr add {address} dev eth0"
    ));
}

fn network(extra: serde_json::Value) -> serde_json::Value {
    let mut ports = vec![json!({"id": "bbbbbbbb-0000-4000-8000-000000000011", "network_id": NETWORK,
        "mac_address": "fa:16:3e:00:00:0b", "device_id": "vm-11", "device_owner": "compute:nova",
        "extra_dhcp_opts": [], "project_id": "project",
        "fixed_ips": [{"subnet_id": "subnet", "ip_address": "10.1.0.11"}]})];
    ports.extend(extra.as_array().unwrap().iter().cloned());
    json!({"id": NETWORK, "project_id": "p", "admin_state_up": true, "mtu": 1400, "ports": ports,
        "subnets": [
            {"id": "subnet", "ip_version": 4, "cidr": "10.1.0.0/24", "enable_dhcp": true,
                "gateway_ip": "10.1.0.1", "dns_nameservers": [], "host_routes": []},
            {"id": "subnet6", "ip_version": 6, "cidr": "2001:db8::/64", "enable_dhcp": true,
                "gateway_ip": "2001:db8::1", "dns_nameservers": [], "host_routes": [],
                "ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"}]})
}

fn assert_signed(body: &str, address: &str) {
    for line in [
        "x-instance-id: vm-11".to_owned(),
        "x-tenant-id: project".to_owned(),
        format!("x-instance-id-signature: {SIGNATURE}"),
        format!("x-forwarded-for: {address}"),
    ] {
        assert!(body.contains(&line), "{line} in {body}");
    }
    assert!(!body.contains("x-neutron") && !body.contains("cookie"), "{body}");
}

#[test]
fn isolated_instances_get_their_metadata() {
    on_a_machine("metadata", |machine| async move {
        instance("10.1.0.11/24");
        let transport = Transport::memory();
        let (server, _listeners) = Server::start(&transport);
        server.put_network(network(json!([])));
        let mut options = agent::dhcp::options::Options::new("net1", &machine.state_path);
        options.enable_isolated_metadata = true;
        options.resync_interval = Duration::from_millis(200);
        let metadata = metadata_agent(&machine, &transport, nova().await);
        let for_dhcp = transport.clone();
        let dhcp = tokio::spawn(async move { agent::dhcp::run(options, &for_dhcp).await.unwrap() });
        until_sh("ip link set tapdddddddd-00 master br0").await;
        sh("ip -n vm route add 169.254.169.254 via 10.1.0.2");
        let forged = "-H 'X-Neutron-Router-ID: x' -H 'X-Forwarded-For: 10.1.0.99' -H 'Cookie: a=b' -H 'X-Instance-ID: other'";
        let body = until_answered(&format!("{forged} http://169.254.169.254/latest/meta-data?x=1")).await;
        assert!(body.starts_with("get /latest/meta-data?x=1 "), "{body}");
        assert_signed(&body, "10.1.0.11");
        let body = until_answered("'http://[fe80::a9fe:a9fe%25eth0]/openstack'").await;
        assert_signed(&body, "fe80::f816:3eff:fe00:b");
        let body = until_answered("-d secret-password http://169.254.169.254/openstack/password").await;
        assert!(body.starts_with("post ") && body.ends_with("secret-password"), "{body}");

        for (path, status) in [("forbidden", "403"), ("missing", "404"), ("odd", "500")] {
            let (answered, body) = curl(&format!("http://169.254.169.254/{path}")).await;
            assert_eq!(answered, status);
            assert!(body.contains(&format!("<title>{status} ")) && !body.contains("vm-11"), "{body}");
        }
        sh("ip -n vm addr add 10.1.0.77/24 dev eth0");
        assert_eq!(curl("--interface 10.1.0.77 http://169.254.169.254/").await.0, "404");
        metadata.abort();
        let _ = metadata.await;
        assert_eq!(curl("http://169.254.169.254/").await.0, "503");
        let _metadata = metadata_agent(&machine, &transport, 1);
        until("the socket", || {
            std::os::unix::net::UnixStream::connect(machine.state_path.join("metadata_proxy")).ok()
        })
        .await;
        assert_eq!(curl("http://169.254.169.254/").await.0, "503");
        dhcp.abort();
    });
}

#[test]
fn instances_behind_a_router_get_their_metadata() {
    on_a_machine("metadata-router", |machine| async move {
        instance("10.1.0.11/24");
        let transport = Transport::memory();
        let (server, _listeners) = Server::start(&transport);
        server.put_network(network(
            json!([{"id": "router-port", "network_id": NETWORK, "mac_address": "fa:16:3e:00:00:01",
            "device_id": ROUTER, "device_owner": "network:router_interface", "fixed_ips": []}]),
        ));
        server.put_router(json!({"id": ROUTER, "gw_port": null, "routes": [], "_interfaces": [
            {"id": "11111111-6cc7-4b80-9575-f2710ba05cfd", "network_id": NETWORK, "mac_address": "fa:16:3e:00:00:01",
             "fixed_ips": [{"subnet_id": "subnet", "ip_address": "10.1.0.1", "prefixlen": 24}], "subnets": [], "mtu": 1400}]}));
        let metadata = metadata_agent(&machine, &transport, nova().await);
        let options = agent::l3::options::Options::new("net1", &machine.state_path);
        let for_l3 = transport.clone();
        let l3 = tokio::spawn(async move { agent::l3::run(options, &for_l3).await.unwrap() });
        until_sh("ip link set tap11111111-6c master br0").await;
        sh("ip -n vm route add default via 10.1.0.1");
        let body = until_answered("http://169.254.169.254/latest").await;
        assert_signed(&body, "10.1.0.11");
        sh("ip -n vm -6 route add fe80::a9fe:a9fe/128 via fe80::f816:3eff:fe00:1 dev eth0");
        let body = until_answered("'http://[fe80::a9fe:a9fe%25eth0]/openstack'").await;
        assert_signed(&body, "fe80::f816:3eff:fe00:b");
        // The proxy's port is for redirected requests only.
        assert_eq!(curl("http://10.1.0.1:9697/latest").await.0, "000");
        l3.abort();
        metadata.abort();
    });
}

/// OpenSSL's own server in Nova's place, which tells of the connection. It ends with the value.
struct SecureNova {
    port: u16,
    process: std::process::Child,
}

impl SecureNova {
    fn start(folder: &str, more: &str) -> SecureNova {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let line = format!(
            "cd {folder} && exec openssl s_server -quiet -www -accept 127.0.0.1:{port} -cert cert.pem -key key.pem {more}"
        );
        let mut command = std::process::Command::new("sh");
        let process = command.args(["-c", &line]).stderr(std::process::Stdio::null()).spawn().unwrap();
        SecureNova { port, process }
    }
}

impl Drop for SecureNova {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// What the agent's own socket answers to a listener's request for an instance's metadata: status and body.
async fn through_the_socket(machine: &Machine) -> (String, String) {
    let path = machine.state_path.join("metadata_proxy");
    let mut socket = until("the socket", || std::os::unix::net::UnixStream::connect(&path).ok()).await;
    let request = format!(
        "GET /latest HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: 10.1.0.11\r\n\
         X-Neutron-Network-ID: {NETWORK}\r\n\r\n"
    );
    let asked = move || {
        std::io::Write::write_all(&mut socket, request.as_bytes()).unwrap();
        let mut answer = String::new();
        std::io::Read::read_to_string(&mut socket, &mut answer).unwrap();
        answer
    };
    let answer = tokio::task::spawn_blocking(asked).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().to_owned(), body.to_owned())
}

#[test]
fn nova_is_asked_over_tls() {
    on_a_machine("metadata-tls", |machine| async move {
        let folder = machine.state_path.display().to_string();
        sh(&lab::services::certificates::making(&folder, "nova"));
        let transport = Transport::memory();
        let (server, _listeners) = Server::start(&transport);
        server.put_network(network(json!([])));
        let known = format!("auth_ca_cert = {folder}/ca.pem");
        let client = format!("nova_client_cert = {folder}/cert.pem\nnova_client_priv_key = {folder}/key.pem");
        let strict = "-Verify 1 -verify_return_error -CAfile ca.pem";
        for (nova, lines, answered) in [
            ("", known.clone(), "200"),
            // Nobody vouches for the certificate.
            ("", String::new(), "503"),
            ("", "nova_metadata_insecure = true".to_owned(), "200"),
            // Nova wants to know who asks.
            (strict, known.clone(), "503"),
            (strict, format!("{known}\n{client}"), "200"),
            (strict, format!("nova_metadata_insecure = true\n{client}"), "200"),
        ] {
            let secure = SecureNova::start(&folder, nova);
            until("Nova", || std::net::TcpStream::connect(("127.0.0.1", secure.port)).ok()).await;
            let text = format!(
                "[DEFAULT]\nstate_path = {folder}\nnova_metadata_protocol = https\nnova_metadata_host = 127.0.0.1\n\
                 nova_metadata_port = {}\n{lines}\n",
                secure.port
            );
            let config = oslo::config::Config::parse("metadata_agent.ini", &text);
            let options = agent::metadata::options::Options::load(&config, "net1").unwrap();
            let of_agent = transport.clone();
            let metadata =
                tokio::spawn(async move { agent::metadata::run(options, &of_agent).await.unwrap() });
            let (status, body) = through_the_socket(&machine).await;
            assert_eq!(status, answered, "{lines} {nova}: {body}");
            assert_eq!(status == "200", body.contains("Cipher"), "{lines} {nova}: {body}");
            metadata.abort();
            let _ = metadata.await;
            std::fs::remove_file(machine.state_path.join("metadata_proxy")).unwrap();
        }
    });
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let mut options = agent::metadata::options::Options::new("net1", std::path::Path::new("/nowhere"));
    options.nova_metadata_protocol = agent::metadata::options::Protocol::Https;
    options.nova_tls.cafile = Some("/nowhere/ca.pem".to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let refused = runtime.block_on(agent::metadata::run(options, &Transport::memory()));
    assert!(refused.unwrap_err().to_string().contains("/nowhere/ca.pem: no certificates can be read"));
}
