//! Instances: leases, metadata, IPv6, and a real virtual machine.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use super::{Instances, Show};
use crate::cloud::Cloud;
use crate::instance::Instance;
use crate::report::{within, words};
use crate::users::Users;
use crate::vm::{self, Machine};

/// How long an address may take to be there by router advertisement.
const SLAAC_MAX: Duration = Duration::from_secs(10);

/// Boots the three instances.
///
/// # Errors
/// A step that the rest needs failed.
pub fn run(show: &mut Show<'_>) -> Result<Instances, String> {
    show.report.section("Instances");
    show.typed("net-create private2")?;
    show.typed("subnet-create private2 172.16.2.0/24 --name private2")?;
    show.typed("router-interface-add router private2")?;
    let first = boot(show, "private", "vm1")?;
    let second = boot(show, "private", "vm2")?;
    let third = boot(show, "private2", "vm3")?;
    show.typed("port-list")?;
    show.try_step("look at vm1's route and name server", "the router and the subnet's name server", || {
        let route = first.host.run(&["ip", "route", "show", "default"]).map_err(words)?;
        let resolv = first.host.run(&["cat", "/etc/resolv.conf"]).map_err(words)?;
        let saw = format!("{}; {}", route.trim(), resolv.trim().replace('\n', "; "));
        if route.contains("via 172.16.1.1 ") && resolv.contains("192.168.85.253") {
            Ok(saw)
        } else {
            Err(saw)
        }
    });
    Ok(Instances { first, second, third })
}

fn boot(show: &mut Show<'_>, network: &str, name: &str) -> Result<Instance, String> {
    let cloud = show.cloud;
    let mut booted = None;
    show.step(&format!("boot {name} on {network}: port, tap, wiring"), "its port becomes ACTIVE", || {
        let instance = Instance::boot(cloud, network, name, &[])?;
        let saw = format!("{} {} {} is ACTIVE", instance.plug.tap(), instance.plug.mac, instance.ipv4());
        booted = Some(instance);
        Ok(saw)
    })?;
    let instance = booted.ok_or("no instance")?;
    let mtu = cloud.field(&["net-show", network], "mtu")?;
    let expects = format!("a lease of {} with MTU {mtu}", instance.ipv4());
    show.step(&format!("run a DHCP client in {name}"), &expects, || {
        let said = instance.lease()?;
        let bound = said.lines().find(|line| line.starts_with("bound to")).unwrap_or(&said).to_owned();
        let card = instance.card()?;
        let own = card["mtu"].to_string();
        let saw = format!("{bound}; the card's MTU is {own}");
        if bound.contains(&instance.ipv4()) && own == mtu { Ok(saw) } else { Err(saw) }
    })?;
    Ok(instance)
}

/// An instance's global IPv6 address.
fn ipv6_address(instance: &Instance) -> Result<String, String> {
    let card = instance.card()?;
    let found = card["addr_info"].as_array().into_iter().flatten().find(|address| {
        address["family"] == "inet6"
            && address["scope"] == "global"
            && address["tentative"] != Value::Bool(true)
    });
    found
        .and_then(|address| address["local"].as_str())
        .map(str::to_owned)
        .ok_or_else(|| format!("only {card}"))
}

/// IPv6 by router advertisements.
pub fn ipv6(show: &mut Show<'_>, instances: &Instances) {
    let cloud = show.cloud;
    show.report.section("IPv6 by SLAAC");
    let made = show
        .typed(
            "subnet-create private fd00:16:1::/64 --name private6 --gateway fd00:16:1::1 --ip-version 6 \
             --ipv6-ra-mode slaac --ipv6-address-mode slaac",
        )
        .and_then(|_| show.typed("router-interface-add router private6"));
    show.try_step("make an IPv6 subnet on the private network", "the router announces it", || made);
    for (name, instance) in [("vm1", &instances.first), ("vm2", &instances.second)] {
        show.try_step(
            &format!("ask for routers in {name}, wait for an address"),
            "the one Neutron gave its port",
            || {
                // What a card does when it comes up: solicit an advertisement instead of waiting for the next.
                instance.host.sh("echo 1 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6").map_err(words)?;
                instance.host.sh("echo 0 >/proc/sys/net/ipv6/conf/eth0/disable_ipv6").map_err(words)?;
                let address = within(SLAAC_MAX, || ipv6_address(instance))?;
                let port = cloud.object(&["port-show", &instance.plug.port])?.to_string();
                if port.contains(&format!("\"{address}\"")) {
                    Ok(address)
                } else {
                    Err(format!("{address}, but the port has {port}"))
                }
            },
        );
    }
    show.try_step("ping vm2 and the router from vm1", "three answers each", || {
        let second = ipv6_address(&instances.second)?;
        let (peer, router) = (instances.first.ping(&second)?, instances.first.ping("fd00:16:1::1")?);
        Ok(format!("{peer}\n{router}"))
    });
}

/// Metadata through the router.
pub fn metadata(show: &mut Show<'_>, instances: &Instances) {
    show.report.section("Metadata");
    let cloud = show.cloud;
    for (name, instance) in [("vm1", &instances.first), ("vm3", &instances.third)] {
        let expects =
            format!("its id {}, the signature found right by Nova's stand-in", instance.plug.device);
        show.try_step(&format!("ask 169.254.169.254 for {name}'s id"), &expects, || {
            ask_metadata(cloud, instance)
        });
    }
}

fn ask_metadata(cloud: &Cloud, instance: &Instance) -> Result<String, String> {
    let url = "http://169.254.169.254/latest/meta-data/instance-id";
    let said = instance.host.run(&["curl", "-s", "-S", "-m", "5", url]).map_err(words)?;
    let log = std::fs::read_to_string(cloud.controller.path("/run/nova-metadata.log")).map_err(words)?;
    let line = log.lines().rfind(|line| line.contains(&instance.plug.device)).unwrap_or_default();
    let from = format!("for={}", instance.ipv4());
    if said.trim() == instance.plug.device && line.ends_with("signature=true") && line.contains(&from) {
        Ok(format!("{}\n{line}", said.trim()))
    } else {
        Err(format!("{said}\n{log}"))
    }
}

/// A real virtual machine on the private network.
///
/// # Errors
/// A step that the rest needs failed.
pub fn machine(show: &mut Show<'_>, instances: &Instances, cache: &Path) -> Result<(), String> {
    let cloud = show.cloud;
    show.report.section("A real virtual machine");
    let mut image = None;
    show.step("fetch Debian's cloud kernel, make an initramfs", "once; kept in .lab", || {
        image = Some(vm::image(cache)?);
        Ok(format!("{image:?}"))
    })?;
    let image = image.ok_or("no image")?;
    let mut booted = None;
    show.step("boot it with qemu on a tap", "a lease with the MTU option, its metadata", || {
        let machine = Machine::boot(cloud, &image, "private", "real")?;
        let ready = machine.said("READY")?;
        let (lease, metadata) = (machine.said("LEASE")?, machine.said("METADATA")?);
        let saw = format!("lease {lease}\nmetadata {metadata}\nready {ready}");
        let right = lease.contains(&machine.plug.ipv4())
            && lease.contains("mtu 1")
            && metadata == machine.plug.device;
        booted = Some(machine);
        if right { Ok(saw) } else { Err(saw) }
    })?;
    let machine = booted.ok_or("no machine")?;
    show.try_step("ping it from vm1, fetch its page", "answers and its greeting", || {
        let ping = instances.first.ping(&machine.plug.ipv4())?;
        let url = format!("http://{}/", machine.plug.ipv4());
        let page = instances.first.host.run(&["curl", "-s", "-S", "-m", "5", &url]).map_err(words)?;
        let saw = format!("{ping}\n{}", page.trim());
        if page.contains("hello from a virtual machine") { Ok(saw) } else { Err(saw) }
    });
    Ok(())
}
