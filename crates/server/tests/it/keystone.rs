//! `auth_strategy = keystone` against a real Keystone: tokens, refusals, service tokens, scopes, addresses of any age.

use crate::lab::{self, Keystone};
use crate::world::{self, Dir};
use http::Method;
use oslo::config::Config;
use serde_json::{Value, json};
use server::api::auth::start::strategy;
use server::keystone::Http;
use server::keystone::http::{Answer, Ask, Tls};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use tokio::net::TcpListener;

/// A server with Keystone before it.
pub struct Guarded {
    address: SocketAddr,
    http: Http,
    task: tokio::task::JoinHandle<()>,
    _dir: Dir,
}

impl Drop for Guarded {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Where clients are told to go in these tests.
const WWW: &str = "http://controller:5000";

fn config(auth_url: &str, more: &str) -> Config {
    let text = format!(
        "[keystone_authtoken]\nauth_uri = {WWW}\nauth_url = {auth_url}\nauth_plugin = password\n\
         project_domain_id = default\nuser_domain_id = default\nproject_name = service\nusername = neutron\n\
         password = service-secret\n{more}\n"
    );
    Config::parse("neutron.conf", &text)
}

impl Guarded {
    async fn with(config: &Config) -> Guarded {
        let (app, dir) =
            world::app(&crate::client::loadable(server::extensions::ALL, &["port_security"])).await;
        let mut app = std::sync::Arc::into_inner(app).unwrap();
        app.auth = strategy(config, Path::new("/nowhere"), "keystone").unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let service = server::api::router(app.into());
        let task = tokio::spawn(async move { axum::serve(listener, service).await.unwrap() });
        let http = Http::new(Tls::default(), Duration::from_secs(30));
        Guarded { address, http, task, _dir: dir }
    }

    pub async fn start() -> Guarded {
        Guarded::with(&config(&lab::keystone_url(), "")).await
    }

    pub async fn ask(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: Value,
    ) -> Answer {
        let body = (!body.is_null()).then(|| body.to_string().into());
        let url = format!("http://{}{path}", self.address);
        self.http.send(Ask { method, url: &url, headers, body }).await.unwrap()
    }

    async fn get(&self, path: &str, headers: &[(&'static str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers, Value::Null).await
    }
}

#[tokio::test]
async fn tokens_open_and_their_lack_closes() {
    let (server, keystone) = (Guarded::start().await, Keystone::new());
    let demo = keystone.token("demo", "demo-secret", "demo").await;
    let refused = json!({"error": {"code": 401, "title": "Unauthorized",
        "message": "The request you have made requires authentication."}});
    for headers in [
        vec![],
        vec![("X-Auth-Token", "nonsense")],
        vec![("X-Auth-Token", "no token")],
        // Identity headers of a client's own are worth nothing.
        vec![("X-Roles", "admin"), ("X-User-Id", "u"), ("X-Project-Id", "p")],
    ] {
        for path in ["/v2.0/networks", "/v2.0/extensions", "/v2.0/", "/v2.0/nothing"] {
            let answer = server.get(path, &headers).await;
            assert_eq!((answer.status, answer.json()), (401, refused.clone()), "{path} {headers:?}");
            assert_eq!(answer.headers["www-authenticate"], format!("Keystone uri=\"{WWW}\"").as_str());
            assert!(answer.headers.contains_key("x-openstack-request-id"));
        }
    }
    assert_eq!(server.get("/", &[]).await.status, 200);
    let network = json!({"network": {"name": "n"}});
    let made = server.ask(Method::POST, "/v2.0/networks", &[("X-Auth-Token", &demo)], network).await;
    assert_eq!(made.status, 201, "{}", made.words());
    let whose = keystone.ask(&demo, "GET", "/auth/projects", None).await.json()["projects"][0]["id"].clone();
    assert_eq!(made.json()["network"]["project_id"], whose);
    let path = format!("/v2.0/networks/{}", made.json()["network"]["id"].as_str().unwrap());
    let stranger = keystone.token("stranger", "stranger-secret", "strangers").await;
    let reader = keystone.token("reader", "reader-secret", "demo").await;
    let admin = keystone.admin().await;
    for (token, method, wanted) in [
        (&stranger, Method::GET, 404),
        (&stranger, Method::DELETE, 404),
        (&reader, Method::GET, 200),
        (&reader, Method::DELETE, 403),
        (&admin, Method::DELETE, 204),
    ] {
        let headers = [("X-Auth-Token", token.as_str()), ("X-Roles", "admin")];
        let answer = server.ask(method.clone(), &path, &headers, Value::Null).await;
        assert_eq!(answer.status, wanted, "{method}: {}", answer.words());
    }
}

#[tokio::test]
async fn addresses_of_any_age_lead_to_keystone() {
    let keystone = Keystone::new();
    let admin = keystone.admin().await;
    let root = keystone.v3.strip_suffix("/v3").unwrap().to_string();
    let silent = "http://127.0.0.1:1";
    let juno = Config::parse(
        "neutron.conf",
        &format!(
            "[keystone_authtoken]\nauth_uri = {root}/v2.0\nidentity_uri = {silent}\nadmin_tenant_name = service\n\
             admin_user = neutron\nadmin_password = service-secret\n"
        ),
    );
    let with = |auth_url: String| config(&auth_url, "");
    for config in [with(format!("{root}/v2.0")), with(root.clone()), with(format!("{root}/v3/")), juno] {
        let server = Guarded::with(&config).await;
        assert_eq!(server.get("/v2.0/networks", &[("X-Auth-Token", &admin)]).await.status, 200);
    }
}

#[tokio::test]
async fn a_keystone_that_is_away_makes_503() {
    let away = Guarded::with(&config("http://127.0.0.1:1/v3", "http_request_max_retries = 0")).await;
    let wrong = config(&lab::keystone_url(), "password = wrong");
    for server in [away, Guarded::with(&wrong).await] {
        let answer = server.get("/v2.0/networks", &[("X-Auth-Token", "t")]).await;
        assert_eq!(answer.status, 503);
        let text = "503 Service Unavailable\n\nThe server is currently unavailable. Please try again at a later \
                    time.\n\n The Keystone service is temporarily unavailable.  ";
        assert_eq!(String::from_utf8_lossy(&answer.body), text);
        assert_eq!(server.get("/v2.0/networks", &[]).await.status, 401);
    }
    let late = config("http://127.0.0.1:1/v3", "delay_auth_decision = true\nhttp_request_max_retries = 0");
    let answer = Guarded::with(&late).await.get("/v2.0/networks", &[("X-Auth-Token", "t")]).await;
    assert_eq!(answer.status, 401);
    assert!(
        String::from_utf8_lossy(&answer.body).starts_with("401 Unauthorized\n\nThis server could not verify")
    );
}

#[tokio::test]
async fn a_token_that_is_revoked_is_forgotten_in_time() {
    let keystone = Keystone::new();
    let server = Guarded::with(&config(&keystone.v3, "token_cache_time = -1")).await;
    let demo = keystone.token("demo", "demo-secret", "demo").await;
    assert_eq!(server.get("/v2.0/networks", &[("X-Auth-Token", &demo)]).await.status, 200);
    let http = Http::new(Tls::default(), Duration::from_secs(30));
    let url = format!("{}/auth/tokens", keystone.v3);
    let headers = [("X-Auth-Token", demo.as_str()), ("X-Subject-Token", demo.as_str())];
    let ask = Ask { method: Method::DELETE, url: &url, headers: &headers, body: None };
    assert_eq!(http.send(ask).await.unwrap().status, 204);
    assert_eq!(server.get("/v2.0/networks", &[("X-Auth-Token", &demo)]).await.status, 401);
}

#[tokio::test]
async fn service_tokens_and_scopes_count() {
    let (server, keystone) = (Guarded::start().await, Keystone::new());
    let demo = keystone.token("demo", "demo-secret", "demo").await;
    let nova = keystone.token("nova", "service-secret", "service").await;
    for (service, wanted) in [(nova.as_str(), 200), (demo.as_str(), 401), ("nonsense", 401)] {
        let headers = [("X-Auth-Token", demo.as_str()), ("X-Service-Token", service)];
        assert_eq!(server.get("/v2.0/networks", &headers).await.status, wanted);
    }
    let careless = config(&keystone.v3, "service_token_roles_required = false");
    let careless = Guarded::with(&careless).await;
    let headers = [("X-Auth-Token", demo.as_str()), ("X-Service-Token", demo.as_str())];
    assert_eq!(careless.get("/v2.0/networks", &headers).await.status, 200);
    let system = keystone.token_of("admin", "admin-secret", json!({"system": {"all": true}})).await;
    assert_eq!(server.get("/v2.0/networks", &[("X-Auth-Token", &system)]).await.status, 200);
}
