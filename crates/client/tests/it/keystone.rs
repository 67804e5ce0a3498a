//! The command against a real Keystone: openrc files of any age, endpoints from the catalog, tokens.

use std::collections::HashMap;

use client::{Outcome, Surroundings};
use serde_json::{Value, json};

use crate::stub::Stub;

/// Keystone's address without its version.
fn root() -> String {
    let url = std::env::var("LAB_KEYSTONE_URL").unwrap_or_else(|_| {
        panic!("LAB_KEYSTONE_URL is not set: this test needs a Keystone; `make test` starts one")
    });
    url.strip_suffix("/v3").unwrap_or(&url).to_owned()
}

fn post(token: &str, path: &str, body: &Value) -> (Option<String>, Value) {
    let mut answer =
        ureq::post(format!("{}/v3{path}", root())).header("X-Auth-Token", token).send_json(body).unwrap();
    let subject = answer.headers().get("x-subject-token").map(|id| id.to_str().unwrap().to_owned());
    (subject, answer.body_mut().read_json().unwrap())
}

fn token(user: &str, password: &str, project: &str) -> String {
    let domain = json!({"id": "default"});
    let user = json!({"name": user, "password": password, "domain": domain});
    let scope = json!({"project": {"name": project, "domain": domain}});
    let identity = json!({"methods": ["password"], "password": {"user": user}});
    post("none", "/auth/tokens", &json!({"auth": {"identity": identity, "scope": scope}})).0.unwrap()
}

/// A Neutron in Keystone's catalog, in a region of its own.
fn neutron() -> (Stub, String) {
    let empty = json!({"status": 200, "answer": {"networks": []}});
    let stub = Stub::start(vec![empty; 8]);
    let admin = token("admin", "admin-secret", "admin");
    let region = format!("region-{}", stub.url.rsplit(':').next().unwrap());
    // Left over from an earlier run that had the same port.
    let path = format!("{}/v3/regions/{region}", root());
    let there = ureq::get(&path).header("X-Auth-Token", &admin).call().is_ok();
    if !there {
        post(&admin, "/regions", &json!({"region": {"id": region}}));
        let service = json!({"service": {"type": "network", "name": region}});
        let service = post(&admin, "/services", &service).1["service"]["id"].clone();
        for interface in ["public", "internal"] {
            let url = format!("{}/{interface}", stub.url);
            let endpoint =
                json!({"interface": interface, "url": url, "service_id": service, "region_id": region});
            post(&admin, "/endpoints", &json!({"endpoint": endpoint}));
        }
    }
    (stub, region)
}

fn run(env: &[(&str, &str)], words: &[&str]) -> Outcome {
    let env: HashMap<String, String> =
        env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    client::run(&words, &Surroundings { env: &env, terminal: None })
}

#[test]
fn openrc_files_of_any_age_lead_to_neutron() {
    let (stub, region) = neutron();
    let (root, demo) = (root(), token("demo", "demo-secret", "demo"));
    let who = [("OS_USERNAME", "demo"), ("OS_PASSWORD", "demo-secret"), ("OS_REGION_NAME", region.as_str())];
    let by_name = [("OS_USER_DOMAIN_NAME", "Default"), ("OS_PROJECT_DOMAIN_NAME", "Default")];
    let by_id = [("OS_USER_DOMAIN_ID", "default"), ("OS_PROJECT_DOMAIN_ID", "default")];
    let (v2, v3) = (format!("{root}/v2.0"), format!("{root}/v3"));
    type Rc<'a> = Vec<(&'a str, &'a str)>;
    let cases: Vec<(Rc<'_>, &str)> = vec![
        ([&[("OS_AUTH_URL", v2.as_str()), ("OS_TENANT_NAME", "demo")], &who[..]].concat(), "public"),
        (
            [&[("OS_AUTH_URL", v3.as_str()), ("OS_PROJECT_NAME", "demo")], &who[..], &by_name].concat(),
            "public",
        ),
        (
            [
                &[
                    ("OS_AUTH_URL", root.as_str()),
                    ("OS_PROJECT_NAME", "demo"),
                    ("OS_ENDPOINT_TYPE", "internalURL"),
                ],
                &who[..],
                &by_id,
            ]
            .concat(),
            "internal",
        ),
        (
            vec![
                ("OS_AUTH_URL", v3.as_str()),
                ("OS_TOKEN", demo.as_str()),
                ("OS_PROJECT_NAME", "demo"),
                ("OS_REGION_NAME", region.as_str()),
            ],
            "public",
        ),
    ];
    for (env, interface) in cases {
        let outcome = run(&env, &["net-list"]);
        assert_eq!((outcome.code, outcome.err.as_str()), (0, ""), "{env:?}");
        let asked = stub.asked.lock().unwrap().pop().unwrap();
        assert!(asked.request.starts_with(&format!("GET /{interface}/v2.0/networks")), "{}", asked.request);
    }
    // With a token and an address nobody else is asked.
    let url = format!("{}/direct", stub.url);
    let outcome = run(&[("OS_TOKEN", &demo), ("OS_URL", &url)], &["net-list"]);
    assert_eq!(outcome.code, 0, "{}", outcome.err);
    assert!(stub.asked.lock().unwrap().pop().unwrap().request.starts_with("GET /direct/v2.0/networks"));
}

#[test]
fn refusals_are_keystones() {
    let (_stub, region) = neutron();
    let url = format!("{}/v2.0", root());
    let rc = |password, region| {
        let who = [("OS_AUTH_URL", url.as_str()), ("OS_USERNAME", "demo"), ("OS_TENANT_NAME", "demo")];
        [&who[..], &[("OS_PASSWORD", password), ("OS_REGION_NAME", region)]].concat()
    };
    let wrong = run(&rc("wrong", &region), &["net-list"]);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.err.contains("The request you have made requires authentication. (HTTP 401)"),
        "{}",
        wrong.err
    );
    let nowhere = run(&rc("demo-secret", "nowhere"), &["net-list"]);
    assert_eq!(nowhere.code, 1);
    assert!(
        nowhere.err.contains("public endpoint for network service in nowhere region not found"),
        "{}",
        nowhere.err
    );
}
