//! Which groups a port is in: the attribute `security_groups` and the hook that stores it.

use super::{default, group};
use crate::attr::{Attr, Body, Check, Condition, Filter, Home};
use crate::convert;
use crate::db::{Stop, Tx, Val, marks};
use crate::extension::Hook;
use crate::fault::Fault;
use crate::p;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{self, by_first_then, of_page};
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeSet;

/// `security_groups` of ports.
pub const SECURITY_GROUPS: Attr = Attr::new("security_groups")
    .convert(convert::none_to_empty_list)
    .check(Check::UuidList)
    .filter(Filter::Custom(filter))
    .home(Home::Filled(fill));

/// Stores a port's groups.
pub const ON_PORT: Hook = Hook { resource: "port", stored: port_stored };
/// A project with a network has a default group.
pub const ON_NETWORK: Hook = Hook { resource: "network", stored: network_stored };

fn filter(_: Rq<'_>, groups: &[String]) -> Result<Condition, Fault> {
    let sql = format!(
        "ports.id IN (SELECT port_id FROM securitygroupportbindings WHERE security_group_id IN ({}))",
        marks(groups.len())
    );
    Ok(Condition { sql, params: groups.iter().map(Val::from).collect() })
}

fn fill<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let sql = "SELECT port_id, security_group_id FROM securitygroupportbindings WHERE port_id";
        let rows = by_first_then(of_page(tx, sql, page, "").await?, &[1]);
        rows::fill(page, "security_groups", &rows, |_, own| rows::texts(own, 1));
        Ok(())
    })
}

fn network_stored<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    _: &'a str,
    old: Option<&'a Body>,
    body: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        if old.is_none() {
            default::ensure_owner(rq, tx, body).await?;
        }
        Ok(())
    })
}

fn port_stored<'a>(
    rq: Rq<'a>,
    tx: &'a mut Tx,
    id: &'a str,
    old: Option<&'a Body>,
    body: &'a Body,
) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        match old {
            None => created(rq, tx, id, body).await,
            Some(old) => updated(rq, tx, id, old, body).await,
        }
    })
}

async fn created(rq: Rq<'_>, tx: &mut Tx, id: &str, body: &Body) -> Result<(), Stop> {
    let own = default::ensure_owner(rq, tx, body).await?;
    let asked = asked(body);
    if !secured(tx, id).await? {
        return match asked {
            Some(groups) if !groups.is_empty() => {
                Err(Fault::PortSecurityAndIPRequiredForSecurityGroups {}.into())
            }
            _ => Ok(()),
        };
    }
    if trusted(body) {
        return Ok(());
    }
    // A project may use its own default group.
    let Some(groups) = asked else { return store(tx, id, own.into_iter().collect()).await };
    let project = body.get("project_id").and_then(Value::as_str).filter(|p| !p.is_empty());
    bind(rq, tx, id, groups, project).await
}

async fn updated(rq: Rq<'_>, tx: &mut Tx, id: &str, old: &Body, body: &Body) -> Result<(), Stop> {
    let asked = asked(body);
    let had: BTreeSet<String> = asked_in(old).unwrap_or_default();
    if !secured(tx, id).await? {
        match &asked {
            Some(groups) if !groups.is_empty() => {
                return Err(Fault::PortSecurityAndIPRequiredForSecurityGroups {}.into());
            }
            None if !had.is_empty() => return Err(Fault::PortSecurityPortHasSecurityGroup {}.into()),
            Some(_) | None => {}
        }
    }
    match asked {
        Some(groups) if groups != had => {
            let groups = if trusted(body) { BTreeSet::new() } else { groups };
            tx.queue_noted("DELETE FROM securitygroupportbindings WHERE port_id = ?", p![id]).await?;
            tx.known.note("port", id, "security_groups", Cell::Json("[]".into()));
            bind(rq, tx, id, groups, None).await?;
            match rq.app.catalog.shape("port") {
                Some(shape) => crate::store::touch(rq, tx, shape.resource, id).await,
                None => Ok(()),
            }
        }
        Some(_) | None => Ok(()),
    }
}

/// The groups that a body names; none when it names none.
fn asked(body: &Body) -> Option<BTreeSet<String>> {
    asked_in(body)
}

fn asked_in(body: &Body) -> Option<BTreeSet<String>> {
    let groups = body.get("security_groups")?.as_array()?;
    Some(groups.iter().filter_map(Value::as_str).map(str::to_string).collect())
}

/// Ports of the network's own services are trusted: no groups.
fn trusted(body: &Body) -> bool {
    body.get("device_owner").and_then(Value::as_str).is_some_and(|owner| owner.starts_with("network:"))
}

/// Whether port security is on for a port.
async fn secured(tx: &mut Tx, id: &str) -> Result<bool, Stop> {
    if let Some(Cell::Bool(secured)) = tx.known.cell("port", id, "port_security_enabled") {
        return Ok(*secured);
    }
    let sql = "SELECT port_security_enabled FROM portsecuritybindings WHERE port_id = ?";
    Ok(tx.opt(sql, p![id]).await?.is_none_or(|row| row.flag(0)))
}

async fn bind(
    rq: Rq<'_>,
    tx: &mut Tx,
    port: &str,
    groups: BTreeSet<String>,
    project: Option<&str>,
) -> Result<(), Stop> {
    if groups.is_empty() {
        return Ok(());
    }
    let asked: Vec<String> = groups.into_iter().collect();
    let found = group::usable(rq, tx, &asked, project).await?;
    let missing: Vec<&str> =
        asked.iter().filter(|id| !found.iter().any(|(found, _)| found == *id)).map(String::as_str).collect();
    if !missing.is_empty() {
        return Err(Fault::SecurityGroupNotFound { id: missing.join(", ") }.into());
    }
    if found.iter().any(|(_, stateful)| *stateful) && found.iter().any(|(_, stateful)| !stateful) {
        let reason =
            "Cannot apply both stateful and stateless security groups on the same port at the same time";
        return Err(Fault::SecurityGroupConflict { reason: reason.into() }.into());
    }
    store(tx, port, found.into_iter().map(|(group, _)| group).collect()).await
}

/// Stores the groups of a port that has none.
async fn store(tx: &mut Tx, port: &str, groups: BTreeSet<String>) -> Result<(), Stop> {
    for group in &groups {
        let sql = "INSERT INTO securitygroupportbindings (port_id, security_group_id) VALUES (?, ?)";
        tx.queue_noted(sql, p![port, group]).await?;
    }
    tx.known.note("port", port, "security_groups", Cell::Json(Value::from_iter(groups).to_string()));
    Ok(())
}
