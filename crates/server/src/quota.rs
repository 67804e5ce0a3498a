//! Quotas: how many of a resource a project may have, counted in the transaction that adds to it.

use crate::attr::Body;
use crate::db::{Stop, Tx};
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

/// Refuses what would take a project beyond its limit. One statement per project, nearly always one.
pub async fn check(rq: Rq<'_>, tx: &mut Tx, resource: &Resource, items: &[Body]) -> Result<(), Stop> {
    let Some(quota) = resource.quota else { return Ok(()) };
    let mut wanted: Vec<(&str, i64)> = Vec::new();
    for item in items {
        let project = item.get("project_id").and_then(|p| p.as_str()).unwrap_or_default();
        match wanted.iter_mut().find(|(p, _)| *p == project) {
            Some((_, count)) => *count += 1,
            None => wanted.push((project, 1)),
        }
    }
    for (project, delta) in wanted {
        // What nobody limits is not counted.
        let sql = format!(
            "SELECT l.most, CASE WHEN l.most < 0 THEN 0 ELSE (SELECT count(*) FROM {} WHERE project_id = ?) END \
             FROM (SELECT coalesce((SELECT `limit` FROM quotas WHERE project_id = ? AND resource = ?), ?) AS most) AS l",
            resource.table
        );
        let row = tx.opt(&sql, p![project, project, quota, rq.app.limits.now().of(quota)]).await?;
        let (limit, used) = row.map_or((0, 0), |row| (row.int(0), row.int(1)));
        if limit >= 0 && used + delta > limit {
            return Err(Fault::OverQuota { overs: py::list(&[quota]) }.into());
        }
    }
    Ok(())
}
