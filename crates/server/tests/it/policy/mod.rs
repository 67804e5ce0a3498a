//! Every operation that a rule of policy guards, tried by every kind of caller on own, others' and shared rows: the
//! answers are those that Neutron 29's own code computes (`expected.tsv`, written by `tools/policy`).

use crate::client::{Served, loadable};
use crate::keystone::Guarded;
use crate::lab::Keystone;
use crate::mariadb;
use crate::world::{self, Dir};
use serde_json::{Value, json};
use server::api::auth::start::strategy;
use server::db::Db;
use server::p;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// A file beside this one; it is read when the test runs, so that `tools/policy` needs no compiler.
fn file(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/policy").join(name);
    std::fs::read_to_string(path).unwrap()
}

/// Who asks, in the order of the columns of `expected.tsv`: name, project, roles (those they imply come by
/// themselves).
const CALLERS: &[(&str, &str, &str)] = &[
    ("stranger", "strangers", "member"),
    ("reader", "demo", "reader"),
    ("member", "demo", "member"),
    ("manager", "demo", "manager"),
    ("service", "service", "service"),
    ("admin", "admin", "admin"),
];

/// What a caller may do all the same where something that an operation needs is missing: a 404 that is no refusal.
const MISSING: &[&str] = &["RouterInterfaceNotFoundForSubnet", "ServiceProfileDriverNotFound"];

/// One operation.
struct Operation {
    rule: String,
    cases: Vec<String>,
    method: String,
    path: String,
    body: Option<String>,
}

fn lines(kind: &str) -> Vec<Vec<String>> {
    let columns = |line: &str| -> Vec<String> {
        line.split("  ").map(str::trim).filter(|column| !column.is_empty()).map(str::to_string).collect()
    };
    let text = file("operations.txt");
    let lines = text.lines().filter(|line| !line.starts_with('#')).map(columns);
    lines
        .filter(|columns| columns.first().is_some_and(|first| first == kind))
        .map(|columns| columns[1..].to_vec())
        .collect()
}

fn operations() -> Vec<Operation> {
    let operation = |columns: Vec<String>| {
        let (method, path) = columns[2].split_once(' ').unwrap();
        Operation {
            rule: columns[0].clone(),
            cases: columns[1].split(',').map(str::to_string).collect(),
            method: method.into(),
            path: path.into(),
            body: columns.get(3).cloned(),
        }
    };
    lines("op").into_iter().map(operation).collect()
}

impl Operation {
    /// The resource that its rows are of.
    fn resource(&self) -> &str {
        let rest = self.rule.split_once('_').unwrap().1.split(':').next().unwrap();
        match rest {
            "router_interface" | "extraroutes" => "router",
            "prefixes" => "subnetpool",
            other => other,
        }
    }

    fn changes(&self) -> bool {
        self.method != "GET" || self.makes()
    }

    /// Whether it is a list that makes another project's default security group: for whom it may, and unseen.
    fn makes(&self) -> bool {
        self.body.as_deref() == Some("made")
    }

    fn request(&self, ids: &BTreeMap<String, String>, case: &str) -> (String, Value) {
        let mut path = with_ids(&self.path, ids);
        if let Some(id) = ids.get(&format!("@{}.{case}", self.resource())) {
            path = path.replace("{row}", id);
        }
        let body = match self.body.as_deref() {
            Some("tags") => json!({"tags": ["a"]}),
            Some(body) if body.starts_with('{') => {
                let body: Value = serde_json::from_str(&with_ids(body, ids)).unwrap();
                let parts: Vec<&str> = path.split('/').collect();
                let simple = parts.len() == 1 || (parts.len() == 2 && self.method == "PUT");
                if simple && parts[0] != "quotas" { json!({self.resource(): body}) } else { body }
            }
            _ => Value::Null,
        };
        (path, body)
    }

    /// Whether an answer lets the caller do it.
    fn allowed(&self, status: u16, answer: &Value) -> bool {
        if let Some(attribute) = self.body.as_deref().and_then(|body| body.strip_prefix('?')) {
            return status == 200 && answer[self.resource()].get(attribute).is_some();
        }
        let kind = answer["NeutronError"]["type"].as_str().unwrap_or_default();
        !matches!(status, 401 | 403 | 404) || MISSING.contains(&kind)
    }
}

fn with_ids(text: &str, ids: &BTreeMap<String, String>) -> String {
    let mut text = text.to_string();
    for (name, id) in ids {
        // `@network.own"` and `@network.own/`, not a longer name.
        for end in ['"', '/'] {
            text = text.replace(&format!("{name}{end}"), &format!("{id}{end}"));
        }
        if let Some(start) = text.strip_suffix(name.as_str()) {
            text = format!("{start}{id}");
        }
    }
    text
}

/// A store with all rows in it, which is put in place again after each operation that changed something.
struct Rows {
    kept: Kept,
    ids: BTreeMap<String, String>,
    /// The store that was filled.
    _filled: Dir,
}

enum Kept {
    /// SQLite's files, by the end of their names.
    Files(Vec<(&'static str, Vec<u8>)>),
    /// MariaDB's: what empties every table and fills it from its copy.
    Script(Db, String),
}

/// Copies the tables that have rows; the script that puts all as it is now.
async fn copied(db: &Db) -> String {
    let mut tx = db.begin().await.unwrap();
    let sql = "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() \
               AND table_type = 'BASE TABLE'";
    let mut script = String::from("SET FOREIGN_KEY_CHECKS = 0");
    let tables: Vec<String> = tx.all(sql, p![]).await.unwrap().iter().map(|row| row.text(0)).collect();
    for table in tables {
        script.push_str(&format!("; DELETE FROM `{table}`"));
        if tx.opt(&format!("SELECT 1 FROM `{table}` LIMIT 1"), p![]).await.unwrap().is_some() {
            tx.exec(&format!("CREATE TABLE kept_{table} AS SELECT * FROM `{table}`"), p![]).await.unwrap();
            script.push_str(&format!("; INSERT INTO `{table}` SELECT * FROM kept_{table}"));
        }
    }
    script + "; SET FOREIGN_KEY_CHECKS = 1"
}

async fn agent(served: &Served, body: &Value) -> String {
    let (id, now) = (served.app.fresh_id(), served.app.now());
    let text = |name: &str| body[name].as_str().unwrap().to_string();
    let mut tx = served.app.db.begin().await.unwrap();
    tx.exec(
        "INSERT INTO agents (id, agent_type, `binary`, topic, host, admin_state_up, created_at, started_at, \
         heartbeat_timestamp, configurations) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?, ?)",
        p![
            &id,
            text("agent_type"),
            text("binary"),
            text("topic"),
            text("host"),
            &now,
            &now,
            &now,
            text("configurations")
        ],
    )
    .await
    .unwrap();
    tx.commit().await.unwrap();
    id
}

fn collection(resource: &str) -> String {
    let plural = match resource.strip_suffix('y') {
        Some(stem) => format!("{stem}ies"),
        None => format!("{resource}s"),
    };
    plural
        .replace("security_", "security-")
        .replace("-group_", "-group-")
        .replace("default_security", "default-security")
}

impl Rows {
    async fn make() -> Rows {
        let (app, fresh) = world::app(&loadable(server::extensions::ALL, &["port_security"])).await;
        let served = Served::of(app, Dir::new()).await;
        let mut ids = BTreeMap::new();
        for columns in lines("row") {
            let (resource, _) = columns[0].split_once('.').unwrap();
            let body: Value = serde_json::from_str(&with_ids(&columns[1], &ids)).unwrap();
            let id = if resource == "agent" {
                agent(&served, &body).await
            } else {
                let made = served.make("admin", &collection(resource), json!({resource: body})).await;
                made["id"].as_str().unwrap().to_string()
            };
            ids.insert(format!("@{}", columns[0]), id);
        }
        for columns in lines("do") {
            let (method, path) = columns[0].split_once(' ').unwrap();
            let body = serde_json::from_str(&with_ids(&columns[1], &ids)).unwrap();
            let (status, answer) = served.ask("admin", method, &with_ids(path, &ids), body).await;
            assert!(status < 300, "{method} {path}: {status} {answer}");
        }
        let kept = if mariadb::wanted() {
            let db = served.app.db.clone();
            let script = copied(&db).await;
            Kept::Script(db, script)
        } else {
            let files = ["", "-wal"].map(|end| {
                let file = format!("{}{end}", fresh.0.join("neutron.sqlite").display());
                (end, std::fs::read(file).unwrap_or_default())
            });
            Kept::Files(files.into())
        };
        Rows { kept, ids, _filled: fresh }
    }

    async fn served(&self) -> Served {
        let dir = Dir::new();
        let db = match &self.kept {
            Kept::Files(files) => {
                let path = dir.0.join("neutron.sqlite");
                for (end, bytes) in files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
                    std::fs::write(format!("{}{end}", path.display()), bytes).unwrap();
                }
                Db::open_sqlite(&path).await.unwrap()
            }
            Kept::Script(db, script) => {
                let mut tx = db.begin().await.unwrap();
                tx.queue(script, p![]).await.unwrap();
                tx.commit().await.unwrap();
                db.clone()
            }
        };
        let app = world::app_on(db, &loadable(server::extensions::ALL, &["port_security"]));
        Served::of(app, dir).await
    }
}

/// Whether the project that nobody here is of has got its default security group.
async fn made(served: &Served) -> bool {
    let sql = "SELECT 1 FROM default_security_group WHERE project_id = 'other'";
    served.app.db.read().await.unwrap().opt(sql, p![]).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_may_do_what_upstreams_rules_say() {
    let rows = Rows::make().await;
    let text = file("expected.tsv");
    let mut expected = text.lines().filter(|line| !line.starts_with('#'));
    let mut served = rows.served().await;
    let mut wrong = Vec::new();
    let mut tried = 0;
    for operation in operations() {
        for case in &operation.cases {
            let line: Vec<&str> = expected.next().unwrap().split('\t').collect();
            assert_eq!(line[..2], [&operation.rule, case], "run tools/policy: the operations have changed");
            let (path, body) = operation.request(&rows.ids, case);
            for ((name, project, roles), wanted) in CALLERS.iter().zip(line[2].chars()) {
                let answer = served.ask_as(project, roles, &operation.method, &path, body.clone()).await;
                let (status, said) = &answer;
                tried += 1;
                let allowed =
                    if operation.makes() { made(&served).await } else { operation.allowed(*status, said) };
                if allowed != (wanted == 'y') {
                    let Operation { rule, method, .. } = &operation;
                    wrong.push(format!(
                        "{rule} {case} by {name}: {method} {path} {body} answered {status} {said}, upstream: {wanted}"
                    ));
                }
                if *status < 300 && operation.changes() {
                    served = rows.served().await;
                }
            }
        }
    }
    assert_eq!(expected.next(), None, "run tools/policy: the operations have changed");
    assert!(wrong.is_empty(), "{} of {tried}:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test]
async fn nobody_comes_in_without_a_token() {
    let rows = Rows::make().await;
    let (app, dir) = world::app(&loadable(server::extensions::ALL, &["port_security"])).await;
    let mut app = std::sync::Arc::into_inner(app).unwrap();
    let config = "[keystone_authtoken]\nauth_url = http://127.0.0.1:1/v3\nusername = u\npassword = p\nproject_name = s\n";
    let config = oslo::config::Config::parse("neutron.conf", config);
    app.auth = strategy(&config, Path::new("/nowhere"), "keystone").unwrap();
    let served = Served::of(app.into(), dir).await;
    for operation in operations() {
        for case in &operation.cases {
            let (path, body) = operation.request(&rows.ids, case);
            let (status, said) = served.ask_as("admin", "admin", &operation.method, &path, body).await;
            assert_eq!((status, &said["error"]["code"]), (401, &json!(401)), "{} {path}", operation.method);
        }
    }
}

/// What real tokens of each kind of caller may do with a network: as the rest of the table says for made-up ones.
#[tokio::test]
async fn real_tokens_may_do_the_same() {
    let (served, keystone) = (Guarded::start().await, Keystone::new());
    let mut tokens = vec![keystone.token("stranger", "stranger-secret", "strangers").await];
    for role in ["reader", "member", "manager"] {
        tokens.push(keystone.with_role(role, "demo").await);
    }
    tokens.push(keystone.with_role("service", "service").await);
    tokens.push(keystone.admin().await);
    let member = [("X-Auth-Token", tokens[2].as_str())];
    let made = served.ask(http::Method::POST, "/v2.0/networks", &member, json!({"network": {}})).await;
    assert_eq!(made.status, 201, "{}", made.words());
    let id = made.json()["network"]["id"].as_str().unwrap().to_string();
    let ids = BTreeMap::from([("@network.own".to_string(), id)]);
    let text = file("expected.tsv");
    let mut tried = 0;
    for operation in operations() {
        let known = |case: &&String| matches!(case.as_str(), "own" | "-");
        let of_networks = operation.path.starts_with("networks") && !operation.path.contains('@');
        // The admin's own deletion comes last; others change nothing that matters to the next.
        let Some(case) = operation.cases.iter().find(known).filter(|_| of_networks) else { continue };
        let wanted =
            text.lines().find_map(|line| line.strip_prefix(&format!("{}\t{case}\t", operation.rule)));
        let (path, body) = operation.request(&ids, case);
        if operation.rule == "delete_network" || operation.rule.starts_with("update_network:") {
            continue;
        }
        for (token, wanted) in tokens.iter().zip(wanted.unwrap().chars()) {
            let method = operation.method.parse().unwrap();
            let headers = [("X-Auth-Token", token.as_str())];
            let answer = served.ask(method, &format!("/v2.0/{path}"), &headers, body.clone()).await;
            let allowed = operation.allowed(answer.status, &answer.json());
            assert_eq!(allowed, wanted == 'y', "{}: {} {}", operation.rule, answer.status, answer.words());
            tried += 1;
        }
    }
    assert!(tried > 60, "{tried}");
}

/// Whether a name is what a word of a `not` line means: `*_trunk` is every action on trunks, `add_x:*` every name
/// that begins so.
fn means(word: &str, rule: &str) -> bool {
    match (word.strip_prefix("*_"), word.strip_suffix('*')) {
        (Some(resource), _) => rule.split_once('_').is_some_and(|(_, rest)| rest == resource),
        (None, Some(start)) => rule.starts_with(start),
        (None, None) => rule == word,
    }
}

/// Every rule of upstream's that an operation asks for is tried, but those of extensions that are not offered.
#[tokio::test]
async fn no_rule_is_left_out() {
    let (app, _dir) = world::app(&loadable(server::extensions::ALL, &["port_security"])).await;
    let tried: BTreeSet<String> = operations().into_iter().map(|operation| operation.rule).collect();
    let mut left: BTreeSet<String> = app.policy.operations().into_iter().collect();
    left.retain(|rule| !tried.contains(rule));
    for columns in lines("not") {
        let (alias, words) = (&columns[0], columns[1].split_whitespace());
        let offered = server::extensions::ALL.iter().any(|extension| extension.alias == alias);
        assert!(!offered, "{alias} is offered: its rules are to be tried");
        for word in words {
            let before = left.len();
            left.retain(|rule| !means(word, rule));
            assert!(left.len() < before, "{word} of {alias} is no rule, or one that is tried");
        }
    }
    assert_eq!(left, BTreeSet::new(), "neither tried nor of what is not offered");
    // Extensions bring all of their attributes: what is offered has no rule among those.
    for columns in lines("not").iter().filter(|columns| columns[0] != "-") {
        for (name, attribute) in columns[1].split_whitespace().filter_map(|word| word.split_once(':')) {
            let resource = name.split_once('_').map_or(name, |(_, resource)| resource);
            let Some(shape) = app.catalog.shape(resource) else { continue };
            let found = shape.attributes.iter().any(|attr| attr.name == attribute);
            assert!(!found, "{resource} has {attribute}, whose rules are to be tried");
        }
    }
}
