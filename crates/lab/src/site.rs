//! Machines as a guide has them: controller and compute, perhaps a network node, a host outside that is the gateway of
//! the external network; and around Neutron the real MariaDB, RabbitMQ, memcached and Keystone, on the controller at
//! their usual ports.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, OnceLock};

use crate::cloud::{CONTROLLER, INTERNET, Programs};
use crate::daemon::Daemon;
use crate::host::{Host, Life};
use crate::report::words;
use crate::services::command::keystone_folder;
use crate::services::{Durability, Ports, Services, Setup};
use crate::shape::{LIBERTY, Machine, Shape};
use crate::underlay::Underlay;
use crate::users::Users;
use crate::vswitch;

/// The second machine.
pub const COMPUTE: &str = "compute";
/// The second compute host, where there is one.
pub const COMPUTE2: &str = "compute2";
/// The network node, where it is a machine of its own.
pub const NETWORK: &str = "network";
/// The card for tunnels, where these have one of their own.
const TUNNEL_CARD: &str = "eth1";
/// The controller's address, as the guide has it.
pub const CONTROLLER_ADDRESS: &str = "192.168.81.66";
/// The compute host's address, as the guide has it.
pub const COMPUTE_ADDRESS: &str = "192.168.81.65";
/// Where the programs of Neutron's services are on a host.
const PROGRAMS: &str = "/run/lab/bin";
/// The names that packages give to what is one program here.
const NAMES: [&str; 12] = [
    "neutron",
    "neutron-server",
    "neutron-api",
    "neutron-rpc-server",
    "neutron-periodic-workers",
    "neutron-db-manage",
    "neutron-linuxbridge-agent",
    "neutron-openvswitch-agent",
    "neutron-plugin-openvswitch-agent",
    "neutron-dhcp-agent",
    "neutron-metadata-agent",
    "neutron-l3-agent",
];

/// The project's folder.
pub fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Variables of one who types commands: `admin-openrc.sh`, `demo-openrc.sh`.
pub fn openrc(user: &str, password: &str, project: &str) -> Vec<(String, String)> {
    [
        ("OS_PROJECT_DOMAIN_ID", "default"),
        ("OS_USER_DOMAIN_ID", "default"),
        ("OS_PROJECT_NAME", project),
        ("OS_TENANT_NAME", project),
        ("OS_USERNAME", user),
        ("OS_PASSWORD", password),
        ("OS_AUTH_URL", "http://controller:35357/v3"),
        ("OS_IDENTITY_API_VERSION", "3"),
        ("OS_REGION_NAME", "RegionOne"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}

/// The machines.
pub struct Site {
    /// Its programs.
    pub programs: Programs,
    /// The wire.
    pub underlay: Underlay,
    /// What the machines are like.
    pub shape: &'static Shape,
    /// The controller.
    pub controller: Arc<Host>,
    /// The network node; it may be the controller.
    pub network: Arc<Host>,
    /// The compute host.
    pub compute: Arc<Host>,
    /// All machines.
    hosts: Vec<Arc<Host>>,
    /// The administrator's token, where commands share one.
    token: OnceLock<String>,
    /// The host on the physical network that knows nothing of Neutron.
    pub outside: Host,
    /// What runs on the controller beside Neutron.
    pub services: Services,
}

impl Site {
    /// Starts the Liberty guide's machines and wires, and what the guide takes for granted on the controller.
    ///
    /// # Errors
    /// A host, a device or a server cannot be made.
    pub fn start(programs: Programs) -> Result<Site, String> {
        Site::start_as(programs, &LIBERTY)
    }

    /// Starts machines and wires, and what guides take for granted on the controller.
    ///
    /// # Errors
    /// A host, a device or a server cannot be made.
    pub fn start_as(programs: Programs, shape: &'static Shape) -> Result<Site, String> {
        let lab = &programs.lab;
        let underlay = Underlay::start(lab, Life::WithStarter).map_err(words)?;
        for wire in ["physical", "tunnels", "external"] {
            underlay.wire(wire).map_err(words)?;
        }
        let host = |name: &str| Host::start(lab, name, Life::WithStarter).map_err(words);
        let mut hosts: Vec<Arc<Host>> = Vec::new();
        for machine in shape.machines {
            let started = host(machine.name)?;
            plug_in(&underlay, &started, shape, machine)?;
            hosts.push(Arc::new(started));
        }
        let outside = host("outside")?;
        let wire = if shape.has_own_networks() { "external" } else { "physical" };
        underlay.plug(wire, &outside, "eth0", Some(&format!("{}/24", shape.outside))).map_err(words)?;
        outside.run(&["ip", "address", "add", &format!("{INTERNET}/32"), "dev", "lo"]).map_err(words)?;
        // A switch in userspace takes frames as they are: sums that hardware would have to fill in are wrong there.
        outside.run(&["ethtool", "-K", "eth0", "tx", "off"]).map_err(words)?;
        let of = |name: &str| hosts.iter().find(|host| host.name() == name).cloned();
        let controller = of(CONTROLLER).ok_or("there is no controller")?;
        let (network, compute) = (of(NETWORK), of(COMPUTE).ok_or("there is no compute host")?);
        let (user, password) = shape.rabbitmq;
        let setup = Setup {
            ports: Ports::USUAL,
            bind: Ipv4Addr::UNSPECIFIED,
            durability: Durability::Memory,
            rabbitmq_user: (user.to_owned(), password.to_owned()),
            keystone: keystone_folder().map_err(words)?,
            name: CONTROLLER.to_owned(),
            people: &shape.people,
        };
        let services = Services::start(controller.clone(), setup)?;
        services.endpoint("nova", "compute", shape.nova)?;
        let network = network.unwrap_or_else(|| controller.clone());
        Ok(Site {
            programs,
            underlay,
            shape,
            controller,
            network,
            compute,
            hosts,
            token: OnceLock::new(),
            outside,
            services,
        })
    }

    /// The machines, each once.
    pub fn machines(&self) -> Vec<&Host> {
        self.hosts.iter().map(|host| &**host).collect()
    }

    /// Variables of one who types commands: `admin-openrc.sh`, `demo-openrc.sh`; the password is the name.
    pub fn openrc(&self, user: &str) -> Vec<(String, String)> {
        let mut all = openrc(user, user, user);
        all.retain(|(name, _)| name != "OS_REGION_NAME" || self.shape.region.is_some());
        all
    }

    /// From here on the administrator's commands share a token instead of asking Keystone for one each.
    ///
    /// # Errors
    /// Keystone gives none.
    pub fn share_token(&self) -> Result<(), String> {
        let token = self.services.token("admin", self.shape.people.admin, "admin")?;
        self.token.get_or_init(|| token);
        Ok(())
    }

    /// Variables of the administrator's commands.
    fn admin(&self) -> Vec<(String, String)> {
        let Some(token) = self.token.get() else { return self.openrc("admin") };
        let url = format!("http://{CONTROLLER}:9696");
        [("OS_TOKEN", token.clone()), ("OS_URL", url)].map(|(name, value)| (name.to_owned(), value)).to_vec()
    }

    /// Starts a machine's Open vSwitch, anew if it runs.
    ///
    /// # Errors
    /// It does not answer.
    pub fn restart_switch(&self, host: &Host) -> Result<String, String> {
        vswitch::restart(host)?;
        let machine = self.shape.machines.iter().find(|machine| machine.name == host.name());
        if let Some(address) = machine.and_then(|machine| machine.tunnels) {
            vswitch::tunnels(host, TUNNEL_CARD, address)?;
        }
        Ok("ovsdb-server and ovs-vswitchd run, with the userspace datapath".to_owned())
    }

    /// Puts Neutron onto a host, as its packages would: programs under the names of services, a user, folders.
    ///
    /// # Errors
    /// The host cannot be written to.
    pub fn install(&self, host: &Host) -> Result<(), String> {
        let program = self.programs.neutron.display();
        let links: String =
            NAMES[1..].iter().map(|name| format!("ln -sf neutron {PROGRAMS}/{name}; ")).collect();
        let line = format!(
            "set -e; mkdir -p {PROGRAMS} /etc/neutron/plugins/ml2 /var/log/neutron; touch {PROGRAMS}/neutron; \
             mountpoint -q {PROGRAMS}/neutron || mount --bind {program} {PROGRAMS}/neutron; {links} \
             id neutron >/dev/null 2>&1 || useradd --system --home-dir /var/lib/neutron --shell /sbin/nologin neutron; \
             chown neutron:neutron /var/lib/neutron /var/log/neutron"
        );
        host.sh(&line).map(|_| ()).map_err(words)
    }

    /// Whether Neutron was put onto a host.
    pub fn installed(&self, host: &Host) -> bool {
        host.run(&["test", "-e", &format!("{PROGRAMS}/neutron-server")]).is_ok()
    }

    /// Types a line into a shell on a host, with variables; what it prints on both outputs.
    ///
    /// # Errors
    /// It ends with a status other than 0.
    pub fn type_line(&self, host: &Host, env: &[(String, String)], line: &str) -> Result<String, String> {
        let keystone = keystone_folder().map_err(words)?.join("bin");
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = host.command("sh");
        command.args(["-c", &format!("exec 2>&1; {line}")]).stdin(Stdio::null());
        command.env("PATH", format!("{PROGRAMS}:{path}:{}", keystone.display()));
        command.env("PYTHONWARNINGS", "ignore");
        command.envs(env.iter().map(|(name, value)| (name, value)));
        let done = command.output().map_err(words)?;
        let said = String::from_utf8_lossy(&done.stdout).into_owned();
        if done.status.success() { Ok(said) } else { Err(format!("{line} ({}): {said}", done.status)) }
    }

    /// Starts a service of Neutron's as its unit file says: program, arguments, user.
    ///
    /// # Errors
    /// The unit is not known, or nothing was installed.
    pub fn start_unit(&self, host: &Host, unit: &str) -> Result<(), String> {
        if !self.installed(host) {
            return Err(format!("Failed to start {unit}: Unit not found."));
        }
        let name = unit.trim_end_matches(".service");
        if host.daemon_runs(name) {
            return Ok(());
        }
        // What packages of Juno call it.
        let known = match name {
            "neutron-plugin-openvswitch-agent" => "neutron-openvswitch-agent",
            name => name,
        };
        let file = project().join("etc/systemd").join(format!("{known}.service"));
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('='));
            line.map(|value| value.trim().to_owned())
        };
        let line = value("ExecStart").ok_or_else(|| format!("{}: no ExecStart", file.display()))?;
        let line = line.replace(&format!("/usr/bin/{known}"), &format!("{PROGRAMS}/{name}"));
        let user = value("User").filter(|user| user != "root");
        let mut all: Vec<String> = Vec::new();
        if let Some(user) = user {
            all.extend(
                ["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"].map(str::to_owned),
            );
        }
        all.extend(line.split_whitespace().map(str::to_owned));
        let daemon = Daemon { name: name.to_owned(), words: all, env: Vec::new() };
        host.start_daemon(&daemon).map_err(words)
    }

    /// What a service said last: on standard error, and in the file that its unit names.
    pub fn said(&self, host: &Host, name: &str, lines: usize) -> String {
        let log = name.trim_start_matches("neutron-").trim_start_matches("plugin-");
        let file = format!("/var/log/neutron/{log}.log");
        let logged = host.run(&["tail", "-n", &lines.to_string(), &file]).unwrap_or_default();
        host.daemon_log(name, lines) + &logged
    }

    /// The ends of all logs of Neutron's on all machines.
    pub fn logs(&self, lines: usize) -> String {
        let mut text = String::new();
        for host in self.machines() {
            for name in NAMES {
                let log = self.said(host, name, lines * 4);
                // What files say of options is no clue to what happened since.
                let told: Vec<&str> =
                    log.lines().filter(|line| !line.contains(" neutron.service ")).collect();
                let end = &told[told.len().saturating_sub(lines)..];
                if !end.is_empty() {
                    text.push_str(&format!("--- {name} on {}\n{}\n", host.name(), end.join("\n")));
                }
            }
        }
        text
    }
}

/// A machine's cards, names and way out.
fn plug_in(underlay: &Underlay, host: &Host, shape: &Shape, machine: &Machine) -> Result<(), String> {
    underlay.plug("physical", host, shape.card, Some(&format!("{}/24", machine.address))).map_err(words)?;
    if !shape.has_own_networks() {
        host.run(&["ip", "route", "add", "default", "via", shape.outside]).map_err(words)?;
    }
    if let Some(card) = machine.external {
        underlay.plug("external", host, card, None).map_err(words)?;
    }
    if let Some(address) = machine.tunnels {
        underlay.plug("tunnels", host, TUNNEL_CARD, None).map_err(words)?;
        vswitch::restart(host)?;
        vswitch::tunnels(host, TUNNEL_CARD, address)?;
    }
    host.write("/etc/hosts", &shape.names()).map_err(words)?;
    // Names are found in that file only.
    host.write("/etc/resolv.conf", "").map_err(words)
}

impl Users for Site {
    fn neutron(&self, args: &[&str]) -> Result<String, String> {
        let quoted: Vec<String> =
            args.iter().map(|arg| format!("'{}'", arg.replace('\'', "'\\''"))).collect();
        let line = format!("neutron {}", quoted.join(" "));
        self.type_line(&self.controller, &self.admin(), &line)
    }

    fn host(&self, name: &str) -> &Host {
        match name {
            // Whose prompt it is in the Juno guide.
            "outside" | "PowerfulDash" => &self.outside,
            _ => self.hosts.iter().find(|host| host.name() == name).unwrap_or(&self.controller),
        }
    }

    fn lab(&self) -> (&Path, Life) {
        (&self.programs.lab, Life::WithStarter)
    }

    fn log_end(&self) -> String {
        self.logs(15)
    }
}
