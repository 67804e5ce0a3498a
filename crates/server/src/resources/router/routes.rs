//! `routes`: extra routes of a router.

use super::rows;
use crate::db::{Ask, Row, Stop, Tx};
use crate::fault::Fault;
use crate::p;
use crate::py;
use crate::record::{Cell, Page};
use crate::request::Rq;
use crate::resources::rows::{by_first_then, fill as set, of_page};
use futures_util::future::BoxFuture;
use ipnet::IpNet;
use serde_json::{Value, json};
use std::net::IpAddr;

/// A destination and the next hop to it, as the client wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The destination's prefix.
    pub destination: String,
    /// The address of the next hop.
    pub nexthop: String,
}

impl Route {
    fn json(&self) -> Value {
        json!({"destination": self.destination, "nexthop": self.nexthop})
    }
}

/// The routes in an admitted list.
pub fn parse(routes: &Value) -> Vec<Route> {
    let items = routes.as_array().map(Vec::as_slice).unwrap_or_default();
    let text =
        |item: &Value, key: &str| item.get(key).and_then(Value::as_str).unwrap_or_default().to_string();
    items
        .iter()
        .map(|item| Route { destination: text(item, "destination"), nexthop: text(item, "nexthop") })
        .collect()
}

/// Every next hop must be a neighbour of the router, and none of its own addresses.
pub fn check(routes: &[Route], cidrs: &[String], own: &[String]) -> Result<(), Fault> {
    let shown = || py::text(&Value::from_iter(routes.iter().map(Route::json)));
    let nets: Vec<IpNet> = cidrs.iter().filter_map(|cidr| cidr.parse().ok()).collect();
    for route in routes {
        let near = route.nexthop.parse::<IpAddr>().is_ok_and(|hop| nets.iter().any(|net| net.contains(&hop)));
        let reason = if !near {
            "the nexthop is not connected with router"
        } else if own.contains(&route.nexthop) {
            "the nexthop is used by router"
        } else {
            continue;
        };
        return Err(Fault::InvalidRoutes { routes: shown(), reason: reason.into() });
    }
    Ok(())
}

/// `old` and `more`, the same ones once.
pub fn add(old: &[Route], more: &[Route]) -> Vec<Route> {
    let mut all: Vec<Route> = Vec::new();
    for route in old.iter().chain(more) {
        if !all.contains(route) {
            all.push(route.clone());
        }
    }
    all
}

/// `old` without those in `less`; what is not there already is no error.
pub fn remove(old: &[Route], less: &[Route]) -> Vec<Route> {
    old.iter().filter(|route| !less.contains(route)).cloned().collect()
}

const OF_ROUTER: &str =
    "SELECT destination, nexthop FROM routerroutes WHERE router_id = ? ORDER BY destination, nexthop";

/// What [`of`] asks.
pub fn ask(router: &str) -> Ask {
    Ask::new(OF_ROUTER, p![router])
}

/// The routes of a router.
pub async fn of(tx: &mut Tx, router: &str) -> Result<Vec<Route>, Stop> {
    let rows = tx.all_of_page(OF_ROUTER.into(), p![router].to_vec()).await?;
    Ok(rows.iter().map(|row| Route { destination: row.text(0), nexthop: row.text(1) }).collect())
}

/// Checks routes against the ports that carry the router's id, as upstream does it here.
pub async fn check_against_ports(tx: &mut Tx, router: &str, routes: &[Route]) -> Result<(), Stop> {
    let ports = rows::ports(tx, "ports.device_id = ?", p![router]).await?;
    let ips: Vec<_> = ports.into_iter().flat_map(|port| port.fixed_ips).collect();
    let subnets: Vec<&str> = ips.iter().map(|ip| ip.subnet_id.as_str()).collect();
    let cidrs: Vec<String> = rows::subnets(tx, "id", &subnets).await?.into_iter().map(|s| s.cidr).collect();
    let own: Vec<String> = ips.into_iter().map(|ip| ip.ip_address).collect();
    Ok(check(routes, &cidrs, &own)?)
}

/// Makes a router's routes these; says whether anything changed.
pub async fn store(tx: &mut Tx, router: &str, routes: &[Route]) -> Result<bool, Stop> {
    let old = of(tx, router).await?;
    let (gone, fresh) = (remove(&old, routes), remove(routes, &old));
    for route in &gone {
        let sql = "DELETE FROM routerroutes WHERE router_id = ? AND destination = ? AND nexthop = ?";
        tx.exec(sql, p![router, &route.destination, &route.nexthop]).await?;
    }
    for route in &fresh {
        let sql = "INSERT INTO routerroutes (router_id, destination, nexthop) VALUES (?, ?, ?)";
        tx.exec(sql, p![router, &route.destination, &route.nexthop]).await?;
    }
    Ok(!gone.is_empty() || !fresh.is_empty())
}

/// Fills `routes` of a page of routers.
pub fn fill<'a>(_: Rq<'a>, tx: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        let sql = "SELECT router_id, destination, nexthop FROM routerroutes WHERE router_id";
        let routes = by_first_then(of_page(tx, sql, page, "").await?, &[1, 2]);
        set(page, "routes", &routes, |_, own| {
            let route = |row: &Row| Route { destination: row.text(1), nexthop: row.text(2) }.json();
            Cell::Json(Value::from_iter(own.iter().map(route)).to_string())
        });
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(destination: &str, nexthop: &str) -> Route {
        Route { destination: destination.into(), nexthop: nexthop.into() }
    }

    #[test]
    fn next_hops_are_neighbours() {
        let near = ["10.0.0.0/24".to_string(), "fd00::/64".to_string()];
        let own = ["10.0.0.1".to_string()];
        let cases = [
            (route("172.16.0.0/16", "10.0.0.5"), None),
            (route("::/0", "fd00::5"), None),
            (route("172.16.0.0/16", "10.0.1.5"), Some("the nexthop is not connected with router")),
            (route("172.16.0.0/16", "10.0.0.1"), Some("the nexthop is used by router")),
        ];
        for (route, reason) in cases {
            let words = reason.map(|reason| {
                let (destination, nexthop) = (&route.destination, &route.nexthop);
                format!("Invalid format for routes: [{{'destination': '{destination}', 'nexthop': '{nexthop}'}}], {reason}")
            });
            assert_eq!(check(&[route], &near, &own).err().map(|fault| fault.to_string()), words);
        }
    }

    #[test]
    fn routes_are_added_and_removed_as_sets() {
        let (a, b, c) = (route("a", "1"), route("a", "2"), route("b", "1"));
        assert_eq!(add(&[a.clone(), b.clone()], &[b.clone(), c.clone()]), [a.clone(), b.clone(), c.clone()]);
        assert_eq!(remove(&[a.clone(), b.clone()], &[b, c]), [a]);
    }
}
