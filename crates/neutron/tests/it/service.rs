//! A service as the machine around it sees it: signals, the service manager, its files, /healthcheck, figures.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server on SQLite with no broker, as systemd would start it.
struct Service {
    dir: PathBuf,
    manager: UnixDatagram,
    child: Child,
    api: u16,
    figures: u16,
}

impl Service {
    fn start(name: &str, role: &str, extra: &str) -> Service {
        let dir = std::env::temp_dir().join(format!("neutron-service-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let manager = UnixDatagram::bind(dir.join("notify")).unwrap();
        manager.set_read_timeout(Some(PATIENCE)).unwrap();
        let free = || TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (api, figures, d) = (free(), free(), dir.display());
        let text = format!(
            "[DEFAULT]\nauth_strategy = noauth\nbind_host = 127.0.0.1\nbind_port = {api}\ntransport_url = fake:/\n\
             state_path = {d}\nlog_file = {d}/log\n{extra}[database]\nconnection = sqlite:///{d}/n.sqlite\n\
             [metrics]\nbind_port = {figures}\n"
        );
        std::fs::write(dir.join("neutron.conf"), text).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_neutron"))
            .args([role, "--config-file"])
            .arg(dir.join("neutron.conf"))
            .env("NOTIFY_SOCKET", dir.join("notify"))
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Service { dir, manager, child, api, figures }
    }

    /// What the service says of itself next.
    fn says(&self) -> String {
        let mut bytes = [0; 512];
        let length = self.manager.recv(&mut bytes).unwrap_or_else(|e| panic!("{e}\n{}", self.log()));
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

fn ask(port: u16, method: &str, path: &str, headers: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n{headers}\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn the_service_manager_hears_of_start_reload_and_end() {
    let mut service = Service::start("life", "server", "");
    assert_eq!(service.says(), "READY=1\n");

    // A reload takes over what it can and begins a log file anew that was moved away.
    let file = service.dir.join("neutron.conf");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(
        &file,
        text.replace("[database]", "debug = true\nbind_port = 1\n[quotas]\nquota_network = 0\n[database]"),
    )
    .unwrap();
    std::fs::rename(service.dir.join("log"), service.dir.join("log.1")).unwrap();
    service.signal("HUP");
    assert!(service.says().starts_with("RELOADING=1\nMONOTONIC_USEC="));
    assert_eq!(service.says(), "READY=1\n");
    ask(service.api, "GET", "/v2.0/networks", "");
    assert!(
        service.log().contains("\"GET /v2.0/networks HTTP/1.1\" status: 200  len: "),
        "{}",
        service.log()
    );

    for said in [
        "[DEFAULT] debug is taken over",
        "[DEFAULT] bind_port takes effect when",
        "quota_network is taken over",
    ] {
        assert!(service.log().contains(said), "{}", service.log());
    }
    let body = "{\"network\": {}}";
    let refused =
        ask(service.api, "POST", "/v2.0/networks", &format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    assert!(refused.contains("Quota exceeded"), "{refused}");

    // A file that cannot be read changes nothing.
    std::fs::write(&file, "[DEFAULT]\nbind_port = many\n").unwrap();
    service.signal("HUP");
    assert!(service.says().starts_with("RELOADING=1\n"));
    assert_eq!(service.says(), "READY=1\n");
    assert!(service.log().contains("the configuration is not taken over"), "{}", service.log());
    assert!(ask(service.api, "GET", "/v2.0/networks", "").starts_with("HTTP/1.1 200"));

    service.signal("TERM");
    assert_eq!(service.says(), "STOPPING=1\n");
    assert!(service.child.wait().unwrap().success(), "{}", service.log());
}

#[test]
fn health_and_figures_are_told_without_a_token() {
    let service = Service::start("health", "server", "");
    assert_eq!(service.says(), "READY=1\n");
    for (method, accept, status, body) in [
        ("GET", "", "HTTP/1.1 200", "\r\n\r\nOK"),
        ("GET", "Accept: application/json\r\n", "HTTP/1.1 200", "\"detailed\": false,"),
        ("GET", "Accept: text/html\r\n", "HTTP/1.1 200", "<TD>OK</TD>"),
        ("HEAD", "", "HTTP/1.1 204", ""),
    ] {
        let answer = ask(service.api, method, "/healthcheck", accept);
        assert!(answer.starts_with(status) && answer.contains(body), "{method} {accept}: {answer}");
    }
    std::fs::write(service.dir.join("healthcheck_disable"), "").unwrap();
    let answer = ask(service.api, "GET", "/healthcheck", "");
    assert!(answer.starts_with("HTTP/1.1 503") && answer.ends_with("DISABLED BY FILE"), "{answer}");

    ask(service.api, "GET", "/v2.0/networks", "");
    let figures = ask(service.figures, "GET", "/metrics", "");
    for figure in [
        "neutron_http_request_duration_seconds_count{method=\"GET\",resource=\"networks\",status=\"200\"} 1",
        "neutron_http_request_duration_seconds_count{method=\"HEAD\",resource=\"healthcheck\",status=\"204\"} 1",
        "neutron_build_info{program=\"neutron-server\"",
        "neutron_rpc_up 1",
        "# EOF",
    ] {
        assert!(figures.contains(figure), "no {figure} in\n{figures}");
    }
}

/// A server in parts: each part runs without the others.
#[test]
fn the_parts_of_a_server_run_alone() {
    for (role, has_api) in [("api", true), ("rpc-server", false), ("periodic-workers", false)] {
        let mut service = Service::start(role, role, "");
        assert_eq!(service.says(), "READY=1\n");
        assert_eq!(TcpStream::connect(("127.0.0.1", service.api)).is_ok(), has_api, "{role}");
        service.signal("INT");
        assert_eq!(service.says(), "STOPPING=1\n");
        assert!(service.child.wait().unwrap().success(), "{role}");
    }
}

#[test]
fn without_files_a_service_says_what_it_needs() {
    for (role, need) in [("server", "[database] connection"), ("l3-agent", "transport_url")] {
        let refused = Command::new(env!("CARGO_BIN_EXE_neutron"))
            .arg(role)
            .env("HOME", "/nonexistent")
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert_eq!(refused.status.code(), Some(1));
        for word in ["has no configuration file", "/etc/neutron/neutron.conf", need] {
            assert!(said.contains(word), "{role}: no {word} in {said}");
        }
    }
}
