//! The resource `rbac_policy`: one grant of one object to one project, or to everybody.

use super::kind::Kind;
use super::{ACCESS_EXTERNAL, ACCESS_SHARED};
use crate::attr::{self, Attr, Body, Check, Default, Home};
use crate::convert;
use crate::db::{Stop, Tx, marks};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::p;
use crate::py;
use crate::request::Rq;
use crate::resources::router;
use futures_util::future::BoxFuture;
use serde_json::Value;
use std::collections::BTreeSet;

/// `rbac_policies`: rows of a view over the tables of grants.
pub static RBAC_POLICY: Resource = Resource {
    name: "rbac_policy",
    collection: "rbac_policies",
    table: crate::db::schema::RBAC_POLICIES,
    standard: false,
    attributes: &[
        attr::ID,
        Attr::new("object_type")
            .post_only()
            .default(Default::Null)
            .convert(convert_object_type)
            .guarded()
            .filtered(),
        Attr::new("object_id").post_only().default(Default::Required).check(Check::Uuid).guarded().filtered(),
        Attr::new("target_tenant")
            .default(Default::Required)
            .convert(convert_target)
            .guarded()
            .filtered()
            .home(Home::Column("target_project")),
        attr::PROJECT_ID,
        Attr::new("action")
            .post_only()
            .default(Default::Required)
            .check(Check::String(255))
            .guarded()
            .filtered(),
    ],
    quota: Some("rbac_policy"),
    not_found: |id| Fault::RbacPolicyNotFound { object_type: "unknown".into(), id: id.into() },
    rules: &Policies,
    actions: &[],
    visible: None,
    verbs: Verbs::ALL,
};

fn convert_object_type(value: Value) -> Result<Value, Fault> {
    let name = value.as_str().map(|name| name.trim().to_lowercase());
    match name.as_deref().and_then(Kind::parse) {
        Some(kind) => Ok(Value::from(kind.name())),
        None => Err(convert::invalid(format!("'{}' is not a valid RBAC object type", py::text(&value)))),
    }
}

/// A project's id in any of the spellings of a UUID, or `*`.
fn convert_target(value: Value) -> Result<Value, Fault> {
    let project = value.as_str().is_some_and(|text| text == "*" || uuid_like(text));
    if project {
        return Ok(value);
    }
    let words = format!("'{}' is not a valid target project ID; expected a UUID or '*'", py::text(&value));
    Err(convert::invalid(words))
}

fn uuid_like(text: &str) -> bool {
    let plain = text.replace("urn:", "").replace("uuid:", "").replace('-', "");
    let plain = plain.trim_matches(['{', '}']);
    plain.len() == 32 && plain.bytes().all(|b| b.is_ascii_hexdigit())
}

struct Policies;

impl Rules for Policies {
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
        Box::pin(async move {
            let grant = Grant::of(old)?;
            let Some(target) = changes.get("target_tenant").and_then(Value::as_str) else { return Ok(()) };
            let owner = owner(tx, grant.kind, &grant.object).await?;
            may_share(rq, grant.kind, owner.as_deref())?;
            if target != grant.target {
                grant.may_end(tx, owner.as_deref(), Some(target)).await?;
            }
            let sql = format!("UPDATE {} SET target_project = ? WHERE id = ?", grant.kind.grants());
            tx.exec(&sql, p![target, &grant.id]).await.map_err(twin)?;
            revise(rq, tx, &grant).await
        })
    }

    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move {
            let grant = Grant::of(old)?;
            let owner = owner(tx, grant.kind, &grant.object).await?;
            grant.may_end(tx, owner.as_deref(), None).await?;
            tx.exec(&format!("DELETE FROM {} WHERE id = ?", grant.kind.grants()), p![&grant.id]).await?;
            if grant.action == ACCESS_EXTERNAL {
                forget_external(tx, &grant.object).await?;
            }
            revise(rq, tx, &grant).await
        })
    }
}

async fn create(rq: Rq<'_>, tx: &mut Tx, body: Body) -> Result<String, Stop> {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
    let kind = Kind::parse(&text("object_type")).ok_or_else(|| convert::invalid("no object type"))?;
    let grant = Grant {
        id: rq.app.fresh_id(),
        kind,
        object: text("object_id"),
        target: text("target_tenant"),
        action: text("action"),
    };
    let Some(row) = owner_row(tx, kind, &grant.object).await? else {
        let words = format!("{} {} could not be found.", kind.name(), grant.object);
        return Err(convert::invalid(words).into());
    };
    may_share(rq, kind, row.as_deref())?;
    if !kind.actions().contains(&grant.action.as_str()) {
        let valid: Vec<String> = kind.actions().iter().map(|action| format!("'{action}'")).collect();
        let comma = if valid.len() == 1 { "," } else { "" };
        return Err(Fault::InvalidActionForType {
            action: grant.action,
            object_type: kind.name().into(),
            valid_actions: format!("({}{comma})", valid.join(", ")),
        }
        .into());
    }
    if grant.action == ACCESS_EXTERNAL {
        let there = tx.opt("SELECT 1 FROM externalnetworks WHERE network_id = ?", p![&grant.object]).await?;
        if there.is_none() {
            let sql = "INSERT INTO externalnetworks (network_id, is_default) VALUES (?, 0)";
            tx.exec(sql, p![&grant.object]).await?;
            // Upstream counts this step by itself.
            router::bump(rq, tx, kind.table(), &grant.object, 1).await?;
        }
    }
    let sql = format!(
        "INSERT INTO {} (id, project_id, object_id, target_project, action) VALUES (?, ?, ?, ?, ?)",
        kind.grants()
    );
    let values = p![&grant.id, text("project_id"), &grant.object, &grant.target, &grant.action];
    tx.exec(&sql, values).await.map_err(twin)?;
    revise(rq, tx, &grant).await?;
    Ok(grant.id)
}

fn twin(stop: Stop) -> Stop {
    match stop {
        Stop::Duplicate(_) => Fault::DuplicateRbacPolicy {}.into(),
        other => other,
    }
}

/// One row of a table of grants.
struct Grant {
    id: String,
    kind: Kind,
    object: String,
    target: String,
    action: String,
}

impl Grant {
    fn of(body: &Body) -> Result<Grant, Stop> {
        let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_string();
        let kind =
            Kind::parse(&text("object_type")).ok_or_else(|| Stop::Database("no object type".into()))?;
        Ok(Grant {
            id: text("id"),
            kind,
            object: text("object_id"),
            target: text("target_tenant"),
            action: text("action"),
        })
    }

    /// Whether nobody depends on this grant; `next` is the project that gets it instead.
    async fn may_end(&self, tx: &mut Tx, owner: Option<&str>, next: Option<&str>) -> Result<(), Stop> {
        if self.action == ACCESS_EXTERNAL {
            return self.may_end_external(tx, next).await;
        }
        if owner == Some(self.target.as_str()) || (self.kind != Kind::Network && next == Some("*")) {
            return Ok(());
        }
        let mut others = self.others(tx).await?;
        if self.target != "*" && others.contains("*") {
            return Ok(());
        }
        let mut users: BTreeSet<String> =
            tx.all(self.kind.users(), p![&self.object]).await?.iter().map(|row| row.text(0)).collect();
        if self.target != "*" {
            users.retain(|user| *user == self.target);
        } else if self.kind == Kind::Network {
            others.extend(owner.map(str::to_string));
            // Ports of the system (gateways, floating IPs) belong to no project.
            others.insert(String::new());
        }
        let stranded = if self.target == "*" { !users.is_subset(&others) } else { !users.is_empty() };
        if !stranded {
            return Ok(());
        }
        Err(self.in_use(match self.kind {
            Kind::Network => format!(
                "Unable to reconfigure sharing settings for network {}. Multiple projects are using it.",
                self.object
            ),
            Kind::SecurityGroup | Kind::SubnetPool | Kind::AddressScope => {
                format!("project_id={}", self.target)
            }
        }))
    }

    /// The other projects that the same is granted to.
    async fn others(&self, tx: &mut Tx) -> Result<BTreeSet<String>, Stop> {
        let sql = format!(
            "SELECT target_project FROM {} WHERE object_id = ? AND action = ? AND id <> ?",
            self.kind.grants()
        );
        let rows = tx.all(&sql, p![&self.object, &self.action, &self.id]).await?;
        Ok(rows.iter().map(|row| row.text(0)).collect())
    }

    async fn may_end_external(&self, tx: &mut Tx, next: Option<&str>) -> Result<(), Stop> {
        let mut others = self.others(tx).await?;
        let gateways =
            "SELECT 1 FROM routers JOIN ports ON ports.id = routers.gw_port_id WHERE ports.network_id = ?";
        let used = if self.target == "*" {
            let sql = "SELECT 1 FROM externalnetworks WHERE network_id = ? AND is_default = 1";
            if tx.opt(sql, p![&self.object]).await?.is_some() {
                return Err(self.in_use("Default external networks must be shared to everyone.".into()));
            }
            others.extend(next.map(str::to_string));
            let sql = format!("{gateways} AND routers.project_id NOT IN ({})", marks(others.len()));
            let mut params = p![&self.object].to_vec();
            params.extend(others.iter().map(crate::db::Val::from));
            tx.opt(&sql, &params).await?
        } else if others.contains("*") {
            None
        } else {
            tx.opt(&format!("{gateways} AND routers.project_id = ?"), p![&self.object, &self.target]).await?
        };
        match used {
            None => Ok(()),
            Some(_) => Err(self.in_use(
                "There are routers attached to this network that depend on this policy for access.".into(),
            )),
        }
    }

    fn in_use(&self, details: String) -> Stop {
        Fault::RbacPolicyInUse { object_id: self.object.clone(), details }.into()
    }
}

/// Only its owner or an administrator shares an object.
fn may_share(rq: Rq<'_>, kind: Kind, owner: Option<&str>) -> Result<(), Fault> {
    if rq.ctx.is_admin || (owner.is_some() && owner == rq.ctx.project_id.as_deref()) {
        return Ok(());
    }
    let what = if kind == Kind::Network { "networks" } else { "objects" };
    Err(convert::invalid(format!("Only admins can manipulate policies on {what} they do not own")))
}

async fn owner(tx: &mut Tx, kind: Kind, object: &str) -> Result<Option<String>, Stop> {
    Ok(owner_row(tx, kind, object).await?.flatten())
}

/// The project of an object; none when there is no such object.
async fn owner_row(tx: &mut Tx, kind: Kind, object: &str) -> Result<Option<Option<String>>, Stop> {
    let sql = format!("SELECT project_id FROM {} WHERE id = ?", kind.table());
    Ok(tx.opt(&sql, p![object]).await?.map(|row| row.opt_text(0)))
}

/// A network that nobody may use as an external one any more is no external network.
async fn forget_external(tx: &mut Tx, network: &str) -> Result<(), Stop> {
    let sql = "DELETE FROM externalnetworks WHERE network_id = ? AND NOT EXISTS (SELECT 1 FROM networkrbacs WHERE object_id = ? AND action = ?)";
    tx.exec(sql, p![network, network, ACCESS_EXTERNAL]).await?;
    Ok(())
}

/// A network's grants are part of it: its revision goes up with them.
async fn revise(rq: Rq<'_>, tx: &mut Tx, grant: &Grant) -> Result<(), Stop> {
    match (grant.kind, rq.app.catalog.shape("network")) {
        (Kind::Network, Some(shape)) => crate::store::touch(rq, tx, shape.resource, &grant.object).await,
        _ => Ok(()),
    }
}

/// Shares a new object with everybody: what `shared = true` in a POST means.
pub async fn share(
    rq: Rq<'_>,
    tx: &mut Tx,
    kind: Kind,
    object: &str,
    project: Option<&str>,
) -> Result<(), Stop> {
    grant(rq, tx, kind, object, project, ACCESS_SHARED).await
}

/// Grants one action on an object to everybody.
pub async fn grant(
    rq: Rq<'_>,
    tx: &mut Tx,
    kind: Kind,
    object: &str,
    project: Option<&str>,
    action: &str,
) -> Result<(), Stop> {
    let sql = format!(
        "INSERT INTO {} (id, project_id, object_id, target_project, action) VALUES (?, ?, ?, '*', ?)",
        kind.grants()
    );
    tx.exec(&sql, p![rq.app.fresh_id(), project, object, action]).await?;
    Ok(())
}

/// Changes whether an object is shared with everybody: `shared` in a PUT.
pub async fn set_shared(rq: Rq<'_>, tx: &mut Tx, kind: Kind, object: &str, shared: bool) -> Result<(), Stop> {
    let sql = format!(
        "SELECT id FROM {} WHERE object_id = ? AND target_project = '*' AND action = ?",
        kind.grants()
    );
    let there = tx.opt(&sql, p![object, ACCESS_SHARED]).await?.map(|row| row.text(0));
    match (there, shared) {
        (None, true) => share(rq, tx, kind, object, rq.ctx.project_id.as_deref()).await,
        (Some(id), false) => {
            let grant =
                Grant { id, kind, object: object.into(), target: "*".into(), action: ACCESS_SHARED.into() };
            let owner = owner(tx, kind, object).await?;
            grant.may_end(tx, owner.as_deref(), None).await?;
            tx.exec(&format!("DELETE FROM {} WHERE id = ?", kind.grants()), p![&grant.id]).await?;
            Ok(())
        }
        (None, false) | (Some(_), true) => Ok(()),
    }
}
