//! Networks, subnets and ports over HTTP: who gets which address, where ports are bound, what is refused.

use crate::client::Served;
use serde_json::{Value, json};
use server::p;
use std::collections::BTreeSet;

async fn network(served: &Served) -> String {
    let network = served.make("p", "networks", json!({"network": {"name": "n"}})).await;
    network["id"].as_str().unwrap().to_string()
}

async fn subnet(served: &Served, network: &str, cidr: &str, more: Value) -> Value {
    let version = if cidr.contains(':') { 6 } else { 4 };
    let mut body = json!({"network_id": network, "cidr": cidr, "ip_version": version});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    served.make("p", "subnets", json!({"subnet": body})).await
}

async fn port(served: &Served, network: &str, more: Value) -> Value {
    let mut body = json!({"network_id": network});
    for (key, value) in more.as_object().unwrap() {
        body[key] = value.clone();
    }
    served.make("admin", "ports", json!({"port": body})).await
}

fn addresses(port: &Value) -> Vec<String> {
    let fixed = port["fixed_ips"].as_array().unwrap();
    fixed.iter().map(|f| f["ip_address"].as_str().unwrap().to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn many_clients_share_a_small_subnet_to_the_last_address() {
    let served = std::sync::Arc::new(Served::start().await);
    let network = network(&served).await;
    subnet(&served, &network, "10.0.0.0/28", json!({})).await;
    let ask = |_| {
        let (served, network) = (served.clone(), network.clone());
        tokio::spawn(async move {
            served.ask("p", "POST", "ports", json!({"port": {"network_id": network}})).await
        })
    };
    let asked: Vec<_> = (0..32).map(ask).collect();
    let mut taken = Vec::new();
    let mut refused = 0;
    for one in asked {
        match one.await.unwrap() {
            (201, answer) => taken.extend(addresses(&answer["port"])),
            (status, answer) => {
                assert_eq!(
                    (status, &answer["NeutronError"]["type"]),
                    (409, &json!("IpAddressGenerationFailure"))
                );
                let words = format!("No more IP addresses available on network {network}.");
                assert_eq!(answer["NeutronError"]["message"], json!(words));
                refused += 1;
            }
        }
    }
    let distinct: BTreeSet<_> = taken.iter().cloned().collect();
    let free: BTreeSet<_> = (2..=14).map(|n| format!("10.0.0.{n}")).collect();
    assert_eq!((distinct, taken.len(), refused), (free, 13, 19));
    // Nothing half-written is left of those that were refused.
    let mut tx = served.app.db.read().await.unwrap();
    for (table, rows) in
        [("ports", 13), ("ipallocations", 13), ("ipamallocations", 13), ("ml2_port_bindings", 13)]
    {
        let count = tx.opt(&format!("SELECT count(*) FROM {table}"), p![]).await.unwrap().unwrap().int(0);
        assert_eq!(count, rows, "{table}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_that_goes_while_agents_make_ports_is_refused_to_one_of_them() {
    let served = std::sync::Arc::new(Served::start().await);
    for round in 0..12 {
        let network = network(&served).await;
        let subnet = subnet(&served, &network, "10.0.0.0/24", json!({})).await;
        let ask = |verb: &'static str, path: String, body: Value| {
            let served = served.clone();
            tokio::spawn(async move { served.ask("admin", verb, &path, body).await })
        };
        let made = json!({"port": {"network_id": network, "tenant_id": "p", "device_owner": "network:dhcp"}});
        let mut asked: Vec<_> = (0..4).map(|_| ask("POST", "ports".into(), made.clone())).collect();
        if round % 2 == 0 {
            asked.push(ask("DELETE", format!("subnets/{}", subnet["id"].as_str().unwrap()), Value::Null));
        }
        asked.push(ask("DELETE", format!("networks/{network}"), Value::Null));
        for one in asked {
            let (status, answer) = one.await.unwrap();
            assert!([201, 204, 400, 404, 409].contains(&status), "{status} {answer}");
        }
        served.ask("admin", "DELETE", &format!("networks/{network}"), Value::Null).await;
    }
}

#[tokio::test]
async fn the_lowest_free_address_is_taken_again() {
    let served = Served::start().await;
    let network = network(&served).await;
    let pools = json!({"allocation_pools": [{"start": "10.0.0.100", "end": "10.0.0.103"}]});
    subnet(&served, &network, "10.0.0.0/24", pools).await;
    let first = port(&served, &network, json!({})).await;
    let second = port(&served, &network, json!({})).await;
    assert_eq!(
        (addresses(&first), addresses(&second)),
        (vec!["10.0.0.100".into()], vec!["10.0.0.101".into()])
    );
    // An address outside of the pools is for those who name it.
    let named = port(&served, &network, json!({"fixed_ips": [{"ip_address": "10.0.0.9"}]})).await;
    assert_eq!(addresses(&named), ["10.0.0.9"]);
    let path = format!("ports/{}", first["id"].as_str().unwrap());
    assert_eq!(served.ask("admin", "DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(addresses(&port(&served, &network, json!({})).await), ["10.0.0.100"]);
}

#[tokio::test]
async fn ports_make_their_own_addresses_where_subnets_say_so() {
    let served = Served::start().await;
    let network = network(&served).await;
    let mac = json!({"mac_address": "fa:16:3e:00:00:05"});
    let early = port(&served, &network, mac.clone()).await;
    assert_eq!(addresses(&early), [] as [&str; 0]);
    let slaac = json!({"ipv6_ra_mode": "slaac", "ipv6_address_mode": "slaac"});
    let made = subnet(&served, &network, "fd00:1::/64", slaac).await;
    let path = format!("ports/{}", early["id"].as_str().unwrap());
    let (_, shown) = served.ask("admin", "GET", &path, Value::Null).await;
    assert_eq!(addresses(&shown["port"]), ["fd00:1::f816:3eff:fe00:5"], "a port that was there already");
    // A new MAC address makes a new one.
    let change = json!({"port": {"mac_address": "fa:16:3e:00:00:06"}});
    let (status, changed) = served.ask("admin", "PUT", &path, change).await;
    assert_eq!((status, addresses(&changed["port"])), (200, vec!["fd00:1::f816:3eff:fe00:6".to_string()]));
    // Such a subnet goes although ports have addresses of it.
    let path = format!("subnets/{}", made["id"].as_str().unwrap());
    assert_eq!(served.ask("p", "DELETE", &path, Value::Null).await.0, 204);
    let mut tx = served.app.db.read().await.unwrap();
    let left = tx.all("SELECT * FROM ipallocations UNION SELECT ip_address, status, ipam_subnet_id, '' FROM ipamallocations", p![]);
    assert_eq!(left.await.unwrap().len(), 0);
}

/// Long lists ask for what belongs to their rows by the query that found them.
#[tokio::test]
async fn a_long_list_shows_of_each_port_what_the_port_shows() {
    let served = Served::start().await;
    let net = network(&served).await;
    subnet(&served, &net, "10.0.0.0/24", json!({})).await;
    let options = json!([{"opt_name": "mtu", "opt_value": "1400"}, {"opt_name": "a", "opt_value": "b"}]);
    let pairs = json!([{"ip_address": "10.9.0.0/24"}]);
    let more = json!({"network_id": net, "extra_dhcp_opts": options, "allowed_address_pairs": pairs});
    let few = json!({"network_id": net, "fixed_ips": [], "name": "few"});
    let many = [vec![json!({"network_id": net}); 90], vec![more, few]].concat();
    let (status, made) = served.ask("p", "POST", "ports", json!({"ports": many})).await;
    assert_eq!(status, 201, "{made}");
    let tagged = format!("ports/{}/tags", made["ports"][7]["id"].as_str().unwrap());
    served.ask("p", "PUT", &tagged, json!({"tags": ["b", "a"]})).await;
    let mut seen = 0;
    for who in ["p", "admin"] {
        for path in ["ports", "ports?tags=a,b", "ports?status=DOWN&sort_key=mac_address&sort_dir=asc"] {
            let (_, all) = served.ask(who, "GET", path, Value::Null).await;
            for (at, listed) in all["ports"].as_array().unwrap().iter().enumerate() {
                seen += 1;
                if at % 9 == 0 || listed["name"] == "few" || listed["extra_dhcp_opts"] != json!([]) {
                    let one = format!("ports/{}", listed["id"].as_str().unwrap());
                    assert_eq!(*listed, served.ask(who, "GET", &one, Value::Null).await.1["port"], "{path}");
                }
            }
        }
    }
    assert_eq!(seen, 2 * (92 + 1 + 92));
}

/// Files of Juno's time load no `port_security`: its ports say nothing of it and have address pairs all the same.
#[tokio::test]
async fn ports_have_address_pairs_where_nothing_speaks_of_port_security() {
    let pairs = json!([{"ip_address": "10.9.0.0/24"}]);
    let give = json!({"port": {"allowed_address_pairs": pairs}});
    for drivers in [&[][..], &["port_security"]] {
        let served = Served::with(drivers).await;
        let net = network(&served).await;
        subnet(&served, &net, "10.0.0.0/24", json!({})).await;
        let made = port(&served, &net, json!({"allowed_address_pairs": pairs})).await;
        assert_eq!(made.get("port_security_enabled").is_some(), !drivers.is_empty());
        for made in [made, port(&served, &net, json!({})).await] {
            let path = format!("ports/{}", made["id"].as_str().unwrap());
            let (status, answer) = served.ask("admin", "PUT", &path, give.clone()).await;
            assert_eq!(status, 200, "{drivers:?} {answer}");
            assert_eq!(answer["port"]["allowed_address_pairs"][0]["ip_address"], "10.9.0.0/24");
            // Nothing but other attributes, with the pairs there.
            let (status, answer) = served.ask("admin", "PUT", &path, json!({"port": {"name": "x"}})).await;
            assert_eq!(status, 200, "{drivers:?} {answer}");
        }
    }
    // Without security there is nothing that pairs could be exceptions from.
    let served = Served::start().await;
    let net = network(&served).await;
    let more = json!({"port_security_enabled": false, "security_groups": []});
    let open = port(&served, &net, more.clone()).await;
    let path = format!("ports/{}", open["id"].as_str().unwrap());
    let with_pairs = |more: &Value| {
        let mut body = give["port"].clone();
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "port": body })
    };
    let paired = port(&served, &net, json!({"allowed_address_pairs": pairs})).await;
    let of_paired = format!("ports/{}", paired["id"].as_str().unwrap());
    let mut new = with_pairs(&more);
    new["port"]["network_id"] = json!(net);
    for (method, path, body) in [
        ("PUT", &path, give.clone()),
        ("POST", &"ports".to_owned(), new),
        ("PUT", &of_paired, with_pairs(&more)),
        ("PUT", &of_paired, json!({"port": more})),
    ] {
        let (status, answer) = served.ask("admin", method, path, body.clone()).await;
        let kind = &answer["NeutronError"]["type"];
        assert_eq!((status, kind), (409, &json!("AddressPairAndPortSecurityRequired")), "{method} {body}");
    }
    let (status, answer) =
        served.ask("admin", "PUT", &path, with_pairs(&json!({"port_security_enabled": true}))).await;
    assert_eq!(status, 200, "{answer}");
}

async fn report(served: &Served, host: &str, configurations: Value) {
    let mut tx = served.app.db.begin().await.unwrap();
    let now = served.app.now();
    tx.exec(
        "INSERT INTO agents (id, agent_type, `binary`, topic, host, admin_state_up, created_at, started_at, heartbeat_timestamp, configurations) VALUES (?, 'Linux bridge agent', 'neutron-linuxbridge-agent', 'N/A', ?, 1, ?, ?, ?, ?)",
        p![served.app.fresh_id(), host, &now, &now, &now, configurations.to_string()],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test]
async fn ports_are_bound_by_the_agent_of_their_host() {
    let served = Served::start().await;
    let network = network(&served).await;
    report(&served, "compute1", json!({"tunnel_types": ["vxlan"], "interface_mappings": {}})).await;
    report(&served, "compute2", json!({"tunnel_types": [], "interface_mappings": {}})).await;
    let bound =
        port(&served, &network, json!({"binding:host_id": "compute1", "device_owner": "compute:nova"})).await;
    assert_eq!(bound["binding:vif_type"], "bridge");
    let details = json!({"connectivity": "l2", "port_filter": true, "bound_drivers": {"0": "linuxbridge"}});
    assert_eq!(bound["binding:vif_details"], details);
    let id = bound["id"].as_str().unwrap();
    let waits = |served: &Served| {
        let app = served.app.clone();
        async move {
            let mut tx = app.db.read().await.unwrap();
            let rows = tx.all("SELECT entity FROM provisioningblocks", p![]).await.unwrap();
            rows.iter().map(|row| row.text(0)).collect::<Vec<_>>()
        }
    };
    assert_eq!(waits(&served).await, ["L2"], "it waits for its agent");
    let cases = [
        (json!({"binding:host_id": "compute2"}), "binding_failed", 0),
        (json!({"binding:host_id": "nowhere"}), "binding_failed", 0),
        (json!({"binding:host_id": ""}), "unbound", 0),
        (json!({"binding:host_id": "compute1"}), "bridge", 1),
    ];
    for (change, vif_type, levels) in cases {
        let path = format!("ports/{id}");
        let (_, answer) = served.ask("admin", "PUT", &path, json!({"port": change})).await;
        assert_eq!(answer["port"]["binding:vif_type"], vif_type, "{change}");
        let mut tx = served.app.db.read().await.unwrap();
        let count = tx.opt("SELECT count(*) FROM ml2_port_binding_levels", p![]).await.unwrap().unwrap();
        assert_eq!(count.int(0), levels, "{change}");
    }
}

#[tokio::test]
async fn networks_go_with_what_is_nobodys() {
    let served = Served::start().await;
    let network = network(&served).await;
    subnet(&served, &network, "10.0.0.0/24", json!({"dns_nameservers": ["9.9.9.9"]})).await;
    let dhcp = json!({"device_owner": "network:dhcp", "device_id": "reserved_dhcp_port"});
    port(&served, &network, dhcp).await;
    let mine = port(&served, &network, json!({})).await;
    let path = format!("networks/{network}");
    let (status, answer) = served.ask("p", "DELETE", &path, Value::Null).await;
    assert_eq!((status, &answer["NeutronError"]["type"]), (409, &json!("NetworkInUse")));
    let port_path = format!("ports/{}", mine["id"].as_str().unwrap());
    assert_eq!(served.ask("admin", "DELETE", &port_path, Value::Null).await.0, 204);
    assert_eq!(served.ask("p", "DELETE", &path, Value::Null).await.0, 204);
    let mut tx = served.app.db.read().await.unwrap();
    let tables = [
        "networks",
        "networksegments",
        "subnets",
        "ports",
        "ipamsubnets",
        "ipamallocations",
        "ipallocations",
        "ipallocationpools",
        "dnsnameservers",
        "network_subnet_lock",
    ];
    for table in tables {
        let count = tx.opt(&format!("SELECT count(*) FROM {table}"), p![]).await.unwrap().unwrap().int(0);
        assert_eq!(count, 0, "{table}");
    }
    let left = "SELECT count(*) FROM standardattributes WHERE resource_type IN ('networks', 'networksegments', 'subnets', 'ports')";
    assert_eq!(tx.opt(left, p![]).await.unwrap().unwrap().int(0), 0);
    let free = "SELECT count(*) FROM ml2_vxlan_allocations WHERE allocated = 1";
    assert_eq!(tx.opt(free, p![]).await.unwrap().unwrap().int(0), 0, "its segment is free again");
}

#[tokio::test]
async fn service_subnets_are_for_their_own_ports() {
    let served = Served::start().await;
    let network = network(&served).await;
    subnet(&served, &network, "10.0.0.0/24", json!({})).await;
    let body = json!({"subnet": {"network_id": network, "cidr": "10.1.0.0/24", "ip_version": 4,
        "service_types": ["compute:nova"]}});
    served.make("admin", "subnets", body).await;
    let instance = port(&served, &network, json!({"device_owner": "compute:nova"})).await;
    let other = port(&served, &network, json!({})).await;
    assert_eq!(addresses(&instance), ["10.1.0.2"]);
    assert_eq!(addresses(&other), ["10.0.0.2"]);
}

#[tokio::test]
async fn addresses_in_use_are_counted() {
    let served = Served::start().await;
    let network = network(&served).await;
    let pools = json!({"allocation_pools": [{"start": "10.0.0.10", "end": "10.0.0.19"}], "name": "s"});
    let v4 = subnet(&served, &network, "10.0.0.0/24", pools).await;
    subnet(&served, &network, "fd00::/64", json!({})).await;
    port(&served, &network, json!({})).await;
    let path = format!("network-ip-availabilities/{network}");
    let (status, answer) = served.ask("admin", "GET", &path, Value::Null).await;
    let shown = &answer["network_ip_availability"];
    assert_eq!((status, &shown["used_ips"], &shown["network_name"]), (200, &json!(2), &json!("n")));
    let first = json!({"subnet_id": v4["id"], "subnet_name": "s", "ip_version": 4, "cidr": "10.0.0.0/24",
        "used_ips": 1, "total_ips": 10});
    assert_eq!(shown["subnet_ip_availability"][0], first);
    assert_eq!(served.list("admin", "network-ip-availabilities?ip_version=6").await.len(), 1);
    assert_eq!(served.ask("p", "GET", &path, Value::Null).await.0, 404, "only admins may look");
    assert_eq!(served.ask("admin", "DELETE", &path, Value::Null).await.0, 405);
}

#[tokio::test]
async fn odd_values_are_refused_and_leave_nothing() {
    let served = Served::start().await;
    let network = network(&served).await;
    subnet(&served, &network, "10.0.0.0/24", json!({})).await;
    let ports = [
        json!({"fixed_ips": [{"ip_address": null}]}),
        json!({"fixed_ips": [{"subnet_id": null}]}),
        json!({"fixed_ips": [{}]}),
        json!({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.5"}]}),
        json!({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"subnet_id": "00000000-0000-0000-0000-000000000000"}]}),
        json!({"fixed_ips": [{"ip_address": "10.0.0.5"}, {"ip_address": "10.0.0.255"}]}),
        json!({"allowed_address_pairs": [{"ip_address": {}}]}),
        json!({"allowed_address_pairs": [{"ip_address": "10.0.0.0/24", "mac_address": []}]}),
        json!({"extra_dhcp_opts": [{"opt_name": "a", "opt_value": "b"}, {"opt_name": "a", "opt_value": "c"}]}),
        json!({"extra_dhcp_opts": {"a": "b"}}),
        json!({"binding:profile": {"big": "x".repeat(5000)}}),
        json!({"mac_address": "ff:ff:ff:ff:ff:ff"}),
        json!({"device_id": "x".repeat(256)}),
        json!({"dns_name": "a".repeat(300)}),
    ];
    for more in ports {
        let mut body = json!({"network_id": network});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = served.ask("admin", "POST", "ports", json!({"port": body})).await;
        assert!((400..500).contains(&status), "{status} {more} {answer}");
    }
    let subnets = [
        json!({"cidr": "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ip_version": 6, "prefixlen": 3}),
        json!({"cidr": "255.255.255.255/32", "ip_version": 4, "enable_dhcp": false}),
        json!({"cidr": "0.0.0.0/0", "ip_version": 4, "enable_dhcp": false}),
        json!({"cidr": "10.0.0.0/8", "ip_version": 4, "host_routes": [{"destination": "0.0.0.0/0", "nexthop": "x"}]}),
        json!({"cidr": "10.1.0.0/24", "ip_version": 4, "dns_nameservers": [null]}),
        json!({"cidr": "10.1.0.0/24", "ip_version": 4, "gateway_ip": ""}),
        json!({"ip_version": 4, "prefixlen": 999_999_999_999_i64, "subnetpool_id": network}),
    ];
    for more in subnets {
        let mut body = json!({"network_id": network});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let (status, answer) = served.ask("admin", "POST", "subnets", json!({"subnet": body})).await;
        assert!((400..500).contains(&status), "{status} {more} {answer}");
    }
    let pools = [
        json!({"name": "a", "prefixes": []}),
        json!({"name": "a", "prefixes": ["10.0.0.0/8", "fd00::/8"]}),
        json!({"name": "a", "prefixes": ["10.0.0.0/8"], "min_prefixlen": 30, "max_prefixlen": 20}),
        json!({"name": "a", "prefixes": ["10.0.0.0/8"], "max_prefixlen": 99_999_999}),
        json!({"name": "a", "prefixes": ["10.0.0.0/8"], "default_prefixlen": 1}),
    ];
    for body in pools {
        let (status, answer) = served.ask("admin", "POST", "subnetpools", json!({"subnetpool": body})).await;
        assert!((400..500).contains(&status), "{status} {body} {answer}");
    }
    let mut tx = served.app.db.read().await.unwrap();
    for (table, rows) in
        [("ports", 0), ("ipallocations", 0), ("ipamallocations", 0), ("subnets", 1), ("subnetpools", 0)]
    {
        let count = tx.opt(&format!("SELECT count(*) FROM {table}"), p![]).await.unwrap().unwrap().int(0);
        assert_eq!(count, rows, "{table}");
    }
}
