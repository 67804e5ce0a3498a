//! The default rules are sound, and files of operators lie over them.

use super::*;
use crate::extensions::ALL;
use oslo::policy::Policy;

fn catalog() -> Catalog {
    Catalog::everything(&[]).unwrap()
}

fn is_admin(rules: &Rules, who: &Context) -> bool {
    rules.with_powers(who.clone()).is_admin
}

#[test]
fn the_default_rules_are_understood() {
    let rules = Rules::defaults(&catalog()).unwrap();
    assert!(rules.now().policy.names().count() > 300);
    let admin = Context { roles: ["admin".to_string()].into(), ..Context::default() };
    assert!(is_admin(&rules, &admin) && !is_admin(&rules, &Context::default()));
    assert!(matches!(rules.decide("create_network:shared", &admin), Verdict::Always));
}

#[test]
fn operators_files_lie_over_the_defaults() {
    let dir = std::env::temp_dir().join(format!("neutron-policy-{}", uuid::Uuid::new_v4()));
    std::fs::create_dir_all(dir.join("policy.d")).unwrap();
    std::fs::write(dir.join("policy.yaml"), "context_is_admin: role:boss\n").unwrap();
    std::fs::write(dir.join("policy.d/ours.yaml"), "create_network: '!'\n").unwrap();
    let rules = Rules::load(&Options::default(), &dir, &catalog()).unwrap();
    let boss = Context { roles: ["boss".to_string()].into(), ..Context::default() };
    assert!(is_admin(&rules, &boss));
    assert!(matches!(rules.decide("create_network", &boss), Verdict::Never));
    std::fs::write(dir.join("policy.d/ours.yaml"), "create_network: nonsense\n").unwrap();
    let problem =
        Rules::load(&Options::default(), &dir, &catalog()).err().map(|p| p.to_string()).unwrap_or_default();
    assert!(
        problem.ends_with("ours.yaml:1: rule create_network: nonsense is no check: <kind>:<match> is one")
    );
    std::fs::remove_dir_all(dir).unwrap();
}

/// A rule stands with its extension or in the table, not in both: delete its line in the table.
#[test]
fn a_rule_is_declared_once() {
    let mut table = Policy::default();
    table.overlay("the default rules", load::DEFAULTS).unwrap();
    let declared = ALL.iter().flat_map(|e| e.policies).map(|rule| rule.name);
    assert_eq!(declared.filter(|name| table.has(name)).collect::<Vec<_>>(), Vec::<&str>::new());
}
