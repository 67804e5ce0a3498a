//! Every project's default security group, made when it is first needed.

use super::group;
use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::fault::Fault;
use crate::p;
use crate::policy;
use crate::request::Rq;
use serde_json::json;

/// The default group of a project, made if need be; none where the caller may not have it made
/// (`create_default_security_group`) and it is not there.
pub async fn ensure(rq: Rq<'_>, tx: &mut Tx, project: &str) -> Result<Option<String>, Stop> {
    if project.is_empty() || !may_make(rq, tx, project).await? {
        return Ok(None);
    }
    if let Some(id) = find(tx, project).await? {
        return Ok(Some(id));
    }
    let id = rq.app.fresh_id();
    let group = json!({"id": id, "project_id": project, "name": "default", "stateful": true,
        "description": "Default security group"});
    group::insert(rq, tx, group.as_object().cloned().unwrap_or_default(), true).await?;
    let made = tx
        .exec(
            "INSERT INTO default_security_group (project_id, security_group_id) VALUES (?, ?)",
            p![project, &id],
        )
        .await;
    match made {
        Ok(_) => Ok(Some(id)),
        // Another request made it meanwhile: run again, and find it.
        Err(Stop::Duplicate(key)) => {
            Err(Stop::Retry(format!("the default group of {project} is there: {key}")))
        }
        Err(other) => Err(other),
    }
}

const OF_PROJECT: &str = "SELECT security_group_id FROM default_security_group WHERE project_id = ?";

/// What [`find`] asks.
pub fn ask(project: &str) -> Ask {
    Ask::new(OF_PROJECT, p![project])
}

/// The id of a project's default group.
pub async fn find(tx: &mut Tx, project: &str) -> Result<Option<String>, Stop> {
    Ok(tx.all_once(OF_PROJECT, p![project]).await?.first().map(|row| row.text(0)))
}

async fn may_make(rq: Rq<'_>, tx: &mut Tx, project: &str) -> Result<bool, Stop> {
    let target = Body::from_iter([("project_id".to_string(), json!(project))]);
    match policy::enforce_rule(rq, tx, "create_default_security_group", &target).await {
        Ok(()) => Ok(true),
        Err(Stop::Fault(_)) => Ok(false),
        Err(other) => Err(other),
    }
}

/// Before a list of groups or rules: the default group of the project filtered by, or of the asking one.
pub async fn before_list(rq: Rq<'_>, filters: &[(String, String)]) -> Result<(), Fault> {
    let named = ["project_id", "tenant_id"]
        .into_iter()
        .find_map(|name| filters.iter().find(|(key, value)| key == name && !value.is_empty()));
    let Some(own) = rq.ctx.project_id.as_deref() else { return Ok(()) };
    let project = named.map_or(own, |(_, project)| project.as_str());
    let mut tx = rq.app.db.read().await.map_err(Stop::into_fault)?;
    let there = find(&mut tx, project).await.map_err(Stop::into_fault)?.is_some();
    drop(tx);
    if there {
        return Ok(());
    }
    rq.app.write(ensure_in, &(rq, project)).await.map_err(Stop::into_fault)
}

async fn ensure_in(tx: &mut Tx, (rq, project): &(Rq<'_>, &str)) -> Result<(), Stop> {
    ensure(*rq, tx, project).await.map(|_| ())
}

/// Makes sure of the group that the resource of `body` belongs to: for hooks of other resources.
pub async fn ensure_owner(rq: Rq<'_>, tx: &mut Tx, body: &Body) -> Result<Option<String>, Stop> {
    let project = body.get("project_id").and_then(|v| v.as_str()).unwrap_or_default();
    ensure(rq, tx, project).await
}

/// Whether a group is some project's default group; for rules' `belongs_to_default_sg`.
pub const IS_DEFAULT: &str =
    "SELECT 1 FROM default_security_group WHERE default_security_group.security_group_id";

pub(super) fn is_default_group(group: &Body) -> bool {
    group.get("name").and_then(|v| v.as_str()) == Some("default")
}
