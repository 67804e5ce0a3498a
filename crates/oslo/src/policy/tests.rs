//! The language, case by case: a rule, a caller, a target, and whether it holds.

use super::*;
use serde_json::json;

fn caller(roles: &[&str]) -> Context {
    Context {
        user_id: Some("u".into()),
        project_id: Some("p".into()),
        roles: roles.iter().map(|r| (*r).to_string()).collect(),
        ..Context::default()
    }
}

fn policy(text: &str) -> Policy {
    let mut policy = Policy::default();
    policy.overlay("test.yaml", text).unwrap();
    policy
}

fn holds(check: &str, target: &Value) -> bool {
    let policy = policy(&format!("admin_only: role:admin\nnever: '!'\nx: {}\n", json!(check)));
    let target = |name: &str| target.get(name).cloned();
    policy.decide("x", &caller(&["member", "reader"])).holds(&target)
}

#[test]
fn rules_hold_or_do_not() {
    let cases = [
        ("", json!({}), true),
        ("@", json!({}), true),
        ("!", json!({}), false),
        ("role:member", json!({}), true),
        ("role:MEMBER", json!({}), true),
        ("rule:admin_only", json!({}), false),
        ("rule:admin_only or role:reader and project_id:%(project_id)s", json!({"project_id": "p"}), true),
        ("rule:admin_only or role:reader and project_id:%(project_id)s", json!({"project_id": "q"}), false),
        ("(rule:admin_only or role:reader) and not role:member", json!({}), false),
        ("tenant_id:%(tenant_id)s", json!({"tenant_id": "p"}), true),
        ("project_id:%(network:project_id)s", json!({"network:project_id": "p"}), true),
        ("project_id:%(network:project_id)s", json!({}), false),
        ("not project_id:%(network:project_id)s", json!({}), true),
        ("user_id:%(user_id)s", json!({"user_id": "u"}), true),
        ("is_admin:True", json!({}), false),
        ("'shared':%(kind)s", json!({"kind": "shared"}), true),
        ("True:%(shared)s", json!({"shared": true}), true),
        ("field:networks:shared=True", json!({"shared": true}), true),
        ("field:networks:shared=True", json!({"shared": false}), false),
        ("field:networks:router:external=True", json!({"router:external": true}), true),
        ("field:port:device_owner=~^network:", json!({"device_owner": "network:dhcp"}), true),
        ("field:port:device_owner=~^network:", json!({"device_owner": "compute:x"}), false),
        ("rule:no_such_rule", json!({}), false),
    ];
    for (check, target, wanted) in cases {
        assert_eq!(holds(check, &target), wanted, "{check} {target}");
    }
}

#[test]
fn what_the_caller_decides_needs_no_target() {
    let policy = policy("x: role:admin or project_id:%(project_id)s\n");
    assert!(matches!(policy.decide("x", &caller(&["admin"])), Verdict::Always));
    assert_eq!(policy.decide("x", &caller(&[])).looks_at(), ["project_id"]);
}

#[test]
fn files_are_read_as_operators_write_them() {
    let policy = policy(
        "---\n# a comment\n\"create_network\": \"role:admin\"  # ours\nget_network:shared: ''\n\
         'list': [[\"role:a\", \"role:b\"], [\"role:c\"]]\nfolded: >\n  role:a or\n  role:b\nplain: role:a or\n  role:b\nempty:\n",
    );
    let decide = |name: &str, roles: &[&str]| matches!(policy.decide(name, &caller(roles)), Verdict::Always);
    assert!(decide("create_network", &["admin"]) && !decide("create_network", &["member"]));
    assert!(decide("get_network:shared", &[]) && decide("empty", &[]));
    assert!(decide("list", &["a", "b"]) && decide("list", &["c"]) && !decide("list", &["a"]));
    assert!(decide("folded", &["b"]) && decide("plain", &["b"]) && !decide("plain", &["c"]));
    let json = super::Policy::default().overlay("policy.json", r#"{"a": "role:x", "b": [["role:y"]]}"#);
    assert_eq!(json.map(|written| written.len()), Ok(2));
}

#[test]
fn a_bad_rule_is_named_with_its_place() {
    let cases = [
        ("a: role:x\nb: (role:x", "p:2: rule b: a ( is not closed"),
        ("a: role:x or", "p:1: rule a: a check is missing at the end"),
        ("a: or role:x", "p:1: rule a: a check is missing before or"),
        ("a: admin", "p:1: rule a: admin is no check: <kind>:<match> is one"),
        ("a: rule:b\nb: rule:a", "p:0: rule a refers to itself, directly or through others"),
        ("just words", "p:1: this is no rule: \"<name>\": \"<check>\" is one"),
        ("a: \"role:x", "p:1: rule a: a \" is not closed"),
    ];
    for (text, wanted) in cases {
        let got = Policy::default().overlay("p", text).unwrap_err().to_string();
        // Which rule of a circle is named is chance.
        assert_eq!(got.replace("rule b refers", "rule a refers"), wanted, "{text}");
    }
}
