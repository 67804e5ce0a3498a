//! What becomes of a port's addresses when a client writes `fixed_ips`: kept, given back, taken. Pure.

use crate::ipam::plan::{self, Candidate, is_eui64, is_router_interface};
use crate::ipam::take::Address;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// The difference between what a port has and what it shall have.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Changes {
    /// Entries of `fixed_ips` that need an address.
    pub add: Vec<Value>,
    /// Addresses that stay.
    pub keep: Vec<Address>,
    /// Addresses to be given back.
    pub remove: Vec<Address>,
}

/// Compares. `fresh` names subnets whose address is made anew (the MAC address changed).
pub(super) fn compare(
    has: &[Address],
    wants: &[Value],
    subnets: &[Candidate],
    owner: &str,
    fresh: &[String],
) -> Changes {
    let text = |want: &Value, key: &str| want.get(key).and_then(Value::as_str).map(str::to_string);
    let is_fresh = |id: &str| fresh.iter().any(|f| f == id);
    let mut changes = Changes::default();
    let mut left: Vec<&Address> = has.iter().collect();
    let wants: Vec<&Value> =
        wants.iter().filter(|w| !text(w, "subnet_id").is_some_and(|id| is_fresh(&id))).collect();
    for want in wants.iter().filter(|w| w.get("ip_address").is_some()) {
        let address = text(want, "ip_address").unwrap_or_default();
        match left.iter().position(|a| a.ip_address == address) {
            Some(at) => changes.keep.push(left.remove(at).clone()),
            None => changes.add.push((*want).clone()),
        }
    }
    let mut by_subnet: BTreeMap<String, Vec<&Address>> = BTreeMap::new();
    for address in left {
        by_subnet.entry(address.subnet_id.clone()).or_default().push(address);
    }
    let mut candidates: Vec<&Address> = Vec::new();
    for want in wants.iter().filter(|w| w.get("ip_address").is_none()) {
        let own = text(want, "subnet_id").and_then(|id| by_subnet.get_mut(&id)).and_then(Vec::pop);
        match own {
            None => changes.add.push((*want).clone()),
            Some(address) if address.ip_address.parse().is_ok_and(is_eui64) => {
                changes.add.push(json!({"subnet_id": address.subnet_id}));
                candidates.push(address);
            }
            Some(address) => changes.keep.push(address.clone()),
        }
    }
    for address in by_subnet.into_values().flatten().chain(candidates) {
        let auto = subnets.iter().any(|s| s.id == address.subnet_id && s.auto);
        // Addresses that ports make for themselves stay, except where they are made anew.
        if is_router_interface(owner) || !auto || is_fresh(&address.subnet_id) {
            changes.remove.push(address.clone());
        } else {
            changes.keep.push(address.clone());
        }
    }
    changes
}

/// What to take for the entries that need an address.
pub(super) fn wants(
    port: &plan::Port<'_>,
    changes: &Changes,
    subnets: &[Candidate],
    fresh: &[String],
) -> Result<Vec<plan::Want>, crate::fault::Fault> {
    let mut wants = plan::fixed_ips(port, &changes.add, subnets)?;
    let subnet = |want: &plan::Want| match want {
        plan::Want::Exact(at, _) | plan::Want::Auto(at, _) => vec![*at],
        plan::Want::Any(some) => some.clone(),
    };
    let planned: Vec<usize> = wants.iter().flat_map(subnet).collect();
    let planned = planned.iter().filter_map(|at| subnets.get(*at)).map(|s| s.id.as_str());
    let others = changes.keep.iter().chain(&changes.remove).map(|a| a.subnet_id.as_str());
    let handled: Vec<&str> = planned.chain(others).filter(|id| !fresh.iter().any(|f| f == id)).collect();
    wants.extend(plan::auto(port, subnets, &handled));
    wants.sort_by_key(|want| !matches!(want, plan::Want::Exact(..)));
    Ok(wants)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ipam::range::default_pools;

    fn subnets() -> Vec<Candidate> {
        let one = |id: &str, cidr: &str, auto| {
            let cidr: ipnet::IpNet = cidr.parse().unwrap();
            let pools = default_pools(&cidr, None);
            Candidate { id: id.into(), cidr, auto, pools, dedicated: false, dhcp: true }
        };
        vec![one("v4", "10.0.0.0/24", false), one("auto", "fd00::/64", true)]
    }

    fn show(has: &[(&str, &str)], wants: Value, fresh: &[&str]) -> String {
        let has: Vec<Address> = has
            .iter()
            .map(|(ip, s)| Address { ip_address: ip.to_string(), subnet_id: s.to_string() })
            .collect();
        let fresh: Vec<String> = fresh.iter().map(ToString::to_string).collect();
        let c = compare(&has, wants.as_array().unwrap(), &subnets(), "", &fresh);
        let ips = |all: &[Address]| all.iter().map(|a| a.ip_address.as_str()).collect::<Vec<_>>().join(",");
        format!("+{} ={} -{}", Value::Array(c.add.clone()), ips(&c.keep), ips(&c.remove))
    }

    #[test]
    fn addresses_are_kept_where_they_can_be() {
        let own = ("fd00::f816:3eff:fe00:1", "auto");
        let cases = [
            (vec![("10.0.0.5", "v4")], json!([]), &[][..], "+[] = -10.0.0.5"),
            (vec![("10.0.0.5", "v4")], json!([{"subnet_id": "v4"}]), &[], "+[] =10.0.0.5 -"),
            (
                vec![("10.0.0.5", "v4")],
                json!([{"ip_address": "10.0.0.6"}]),
                &[],
                "+[{\"ip_address\":\"10.0.0.6\"}] = -10.0.0.5",
            ),
            (vec![("10.0.0.5", "v4"), own], json!([]), &[], "+[] =fd00::f816:3eff:fe00:1 -10.0.0.5"),
            (
                vec![("10.0.0.5", "v4"), own],
                json!([{"ip_address": "10.0.0.5"}]),
                &["auto"],
                "+[] =10.0.0.5 -fd00::f816:3eff:fe00:1",
            ),
        ];
        for (has, wants, fresh, expected) in cases {
            assert_eq!(show(&has, wants.clone(), fresh), expected, "{wants}");
        }
    }
}
