//! What making, changing and removing a subnet pool means.

use super::SUBNETPOOL;
use crate::attr::Body;
use crate::db::{Stop, Tx};
use crate::extension::Rules;
use crate::fault::Fault;
use crate::ipam::prefixes::{self, compact};
use crate::ml2::segment::invalid;
use crate::notify::{Change, Verb};
use crate::p;
use crate::request::Rq;
use crate::resources::rows::{flag, items, number, text};
use crate::store;
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use serde_json::{Value, json};

/// The business rule of subnet pools.
pub struct Subnetpools;

impl Rules for Subnetpools {
    fn create<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, body: Body) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(create(rq, tx, body))
    }
    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(update(rq, tx, old, changes))
    }
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(delete(rq, tx, old))
    }
}

/// Lengths in the words of upstream's refusals.
struct Bounds {
    min: i64,
    max: i64,
    default: i64,
}

fn version(prefix: &IpNet) -> i64 {
    if matches!(prefix, IpNet::V4(_)) { 4 } else { 6 }
}

/// The prefixes of a body: of one version, as few as hold them.
fn read_prefixes(list: &[Value]) -> Result<(i64, Vec<IpNet>), Fault> {
    let all: Vec<IpNet> =
        list.iter().filter_map(Value::as_str).filter_map(|p| p.parse::<IpNet>().ok()).collect();
    let Some(first) = all.first() else { return Err(Fault::EmptySubnetPoolPrefixList {}) };
    if all.iter().any(|prefix| version(prefix) != version(first)) {
        return Err(Fault::PrefixVersionMismatch {});
    }
    Ok((version(first), compact(&all)))
}

fn bounds(body: &Body, version: i64) -> Result<Bounds, Fault> {
    let longest = if version == 4 { 32 } else { 128 };
    let asked = |key: &str| match body.get(key) {
        Some(Value::String(text)) => text.parse().ok(),
        other => other.and_then(Value::as_i64),
    };
    let min = asked("min_prefixlen").unwrap_or(if version == 4 { 8 } else { 64 });
    let max = asked("max_prefixlen").unwrap_or(longest);
    let default = asked("default_prefixlen").unwrap_or(min);
    let refused = |prefix_type: &str, prefixlen: i64, base: &str, base_prefixlen: i64| {
        Err(Fault::IllegalSubnetPoolPrefixBounds {
            prefix_type: prefix_type.into(),
            prefixlen: prefixlen.to_string(),
            base_prefix_type: base.into(),
            base_prefixlen: base_prefixlen.to_string(),
        })
    };
    if min > max {
        return refused("min_prefixlen", min, "max_prefixlen", max);
    }
    if max > longest {
        return refused("max_prefixlen", max, "ip_version_max", longest);
    }
    if default < min {
        return refused("default_prefixlen", default, "min_prefixlen", min);
    }
    if default > max {
        return refused("default_prefixlen", default, "max_prefixlen", max);
    }
    Ok(Bounds { min, max, default })
}

async fn check_default(tx: &mut Tx, version: i64) -> Result<(), Stop> {
    let sql = "SELECT 1 FROM subnetpools WHERE is_default = 1 AND ip_version = ?";
    match tx.opt(sql, p![version]).await? {
        Some(_) => Err(invalid(
            "A default subnetpool for this IP family has already been set. Only one default may exist per IP family",
        )
        .into()),
        None => Ok(()),
    }
}

/// Whether the pool may belong to the address scope it names.
async fn check_scope(
    rq: Rq<'_>,
    tx: &mut Tx,
    id: &str,
    scope: &str,
    version: i64,
    own: &[IpNet],
) -> Result<(), Stop> {
    if scope.is_empty() {
        return Ok(());
    }
    let sql = "SELECT s.ip_version, s.project_id, EXISTS (SELECT 1 FROM addressscoperbacs AS r WHERE r.object_id = s.id AND r.action = 'access_as_shared' AND r.target_project IN ('*', ?)) FROM address_scopes AS s WHERE s.id = ?";
    let me = rq.ctx.project_id.as_deref();
    let Some(row) = tx.opt(sql, p![me, scope]).await? else {
        return Err(Fault::AddressScopeNotFound { address_scope_id: scope.into() }.into());
    };
    let (subnetpool_id, address_scope_id) = (id.to_string(), scope.to_string());
    if !rq.ctx.is_admin && Some(row.text(1).as_str()) != me && !row.flag(2) {
        return Err(
            Fault::IllegalSubnetPoolAssociationToAddressScope { subnetpool_id, address_scope_id }.into()
        );
    }
    if row.int(0) != version {
        let ip_version = row.int(0).to_string();
        return Err(Fault::IllegalSubnetPoolIpVersionAssociationToAddressScope {
            subnetpool_id,
            address_scope_id,
            ip_version,
        }
        .into());
    }
    let sql = "SELECT x.cidr FROM subnetpoolprefixes AS x JOIN subnetpools AS s ON s.id = x.subnetpool_id WHERE s.address_scope_id = ? AND s.id != ?";
    let rows = tx.all(sql, p![scope, id]).await?;
    let others: Vec<IpNet> = rows.iter().filter_map(|row| row.text(0).parse().ok()).collect();
    if prefixes::overlap(own, &others) {
        return Err(Fault::AddressScopePrefixConflict {}.into());
    }
    // All subnets of one version on a network must share a scope.
    let sql = "SELECT 1 FROM subnets AS s JOIN subnets AS o ON o.network_id = s.network_id AND o.ip_version = s.ip_version WHERE s.subnetpool_id = ? AND (o.subnetpool_id IS NULL OR o.subnetpool_id != s.subnetpool_id) LIMIT 1";
    match tx.opt(sql, p![id]).await? {
        Some(_) => Err(Fault::NetworkAddressScopeAffinityError {}.into()),
        None => Ok(()),
    }
}

async fn store_prefixes(tx: &mut Tx, id: &str, prefixes: &[IpNet]) -> Result<(), Stop> {
    tx.exec("DELETE FROM subnetpoolprefixes WHERE subnetpool_id = ?", p![id]).await?;
    for prefix in prefixes {
        let sql = "INSERT INTO subnetpoolprefixes (cidr, subnetpool_id) VALUES (?, ?)";
        tx.exec(sql, p![prefix.to_string(), id]).await?;
    }
    Ok(())
}

fn set_bounds(body: &mut Body, bounds: &Bounds) {
    body.insert("min_prefixlen".into(), json!(bounds.min));
    body.insert("max_prefixlen".into(), json!(bounds.max));
    body.insert("default_prefixlen".into(), json!(bounds.default));
}

async fn create(rq: Rq<'_>, tx: &mut Tx, mut body: Body) -> Result<String, Stop> {
    let (version, own) = read_prefixes(items(&body, "prefixes"))?;
    let lengths = bounds(&body, version)?;
    set_bounds(&mut body, &lengths);
    if flag(&body, "is_default") {
        check_default(tx, version).await?;
    }
    let id = rq.app.fresh_id();
    check_scope(rq, tx, &id, text(&body, "address_scope_id"), version, &own).await?;
    body.insert("id".into(), json!(id));
    body.insert("ip_version".into(), json!(version));
    store::insert(rq, tx, &SUBNETPOOL, &body).await?;
    store_prefixes(tx, &id, &own).await?;
    if flag(&body, "shared") {
        let sql = "UPDATE subnetpools SET shared = 1 WHERE id = ?";
        tx.exec(sql, p![&id]).await?;
        let sql = "INSERT INTO subnetpoolrbacs (project_id, id, target_project, action, object_id) VALUES (?, ?, '*', 'access_as_shared', ?)";
        tx.exec(sql, p![text(&body, "project_id"), rq.app.fresh_id(), &id]).await?;
    }
    announce(rq, tx, Verb::Created, &id, None).await?;
    Ok(id)
}

async fn announce(rq: Rq<'_>, tx: &mut Tx, verb: Verb, id: &str, before: Option<Body>) -> Result<(), Stop> {
    let after = store::get(rq, tx, &SUBNETPOOL, id).await?;
    tx.announce(Change { resource: "subnetpool", verb, id: id.to_string(), before, after });
    Ok(())
}

async fn update(rq: Rq<'_>, tx: &mut Tx, old: &Body, mut changes: Body) -> Result<(), Stop> {
    let id = text(old, "id");
    let (_, had) = read_prefixes(items(old, "prefixes"))?;
    let mut own = had.clone();
    if changes.contains_key("prefixes") {
        let asked: Vec<IpNet> =
            items(&changes, "prefixes").iter().filter_map(|p| p.as_str()?.parse().ok()).collect();
        if !prefixes::is_within(&had, &asked) {
            let msg = "Existing prefixes must be a subset of the new prefixes".to_string();
            return Err(Fault::IllegalSubnetPoolPrefixUpdate { msg }.into());
        }
        own = read_prefixes(items(&changes, "prefixes"))?.1;
    }
    let mut whole = old.clone();
    whole.extend(changes.clone());
    let version = own.first().map_or(number(old, "ip_version"), version);
    set_bounds(&mut changes, &bounds(&whole, version)?);
    if flag(&changes, "is_default") && !flag(old, "is_default") {
        check_default(tx, version).await?;
    }
    check_foreign_scope(rq, tx, old).await?;
    check_scope(rq, tx, id, text(&whole, "address_scope_id"), version, &own).await?;
    store::update(rq, tx, &SUBNETPOOL, id, &changes).await?;
    if own != had {
        store_prefixes(tx, id, &own).await?;
        store::touch(rq, tx, &SUBNETPOOL, id).await?;
    }
    announce(rq, tx, Verb::Updated, id, Some(old.clone())).await
}

/// A pool in somebody else's scope stays as it is.
async fn check_foreign_scope(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let scope = text(old, "address_scope_id");
    if scope.is_empty() || rq.ctx.is_admin {
        return Ok(());
    }
    let row = tx.opt("SELECT project_id FROM address_scopes WHERE id = ?", p![scope]).await?;
    if row.is_none_or(|row| Some(row.text(0)) == rq.ctx.project_id) {
        return Ok(());
    }
    let reason = format!(
        "subnetpool {} cannot be updated when associated with shared address scope {scope}",
        text(old, "id")
    );
    Err(Fault::IllegalSubnetPoolUpdate { reason }.into())
}

async fn delete(rq: Rq<'_>, tx: &mut Tx, old: &Body) -> Result<(), Stop> {
    let id = text(old, "id");
    if tx.opt("SELECT 1 FROM subnets WHERE subnetpool_id = ? LIMIT 1", p![id]).await?.is_some() {
        let reason = "Subnet pool has existing allocations".to_string();
        return Err(Fault::SubnetPoolDeleteError { reason }.into());
    }
    store::delete(rq, tx, &SUBNETPOOL, id).await?;
    let (before, id) = (Some(old.clone()), id.to_string());
    tx.announce(Change { resource: "subnetpool", verb: Verb::Deleted, id, before, after: None });
    Ok(())
}

type Acted<'a> = BoxFuture<'a, Result<Value, Stop>>;

/// The prefixes in the body of an action.
fn action_prefixes(body: &Value) -> Result<Vec<IpNet>, Fault> {
    let list = body.get("prefixes").ok_or_else(|| invalid("Invalid input - must contain prefixes"))?;
    crate::check::check(&crate::attr::Check::SubnetList, list).map_err(|wrong| match wrong {
        crate::check::Wrong::Reason(reason) => invalid(reason),
        crate::check::Wrong::Fault(fault) => fault,
    })?;
    let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(items.iter().filter_map(|p| p.as_str()?.parse().ok()).collect())
}

fn shown(prefixes: &[IpNet]) -> Value {
    json!({"prefixes": prefixes.iter().map(ToString::to_string).collect::<Vec<_>>()})
}

/// `PUT /v2.0/subnetpools/{id}/add_prefixes`
pub(super) fn add_prefixes<'a>(rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body, body: Value) -> Acted<'a> {
    Box::pin(async move {
        let (_, had) = read_prefixes(items(old, "prefixes"))?;
        let more = action_prefixes(&body)?;
        if more.is_empty() {
            return Ok(shown(&had));
        }
        let all: Vec<String> = had.iter().chain(&more).map(ToString::to_string).collect();
        let changes = Body::from_iter([("prefixes".to_string(), json!(all))]);
        update(rq, tx, old, changes).await?;
        let all: Vec<IpNet> = had.into_iter().chain(more).collect();
        Ok(shown(&compact(&all)))
    })
}

/// `PUT /v2.0/subnetpools/{id}/remove_prefixes`
pub(super) fn remove_prefixes<'a>(rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body, body: Value) -> Acted<'a> {
    Box::pin(async move {
        let id = text(old, "id");
        let (_, had) = read_prefixes(items(old, "prefixes"))?;
        let less = action_prefixes(&body)?;
        if !prefixes::overlap(&had, &less) {
            return Ok(shown(&had));
        }
        let rows = tx.all("SELECT cidr FROM subnets WHERE subnetpool_id = ?", p![id]).await?;
        let cut: Vec<IpNet> = rows.iter().filter_map(|row| row.text(0).parse().ok()).collect();
        if prefixes::overlap(&cut, &less) {
            let msg = "One or more the prefixes to be removed is in use by a subnet.".to_string();
            return Err(Fault::IllegalSubnetPoolPrefixUpdate { msg }.into());
        }
        let left = prefixes::subtract(&had, &less);
        store_prefixes(tx, id, &left).await?;
        store::touch(rq, tx, &SUBNETPOOL, id).await?;
        announce(rq, tx, Verb::Updated, id, Some(old.clone())).await?;
        Ok(shown(&left))
    })
}
