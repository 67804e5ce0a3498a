//! Routers as L3 agents get them: the REST resource with ports, subnets and floating IPs around it. The number of
//! statements does not depend on the number of routers.

use super::bodies;
use crate::attr::Body;
use crate::db::{Stop, Tx, Val, marks};
use crate::request::Rq;
use crate::store::Query;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// `routerports.port_type` of the port on the external network.
const GATEWAY: &str = "network:router_gateway";
/// `routerports.port_type` of ports on the projects' networks.
const INTERFACE: &str = "network:router_interface";

fn text<'a>(body: &'a Body, name: &str) -> &'a str {
    body.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// What is around the ports of routers.
#[derive(Default)]
struct Around {
    /// Subnets by network: what agents get, with the address scope.
    subnets: BTreeMap<String, Vec<(Value, Option<String>)>>,
    /// MTU in bytes by network.
    mtus: BTreeMap<String, i64>,
    /// The address scope of each subnet.
    scopes: BTreeMap<String, Option<String>>,
}

async fn around(rq: Rq<'_>, tx: &mut Tx, ports: &[Body]) -> Result<Around, Stop> {
    let mut networks: Vec<&str> = ports.iter().map(|port| text(port, "network_id")).collect();
    networks.sort_unstable();
    networks.dedup();
    if networks.is_empty() {
        return Ok(Around::default());
    }
    let among = marks(networks.len());
    let params: Vec<Val> = networks.iter().map(|id| Val::from(*id)).collect();
    let rows = tx.all(&format!("SELECT id, mtu FROM networks WHERE id IN ({among})"), &params).await?;
    let mtus = rows.iter().map(|row| (row.text(0), row.int(1))).collect();
    let sql = format!(
        "SELECT s.id, a.address_scope_id FROM subnets AS s JOIN subnetpools AS a ON a.id = s.subnetpool_id \
         WHERE s.network_id IN ({among})"
    );
    let pooled = tx.all(&sql, &params).await?;
    let scopes: BTreeMap<String, Option<String>> =
        pooled.iter().map(|row| (row.text(0), row.opt_text(1))).collect();
    let mut subnets: BTreeMap<String, Vec<(Value, Option<String>)>> = BTreeMap::new();
    for subnet in bodies(rq, tx, "subnet", |r| Query::among(r, "network_id", &networks)).await? {
        let shown: Body = ["id", "cidr", "gateway_ip", "dns_nameservers", "ipv6_ra_mode", "subnetpool_id"]
            .into_iter()
            .map(|name| (name.to_string(), subnet.get(name).cloned().unwrap_or(Value::Null)))
            .collect();
        let scope = scopes.get(text(&subnet, "id")).cloned().flatten();
        subnets.entry(text(&subnet, "network_id").to_string()).or_default().push((shown.into(), scope));
    }
    Ok(Around { subnets, mtus, scopes })
}

/// A router's port with what its agent needs to know of its network. `subnet` is for agents of 2014.
fn with_subnets(mut port: Body, around: &Around) -> Value {
    let network = text(&port, "network_id").to_string();
    let mut fixed_ips = port.get("fixed_ips").and_then(Value::as_array).cloned().unwrap_or_default();
    let (mut own, mut others) = (Vec::new(), Vec::new());
    let mut scopes = json!({"4": null, "6": null});
    for (subnet, scope) in around.subnets.get(&network).into_iter().flatten() {
        let cidr = subnet.get("cidr").and_then(Value::as_str).unwrap_or_default();
        scopes[if cidr.contains(':') { "6" } else { "4" }] = json!(scope);
        let mut used = false;
        for ip in fixed_ips.iter_mut().filter(|ip| ip.get("subnet_id") == subnet.get("id")) {
            let length = cidr.split('/').nth(1).and_then(|length| length.parse::<u8>().ok());
            ip["prefixlen"] = json!(length);
            used = true;
        }
        if used { own.push(subnet.clone()) } else { others.push(subnet.clone()) }
    }
    let first = own.first().cloned().unwrap_or(Value::Null);
    for (name, value) in [
        ("fixed_ips", Value::Array(fixed_ips)),
        ("subnet", first),
        ("subnets", Value::Array(own)),
        ("extra_subnets", Value::Array(others)),
        ("address_scopes", scopes),
        ("mtu", json!(around.mtus.get(&network).copied().unwrap_or_default())),
    ] {
        port.insert(name.into(), value);
    }
    Value::Object(port)
}

/// The ports of routers: (router, port type) by port.
async fn port_roles(tx: &mut Tx, routers: &[String]) -> Result<BTreeMap<String, (String, String)>, Stop> {
    let sql = format!(
        "SELECT port_id, router_id, port_type FROM routerports WHERE router_id IN ({})",
        marks(routers.len())
    );
    let params: Vec<Val> = routers.iter().map(Val::from).collect();
    let rows = tx.all(&sql, &params).await?;
    Ok(rows.iter().map(|row| (row.text(0), (row.text(1), row.text(2)))).collect())
}

/// What routers are beside what the API shows of them.
pub(crate) async fn with_extra(tx: &mut Tx, routers: &mut [Body]) -> Result<(), Stop> {
    let ids: Vec<Val> = routers.iter().map(|router| Val::from(text(router, "id"))).collect();
    if ids.is_empty() {
        return Ok(());
    }
    let sql = format!(
        "SELECT router_id, distributed, ha, ha_vr_id, enable_default_route_ecmp, enable_default_route_bfd \
         FROM router_extra_attributes WHERE router_id IN ({})",
        marks(ids.len())
    );
    let rows = tx.all(&sql, &ids).await?;
    for router in routers {
        let row = rows.iter().find(|row| row.text(0) == text(router, "id"));
        let flag = |column: usize| json!(row.is_some_and(|row| row.flag(column)));
        let id = row.map_or(0, |row| row.int(3));
        for (name, value) in [
            ("distributed", flag(1)),
            ("ha", flag(2)),
            ("ha_vr_id", json!(id)),
            ("enable_default_route_ecmp", flag(4)),
            ("enable_default_route_bfd", flag(5)),
        ] {
            router.entry(name).or_insert(value);
        }
    }
    Ok(())
}

/// The floating IPs of routers, by router.
async fn floating_ips(
    rq: Rq<'_>,
    tx: &mut Tx,
    routers: &[String],
    around: &Around,
    subnet_of: &BTreeMap<(String, String), String>,
) -> Result<BTreeMap<String, Vec<Value>>, Stop> {
    let mut found: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for mut ip in bodies(rq, tx, "floatingip", |r| Query::among(r, "router_id", routers)).await? {
        let router = text(&ip, "router_id").to_string();
        let inside = (text(&ip, "port_id").to_string(), text(&ip, "fixed_ip_address").to_string());
        let scope = subnet_of.get(&inside).and_then(|subnet| around.scopes.get(subnet)).cloned().flatten();
        ip.insert("fixed_ip_address_scope".into(), json!(scope));
        found.entry(router).or_default().push(Value::Object(ip));
    }
    Ok(found)
}

/// The subnet of each inner address of the routers' floating IPs, by (port, address).
async fn inner_subnets(tx: &mut Tx, routers: &[String]) -> Result<BTreeMap<(String, String), String>, Stop> {
    let sql = format!(
        "SELECT f.fixed_port_id, f.fixed_ip_address, i.subnet_id FROM floatingips AS f JOIN ipallocations AS i \
         ON i.port_id = f.fixed_port_id AND i.ip_address = f.fixed_ip_address WHERE f.router_id IN ({})",
        marks(routers.len())
    );
    let params: Vec<Val> = routers.iter().map(Val::from).collect();
    let rows = tx.all(&sql, &params).await?;
    Ok(rows.iter().map(|row| ((row.text(0), row.text(1)), row.text(2))).collect())
}

/// Routers in full for the agent on `host`; those that are down by will are left out.
pub(super) async fn routers(rq: Rq<'_>, tx: &mut Tx, ids: &[String], host: &str) -> Result<Vec<Value>, Stop> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    let mut found = bodies(rq, tx, "router", |r| Query::among(r, "id", ids)).await?;
    with_extra(tx, &mut found).await?;
    let roles = port_roles(tx, ids).await?;
    let port_ids: Vec<&String> = roles.keys().collect();
    let ports = match port_ids.is_empty() {
        true => Vec::new(),
        false => bodies(rq, tx, "port", |r| Query::among(r, "id", &port_ids)).await?,
    };
    let around = around(rq, tx, &ports).await?;
    let mut gateways: BTreeMap<String, Value> = BTreeMap::new();
    let mut interfaces: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for port in ports {
        let Some((router, role)) = roles.get(text(&port, "id")) else { continue };
        match role.as_str() {
            GATEWAY => {
                gateways.insert(router.clone(), with_subnets(port, &around));
            }
            INTERFACE => interfaces.entry(router.clone()).or_default().push(with_subnets(port, &around)),
            _ => {}
        }
    }
    let inner = inner_subnets(tx, ids).await?;
    let mut floating = floating_ips(rq, tx, ids, &around, &inner).await?;
    let up = found.into_iter().filter(|r| r.get("admin_state_up") == Some(&Value::Bool(true)));
    Ok(up
        .map(|mut router| {
            let id = text(&router, "id").to_string();
            let gateway = gateways.remove(&id);
            let snat = router.get("external_gateway_info").and_then(|info| info.get("enable_snat")).cloned();
            router.insert("enable_snat".into(), snat.unwrap_or(Value::Bool(true)));
            router.insert("gw_port_id".into(), gateway.as_ref().map_or(Value::Null, |p| p["id"].clone()));
            router.insert("gw_port_host".into(), gateway.as_ref().map_or(Value::Null, |_| json!(host)));
            router.insert("gw_port".into(), gateway.unwrap_or(Value::Null));
            for (name, list) in
                [("_floatingips", floating.remove(&id)), ("_interfaces", interfaces.remove(&id))]
            {
                if let Some(list) = list {
                    router.insert(name.into(), Value::Array(list));
                }
            }
            Value::Object(router)
        })
        .collect())
}

/// The ports of routers that are not bound to `host`, or not bound well.
pub(super) fn ports_to_bind(routers: &[Value], host: &str) -> Vec<String> {
    let gateways = routers.iter().filter_map(|router| router.get("gw_port"));
    let interfaces = routers.iter().filter_map(|router| router.get("_interfaces")?.as_array()).flatten();
    let unbound = |port: &&Value| {
        let vif = port.get("binding:vif_type").and_then(Value::as_str);
        port.get("binding:host_id").and_then(Value::as_str) != Some(host)
            || matches!(vif, Some("unbound" | "binding_failed"))
    };
    gateways
        .chain(interfaces)
        .filter(unbound)
        .filter_map(|port| Some(port.get("id")?.as_str()?.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_elsewhere_or_unbound_are_bound() {
        let port = |id: &str, host: &str, vif: &str| json!({"id": id, "binding:host_id": host, "binding:vif_type": vif});
        let routers = [
            json!({
                "gw_port": port("g", "", "unbound"),
                "_interfaces": [port("a", "here", "bridge"), port("b", "there", "bridge"), port("c", "here", "binding_failed")],
            }),
            json!({"gw_port": null}),
        ];
        assert_eq!(ports_to_bind(&routers, "here"), ["g", "b", "c"]);
    }

    #[test]
    fn a_port_knows_its_subnets_and_the_others() {
        let subnet = |id: &str, cidr: &str| (json!({"id": id, "cidr": cidr}), Some(format!("scope-{id}")));
        let around = Around {
            subnets: [("n".to_string(), vec![subnet("s", "10.0.0.0/24"), subnet("t", "fd00::/64")])].into(),
            mtus: [("n".to_string(), 1450)].into(),
            scopes: BTreeMap::new(),
        };
        let port = json!({"id": "p", "network_id": "n", "mac_address": "fa:16:3e:00:00:01",
                          "fixed_ips": [{"subnet_id": "s", "ip_address": "10.0.0.1"}]});
        let shown = with_subnets(port.as_object().unwrap().clone(), &around);
        let read: model::l3::RouterPort = serde_json::from_value(shown).unwrap();
        assert_eq!(read.fixed_ips[0].prefixlen, Some(24));
        assert_eq!((read.subnets.len(), read.extra_subnets.len(), read.mtu), (1, 1, Some(1450)));
        assert_eq!(read.address_scopes["4"].as_deref(), Some("scope-s"));
    }
}
