//! Every operation that a rule of policy guards, tried by every kind of caller on own, others' and shared rows: the
//! answers are those that Neutron 29's own code computes (`expected.tsv`, written by `tools/policy`).

use crate::client::{Served, loadable};
use crate::keystone::Guarded;
use crate::lab::Keystone;
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
        self.method != "GET"
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

/// A store with all rows in it, which is copied for each operation that changes something.
struct Rows {
    files: Vec<(&'static str, Vec<u8>)>,
    ids: BTreeMap<String, String>,
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
        let dir = Dir::new();
        let path = dir.0.join("neutron.sqlite");
        let (app, fresh) = world::app(&loadable(server::extensions::ALL, &["port_security"])).await;
        let from = fresh.0.join("neutron.sqlite");
        let served = Served::of(app, fresh).await;
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
        let files = ["", "-wal"].map(|end| {
            let file = format!("{}{end}", from.display());
            (end, std::fs::read(file).unwrap_or_default())
        });
        drop(path);
        Rows { files: files.into(), ids }
    }

    async fn served(&self) -> Served {
        let dir = Dir::new();
        let path = dir.0.join("neutron.sqlite");
        for (end, bytes) in self.files.iter().filter(|(_, bytes)| !bytes.is_empty()) {
            std::fs::write(format!("{}{end}", path.display()), bytes).unwrap();
        }
        let db = Db::open_sqlite(&path).await.unwrap();
        let app = world::app_on(db, &loadable(server::extensions::ALL, &["port_security"]));
        Served::of(app, dir).await
    }
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
                if operation.allowed(*status, said) != (wanted == 'y') {
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

/// Every rule of what is offered is tried.
#[tokio::test]
async fn no_rule_is_left_out() {
    let (app, _dir) = world::app(&loadable(server::extensions::ALL, &["port_security"])).await;
    let tried: BTreeSet<String> = operations().into_iter().map(|operation| operation.rule).collect();
    let not = lines("not").into_iter().flatten().collect::<Vec<_>>().join(" ");
    let not: BTreeSet<&str> = not.split_whitespace().collect();
    let offered = |rule: &str| {
        let (action, attribute) = rule.split_once(':').map_or((rule, None), |(a, b)| (a, Some(b)));
        let (verb, resource) = action.split_once('_').unwrap_or(("", action));
        let Some(shape) = app.catalog.shape(resource) else {
            // An action, or a resource that is not offered.
            return app.catalog.shapes().iter().any(|shape| {
                shape.resource.actions.iter().any(|found| found.policy == rule || found.name == rule)
            });
        };
        match attribute {
            Some(name) => shape.attributes.iter().any(|attr| {
                let names = name == attr.name || name.starts_with(&format!("{}:", attr.name));
                names && (verb != "get" || attr.visible)
            }),
            None => match verb {
                "create" => shape.resource.verbs.create,
                "update" => shape.resource.verbs.update,
                "delete" => shape.resource.verbs.delete,
                _ => true,
            },
        }
    };
    let missing: Vec<String> = app
        .policy
        .operations()
        .into_iter()
        .filter(|rule| offered(rule) && !tried.contains(rule) && !not.contains(rule.as_str()))
        .collect();
    assert_eq!(missing, Vec::<String>::new());
}
