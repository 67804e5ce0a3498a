//! Keystone: its database in that MariaDB, Fernet tokens, projects, users and roles.

use std::net::{Ipv4Addr, SocketAddr};

use serde_json::{Value, json};

use super::http::Target;
use super::{MARIADB_PASSWORD, Services};
use crate::daemon::Daemon;

/// How long a token lasts, in seconds: longer than any run.
const TOKEN_SECONDS: u32 = 86_400;
/// Each folder of keys holds two: the one that is used next and the one in use.
const KEYS: &str = "for folder in fernet-keys credential-keys; do mkdir -m 700 -p \"$0/$folder\"; \
    for key in 0 1; do head -c 32 /dev/urandom | base64 | tr '+/' '-_' >\"$0/$folder/$key\"; done; done";
/// Keystone reads the arguments of its process as its own: they are hidden from it.
const SERVE: &str = "import sys; listen = sys.argv[1]; sys.argv = ['keystone']; \
    from keystone.wsgi.api import application; from waitress import serve; \
    serve(application, listen=listen, threads=8)";

impl Services {
    /// A program of Keystone's folder.
    fn keystone_program(&self, name: &str) -> String {
        self.setup.keystone.join("bin").join(name).display().to_string()
    }

    /// Where Keystone is, as the host's name says it.
    pub fn keystone_url(&self) -> String {
        format!("http://{}:{}/v3", self.setup.name, self.setup.ports.keystone)
    }

    pub(super) fn keystone_prepare(&self) -> Result<(), String> {
        let program = self.keystone_program("keystone-manage");
        if !std::path::Path::new(&program).exists() {
            return Err(format!("{program} is missing: 'make services' installs it"));
        }
        let folder = self.folder("keystone")?;
        let (shown, ports) = (folder.display().to_string(), self.setup.ports);
        let config = format!(
            "[DEFAULT]\nuse_stderr = true\n\
             [database]\nconnection = mysql+pymysql://root:{MARIADB_PASSWORD}@127.0.0.1:{}/keystone\n\
             [token]\nprovider = fernet\nexpiration = {TOKEN_SECONDS}\n\
             [fernet_tokens]\nkey_repository = {shown}/fernet-keys\n\
             [fernet_receipts]\nkey_repository = {shown}/fernet-keys\n\
             [credential]\nkey_repository = {shown}/credential-keys\n\
             [cache]\nenabled = true\nbackend = dogpile.cache.pymemcache\nmemcache_servers = 127.0.0.1:{}\n\
             [oslo_messaging_notifications]\ndriver = noop\n",
            ports.mariadb, ports.memcached
        );
        self.write(&folder.join("keystone.conf"), &config)?;
        self.run(&["sh", "-c", KEYS, &shown])?;
        let manage = |words: &[&str]| {
            let file = format!("{shown}/keystone.conf");
            let mut all = vec![program.as_str(), "--config-file", &file];
            all.extend(words);
            self.run(&all)
        };
        manage(&["db_sync"])?;
        let url = self.keystone_url();
        manage(&[
            "bootstrap",
            "--bootstrap-password",
            self.setup.people.admin,
            "--bootstrap-region-id",
            "RegionOne",
            "--bootstrap-admin-url",
            &url,
            "--bootstrap-internal-url",
            &url,
            "--bootstrap-public-url",
            &url,
        ])?;
        Ok(())
    }

    /// Starts it on the database there is.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn keystone_start(&self) -> Result<(), String> {
        let ports = self.setup.ports;
        let listen: Vec<String> = [Some(ports.keystone), ports.keystone_admin]
            .into_iter()
            .flatten()
            .map(|port| format!("{}:{port}", self.setup.bind))
            .collect();
        let program = self.keystone_program("python");
        let words = [program.as_str(), "-W", "ignore", "-c", SERVE, &listen.join(" ")];
        let folder = self.data.join("keystone").display().to_string();
        self.daemon(&Daemon::new("keystone", &words).env("OS_KEYSTONE_CONFIG_DIR", &folder))
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn keystone_wait(&self) -> Result<(), String> {
        self.wait("keystone", || self.keystone_target().ask(&self.host, "GET", "", None).map(|_| ()))
    }

    fn keystone_target(&self) -> Target {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.setup.ports.keystone));
        Target { address, prefix: "/v3".to_owned(), token: None }
    }

    /// A token of a user of the default domain for a project.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn token(&self, user: &str, password: &str, project: &str) -> Result<String, String> {
        let domain = json!({"id": "default"});
        let body = json!({"auth": {
            "identity": {"methods": ["password"], "password": {
                "user": {"name": user, "domain": domain, "password": password}}},
            "scope": {"project": {"name": project, "domain": domain}}}});
        let answer = self.keystone_target().ask(&self.host, "POST", "/auth/tokens", Some(&body))?;
        answer.header("x-subject-token").map(str::to_owned).ok_or_else(|| "no token came".to_owned())
    }

    /// Makes a user with a role in a project.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn user(&self, name: &str, password: &str, project: &str, role: &str) -> Result<(), String> {
        let mut target = self.keystone_target();
        target.token = Some(self.token("admin", self.setup.people.admin, "admin")?);
        self.keystone_user(&target, name, password, project, &[role])
    }

    fn keystone_user(
        &self,
        target: &Target,
        name: &str,
        password: &str,
        project: &str,
        wanted: &[&str],
    ) -> Result<(), String> {
        let ask = |method: &str, path: &str, body: Option<&Value>| {
            target.ask(&self.host, method, path, body).map(|answer| answer.json())
        };
        let roles = ask("GET", "/roles", None)?;
        let projects = ask("GET", "/projects", None)?;
        let body = json!({"user": {"name": name, "password": password, "domain_id": "default"}});
        let user = id_of(&ask("POST", "/users", Some(&body))?["user"])?;
        let project = id_named(&projects["projects"], project)?;
        for role in wanted {
            let role = id_named(&roles["roles"], role)?;
            ask("PUT", &format!("/projects/{project}/users/{user}/roles/{role}"), None)?;
        }
        Ok(())
    }

    /// Puts a service with its three endpoints into the catalog.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn endpoint(&self, name: &str, kind: &str, url: &str) -> Result<(), String> {
        let mut target = self.keystone_target();
        target.token = Some(self.token("admin", self.setup.people.admin, "admin")?);
        let body = json!({"service": {"name": name, "type": kind}});
        let service = target.ask(&self.host, "POST", "/services", Some(&body))?.json();
        let service = id_of(&service["service"])?;
        for interface in ["public", "internal", "admin"] {
            let body = json!({"endpoint": {
                "service_id": service, "interface": interface, "url": url, "region_id": "RegionOne"}});
            target.ask(&self.host, "POST", "/endpoints", Some(&body))?;
        }
        Ok(())
    }

    /// Takes the services of a type out of the catalog, with their endpoints.
    ///
    /// # Errors
    /// Keystone refuses.
    pub fn withdraw(&self, kind: &str) -> Result<(), String> {
        let mut target = self.keystone_target();
        target.token = Some(self.token("admin", self.setup.people.admin, "admin")?);
        let found = target.ask(&self.host, "GET", &format!("/services?type={kind}"), None)?.json();
        for service in found["services"].as_array().into_iter().flatten() {
            target.ask(&self.host, "DELETE", &format!("/services/{}", id_of(service)?), None)?;
        }
        Ok(())
    }

    /// Makes the projects and users that are asked for.
    pub(super) fn keystone_people(&self) -> Result<(), String> {
        let people = self.setup.people;
        let mut target = self.keystone_target();
        target.token = Some(self.token("admin", people.admin, "admin")?);
        for name in people.projects {
            let body = json!({"project": {"name": name, "domain_id": "default"}});
            target.ask(&self.host, "POST", "/projects", Some(&body))?;
        }
        for (name, password, project, wanted) in people.users {
            self.keystone_user(&target, name, password, project, wanted)?;
        }
        Ok(())
    }
}

fn id_of(item: &Value) -> Result<String, String> {
    item["id"].as_str().map(str::to_owned).ok_or_else(|| format!("no id in {item}"))
}

fn id_named(list: &Value, name: &str) -> Result<String, String> {
    let found = list.as_array().into_iter().flatten().find(|item| item["name"] == name);
    found.map_or_else(|| Err(format!("Keystone has no {name}")), id_of)
}
