//! The same instances under each firewall of the Open vSwitch agent: how they are plugged in, what groups let through,
//! and what an instance may not pretend to be.

use std::time::Duration;

use super::settings::{self, anew};
use super::spoofing::Scene;
use crate::guide::instances::{WIRED_MAX, leased_with};
use crate::instance::{Instance, Vif, ping_in_vain};
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, COMPUTE2, Site};
use crate::users::Users;

/// A change of a rule must be in force on the other host after that long.
const RULE_MAX: Duration = Duration::from_secs(5);
/// The tenant's network, of the guide's.
const NETWORK: &str = "demo-net";
/// Its router's address.
const ROUTER: &str = "10.10.10.1";
/// What the guide's option of DHCP gives cards.
const MTU: u64 = 1454;

/// A firewall as its option names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Firewall {
    /// The option's value.
    driver: &'static str,
    /// How instances are plugged in.
    vif: Vif,
    /// Whether it has rules.
    filters: bool,
}

const FIREWALLS: [Firewall; 3] = [
    Firewall {
        driver: "neutron.agent.linux.iptables_firewall.OVSHybridIptablesFirewallDriver",
        vif: Vif::OvsHybrid,
        filters: true,
    },
    Firewall { driver: "noop", vif: Vif::Ovs, filters: false },
    Firewall { driver: "openvswitch", vif: Vif::Ovs, filters: true },
];

/// Takes the section's steps for each firewall; the last one stays.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(site: &Site, report: &mut Report) -> Result<(), String> {
    let project = site.field(&["net-show", NETWORK], "tenant_id")?;
    for firewall in FIREWALLS {
        report.section(&format!("Firewall {}", firewall.driver));
        chosen(site, report, firewall)?;
        let instances = boot(site, report, firewall, &project)?;
        groups(site, report, firewall, &instances);
        lies(site, report, &instances)?;
        let [eve, near, far] = instances;
        report.step("end the three instances", "nothing of them is left on their hosts", || {
            let plugs = [&eve, &near, &far].map(|instance| instance.plug.clone());
            for instance in [eve, near, far] {
                instance.remove(site)?;
            }
            within(WIRED_MAX, || left(site, &plugs))
        });
    }
    Ok(())
}

/// Has all agents use a firewall.
fn chosen(site: &Site, report: &mut Report, firewall: Firewall) -> Result<(), String> {
    let hybrid = firewall.vif == Vif::OvsHybrid;
    let expects = format!("each reports ovs_hybrid_plug = {hybrid}");
    let done = report.step(
        &format!("firewall_driver = {} on each host, agents anew", firewall.driver),
        &expects,
        || {
            for host in settings::wired(site) {
                settings::set(host, "firewall_driver", firewall.driver)?;
                anew(site, host, settings::L2)?;
            }
            within(WIRED_MAX, || settings::all_report(site, "ovs_hybrid_plug", &hybrid.into()))
        },
    );
    if done { Ok(()) } else { Err(site.logs(10)) }
}

fn boot(
    site: &Site,
    report: &mut Report,
    firewall: Firewall,
    project: &str,
) -> Result<[Instance; 3], String> {
    let mut boot = |name: &str, on: &str| {
        let how = match firewall.vif {
            Vif::OvsHybrid => "tap in qbr, qvb and qvo between that and br-int",
            _ => "tap in br-int",
        };
        let mut booted = None;
        report.step(&format!("boot {name} on {on}"), &format!("{how}; a lease with MTU {MTU}"), || {
            let instance = Instance::boot_on(site, on, NETWORK, name, &["--tenant-id", project])?;
            let plugged = plugged(site, &instance, firewall.vif)?;
            let said = leased_with(&instance, MTU).map_err(|why| format!("{why}\n{}", site.logs(12)))?;
            booted = Some(instance);
            Ok(format!("{plugged}\n{said}"))
        });
        booted.ok_or_else(|| format!("{name} did not boot\n{}", site.logs(12)))
    };
    Ok([boot("eve", COMPUTE)?, boot("near", COMPUTE)?, boot("far", COMPUTE2)?])
}

/// The bridges that hold an instance's devices.
fn plugged(site: &Site, instance: &Instance, vif: Vif) -> Result<String, String> {
    let (plug, host) = (&instance.plug, site.host(&instance.plug.on));
    let devices = plug.devices(host)?.join(" ");
    let ports = host.run(&["ovs-vsctl", "list-ports", "br-int"]).map_err(words)?;
    let id = plug.tap().split_off(3);
    let on_switch: Vec<&str> = ports.lines().filter(|port| port.ends_with(&id)).collect();
    let said = format!("{devices}; in br-int: {}", on_switch.join(" "));
    let expected = if vif == Vif::OvsHybrid { format!("qvo{id}") } else { plug.tap() };
    let right = plug.vif == vif && on_switch == [expected.as_str()];
    if !right {
        return Err(said);
    }
    if vif == Vif::OvsHybrid {
        let brief = format!("ls /sys/class/net/qbr{id}/brif");
        let members = host.sh(&brief).map_err(words)?;
        return Ok(format!("{said}; in qbr{id}: {}", members.replace('\n', " ")));
    }
    Ok(said)
}

/// What groups let through: nothing but their members' packets until a rule says so, and not without it.
fn groups(site: &Site, report: &mut Report, firewall: Firewall, [eve, near, far]: &[Instance; 3]) {
    let (own, other) = (near.ipv4(), far.ipv4());
    report.step("ping near and far from eve, all in the default group", "three answers each", || {
        Ok(format!("{}\n{}", eve.ping(&own)?, eve.ping(&other)?))
    });
    let closed = if firewall.filters { "no answer" } else { "answers: it filters nothing" };
    let tried = |instance: &Instance| {
        within(RULE_MAX, || match (firewall.filters, ping_in_vain(&eve.host, &[&instance.ipv4()])) {
            (true, Ok(vain)) => Ok(vain),
            (false, Err(answers)) => Ok(answers),
            (_, Ok(said) | Err(said)) => Err(said),
        })
    };
    let mut group = String::new();
    report.step("far in a group of its own without rules for what comes in; ping it", closed, || {
        let project = site.field(&["port-show", &far.plug.port], "tenant_id")?;
        let made = site.object(&["security-group-create", "closed", "--tenant-id", &project])?;
        made["id"].as_str().unwrap_or_default().clone_into(&mut group);
        site.neutron(&["port-update", &far.plug.port, "--security-group", &group])?;
        tried(far)
    });
    report.step("a rule that lets eve's address in by ICMP; ping it", "answers", || {
        let from = format!("{}/32", eve.ipv4());
        let args = ["security-group-rule-create", &group, "--protocol", "icmp", "--remote-ip-prefix", &from];
        let made = site.object(&args)?;
        let said = within(RULE_MAX, || eve.ping(&other))?;
        site.neutron(&["security-group-rule-delete", made["id"].as_str().unwrap_or_default()])?;
        Ok(said)
    });
    report.step("that rule removed; ping it", closed, || tried(far));
    report.step("far back in the default group, the other one deleted; ping it", "answers", || {
        let project = site.field(&["port-show", &far.plug.port], "tenant_id")?;
        let default = crate::guide::instances::default_group(site, &project)?;
        site.neutron(&["port-update", &far.plug.port, "--security-group", &default])?;
        site.neutron(&["security-group-delete", &group])?;
        within(RULE_MAX, || eve.ping(&other))
    });
}

/// Instances that believe everything, and one that lies.
fn lies(site: &Site, report: &mut Report, [eve, near, far]: &[Instance; 3]) -> Result<(), String> {
    let open = report.step(
        "near and far without port security, so that only eve's port is in the way",
        "eve reaches both",
        || {
            for instance in [near, far] {
                let port = instance.plug.port.as_str();
                site.neutron(&[
                    "port-update",
                    port,
                    "--no-security-groups",
                    "--port_security_enabled=False",
                ])?;
            }
            Ok(format!("{}\n{}", within(RULE_MAX, || eve.ping(&near.ipv4()))?, eve.ping(&far.ipv4())?))
        },
    );
    if !open {
        return Err("nobody hears eve".to_owned());
    }
    // What the switch does with ports without security comes a moment after the change.
    within(RULE_MAX, || settled(near, far))?;
    Scene { from: eve, to: [near, far], router: ROUTER }.run(report);
    Ok(())
}

/// Whether both hear a stranger: near speaks from an address that is not its own to far, and far to near.
fn settled(near: &Instance, far: &Instance) -> Result<(), String> {
    for (from, to) in [(near, far), (far, near)] {
        let line = "ip address add 10.10.10.250/32 dev eth0";
        from.host.sh(line).map_err(words)?;
        let said = from.host.run(&[
            "arping",
            "-f",
            "-c",
            "3",
            "-w",
            "2",
            "-I",
            "eth0",
            "-s",
            "10.10.10.250",
            &to.ipv4(),
        ]);
        from.host.sh("ip address del 10.10.10.250/32 dev eth0").map_err(words)?;
        said.map_err(words)?;
    }
    Ok(())
}

/// What is left of ended instances.
fn left(site: &Site, plugs: &[crate::instance::Plug]) -> Result<String, String> {
    for plug in plugs {
        let host = site.host(&plug.on);
        let id = plug.tap().split_off(3);
        let line = format!(
            "iptables-save; ip6tables-save; ip -o link; ovs-ofctl -O OpenFlow14 dump-flows br-int | grep -i {} || true",
            plug.mac
        );
        let all = host.sh(&line).map_err(words)?;
        let chains = id.get(..10).unwrap_or(&id);
        let rest: Vec<&str> =
            all.lines().filter(|line| line.contains(chains) || line.contains(&plug.mac)).collect();
        if !rest.is_empty() {
            return Err(format!("{}: {}", host.name(), rest.join("\n")));
        }
    }
    Ok("no device, no rule, no flow".to_owned())
}
