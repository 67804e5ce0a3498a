//! The networks of the guide, typed as it types them, and its two pings.

use super::Show;
use crate::cloud::Cloud;
use crate::instance::ping;
use crate::report::{within, words};
use crate::users::Users;
use std::time::Duration;

/// How long agents may take to report, and what they wire to be there.
pub const WIRED_MAX: Duration = Duration::from_secs(10);

/// The commands, in the guide's order.
pub const COMMANDS: [&str; 8] = [
    "net-create public --shared --router:external --provider:physical_network public --provider:network_type flat",
    "subnet-create public 192.168.81.0/24 --name public --allocation-pool start=192.168.81.100,end=192.168.81.200 \
     --dns-nameserver 192.168.85.253 --gateway 192.168.81.254",
    "net-create private",
    "subnet-create private 172.16.1.0/24 --name private --dns-nameserver 192.168.85.253 --gateway 172.16.1.1",
    "router-create router",
    "router-interface-add router private",
    "router-gateway-set router public",
    "router-port-list router",
];

/// Shows the section.
///
/// # Errors
/// A step that the rest needs failed.
pub fn run(show: &mut Show<'_>) -> Result<(), String> {
    let cloud = show.cloud;
    show.report.section("The guide: public and private network, a router between them");
    show.step("neutron agent-list", "four agents, all alive", || agents(cloud))?;
    show.typed("agent-list")?;
    for command in COMMANDS {
        show.typed(command)?;
    }
    let router = router_address(cloud)?;
    show.step("ping the router's external address from outside", "three answers", || {
        ping(&cloud.outside, &router)
    })?;
    let namespace = format!("qrouter-{}", cloud.field(&["router-show", "router"], "id")?);
    show.step("ip netns", "the router's and both networks' namespaces", || namespaces(cloud, &namespace))?;
    show.step(&format!("ip netns exec {namespace} ping 172.16.1.1"), "three answers", || {
        let words_ = ["ping", "-c", "3", "-i", "0.1", "-W", "1", "172.16.1.1"];
        let out = cloud.controller.run_in(&namespace, &words_).map_err(words)?;
        Ok(out.lines().find(|line| line.contains("transmitted")).unwrap_or_default().to_owned())
    })
}

fn agents(cloud: &Cloud) -> Result<String, String> {
    within(WIRED_MAX, || {
        let out = cloud.neutron(&["agent-list", "-f", "value", "-c", "binary", "-c", "alive"])?;
        let alive = out.lines().filter(|line| line.ends_with(":-)")).count();
        if alive >= 4 { Ok(out) } else { Err(format!("{alive} alive: {out}")) }
    })
}

/// The router's address on the public network.
///
/// # Errors
/// It has none.
pub fn router_address(cloud: &Cloud) -> Result<String, String> {
    let router = cloud.object(&["router-show", "router"])?;
    let address = &router["external_gateway_info"]["external_fixed_ips"][0]["ip_address"];
    address.as_str().map(str::to_owned).ok_or_else(|| format!("no gateway address: {router}"))
}

fn namespaces(cloud: &Cloud, router: &str) -> Result<String, String> {
    within(WIRED_MAX, || {
        let out = cloud.controller.run(&["ip", "netns"]).map_err(words)?;
        let dhcp = out.lines().filter(|line| line.starts_with("qdhcp-")).count();
        if out.contains(router) && dhcp >= 2 { Ok(out) } else { Err(format!("only:\n{out}")) }
    })
}
