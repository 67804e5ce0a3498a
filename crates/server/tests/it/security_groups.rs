//! Security groups over HTTP: default groups, rules, who sees and changes what.

use crate::client::{Served, words};
use serde_json::{Value, json};
use server::p;

fn names(groups: &[Value]) -> Vec<&str> {
    groups.iter().map(|group| group["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_project_gets_its_default_group_when_it_is_first_needed() {
    let server = Served::start().await;
    let groups = server.list("demo", "security-groups").await;
    assert_eq!(names(&groups), ["default"]);
    let default = &groups[0];
    assert_eq!(default["revision_number"], 1);
    let mut rules: Vec<String> = default["security_group_rules"]
        .as_array()
        .unwrap()
        .iter()
        .map(|rule| {
            let own = rule["remote_group_id"] == default["id"];
            format!(
                "{} {} own={own}",
                rule["direction"].as_str().unwrap(),
                rule["ethertype"].as_str().unwrap()
            )
        })
        .collect();
    rules.sort();
    assert_eq!(
        rules,
        ["egress IPv4 own=false", "egress IPv6 own=false", "ingress IPv4 own=true", "ingress IPv6 own=true"]
    );
    let group = server.make("demo", "security-groups", json!({"security_group": {"name": "web"}})).await;
    assert_eq!(group["security_group_rules"].as_array().unwrap().len(), 2, "others only let everything out");
    assert_eq!(server.list("other", "security-groups").await.len(), 1);
}

#[tokio::test]
async fn many_first_requests_make_one_default_group() {
    let server = Served::start().await;
    let requests = (0..16).map(|_| server.list("demo", "security-groups"));
    for groups in futures_util::future::join_all(requests).await {
        assert_eq!(names(&groups), ["default"]);
    }
    let mut tx = server.app.db.read().await.unwrap();
    let rows = tx.all("SELECT id FROM securitygroups WHERE project_id = ?", p!["demo"]).await.unwrap();
    assert_eq!(rows.len(), 1);
}

#[tokio::test]
async fn rules_are_kept_once_and_refused_in_upstreams_words() {
    let server = Served::start().await;
    let group = server.make("demo", "security-groups", json!({"security_group": {"name": "web"}})).await;
    let id = group["id"].as_str().unwrap();
    let rule = |more: Value| {
        let mut rule = json!({"security_group_id": id, "direction": "ingress"});
        rule.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"security_group_rule": rule})
    };
    let ssh = json!({"protocol": "tcp", "port_range_min": 22, "port_range_max": 22});
    let made = server.make("demo", "security-group-rules", rule(ssh)).await;
    assert_eq!((&made["protocol"], &made["revision_number"]), (&json!("tcp"), &json!(0)));
    let cases = [
        (
            json!({"protocol": "6", "port_range_min": 22, "port_range_max": 22}),
            "409 SecurityGroupRuleExists: Security group rule already exists. Rule id is ",
        ),
        (
            json!({"remote_group_id": {"x": 1}}),
            "404 SecurityGroupNotFound: Security group {'x': 1} does not exist",
        ),
        (json!({"remote_group_id": "x"}), "404 SecurityGroupNotFound: Security group x does not exist"),
        (
            json!({"ethertype": "IPv5"}),
            "400 SecurityGroupRuleInvalidEtherType: Security group rule for ethertype 'IPv5'",
        ),
        (json!({"port_range_min": 1}), "400 SecurityGroupProtocolRequiredWithPorts: Must also specify"),
    ];
    for (more, expected) in cases {
        let answer = server.ask("demo", "POST", "security-group-rules", rule(more)).await;
        assert!(words(&answer).starts_with(expected), "{}", words(&answer));
    }
    let twice = json!({"security_group_rules": [
        {"security_group_id": id, "direction": "egress", "protocol": "udp"},
        {"security_group_id": id, "direction": "egress", "protocol": "17"}]});
    let answer = server.ask("demo", "POST", "security-group-rules", twice).await;
    assert_eq!(
        words(&answer),
        "409 DuplicateSecurityGroupRuleInPost: Duplicate Security Group Rule in POST."
    );
    let stranger = server
        .ask(
            "other",
            "DELETE",
            &format!("security-group-rules/{}", made["id"].as_str().unwrap()),
            Value::Null,
        )
        .await;
    assert_eq!(stranger.0, 404);
    let after = server.ask("demo", "GET", &format!("security-groups/{id}"), Value::Null).await.1;
    assert_eq!(after["security_group"]["revision_number"], 2, "a group is revised with its rules");
}

#[tokio::test]
async fn groups_go_with_their_rules_and_the_default_stays() {
    let server = Served::start().await;
    let group = server.make("demo", "security-groups", json!({"security_group": {}})).await;
    let path = format!("security-groups/{}", group["id"].as_str().unwrap());
    assert_eq!(server.ask("demo", "DELETE", &path, Value::Null).await.0, 204);
    let mut tx = server.app.db.read().await.unwrap();
    let left = "SELECT count(*) FROM standardattributes WHERE resource_type = 'securitygrouprules'";
    assert_eq!(tx.opt(left, p![]).await.unwrap().unwrap().int(0), 4, "those of the default group");
    drop(tx);
    let default = server.list("demo", "security-groups?name=default").await;
    let path = format!("security-groups/{}", default[0]["id"].as_str().unwrap());
    let answer = server.ask("demo", "DELETE", &path, Value::Null).await;
    assert_eq!(
        words(&answer),
        "409 SecurityGroupCannotRemoveDefault: Insufficient rights for removing default security group."
    );
    let answer = server.ask("demo", "PUT", &path, json!({"security_group": {"name": "mine"}})).await;
    assert_eq!(
        words(&answer),
        "409 SecurityGroupCannotUpdateDefault: Updating default security group not allowed."
    );
    assert_eq!(server.ask("admin", "DELETE", &path, Value::Null).await.0, 204);
}

#[tokio::test]
async fn groups_are_shared_with_a_project() {
    let server = Served::start().await;
    let (demo, other) = ("d".repeat(32), "a".repeat(32));
    let group = server.make(&demo, "security-groups", json!({"security_group": {"name": "web"}})).await;
    let grant = json!({"rbac_policy": {"object_type": "security_group", "object_id": group["id"],
        "action": "access_as_shared", "target_tenant": other}});
    assert_eq!(names(&server.list(&other, "security-groups?shared=true").await), [] as [&str; 0]);
    let made = server.make(&demo, "rbac-policies", grant.clone()).await;
    assert_eq!((&made["object_type"], &made["target_tenant"]), (&json!("security_group"), &json!(other)));
    assert_eq!(names(&server.list(&other, "security-groups?shared=true").await), ["web"]);
    let answer = server.ask(&demo, "POST", "rbac-policies", grant).await;
    assert_eq!(words(&answer), "409 DuplicateRbacPolicy: An RBAC policy already exists with those values.");
    let path = format!("rbac-policies/{}", made["id"].as_str().unwrap());
    assert_eq!(server.ask(&other, "DELETE", &path, Value::Null).await.0, 404);
    assert_eq!(server.ask(&demo, "DELETE", &path, Value::Null).await.0, 204);
    assert_eq!(names(&server.list(&other, "security-groups?shared=true").await), [] as [&str; 0]);
    let foreign = json!({"rbac_policy": {"object_type": "security_group", "object_id": group["id"],
        "action": "access_as_shared", "target_tenant": other}});
    let answer = server.ask(&other, "POST", "rbac-policies", foreign).await;
    assert_eq!(
        words(&answer),
        "400 InvalidInput: Invalid input for operation: Only admins can manipulate policies on objects they do not own."
    );
}

#[tokio::test]
async fn the_operator_says_which_rules_new_groups_get() {
    let server = Served::start().await;
    let rule = json!({"default_security_group_rule": {"direction": "ingress", "protocol": "icmp",
        "used_in_default_sg": true, "used_in_non_default_sg": false}});
    let answer = server.ask("demo", "POST", "default-security-group-rules", rule.clone()).await;
    assert_eq!(answer.0, 403);
    server.make("admin", "default-security-group-rules", rule).await;
    assert_eq!(server.list("demo", "default-security-group-rules").await.len(), 5);
    let groups = server.list("demo", "security-groups").await;
    assert_eq!(groups[0]["security_group_rules"].as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn address_scopes_stay_shared() {
    let server = Served::start().await;
    let scope = json!({"address_scope": {"name": "s", "ip_version": "4", "shared": true}});
    assert_eq!(server.ask("demo", "POST", "address-scopes", scope.clone()).await.0, 403);
    let made = server.make("admin", "address-scopes", scope).await;
    assert_eq!((&made["shared"], &made["ip_version"]), (&json!(true), &json!(4)));
    assert_eq!(names(&server.list("demo", "address-scopes").await), ["s"]);
    let path = format!("address-scopes/{}", made["id"].as_str().unwrap());
    let answer = server.ask("admin", "PUT", &path, json!({"address_scope": {"shared": false}})).await;
    assert_eq!(
        words(&answer),
        format!(
            "400 AddressScopeUpdateError: Unable to update address scope {} : Shared address scope can't be unshared.",
            made["id"].as_str().unwrap()
        )
    );
    assert_eq!(server.ask("admin", "DELETE", &path, Value::Null).await.0, 204);
    let answer =
        server.ask("admin", "POST", "address-scopes", json!({"address_scope": {"ip_version": 5}})).await;
    assert_eq!(
        words(&answer),
        "400 HTTPBadRequest: Invalid input for ip_version. Reason: 5 is not in valid_values."
    );
}
