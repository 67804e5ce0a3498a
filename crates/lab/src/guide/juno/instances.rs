//! Instances on network node and compute node: DHCP across GRE, the way out and back in, and what repairs itself.

use crate::guide::instances::{Pair, Tenancy, WIRED_MAX, boot, leased_with, out_and_in};
use crate::host::Host;
use crate::report::{Report, within, words};
use crate::site::{NETWORK, Site};

/// The networks that the guide makes.
static TENANCY: Tenancy = Tenancy {
    network: "demo-net",
    public: "ext-net",
    router: "10.77.77.200",
    mtu: 1454,
    near: NETWORK,
    free: "10.10.10.222",
};

/// Takes the section's steps.
///
/// # Errors
/// One that the rest needs failed.
pub fn run(site: &Site, report: &mut Report) -> Result<Pair, String> {
    let pair = boot(site, report, &TENANCY)?;
    for (host, there) in [(&*site.network, "10.0.1.31"), (&*site.compute, "10.0.1.21")] {
        let expects = format!("a GRE tunnel to {there}");
        report.step(&format!("ovs-vsctl find interface type=gre on {}", host.name()), &expects, || {
            tunnel(host, there)
        });
    }
    report.step(
        "look at the bridges on network",
        "qr- in br-int, qg- in br-ex, as the guide's files say",
        || {
            let ports = |bridge: &str| site.network.run(&["ovs-vsctl", "list-ports", bridge]).map_err(words);
            let (inner, outer) = (ports("br-int")?, ports("br-ex")?);
            let said = format!("br-int: {}\nbr-ex: {}", inner.replace('\n', " "), outer.replace('\n', " "));
            let right = inner.contains("qr-") && !inner.contains("qg-") && outer.contains("qg-");
            if right { Ok(said) } else { Err(said) }
        },
    );
    out_and_in(site, report, &pair)?;
    Ok(pair)
}

/// A tunnel of GRE from a host.
///
/// # Errors
/// There is none to that address, or the switch says what is wrong with one.
pub fn tunnel(host: &Host, there: &str) -> Result<String, String> {
    let words_of = ["ovs-vsctl", "--columns=name,options,error", "find", "interface", "type=gre"];
    let out = host.run(&words_of).map_err(words)?;
    let right = out.contains(&format!("remote_ip=\"{there}\"")) && out.contains("error               : []");
    if right { Ok(out) } else { Err(out) }
}

/// What is ended or started anew comes back.
///
/// # Errors
/// The instances do not reach each other any more.
pub fn repaired(site: &Site, report: &mut Report, pair: &Pair) -> Result<(), String> {
    report.section("What repairs itself");
    let network = &*site.network;
    report.step("pkill dnsmasq, as the guide types it", "it runs again, and vm2 gets its lease anew", || {
        network.run(&["pkill", "dnsmasq"]).map_err(words)?;
        let back = within(WIRED_MAX, || network.run(&["pgrep", "-a", "dnsmasq"]).map_err(words))?;
        pair.second.forget_lease()?;
        let lease = leased_with(&pair.second, pair.tenancy.mtu)?;
        Ok(format!("{}\n{lease}", back.lines().next().unwrap_or_default()))
    });
    for name in ["neutron-l3-agent", "neutron-plugin-openvswitch-agent", "neutron-dhcp-agent"] {
        let tries = format!("kill -9 {name} on network under ping, start it again");
        report.step(&tries, "no packet lost", || without_loss(site, pair, name));
    }
    Ok(())
}

/// Kills and starts a service of the network node while the second instance pings the outside.
fn without_loss(site: &Site, pair: &Pair, name: &str) -> Result<String, String> {
    let from = &pair.second.host;
    from.sh("ping -q -i 0.02 -c 400 -W 1 10.77.77.1 >/run/flood 2>&1 & sleep 0.5").map_err(words)?;
    site.network.end_daemon(name, "KILL").map_err(words)?;
    site.start_unit(&site.network, name)?;
    let said = within(WIRED_MAX, || {
        let said = from.run(&["cat", "/run/flood"]).map_err(words)?;
        if said.contains("packet loss") { Ok(said) } else { Err(said) }
    })?;
    if said.contains(" 0% packet loss") { Ok(said) } else { Err(said) }
}
