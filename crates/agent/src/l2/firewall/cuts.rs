//! Which tracked connections a change of the rules no longer allows. An established connection
//! passes without asking the rules again, so what is taken away must be cut.

use std::collections::BTreeSet;
use std::net::IpAddr;

use host::conntrack::Cut;
use model::l2::{Direction, Ethertype, SecuredPort, SecurityRule};

use super::{Zones, effective, members_of, remote_of, rules};
use crate::l2::view::Security;

/// The connections to cut when `now` takes the place of `before`.
#[must_use]
pub fn cuts(before: &Security, now: &Security, zones: &Zones) -> BTreeSet<Cut> {
    let mut cuts = BTreeSet::new();
    let (rules_before, rules_now) = (effective(before), effective(now));
    for (device, old) in &before.ports {
        let Some(zone) = zones.of(device, &old.network_id) else { continue };
        let Some(new) = now.ports.get(device) else {
            whole(zone, &old.fixed_ips, &mut cuts);
            continue;
        };
        let gone: Vec<IpAddr> =
            old.fixed_ips.iter().copied().filter(|ip| !new.fixed_ips.contains(ip)).collect();
        whole(zone, &gone, &mut cuts);
        let (was, is) = (rules_before.get(device), rules_now.get(device));
        for rule in was.into_iter().flatten().filter(|rule| !is.is_some_and(|is| is.contains(*rule))) {
            for ip in &new.fixed_ips {
                one(zone, rule, *ip, None, rules::protocol_number(rule), &mut cuts);
            }
        }
        for rule in is.into_iter().flatten() {
            members(before, now, zone, rule, new, &mut cuts);
        }
    }
    // A port that was not filtered until now may have connections no rule ever allowed.
    for (device, new) in now.ports.iter().filter(|(device, _)| !before.ports.contains_key(*device)) {
        if let Some(zone) = zones.of(device, &new.network_id) {
            whole(zone, &new.fixed_ips, &mut cuts);
        }
    }
    cuts
}

/// All connections of some addresses.
fn whole(zone: u16, ips: &[IpAddr], cuts: &mut BTreeSet<Cut>) {
    for ip in ips {
        let cut =
            Cut { zone: Some(zone), v6: ip.is_ipv6(), protocol: None, src: None, dst: None, mark: None };
        cuts.insert(Cut { src: Some(*ip), ..cut.clone() });
        cuts.insert(Cut { dst: Some(*ip), ..cut });
    }
}

/// Connections of one address that a rule was about, perhaps with one remote address only.
fn one(
    zone: u16,
    rule: &SecurityRule,
    ip: IpAddr,
    remote: Option<IpAddr>,
    protocol: Option<u8>,
    cuts: &mut BTreeSet<Cut>,
) {
    let v6 = rule.ethertype == Ethertype::V6;
    if ip.is_ipv6() != v6 {
        return;
    }
    let (src, dst) = match rule.direction {
        Direction::Ingress => (remote, Some(ip)),
        Direction::Egress => (Some(ip), remote),
    };
    cuts.insert(Cut { zone: Some(zone), v6, protocol, src, dst, mark: None });
}

/// Connections with addresses that left the group a rule refers to.
fn members(
    before: &Security,
    now: &Security,
    zone: u16,
    rule: &SecurityRule,
    port: &SecuredPort,
    cuts: &mut BTreeSet<Cut>,
) {
    let Some(group) = remote_of(rule) else { return };
    let list = |security: &Security| security.members.get(group).map(|m| members_of(m, rule.ethertype));
    let (was, is) = (list(before).unwrap_or_default(), list(now).unwrap_or_default());
    for left in was.difference(&is) {
        for ip in &port.fixed_ips {
            one(zone, rule, *ip, Some(left.addr()), None, cuts);
        }
    }
}
