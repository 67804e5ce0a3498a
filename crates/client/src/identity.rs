//! Who asks, and where Neutron is: Keystone v3, a token with an address, or nothing at all.

use std::time::Duration;

use serde_json::{Value, json};

use crate::api::Api;
use crate::argparse::Args;
use crate::fault::Fault;
use crate::http::{Http, Options, Request};
use crate::python;

/// Where `neutron standalone` listens.
pub const LOCAL: &str = "http://127.0.0.1:9696";

const HINT: &str = "No credentials are set (OS_AUTH_URL, OS_URL), so a local Neutron was tried at \
    http://127.0.0.1:9696: 'neutron standalone' starts one.";

/// The settings of a run: options first, then the environment.
#[derive(Debug)]
pub struct Settings<'a> {
    /// The global options.
    pub args: &'a Args,
    /// The environment.
    pub env: &'a dyn Env,
}

/// The environment of a process, or a made-up one.
pub trait Env: std::fmt::Debug {
    /// A variable's value, if it is set and not empty.
    fn get(&self, name: &str) -> Option<String>;
}

/// The process's own environment.
#[derive(Debug)]
pub struct ProcessEnv;

impl Env for ProcessEnv {
    fn get(&self, name: &str) -> Option<String> {
        std::env::var(name).ok().filter(|value| !value.is_empty())
    }
}

impl Env for std::collections::HashMap<String, String> {
    fn get(&self, name: &str) -> Option<String> {
        Self::get(self, name).filter(|value| !value.is_empty()).cloned()
    }
}

impl Settings<'_> {
    /// The first of the options given, then of the variables set.
    pub fn get(&self, dests: &[&str], variables: &[&str]) -> Option<String> {
        let given =
            |dest: &&str| self.args.get(*dest).filter(|value| python::truthy(value)).map(python::text);
        dests.iter().find_map(given).or_else(|| variables.iter().find_map(|name| self.env.get(name)))
    }

    fn auth_type(&self) -> Option<String> {
        match self.get(&[], &["OS_AUTH_TYPE"]) {
            Some(kind) => Some(kind),
            None => self.get(&["os_auth_strategy"], &["OS_AUTH_STRATEGY"]).filter(|kind| kind == "noauth"),
        }
    }

    fn url(&self) -> Option<String> {
        const VARIABLES: [&str; 4] =
            ["OS_URL", "OS_ENDPOINT", "OS_ENDPOINT_OVERRIDE", "OS_NETWORK_ENDPOINT_OVERRIDE"];
        self.get(&["os_url"], &VARIABLES)
    }
}

/// A connection to Neutron with all it takes.
///
/// # Errors
/// Keystone refuses, cannot be reached, or knows no Neutron.
pub fn connect(settings: &Settings<'_>) -> Result<Api, Fault> {
    let timeout = settings.get(&["http_timeout"], &["OS_NETWORK_TIMEOUT"]);
    let options = Options {
        timeout: timeout.and_then(|text| text.parse().ok()).map(Duration::from_secs_f64),
        cacert: settings.get(&["os_cacert"], &["OS_CACERT"]),
        insecure: settings.get(&["insecure"], &["NEUTRONCLIENT_INSECURE", "OS_INSECURE"]).is_some(),
    };
    let mut api = Api {
        http: Http::new(options),
        endpoint: String::new(),
        headers: Vec::new(),
        admin: false,
        retries: settings.args.get("retries").and_then(Value::as_u64).unwrap_or(0),
        hint: None,
        log: settings.args.get("verbose_level").and_then(Value::as_i64).is_some_and(|l| l > 1).then(Vec::new),
    };
    if settings.get(&["os_cloud"], &["OS_CLOUD"]).is_some() {
        return Err(Fault::Identity(
            "clouds.yaml is not read: set OS_AUTH_URL and its companions".to_owned(),
        ));
    }
    let auth_url = settings.get(&["os_auth_url"], &["OS_AUTH_URL"]);
    let token = settings.get(&["os_token"], &["OS_TOKEN"]);
    let none = settings.auth_type().is_some_and(|kind| kind == "none" || kind == "noauth");
    match (auth_url, settings.url(), token) {
        (_, Some(url), Some(token)) if !none => {
            api.endpoint = service_root(&url);
            api.headers.push(("X-Auth-Token".to_owned(), token));
        }
        (Some(auth_url), url, token) if !none => keystone(&mut api, settings, &auth_url, url, token)?,
        (_, url, _) => {
            api.hint = url.is_none().then_some(HINT);
            api.endpoint = service_root(url.as_deref().unwrap_or(LOCAL));
            api.headers = project_headers(settings);
        }
    }
    Ok(api)
}

/// Without Keystone the server believes headers: a project makes the user a member of it, none an administrator.
fn project_headers(settings: &Settings<'_>) -> Vec<(String, String)> {
    let project = settings.get(&["os_project_id", "os_tenant_id"], &["OS_PROJECT_ID", "OS_TENANT_ID"]);
    let Some(project) = project else { return Vec::new() };
    let mut headers = vec![("X-Project-Id".to_owned(), project), ("X-Roles".to_owned(), "member".to_owned())];
    if let Some(user) = settings.get(&["os_user_id"], &["OS_USER_ID"]) {
        headers.push(("X-User-Id".to_owned(), user));
    }
    headers
}

/// An address without `/v2.0` and without slashes at its end.
fn service_root(url: &str) -> String {
    let url = url.trim_end_matches('/');
    url.strip_suffix("/v2.0").unwrap_or(url).trim_end_matches('/').to_owned()
}

fn keystone_root(auth_url: &str) -> String {
    let url = auth_url.trim_end_matches('/');
    let bare = url.strip_suffix("/v2.0").or_else(|| url.strip_suffix("/v3")).unwrap_or(url);
    format!("{bare}/v3")
}

fn keystone(
    api: &mut Api,
    settings: &Settings<'_>,
    auth_url: &str,
    url: Option<String>,
    token: Option<String>,
) -> Result<(), Fault> {
    let body = python::json(&auth_body(settings, token)?, None);
    let address = format!("{}/auth/tokens", keystone_root(auth_url));
    let request = Request { method: "POST", url: &address, headers: &[], body: Some(&body) };
    let response = api
        .http
        .send(request)
        .map_err(|error| Fault::Identity(format!("Unable to establish connection to {address}: {error}")))?;
    let content: Value = serde_json::from_str(&response.body).unwrap_or_default();
    if response.status >= 300 {
        let words = content["error"]["message"].as_str().unwrap_or(&response.reason);
        return Err(Fault::Identity(format!("{words} (HTTP {})", response.status)));
    }
    let Some(token) = response.headers.get("x-subject-token") else {
        return Err(Fault::Identity("Keystone answered without a token".to_owned()));
    };
    let roles = content["token"]["roles"].as_array();
    api.admin = roles.into_iter().flatten().any(|role| role["name"] == "admin");
    api.headers.push(("X-Auth-Token".to_owned(), token.clone()));
    api.endpoint = match url {
        Some(url) => service_root(&url),
        None => service_root(&endpoint(settings, &content["token"]["catalog"])?),
    };
    Ok(())
}

fn auth_body(settings: &Settings<'_>, token: Option<String>) -> Result<Value, Fault> {
    let domain = |what: &str| {
        let of = |kind: &str| {
            let (dest, variable) =
                (format!("os_{what}_domain_{kind}"), format!("OS_{what}_domain_{kind}").to_uppercase());
            let general = format!("OS_DEFAULT_DOMAIN_{kind}").to_uppercase();
            settings.get(&[dest.as_str()], &[variable.as_str(), general.as_str()])
        };
        match (of("id"), of("name")) {
            (Some(id), _) => json!({"id": id}),
            (None, Some(name)) => json!({"name": name}),
            (None, None) => json!({"id": "default"}),
        }
    };
    let identity = match token {
        Some(token) => json!({"methods": ["token"], "token": {"id": token}}),
        None => {
            let Some(password) = settings.get(&["os_password"], &["OS_PASSWORD"]) else {
                return Err(Fault::Identity(
                    "Auth plugin requires parameters which were not given: password".to_owned(),
                ));
            };
            let name = settings.get(&["os_username"], &["OS_USERNAME"]);
            let user = match (settings.get(&["os_user_id"], &["OS_USER_ID"]), name) {
                (Some(id), _) => json!({"id": id, "password": password}),
                (None, Some(name)) => json!({"name": name, "password": password, "domain": domain("user")}),
                (None, None) => {
                    let words = "Auth plugin requires parameters which were not given: username";
                    return Err(Fault::Identity(words.to_owned()));
                }
            };
            json!({"methods": ["password"], "password": {"user": user}})
        }
    };
    let id = settings.get(&["os_project_id", "os_tenant_id"], &["OS_PROJECT_ID", "OS_TENANT_ID"]);
    let name = settings.get(&["os_project_name", "os_tenant_name"], &["OS_PROJECT_NAME", "OS_TENANT_NAME"]);
    let mut auth = json!({"identity": identity});
    match (id, name) {
        (Some(id), _) => auth["scope"] = json!({"project": {"id": id}}),
        (None, Some(name)) => auth["scope"] = json!({"project": {"name": name, "domain": domain("project")}}),
        (None, None) => {}
    }
    Ok(json!({"auth": auth}))
}

fn endpoint(settings: &Settings<'_>, catalog: &Value) -> Result<String, Fault> {
    let service = settings.get(&["os_service_type", "service_type"], &["OS_NETWORK_SERVICE_TYPE"]);
    let service = service.unwrap_or_else(|| "network".to_owned());
    let interface =
        settings.get(&["os_endpoint_type", "endpoint_type"], &["OS_ENDPOINT_TYPE", "OS_INTERFACE"]);
    let interface = interface.unwrap_or_else(|| "public".to_owned());
    let interface = interface.strip_suffix("URL").unwrap_or(&interface);
    let region = settings.get(&["os_region_name"], &["OS_REGION_NAME"]);
    let services = catalog.as_array().into_iter().flatten().filter(|entry| entry["type"] == json!(service));
    let found =
        services.flat_map(|entry| entry["endpoints"].as_array().into_iter().flatten()).find(|endpoint| {
            endpoint["interface"] == json!(interface)
                && region.as_ref().is_none_or(|region| {
                    endpoint["region_id"] == json!(region) || endpoint["region"] == json!(region)
                })
        });
    found.map(|endpoint| python::text(&endpoint["url"])).ok_or_else(|| {
        let place = region.map(|region| format!(" in {region} region")).unwrap_or_default();
        Fault::Identity(format!("{interface} endpoint for {service} service{place} not found"))
    })
}
