//! Taking and giving back addresses: `ipamallocations` and `ipallocations`, whose unique keys are the judge.

use crate::db::{Row, Stop, Tx, Val, marks};
use crate::fault::Fault;
use crate::ipam::Hint;
use crate::ipam::plan::{Candidate, Want};
use crate::ipam::range::{Number, Range, free};
use crate::p;
use crate::request::Rq;
use std::collections::BTreeSet;
use std::net::IpAddr;

/// An address that a port has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// The address as it is kept.
    pub ip_address: String,
    /// Its subnet.
    pub subnet_id: String,
}

/// Free addresses asked for at once; the first is taken.
const LOOK_AHEAD: usize = 16;
/// After a conflict one of so many free addresses is taken at random, as upstream does from the start.
const WINDOW: usize = 1000;
/// Conflicts after which the whole transaction is tried again.
const CONFLICTS_MAX: usize = 10;

/// The subnets of a network that ports of `owner` may have addresses of: dedicated ones first, then in the
/// order in which they were made.
///
/// # Errors
/// `IpAddressGenerationFailureNoMatchingSubnet` where there are subnets, and none for this owner.
pub async fn candidates(tx: &mut Tx, network: &str, owner: &str) -> Result<Vec<Candidate>, Stop> {
    let sql =
        "SELECT s.id, s.cidr, s.ipv6_ra_mode, s.ipv6_address_mode, p.first_ip, p.last_ip, s.enable_dhcp,
        EXISTS (SELECT 1 FROM subnet_service_types AS t WHERE t.subnet_id = s.id),
        EXISTS (SELECT 1 FROM subnet_service_types AS t WHERE t.subnet_id = s.id AND t.service_type = ?)
        FROM subnets AS s LEFT JOIN ipallocationpools AS p ON p.subnet_id = s.id
        WHERE s.network_id = ? ORDER BY s.standard_attr_id";
    let rows = tx.all(sql, p![owner, network]).await?;
    let mut subnets: Vec<Candidate> = Vec::new();
    for row in &rows {
        let (dedicated, meant) = (row.flag(7), row.flag(8));
        let open = !dedicated || meant || (row.flag(6) && owner == "network:dhcp");
        if !open {
            continue;
        }
        let id = row.text(0);
        if subnets.last().is_none_or(|s| s.id != id) {
            let Some(subnet) = candidate(row, dedicated) else { continue };
            subnets.push(subnet);
        }
        if let (Some(pool), Some(subnet)) = (pool(row, 4), subnets.last_mut()) {
            subnet.pools.push(pool);
        }
    }
    if subnets.is_empty() && !rows.is_empty() {
        let (network_id, service_type) = (network.to_string(), owner.to_string());
        return Err(Fault::IpAddressGenerationFailureNoMatchingSubnet { network_id, service_type }.into());
    }
    subnets.sort_by_key(|s| !s.dedicated);
    Ok(subnets)
}

fn candidate(row: &Row, dedicated: bool) -> Option<Candidate> {
    let auto = [2, 3].iter().any(|at| matches!(row.text(*at).as_str(), "slaac" | "dhcpv6-stateless"));
    let (id, cidr) = (row.text(0), row.text(1).parse().ok()?);
    Some(Candidate { id, cidr, auto, pools: Vec::new(), dedicated })
}

/// A pool from two columns.
pub fn pool(row: &Row, column: usize) -> Option<Range> {
    Range::new(row.text(column).parse().ok()?, row.text(column + 1).parse().ok()?)
}

/// Takes what is wanted, for a port that is there already.
pub async fn take(
    rq: Rq<'_>,
    tx: &mut Tx,
    network: &str,
    port: &str,
    subnets: &[Candidate],
    wants: &[Want],
) -> Result<Vec<Address>, Stop> {
    let mut taken: Vec<Address> = Vec::new();
    for want in wants {
        let found = match want {
            Want::Exact(at, number) | Want::Auto(at, number) => match subnets.get(*at) {
                // A port may name the very address that it makes for itself.
                Some(s) if matches!(want, Want::Auto(..)) && has(&taken, s, *number) => continue,
                Some(subnet) => Some(exact(rq, tx, subnet, *number).await?),
                None => None,
            },
            Want::Any(some) => any(rq, tx, subnets, some).await?,
        };
        let Some(address) = found else {
            return Err(Fault::IpAddressGenerationFailure { net_id: network.into() }.into());
        };
        let sql =
            "INSERT INTO ipallocations (port_id, ip_address, subnet_id, network_id) VALUES (?, ?, ?, ?)";
        match tx.exec(sql, p![port, &address.ip_address, &address.subnet_id, network]).await {
            Err(Stop::Duplicate(_)) => {
                let (net_id, ip_address) = (network.to_string(), address.ip_address);
                return Err(Fault::IpAddressInUse { net_id, ip_address }.into());
            }
            other => other?,
        };
        taken.push(address);
    }
    Ok(taken)
}

fn has(taken: &[Address], subnet: &Candidate, number: Number) -> bool {
    taken.iter().any(|a| a.subnet_id == subnet.id && a.ip_address == number.to_string())
}

/// What is remembered of a subnet, or looked up.
async fn hint(rq: Rq<'_>, tx: &mut Tx, subnet: &str) -> Result<Hint, Stop> {
    if let Some(hint) = rq.app.hints.get(subnet) {
        return Ok(hint);
    }
    let row = tx.opt("SELECT id FROM ipamsubnets WHERE neutron_subnet_id = ?", p![subnet]).await?;
    let row = row.ok_or_else(|| Fault::SubnetNotFound { subnet_id: subnet.into() })?;
    let hint = Hint { ipam_subnet_id: row.text(0), from: None };
    rq.app.hints.put(subnet, hint.clone());
    Ok(hint)
}

async fn allocate(tx: &mut Tx, ipam_subnet: &str, number: Number) -> Result<bool, Stop> {
    let sql = "INSERT INTO ipamallocations (ip_address, status, ipam_subnet_id) VALUES (?, 'ALLOCATED', ?)";
    match tx.exec(sql, p![number.to_string(), ipam_subnet]).await {
        Ok(_) => Ok(true),
        Err(Stop::Duplicate(_)) => Ok(false),
        Err(stop) => Err(stop),
    }
}

async fn exact(rq: Rq<'_>, tx: &mut Tx, subnet: &Candidate, number: Number) -> Result<Address, Stop> {
    let hint = hint(rq, tx, &subnet.id).await?;
    let (ip, subnet_id) = (number.to_string(), subnet.id.clone());
    if allocate(tx, &hint.ipam_subnet_id, number).await? {
        return Ok(Address { ip_address: ip, subnet_id });
    }
    Err(Fault::IpAddressAlreadyAllocated { ip, subnet_id }.into())
}

async fn any(
    rq: Rq<'_>,
    tx: &mut Tx,
    subnets: &[Candidate],
    some: &[usize],
) -> Result<Option<Address>, Stop> {
    for subnet in some.iter().filter_map(|at| subnets.get(*at)) {
        if let Some(number) = lowest(rq, tx, subnet).await? {
            let (ip_address, subnet_id) = (number.to_string(), subnet.id.clone());
            return Ok(Some(Address { ip_address, subnet_id }));
        }
    }
    Ok(None)
}

/// Takes the lowest free address; after a conflict with another server a random one of a window.
async fn lowest(rq: Rq<'_>, tx: &mut Tx, subnet: &Candidate) -> Result<Option<Number>, Stop> {
    let hint = hint(rq, tx, &subnet.id).await?;
    let ipam = hint.ipam_subnet_id.clone();
    let ahead = free(&subnet.pools, &BTreeSet::new(), hint.from, LOOK_AHEAD);
    let mut tried = BTreeSet::new();
    if !ahead.is_empty() {
        let sql = format!(
            "SELECT ip_address FROM ipamallocations WHERE ipam_subnet_id = ? AND ip_address IN ({})",
            marks(ahead.len())
        );
        let params: Vec<Val> =
            std::iter::once(ipam.as_str().into()).chain(ahead.iter().map(|n| n.to_string().into())).collect();
        let taken = numbers(&tx.all(&sql, &params).await?);
        if let Some(number) = ahead.into_iter().find(|n| !taken.contains(n)) {
            if allocate(tx, &ipam, number).await? {
                rq.app.hints.put(&subnet.id, Hint { from: Some(number), ..hint });
                return Ok(Some(number));
            }
            tried.insert(number);
        }
    }
    for _ in 0..CONFLICTS_MAX {
        let sql = "SELECT ip_address FROM ipamallocations WHERE ipam_subnet_id = ?";
        let mut taken = numbers(&tx.all(sql, p![&ipam]).await?);
        taken.extend(&tried);
        let window = if tried.is_empty() { 1 } else { WINDOW };
        let open = free(&subnet.pools, &taken, None, window);
        let Some(number) = open.get(rq.app.dice(open.len())).copied() else { return Ok(None) };
        if allocate(tx, &ipam, number).await? {
            rq.app.hints.put(&subnet.id, Hint { from: open.first().copied(), ..hint });
            return Ok(Some(number));
        }
        tried.insert(number);
    }
    Err(Stop::Retry("every address that was tried had been taken meanwhile".into()))
}

fn numbers(rows: &[Row]) -> BTreeSet<Number> {
    rows.iter().filter_map(|r| r.text(0).parse::<IpAddr>().ok()).map(Number::from).collect()
}

/// The addresses of a port, in the order in which the API shows them.
pub async fn addresses(tx: &mut Tx, port: &str) -> Result<Vec<Address>, Stop> {
    let sql =
        "SELECT ip_address, subnet_id FROM ipallocations WHERE port_id = ? ORDER BY ip_address, subnet_id";
    let rows = tx.all(sql, p![port]).await?;
    Ok(rows.iter().map(|r| Address { ip_address: r.text(0), subnet_id: r.text(1) }).collect())
}

/// Gives addresses back.
pub async fn give_back(rq: Rq<'_>, tx: &mut Tx, port: &str, addresses: &[Address]) -> Result<(), Stop> {
    for address in addresses {
        let sql = "DELETE FROM ipallocations WHERE port_id = ? AND ip_address = ? AND subnet_id = ?";
        tx.exec(sql, p![port, &address.ip_address, &address.subnet_id]).await?;
        let hint = match hint(rq, tx, &address.subnet_id).await {
            Ok(hint) => hint,
            Err(Stop::Fault(_)) => continue,
            Err(stop) => return Err(stop),
        };
        let sql = "DELETE FROM ipamallocations WHERE ip_address = ? AND ipam_subnet_id = ?";
        tx.exec(sql, p![&address.ip_address, hint.ipam_subnet_id]).await?;
        if let Ok(ip) = address.ip_address.parse::<IpAddr>() {
            rq.app.hints.freed(&address.subnet_id, ip.into());
        }
    }
    Ok(())
}
