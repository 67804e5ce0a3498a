//! Cutting subnets out of pools. Two that are cut at the same time are told apart by the pool's `hash`, which
//! every cut changes.

use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::ipam::prefixes::{self, first_free, subtract, units};
use crate::p;
use crate::request::Rq;
use crate::resources::rows::{flag, number, text};
use crate::resources::subnet::check::AUTO_MODES;
use ipnet::IpNet;

/// A pool as far as cutting goes.
#[derive(Debug, Clone)]
pub struct Pool {
    /// Its id.
    pub id: String,
    /// 4 or 6.
    pub ip_version: i64,
    /// The length of subnets whose owner does not say.
    pub default_prefixlen: i64,
    /// The least length.
    pub min_prefixlen: i64,
    /// The greatest length.
    pub max_prefixlen: i64,
    /// How much a project may have, in addresses (IPv4) or /64s (IPv6).
    pub default_quota: Option<i64>,
    /// The pool's owner.
    pub project_id: String,
    /// Its address scope.
    pub address_scope_id: Option<String>,
}

async fn load(tx: &mut Tx, condition: &str, params: &[crate::db::Val]) -> Result<Option<Pool>, Stop> {
    let sql = format!(
        "SELECT id, ip_version, default_prefixlen, min_prefixlen, max_prefixlen, default_quota, project_id, address_scope_id FROM subnetpools WHERE {condition} ORDER BY id LIMIT 1"
    );
    let row = tx.opt(&sql, params).await?;
    Ok(row.map(|r| Pool {
        id: r.text(0),
        ip_version: r.int(1),
        default_prefixlen: r.int(2),
        min_prefixlen: r.int(3),
        max_prefixlen: r.int(4),
        default_quota: r.opt_int(5),
        project_id: r.text(6),
        address_scope_id: r.opt_text(7),
    }))
}

const VISIBLE: &str = "(? OR project_id = ? OR id IN (SELECT object_id FROM subnetpoolrbacs WHERE action = 'access_as_shared' AND target_project IN ('*', ?)))";

/// The name that stands for prefixes delegated by routers outside; there is no such pool here.
const DELEGATION: &str = "prefix_delegation";

fn check_delegation(body: &Body) -> Result<(), Fault> {
    let bad = |msg: &str| Err(Fault::SubnetsBadRequest { msg: msg.into() });
    let auto = |mode: &str| AUTO_MODES.contains(&text(body, mode));
    if number(body, "ip_version") != 6 {
        return bad("Prefix Delegation can only be used with IPv6 subnets.");
    }
    if !auto("ipv6_ra_mode") {
        return bad("IPv6 RA Mode must be SLAAC or Stateless for Prefix Delegation.");
    }
    if !auto("ipv6_address_mode") {
        return bad("IPv6 Address Mode must be SLAAC or Stateless for Prefix Delegation.");
    }
    Ok(())
}

/// The pool that a new subnet shall come from, if it names one or wants the default.
pub async fn of_new_subnet(rq: Rq<'_>, tx: &mut Tx, body: &Body) -> Result<Option<Pool>, Stop> {
    let (id, wants_default) = (text(body, "subnetpool_id"), flag(body, "use_default_subnetpool"));
    let (all, me) = (rq.ctx.is_admin, rq.ctx.project_id.as_deref());
    let bad = |msg: String| Stop::from(Fault::SubnetsBadRequest { msg });
    if wants_default && !id.is_empty() {
        return Err(bad("subnetpool_id and use_default_subnetpool cannot both be specified".into()));
    }
    if id == DELEGATION {
        check_delegation(body)?;
    }
    if !id.is_empty() {
        let found = load(tx, &format!("id = ? AND {VISIBLE}"), p![id, all, me, me]).await?;
        return match found {
            Some(pool) => Ok(Some(pool)),
            None => Err(Fault::SubnetPoolNotFound { subnetpool_id: id.into() }.into()),
        };
    }
    if !wants_default {
        return Ok(None);
    }
    let version = match text(body, "cidr").parse::<IpNet>() {
        Ok(IpNet::V4(_)) => 4,
        Ok(IpNet::V6(_)) => 6,
        Err(_) => number(body, "ip_version"),
    };
    let condition = format!("is_default = 1 AND ip_version = ? AND {VISIBLE}");
    match load(tx, &condition, p![version, all, me, me]).await? {
        Some(pool) => Ok(Some(pool)),
        None => Err(bad(format!("No default subnetpool found for IPv{version}"))),
    }
}

fn check_length(pool: &Pool, prefixlen: i64) -> Result<(), Fault> {
    if prefixlen > pool.max_prefixlen {
        let (prefixlen, max_prefixlen) = (prefixlen.to_string(), pool.max_prefixlen.to_string());
        return Err(Fault::MaxPrefixSubnetAllocationError { prefixlen, max_prefixlen });
    }
    if prefixlen < pool.min_prefixlen {
        let (prefixlen, min_prefixlen) = (prefixlen.to_string(), pool.min_prefixlen.to_string());
        return Err(Fault::MinPrefixSubnetAllocationError { prefixlen, min_prefixlen });
    }
    Ok(())
}

fn nets(rows: &[crate::db::Row]) -> Vec<IpNet> {
    rows.iter().filter_map(|row| row.text(0).parse().ok()).collect()
}

/// Makes this transaction the only one that cuts from the pool.
async fn lock(rq: Rq<'_>, tx: &mut Tx, pool: &Pool) -> Result<(), Stop> {
    let sql = "SELECT hash FROM subnetpools WHERE id = ?";
    let Some(row) = tx.opt(sql, p![&pool.id]).await? else {
        return Err(Fault::SubnetPoolNotFound { subnetpool_id: pool.id.clone() }.into());
    };
    let sql = "UPDATE subnetpools SET hash = ? WHERE id = ? AND hash = ?";
    let done = tx.exec(sql, p![rq.app.fresh_id(), &pool.id, row.text(0)]).await?;
    if done.affected == 0 { Err(Stop::Retry("the subnet pool is in use".into())) } else { Ok(()) }
}

/// Upstream counts what the pool's owner has, whoever asks.
async fn check_quota(tx: &mut Tx, pool: &Pool, wanted: f64) -> Result<(), Stop> {
    let Some(quota) = pool.default_quota.filter(|quota| *quota > 0) else { return Ok(()) };
    let sql = "SELECT cidr FROM subnets WHERE subnetpool_id = ? AND project_id = ?";
    let used: f64 = nets(&tx.all(sql, p![&pool.id, &pool.project_id]).await?).iter().map(units).sum();
    if used + wanted > quota as f64 { Err(Fault::SubnetPoolQuotaExceeded {}.into()) } else { Ok(()) }
}

async fn available(tx: &mut Tx, pool: &Pool) -> Result<Vec<IpNet>, Stop> {
    let sql = "SELECT cidr FROM subnetpoolprefixes WHERE subnetpool_id = ?";
    let all = nets(&tx.all(sql, p![&pool.id]).await?);
    let sql = "SELECT cidr FROM subnets WHERE subnetpool_id = ?";
    let cut = nets(&tx.all(sql, p![&pool.id]).await?);
    Ok(subtract(&all, &cut))
}

/// Cuts a subnet of a length.
pub async fn allocate_any(rq: Rq<'_>, tx: &mut Tx, pool: &Pool, prefixlen: i64) -> Result<IpNet, Stop> {
    let (longest, any) = if pool.ip_version == 4 { (32, "0.0.0.0") } else { (128, "::") };
    if prefixlen > longest {
        return Err(Fault::AddrFormatError { text: format!("invalid IPNetwork {any}/{prefixlen}") }.into());
    }
    check_length(pool, prefixlen)?;
    let length = u8::try_from(prefixlen).unwrap_or(u8::MAX);
    lock(rq, tx, pool).await?;
    let base = if pool.ip_version == 4 { 32 } else { 64 };
    check_quota(tx, pool, 2f64.powi(base - i32::from(length))).await?;
    Ok(first_free(&available(tx, pool).await?, length)?)
}

/// Cuts the subnet that is named.
pub async fn allocate_exact(rq: Rq<'_>, tx: &mut Tx, pool: &Pool, cidr: &IpNet) -> Result<(), Stop> {
    check_length(pool, i64::from(cidr.prefix_len()))?;
    lock(rq, tx, pool).await?;
    check_quota(tx, pool, units(cidr)).await?;
    if prefixes::is_within(&[*cidr], &available(tx, pool).await?) {
        return Ok(());
    }
    let reason = "Cannot allocate requested subnet from the available set of prefixes".to_string();
    Err(Fault::SubnetAllocationError { reason }.into())
}
