//! Security groups as iptables rules: from what the server said to chains, sets and the
//! connections that a change cuts. Pure; the text is upstream's, rule by rule, so that either
//! agent adopts what the other installed.

mod cuts;
mod iptables;
mod rules;
mod zones;

use std::collections::{BTreeMap, BTreeSet};

use host::ipset::{self, Sets};
use host::iptables::{Families, Features, Ruleset, Table};
use model::l2::{DeviceDetails, Direction, Ethertype, Members, SecuredPort, SecurityRule};
use model::names;

pub use cuts::cuts;
pub use iptables::{IptablesFirewall, looks_into_packets};
pub(crate) use rules::{any_protocol, parse_net, protocol_number, sources};
pub use zones::Zones;

use super::view::{Security, View, remote_of};

/// The chain that decides about packets of ports with security groups.
const SG_CHAIN: &str = "sg-chain";
/// Where what no rule allows ends.
const FALLBACK: &str = "sg-fallback";

/// Comments, word for word upstream's.
mod comment {
    pub(super) const VM_INT_SG: &str = "Direct traffic from the VM interface to the security group chain.";
    pub(super) const SG_TO_VM_SG: &str = "Jump to the VM specific chain.";
    pub(super) const INPUT_TO_SG: &str = "Direct incoming traffic from VM to the security group chain.";
    pub(super) const UNMATCH_DROP: &str = "Default drop rule for unmatched traffic.";
    pub(super) const PORT_SEC_ACCEPT: &str = "Accept all packets when port security is disabled.";
    pub(super) const TRUSTED_ACCEPT: &str = "Accept all packets when port is trusted.";
    pub(super) const NOT_YET: &str = "Drop traffic of ports whose rules are not yet known.";
}

/// What filters the ports of this host.
#[derive(Debug, Clone, PartialEq)]
pub struct Filters {
    /// Chains and rules.
    pub rules: Ruleset,
    /// Members of groups.
    pub sets: Sets,
}

/// What the devices of ports are plugged into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plug {
    /// A bridge per network; connections are told apart by network.
    NetworkBridge,
    /// A bridge per port between the instance and Open vSwitch (`qbr…`, made by Nova); connections are told apart
    /// by port: those between two ports of a host pass both filters.
    PortBridge,
}

impl Plug {
    /// What the device begins with whose packets are tracked in a zone: the bridge itself, or its end of the pair
    /// that leads to Open vSwitch.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Plug::NetworkBridge => names::BRIDGE_PREFIX,
            Plug::PortBridge => "qvb",
        }
    }

    /// The rest of that device's name, for a port's tap and network.
    fn key<'a>(self, device: &'a str, network_id: &'a str) -> Option<&'a str> {
        let key = match self {
            Plug::NetworkBridge => network_id.get(..11).unwrap_or(network_id),
            Plug::PortBridge => device.strip_prefix("tap").unwrap_or(device),
        };
        (!key.is_empty()).then_some(key)
    }
}

/// How filters are written.
#[derive(Debug, Clone)]
pub struct Style {
    /// The agent's name, which wraps the chains.
    pub binary: String,
    /// Explain rules by comments.
    pub comments: bool,
    /// Keep members in sets.
    pub ipset: bool,
    /// The host speaks IPv6.
    pub v6: bool,
    /// Look into neighbour advertisements for whose address they are about: the kernel must have `u32`.
    pub looks_into: bool,
    /// What ports are plugged into.
    pub plug: Plug,
    /// Bridges that ports are on; `+` at the end stands for anything.
    pub bridges: Vec<String>,
}

/// The filters that `view` asks for.
#[must_use]
pub fn filters(view: &View, zones: &Zones, style: &Style) -> Filters {
    let features = Features { mangle: false, nat: false, v6: style.v6, comments: style.comments };
    let mut out = Writer { rules: Ruleset::new(&style.binary, features), security: &view.security, style };
    out.rules.add_chain(Families::Both, Table::Filter, FALLBACK);
    out.rules.add_rule(Families::Both, Table::Filter, FALLBACK, "-j DROP", Some(comment::UNMATCH_DROP));
    out.rules.add_chain(Families::Both, Table::Filter, SG_CHAIN);
    let trusted: Vec<&String> = open_ports(view, true).collect();
    let unfiltered: Vec<&String> = open_ports(view, false).collect();
    let secured_ports = secured(view).map(|(device, _)| device);
    let known = secured_ports.chain(trusted.iter().copied()).chain(unfiltered.iter().copied()).collect();
    out.drop_unknown(&known, &style.bridges);
    trusted.iter().for_each(|device| out.bypass_nat(device));
    for (device, port) in secured(view) {
        out.zone(device, port, zones);
        out.bypass_nat(device);
        out.port(device, port);
    }
    out.rules.add_rule(Families::Both, Table::Filter, SG_CHAIN, "-j ACCEPT", None);
    trusted.iter().for_each(|device| out.open(device, true));
    for device in unfiltered {
        out.open(device, false);
        out.bypass_nat(device);
    }
    let sets = if style.ipset { sets(view) } else { Sets::new() };
    Filters { rules: out.rules, sets }
}

/// Ports of Neutron's own services are not filtered.
#[must_use]
pub fn is_trusted(device_owner: &str) -> bool {
    device_owner.starts_with("network:") || device_owner.starts_with("neutron:")
}

/// Ports that are filtered: wired here, with port security, and known to the server as such.
pub(crate) fn secured(view: &View) -> impl Iterator<Item = (&String, &SecuredPort)> {
    view.security.ports.iter().filter(|(device, port)| {
        let wired = view.ports.get(*device);
        port.port_security_enabled
            && wired.is_some_and(|p| p.port_security_enabled && !is_trusted(&p.device_owner))
    })
}

/// Ports that nothing is filtered for: Neutron's own (`trusted`), or those without port security.
pub(crate) fn open_ports(view: &View, trusted: bool) -> impl Iterator<Item = &String> {
    let open = move |port: &DeviceDetails| match is_trusted(&port.device_owner) {
        true => trusted,
        false => !trusted && !port.port_security_enabled,
    };
    view.ports.iter().filter(move |(_, port)| open(port)).map(|(device, _)| device)
}

/// Whether a port is to be filtered and its rules are not known yet.
pub(crate) fn awaits_rules(view: &View, device: &str) -> bool {
    let known = view.security.ports.get(device).is_some_and(|port| port.port_security_enabled);
    let guarded = |port: &DeviceDetails| port.port_security_enabled && !is_trusted(&port.device_owner);
    !known && view.ports.get(device).is_some_and(guarded)
}

/// The sets that rules of filtered ports refer to.
fn sets(view: &View) -> Sets {
    let mut sets = Sets::new();
    for (_, port) in secured(view) {
        for rule in port.security_groups.iter().filter_map(|g| view.security.groups.get(g)).flatten() {
            let Some(group) = remote_of(rule) else { continue };
            let v6 = rule.ethertype == Ethertype::V6;
            sets.entry(ipset::name(v6, group)).or_insert_with(|| {
                let list = view
                    .security
                    .members
                    .get(group)
                    .map(|m| members_of(m, rule.ethertype))
                    .unwrap_or_default();
                list.into_iter().flat_map(ipset::members).collect()
            });
        }
    }
    sets
}

/// Members of one family as networks; what is none is left out.
fn members_of(members: &Members, ethertype: Ethertype) -> BTreeSet<ipnet::IpNet> {
    let list = match ethertype {
        Ethertype::V4 => &members.v4,
        Ethertype::V6 => &members.v6,
    };
    list.iter().filter_map(|member| rules::parse_net(member.address())).collect()
}

struct Writer<'a> {
    rules: Ruleset,
    security: &'a Security,
    style: &'a Style,
}

impl Writer<'_> {
    fn filter(&mut self, chain: &str, rule: &str, comment: Option<&str>) {
        self.rules.add_rule(Families::Both, Table::Filter, chain, rule, comment);
    }

    /// Packets of a network are tracked in a zone of its own: addresses may be used twice.
    fn zone(&mut self, device: &str, port: &SecuredPort, zones: &Zones) {
        let plug = self.style.plug;
        let Some((zone, key)) = zones.of(device, &port.network_id).zip(plug.key(device, &port.network_id))
        else {
            return;
        };
        let first = port.security_groups.first().and_then(|g| self.security.groups.get(g));
        let stateful = first.and_then(|rules| rules.first()).is_none_or(|rule| rule.stateful);
        let short = match plug {
            // Upstream cuts four characters off the device's name here, not three.
            Plug::NetworkBridge => device.get(4..).unwrap_or_default(),
            Plug::PortBridge => port.device.as_str(),
        };
        let (comment, action) = if stateful {
            (format!("Set zone for {short}"), format!("--zone {zone}"))
        } else {
            (format!("Make {short} stateless"), "--notrack".to_owned())
        };
        let bridge = format!("{}{key}", plug.prefix());
        let tail = format!("-m comment --comment \"{comment}\" -j CT {action}");
        for matching in [
            format!("-m physdev --physdev-in {bridge}"),
            format!("-i {bridge}"),
            format!("-m physdev --physdev-in {device}"),
        ] {
            let rule = format!("{matching} {tail}");
            self.rules.add_rule(Families::Both, Table::Raw, "PREROUTING", &rule, None);
        }
    }

    /// Bridged packets of ports have no business with the host's own NAT rules.
    fn bypass_nat(&mut self, device: &str) {
        for way in ["out", "in"] {
            let rule = format!("-m physdev --physdev-{way} {device} -j ACCEPT");
            let comment = Some(comment::TRUSTED_ACCEPT);
            self.rules.add_rule(Families::Both, Table::Nat, "PREROUTING", &rule, comment);
        }
    }

    /// A port that nothing is filtered for.
    fn open(&mut self, device: &str, trusted: bool) {
        for way in ["out", "in"] {
            let rule = format!("-m physdev --physdev-{way} {device} --physdev-is-bridged -j ACCEPT");
            let why = if trusted { comment::TRUSTED_ACCEPT } else { comment::PORT_SEC_ACCEPT };
            self.filter("FORWARD", &rule, Some(why));
            if way == "in" && !trusted {
                self.filter("INPUT", &rule, Some(why));
            }
        }
    }

    /// Chains of a filtered port: in, out, and the check of its source addresses.
    fn port(&mut self, device: &str, port: &SecuredPort) {
        for direction in [Direction::Ingress, Direction::Egress] {
            let (letter, way) = match direction {
                Direction::Ingress => ('i', "out"),
                Direction::Egress => ('o', "in"),
            };
            let chain = format!("{letter}{}", device.get(3..).unwrap_or_default());
            self.rules.add_chain(Families::Both, Table::Filter, &chain);
            let from = format!("-m physdev --physdev-{way} {device} --physdev-is-bridged");
            let (to_groups, to_port) = (format!("{from} -j ${SG_CHAIN}"), format!("{from} -j ${chain}"));
            let comment = Some(comment::VM_INT_SG);
            self.rules.add_top_rule(Families::Both, Table::Filter, "FORWARD", &to_groups, comment);
            self.filter(SG_CHAIN, &to_port, Some(comment::SG_TO_VM_SG));
            if direction == Direction::Egress {
                self.filter("INPUT", &to_port, Some(comment::INPUT_TO_SG));
                if self.style.looks_into {
                    rules::advertisement_chain(&mut self.rules, device, port);
                }
                rules::spoof_chain(&mut self.rules, device, port);
            }
            for (families, ethertype) in [(Families::V4, Ethertype::V4), (Families::V6, Ethertype::V6)] {
                rules::fixed(&mut self.rules, families, &chain, device, direction);
                let wanted = self.group_rules(port, direction, ethertype);
                rules::groups(&mut self.rules, families, &chain, &wanted);
            }
        }
    }

    /// The rules of a port for one direction and family, as text, each once.
    fn group_rules(&self, port: &SecuredPort, direction: Direction, ethertype: Ethertype) -> Vec<String> {
        let of_groups = port.security_groups.iter().filter_map(|group| self.security.groups.get(group));
        let fits = |rule: &&SecurityRule| rule.direction == direction && rule.ethertype == ethertype;
        let all = port.security_group_rules.iter().chain(of_groups.flatten()).filter(fits);
        let mut seen = BTreeSet::new();
        all.flat_map(|rule| self.texts(rule, port)).filter(|text| seen.insert(text.clone())).collect()
    }

    fn texts(&self, rule: &SecurityRule, port: &SecuredPort) -> Vec<String> {
        let Some(group) = remote_of(rule) else { return vec![rules::plain(rule)] };
        if self.style.ipset {
            return vec![rules::with_set(rule, &ipset::name(rule.ethertype == Ethertype::V6, group))];
        }
        let members = self.security.members.get(group).map(|m| members_of(m, rule.ethertype));
        let others =
            members.unwrap_or_default().into_iter().filter(|net| !port.fixed_ips.contains(&net.addr()));
        let from = |net: ipnet::IpNet| {
            let mut rule = rule.clone();
            match rule.direction {
                Direction::Ingress => rule.source_ip_prefix = Some(net.to_string()),
                Direction::Egress => rule.dest_ip_prefix = Some(net.to_string()),
            }
            rules::plain(&rule)
        };
        others.map(from).collect()
    }

    /// Between a tap's plugging and its rules, nothing passes: what begins at or goes to a tap on
    /// one of our bridges must be for a port we know. Upstream lets it pass until then.
    fn drop_unknown(&mut self, known: &BTreeSet<&String>, bridges: &[String]) {
        for (way, iface, chain) in [("in", "-i", "unknown-i"), ("out", "-o", "unknown-o")] {
            self.rules.add_chain(Families::Both, Table::Filter, chain);
            for device in known {
                self.filter(chain, &format!("-m physdev --physdev-{way} {device} -j RETURN"), None);
            }
            self.filter(chain, "-j DROP", Some(comment::NOT_YET));
            for bridge in bridges {
                let tap = format!("-m physdev --physdev-{way} tap+ --physdev-is-bridged");
                let rule =
                    format!("{iface} {bridge} {tap} -m state ! --state RELATED,ESTABLISHED -j ${chain}");
                let comment = Some(comment::NOT_YET);
                self.rules.add_top_rule(Families::Both, Table::Filter, "FORWARD", &rule, comment);
            }
        }
    }
}

/// The rules that apply to each filtered port, for comparing before and after.
fn effective(security: &Security) -> BTreeMap<&String, BTreeSet<&SecurityRule>> {
    let rules = |port: &'_ SecuredPort| -> Vec<String> { port.security_groups.clone() };
    let of =
        |groups: Vec<String>| groups.into_iter().filter_map(|g| security.groups.get(&g)).flatten().collect();
    security.ports.iter().map(|(device, port)| (device, of(rules(port)))).collect()
}

#[cfg(test)]
mod tests;
