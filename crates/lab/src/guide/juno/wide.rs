//! The guide's cloud with a second compute host, beyond what the guide shows: instances on two compute hosts over GRE,
//! tenants apart, each firewall, and other kinds of networks.

use super::instances::tunnel;
use super::isolation::{self, Tenants};
use super::settings::{self, L2, anew, server_anew};
use super::{agents, deploy_as, firewalls, overlays};
use crate::cloud::Programs;
use crate::guide::instances::{Tenancy, boot, out_and_in};
use crate::guide::transcript::{Act, JUNO};
use crate::guide::{metadata, security};
use crate::host::Host;
use crate::report::{Report, words};
use crate::shape::JUNO_WIDE;
use crate::site::{COMPUTE2, Site};

/// Open vSwitch agents on three machines; DHCP, L3 and metadata on the network node.
const AGENTS: usize = 6;
/// The compute host's address for tunnels, and the second one's.
const TUNNELS: [&str; 2] = ["10.0.1.31", "10.0.1.32"];

/// The guide's networks, with instances on compute hosts only.
static TENANCY: Tenancy = Tenancy {
    network: "demo-net",
    public: "ext-net",
    router: "10.77.77.200",
    mtu: 1454,
    near: COMPUTE2,
    free: "10.10.10.222",
};

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(programs: &Programs, report: &mut Report) -> Result<(), String> {
    report.section("Two compute hosts");
    let mut made = None;
    report.step("the Juno guide, mended, on its machines and one more", "every step works", || {
        let site = deploy_as(programs, &JUNO_WIDE)?;
        site.share_token()?;
        made = Some(site);
        Ok("they do".to_owned())
    });
    let site = made.ok_or("there is no cloud")?;
    second_compute(&site, report)?;
    agents(&site, report, AGENTS);
    let pair = boot(&site, report, &TENANCY)?;
    for (host, others) in
        [(&*site.compute, ["10.0.1.21", TUNNELS[1]]), (second(&site), ["10.0.1.21", TUNNELS[0]])]
    {
        let expects = format!("GRE tunnels to {}", others.join(" and "));
        report.step(&format!("ovs-vsctl find interface type=gre on {}", host.name()), &expects, || {
            tunnel(host, others[0])?;
            tunnel(host, others[1])
        });
    }
    out_and_in(&site, report, &pair)?;
    security::run(&site, report, &pair)?;
    metadata::run(&site, report, &pair);
    let project = pair.project.clone();
    pair.first.remove(&site)?;
    pair.second.remove(&site)?;
    kinds(&site, report)?;
    let carrier = isolation::Carrier::Gre;
    let tenants = Tenants::boot(&site, report, carrier, "GRE")?;
    tenants.flood(&site, report, carrier);
    tenants.remove(&site)?;
    firewalls::run(&site, report)?;
    overlays::run(&site, report, &project)
}

fn second(site: &Site) -> &Host {
    crate::users::Users::host(site, COMPUTE2)
}

/// What the guide does on its compute node, done on another.
fn second_compute(site: &Site, report: &mut Report) -> Result<(), String> {
    let done = report.step(
        "the guide's section on the compute node once more, on compute2",
        "its agent runs",
        || {
            let host = second(site);
            site.install(host)?;
            let mut files = Vec::new();
            for step in JUNO.steps()? {
                if let Act::Edit { host: on, path } = step.act
                    && on == "compute"
                {
                    let text = std::fs::read_to_string(site.compute.path(&path)).map_err(words)?;
                    host.write(&path, &text.replace(TUNNELS[0], TUNNELS[1])).map_err(words)?;
                    files.push(path);
                }
            }
            host.sh("sysctl -p").map_err(words)?;
            site.restart_switch(host)?;
            site.start_unit(host, L2)?;
            Ok(format!("{} as on compute, local_ip = {}", files.join(" "), TUNNELS[1]))
        },
    );
    if done { Ok(()) } else { Err(site.logs(10)) }
}

/// Other kinds of networks than the guide's, and ports that may do without security.
fn kinds(site: &Site, report: &mut Report) -> Result<(), String> {
    report.section("More kinds of networks");
    let tries = "controller: type_drivers = flat,vlan,gre,vxlan, ranges, extension_drivers = port_security; the server anew";
    let done = report.step(tries, "it answers", || {
        settings::set(&site.controller, "type_drivers", "flat,vlan,gre,vxlan")?;
        settings::add(&site.controller, "ml2", "extension_drivers = port_security")?;
        let more = "[ml2_type_vxlan]\\nvni_ranges = 1:1000\\n[ml2_type_vlan]\\nnetwork_vlan_ranges = external:100:199\\n";
        site.controller.sh(&format!("printf '{more}' >>{}", settings::FILE)).map_err(words)?;
        server_anew(site)
    });
    if !done {
        return Err(site.logs(10));
    }
    let tries = "compute, compute2: ovs-vsctl add-br br-ex, add-port br-ex eth2, bridge_mappings = external:br-ex; \
                 tunnel_types = gre,vxlan everywhere; agents anew";
    let done = report.step(tries, "each reports both types of tunnels", || {
        for host in settings::wired(site) {
            settings::set(host, "tunnel_types", "gre,vxlan")?;
            if host.name() != "network" {
                host.sh("ovs-vsctl add-br br-ex -- add-port br-ex eth2").map_err(words)?;
                settings::add(host, "ovs", "bridge_mappings = external:br-ex")?;
            }
            anew(site, host, L2)?;
        }
        let wanted = serde_json::json!(["gre", "vxlan"]);
        let report = || settings::all_report(site, "tunnel_types", &wanted);
        crate::report::within(crate::guide::instances::WIRED_MAX, report)
    });
    if done { Ok(()) } else { Err(site.logs(10)) }
}
