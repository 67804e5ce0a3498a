//! A router's packet filters: source and destination NAT, the redirection of metadata requests and the marks
//! that keep address scopes apart. Chains, rules and their order are those of Neutron's own L3 agent.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use host::iptables::{Families, Features, Ruleset, Table};
use model::l3::{FloatingIp, Router, RouterPort};

use super::desired::{external_device, internal_device};
use super::options::Options;
use crate::dhcp::options::{METADATA_V4, METADATA_V6};

/// The name that chains begin with.
const BINARY: &str = "neutron-l3-agent";
/// Marks of metadata and of the external network use the lower half of a packet's mark.
const ROUTER_MARK_MASK: &str = "0xffff";
/// Marks of address scopes use the upper half.
const SCOPE_MASK: &str = "0xffff0000";
/// The first mark of an address scope; addresses without a scope have it.
const SCOPE_MARK_MIN: u32 = 1024;
const FAMILIES: [Families; 2] = [Families::V4, Families::V6];

/// The tables of a router.
pub fn tables(router: &Router, options: &Options) -> Ruleset {
    let comments = options.comment_iptables_rules;
    let mut rules = Ruleset::new(BINARY, Features { mangle: true, nat: true, v6: true, comments });
    let scopes = Scopes::of(router);
    scope_chains(&mut rules);
    metadata(&mut rules, options);
    if let Some(gateway) = &router.gw_port {
        gateway_rules(&mut rules, router, gateway, &scopes, options);
        floating_ips(&mut rules, router, options);
    }
    scope_rules(&mut rules, router, &scopes);
    floating_ip_scopes(&mut rules, router, &scopes);
    rules
}

/// Marks of address scopes, drawn in the order of their ids: the same router always gets the same marks.
struct Scopes(BTreeMap<String, u32>);

impl Scopes {
    fn of(router: &Router) -> Scopes {
        let ports = router.interfaces.iter().chain(&router.gw_port);
        let of_ports = ports.flat_map(|port| port.address_scopes.values().flatten());
        let of_floatingips = router.floatingips.iter().filter_map(|fip| fip.fixed_ip_address_scope.as_ref());
        let scopes: BTreeSet<&String> = of_ports.chain(of_floatingips).collect();
        Scopes(scopes.into_iter().cloned().zip(SCOPE_MARK_MIN + 1..).collect())
    }

    fn mark(&self, scope: Option<&str>) -> String {
        let mark = scope.and_then(|scope| self.0.get(scope)).copied().unwrap_or(SCOPE_MARK_MIN);
        format!("{:#x}/{SCOPE_MASK}", mark << 16)
    }

    fn mark_of_port(&self, port: &RouterPort, family: Families) -> String {
        self.mark(scope_of(port, family))
    }
}

fn scope_of(port: &RouterPort, family: Families) -> Option<&str> {
    let version = if family == Families::V6 { "6" } else { "4" };
    port.address_scopes.get(version).and_then(|scope| scope.as_deref())
}

fn scope_chains(rules: &mut Ruleset) {
    let masks = format!("--nfmask {SCOPE_MASK} --ctmask {SCOPE_MASK}");
    rules.add_chain(Families::Both, Table::Mangle, "scope");
    rules.add_chain(Families::Both, Table::Filter, "scope");
    rules.add_rule(Families::Both, Table::Filter, "FORWARD", "-j $scope", None);
    rules.add_rule(Families::Both, Table::Mangle, "PREROUTING", "-j $scope", None);
    let restore = format!("-m connmark ! --mark 0x0/{SCOPE_MASK} -j CONNMARK --restore-mark {masks}");
    rules.add_rule(Families::Both, Table::Mangle, "PREROUTING", &restore, None);
    rules.add_chain(Families::V4, Table::Mangle, "floatingip");
    rules.add_chain(Families::V4, Table::Mangle, "float-snat");
    // After the connection's mark: a floating IP's scope overrides it.
    rules.add_rule(Families::V4, Table::Mangle, "PREROUTING", "-j $floatingip", None);
    rules.add_rule(Families::V4, Table::Mangle, "float-snat", &save_mark(""), None);
}

fn save_mark(matching: &str) -> String {
    let masks = format!("--nfmask {SCOPE_MASK} --ctmask {SCOPE_MASK}");
    format!("{matching}-m connmark --mark 0x0/{SCOPE_MASK} -j CONNMARK --save-mark {masks}")
}

/// Metadata requests end here: marked, redirected to the proxy's port, and nobody else reaches that port.
fn metadata(rules: &mut Ruleset, options: &Options) {
    let (mark, port) = (&options.metadata_access_mark, options.metadata_port);
    for (family, address, prefix) in [(Families::V4, METADATA_V4, 32), (Families::V6, METADATA_V6, 128)] {
        let request = format!("-d {address}/{prefix} -i qr-+ -p tcp -m tcp --dport 80");
        let set_mark = format!("{request} -j MARK --set-xmark {mark}/{ROUTER_MARK_MASK}");
        rules.add_rule(family, Table::Mangle, "PREROUTING", &set_mark, None);
        if options.enable_metadata_proxy {
            let accept = format!("-m mark --mark {mark}/{ROUTER_MARK_MASK} -j ACCEPT");
            rules.add_rule(family, Table::Filter, "INPUT", &accept, None);
            rules.add_rule(
                family,
                Table::Filter,
                "INPUT",
                &format!("-p tcp -m tcp --dport {port} -j DROP"),
                None,
            );
            let redirect = format!("{request} -j REDIRECT --to-ports {port}");
            rules.add_rule(family, Table::Nat, "PREROUTING", &redirect, None);
        }
    }
}

fn gateway_rules(
    rules: &mut Ruleset,
    router: &Router,
    gateway: &RouterPort,
    scopes: &Scopes,
    options: &Options,
) {
    let device = external_device(gateway);
    let snat = router.enable_snat.unwrap_or(true);
    if snat {
        rules.add_rule(
            Families::V4,
            Table::Mangle,
            "POSTROUTING",
            &save_mark(&format!("-o {device} ")),
            None,
        );
        if let Some(scope) = scope_of(gateway, Families::V4) {
            // Within one address scope addresses stay as they are.
            let mark = scopes.mark(Some(scope));
            let within = format!("-o {device} -m connmark --mark {mark} -j ACCEPT");
            rules.add_rule(Families::V4, Table::Nat, "snat", &within, None);
        }
    }
    let address = gateway.fixed_ips.iter().map(|fixed_ip| fixed_ip.ip_address).find(IpAddr::is_ipv4);
    let Some(address) = address else { return };
    let random = random_fully(options);
    let mark = &options.external_ingress_mark;
    if snat {
        let rule = format!("-o {device} -j SNAT --to-source {address}{random}");
        rules.add_rule(Families::V4, Table::Nat, "snat", &rule, None);
    }
    let within = format!("! -o {device} -m conntrack ! --ctstate DNAT -j ACCEPT");
    rules.add_rule(Families::V4, Table::Nat, "POSTROUTING", &within, None);
    // Replies to a floating IP that was reached from inside come back through the router.
    let matching = format!("-m mark ! --mark {mark}/{ROUTER_MARK_MASK} -m conntrack --ctstate DNAT");
    let hairpin = format!("{matching} -j SNAT --to-source {address}{random}");
    rules.add_rule(Families::V4, Table::Nat, "snat", &hairpin, None);
    let entering = format!("-i {device} -j MARK --set-xmark {mark}/{ROUTER_MARK_MASK}");
    rules.add_rule(Families::V4, Table::Mangle, "mark", &entering, None);
}

fn random_fully(options: &Options) -> &'static str {
    if options.use_random_fully { " --random-fully" } else { "" }
}

/// The floating IPs that can be translated: both addresses known and IPv4.
pub fn translated(router: &Router) -> impl Iterator<Item = (&FloatingIp, IpAddr, IpAddr)> {
    router.floatingips.iter().filter_map(|fip| {
        let (floating, fixed) = (fip.floating_ip_address, fip.fixed_ip_address?);
        (floating.is_ipv4() && fixed.is_ipv4()).then_some((fip, floating, fixed))
    })
}

fn floating_ips(rules: &mut Ruleset, router: &Router, options: &Options) {
    let random = random_fully(options);
    for (_, floating, fixed) in translated(router) {
        let dnat = format!("-d {floating}/32 -j DNAT --to-destination {fixed}");
        rules.add_rule(Families::V4, Table::Nat, "PREROUTING", &dnat, None);
        rules.add_rule(Families::V4, Table::Nat, "OUTPUT", &dnat, None);
        let snat = format!("-s {fixed}/32 -j SNAT --to-source {floating}{random}");
        rules.add_rule(Families::V4, Table::Nat, "float-snat", &snat, None);
    }
}

/// Packets carry the mark of the scope they came from and are dropped where another scope begins; with SNAT
/// the external network is open to all of IPv4.
fn scope_rules(rules: &mut Ruleset, router: &Router, scopes: &Scopes) {
    let snat = router.enable_snat.unwrap_or(true);
    for family in FAMILIES {
        let internal = router.interfaces.iter().map(|port| (port, internal_device(port), false));
        let external = router.gw_port.iter().map(|port| (port, external_device(port), true));
        for (port, device, is_external) in internal.chain(external) {
            let of_family = |address: &IpAddr| address.is_ipv6() == (family == Families::V6);
            if !port.fixed_ips.iter().any(|fixed_ip| of_family(&fixed_ip.ip_address)) {
                continue;
            }
            let mark = scopes.mark_of_port(port, family);
            rules.add_rule(
                family,
                Table::Mangle,
                "scope",
                &format!("-i {device} -j MARK --set-xmark {mark}"),
                None,
            );
            if is_external && snat && family == Families::V4 {
                continue;
            }
            let drop = format!("-o {device} -m mark ! --mark {mark} -j DROP");
            rules.add_rule(family, Table::Filter, "scope", &drop, None);
        }
    }
}

/// A floating IP leads from the external network's scope into another one.
fn floating_ip_scopes(rules: &mut Ruleset, router: &Router, scopes: &Scopes) {
    let Some(gateway) = &router.gw_port else { return };
    let outside = scope_of(gateway, Families::V4);
    let crossing: Vec<_> =
        translated(router).filter(|(fip, ..)| fip.fixed_ip_address_scope.as_deref() != outside).collect();
    if crossing.is_empty() {
        return;
    }
    let outside = scopes.mark(outside);
    let internal = router.interfaces.iter().map(|port| (port, internal_device(port)));
    let devices: Vec<String> = internal
        .chain([(gateway, external_device(gateway))])
        .filter(|(port, _)| port.fixed_ips.iter().any(|fixed_ip| fixed_ip.ip_address.is_ipv4()))
        .filter(|(port, _)| scopes.mark_of_port(port, Families::V4) == outside)
        .map(|(_, device)| device)
        .collect();
    for device in devices {
        let rule = format!("-o {device} -j MARK --set-xmark {outside}");
        rules.add_rule(Families::V4, Table::Mangle, "float-snat", &rule, None);
    }
    for (fip, floating, fixed) in crossing {
        let inside = scopes.mark(fip.fixed_ip_address_scope.as_deref());
        let rule = format!("-d {floating}/32 -j MARK --set-xmark {inside}");
        rules.add_rule(Families::V4, Table::Mangle, "floatingip", &rule, None);
        rules.add_rule(
            Families::V4,
            Table::Mangle,
            "FORWARD",
            &format!("-s {fixed}/32 -j $float-snat"),
            None,
        );
    }
}
