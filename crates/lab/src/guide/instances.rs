//! Instances on both hosts: DHCP across VXLAN, l2population's entries on both sides, the way out and back in.

use std::time::Duration;

use crate::cloud::{CONTROLLER, INTERNET};
use crate::demo::reach::seen_outside;
use crate::host::Host;
use crate::instance::{Instance, ping, ping_in_vain};
use crate::report::{Report, within, words};
use crate::site::{COMPUTE, COMPUTE_ADDRESS, CONTROLLER_ADDRESS, Site};
use crate::users::Users;

/// How long what is wired may take.
pub const WIRED_MAX: Duration = Duration::from_secs(30);

/// The networks that a guide makes.
#[derive(Debug)]
pub struct Tenancy {
    /// The tenant's.
    pub network: &'static str,
    /// The external one.
    pub public: &'static str,
    /// The router's address there.
    pub router: &'static str,
    /// What the guide's `dhcp-option-force=26,…` gives each card.
    pub mtu: u64,
    /// Where the first and the third instance are.
    pub near: &'static str,
    /// An address of the tenant's network that nobody has.
    pub free: &'static str,
}

/// The Liberty guide's.
pub static LIBERTY: Tenancy = Tenancy {
    network: "private",
    public: "public",
    router: "192.168.81.101",
    mtu: 1450,
    near: CONTROLLER,
    free: "172.16.1.222",
};

/// An instance on each host.
pub struct Pair {
    /// What their networks are.
    pub tenancy: &'static Tenancy,
    /// On the controller.
    pub first: Instance,
    /// On the compute host.
    pub second: Instance,
    /// The tenant's project.
    pub project: String,
}

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(site: &Site, report: &mut Report) -> Result<Pair, String> {
    let pair = boot(site, report, &LIBERTY)?;
    entries(site, report, &pair);
    out_and_in(site, report, &pair)?;
    Ok(pair)
}

/// Boots an instance on each of two hosts, which reach each other.
///
/// # Errors
/// One does not boot, or has no lease.
pub fn boot(site: &Site, report: &mut Report, tenancy: &'static Tenancy) -> Result<Pair, String> {
    report.section("Instances on both hosts");
    let project = site.field(&["net-show", tenancy.network], "tenant_id")?;
    let mut boot = |name: &str, on: &str| {
        let mut booted = None;
        let expects = format!("its port ACTIVE, a lease with MTU {}", tenancy.mtu);
        report.step(&format!("boot {name} on {on}"), &expects, || {
            let instance = Instance::boot_on(site, on, tenancy.network, name, &["--tenant-id", &project])?;
            let said =
                leased_with(&instance, tenancy.mtu).map_err(|why| format!("{why}\n{}", site.logs(12)))?;
            booted = Some(instance);
            Ok(said)
        });
        booted.ok_or_else(|| format!("{name} did not boot\n{}", site.logs(12)))
    };
    let (first, second) = (boot("vm1", tenancy.near)?, boot("vm2", COMPUTE)?);
    let pair = Pair { tenancy, first, second, project };
    let Pair { first, second, .. } = &pair;
    report.step("ping vm2 from vm1, vm1 from vm2", "three answers each", || {
        Ok(format!("{}\n{}", first.ping(&second.ipv4())?, second.ping(&first.ipv4())?))
    });
    Ok(pair)
}

/// The identifier of the tenant's project.
pub fn demo_project(site: &Site) -> Result<String, String> {
    site.field(&["net-show", "private"], "tenant_id")
}

/// A lease, and the card's MTU as the Liberty guide has it.
pub fn leased(instance: &Instance) -> Result<String, String> {
    leased_with(instance, LIBERTY.mtu)
}

/// A lease, and the card's MTU.
///
/// # Errors
/// There is none, or another MTU.
pub fn leased_with(instance: &Instance, mtu: u64) -> Result<String, String> {
    let said = instance.lease()?;
    let card = instance.card()?;
    let bound = said.lines().find(|line| line.starts_with("bound")).unwrap_or_default();
    let saw = format!("{bound}; MTU {}", card["mtu"]);
    if said.contains(&format!("bound to {}", instance.ipv4())) && card["mtu"] == mtu {
        Ok(saw)
    } else {
        Err(saw)
    }
}

/// The only VXLAN device of a host.
fn vxlan(host: &Host) -> Result<String, String> {
    let out = host.run(&["ip", "-o", "link", "show", "type", "vxlan"]).map_err(words)?;
    let name = out.split(": ").nth(1).map(|name| name.split('@').next().unwrap_or(name).to_owned());
    name.ok_or_else(|| format!("no VXLAN device on {}", host.name()))
}

fn entries(site: &Site, report: &mut Report, pair: &Pair) {
    let (controller, compute) = (&*site.controller, &*site.compute);
    let sides = [(controller, &pair.second, COMPUTE_ADDRESS), (compute, &pair.first, CONTROLLER_ADDRESS)];
    for (host, there, at) in sides {
        let expects = format!("{} and the flood entry lead to {at}", there.plug.mac);
        report.step(&format!("bridge fdb show on {}", host.name()), &expects, || {
            within(WIRED_MAX, || {
                let out = host.run(&["bridge", "fdb", "show", "dev", &vxlan(host)?]).map_err(words)?;
                let leads = |mac: &str| {
                    out.lines().any(|line| line.starts_with(mac) && line.contains(&format!("dst {at} ")))
                };
                if leads(&there.plug.mac) && leads("00:00:00:00:00:00") { Ok(out) } else { Err(out) }
            })
        });
    }
    for (host, there, _) in sides {
        let name = host.name();
        let expects = format!("{} is at {}, permanently", there.ipv4(), there.plug.mac);
        report.step(&format!("arp_responder = True on {name}, agent anew; ip neighbour"), &expects, || {
            let file = "/etc/neutron/plugins/ml2/linuxbridge_agent.ini";
            host.sh(&format!("sed -i 's/^l2_population.*/&\\narp_responder = True/' {file}"))
                .map_err(words)?;
            host.end_daemon("neutron-linuxbridge-agent", "TERM").map_err(words)?;
            site.start_unit(host, "neutron-linuxbridge-agent.service")?;
            within(WIRED_MAX, || {
                let out = host.run(&["ip", "neighbour", "show", "dev", &vxlan(host)?]).map_err(words)?;
                let wanted = format!("{} lladdr {} PERMANENT", there.ipv4(), there.plug.mac);
                if out.lines().any(|line| line.trim() == wanted) { Ok(out) } else { Err(out) }
            })
        });
    }
    report.step("ping vm2 from vm1 again", "three answers", || pair.first.ping(&pair.second.ipv4()));
}

/// The way out through the router, then with a floating IP, and in by it.
///
/// # Errors
/// There is no floating IP.
pub fn out_and_in(site: &Site, report: &mut Report, pair: &Pair) -> Result<(), String> {
    let (outside, second) = (&site.outside, &pair.second);
    let Tenancy { router, public, .. } = pair.tenancy;
    report.step(
        &format!("ping {INTERNET} from vm2 on the compute host"),
        &format!("three answers, and the outside sees the router's {router}"),
        || seen_outside(outside, second, router),
    );
    let mut address = String::new();
    let made = report.step(
        &format!("neutron floatingip-create {public}, associate it with vm2"),
        "it works",
        || {
            let made = site.object(&["floatingip-create", public, "--tenant-id", &pair.project])?;
            let text = |key: &str| made[key].as_str().unwrap_or_default().to_owned();
            site.neutron(&["floatingip-associate", &text("id"), &second.plug.port])?;
            address = text("floating_ip_address");
            Ok(address.clone())
        },
    );
    if !made {
        return Err("there is no floating IP".to_owned());
    }
    report.step(&format!("ping {INTERNET} from vm2"), &format!("the outside sees {address} now"), || {
        within(WIRED_MAX, || seen_outside(outside, second, &address))
    });
    report.step(
        &format!("ping {address} from outside"),
        "nothing: the default security group blocks",
        || ping_in_vain(outside, &[&address]),
    );
    let group = default_group(site, &pair.project)?;
    report.step(
        "neutron security-group-rule-create: ICMP from anywhere; ping it again",
        "three answers",
        || {
            site.neutron(&["security-group-rule-create", &group, "--protocol", "icmp"])?;
            ping(outside, &address)
        },
    );
    Ok(())
}

/// The default security group of a project.
///
/// # Errors
/// Neutron refuses, or there is none.
pub fn default_group(site: &Site, project: &str) -> Result<String, String> {
    let out = site.neutron(&[
        "security-group-list",
        "--name",
        "default",
        "--tenant-id",
        project,
        "-f",
        "value",
        "-c",
        "id",
    ])?;
    out.lines().next().map(str::to_owned).ok_or_else(|| "no default security group".to_owned())
}
