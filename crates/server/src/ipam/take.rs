//! Taking and giving back addresses: `ipamallocations` and `ipallocations`, whose unique keys are the judge.

use crate::db::{Ask, Row, Stop, Tx};
use crate::fault::Fault;
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

/// Addresses that are tried because they are probably free, before the table is looked at.
const PROMISES_MAX: usize = 3;
/// After a conflict one of so many free addresses is taken at random, as upstream does from the start.
const WINDOW: usize = 1000;
/// Conflicts after which the whole transaction is tried again.
const CONFLICTS_MAX: usize = 10;

/// A network as one statement reads it for ports: what it gives them, its subnets, their pools and whom they are for.
pub struct Site {
    /// `port_security_enabled` of the network.
    pub port_security: bool,
    /// One per pool of a subnet and owner that it is for.
    rows: Vec<Row>,
    owner: String,
    id: String,
}

// Plain joins: a subquery for each of the questions would take the database three times as long.
const SITE: &str = "SELECT s.id, s.cidr, s.ipv6_ra_mode, s.ipv6_address_mode, p.first_ip, p.last_ip, s.enable_dhcp, \
    t.service_type, b.port_security_enabled, s.standard_attr_id FROM networks AS n \
    LEFT JOIN networksecuritybindings AS b ON b.network_id = n.id LEFT JOIN subnets AS s ON s.network_id = n.id \
    LEFT JOIN ipallocationpools AS p ON p.subnet_id = s.id \
    LEFT JOIN subnet_service_types AS t ON t.subnet_id = s.id WHERE n.id = ?";
const SERVED: &str = "SELECT 1 FROM networkdhcpagentbindings WHERE network_id = ? LIMIT 1";

/// What [`site`] asks.
pub fn site_ask(network: &str) -> Ask {
    Ask::new(SITE, p![network])
}

/// What [`served`] asks.
pub fn served_ask(network: &str) -> Ask {
    Ask::new(SERVED, p![network])
}

/// A network as ports of `owner` find it; none where it is not there.
pub async fn site(tx: &mut Tx, network: &str, owner: &str) -> Result<Option<Site>, Stop> {
    let mut rows = tx.all_once(SITE, p![network]).await?;
    let Some(port_security) = rows.first().map(|row| row.opt_int(8) != Some(0)) else { return Ok(None) };
    rows.retain(|row| row.opt_text(0).is_some());
    // Subnets in the order in which they were made.
    rows.sort_by_key(|row| row.int(9));
    Ok(Some(Site { port_security, rows, owner: owner.to_string(), id: network.to_string() }))
}

/// Whether DHCP agents serve a network.
pub async fn served(tx: &mut Tx, network: &str) -> Result<bool, Stop> {
    Ok(!tx.all_once(SERVED, p![network]).await?.is_empty())
}

impl Site {
    /// The subnets that ports of the owner may have addresses of: dedicated ones first, then in the order in
    /// which they were made.
    ///
    /// # Errors
    /// `IpAddressGenerationFailureNoMatchingSubnet` where there are subnets, and none for this owner.
    pub fn candidates(&self) -> Result<Vec<Candidate>, Fault> {
        self.candidates_of(&self.owner)
    }

    /// Whether ports of another owner may have addresses of a subnet.
    pub fn gives(&self, subnet: &str, owner: &str) -> bool {
        self.candidates_of(owner).is_ok_and(|all| all.iter().any(|candidate| candidate.id == subnet))
    }

    fn candidates_of(&self, owner: &str) -> Result<Vec<Candidate>, Fault> {
        let mut subnets: Vec<Candidate> = Vec::new();
        for of_subnet in self.rows.chunk_by(|a, b| a.str(0) == b.str(0)) {
            let Some(row) = of_subnet.first() else { continue };
            let dedicated = row.opt_text(7).is_some();
            let meant = of_subnet.iter().any(|row| row.str(7).eq_ignore_ascii_case(owner));
            let open = !dedicated || meant || (row.flag(6) && owner == "network:dhcp");
            let Some(mut subnet) = candidate(row, dedicated).filter(|_| open) else { continue };
            for pool in of_subnet.iter().filter_map(|row| pool(row, 4)) {
                // It stands there once for each owner.
                if !subnet.pools.contains(&pool) {
                    subnet.pools.push(pool);
                }
            }
            subnets.push(subnet);
        }
        if subnets.is_empty() && !self.rows.is_empty() {
            let (network_id, service_type) = (self.id.clone(), owner.to_string());
            return Err(Fault::IpAddressGenerationFailureNoMatchingSubnet { network_id, service_type });
        }
        subnets.sort_by_key(|s| !s.dedicated);
        Ok(subnets)
    }
}

/// The [`Site::candidates`] of a network; none where it is not there.
pub async fn candidates(tx: &mut Tx, network: &str, owner: &str) -> Result<Vec<Candidate>, Stop> {
    match site(tx, network, owner).await? {
        Some(site) => Ok(site.candidates()?),
        None => Ok(Vec::new()),
    }
}

fn candidate(row: &Row, dedicated: bool) -> Option<Candidate> {
    let auto = [2, 3].iter().any(|at| matches!(row.text(*at).as_str(), "slaac" | "dhcpv6-stateless"));
    let (id, cidr) = (row.text(0), row.text(1).parse().ok()?);
    Some(Candidate { id, cidr, auto, pools: Vec::new(), dedicated, dhcp: row.flag(6) })
}

/// A pool from two columns.
pub fn pool(row: &Row, column: usize) -> Option<Range> {
    Range::new(row.text(column).parse().ok()?, row.text(column + 1).parse().ok()?)
}

/// What of a port its addresses decide.
pub const OF_ADDRESSES: &[&str] = &["fixed_ips", "dns_name", "dns_assignment"];

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
    tx.known.unsettle("port", port, OF_ADDRESSES);
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
        let params = p![port, &address.ip_address, &address.subnet_id, network];
        let stored = match want {
            Want::Any(_) => tx.queue_noted(sql, params).await,
            Want::Exact(..) | Want::Auto(..) => tx.exec_noted(sql, params).await.map(drop),
        };
        match stored {
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

/// Gives each of some ports an address of a subnet that nobody has had addresses of before.
pub async fn take_new(
    rq: Rq<'_>,
    tx: &mut Tx,
    network: &str,
    subnet: &str,
    ports: &[(String, Number)],
) -> Result<(), Stop> {
    if ports.is_empty() {
        return Ok(());
    }
    let ipam = ipam_subnet(rq, tx, subnet).await?;
    let (mut allocated, mut given) = (Vec::new(), Vec::new());
    for (port, number) in ports {
        let address = number.to_string();
        allocated.extend_from_slice(p![&address, &ipam]);
        given.extend_from_slice(p![port, &address, subnet, network]);
    }
    let rows = |row: &str| vec![row; ports.len()].join(", ");
    let sql = "INSERT INTO ipamallocations (ip_address, status, ipam_subnet_id) VALUES";
    tx.queue(&format!("{sql} {}", rows("(?, 'ALLOCATED', ?)")), &allocated).await?;
    let sql = "INSERT INTO ipallocations (port_id, ip_address, subnet_id, network_id) VALUES";
    tx.queue(&format!("{sql} {}", rows("(?, ?, ?, ?)")), &given).await
}

fn has(taken: &[Address], subnet: &Candidate, number: Number) -> bool {
    taken.iter().any(|a| a.subnet_id == subnet.id && a.ip_address == number.to_string())
}

/// The row of `ipamsubnets` that belongs to a subnet: remembered, or looked up.
async fn ipam_subnet(rq: Rq<'_>, tx: &mut Tx, subnet: &str) -> Result<String, Stop> {
    if let Some(id) = rq.app.hints.ipam_subnet(subnet) {
        return Ok(id);
    }
    let row = tx.opt("SELECT id FROM ipamsubnets WHERE neutron_subnet_id = ?", p![subnet]).await?;
    let row = row.ok_or_else(|| Fault::SubnetNotFound { subnet_id: subnet.into() })?;
    rq.app.hints.learn(subnet, &row.text(0));
    Ok(row.text(0))
}

const ALLOCATE: &str =
    "INSERT INTO ipamallocations (ip_address, status, ipam_subnet_id) VALUES (?, 'ALLOCATED', ?)";

async fn allocate(tx: &mut Tx, ipam_subnet: &str, number: Number) -> Result<bool, Stop> {
    match tx.exec_noted(ALLOCATE, p![number.to_string(), ipam_subnet]).await {
        Ok(_) => Ok(true),
        // Any other key is that of a statement that travelled with this one.
        Err(Stop::Duplicate(key)) if key == "PRIMARY" => Ok(false),
        Err(stop) => Err(stop),
    }
}

async fn exact(rq: Rq<'_>, tx: &mut Tx, subnet: &Candidate, number: Number) -> Result<Address, Stop> {
    let ipam = ipam_subnet(rq, tx, &subnet.id).await?;
    let (ip, subnet_id) = (number.to_string(), subnet.id.clone());
    if allocate(tx, &ipam, number).await? {
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

/// Takes a free address: one that this process has reason to believe in, else the lowest that the table shows;
/// after a conflict with another server a random one of a window.
async fn lowest(rq: Rq<'_>, tx: &mut Tx, subnet: &Candidate) -> Result<Option<Number>, Stop> {
    let ipam = ipam_subnet(rq, tx, &subnet.id).await?;
    for _ in 0..PROMISES_MAX {
        match rq.app.hints.promise(&subnet.id, &subnet.pools) {
            // Where another server has it already, the key refuses the transaction, and it runs again.
            Some(number) if !tx.is_again() => {
                tx.queue_noted(ALLOCATE, p![number.to_string(), &ipam]).await?;
                return Ok(Some(number));
            }
            Some(number) if allocate(tx, &ipam, number).await? => return Ok(Some(number)),
            Some(_) => {}
            None => break,
        }
    }
    let mut tried = BTreeSet::new();
    for _ in 0..CONFLICTS_MAX {
        let sql = "SELECT ip_address FROM ipamallocations WHERE ipam_subnet_id = ?";
        let mut taken = numbers(&tx.all(sql, p![&ipam]).await?);
        taken.extend(&tried);
        let window = if tried.is_empty() { 1 } else { WINDOW };
        let open = free(&subnet.pools, &taken, None, window);
        let Some(number) = open.get(rq.app.dice(open.len())).copied() else { return Ok(None) };
        if allocate(tx, &ipam, number).await? {
            rq.app.hints.looked(&subnet.id, number);
            return Ok(Some(number));
        }
        tried.insert(number);
    }
    Err(Stop::Retry("every address that was tried had been taken meanwhile".into()))
}

fn numbers(rows: &[Row]) -> BTreeSet<Number> {
    rows.iter().filter_map(|r| r.text(0).parse::<IpAddr>().ok()).map(Number::from).collect()
}

/// Gives addresses back.
pub async fn give_back(rq: Rq<'_>, tx: &mut Tx, port: &str, addresses: &[Address]) -> Result<(), Stop> {
    tx.known.unsettle("port", port, OF_ADDRESSES);
    for address in addresses {
        let sql = "DELETE FROM ipallocations WHERE port_id = ? AND ip_address = ? AND subnet_id = ?";
        tx.queue_noted(sql, p![port, &address.ip_address, &address.subnet_id]).await?;
        let ipam = match ipam_subnet(rq, tx, &address.subnet_id).await {
            Ok(ipam) => ipam,
            Err(Stop::Fault(_)) => continue,
            Err(stop) => return Err(stop),
        };
        let sql = "DELETE FROM ipamallocations WHERE ip_address = ? AND ipam_subnet_id = ?";
        tx.queue_noted(sql, p![&address.ip_address, ipam]).await?;
        if let Ok(ip) = address.ip_address.parse::<IpAddr>() {
            rq.app.hints.freed(&address.subnet_id, ip.into());
        }
    }
    Ok(())
}
