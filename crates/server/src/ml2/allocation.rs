//! Which segmentation ids are taken: upstream's allocation tables, kept in step with the configured ranges.

use crate::db::{Ask, Stop, Tx, Val};
use crate::fault::Fault;
use crate::ml2::options::Ml2;
use crate::ml2::segment::{Kind, Wanted};
use crate::p;

/// When a table is filled, one statement writes at most the square of this: databases bound how deep a
/// recursion goes (1,000), not how many rows two of them make.
const SIDE: i64 = 256;

/// The table of a tunnel type and its column.
fn tunnel_table(kind: Kind) -> Option<(&'static str, &'static str)> {
    match kind {
        Kind::Gre => Some(("ml2_gre_allocations", "gre_id")),
        Kind::Vxlan => Some(("ml2_vxlan_allocations", "vxlan_vni")),
        Kind::Geneve => Some(("ml2_geneve_allocations", "geneve_vni")),
        Kind::Local | Kind::Flat | Kind::Vlan => None,
    }
}

fn tunnel_ranges(ml2: &Ml2, kind: Kind) -> &[(i64, i64)] {
    match kind {
        Kind::Gre => &ml2.gre,
        Kind::Vxlan => &ml2.vxlan,
        Kind::Geneve => &ml2.geneve,
        Kind::Local | Kind::Flat | Kind::Vlan => &[],
    }
}

/// Makes the tables agree with the configured ranges, as upstream does at every start: ids of the ranges are
/// there, free ids outside of them are not, taken ones stay.
pub async fn sync(tx: &mut Tx, ml2: &Ml2) -> Result<(), Stop> {
    for kind in [Kind::Gre, Kind::Vxlan, Kind::Geneve] {
        if ml2.types.contains(&kind)
            && let Some((table, column)) = tunnel_table(kind)
        {
            sync_ids(tx, table, column, None, tunnel_ranges(ml2, kind)).await?;
        }
    }
    if !ml2.types.contains(&Kind::Vlan) {
        return Ok(());
    }
    for row in tx.all("SELECT DISTINCT physical_network FROM ml2_vlan_allocations", p![]).await? {
        let name = row.text(0);
        if !ml2.vlan.iter().any(|(n, _)| *n == name) {
            let sql = "DELETE FROM ml2_vlan_allocations WHERE physical_network = ? AND allocated = 0";
            tx.exec(sql, p![name]).await?;
        }
    }
    for (name, ranges) in &ml2.vlan {
        sync_ids(tx, "ml2_vlan_allocations", "vlan_id", Some(name), ranges).await?;
    }
    Ok(())
}

async fn sync_ids(
    tx: &mut Tx,
    table: &str,
    column: &str,
    physical: Option<&str>,
    ranges: &[(i64, i64)],
) -> Result<(), Stop> {
    let only = if physical.is_some() { "physical_network = ?" } else { "? IS NULL" };
    let outside = vec![format!("NOT {column} BETWEEN ? AND ?"); ranges.len()];
    let outside =
        std::iter::once("allocated = 0".to_string()).chain(outside).collect::<Vec<_>>().join(" AND ");
    let bounds = ranges.iter().flat_map(|(low, high)| [Val::from(*low), Val::from(*high)]);
    let params: Vec<Val> = std::iter::once(physical.into()).chain(bounds).collect();
    tx.exec(&format!("DELETE FROM {table} WHERE {only} AND {outside}"), &params).await?;
    for (low, high) in ranges {
        let sql = format!("SELECT count(*) FROM {table} WHERE {only} AND {column} BETWEEN ? AND ?");
        let there = tx.opt(&sql, p![physical, *low, *high]).await?.map_or(0, |row| row.int(0));
        if there <= high - low {
            fill(tx, table, column, physical, (*low, *high)).await?;
        }
    }
    Ok(())
}

/// Adds the ids of a range that are not there, which may be millions: the database counts them.
async fn fill(
    tx: &mut Tx,
    table: &str,
    column: &str,
    physical: Option<&str>,
    (low, high): (i64, i64),
) -> Result<(), Stop> {
    let (name, value) = if physical.is_some() { ("physical_network, ", "?, ") } else { ("", "") };
    let same = if physical.is_some() { "t.physical_network = ? AND " } else { "" };
    let sql = format!(
        "INSERT INTO {table} ({name}{column}, allocated) \
         WITH RECURSIVE k (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM k WHERE n < {SIDE} - 1) \
         SELECT {value}i.id, 0 FROM (SELECT ? + a.n * {SIDE} + b.n AS id FROM k AS a CROSS JOIN k AS b) AS i \
         WHERE i.id <= ? AND NOT EXISTS (SELECT 1 FROM {table} AS t WHERE {same}t.{column} = i.id)"
    );
    let mut from = low;
    while from <= high {
        let named = || physical.map(Val::from).into_iter();
        let params: Vec<Val> = named().chain([from.into(), high.into()]).chain(named()).collect();
        tx.exec(&sql, &params).await?;
        from += SIDE * SIDE;
    }
    Ok(())
}

/// Takes a segment as asked for: the id given, or the lowest free one of the range.
pub async fn reserve(tx: &mut Tx, ml2: &Ml2, wanted: &Wanted) -> Result<Wanted, Stop> {
    let mut taken = wanted.clone();
    match (wanted.kind, wanted.segmentation_id) {
        (Kind::Local, _) => {
            taken.physical_network = None;
            taken.segmentation_id = None;
        }
        (Kind::Flat, _) => {
            let physical_network = wanted.physical_network.clone().unwrap_or_default();
            let sql = "INSERT INTO ml2_flat_allocations (physical_network) VALUES (?)";
            match tx.exec(sql, p![&physical_network]).await {
                Err(Stop::Duplicate(_)) => return Err(Fault::FlatNetworkInUse { physical_network }.into()),
                other => other?,
            };
            taken.segmentation_id = None;
        }
        (Kind::Vlan, Some(id)) => take_vlan(tx, wanted.physical_network.as_deref(), id).await?,
        (Kind::Gre | Kind::Vxlan | Kind::Geneve, Some(id)) => take_tunnel(tx, wanted.kind, id).await?,
        (Kind::Vlan | Kind::Gre | Kind::Vxlan | Kind::Geneve, None) => {
            return lowest(tx, ml2, wanted).await?.ok_or_else(|| Fault::NoNetworkAvailable {}.into());
        }
    }
    Ok(taken)
}

/// A segment for a project's network: the first type, physical network and id that is free.
pub async fn allocate(tx: &mut Tx, ml2: &Ml2, kinds: &[Kind]) -> Result<Wanted, Stop> {
    for kind in kinds {
        let wanted = Wanted { kind: *kind, physical_network: None, segmentation_id: None };
        let found = match kind {
            Kind::Local => Some(wanted),
            // Upstream never gives flat networks to projects.
            Kind::Flat => None,
            Kind::Vlan | Kind::Gre | Kind::Vxlan | Kind::Geneve => lowest(tx, ml2, &wanted).await?,
        };
        if let Some(found) = found {
            return Ok(found);
        }
    }
    Err(Fault::NoNetworkAvailable {}.into())
}

/// The lowest free id, taken; none when there is none.
async fn lowest(tx: &mut Tx, ml2: &Ml2, wanted: &Wanted) -> Result<Option<Wanted>, Stop> {
    if let Some((table, column)) = tunnel_table(wanted.kind) {
        let ask = lowest_tunnel(tx.for_update(), table, column);
        let free = tx.all_once(&ask.sql, &ask.params).await?;
        tx.known.unanswered(&ask.sql, &ask.params);
        let Some(id) = free.first().and_then(|row| row.opt_int(0)) else { return Ok(None) };
        tx.queue_noted(&format!("UPDATE {table} SET allocated = 1 WHERE {column} = ?"), p![id]).await?;
        return Ok(Some(Wanted { segmentation_id: Some(id), ..wanted.clone() }));
    }
    let all: Vec<&str> = ml2.vlan.iter().map(|(n, _)| n.as_str()).collect();
    let names = wanted.physical_network.as_deref().map_or(all, |n| vec![n]);
    for name in names {
        let sql = format!(
            "SELECT vlan_id FROM ml2_vlan_allocations WHERE physical_network = ? AND allocated = 0 ORDER BY vlan_id LIMIT 1 {}",
            tx.for_update()
        );
        let Some(id) = tx.opt(&sql, p![name]).await?.and_then(|row| row.opt_int(0)) else { continue };
        let sql = "UPDATE ml2_vlan_allocations SET allocated = 1 WHERE physical_network = ? AND vlan_id = ?";
        tx.queue_noted(sql, p![name, id]).await?;
        let physical_network = Some(name.to_string());
        return Ok(Some(Wanted { physical_network, segmentation_id: Some(id), ..wanted.clone() }));
    }
    Ok(None)
}

/// Reads the lowest free id of a tunnel type, and keeps it from others until the end of the transaction.
fn lowest_tunnel(for_update: &str, table: &str, column: &str) -> Ask {
    let sql =
        format!("SELECT {column} FROM {table} WHERE allocated = 0 ORDER BY {column} LIMIT 1 {for_update}");
    Ask { sql: sql.into(), params: Vec::new() }
}

/// What [`allocate`] asks first, to be asked ahead, which is done where rows have to be locked.
pub fn ask(kinds: &[Kind]) -> Option<Ask> {
    let (table, column) = tunnel_table(*kinds.first()?)?;
    Some(lowest_tunnel("FOR UPDATE", table, column))
}

async fn take_tunnel(tx: &mut Tx, kind: Kind, id: i64) -> Result<(), Stop> {
    let Some((table, column)) = tunnel_table(kind) else { return Ok(()) };
    let sql = format!("UPDATE {table} SET allocated = 1 WHERE {column} = ? AND allocated = 0");
    if tx.exec(&sql, p![id]).await?.affected > 0 {
        return Ok(());
    }
    match tx.exec(&format!("INSERT INTO {table} ({column}, allocated) VALUES (?, 1)"), p![id]).await {
        Err(Stop::Duplicate(_)) => Err(Fault::TunnelIdInUse { tunnel_id: id.to_string() }.into()),
        other => other.map(|_| ()),
    }
}

async fn take_vlan(tx: &mut Tx, physical: Option<&str>, id: i64) -> Result<(), Stop> {
    let sql = "UPDATE ml2_vlan_allocations SET allocated = 1 WHERE physical_network = ? AND vlan_id = ? AND allocated = 0";
    if tx.exec(sql, p![physical, id]).await?.affected > 0 {
        return Ok(());
    }
    let sql = "INSERT INTO ml2_vlan_allocations (physical_network, vlan_id, allocated) VALUES (?, ?, 1)";
    match tx.exec(sql, p![physical, id]).await {
        Err(Stop::Duplicate(_)) => {
            let physical_network = physical.unwrap_or_default().to_string();
            Err(Fault::VlanIdInUse { vlan_id: id.to_string(), physical_network }.into())
        }
        other => other.map(|_| ()),
    }
}

/// Gives a segment back: free again inside the ranges, forgotten outside of them.
pub async fn release(tx: &mut Tx, ml2: &Ml2, segment: &Wanted) -> Result<(), Stop> {
    let id = segment.segmentation_id.unwrap_or_default();
    let within = |ranges: &[(i64, i64)]| ranges.iter().any(|(low, high)| *low <= id && id <= *high);
    match segment.kind {
        Kind::Local => {}
        Kind::Flat => {
            let sql = "DELETE FROM ml2_flat_allocations WHERE physical_network = ?";
            tx.exec(sql, p![segment.physical_network.clone()]).await?;
        }
        Kind::Vlan => {
            let name = segment.physical_network.clone().unwrap_or_default();
            let inside = ml2.vlan.iter().any(|(n, ranges)| *n == name && within(ranges));
            let start = if inside {
                "UPDATE ml2_vlan_allocations SET allocated = 0"
            } else {
                "DELETE FROM ml2_vlan_allocations"
            };
            tx.exec(&format!("{start} WHERE physical_network = ? AND vlan_id = ?"), p![name, id]).await?;
        }
        Kind::Gre | Kind::Vxlan | Kind::Geneve => {
            let Some((table, column)) = tunnel_table(segment.kind) else { return Ok(()) };
            let start = if within(tunnel_ranges(ml2, segment.kind)) {
                format!("UPDATE {table} SET allocated = 0")
            } else {
                format!("DELETE FROM {table}")
            };
            tx.exec(&format!("{start} WHERE {column} = ?"), p![id]).await?;
        }
    }
    Ok(())
}
