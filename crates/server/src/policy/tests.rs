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

/// A folder with policy files, and rules that are read from it.
struct Files(std::path::PathBuf);

impl Files {
    fn new(files: &[(&str, &str)]) -> Files {
        let dir = std::env::temp_dir().join(format!("neutron-policy-{}", uuid::Uuid::new_v4()));
        std::fs::create_dir_all(&dir).unwrap();
        let all = Files(dir);
        files.iter().for_each(|(name, text)| all.write(name, text));
        all
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.join(name), text).unwrap();
    }

    fn rules(&self, options: &Options) -> Rules {
        Rules::load(options, &self.0, &Catalog::everything(ALL).unwrap()).unwrap()
    }

    fn odd(&self) -> Vec<String> {
        let catalog = Catalog::everything(ALL).unwrap();
        let source = Source::new(&Options::default(), &self.0, &catalog);
        let odd = source.load().unwrap().1;
        odd.into_iter().map(|line| line.replace(&format!("{}/", self.0.display()), "")).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn caller(project: &str, roles: &[&str]) -> Context {
    Context {
        project_id: Some(project.into()),
        roles: roles.iter().map(|role| (*role).to_string()).collect(),
        ..Context::default()
    }
}

fn may(rules: &Rules, rule: &str, who: &Context) -> bool {
    let project = who.project_id.clone();
    rules.decide_scoped(rule, who).holds(&|name: &str| (name == "project_id").then(|| project.clone().into()))
}

#[test]
fn files_are_read_again_when_they_change() {
    let files = Files::new(&[("policy.yaml", "create_network: '!'\n")]);
    let (rules, member) = (files.rules(&Options::default()), caller("p", &["member"]));
    assert!(!may(&rules, "create_network", &member));
    files.write("policy.yaml", "create_network: role:member or role:nobody\n");
    rules.refresh(1);
    assert!(may(&rules, "create_network", &member));
    // What is not understood changes nothing.
    files.write("policy.yaml", "create_network: nonsense and more of it\n");
    rules.refresh(2);
    assert!(may(&rules, "create_network", &member));
    // Within one second nobody looks.
    files.write("policy.yaml", "create_network: '!'\n");
    rules.refresh(2);
    assert!(may(&rules, "create_network", &member));
    rules.refresh(3);
    assert!(!may(&rules, "create_network", &member));
}

#[test]
fn json_is_read_where_there_is_no_yaml() {
    let files = Files::new(&[("policy.json", "{\"create_network\": \"!\"}")]);
    assert!(!may(&files.rules(&Options::default()), "create_network", &caller("p", &["member"])));
}

#[test]
fn mistakes_are_told_with_their_place_and_the_nearest_name() {
    let files = Files::new(&[
        ("policy.json", "{\n  \"crate_network\": \"\"\n}\n"),
        (
            "policy.yaml",
            "helpers: role:x\ncreate_network: rule:helpers\nget_netwrk: ''\nget_port: rule:admin_onyl\n",
        ),
    ]);
    let odd = [
        "policy.yaml:3: rule get_netwrk: nobody asks for a rule of this name; did you mean get_network?",
        "policy.yaml:4: rule get_port refers to rule admin_onyl, which does not exist; it counts as the default rule; \
         did you mean admin_only?",
    ];
    assert_eq!(files.odd(), odd);
    std::fs::remove_file(files.0.join("policy.yaml")).unwrap();
    let odd = [
        "policy.json:2: rule crate_network: nobody asks for a rule of this name; did you mean create_network?",
    ];
    assert_eq!(files.odd(), odd);
}

#[test]
fn defaults_of_older_releases_count_where_they_are_asked_for() {
    let files = Files::new(&[("policy.yaml", "create_ports_tags: role:tagger\nget_agent: '!'\n")]);
    let nobody = caller("p", &[]);
    let old = Options { enforce_new_defaults: false, ..Options::default() };
    let (new, old) = (files.rules(&Options::default()), files.rules(&old));
    assert!(!may(&new, "create_network", &nobody) && may(&old, "create_network", &nobody));
    // An older name in a file counts for the new one, whatever the defaults.
    for rules in [&new, &old] {
        assert!(may(rules, "create_port:tags", &caller("p", &["tagger"])));
        assert!(!may(rules, "create_port:tags", &caller("p", &["member"])));
    }
    // With the older defaults nobody asks what an admin may do.
    let admin = |rules: &Rules| rules.with_powers(caller("p", &["admin"]));
    assert!(may(&old, "get_agent", &admin(&old)) && !may(&new, "get_agent", &admin(&new)));
}

#[test]
fn tokens_of_another_scope_are_refused_unless_that_is_switched_off() {
    let files = Files::new(&[]);
    let strict = files.rules(&Options::default());
    let lenient = files.rules(&Options { enforce_scope: false, ..Options::default() });
    let admin = caller("p", &["admin"]);
    for other in [
        Context { system_scope: Some("all".into()), ..admin.clone() },
        Context { domain_id: Some("d".into()), ..admin.clone() },
    ] {
        assert!(!may(&strict, "get_agent", &other) && may(&lenient, "get_agent", &other));
        assert!(is_admin(&strict, &other));
    }
    assert!(may(&strict, "get_agent", &admin));
}
