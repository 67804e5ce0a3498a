//! Instances: hosts of their own whose only card is plugged into the controller as Nova plugs a virtual machine's.

use std::net::IpAddr;
use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use crate::cloud::CONTROLLER;
use crate::host::Host;
use crate::report::{within, words};
use crate::users::Users;

/// How many characters of a port's id its tap's name holds.
const TAP_ID_CHARS: usize = 11;
/// How long a port may take to become ACTIVE.
const ACTIVE_MAX: Duration = Duration::from_secs(10);
/// How long a DHCP client may take, in seconds.
const LEASE_SECONDS_MAX: &str = "20";

/// A port made for an instance, and the device it is plugged in by.
#[derive(Clone, Debug)]
pub struct Plug {
    /// The port's id.
    pub port: String,
    /// Its MAC address.
    pub mac: String,
    /// Its addresses.
    pub ips: Vec<IpAddr>,
    /// The instance's id.
    pub device: String,
    /// What the server asks Nova to do.
    pub vif: Vif,
    /// The host it is bound to, by its name.
    pub on: String,
}

/// How a card is plugged into its host: what the server says in `binding:vif_type` and `binding:vif_details`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vif {
    /// The L2 agent finds the tap by its name.
    Bridge,
    /// The tap is a port of br-int.
    Ovs,
    /// The tap is on a bridge of its own, which a pair connects with br-int.
    OvsHybrid,
}

impl Vif {
    fn of(port: &Value) -> Vif {
        match (port["binding:vif_type"].as_str(), &port["binding:vif_details"]["ovs_hybrid_plug"]) {
            (Some("ovs"), Value::Bool(true)) => Vif::OvsHybrid,
            (Some("ovs"), _) => Vif::Ovs,
            _ => Vif::Bridge,
        }
    }
}

impl Plug {
    /// Makes a port for an instance on the controller, as Nova does.
    ///
    /// # Errors
    /// Neutron refuses.
    pub fn create(cloud: &dyn Users, network: &str, name: &str, more: &[&str]) -> Result<Self, String> {
        Self::create_on(cloud, CONTROLLER, network, name, more)
    }

    /// Makes a port for an instance on a host.
    ///
    /// # Errors
    /// Neutron refuses.
    pub fn create_on(
        cloud: &dyn Users,
        host: &str,
        network: &str,
        name: &str,
        more: &[&str],
    ) -> Result<Self, String> {
        let device = uuid()?;
        let mut args = vec!["port-create", network, "--name", name, "--device-id", &device];
        args.extend(["--device-owner", "compute:nova"]);
        args.extend(more);
        args.extend(["--binding:host_id", host]);
        let port = cloud.object(&args)?;
        let text = |key: &str| port[key].as_str().unwrap_or_default().to_owned();
        let ips = port["fixed_ips"].as_array().into_iter().flatten();
        let ips = ips.filter_map(|ip| ip["ip_address"].as_str()?.parse().ok()).collect();
        Ok(Self {
            port: text("id"),
            mac: text("mac_address"),
            ips,
            device: device.clone(),
            vif: Vif::of(&port),
            on: host.to_owned(),
        })
    }

    /// What Nova does with the tap: it makes a port of Open vSwitch of it, or of what it is connected with.
    ///
    /// # Errors
    /// The host's Open vSwitch refuses.
    fn plug_into(&self, host: &Host) -> Result<(), String> {
        let id: String = self.port.chars().take(TAP_ID_CHARS).collect();
        let on_switch = match self.vif {
            Vif::Bridge => return Ok(()),
            Vif::Ovs => self.tap(),
            Vif::OvsHybrid => {
                let line = format!(
                    "set -e; ip link add qbr{id} type bridge mcast_snooping 0 ageing_time 0; \
                     sysctl -qw net.ipv6.conf.qbr{id}.disable_ipv6=1; ip link set qbr{id} up; \
                     ip link add qvb{id} type veth peer name qvo{id}; ip link set qvb{id} up promisc on; \
                     ip link set qvo{id} up promisc on; ip link set qvb{id} master qbr{id}; \
                     ip link set tap{id} master qbr{id}"
                );
                host.sh(&line).map_err(words)?;
                format!("qvo{id}")
            }
        };
        let (port, mac, device) = (&self.port, &self.mac, &self.device);
        let line = format!(
            "ovs-vsctl --timeout=10 -- --may-exist add-port br-int {on_switch} -- set Interface {on_switch} \
             external-ids:iface-id={port} external-ids:iface-status=active external-ids:attached-mac={mac} \
             external-ids:vm-uuid={device}"
        );
        host.sh(&line).map(|_| ()).map_err(words)
    }

    /// What Nova undoes, and the port's end.
    ///
    /// # Errors
    /// Neutron or the host refuses.
    fn unplug(&self, cloud: &dyn Users) -> Result<(), String> {
        let id: String = self.port.chars().take(TAP_ID_CHARS).collect();
        let line = match self.vif {
            Vif::Bridge => format!("ip link del tap{id}"),
            Vif::Ovs => format!("ovs-vsctl --timeout=10 del-port br-int tap{id}; ip link del tap{id}"),
            Vif::OvsHybrid => format!(
                "ovs-vsctl --timeout=10 del-port br-int qvo{id}; for device in tap{id} qvb{id} qbr{id}; do \
                 ip link del $device; done"
            ),
        };
        cloud.host(&self.on).sh(&line).map_err(words)?;
        cloud.neutron(&["port-delete", &self.port]).map(|_| ())
    }

    /// Its devices on its host: tap, and what stands between that and the switch.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn devices(&self, host: &Host) -> Result<Vec<String>, String> {
        let tap = self.tap();
        let id = tap.trim_start_matches("tap");
        let all = host.run(&["ls", "/sys/class/net"]).map_err(words)?;
        Ok(all.split_whitespace().filter(|name| name.ends_with(id)).map(str::to_owned).collect())
    }

    /// The name of the device on the controller.
    pub fn tap(&self) -> String {
        tap_of(&self.port)
    }

    /// Its IPv4 address; empty if it has none.
    pub fn ipv4(&self) -> String {
        self.ips.iter().find(|ip| ip.is_ipv4()).map(IpAddr::to_string).unwrap_or_default()
    }

    /// Waits until the port is ACTIVE.
    ///
    /// # Errors
    /// It does not become so.
    pub fn wait_active(&self, cloud: &dyn Users) -> Result<(), String> {
        within(ACTIVE_MAX, || {
            let status = cloud.field(&["port-show", &self.port, "-F", "status"], "status")?;
            if status == "ACTIVE" { Ok(()) } else { Err(format!("port {} is {status}", self.port)) }
        })
        .map_err(|why| format!("{why}\n{}", cloud.log_end()))
    }
}

/// The name of a port's device.
pub fn tap_of(port: &str) -> String {
    format!("tap{}", port.chars().take(TAP_ID_CHARS).collect::<String>())
}

/// An instance made of namespaces.
pub struct Instance {
    /// Its inside.
    pub host: Host,
    /// Its port.
    pub plug: Plug,
}

impl Instance {
    /// Makes a port, starts a host, plugs one into the other, and waits until the port is ACTIVE.
    ///
    /// # Errors
    /// Neutron refuses, a device cannot be made, or the port does not become ACTIVE.
    pub fn boot(cloud: &dyn Users, network: &str, name: &str, more: &[&str]) -> Result<Self, String> {
        Self::boot_on(cloud, CONTROLLER, network, name, more)
    }

    /// As [`Instance::boot`], on a host by its name.
    ///
    /// # Errors
    /// As [`Instance::boot`].
    pub fn boot_on(
        cloud: &dyn Users,
        on: &str,
        network: &str,
        name: &str,
        more: &[&str],
    ) -> Result<Self, String> {
        let plug = Plug::create_on(cloud, on, network, name, more)?;
        let (lab, life) = cloud.lab();
        let host = Host::start(lab, name, life).map_err(words)?;
        let place = cloud.host(on);
        let made = Command::new("nsenter")
            .args(["-t", &place.pid().to_string(), "-n", "ip", "link", "add", &plug.tap()])
            .args(["type", "veth", "peer", "name", "eth0", "address", &plug.mac])
            .args(["netns", &host.pid().to_string()])
            .output()
            .map_err(words)?;
        if !made.status.success() {
            return Err(String::from_utf8_lossy(&made.stderr).into_owned());
        }
        place.run(&["ip", "link", "set", &plug.tap(), "up"]).map_err(words)?;
        host.run(&["ip", "link", "set", "eth0", "up"]).map_err(words)?;
        if plug.vif != Vif::Bridge {
            // A switch in userspace takes frames as they are: sums that hardware would fill in are wrong there.
            host.run(&["ethtool", "-K", "eth0", "tx", "off"]).map_err(words)?;
        }
        plug.plug_into(place)?;
        plug.wait_active(cloud)?;
        Ok(Self { host, plug })
    }

    /// Ends it, and its port.
    ///
    /// # Errors
    /// Neutron or its host refuses.
    pub fn remove(self, cloud: &dyn Users) -> Result<(), String> {
        self.plug.unplug(cloud)
    }

    /// Runs a DHCP client until it has a lease; returns what the client said.
    ///
    /// # Errors
    /// There is none in time.
    pub fn lease(&self) -> Result<String, String> {
        let client =
            "mkdir -p /var/lib/dhcp; dhclient -1 -v -pf /run/dhclient.pid -lf /var/lib/dhcp/lease eth0 2>&1";
        self.host.run(&["timeout", LEASE_SECONDS_MAX, "sh", "-c", client]).map_err(words)
    }

    /// Ends the DHCP client without giving the lease back, and forgets the lease.
    ///
    /// # Errors
    /// The instance cannot be entered.
    pub fn forget_lease(&self) -> Result<(), String> {
        let line = "test ! -e /run/dhclient.pid || kill $(cat /run/dhclient.pid); rm -f /run/dhclient.pid \
                    /var/lib/dhcp/lease; ip -4 address flush dev eth0";
        self.host.sh(line).map(|_| ()).map_err(words)
    }

    /// Pings an address a few times; returns the summary line.
    ///
    /// # Errors
    /// An answer is missing.
    pub fn ping(&self, address: &str) -> Result<String, String> {
        ping(&self.host, address)
    }

    /// Its IPv4 address.
    pub fn ipv4(&self) -> String {
        self.plug.ipv4()
    }

    /// Details of its card: address, MTU, routes, in one line each.
    ///
    /// # Errors
    /// The instance cannot be entered.
    pub fn card(&self) -> Result<Value, String> {
        let out = self.host.run(&["ip", "-j", "address", "show", "dev", "eth0"]).map_err(words)?;
        let cards: Value = serde_json::from_str(&out).map_err(words)?;
        Ok(cards[0].clone())
    }
}

/// Pings an address from a host until three answers in a row came; the first may take a while, as ARP does.
///
/// # Errors
/// They did not come.
pub fn ping(host: &Host, address: &str) -> Result<String, String> {
    const TRY_MAX: Duration = Duration::from_secs(5);
    within(TRY_MAX, || {
        let out = host.run(&["ping", "-c", "3", "-i", "0.1", "-W", "1", address]).map_err(short)?;
        // One answer is enough for ping.
        if out.contains(" 3 received") { Ok(summary(out)) } else { Err(summary(out)) }
    })
}

/// Pings an address and expects nothing back.
///
/// # Errors
/// Something came back.
pub fn ping_in_vain(host: &Host, args: &[&str]) -> Result<String, String> {
    let mut words = vec!["ping", "-c", "3", "-i", "0.2", "-W", "1"];
    words.extend(args);
    match host.run(&words) {
        Ok(out) => Err(format!("answers came: {}", summary(out))),
        Err(error) => Ok(short(error)),
    }
}

fn summary(out: String) -> String {
    let lines: Vec<&str> =
        out.lines().filter(|line| line.contains("packets transmitted") || line.starts_with("rtt")).collect();
    if lines.is_empty() { out } else { lines.join("; ") }
}

/// What ping said, in short.
fn short(error: impl std::fmt::Display) -> String {
    let text = error.to_string();
    let line = text.lines().find(|line| line.contains("packets transmitted"));
    line.map_or(text.clone(), str::to_owned)
}

fn uuid() -> Result<String, String> {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/uuid").map_err(words)?;
    Ok(text.trim().to_owned())
}
