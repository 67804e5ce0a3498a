//! Quotas: how many of a resource a project may have, counted in the transaction that adds to it.

use crate::attr::Body;
use crate::db::{Ask, Stop, Tx};
use crate::extension::Resource;
use crate::fault::Fault;
use crate::p;
use crate::py;
use crate::request::Rq;

oslo::options! {
    /// The limits of projects that have none of their own; -1 is no limit.
    pub struct Limits in "QUOTAS" {
        /// Limit of every resource that has no option of its own; below 0 is no limit.
        default_quota: i64 = -1;
        /// How many networks a project may have; below 0 is no limit.
        quota_network: i64 = 100;
        /// How many subnets a project may have; below 0 is no limit.
        quota_subnet: i64 = 100;
        /// How many ports a project may have; below 0 is no limit.
        quota_port: i64 = 500;
        /// How many routers a project may have; below 0 is no limit.
        quota_router: i64 = 10;
        /// How many floating IPs a project may have; below 0 is no limit.
        quota_floatingip: i64 = 50;
        /// How many security groups a project may have; below 0 is no limit.
        quota_security_group: i64 = 10;
        /// How many rules of security groups a project may have; below 0 is no limit.
        quota_security_group_rule: i64 = 100;
        /// Default number of static routes allowed in a router. A negative value means unlimited.
        quota_router_route: i64 = 30;
        /// How many grants a project may have; below 0 is no limit.
        quota_rbac_policy: i64 = 10;
    }
}

impl Limits {
    /// The limit of a project that has none of its own; below 0 = none.
    pub fn of(&self, quota: &str) -> i64 {
        match quota {
            "network" => self.quota_network,
            "subnet" => self.quota_subnet,
            "port" => self.quota_port,
            "router" => self.quota_router,
            "floatingip" => self.quota_floatingip,
            "security_group" => self.quota_security_group,
            "security_group_rule" => self.quota_security_group_rule,
            "router_route" => self.quota_router_route,
            "rbac_policy" => self.quota_rbac_policy,
            _ => self.default_quota,
        }
    }
}

/// Refuses a number that is beyond a project's limit: for what is counted inside one resource.
pub async fn check_value(
    rq: Rq<'_>,
    tx: &mut Tx,
    project: &str,
    quota: &str,
    value: i64,
) -> Result<(), Stop> {
    let sql = "SELECT `limit` FROM quotas WHERE project_id = ? AND resource = ?";
    let own = tx.opt(sql, p![project, quota]).await?.and_then(|row| row.opt_int(0));
    let limit = own.unwrap_or_else(|| rq.app.limits.now().of(quota));
    if limit >= 0 && value > limit {
        return Err(Fault::OverQuota { overs: py::list(&[quota]) }.into());
    }
    Ok(())
}

/// How many of some new resources each project gets, in the order in which the projects appear.
fn wanted(items: &[Body]) -> Vec<(&str, i64)> {
    let mut wanted: Vec<(&str, i64)> = Vec::new();
    for item in items {
        let project = item.get("project_id").and_then(|p| p.as_str()).unwrap_or_default();
        match wanted.iter_mut().find(|(p, _)| *p == project) {
            Some((_, count)) => *count += 1,
            None => wanted.push((project, 1)),
        }
    }
    // Those who make resources for the same projects wait for each other in one order.
    wanted.sort_unstable();
    wanted
}

/// A project's own limit and what it uses of it; what it uses only where the second is asked for.
fn questions(resource: &Resource) -> [String; 2] {
    let limit = "SELECT `limit` FROM quotas WHERE project_id = ? AND resource = ?";
    let used = format!("SELECT count(*) FROM {} WHERE project_id = ?", resource.table);
    [format!("SELECT ({limit}), 0"), format!("SELECT ({limit}), ({used})")]
}

/// Refuses what would take a project beyond its limit. Those who ask for one project at the same time are counted one
/// after the other. `beside` is asked in the same round trip ([`Tx::ahead`]).
pub async fn check(
    rq: Rq<'_>,
    tx: &mut Tx,
    resource: &Resource,
    items: &[Body],
    mut beside: Vec<Ask>,
) -> Result<(), Stop> {
    let Some(quota) = resource.quota else { return tx.ahead(beside).await };
    let usual = rq.app.limits.now().of(quota);
    let ([limit, both], wanted) = (questions(resource), wanted(items));
    let of_both = |project: &str| p![project, quota, project].to_vec();
    for (project, _) in &wanted {
        // Whoever has no limit of its own has the usual one: where there is one, all is counted at once.
        if usual < 0 {
            beside.push(Ask { sql: limit.clone().into(), params: p![*project, quota].to_vec() });
            continue;
        }
        tx.lock_usage(project, quota).await?;
        tx.known.unanswered(&both, &of_both(project));
        beside.push(Ask { sql: both.clone().into(), params: of_both(project) });
    }
    tx.ahead(beside).await?;
    for (project, delta) in wanted {
        let mut row = match usual < 0 {
            true => tx.all_once(&limit, p![project, quota]).await?,
            false => tx.all_once(&both, &of_both(project)).await?,
        };
        let own = row.first().and_then(|row| row.opt_int(0));
        if usual < 0 && own.is_some_and(|own| own >= 0) {
            tx.lock_usage(project, quota).await?;
            row = tx.all(&both, &of_both(project)).await?;
        }
        let limit = row.first().and_then(|row| row.opt_int(0)).unwrap_or(usual);
        let used = row.first().map_or(0, |row| row.int(1));
        if limit >= 0 && used + delta > limit {
            return Err(Fault::OverQuota { overs: py::list(&[quota]) }.into());
        }
    }
    Ok(())
}
