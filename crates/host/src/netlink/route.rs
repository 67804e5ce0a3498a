//! Routes and policy routing rules.

use std::net::IpAddr;

use ipnet::IpNet;
use netlink_packet_route::route::{
    RouteAddress, RouteAttribute, RouteHeader, RouteMessage, RouteNextHop, RouteProtocol, RouteScope,
    RouteType,
};
use netlink_packet_route::rule::{RuleAction, RuleAttribute, RuleMessage};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};

use super::{Exists, Netlink};
use crate::{Error, Result};

/// The table that lookups use by default.
pub const TABLE_MAIN: u32 = 254;

/// A unicast route.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Route {
    /// The destination; a prefix of length 0 is the default route.
    pub dst: IpNet,
    /// The next hop; none = directly reachable.
    pub via: Option<IpAddr>,
    /// More next hops that share the traffic with `via`, sorted.
    pub others: Vec<IpAddr>,
    /// Index of the device; none = the kernel finds it by the next hop.
    pub dev: Option<u32>,
    /// Source address to prefer.
    pub src: Option<IpAddr>,
    /// Metric; 0 = the kernel's default.
    pub metric: u32,
    /// Routing table.
    pub table: u32,
    /// The kernel made it (a connected network, an announcement) and keeps it itself.
    pub kernel: bool,
}

impl Route {
    /// A route of the main table set by hand.
    #[must_use]
    pub fn new(dst: IpNet) -> Self {
        Route {
            dst,
            via: None,
            others: Vec::new(),
            dev: None,
            src: None,
            metric: 0,
            table: TABLE_MAIN,
            kernel: false,
        }
    }
}

/// A rule that chooses a routing table.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rule {
    /// Lower numbers are asked first.
    pub priority: u32,
    /// The source to match; none = all.
    pub from: Option<IpNet>,
    /// The incoming device to match.
    pub iif: Option<String>,
    /// The table to look into.
    pub table: u32,
    /// IPv6 (needed where nothing else says it).
    pub v6: bool,
}

impl Netlink {
    /// All unicast routes of all tables and both families, without those of the table for
    /// local addresses.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn routes(&self) -> Result<Vec<Route>> {
        let request = RouteNetlinkMessage::GetRoute(RouteMessage::default());
        self.dump(&request, "routes", |message| match message {
            RouteNetlinkMessage::NewRoute(route) => read_route(&route),
            _ => None,
        })
    }

    /// Adds a route, or replaces the one with the same destination, metric and table.
    ///
    /// # Errors
    /// `ENETUNREACH` when the next hop is not directly reachable.
    pub fn replace_route(&self, route: &Route) -> Result<()> {
        let message = RouteNetlinkMessage::NewRoute(route_body(route));
        self.create(message, Exists::Replace, &|| format!("route {route:?}"))
    }

    /// Removes a route; one that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_route(&self, route: &Route) -> Result<()> {
        let message = RouteNetlinkMessage::DelRoute(route_body(route));
        ignore_gone(self.change(message, 0, &|| format!("removing route {route:?}")))
    }

    /// All rules of both families but the kernel's own three (0, 32766, 32767).
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn rules(&self) -> Result<Vec<Rule>> {
        let request = RouteNetlinkMessage::GetRule(RuleMessage::default());
        self.dump(&request, "rules", |message| match message {
            RouteNetlinkMessage::NewRule(rule) => {
                read_rule(&rule).filter(|rule| !matches!(rule.priority, 0 | 32766 | 32767))
            }
            _ => None,
        })
    }

    /// Adds a rule; one that is there already is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn add_rule(&self, rule: &Rule) -> Result<()> {
        let message = RouteNetlinkMessage::NewRule(rule_body(rule));
        match self.create(message, Exists::Refuse, &|| format!("rule {rule:?}")) {
            Err(e) if e.is_there() => Ok(()),
            outcome => outcome,
        }
    }

    /// Removes a rule; one that is not there is no error.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn delete_rule(&self, rule: &Rule) -> Result<()> {
        let message = RouteNetlinkMessage::DelRule(rule_body(rule));
        ignore_gone(self.change(message, 0, &|| format!("removing rule {rule:?}")))
    }
}

fn ignore_gone(outcome: Result<(), Error>) -> Result<()> {
    match outcome {
        Err(e) if e.is_gone() => Ok(()),
        outcome => outcome,
    }
}

fn family(v6: bool) -> AddressFamily {
    if v6 { AddressFamily::Inet6 } else { AddressFamily::Inet }
}

fn route_body(route: &Route) -> RouteMessage {
    let mut message = RouteMessage::default();
    let header = &mut message.header;
    header.address_family = family(route.dst.addr().is_ipv6());
    header.destination_prefix_length = route.dst.prefix_len();
    header.table = u8::try_from(route.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    header.protocol = RouteProtocol::Static;
    header.kind = RouteType::Unicast;
    let connected = route.via.is_none() && route.dst.addr().is_ipv4();
    header.scope = if connected { RouteScope::Link } else { RouteScope::Universe };
    let attributes = &mut message.attributes;
    attributes.push(RouteAttribute::Table(route.table));
    if route.dst.prefix_len() > 0 {
        attributes.push(RouteAttribute::Destination(route.dst.network().into()));
    }
    if route.others.is_empty() {
        attributes.extend(route.via.map(|via| RouteAttribute::Gateway(via.into())));
        attributes.extend(route.dev.map(RouteAttribute::Oif));
    } else {
        let hops = route.via.iter().chain(&route.others).map(|via| next_hop(*via, route.dev));
        attributes.push(RouteAttribute::MultiPath(hops.collect()));
    }
    attributes.extend(route.src.map(|src| RouteAttribute::PrefSource(src.into())));
    if route.metric != 0 {
        attributes.push(RouteAttribute::Priority(route.metric));
    }
    message
}

fn next_hop(via: IpAddr, dev: Option<u32>) -> RouteNextHop {
    let mut hop = RouteNextHop::default();
    hop.interface_index = dev.unwrap_or(0);
    hop.attributes = vec![RouteAttribute::Gateway(via.into())];
    hop
}

/// The next hops of a route that has several.
fn read_hops(hops: &[RouteNextHop], route: &mut Route) {
    let via = |hop: &RouteNextHop| {
        hop.attributes.iter().find_map(|attribute| match attribute {
            RouteAttribute::Gateway(address) => ip_of(address),
            _ => None,
        })
    };
    let mut vias: Vec<IpAddr> = hops.iter().filter_map(via).collect();
    vias.sort_unstable();
    let mut vias = vias.into_iter();
    route.via = vias.next();
    route.others = vias.collect();
}

fn ip_of(address: &RouteAddress) -> Option<IpAddr> {
    match address {
        RouteAddress::Inet(a) => Some((*a).into()),
        RouteAddress::Inet6(a) => Some((*a).into()),
        _ => None,
    }
}

fn read_route(message: &RouteMessage) -> Option<Route> {
    const TABLE_LOCAL: u32 = 255;
    let header = &message.header;
    if header.kind != RouteType::Unicast {
        return None;
    }
    let unspecified: IpAddr = match header.address_family {
        AddressFamily::Inet => std::net::Ipv4Addr::UNSPECIFIED.into(),
        AddressFamily::Inet6 => std::net::Ipv6Addr::UNSPECIFIED.into(),
        _ => return None,
    };
    let (mut dst, mut route) = (unspecified, Route::new(IpNet::new(unspecified, 0).ok()?));
    route.table = u32::from(header.table);
    route.kernel =
        matches!(header.protocol, RouteProtocol::Kernel | RouteProtocol::Ra | RouteProtocol::IcmpRedirect);
    for attribute in &message.attributes {
        match attribute {
            RouteAttribute::Destination(address) => dst = ip_of(address)?,
            RouteAttribute::Gateway(address) => route.via = ip_of(address),
            RouteAttribute::PrefSource(address) => route.src = ip_of(address),
            RouteAttribute::MultiPath(hops) => read_hops(hops, &mut route),
            RouteAttribute::Oif(index) => route.dev = Some(*index),
            RouteAttribute::Priority(metric) => route.metric = *metric,
            RouteAttribute::Table(table) => route.table = *table,
            _ => {}
        }
    }
    route.dst = IpNet::new(dst, header.destination_prefix_length).ok()?;
    (route.table != TABLE_LOCAL).then_some(route)
}

fn rule_body(rule: &Rule) -> RuleMessage {
    let mut message = RuleMessage::default();
    message.header.family = family(rule.v6);
    message.header.action = RuleAction::ToTable;
    message.header.table = u8::try_from(rule.table).unwrap_or(RouteHeader::RT_TABLE_UNSPEC);
    message.attributes.push(RuleAttribute::Table(rule.table));
    message.attributes.push(RuleAttribute::Priority(rule.priority));
    if let Some(from) = rule.from {
        message.header.src_len = from.prefix_len();
        message.attributes.push(RuleAttribute::Source(from.network()));
    }
    message.attributes.extend(rule.iif.clone().map(RuleAttribute::Iifname));
    message
}

fn read_rule(message: &RuleMessage) -> Option<Rule> {
    if message.header.action != RuleAction::ToTable {
        return None;
    }
    let v6 = message.header.family == AddressFamily::Inet6;
    let mut rule = Rule { priority: 0, from: None, iif: None, table: u32::from(message.header.table), v6 };
    for attribute in &message.attributes {
        match attribute {
            RuleAttribute::Priority(priority) => rule.priority = *priority,
            RuleAttribute::Table(table) => rule.table = *table,
            RuleAttribute::Iifname(name) => rule.iif = Some(name.clone()),
            RuleAttribute::Source(from) => rule.from = IpNet::new(*from, message.header.src_len).ok(),
            _ => {}
        }
    }
    Some(rule)
}
