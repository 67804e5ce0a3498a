//! Routers and floating IPs over HTTP: what is stored where, what is announced, and who wins a race.

use crate::client::{Served, words};
use serde_json::{Value, json};
use server::p;
use std::collections::BTreeSet;

fn id(resource: &Value) -> String {
    resource["id"].as_str().unwrap().to_string()
}

/// An outside, a network, and a router between them.
struct Site {
    server: Served,
    outside: String,
    network: String,
    subnet: String,
    router: String,
}

async fn site() -> Site {
    let server = Served::start().await;
    let network = json!({"network": {"name": "ext", "router:external": true}});
    let outside = id(&server.make("admin", "networks", network).await);
    let subnet = json!({"subnet": {"network_id": outside, "cidr": "203.0.113.0/24", "ip_version": 4}});
    server.make("admin", "subnets", subnet).await;
    let network = id(&server.make("demo", "networks", json!({"network": {}})).await);
    let subnet = json!({"subnet": {"network_id": network, "cidr": "10.0.0.0/24", "ip_version": 4}});
    let subnet = id(&server.make("demo", "subnets", subnet).await);
    let router = json!({"router": {"external_gateway_info": {"network_id": outside}}});
    let router = id(&server.make("demo", "routers", router).await);
    let site = Site { server, outside, network, subnet, router };
    let added = site.interface("add").await;
    assert_eq!(added.0, 200, "{}", added.1);
    site
}

impl Site {
    async fn interface(&self, verb: &str) -> (u16, Value) {
        let path = format!("routers/{}/{verb}_router_interface", self.router);
        self.server.ask("demo", "PUT", &path, json!({"subnet_id": self.subnet})).await
    }

    async fn floating(&self, more: Value) -> (u16, Value) {
        let mut fip = json!({"floating_network_id": self.outside});
        fip.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.server.ask("demo", "POST", "floatingips", json!({"floatingip": fip})).await
    }

    async fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        let mut tx = self.server.app.db.read().await.unwrap();
        let rows = tx.all(sql, p![]).await.unwrap();
        let width = sql.split(" FROM ").next().unwrap().split(',').count();
        let cell = |row: &server::db::Row, at| match row.value(at) {
            server::db::Val::Null => "-".to_string(),
            server::db::Val::Int(number) => number.to_string(),
            server::db::Val::Text(text) => text,
        };
        rows.iter().map(|row| (0..width).map(|at| cell(row, at)).collect()).collect()
    }
}

#[tokio::test]
async fn routers_are_kept_as_upstream_keeps_them() {
    let site = site().await;
    let router = site.rows("SELECT status, admin_state_up, enable_snat FROM routers").await;
    assert_eq!(router, [["ACTIVE", "1", "1"]]);
    let extra = "SELECT distributed, service_router, ha, ha_vr_id, availability_zone_hints FROM router_extra_attributes";
    assert_eq!(site.rows(extra).await, [["0", "0", "0", "0", "[]"]]);
    let provider = site.rows("SELECT provider_name, resource_id FROM providerresourceassociations").await;
    assert_eq!(provider, [["single_node", site.router.as_str()]]);
    let mut ports = site.rows("SELECT routerports.port_type, ports.device_owner, ports.device_id, ports.project_id FROM routerports JOIN ports ON ports.id = routerports.port_id").await;
    ports.sort();
    let router = site.router.as_str();
    assert_eq!(
        ports,
        [
            ["network:router_gateway", "network:router_gateway", router, ""],
            ["network:router_interface", "network:router_interface", router, "demo"]
        ]
    );
}

#[tokio::test]
async fn nothing_is_left_of_a_router() {
    let site = site().await;
    let path = format!("routers/{}", site.router);
    let answer = site.server.ask("demo", "DELETE", &path, Value::Null).await;
    assert!(
        words(&answer)
            .starts_with(&format!("409 RouterInUse: Router {} has ports still attached: ", site.router))
    );
    let routes = json!({"router": {"routes": [{"destination": "172.16.0.0/16", "nexthop": "10.0.0.9"}]}});
    assert_eq!(site.server.ask("demo", "PUT", &path, routes).await.0, 200);
    assert_eq!(
        words(&site.interface("remove").await).split(':').next(),
        Some("409 RouterInterfaceInUseByRoute")
    );
    assert_eq!(site.server.ask("demo", "PUT", &path, json!({"router": {"routes": []}})).await.0, 200);
    assert_eq!(site.interface("remove").await.0, 200);
    assert_eq!(site.server.ask("demo", "DELETE", &path, Value::Null).await.0, 204);
    for table in [
        "routers",
        "routerports",
        "routerroutes",
        "router_extra_attributes",
        "providerresourceassociations",
        "ports",
    ] {
        assert_eq!(site.rows(&format!("SELECT 1 FROM {table}")).await, [] as [Vec<String>; 0], "{table}");
    }
    let left = "SELECT resource_type FROM standardattributes WHERE resource_type IN ('routers', 'ports')";
    assert_eq!(site.rows(left).await, [] as [Vec<String>; 0]);
}

#[tokio::test]
async fn a_refused_gateway_leaves_nothing_behind() {
    let site = site().await;
    let before = site.rows("SELECT id FROM ports ORDER BY id").await;
    let bad = json!({"router": {"external_gateway_info": {"network_id": site.network}}});
    let answer = site.server.ask("demo", "POST", "routers", bad).await;
    assert_eq!(
        words(&answer),
        format!("400 BadRequest: Bad router request: Network {} is not an external network.", site.network)
    );
    assert_eq!(site.rows("SELECT id FROM ports ORDER BY id").await, before);
    assert_eq!(site.rows("SELECT 1 FROM routers").await.len(), 1);
}

#[tokio::test]
async fn one_of_many_gets_the_subnet_and_the_address() {
    let site = site().await;
    let subnet = json!({"subnet": {"network_id": site.network, "cidr": "10.1.0.0/24", "ip_version": 4}});
    let subnet = json!({"subnet_id": id(&site.server.make("demo", "subnets", subnet).await)});
    let path = format!("routers/{}/add_router_interface", site.router);
    let tries = (0..8).map(|_| site.server.ask("demo", "PUT", &path, subnet.clone()));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 200).count(), 1, "{answers:?}");
    assert!(answers.iter().all(|(status, _)| [200, 400, 409].contains(status)), "{answers:?}");

    let port = json!({"port": {"network_id": site.network, "fixed_ips": [{"ip_address": "10.0.0.50"}]}});
    let port = id(&site.server.make("demo", "ports", port).await);
    let tries = (0..8).map(|_| site.floating(json!({"port_id": port})));
    let answers = futures_util::future::join_all(tries).await;
    assert_eq!(answers.iter().filter(|(status, _)| *status == 201).count(), 1, "{answers:?}");
    let others = answers.iter().filter(|(status, _)| *status != 201);
    assert!(others.clone().all(|answer| words(answer).starts_with("409 FloatingIPPortAlreadyAssociated: ")));
    let ports = site.rows("SELECT id FROM ports WHERE device_owner = 'network:floatingip'").await;
    assert_eq!(ports.len(), 1, "what was refused is gone whole");
}

#[tokio::test]
async fn floating_ips_follow_their_port() {
    let site = site().await;
    let port = json!({"port": {"network_id": site.network, "name": "vm"}});
    let port = site.server.make("demo", "ports", port).await;
    let made = site.floating(json!({"port_id": port["id"]})).await;
    assert_eq!(made.0, 201, "{}", made.1);
    let fip = made.1["floatingip"].clone();
    assert_eq!((&fip["router_id"], &fip["status"]), (&json!(site.router), &json!("DOWN")));
    assert_eq!(fip["fixed_ip_address"], port["fixed_ips"][0]["ip_address"]);
    assert_eq!(fip["port_details"]["name"], "vm");
    let path = format!("ports/{}", id(&port));
    let elsewhere = json!({"port": {"fixed_ips": [{"ip_address": "10.0.0.77"}]}});
    let answer = site.server.ask("demo", "PUT", &path, elsewhere).await;
    assert_eq!(answer.0, 400, "{}", answer.1);
    assert_eq!(
        words(&site.interface("remove").await).split(':').next(),
        Some("409 RouterInterfaceInUseByFloatingIP")
    );
    let clear = json!({"router": {"external_gateway_info": null}});
    let answer = site.server.ask("demo", "PUT", &format!("routers/{}", site.router), clear).await;
    assert_eq!(words(&answer).split(':').next(), Some("409 RouterExternalGatewayInUseByFloatingIp"));
    assert_eq!(site.server.ask("demo", "DELETE", &path, Value::Null).await.0, 204);
    let path = format!("floatingips/{}", id(&fip));
    let after = site.server.ask("demo", "GET", &path, Value::Null).await.1["floatingip"].clone();
    assert_eq!((&after["port_id"], &after["router_id"]), (&Value::Null, &Value::Null));
    assert_eq!(site.server.ask("demo", "DELETE", &path, Value::Null).await.0, 204);
    let left = site.rows("SELECT id FROM ports WHERE device_owner = 'network:floatingip'").await;
    assert_eq!(left, [] as [Vec<String>; 0]);
}

#[tokio::test]
async fn ports_are_in_groups() {
    let site = site().await;
    let server = &site.server;
    let default = id(&server.list("demo", "security-groups?name=default").await[0]);
    let web = id(&server.make("demo", "security-groups", json!({"security_group": {"name": "web"}})).await);
    let port = server.make("demo", "ports", json!({"port": {"network_id": site.network}})).await;
    assert_eq!(port["security_groups"], json!([default]));
    let path = format!("ports/{}", id(&port));
    let both = json!({"port": {"security_groups": [web, default]}});
    let after = server.ask("demo", "PUT", &path, both).await.1;
    let groups: BTreeSet<&str> =
        after["port"]["security_groups"].as_array().unwrap().iter().map(|g| g.as_str().unwrap()).collect();
    assert_eq!(groups, [web.as_str(), default.as_str()].into());
    let open = json!({"port": {"port_security_enabled": false}});
    let answer = server.ask("demo", "PUT", &path, open).await;
    assert_eq!(words(&answer).split(':').next(), Some("409 PortSecurityPortHasSecurityGroup"));
    let open = json!({"port": {"port_security_enabled": false, "security_groups": []}});
    assert_eq!(server.ask("demo", "PUT", &path, open).await.0, 200);
    let closed = json!({"port": {"security_groups": [web]}});
    let answer = server.ask("demo", "PUT", &path, closed).await;
    assert_eq!(words(&answer).split(':').next(), Some("400 PortSecurityAndIPRequiredForSecurityGroups"));
    let used = json!({"port": {"network_id": site.network, "security_groups": [web]}});
    server.make("demo", "ports", used).await;
    let answer = server.ask("demo", "DELETE", &format!("security-groups/{web}"), Value::Null).await;
    assert_eq!(words(&answer), format!("409 SecurityGroupInUse: Security Group {web} in use."));
    let loose = json!({"security_group": {"name": "loose", "stateful": false}});
    let loose = id(&server.make("demo", "security-groups", loose).await);
    let mixed = json!({"port": {"network_id": site.network, "security_groups": [web, loose]}});
    let answer = server.ask("demo", "POST", "ports", mixed).await;
    assert_eq!(words(&answer).split(':').next(), Some("409 SecurityGroupConflict"));
    let interface = server.list("demo", "ports?device_owner=network:router_interface").await;
    assert_eq!(interface[0]["security_groups"], json!([]), "routers' ports are in none");
}

#[tokio::test]
async fn gateways_take_an_address_of_a_new_kind() {
    let site = site().await;
    let path = format!("routers/{}?fields=external_gateway_info", site.router);
    let six = |cidr: &str, more: Value| {
        let mut subnet = json!({"network_id": site.outside, "cidr": cidr});
        subnet.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"subnet": subnet})
    };
    for (subnet, addresses) in [
        (six("198.51.100.0/24", json!({"ip_version": 4})), 1),
        (six("2001:db8:1::/64", json!({"ip_version": 6})), 2),
        (six("2001:db8:2::/64", json!({"ip_version": 6})), 2),
    ] {
        site.server.make("admin", "subnets", subnet).await;
        let shown = site.server.ask("demo", "GET", &path, Value::Null).await.1;
        let ips = shown["router"]["external_gateway_info"]["external_fixed_ips"].as_array().unwrap().clone();
        assert_eq!(ips.len(), addresses, "{ips:?}");
    }
}

#[tokio::test]
async fn routes_have_a_limit() {
    let site = site().await;
    let routes: Vec<Value> =
        (0..31).map(|n| json!({"destination": format!("172.16.{n}.0/24"), "nexthop": "10.0.0.9"})).collect();
    let path = format!("routers/{}", site.router);
    let answer = site.server.ask("demo", "PUT", &path, json!({"router": {"routes": routes}})).await;
    assert_eq!(words(&answer), "409 OverQuota: Quota exceeded for resources: ['router_route'].");
    let add = json!({"router": {"routes": routes[..30]}});
    let answer = site.server.ask("demo", "PUT", &format!("{path}/add_extraroutes"), add.clone()).await;
    assert_eq!(answer.1["router"]["routes"].as_array().unwrap().len(), 30);
    let answer = site.server.ask("demo", "PUT", &format!("{path}/remove_extraroutes"), add).await;
    assert_eq!(answer.1["router"]["routes"], json!([]));
}

#[tokio::test]
async fn users_choose_the_router_of_a_floating_ip() {
    let site = site().await;
    let other = json!({"router": {"external_gateway_info": {"network_id": site.outside}}});
    let other = id(&site.server.make("demo", "routers", other).await);
    let inside = json!({"router": {}});
    let inside = id(&site.server.make("demo", "routers", inside).await);
    let port = id(&site.server.make("demo", "ports", json!({"port": {"network_id": site.network}})).await);
    let fip = site.floating(json!({"port_id": port})).await.1["floatingip"].clone();
    let path = format!("floatingips/{}", id(&fip));
    let answer = site.server.ask("demo", "PUT", &path, json!({"floatingip": {"router_id": inside}})).await;
    assert_eq!(answer.0, 409, "{}", answer.1);
    let answer = site.server.ask("demo", "PUT", &path, json!({"floatingip": {"router_id": other}})).await;
    assert_eq!((answer.0, &answer.1["floatingip"]["router_id"]), (200, &json!(other)));
    let answer = site.server.ask("demo", "PUT", &path, json!({"floatingip": {"description": "d"}})).await;
    assert_eq!(answer.1["floatingip"]["router_id"], json!(other), "what is not asked for stays");
    let answer = site.server.ask("demo", "PUT", &path, json!({"floatingip": {}})).await;
    assert_eq!(answer.1["floatingip"]["port_id"], Value::Null, "an empty body dissociates, as upstream");
}
