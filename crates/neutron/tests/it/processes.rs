//! Server and agents as processes of their own on one simulated host, over a real RabbitMQ that can be cut off.

use lab::daemon::Daemon;
use lab::host::{Host, Life};
use lab::instance::Instance;
use lab::relay::Relay;
use lab::report::within;
use lab::users::Users;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, MutexGuard, Once, OnceLock, PoisonError};
use std::time::Duration;

/// The four agents, by the names they are started by.
const AGENTS: [&str; 4] =
    ["neutron-linuxbridge-agent", "neutron-dhcp-agent", "neutron-l3-agent", "neutron-metadata-agent"];
const SERVER: &str = "neutron-server";
/// Where the broker is for everything inside.
const BROKER: ([u8; 4], u16) = ([127, 0, 0, 1], 5672);
/// How long everything may take to be up to date again after whatever happened.
const CONVERGED_MAX: Duration = Duration::from_secs(30);
/// How long a start may take on a machine that has much else to do.
const START_MAX: Duration = Duration::from_secs(60);

/// Files of Liberty's packages, by their places.
const FILES: &[(&str, &str)] = &[
    (
        "/etc/neutron/plugins/ml2/ml2_conf.ini",
        "[ml2]\ntype_drivers = flat,vlan,vxlan\ntenant_network_types = vxlan\nmechanism_drivers = linuxbridge,l2population\n\
         extension_drivers = port_security\n[ml2_type_flat]\nflat_networks = public\n[ml2_type_vxlan]\nvni_ranges = 1:1000\n",
    ),
    (
        "/etc/neutron/plugins/ml2/linuxbridge_agent.ini",
        "[linux_bridge]\nphysical_interface_mappings = public:eth0\n[vxlan]\nenable_vxlan = True\nlocal_ip = 192.0.2.11\n\
         l2_population = True\n[securitygroup]\nenable_security_group = True\n\
         firewall_driver = neutron.agent.linux.iptables_firewall.IptablesFirewallDriver\n",
    ),
    (
        "/etc/neutron/l3_agent.ini",
        "[DEFAULT]\ninterface_driver = neutron.agent.linux.interface.BridgeInterfaceDriver\nexternal_network_bridge =\n",
    ),
    (
        "/etc/neutron/dhcp_agent.ini",
        "[DEFAULT]\ninterface_driver = neutron.agent.linux.interface.BridgeInterfaceDriver\n\
         dhcp_driver = neutron.agent.linux.dhcp.Dnsmasq\nenable_isolated_metadata = True\n",
    ),
    (
        "/etc/neutron/metadata_agent.ini",
        "[DEFAULT]\nnova_metadata_ip = 127.0.0.1\nmetadata_proxy_shared_secret = secret\n[metrics]\nbind_port = 9797\n",
    ),
];

/// A host with all services of Neutron, none of them started.
struct Site {
    lab: PathBuf,
    host: Host,
    /// One site at a time: queues like `q-plugin` belong to the broker, whatever the exchange is called.
    _alone: MutexGuard<'static, ()>,
}

impl Site {
    fn new(name: &str) -> Site {
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let lab = lab_program();
        let host = Host::start(&lab, name, Life::WithStarter).unwrap();
        for device in ["eth0", "eth1"] {
            let far = format!("far-{device}");
            host.run(&["ip", "link", "add", device, "up", "type", "veth", "peer", "name", &far]).unwrap();
            host.run(&["ip", "link", "set", &far, "up"]).unwrap();
        }
        host.run(&["ip", "address", "add", "192.0.2.11/24", "dev", "eth1"]).unwrap();
        let (login, _) = broker();
        let conf = format!(
            "[DEFAULT]\nhost = {name}\ncore_plugin = ml2\nservice_plugins = router\nauth_strategy = noauth\n\
             bind_host = 127.0.0.1\ntransport_url = rabbit://{login}@127.0.0.1:{}/\n\
             control_exchange = {name}-{}\nagent_down_time = 8\n[agent]\nreport_interval = 2\nroot_helper = sudo\n\
             [database]\nconnection = sqlite:////var/lib/neutron/neutron.sqlite\n",
            BROKER.1,
            std::process::id()
        );
        let site = Site { lab, host, _alone: alone };
        site.write("/etc/neutron/neutron.conf", &conf);
        FILES.iter().for_each(|(path, text)| site.write(path, text));
        site.host.sh("ln -s plugins/ml2/ml2_conf.ini /etc/neutron/plugin.ini; mkdir -p /run/bin").unwrap();
        for name in AGENTS.iter().chain(&[SERVER, "neutron"]) {
            let program = env!("CARGO_BIN_EXE_neutron");
            site.host.run(&["ln", "-s", program, &format!("/run/bin/{name}")]).unwrap();
        }
        site
    }

    fn write(&self, path: &str, text: &str) {
        let path = self.host.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// The broker as the host sees it, from now on.
    fn wire_broker(&self) -> Relay {
        Relay::start(&self.host, SocketAddr::from(BROKER), broker().1).unwrap()
    }

    /// Starts a service by its name alone: it finds its files itself.
    fn start(&self, name: &str) {
        self.host.start_daemon(&Daemon::new(name, &[&format!("/run/bin/{name}")])).unwrap();
    }

    /// Everything started, and known to be alive.
    fn up(name: &str) -> (Site, Relay) {
        let site = Site::new(name);
        let relay = site.wire_broker();
        site.start(SERVER);
        AGENTS.iter().for_each(|agent| site.start(agent));
        site.all_alive(START_MAX);
        (site, relay)
    }

    fn alive(&self) -> Result<usize, String> {
        let list = self.neutron(&["agent-list", "-f", "csv", "-c", "alive", "--quote", "none"])?;
        Ok(list.lines().filter(|line| *line == ":-)").count())
    }

    fn all_alive(&self, time: Duration) {
        let alive = within(time, || match self.alive()? {
            4 => Ok(()),
            some => Err(format!("{some} of 4 agents are alive")),
        });
        alive.unwrap_or_else(|why| panic!("{why}\n{}", self.log_end()));
    }

    fn network(&self) -> String {
        self.neutron(&["net-create", "private"]).unwrap();
        self.neutron(&["subnet-create", "private", "172.16.1.0/24", "--name", "private"]).unwrap();
        self.field(&["net-show", "private"], "id").unwrap()
    }

    /// An instance that has a lease.
    fn boot(&self, name: &str) -> Instance {
        let host = format!("{}-{name}", self.host.name());
        let booted = Instance::boot_on(self, self.host.name(), "private", &host, &[]);
        let instance = booted.unwrap_or_else(|why| panic!("{why}\n{}", self.log_end()));
        let leased = within(CONVERGED_MAX, || instance.lease());
        leased.unwrap_or_else(|why| panic!("{why}\n{}", self.log_end()));
        instance
    }

    /// Waits until the host says so.
    fn comes_true(&self, what: &str, line: &str) {
        let probe = || self.host.sh(line).map(|_| ()).map_err(|e| e.to_string());
        if let Err(why) = within(CONVERGED_MAX, probe) {
            panic!("{what} does not come true: {why}\n{}", self.log_end());
        }
    }
}

impl Users for Site {
    fn neutron(&self, args: &[&str]) -> Result<String, String> {
        let mut all = vec!["/run/bin/neutron"];
        all.extend(args);
        self.host.run(&all).map_err(|e| e.to_string())
    }
    fn host(&self, _name: &str) -> &Host {
        &self.host
    }
    fn lab(&self) -> (&Path, Life) {
        (&self.lab, Life::WithStarter)
    }
    fn log_end(&self) -> String {
        let logs = AGENTS.iter().chain(&[SERVER]);
        logs.map(|name| format!("== {name}\n{}\n", self.host.daemon_log(name, 25))).collect()
    }
}

/// What a server that another one stands beside reads besides the common files.
const SECOND: &str = "/etc/neutron/second.conf";
/// Where the second server listens.
const SECOND_URL: &str = "http://127.0.0.1:9697";

impl Site {
    /// Lets the servers store in a database of its own on the MariaDB that tests use.
    fn on_mariadb(&self) -> Relay {
        let url = std::env::var("LAB_MARIADB_URL").expect("LAB_MARIADB_URL is not set: run `make test`");
        let (login, address) = place(&url);
        let (user, password) = login.split_once(':').unwrap();
        let name = format!("{}_{}", self.host.name(), std::process::id());
        let port = address.port().to_string();
        let made = Command::new("mariadb")
            .args(["--no-defaults", "-h", "127.0.0.1", "-P", &port, "-u", user, &format!("-p{password}")])
            .args(["-e", &format!("CREATE DATABASE {name}")])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let conf = format!(
            "[DEFAULT]\nbind_port = 9697\n[database]\nconnection = mysql+pymysql://{login}@127.0.0.1/{name}\n"
        );
        self.write(SECOND, &conf);
        let common = std::fs::read_to_string(self.host.path("/etc/neutron/neutron.conf")).unwrap();
        let common = common.split("[database]").next().unwrap();
        let conf = format!("{common}[database]\nconnection = mysql+pymysql://{login}@127.0.0.1/{name}\n");
        self.write("/etc/neutron/neutron.conf", &conf);
        Relay::start(&self.host, SocketAddr::from(([127, 0, 0, 1], 3306)), address).unwrap()
    }

    /// A server beside the first.
    fn start_second(&self) {
        let words = ["/etc/neutron/neutron.conf", "/etc/neutron/plugin.ini", SECOND];
        let mut all = vec!["/run/bin/neutron-server"];
        all.extend(words.iter().flat_map(|file| ["--config-file", file]));
        self.host.start_daemon(&Daemon::new("second", &all)).unwrap();
    }
}

#[test]
fn of_two_servers_one_may_die() {
    let site = Site::new("proctwo");
    let (_broker, _database) = (site.wire_broker(), site.on_mariadb());
    site.host
        .run(&["/run/bin/neutron", "db", "--config-file", "/etc/neutron/neutron.conf", "upgrade", "head"])
        .unwrap();
    site.start(SERVER);
    site.start_second();
    AGENTS.iter().for_each(|agent| site.start(agent));
    site.all_alive(START_MAX);
    site.network();
    site.boot("vm1");
    let second = |words: &[&str]| {
        let mut all = vec!["/run/bin/neutron", "--os-url", SECOND_URL];
        all.extend(words);
        site.host.run(&all).map_err(|e| e.to_string())
    };
    within(START_MAX, || second(&["net-list"])).unwrap();
    for number in 0..20 {
        if number == 5 {
            site.host.signal_daemon(SERVER, "KILL").unwrap();
        }
        let made = second(&["port-create", "private", "--name", &format!("made-{number}")]);
        made.unwrap_or_else(|why| panic!("{why}\n{}", site.host.daemon_log("second", 30)));
    }
    let list = second(&["port-list", "-f", "value", "-c", "name"]).unwrap();
    assert_eq!(list.lines().filter(|name| name.starts_with("made-")).count(), 20, "{list}");
    let alive = || {
        let list = second(&["agent-list", "-f", "csv", "-c", "alive", "--quote", "none"])?;
        if list.lines().filter(|line| *line == ":-)").count() == 4 { Ok(()) } else { Err(list) }
    };
    within(CONVERGED_MAX, alive).unwrap();
    site.start(SERVER);
    within(START_MAX, || site.alive()).unwrap();
    site.boot("vm2");
}

/// The laboratory's program, which holds hosts; Cargo builds the one of this package only.
fn lab_program() -> PathBuf {
    static BUILT: Once = Once::new();
    BUILT.call_once(|| {
        let done = Command::new(env!("CARGO")).args(["build", "-q", "--locked", "-p", "lab"]).status();
        assert!(done.unwrap().success(), "lab does not build");
    });
    Path::new(env!("CARGO_BIN_EXE_neutron")).with_file_name("lab")
}

/// Login and address of the broker that tests use.
fn broker() -> &'static (String, SocketAddr) {
    static BROKER: OnceLock<(String, SocketAddr)> = OnceLock::new();
    BROKER.get_or_init(|| {
        let url = std::env::var("LAB_RABBITMQ_URL").expect("LAB_RABBITMQ_URL is not set: run `make test`");
        place(&url)
    })
}

/// Login and address of a URL.
fn place(url: &str) -> (String, SocketAddr) {
    let rest = url.trim_end_matches('/').split_once("://").unwrap().1;
    let (login, address) = rest.rsplit_once('@').unwrap();
    (login.to_string(), address.parse().unwrap())
}

#[test]
fn agents_wait_for_broker_and_server_and_serve_then() {
    let site = Site::new("procwait");
    AGENTS.iter().for_each(|agent| site.start(agent));
    std::thread::sleep(Duration::from_secs(2));
    let relay = site.wire_broker();
    std::thread::sleep(Duration::from_secs(1));
    site.start(SERVER);
    site.all_alive(START_MAX);
    let network = site.network();
    site.boot("vm1");

    // An agent that is out of service stops serving, and serves again when it is back.
    let agent =
        site.neutron(&["agent-list", "--agent-type", "DHCP agent", "-f", "value", "-c", "id"]).unwrap();
    let dnsmasq = format!("kill -0 $(cat /var/lib/neutron/dhcp/{network}/pid)");
    site.neutron(&["agent-update", agent.trim(), "--admin-state-up", "False"]).unwrap();
    site.comes_true("an end of dnsmasq", &format!("! {dnsmasq} 2>/dev/null"));
    site.neutron(&["agent-update", agent.trim(), "--admin-state-up", "True"]).unwrap();
    site.comes_true("dnsmasq again", &dnsmasq);

    // The end in order leaves what the agents made as it is.
    for name in AGENTS.iter().chain(&[SERVER]) {
        site.host.end_daemon(name, "TERM").unwrap_or_else(|why| panic!("{why}\n{}", site.log_end()));
    }
    site.host.sh(&dnsmasq).unwrap();
    let bridge = format!("brq{}", &network[..11]);
    site.host.run(&["ip", "link", "show", &bridge]).unwrap();
    drop(relay);
}

#[test]
fn what_is_killed_or_cut_off_finds_the_others_again() {
    let (site, relay) = Site::up("proccut");
    site.network();
    let first = site.boot("vm1");

    site.host.end_daemon(SERVER, "KILL").unwrap();
    site.start(SERVER);
    within(START_MAX, || site.alive()).unwrap();
    let second = site.boot("vm2");
    first.ping(&second.ipv4()).unwrap();

    // During the outage the API keeps answering, and what it took is made afterwards.
    relay.cut();
    site.neutron(&["port-create", "private", "--name", "meanwhile"]).unwrap();
    site.neutron(&["port-delete", "meanwhile"]).unwrap();
    std::thread::sleep(Duration::from_secs(3));
    relay.mend();
    site.all_alive(CONVERGED_MAX);
    let third = site.boot("vm3");
    first.ping(&third.ipv4()).unwrap();

    for agent in AGENTS {
        site.host.end_daemon(agent, "KILL").unwrap();
    }
    second.ping(&third.ipv4()).unwrap();
    AGENTS.iter().for_each(|agent| site.start(agent));
    let fourth = site.boot("vm4");
    first.ping(&fourth.ipv4()).unwrap();
}
