//! What must hold between a router's subnets, as pure functions.

use super::rows::{PortRow, SubnetRow};
use crate::fault::Fault;
use ipnet::IpNet;

fn bad(msg: String) -> Fault {
    Fault::RouterBadRequest { msg }
}

/// Two prefixes that share an address cannot both be behind one router.
pub fn disjoint(there: &SubnetRow, new: &SubnetRow) -> Result<(), Fault> {
    let (Some(a), Some(b)) = (there.net(), new.net()) else { return Ok(()) };
    let overlap = |a: &IpNet, b: &IpNet| a.contains(b) || b.contains(a);
    if !overlap(&a, &b) {
        return Ok(());
    }
    Err(bad(format!(
        "Cidr {} of subnet {} overlaps with cidr {} of subnet {}",
        new.cidr, new.id, there.cidr, there.id
    )))
}

/// A subnet whose addresses come from another router's advertisements cannot be behind ours.
pub fn advertised_here(subnet: &SubnetRow) -> Result<(), Fault> {
    if subnet.ip_version == 6 && subnet.ra_mode.is_none() && subnet.address_mode.is_some() {
        let id = &subnet.id;
        return Err(bad(format!(
            "IPv6 subnet {id} configured to receive RAs from an external router cannot be added to Neutron Router."
        )));
    }
    Ok(())
}

/// One port with IPv6 addresses per network.
pub fn one_v6_port_per_network(attached: &[PortRow], port: &PortRow) -> Result<(), Fault> {
    if !port.has_v6() {
        return Ok(());
    }
    match attached.iter().find(|p| p.id != port.id && p.network_id == port.network_id && p.has_v6()) {
        None => Ok(()),
        Some(there) => Err(bad(format!(
            "Router already contains IPv6 port {} belonging to network id {}. Only one IPv6 port from the same network subnet can be connected to a router.",
            there.id, there.network_id
        ))),
    }
}

/// No new subnet that the router is on already.
pub fn not_attached_yet(attached: &[PortRow], new: &[SubnetRow]) -> Result<(), Fault> {
    let there = attached.iter().flat_map(|port| &port.fixed_ips).map(|ip| &ip.subnet_id);
    match there.into_iter().find(|id| new.iter().any(|subnet| subnet.id == **id)) {
        Some(id) => Err(bad(format!("Router already has a port on subnet {id}"))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnet(id: &str, cidr: &str) -> SubnetRow {
        SubnetRow {
            id: id.into(),
            network_id: "n".into(),
            project_id: "p".into(),
            cidr: cidr.into(),
            gateway_ip: None,
            ip_version: if cidr.contains(':') { 6 } else { 4 },
            ra_mode: None,
            address_mode: None,
        }
    }

    #[test]
    fn overlapping_subnets_are_refused() {
        let cases = [
            ("10.0.0.0/24", "10.0.1.0/24", true),
            ("10.0.0.0/24", "10.0.0.128/25", false),
            ("10.0.0.0/8", "fd00::/8", true),
        ];
        for (there, new, fine) in cases {
            assert_eq!(disjoint(&subnet("a", there), &subnet("b", new)).is_ok(), fine, "{there} {new}");
        }
        assert_eq!(
            disjoint(&subnet("a", "10.0.0.0/24"), &subnet("b", "10.0.0.0/25")).unwrap_err().to_string(),
            "Bad router request: Cidr 10.0.0.0/25 of subnet b overlaps with cidr 10.0.0.0/24 of subnet a."
        );
    }

    #[test]
    fn somebody_elses_advertisements_are_refused() {
        let mut subnet = subnet("s", "fd00::/64");
        assert!(advertised_here(&subnet).is_ok());
        subnet.address_mode = Some("slaac".into());
        assert!(advertised_here(&subnet).is_err());
        subnet.ra_mode = Some("slaac".into());
        assert!(advertised_here(&subnet).is_ok());
    }
}
