//! The real servers that `make test` starts, found by their variables.

use serde_json::{Value, json};
use server::keystone::Http;
use server::keystone::http::{Answer, Ask, Tls};
use std::time::Duration;

/// Keystone's v3.
pub fn keystone_url() -> String {
    std::env::var("LAB_KEYSTONE_URL")
        .expect("LAB_KEYSTONE_URL is not set: this test needs a Keystone; `make test` starts one")
}

/// Keystone as its users see it.
pub struct Keystone {
    pub v3: String,
    http: Http,
}

impl Keystone {
    pub fn new() -> Keystone {
        Keystone { v3: keystone_url(), http: Http::new(Tls::default(), Duration::from_secs(30)) }
    }

    pub async fn ask(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        let body = body.map(|body| bytes::Bytes::from(body.to_string()));
        let headers = [("X-Auth-Token", token)];
        let url = format!("{}{path}", self.v3);
        let method = method.parse().unwrap();
        self.http.send(Ask { method, url: &url, headers: &headers, body }).await.unwrap()
    }

    /// A token; `scope` as Keystone's API has it.
    pub async fn token_of(&self, user: &str, password: &str, scope: Value) -> String {
        let user = json!({"name": user, "password": password, "domain": {"id": "default"}});
        let identity = json!({"methods": ["password"], "password": {"user": user}});
        let body = json!({"auth": {"identity": identity, "scope": scope}});
        let answer = self.ask("", "POST", "/auth/tokens", Some(body)).await;
        assert_eq!(answer.status, 201, "{}", answer.words());
        answer.headers["x-subject-token"].to_str().unwrap().to_string()
    }

    /// A token for a project of the default domain.
    pub async fn token(&self, user: &str, password: &str, project: &str) -> String {
        let scope = json!({"project": {"name": project, "domain": {"id": "default"}}});
        self.token_of(user, password, scope).await
    }

    /// The admin's token.
    pub async fn admin(&self) -> String {
        self.token("admin", "admin-secret", "admin").await
    }

    /// Makes a user with one role in a project, and answers with its token.
    pub async fn with_role(&self, role: &str, project: &str) -> String {
        let admin = self.admin().await;
        let name = format!("{role}-{}", uuid::Uuid::new_v4().simple());
        let user = json!({"name": name, "password": "a-secret", "domain_id": "default"});
        let made = self.ask(&admin, "POST", "/users", Some(json!({"user": user}))).await;
        assert_eq!(made.status, 201, "{}", made.words());
        let id = |answer: Answer, kind: &str| answer.json()[kind][0]["id"].as_str().unwrap().to_string();
        let role = id(self.ask(&admin, "GET", &format!("/roles?name={role}"), None).await, "roles");
        let of = id(self.ask(&admin, "GET", &format!("/projects?name={project}"), None).await, "projects");
        let user = made.json()["user"]["id"].as_str().unwrap().to_string();
        let path = format!("/projects/{of}/users/{user}/roles/{role}");
        assert_eq!(self.ask(&admin, "PUT", &path, None).await.status, 204);
        self.token(&name, "a-secret", project).await
    }
}
