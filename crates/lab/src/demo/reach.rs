//! Who reaches whom: instances, the router, another network, the outside, and back in by a floating IP.

use super::guide::router_address;
use super::{Instances, Show};
use crate::cloud::{Cloud, INTERNET};
use crate::host::Host;
use crate::instance::{Instance, ping_in_vain};
use crate::report::words;
use crate::users::Users;

/// Shows the section.
///
/// # Errors
/// A step that the rest needs failed.
pub fn run(show: &mut Show<'_>, instances: &Instances) -> Result<(), String> {
    let cloud = show.cloud;
    let Instances { first, second, third } = instances;
    show.report.section("Who reaches whom");
    show.try_step("ping vm2 from vm1", "three answers", || first.ping(&second.ipv4()));
    show.try_step("ping the router from vm1", "three answers", || first.ping("172.16.1.1"));
    show.try_step("ping vm3 on the other private network from vm1", "three answers", || {
        first.ping(&third.ipv4())
    });
    let router = router_address(cloud)?;
    let expects = format!("three answers, and the outside sees {router}");
    show.try_step(&format!("ping {INTERNET} from vm1"), &expects, || {
        seen_outside(&cloud.outside, first, &router)
    });
    floating(show, first)
}

/// Pings the world and looks at the wire for the address it comes from.
///
/// # Errors
/// No answer came, or it comes from another address.
pub fn seen_outside(outside: &Host, from: &Instance, expected: &str) -> Result<String, String> {
    let watch = format!(
        "timeout 8 tcpdump -l -n -i eth0 -c 3 'icmp[icmptype] == icmp-echo and dst host {INTERNET}' 2>/dev/null \
         >/run/seen & sleep 0.3"
    );
    outside.sh(&watch).map_err(words)?;
    let pinged = from.ping(INTERNET)?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    let seen = outside.run(&["cat", "/run/seen"]).map_err(words)?;
    let line = seen.lines().next().unwrap_or_default().to_owned();
    if line.contains(&format!("IP {expected} > {INTERNET}")) {
        Ok(format!("{pinged}\n{line}"))
    } else {
        Err(format!("{pinged}\nseen outside: {seen}"))
    }
}

/// The floating IP that later sections use too.
///
/// # Errors
/// There is none.
pub fn floating_address(cloud: &Cloud) -> Result<String, String> {
    let out = cloud.neutron(&["floatingip-list", "-f", "value", "-c", "floating_ip_address"])?;
    out.lines().next().map(str::to_owned).ok_or_else(|| "there is no floating IP".to_owned())
}

fn floating(show: &mut Show<'_>, first: &Instance) -> Result<(), String> {
    let cloud = show.cloud;
    show.report.section("A floating IP for vm1");
    show.typed("floatingip-create public")?;
    let id = cloud.neutron(&["floatingip-list", "-f", "value", "-c", "id"])?;
    show.typed(&format!("floatingip-associate {} {}", id.trim(), first.plug.port))?;
    let address = floating_address(cloud)?;
    show.try_step(&format!("ping {INTERNET} from vm1"), &format!("the outside sees {address} now"), || {
        crate::report::within(super::guide::WIRED_MAX, || seen_outside(&cloud.outside, first, &address))
    });
    show.try_step(
        &format!("ping {address} from outside"),
        "nothing: the default security group blocks",
        || ping_in_vain(&cloud.outside, &[&address]),
    );
    Ok(())
}
