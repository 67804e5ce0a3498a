//! How many addresses of networks and their subnets are used: the resource `network_ip_availability`.

use crate::attr::{self, Attr, Body, Condition, Filter, Home};
use crate::db::{Row, Stop, Tx, Val, marks};
use crate::extension::{Resource, Rules, Verbs};
use crate::fault::Fault;
use crate::ipam::range::Range;
use crate::ipam::take::pool;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{among, by_first};
use futures_util::future::BoxFuture;
use serde_json::json;
use std::collections::HashMap;

/// The collection: a view of `networks`, keyed by their ids.
pub static NETWORK_IP_AVAILABILITY: Resource = Resource {
    name: "network_ip_availability",
    collection: "network_ip_availabilities",
    table: "networks",
    standard: false,
    attributes: &[
        Attr::new("network_id").read_only().listed().home(Home::Column("id")),
        Attr::new("network_name").read_only().filtered().home(Home::Column("name")),
        Attr { post: false, sort: false, ..attr::PROJECT_ID },
        Attr::new("ip_version")
            .read_only()
            .hidden()
            .filter(Filter::Custom(ip_version))
            .home(Home::Filled(fill)),
        Attr::new("subnet_ip_availability").read_only().home(Home::Filled(fill)),
        Attr::new("used_ips").read_only().home(Home::Filled(fill)),
        Attr::new("total_ips").read_only().home(Home::Filled(fill)),
    ],
    quota: None,
    not_found: |id| Fault::NetworkNotFound { net_id: id.into() },
    rules: &Nothing,
    actions: &[],
    visible: None,
    verbs: Verbs { create: false, update: false, delete: false, bulk: false },
};

/// Nothing can be made, changed or removed here.
struct Nothing;

fn refused<T: Send + 'static>() -> BoxFuture<'static, Result<T, Stop>> {
    Box::pin(async { Err(Fault::MethodNotAllowed {}.into()) })
}

impl Rules for Nothing {
    fn create<'a>(&'a self, _: Rq<'a>, _: &'a mut Tx, _: Body) -> BoxFuture<'a, Result<String, Stop>> {
        refused()
    }
    fn update<'a>(
        &'a self,
        _: Rq<'a>,
        _: &'a mut Tx,
        _: &'a Body,
        _: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        refused()
    }
    fn delete<'a>(&'a self, _: Rq<'a>, _: &'a mut Tx, _: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        refused()
    }
}

fn ip_version(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let numbers: Vec<Val> = values.iter().filter_map(|v| v.parse::<i64>().ok()).map(Val::Int).collect();
    let sql = format!(
        "networks.id IN (SELECT network_id FROM subnets WHERE ip_version IN ({}))",
        marks(numbers.len())
    );
    Ok(Condition { sql, params: numbers })
}

/// The addresses of a subnet's pools, or of its whole range where it has no pools.
fn total(pools: &[Row], cidr: &str) -> u128 {
    let sizes: Vec<u128> = pools.iter().filter_map(|row| pool(row, 1)).map(|pool| pool.size()).collect();
    match cidr.parse() {
        Ok(net) if sizes.is_empty() => Range::of(&net).size(),
        _ => sizes.into_iter().fold(0, u128::saturating_add),
    }
}

fn fill<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let networks: Vec<String> = page.column("network_id").into_iter().map(str::to_string).collect();
        let sql = "SELECT network_id, id, name, ip_version, cidr FROM subnets WHERE network_id";
        let rows = among(tx, sql, &networks, "ORDER BY network_id, standard_attr_id").await?;
        let ids: Vec<String> = rows.iter().map(|row| row.text(1)).collect();
        let sql = "SELECT subnet_id, first_ip, last_ip FROM ipallocationpools WHERE subnet_id";
        let pools = by_first(among(tx, sql, &ids, "").await?);
        let sql = "SELECT subnet_id, count(*) FROM ipallocations WHERE subnet_id";
        let counted = among(tx, sql, &ids, "GROUP BY subnet_id").await?;
        let used: HashMap<String, i64> = counted.iter().map(|row| (row.text(0), row.int(1))).collect();
        let subnets = by_first(rows);
        for (at, network) in networks.iter().enumerate() {
            let own = subnets.get(network);
            let (mut used_ips, mut total_ips, mut shown) = (0, 0u128, Vec::new());
            for row in own {
                let id = row.text(1);
                let taken = used.get(&id).copied().unwrap_or_default();
                let all = total(pools.get(&id), &row.text(4));
                used_ips += taken;
                total_ips = total_ips.saturating_add(all);
                let about = json!({"subnet_id": id, "subnet_name": row.text(2), "ip_version": row.int(3),
                    "cidr": row.text(4), "used_ips": taken});
                // Numbers of IPv6 addresses go beyond what a JSON value holds here: written as text.
                let about = about.to_string();
                shown.push(format!("{}, \"total_ips\": {all}}}", about.trim_end_matches('}')));
            }
            page.set(at, "subnet_ip_availability", Cell::Json(format!("[{}]", shown.join(", "))));
            page.set(at, "used_ips", Cell::Int(used_ips));
            page.set(at, "total_ips", Cell::Json(total_ips.to_string()));
        }
        Ok(())
    })
}
