//! The engine over HTTP, on a small network resource: a script of requests, and what they are answered with.
//!
//! `api/*.txt` hold request lines (`role@project METHOD path body`); answers stand below them with ids and
//! times replaced. `UPDATE_EXPECT=1` writes them anew.

use crate::transcripts::http;
use crate::world;
use expect_test::expect_file;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use server::attr::{self, Attr, Body, Check, Condition, Default, Filter, Home};
use server::convert;
use server::db::{Stop, Tx};
use server::extension::{Action, Extension, Method, NOTHING, Resource, Rules, STANDARD, Verbs};
use server::extensions::ALL;
use server::fault::Fault;
use server::notify::{Change, Verb};
use server::record::{Cell, Page};
use server::request::Rq;
use server::store;

struct Networks;

impl Rules for Networks {
    fn create<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        mut body: Body,
    ) -> BoxFuture<'a, Result<String, Stop>> {
        Box::pin(async move {
            let id = rq.app.fresh_id();
            body.insert("id".into(), json!(id));
            if body["name"] == "refused" {
                return Err(Fault::BadRequest { text: "refused".into() }.into());
            }
            store::insert(rq, tx, &NETWORK, &body).await?;
            let after = store::get(rq, tx, &NETWORK, &id).await?;
            tx.announce(Change {
                resource: "network",
                verb: Verb::Created,
                id: id.clone(),
                before: None,
                after,
            });
            Ok(id)
        })
    }
    fn update<'a>(
        &'a self,
        rq: Rq<'a>,
        tx: &'a mut Tx,
        old: &'a Body,
        changes: Body,
    ) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { store::update(rq, tx, &NETWORK, id(old), &changes).await })
    }
    fn delete<'a>(&'a self, rq: Rq<'a>, tx: &'a mut Tx, old: &'a Body) -> BoxFuture<'a, Result<(), Stop>> {
        Box::pin(async move { store::delete(rq, tx, &NETWORK, id(old)).await })
    }
}

fn id(body: &Body) -> &str {
    body["id"].as_str().unwrap()
}

static NETWORK: Resource = Resource {
    name: "network",
    collection: "networks",
    table: "networks",
    standard: true,
    attributes: &[
        attr::ID,
        attr::PROJECT_ID,
        attr::NAME,
        Attr::new("admin_state_up").convert(convert::to_boolean).default(Default::Bool(true)).listed(),
        Attr::new("mtu")
            .convert(convert::to_int)
            .check(Check::NonNegative)
            .default(Default::Int(1500))
            .listed(),
        Attr::new("shared")
            .convert(convert::to_boolean)
            .default(Default::Bool(false))
            .guarded()
            .filter(Filter::Custom(shared_is))
            .home(Home::Filled(shared)),
        Attr::new("provider:network_type").guarded().home(Home::Column("availability_zone_hints")),
    ],
    quota: Some("network"),
    not_found: |id| Fault::NetworkNotFound { net_id: id.into() },
    rules: &Networks,
    actions: &[Action { name: "greet", method: Method::Put, policy: "update_network", run: greet }],
    visible: Some(|_| Condition { sql: "networks.name LIKE 'public%'".into(), params: vec![] }),
    verbs: Verbs::ALL,
};

fn greet<'a>(_: Rq<'a>, _: &'a mut Tx, old: &'a Body, body: Value) -> BoxFuture<'a, Result<Value, Stop>> {
    Box::pin(async move { Ok(json!({"hello": old["name"], "you_said": body})) })
}

fn shared_is(_: Rq<'_>, values: &[String]) -> Result<Condition, Fault> {
    let wanted = values.iter().any(|v| v.eq_ignore_ascii_case("true"));
    let sql = format!("(networks.name LIKE 'public%') = {}", i64::from(wanted));
    Ok(Condition { sql, params: vec![] })
}

fn shared<'a>(_: Rq<'a>, _: &'a mut Tx, page: &'a mut Page) -> BoxFuture<'a, Result<(), Stop>> {
    Box::pin(async move {
        for row in 0..page.rows.len() {
            let shared = page.text(row, "name").starts_with("public");
            page.set(row, "shared", Cell::Bool(shared));
        }
        Ok(())
    })
}

static EXTENSION: Extension = Extension { alias: "test-network", resources: &[&NETWORK], ..NOTHING };

/// Ids and times by place-holders, in the order in which they appear.
fn redacted(text: &str, seen: &mut Vec<String>) -> String {
    let mut out = text.to_string();
    let is_id = |w: &&str| w.len() == 36 && w.bytes().filter(|b| *b == b'-').count() == 4;
    let words = text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'));
    for word in words.filter(is_id) {
        if !seen.iter().any(|s| s == word) {
            seen.push(word.to_string());
        }
    }
    for (at, id) in seen.iter().enumerate() {
        out = out.replace(id, &format!("<{}>", at + 1));
    }
    for key in ["created_at", "updated_at"] {
        while let Some(at) = out.find(&format!("\"{key}\":\"2")) {
            out.replace_range(at..at + key.len() + 5 + 20, &format!("\"{key}\":<time>"));
        }
    }
    out
}

fn play(script: &str) {
    // The network here is the test's own: nothing may add to it but what adds to every resource.
    // What the engine does for every resource; the others speak of the real networks.
    let general = |e: &&Extension| {
        let tags = e.alias == "standard-attr-tag";
        e.resources.is_empty() && (tags || e.attributes.iter().all(|on| on.resource == STANDARD))
    };
    let all: Vec<&'static Extension> = ALL.iter().copied().filter(general).chain([&EXTENSION]).collect();
    let served = world::serve(Box::leak(all.into_boxed_slice()));
    let path = format!("{}/tests/it/api/{script}.txt", env!("CARGO_MANIFEST_DIR"));
    let mut out = String::new();
    let mut seen: Vec<String> = Vec::new();
    for line in std::fs::read_to_string(&path).unwrap().lines().filter(|l| !l.starts_with("  ")) {
        out += &format!("{line}\n");
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let mut words = line.splitn(4, ' ');
        let (who, method, path) = (words.next().unwrap(), words.next().unwrap(), words.next().unwrap());
        let mut body = words.next().unwrap_or_default().to_string();
        let mut headers = Vec::new();
        if let Some((role, project)) = who.split_once('@') {
            headers.push(("X-Roles".to_string(), role.to_string()));
            headers.push(("X-Project-Id".to_string(), project.to_string()));
        }
        if let Some((header, rest)) = body.clone().strip_prefix("If-Match:").and_then(|b| b.split_once(' ')) {
            headers.push(("If-Match".to_string(), header.to_string()));
            body = rest.to_string();
        }
        let mut path = path.to_string();
        for (at, id) in seen.iter().enumerate() {
            path = path.replace(&format!("<{}>", at + 1), id);
        }
        let answer = http::ask(served.address, method, &path, &headers, &body);
        out += &format!("  {} {}\n", answer.status, redacted(&answer.body, &mut seen).replace('\n', "\n  "));
    }
    expect_file![path].assert_eq(&out);
}

#[test]
fn bodies_are_admitted_or_refused() {
    play("admission");
}

#[test]
fn lists_filter_sort_and_page() {
    play("lists");
}

#[test]
fn people_see_and_do_what_policy_lets_them() {
    play("people");
}

#[test]
fn quotas_are_counted_where_they_are_used_up() {
    play("quotas");
}

#[test]
fn the_rest_of_the_engine() {
    play("engine");
}
