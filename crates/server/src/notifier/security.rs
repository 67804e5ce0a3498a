//! Tells L2 agents whose security groups have other rules or members.

use super::{cast, differs, text};
use crate::app::App;
use crate::attr::Body;
use crate::notify::{Change, Verb};
use rpc::Target;
use serde_json::{Value, json};
use std::collections::BTreeSet;

const TOPIC: &str = "q-agent-notifier-security_group-update";

/// Which groups have other rules, and which other members.
#[derive(Debug, Default, PartialEq)]
struct Touched {
    rules: BTreeSet<String>,
    members: BTreeSet<String>,
}

fn groups(port: &Body) -> BTreeSet<String> {
    // A DHCP port is a member of groups in name only.
    if text(port, "device_owner") == "network:dhcp" {
        return BTreeSet::new();
    }
    let list = port.get("security_groups").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter().filter_map(Value::as_str).map(str::to_string).collect()
}

fn touched(changes: &[Change]) -> Touched {
    let mut touched = Touched::default();
    for change in changes {
        let sides = || change.before.iter().chain(&change.after);
        match (change.resource, &change.before, &change.after) {
            ("port", Some(before), Some(after)) => {
                if groups(before) != groups(after) {
                    touched.members.extend(sides().flat_map(groups));
                } else if differs(before, after, &["fixed_ips", "allowed_address_pairs"]) {
                    touched.members.extend(groups(after));
                }
            }
            ("port", _, _) => touched.members.extend(sides().flat_map(groups)),
            ("security_group_rule", _, _) => {
                touched.rules.extend(sides().map(|rule| text(rule, "security_group_id").to_string()));
            }
            ("security_group", Some(before), Some(after)) if differs(before, after, &["stateful"]) => {
                touched.rules.insert(change.id.clone());
            }
            ("address_group", _, Some(_)) if change.verb == Verb::Updated => {
                touched.members.insert(change.id.clone());
            }
            _ => {}
        }
    }
    touched
}

/// Tells L2 agents of the groups that changes concern.
pub(super) async fn tell(app: &App, changes: &[Change]) {
    let touched = touched(changes);
    for (method, groups) in
        [("security_groups_rule_updated", touched.rules), ("security_groups_member_updated", touched.members)]
    {
        if !groups.is_empty() {
            cast(app, &Target::fanout(TOPIC), method, "1.1", json!({"security_groups": groups})).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_with_other_rules_or_members() {
        let port = |groups: &[&str], ip: &str, owner: &str| {
            Some(json!({"id": "p", "security_groups": groups, "fixed_ips": ip, "device_owner": owner}))
        };
        let rule = Some(json!({"id": "r", "security_group_id": "g"}));
        for (case, resource, before, after, rules, members) in [
            ("a new port", "port", None, port(&["a", "b"], "1", ""), &[][..], &["a", "b"][..]),
            ("a port that is gone", "port", port(&["a"], "1", ""), None, &[], &["a"]),
            ("a DHCP port", "port", None, port(&["a"], "1", "network:dhcp"), &[], &[]),
            ("other groups", "port", port(&["a"], "1", ""), port(&["b"], "1", ""), &[], &["a", "b"]),
            ("other addresses", "port", port(&["a"], "1", ""), port(&["a"], "2", ""), &[], &["a"]),
            ("nothing of ours", "port", port(&["a"], "1", "x"), port(&["a"], "1", "y"), &[], &[]),
            ("a new rule", "security_group_rule", None, rule.clone(), &["g"], &[]),
            ("a rule that is gone", "security_group_rule", rule, None, &["g"], &[]),
        ] {
            let body = |value: Option<Value>| value.and_then(|v| v.as_object().cloned());
            let verb = Verb::Updated;
            let change = Change { resource, verb, id: "x".into(), before: body(before), after: body(after) };
            let set = |list: &[&str]| list.iter().map(|g| (*g).to_string()).collect::<BTreeSet<_>>();
            let expected = Touched { rules: set(rules), members: set(members) };
            assert_eq!(touched(&[change]), expected, "{case}");
        }
    }
}
