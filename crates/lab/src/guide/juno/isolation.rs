//! Two tenants with the same addresses on the same hosts: what one sends, however it forges it, appears on no device
//! of the other's on any host.

use std::collections::BTreeSet;

use crate::frames::{Capture, Marks, Place, mark, send};
use crate::guide::instances::WIRED_MAX;
use crate::host::Host;
use crate::instance::Instance;
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, COMPUTE2, Site};
use crate::users::Users;

/// Both tenants' addresses.
const CIDR: &str = "10.9.9.0/24";
/// Where tunnels leave a host.
const TUNNEL_CARD: &str = "eth1";
/// Marks below are the first tenant's.
const SECOND_MIN: u8 = 50;
/// The mark of a question by ARP.
const QUESTION: u8 = 5;
/// The local VLANs that are tried: each host counts them from 1.
const VLANS: u8 = 12;

/// How frames of the networks pass from host to host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    /// GRE with the network's number as its key.
    Gre,
    /// VXLAN; where the switch answers questions of ARP itself, these do not travel.
    Vxlan {
        /// Whether it does.
        arp_responder: bool,
    },
    /// A VLAN of the external network's wire.
    Vlan,
}

impl Carrier {
    fn word(self) -> &'static str {
        match self {
            Carrier::Gre => "gre",
            Carrier::Vxlan { .. } => "vxlan",
            Carrier::Vlan => "vlan",
        }
    }

    /// What names a network's frames on the card they leave a host by, for tcpdump.
    fn expression(self, number: u32) -> String {
        match self {
            // A key stands behind the first four octets of GRE.
            Carrier::Gre => format!("proto gre and ip[24:4] = {number}"),
            Carrier::Vxlan { .. } => format!("udp dst port 4789 and ip[32:4] = {}", number << 8),
            Carrier::Vlan => format!("vlan {number}"),
        }
    }

    /// Of the flood's marks those that must come out at the sender's own other instance.
    fn arrives(self) -> Vec<u8> {
        let answered = self == Carrier::Vxlan { arp_responder: true };
        [1, 4, 5, 6, 7, 8, 11].into_iter().filter(|mark| !answered || *mark != QUESTION).collect()
    }

    /// The card of a host.
    fn card(self, host: &Host) -> &'static str {
        match (self, host.name()) {
            (Carrier::Vlan, "network") => "INTERFACE_NAME",
            (Carrier::Vlan, _) => "eth2",
            _ => TUNNEL_CARD,
        }
    }
}

/// A tenant's network with an instance on each compute host; nothing but the network keeps them from anybody.
struct Tenant {
    network: String,
    number: u32,
    near: Instance,
    far: Instance,
}

impl Tenant {
    fn boot(site: &Site, name: &str, carrier: Carrier) -> Result<Tenant, String> {
        let net = format!("{name}-{}", carrier.word());
        let mut args = vec!["net-create", &net, "--provider:network_type", carrier.word()];
        if carrier == Carrier::Vlan {
            args.extend(["--provider:physical_network", "external"]);
        }
        let made = site.object(&args)?;
        site.neutron(&["subnet-create", &net, CIDR, "--name", &net])?;
        let boot = |name: &str, on: &str, last: &str| {
            let address = format!("ip_address=10.9.9.{last}");
            let more = ["--fixed-ip", &address, "--no-security-groups", "--port_security_enabled=False"];
            let instance = Instance::boot_on(site, on, &net, name, &more)?;
            let line = format!("ip address add 10.9.9.{last}/24 dev eth0");
            instance.host.sh(&line).map_err(words)?;
            Ok::<_, String>(instance)
        };
        Ok(Tenant {
            number: made["provider:segmentation_id"].to_string().trim_matches('"').parse().map_err(words)?,
            network: made["id"].as_str().unwrap_or_default().to_owned(),
            near: boot(&format!("{name}1"), COMPUTE, "11")?,
            far: boot(&format!("{name}2"), COMPUTE2, "12")?,
        })
    }

    fn instances(&self) -> [&Instance; 2] {
        [&self.near, &self.far]
    }

    /// Every device of the network on every host: those of instances, their cards, those of its DHCP server.
    fn places<'a>(&'a self, site: &'a Site) -> Result<Vec<(&'a Host, Place)>, String> {
        let mut all = Vec::new();
        for instance in self.instances() {
            let host = site.host(&instance.plug.on);
            all.extend(instance.plug.devices(host)?.iter().map(|device| (host, Place::of(device))));
            all.push((&instance.host, Place::of("eth0")));
        }
        let netns = format!("qdhcp-{}", self.network);
        // `ip netns exec` has another /sys than the host.
        let names = || {
            let said = site.network.run_in(&netns, &["ls", "/sys/class/net"]).map_err(words)?;
            let names: Vec<String> =
                said.split_whitespace().filter(|name| *name != "lo").map(str::to_owned).collect();
            if names.is_empty() { Err(format!("{netns} is empty")) } else { Ok(names) }
        };
        for device in within(WIRED_MAX, names)? {
            all.push((&site.network, Place { netns: Some(netns.clone()), device }));
        }
        Ok(all)
    }

    fn remove(self, site: &Site) -> Result<(), String> {
        self.near.remove(site)?;
        self.far.remove(site)?;
        site.neutron(&["net-delete", &self.network]).map(|_| ())
    }
}

/// Two tenants that know nothing of each other.
pub struct Tenants {
    red: Tenant,
    blue: Tenant,
}

impl Tenants {
    /// Opens a section with a network and two instances for each.
    ///
    /// # Errors
    /// Something is refused, or they do not reach their own.
    pub fn boot(site: &Site, report: &mut Report, carrier: Carrier, title: &str) -> Result<Self, String> {
        report.section(&format!("Tenants apart: {title}"));
        let mut made = None;
        let tries = format!(
            "two tenants, {CIDR} each, on {} networks, an instance of each on both compute hosts, no port security",
            carrier.word()
        );
        report.step(&tries, "each reaches its own", || {
            let (red, blue) = (Tenant::boot(site, "red", carrier)?, Tenant::boot(site, "blue", carrier)?);
            let said = (red.near.ping("10.9.9.12")?, blue.near.ping("10.9.9.12")?);
            made = Some(Tenants { red, blue });
            Ok(format!("red: {}\nblue: {}", said.0, said.1))
        });
        made.ok_or_else(|| "there are no two tenants".to_owned())
    }

    /// Each sends whatever it can while all of the other's devices, on every host, are watched.
    pub fn flood(&self, site: &Site, report: &mut Report, carrier: Carrier) {
        let Tenants { red, blue } = self;
        let arrives = carrier.arrives();
        let tries =
            "red floods unicast, broadcast, multicast, forged and tagged frames; tcpdump on every host";
        let expects = "all of it that is no lie reaches red's other instance, nothing is on any of blue's devices, and no \
                       packet between hosts carries it under blue's number";
        report.step(tries, expects, || flooded(site, carrier, (red, blue), &flood(red, blue), &arrives));
        report.step("blue floods in turn", "the same the other way round", || {
            let calls: Vec<String> = flood(blue, red).iter().map(|call| moved(call)).collect();
            let arrives: Vec<u8> = arrives.iter().map(|mark| mark + SECOND_MIN).collect();
            flooded(site, carrier, (blue, red), &calls, &arrives)
        });
    }

    /// Their end.
    ///
    /// # Errors
    /// Neutron or a host refuses.
    pub fn remove(self, site: &Site) -> Result<(), String> {
        self.red.remove(site)?;
        self.blue.remove(site)
    }
}

/// A call with the second tenant's mark in place of the first's.
fn moved(call: &str) -> String {
    let Some((head, tail)) = call.split_once("'mark") else { return call.to_owned() };
    let number = tail.get(..2).and_then(|digits| digits.parse::<u8>().ok()).unwrap_or_default();
    format!("{head}'{}{}", mark(number + SECOND_MIN), tail.get(3..).unwrap_or_default())
}

/// What the first instance of a tenant sends: to its own, to the other tenant's instances on both hosts, to everybody.
fn flood(from: &Tenant, to: &Tenant) -> Vec<String> {
    let mac = |instance: &Instance| instance.plug.mac.clone();
    let (me, own, near, far) = (mac(&from.near), mac(&from.far), mac(&to.near), mac(&to.far));
    let all = "ff:ff:ff:ff:ff:ff";
    let udp = |number: u8, src: &str, dst: &str, target: &str| {
        format!("udp('{src}', '{dst}', '10.9.9.11', '{target}', 4000, 4000, '{}')", mark(number))
    };
    let six = |number: u8, dst: &str, target: &str| {
        format!("udp('{me}', '{dst}', 'fe80::1', '{target}', 4000, 4000, '{}')", mark(number))
    };
    let other =
        |number: u8, dst: &str, kind: u16| format!("other('{me}', '{dst}', {kind}, '{}')", mark(number));
    let mut calls = vec![
        udp(1, &me, &own, "10.9.9.12"),
        udp(2, &me, &near, "10.9.9.11"),
        udp(3, &me, &far, "10.9.9.12"),
        udp(4, &me, "fa:16:3e:99:99:99", "10.9.9.99"),
        format!("arp('{me}', '10.9.9.11', '10.9.9.12', data='{}')", mark(QUESTION)),
        udp(6, &me, all, "255.255.255.255"),
        udp(7, &me, "01:00:5e:00:00:fb", "224.0.0.251"),
        six(8, "33:33:00:00:00:01", "ff02::1"),
        // As if the other tenant's instances were here.
        format!("arp('{near}', '10.9.9.11', '10.9.9.11', data='{}')", mark(9)),
        udp(10, &far, all, "10.9.9.255"),
        other(11, all, 0x88b5),
        other(12, "01:80:c2:00:00:0e", 0x88cc),
    ];
    // Tags of the other's local VLAN, whatever that is, and of its number between the hosts.
    let vlans = (0..=VLANS).map(|vlan| (u32::from(vlan), 20 + vlan));
    let number = to.number & 0xfff;
    calls.extend(
        vlans
            .chain([(number, 40)])
            .map(|(vlan, at)| format!("tagged({vlan}, {})", udp(at, &me, all, "10.9.9.255"))),
    );
    calls.push(format!("tagged({number}, tagged(1, {}))", udp(41, &me, all, "10.9.9.255")));
    calls
}

/// Sends with captures at every device of the other tenant's, at the sender's own, on all cards between the hosts, and outside.
fn flooded(
    site: &Site,
    carrier: Carrier,
    (from, to): (&Tenant, &Tenant),
    calls: &[String],
    arrives: &[u8],
) -> Result<String, String> {
    let machines: Vec<&Host> =
        site.machines().into_iter().filter(|host| host.name() != "controller").collect();
    let wires = machines.iter().map(|host| (*host, Place::of(carrier.card(host)))).collect();
    let (theirs, wires) = (Capture::start(to.places(site)?)?, Capture::start(wires)?);
    let own = Capture::start(vec![(&from.far.host, Place::of("eth0"))])?;
    let mut outside = Vec::new();
    if carrier != Carrier::Vlan {
        outside = Capture::start(vec![(&site.outside, Place::of("eth0"))])?;
    }
    let sent = send(&from.near.host, calls);
    let mut faults = Vec::new();
    let mut said = Vec::new();
    for capture in own {
        let seen = capture.end()?;
        let missing: Vec<String> =
            arrives.iter().filter(|mark| !seen.contains_key(mark)).map(u8::to_string).collect();
        said.push(format!(
            "{} of {} kinds of frames reached its own other instance",
            seen.len(),
            calls.len()
        ));
        if !missing.is_empty() {
            faults.push(format!("frames {} did not", missing.join(", ")));
        }
    }
    let mut hosts: BTreeSet<String> = BTreeSet::new();
    let count = theirs.len();
    for capture in theirs.into_iter().chain(outside) {
        let name = capture.named();
        hosts.insert(name.split(':').next().unwrap_or_default().to_owned());
        strays(&name, &capture.end()?, arrives, &mut faults);
    }
    for capture in wires {
        let name = format!("{} under the other's number {}", capture.named(), to.number);
        strays(&name, &capture.end_with(&carrier.expression(to.number))?, arrives, &mut faults);
    }
    sent?;
    said.push(format!(
        "none on the other's {count} devices ({}), nor under its number {} on the cards of {}",
        hosts.into_iter().collect::<Vec<_>>().join(", "),
        to.number,
        machines.iter().map(|host| host.name()).collect::<Vec<_>>().join(", ")
    ));
    if faults.is_empty() {
        Ok(said.join("\n"))
    } else {
        Err(format!("{}\n{}", faults.join("\n"), said.join("\n")))
    }
}

/// Marks of the sender's where they must not be.
fn strays(name: &str, seen: &Marks, arrives: &[u8], faults: &mut Vec<String>) {
    let second = arrives.first().is_some_and(|mark| *mark > SECOND_MIN);
    let of_sender = |mark: &u8| (*mark > SECOND_MIN) == second;
    let strays: Vec<String> =
        seen.keys().filter(|mark| of_sender(mark)).map(|mark| mark.to_string()).collect();
    if !strays.is_empty() {
        faults.push(format!("{name} saw frames {}", strays.join(", ")));
    }
}
