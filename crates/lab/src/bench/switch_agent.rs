//! Two Open vSwitch agents in one run, this project's and Neutron's own of 29: 200 ports of one security group that
//! are on a host's integration bridge when the agent starts, and a rule that is added to their group afterwards.
//!
//! The cloud is that of `lab interop`: our server with MariaDB and RabbitMQ, tunnels with l2population, the firewall
//! in flows. The host is cold each time: its switch has nothing but the ports, as Nova plugs them, and their status
//! is DOWN. The subnets have no DHCP, so that nobody but the agent decides when a port is ACTIVE.

use super::process::{self, Usage, usage};
use super::table::Table;
use crate::cloud::Programs;
use crate::flow_watch::{Changes, FlowWatch};
use crate::guide::instances::default_group;
use crate::host::Host;
use crate::instance::tap_of;
use crate::interop;
use crate::interop::python::{self, AGENTS, Agent, Release};
use crate::interop::wiring::Wiring;
use crate::report::{within, words};
use crate::services::http::Target;
use crate::site::{COMPUTE, Site};
use crate::users::Users;
use serde_json::{Value, json};
use std::fmt::Write;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Neutron's API.
const API_PORT: u16 = 9696;
const NETWORKS: usize = 10;
const PORTS_PER_NETWORK: usize = 20;
/// Requests at once, where time is not what is measured.
const CLIENTS: usize = 8;
/// How long everything may take before it counts as failed.
const WIRED_MAX: Duration = Duration::from_secs(600);
/// Between two looks whether the ports are ACTIVE.
const LOOK: Duration = Duration::from_millis(50);
/// What a moment took of memory is given back by then.
const SETTLED: Duration = Duration::from_secs(12);
/// Flows that do not change for so long have all been changed.
const QUIET: Duration = Duration::from_secs(10);
const OURS: &str = "neutron-openvswitch-agent";
/// Where the host finds our program.
const PROGRAM: &str = "/run/lab/bin/neutron";

/// Whose agent it is.
enum Whose {
    Ours,
    Python(&'static Agent),
}

/// What one agent did.
struct Side {
    wired: f64,
    usage: Usage,
    settled: Usage,
    switch: Duration,
    flows: usize,
    rule: (Changes, f64),
    member: (Changes, f64),
}

/// A port and its device.
struct Place {
    port: String,
    mac: String,
}

/// What is the same for both.
struct Bench {
    site: Site,
    target: Target,
    places: Vec<Place>,
    group: String,
    /// One of the ports' networks.
    network: String,
}

/// Measures, when it has to be `quick` only ours; needs root, the services' programs and Neutron's own of 29.
///
/// # Errors
/// The cloud does not start, or something is not wired.
pub fn run(quick: bool) -> io::Result<Table> {
    let mut table = Table::new(process::machine()?);
    let done = Bench::new().and_then(|bench| {
        let told = |why: String| format!("{why}\n{}", bench.site.logs(12));
        let theirs = AGENTS.iter().find(|agent| agent.switches() && agent.on == COMPUTE);
        let theirs = theirs.ok_or("Python has no agent for this host")?;
        let ours = bench.measure(&Whose::Ours).map_err(told)?;
        let python = || {
            bench.measure(&Whose::Python(theirs)).map_err(|why| {
                let log = bench.site.compute.daemon_log(&theirs.python(), 20);
                format!("{}\n{log}", told(why))
            })
        };
        let python = if quick { None } else { Some(python()?) };
        compare(&mut table, &ours, python.as_ref());
        Ok(())
    });
    done.map_err(io::Error::other)?;
    Ok(table)
}

fn compare(table: &mut Table, ours: &Side, python: Option<&Side>) {
    let count = NETWORKS * PORTS_PER_NETWORK;
    let mut line = |what: &str, aim: &str, figure: &dyn Fn(&Side) -> String| {
        table.add(what, figure(ours), aim, &python.map(figure).unwrap_or_default());
    };
    let what = format!("{count} ports on {NETWORKS} networks, from the agent's start until all are ACTIVE");
    line(&what, "", &|side| format!("{:.2} s", side.wired));
    line("  the agent's CPU", "", &|side| format!("{:.2} s", side.usage.cpu.as_secs_f64()));
    line("  ovs-vswitchd's CPU meanwhile", "", &|side| format!("{:.2} s", side.switch.as_secs_f64()));
    line("  flows of the integration bridge for them", "", &|side| side.flows.to_string());
    line("  memory (PSS) when they are wired", "< 20 MiB", &|side| {
        let Usage { count, pss_mib, .. } = side.settled;
        format!("{pss_mib:.1} MiB in {count}")
    });
    line("  most resident memory on the way", "", &|side| format!("{:.1} MiB", side.settled.highest_mib));
    let changed = |(changes, took): (Changes, f64)| format!("{changes}, the last after {took:.2} s");
    let what = format!("a rule more in the group of these {count}: flows that change");
    line(&what, &format!("{}", 2 * count), &|side| changed(side.rule));
    let what = "a member more in that group, elsewhere: flows that change";
    line(what, &format!("{}", 2 * NETWORKS), &|side| changed(side.member));
    if let Some(python) = python {
        let times = format!("{:.0} times as fast", python.wired / ours.wired);
        table.add(format!("these {count} ports, ours beside Python's"), times, "10 times", "");
    }
}

impl Bench {
    /// The cloud with the ports bound, and their devices on the host.
    fn new() -> Result<Bench, String> {
        Release::V29.installed()?;
        let site = interop::on_switches(&Programs::beside_this_one().map_err(words)?)?;
        python::configure(&site, Wiring::OpenVswitch)?;
        let host = &site.compute;
        host.sh(&format!("sed -i 's/^debug = .*/debug = false/' {}", python::CONF)).map_err(words)?;
        let target = Target {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, API_PORT)),
            prefix: "/v2.0".to_owned(),
            token: Some(site.services.token("admin", "admin", "admin")?),
        };
        let project = site.field(&["net-show", "public"], "tenant_id")?;
        let quotas = ["port", "network", "subnet"].map(|of| [format!("--{of}"), "-1".to_owned()]).concat();
        let mut line = vec!["quota-update", "--tenant-id", &project];
        line.extend(quotas.iter().map(String::as_str));
        site.neutron(&line)?;
        let group = default_group(&site, &project)?;
        let mut bench = Bench { site, target, places: Vec::new(), group, network: String::new() };
        bench.prepare()?;
        Ok(bench)
    }

    fn post(&self, path: &str, body: &Value) -> Result<Value, String> {
        self.target.ask(&self.site.controller, "POST", path, Some(body)).map(|answer| answer.json())
    }

    fn host(&self) -> &Host {
        &self.site.compute
    }

    /// Networks, subnets, ports and their devices; a program of the host's own, which nobody shares pages with.
    fn prepare(&mut self) -> Result<(), String> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        for n in 0..NETWORKS {
            let made = self.post("/networks", &json!({"network": {"name": format!("bench{n}")}}))?;
            let network = text(&made["network"]["id"]);
            let subnet = json!({"subnet": {"network_id": network, "cidr": format!("10.{}.0.0/16", 60 + n),
                "ip_version": 4, "enable_dhcp": false}});
            self.post("/subnets", &subnet)?;
            self.network.clone_from(&network);
            let port = json!({"network_id": network, "device_owner": "compute:nova"});
            let made = self.post("/ports", &json!({"ports": vec![port; PORTS_PER_NETWORK]}))?;
            for port in made["ports"].as_array().into_iter().flatten() {
                self.places.push(Place { port: text(&port["id"]), mac: text(&port["mac_address"]) });
            }
        }
        let mut lines = String::new();
        for tap in self.places.iter().map(|place| tap_of(&place.port)) {
            let peer = tap.replacen("tap", "vif", 1);
            // Writing to a String cannot fail.
            let _ = writeln!(
                lines,
                "link add {tap} type veth peer name {peer}\nlink set {peer} up\nlink set {tap} up"
            );
        }
        let host = self.host();
        host.write("/run/bench-taps", &lines).map_err(words)?;
        host.run(&["ip", "-batch", "/run/bench-taps"]).map_err(words)?;
        host.end_daemon(OURS, "TERM").map_err(words)?;
        let line = format!("cp {PROGRAM} {PROGRAM}.own && umount {PROGRAM} && mv {PROGRAM}.own {PROGRAM}");
        host.sh(&line).map(|_| ()).map_err(words)
    }

    /// A switch with the ports and nothing else, and ports that are DOWN.
    fn cool(&self) -> Result<(), String> {
        let host = self.host();
        host.end_daemon("ovs-vswitchd", "KILL").map_err(words)?;
        host.sh("rm -f /etc/openvswitch/lab.db; ip link delete br-int 2>/dev/null; true").map_err(words)?;
        host.end_daemon("ovsdb-server", "KILL").map_err(words)?;
        Wiring::OpenVswitch.switch(host)?;
        let mut line =
            "set -e; ovs-vsctl --timeout=120 add-br br-int -- set bridge br-int datapath_type=netdev \
                        fail_mode=secure"
                .to_owned();
        for place in &self.places {
            let (tap, Place { port, mac }) = (tap_of(&place.port), place);
            // Writing to a String cannot fail.
            let _ = write!(
                line,
                " -- add-port br-int {tap} -- set interface {tap} external-ids:iface-id={port} \
                 external-ids:iface-status=active external-ids:attached-mac={mac}"
            );
        }
        host.write("/run/bench-ports", &line).map_err(words)?;
        host.run(&["sh", "/run/bench-ports"]).map_err(words)?;
        for on in ["", COMPUTE] {
            self.bind(on)?;
        }
        match self.active()? {
            0 => Ok(()),
            active => Err(format!("{active} ports are ACTIVE before an agent has wired them")),
        }
    }

    /// Binds all ports to a host, or to none; some clients at once.
    fn bind(&self, on: &str) -> Result<(), String> {
        let next = AtomicUsize::new(0);
        let body = json!({"port": {"binding:host_id": on}});
        let client = || -> Result<(), String> {
            while let Some(place) = self.places.get(next.fetch_add(1, Ordering::Relaxed)) {
                let path = format!("/ports/{}", place.port);
                let answer = self.target.ask(&self.site.controller, "PUT", &path, Some(&body))?;
                let kind = &answer.json()["port"]["binding:vif_type"];
                if kind != if on.is_empty() { "unbound" } else { "ovs" } {
                    return Err(format!("PUT {path}: the port's binding is {kind}"));
                }
            }
            Ok(())
        };
        std::thread::scope(|scope| {
            let clients: Vec<_> = (0..CLIENTS).map(|_| scope.spawn(client)).collect();
            clients
                .into_iter()
                .try_for_each(|client| client.join().unwrap_or_else(|_| Err("a client broke".to_owned())))
        })
    }

    /// How many ports are ACTIVE. The database is asked, so that the server has nothing to do with it.
    fn active(&self) -> Result<usize, String> {
        let sql =
            "SELECT COUNT(*) FROM neutron.ports WHERE status = 'ACTIVE' AND device_owner = 'compute:nova'";
        self.site.services.sql(sql)?.trim().parse().map_err(words)
    }

    fn measure(&self, whose: &Whose) -> Result<Side, String> {
        self.cool()?;
        let host = self.host();
        let (name, program) = match whose {
            Whose::Ours => (OURS.to_owned(), format!("bin/{OURS}")),
            Whose::Python(agent) => (agent.python(), format!("neutron-{}/bin/", agent.release.name())),
        };
        let used = |program: &str| usage(host, program).map_err(words);
        let before = used("ovs-vswitchd")?.cpu;
        let begin = Instant::now();
        match whose {
            Whose::Ours => self.site.start_unit(host, &format!("{OURS}.service"))?,
            Whose::Python(agent) => host.start_daemon(&agent.daemon()?).map_err(words)?,
        }
        let active = loop {
            std::thread::sleep(LOOK);
            let active = self.active()?;
            if active == self.places.len() || begin.elapsed() > WIRED_MAX {
                break active;
            }
        };
        let wired = begin.elapsed().as_secs_f64();
        if active < self.places.len() {
            return Err(format!("{name}: {active} of {} ports are ACTIVE", self.places.len()));
        }
        let (usage, switch) = (used(&program)?, used("ovs-vswitchd")?.cpu - before);
        std::thread::sleep(SETTLED);
        let settled = used(&program)?;
        let flows = host.sh("ovs-ofctl -O OpenFlow14 dump-flows br-int").map_err(words)?;
        let flows = flows.lines().filter(|line| line.contains("cookie=")).count();
        let (rule, member) = (self.rule()?, self.member()?);
        host.end_daemon(&name, "KILL").map_err(words)?;
        Ok(Side { wired, usage, settled, switch, flows, rule, member })
    }

    /// Adds a rule to the ports' group, and takes it away again.
    fn rule(&self) -> Result<(Changes, f64), String> {
        self.changed(|| {
            let rule = json!({"security_group_rule": {"security_group_id": self.group, "direction": "ingress",
                "ethertype": "IPv4", "protocol": "tcp", "port_range_min": 80, "port_range_max": 80}});
            let made = self.post("/security-group-rules", &rule)?;
            let id = made["security_group_rule"]["id"].as_str().unwrap_or_default();
            Ok(format!("/security-group-rules/{id}"))
        })
    }

    /// Makes a port of the group that is nowhere, so that its address is one of the group's only.
    fn member(&self) -> Result<(Changes, f64), String> {
        self.changed(|| {
            let port = json!({"port": {"network_id": self.network, "security_groups": [self.group]}});
            let made = self.post("/ports", &port)?;
            Ok(format!("/ports/{}", made["port"]["id"].as_str().unwrap_or_default()))
        })
    }

    /// Makes something, whose path is returned: which flows change for it, and until when. Deletes it again.
    fn changed(&self, make: impl FnOnce() -> Result<String, String>) -> Result<(Changes, f64), String> {
        let watch = FlowWatch::start(self.host(), "br-int")?;
        let begin = Instant::now();
        let path = make()?;
        let (mut seen, mut last) = (0, None);
        loop {
            std::thread::sleep(LOOK);
            let count = watch.changes()?.count();
            if count > seen {
                (seen, last) = (count, Some(begin.elapsed()));
            }
            let idle = begin.elapsed() - last.unwrap_or_default();
            if idle > if last.is_some() { QUIET } else { WIRED_MAX } {
                break;
            }
        }
        let last = last.ok_or("no flow changes")?;
        let changes = watch.changes()?;
        self.target.ask(&self.site.controller, "DELETE", &path, None)?;
        // Nothing is left of it when the next one begins.
        let mut before = changes;
        within(WIRED_MAX, || {
            std::thread::sleep(QUIET);
            let now = watch.changes()?;
            let still = now == changes || std::mem::replace(&mut before, now) != now;
            if still { Err("flows still change".to_owned()) } else { Ok(()) }
        })?;
        Ok((changes, last.as_secs_f64()))
    }
}
