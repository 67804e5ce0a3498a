//! radvd's configuration: what a router says about itself on networks with IPv6. Pure text, equal to what
//! Neutron's own agent writes but for empty lines.

use std::fmt::Write as _;

use model::l3::{Router, RouterPort, RouterSubnet};

use super::desired::internal_device;
use super::options::Options;

/// Links below this MTU cannot carry IPv6, so it is not announced.
const IPV6_MIN_MTU: u32 = 1280;
/// Most name servers in an advertisement.
const RDNSS_MAX: usize = 3;

/// The configuration for all of the router's IPv6 networks; none when it has no such network.
pub fn config(router: &Router, options: &Options) -> Option<String> {
    let text: String = router
        .interfaces
        .iter()
        .filter(|port| port.admin_state_up)
        .filter_map(|port| interface(port, options))
        .collect();
    (!text.is_empty()).then_some(text)
}

fn interface(port: &RouterPort, options: &Options) -> Option<String> {
    let subnets: Vec<&RouterSubnet> =
        port.subnets.iter().filter(|subnet| subnet.cidr.network().is_ipv6()).collect();
    if subnets.is_empty() {
        return None;
    }
    let has = |mode: &str| subnets.iter().any(|subnet| subnet.ipv6_ra_mode.as_deref() == Some(mode));
    let mut text = format!("interface {}\n{{\n", internal_device(port));
    text.push_str("   AdvSendAdvert on;\n");
    let _ = writeln!(text, "   MinRtrAdvInterval {};", options.min_rtr_adv_interval);
    let _ = writeln!(text, "   MaxRtrAdvInterval {};", options.max_rtr_adv_interval);
    if let Some(mtu) = port.mtu.filter(|mtu| *mtu >= IPV6_MIN_MTU) {
        let _ = writeln!(text, "   AdvLinkMTU {mtu};");
    }
    if has("dhcpv6-stateless") {
        text.push_str("   AdvOtherConfigFlag on;\n");
    }
    if has("dhcpv6-stateful") {
        text.push_str("   AdvManagedFlag on;\n");
    }
    let slaac = subnets.iter().filter(|subnet| subnet.ipv6_ra_mode.as_deref() == Some("slaac"));
    let servers: Vec<String> =
        slaac.flat_map(|subnet| &subnet.dns_nameservers).take(RDNSS_MAX).map(ToString::to_string).collect();
    if !servers.is_empty() {
        let _ = writeln!(text, "   RDNSS {} {{}};", servers.join(" "));
    }
    for subnet in &subnets {
        prefix(subnet, &mut text);
    }
    // Instances find the metadata address through the router.
    text.push_str("   route fe80::a9fe:a9fe/128 {\n   };\n};\n");
    Some(text)
}

fn prefix(subnet: &RouterSubnet, text: &mut String) {
    let autonomous = match subnet.ipv6_ra_mode.as_deref() {
        Some("slaac" | "dhcpv6-stateless") => "on",
        Some("dhcpv6-stateful") => "off",
        _ => return,
    };
    let _ = writeln!(text, "   prefix {}\n   {{", subnet.cidr);
    let _ = writeln!(text, "        AdvOnLink on;\n        AdvAutonomous {autonomous};\n   }};");
}
