//! The same instances over VXLAN, with and without l2population, on a VLAN of the provider's and on its untagged wire.

use super::isolation::{Carrier, Tenants};
use super::settings::{self, L2, anew, server_anew};
use crate::cloud::INTERNET;
use crate::demo::reach::seen_outside;
use crate::frames::{Capture, Place, mark, send};
use crate::guide::instances::{Pair, Tenancy, WIRED_MAX, boot, leased_with};
use crate::guide::metadata::ask;
use crate::host::Host;
use crate::instance::{Instance, ping};
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, COMPUTE2, Site};
use crate::users::Users;

/// What VXLAN leaves of 1500 octets.
const MTU: u64 = 1450;
/// The provider's VLAN.
const VLAN: &str = "133";

/// The tenant's network over VXLAN; the router is the guide's.
static OVER_VXLAN: Tenancy = Tenancy {
    network: "vxlan-net",
    public: "ext-net",
    router: "10.77.77.200",
    mtu: MTU,
    near: COMPUTE2,
    free: "10.20.20.222",
};

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(site: &Site, report: &mut Report, project: &str) -> Result<(), String> {
    report.section("VXLAN without l2population");
    smaller_packets(site, report);
    network(site, report, project)?;
    let pair = boot(site, report, &OVER_VXLAN)?;
    tunnels(site, report);
    learned(site, report, &pair);
    same_as_before(site, report, &pair)?;
    let carrier = Carrier::Vxlan { arp_responder: false };
    let tenants = Tenants::boot(site, report, carrier, "VXLAN, without l2population and with it")?;
    tenants.flood(site, report, carrier);
    report.section("VXLAN with l2population");
    population(site, report)?;
    told(site, report, &pair);
    quiet(site, report, &pair);
    same_once_more(site, report, &pair);
    tenants.flood(site, report, Carrier::Vxlan { arp_responder: true });
    tenants.remove(site)?;
    pair.first.remove(site)?;
    pair.second.remove(site)?;
    provider_vlan(site, report)?;
    let tenants = Tenants::boot(site, report, Carrier::Vlan, "VLANs of the provider's")?;
    tenants.flood(site, report, Carrier::Vlan);
    tenants.remove(site)?;
    provider_flat(site, report)
}

fn smaller_packets(site: &Site, report: &mut Report) {
    let expects = "it runs again, with the file's new value";
    report.step("dhcp-option-force=26,1450 in dnsmasq-neutron.conf, pkill dnsmasq", expects, || {
        let line = "sed -i 's/1454/1450/' /etc/neutron/dnsmasq-neutron.conf && pkill dnsmasq";
        site.network.sh(line).map_err(words)?;
        within(WIRED_MAX, || site.network.run(&["pgrep", "-a", "dnsmasq"]).map_err(words))
    });
}

fn network(site: &Site, report: &mut Report, project: &str) -> Result<(), String> {
    let done = report.step("a network of VXLAN with a subnet on the guide's router", "it works", || {
        let made = site.object(&[
            "net-create",
            "vxlan-net",
            "--tenant-id",
            project,
            "--provider:network_type",
            "vxlan",
        ])?;
        let of = ["--name", "vxlan-subnet", "--gateway", "10.20.20.1", "--tenant-id", project];
        site.neutron(&[&["subnet-create", "vxlan-net", "10.20.20.0/24"][..], &of].concat())?;
        site.neutron(&["router-interface-add", "demo-router", "vxlan-subnet"])?;
        Ok(format!("provider:segmentation_id {}", made["provider:segmentation_id"]))
    });
    if done { Ok(()) } else { Err("there is no network of VXLAN".to_owned()) }
}

/// Tunnels of VXLAN beside those of GRE.
fn tunnels(site: &Site, report: &mut Report) {
    let expects = "one to each of the other two hosts, without an error";
    report.step("ovs-vsctl find interface type=vxlan on each host", expects, || {
        let hosts = settings::wired(site);
        let mut said = Vec::new();
        for host in &hosts {
            let line = ["ovs-vsctl", "--columns=name,options,error", "find", "interface", "type=vxlan"];
            let out = host.run(&line).map_err(words)?;
            let count = out.matches("remote_ip=").count();
            if count != hosts.len() - 1 || out.matches("error               : []").count() != count {
                return Err(format!("{}: {out}", host.name()));
            }
            let names = out
                .lines()
                .filter_map(|line| line.strip_prefix("name").map(|rest| rest.trim_matches([' ', ':'])));
            said.push(format!("{}: {}", host.name(), names.collect::<Vec<_>>().join(" ")));
        }
        Ok(said.join("\n"))
    });
}

fn flows(host: &Host, table: u8) -> Result<String, String> {
    let table = format!("table={table}");
    host.run(&["ovs-ofctl", "-O", "OpenFlow14", "--no-names", "--no-stats", "dump-flows", "br-tun", &table])
        .map_err(words)
}

/// Without l2population the switch learns from packets where an instance is.
fn learned(site: &Site, report: &mut Report, pair: &Pair) {
    let mac = &pair.second.plug.mac;
    report.step(
        "ovs-ofctl dump-flows br-tun table=20 on compute2",
        &format!("{mac}, learned, for 300 s"),
        || {
            within(WIRED_MAX, || {
                pair.first.ping(&pair.second.ipv4())?;
                let said = flows(site.host(COMPUTE2), 20)?;
                let found = said
                    .lines()
                    .find(|line| line.contains(mac.as_str()) && line.contains("hard_timeout=300"));
                found.map(|line| line.trim().to_owned()).ok_or(said)
            })
        },
    );
}

/// The ways out and in, as over GRE; the default group lets ICMP in since then.
fn same_as_before(site: &Site, report: &mut Report, pair: &Pair) -> Result<(), String> {
    let second = &pair.second;
    let router = OVER_VXLAN.router;
    let expects = format!("three answers, and the outside sees the router's {router}");
    report
        .step(&format!("ping {INTERNET} from vm2"), &expects, || seen_outside(&site.outside, second, router));
    let expects = "three answers, and the outside sees it when vm2 pings";
    let done = report.step("a floating IP for vm2; ping it from outside", expects, || {
        let made = site.object(&["floatingip-create", "ext-net", "--tenant-id", &pair.project])?;
        let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
        site.neutron(&["floatingip-associate", &text("id"), &second.plug.port])?;
        let address = text("floating_ip_address");
        let answered = within(WIRED_MAX, || ping(&site.outside, &address))?;
        Ok(format!("{address}: {answered}\n{}", seen_outside(&site.outside, second, &address)?))
    });
    asked(site, report, pair);
    if done { Ok(()) } else { Err("there is no floating IP".to_owned()) }
}

fn asked(site: &Site, report: &mut Report, pair: &Pair) {
    for (name, instance) in [("vm1", &pair.first), ("vm2", &pair.second)] {
        let expects = format!("its id {}", instance.plug.device);
        report.step(&format!("ask 169.254.169.254 for the id of {name}"), &expects, || ask(site, instance));
    }
}

fn population(site: &Site, report: &mut Report) -> Result<(), String> {
    let tries =
        "mechanism_drivers = openvswitch,l2population, l2_population and arp_responder = True, all anew";
    let done = report.step(tries, "each agent reports l2_population = true", || {
        settings::set(&site.controller, "mechanism_drivers", "openvswitch,l2population")?;
        server_anew(site)?;
        for host in settings::wired(site) {
            settings::add(host, "agent", "l2_population = True\\narp_responder = True")?;
            anew(site, host, L2)?;
        }
        within(WIRED_MAX, || settings::all_report(site, "l2_population", &true.into()))
    });
    if done { Ok(()) } else { Err(site.logs(10)) }
}

/// With l2population the server says where an instance is.
fn told(site: &Site, report: &mut Report, pair: &Pair) {
    for (on, there) in [(COMPUTE, &pair.first), (COMPUTE2, &pair.second)] {
        let (mac, ip) = (there.plug.mac.clone(), there.ipv4());
        let expects = format!("{mac} in table 20 for ever, ARP for {ip} answered in table 21");
        report.step(&format!("ovs-ofctl dump-flows br-tun on {on}"), &expects, || {
            within(WIRED_MAX, || {
                let (unicast, arp) = (flows(site.host(on), 20)?, flows(site.host(on), 21)?);
                let unicast_line = unicast.lines().find(|l| l.contains(&mac) && !l.contains("hard_timeout"));
                let arp_line = arp.lines().find(|l| l.contains(&format!("arp_tpa={ip} ")));
                match (unicast_line, arp_line) {
                    (Some(unicast), Some(arp)) => Ok(format!("{}\n{}", unicast.trim(), arp.trim())),
                    _ => Err(format!("{unicast}\n{arp}")),
                }
            })
        });
    }
}

/// Asks by ARP for a neighbour, in frames with a mark.
fn ask_by_arp(first: &Instance, second: &Instance) -> Result<(), String> {
    let (me, ip) = (&first.plug.mac, first.ipv4());
    send(&first.host, &[format!("arp('{me}', '{ip}', '{}', data='{}')", second.ipv4(), mark(1))])
}

/// A question for a neighbour's address is answered on the host.
fn quiet(site: &Site, report: &mut Report, pair: &Pair) {
    let (first, second) = (&pair.first, &pair.second);
    report.step(
        "vm1 asks by ARP for vm2 on the other host; tcpdump on its host's card",
        "the answer, and no question on the wire",
        || {
            let wire = Capture::start(vec![(site.host(COMPUTE2), Place::of("eth1"))])?;
            ask_by_arp(first, second)?;
            let said = first
                .host
                .run(&["arping", "-c", "1", "-w", "3", "-I", "eth0", &second.ipv4()])
                .map_err(words)?;
            for capture in wire {
                let seen = capture.end()?;
                if !seen.is_empty() {
                    return Err(format!("on the wire: {seen:?}\n{said}"));
                }
            }
            let answer = said.lines().find(|line| line.to_lowercase().contains(&second.plug.mac));
            answer.map(|line| format!("{line}; nothing on the wire")).ok_or(said)
        },
    );
}

/// Leases, metadata and the ways out and in, once more.
fn same_once_more(site: &Site, report: &mut Report, pair: &Pair) {
    report.step("give up both leases and ask anew", "the same, from the network node", || {
        let mut said = Vec::new();
        for instance in [&pair.first, &pair.second] {
            instance.forget_lease()?;
            said.push(leased_with(instance, MTU)?);
        }
        Ok(said.join("\n"))
    });
    report.step("ping vm2 from vm1, the outside from vm1", "three answers each", || {
        let near = pair.first.ping(&pair.second.ipv4())?;
        Ok(format!("{near}\n{}", seen_outside(&site.outside, &pair.first, OVER_VXLAN.router)?))
    });
    report.step("ping vm2's floating IP from outside", "three answers", || {
        let out = site.neutron(&[
            "floatingip-list",
            "--port_id",
            &pair.second.plug.port,
            "-f",
            "value",
            "-c",
            "floating_ip_address",
        ])?;
        ping(&site.outside, out.trim())
    });
    asked(site, report, pair);
}

/// Two instances with leases on a network.
fn leased_pair(
    site: &Site,
    report: &mut Report,
    network: &str,
    more: &[&str],
) -> Result<[Instance; 2], String> {
    let mut boot = |name: &str, on: &str| {
        let mut booted = None;
        report.step(
            &format!("boot {name} on {on}, on {network}"),
            &format!("a lease with MTU {MTU}"),
            || {
                let instance = Instance::boot_on(site, on, network, name, more)?;
                let said = leased_with(&instance, MTU).map_err(|why| format!("{why}\n{}", site.logs(12)))?;
                booted = Some(instance);
                Ok(said)
            },
        );
        booted.ok_or_else(|| format!("{name} did not boot"))
    };
    Ok([boot("vm1", COMPUTE)?, boot("vm2", COMPUTE2)?])
}

fn provider_vlan(site: &Site, report: &mut Report) -> Result<(), String> {
    report.section("A VLAN of the provider's");
    report.step(&format!("a network of VLAN {VLAN} on the physical network external"), "it works", || {
        let of = ["--provider:physical_network", "external", "--provider:segmentation_id", VLAN];
        site.neutron(&[&["net-create", "vlan-net", "--provider:network_type", "vlan"][..], &of].concat())?;
        site.neutron(&["subnet-create", "vlan-net", "10.30.30.0/24", "--name", "vlan-subnet"])
    });
    let [first, second] = leased_pair(site, report, "vlan-net", &[])?;
    report.step(
        "ping vm2 from vm1; tcpdump on the cards of both hosts",
        &format!("answers, and frames of VLAN {VLAN}"),
        || {
            let cards = [COMPUTE, COMPUTE2].map(|on| (site.host(on), Place::of("eth2"))).into();
            let captures = Capture::start(cards)?;
            let said = first.ping(&second.ipv4())?;
            ask_by_arp(&first, &second)?;
            let mut all = vec![said];
            for capture in captures {
                let name = capture.named();
                let count = capture.end_with(&format!("vlan {VLAN}"))?.get(&1).copied().unwrap_or_default();
                if count == 0 {
                    return Err(format!("no frame of VLAN {VLAN} on {name}"));
                }
                all.push(format!("{name}: {count} of the marked frames with tag {VLAN}"));
            }
            Ok(all.join("\n"))
        },
    );
    first.remove(site)?;
    second.remove(site)
}

fn provider_flat(site: &Site, report: &mut Report) -> Result<(), String> {
    report.section("Instances on the provider's flat network");
    report.step("neutron subnet-update ext-subnet --enable-dhcp", "a DHCP server on ext-net", || {
        site.neutron(&["subnet-update", "ext-subnet", "--enable-dhcp"])?;
        let id = site.field(&["net-show", "ext-net"], "id")?;
        within(WIRED_MAX, || {
            site.network.run(&["ip", "netns", "pids", &format!("qdhcp-{id}")]).map_err(words)
        })?;
        Ok(format!("qdhcp-{id}"))
    });
    let [first, second] = leased_pair(site, report, "ext-net", &[])?;
    report.step("ping vm2 from vm1, and the outside's 10.77.77.1 from both", "three answers each", || {
        let hosts = [&second.ipv4(), "10.77.77.1"].map(|to| first.ping(to));
        let [near, out] = hosts;
        Ok(format!("{}\n{}\n{}", near?, out?, second.ping("10.77.77.1")?))
    });
    report.step(
        &format!("ping {INTERNET} from vm1"),
        "the outside sees its own address: no router is in between",
        || seen_outside(&site.outside, &first, &first.ipv4()),
    );
    first.remove(site)?;
    second.remove(site)
}
