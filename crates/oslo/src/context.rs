//! Who makes a request: the identity that policy judges and that travels with every message.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The identity behind a request.
#[derive(Debug, Clone, PartialEq)]
pub struct Context {
    /// `req-<uuid>`
    pub request_id: String,
    /// The user, where one is known.
    pub user_id: Option<String>,
    /// The user's name, where known.
    pub user_name: Option<String>,
    /// The user's domain.
    pub user_domain_id: Option<String>,
    /// The project the token is scoped to.
    pub project_id: Option<String>,
    /// The project's name, where known.
    pub project_name: Option<String>,
    /// The project's domain.
    pub project_domain_id: Option<String>,
    /// The domain the token is scoped to, where it is no project's.
    pub domain_id: Option<String>,
    /// Roles, in lower case.
    pub roles: BTreeSet<String>,
    /// Whether the rule `context_is_admin` holds: set once, when the context is made.
    pub is_admin: bool,
    /// Whether it is a service by the rules `service_api` or `context_is_advsvc`: set with `is_admin`.
    pub is_service: bool,
    /// Whether the rule `context_with_global_access` holds: set with `is_admin`.
    pub global_access: bool,
    /// `all` for a system-scoped token.
    pub system_scope: Option<String>,
    /// Whether the project is the one whose admins are the cloud's; Keystone says so where it knows such a project.
    pub is_admin_project: bool,
    /// The user of the service that sends the request on behalf of another.
    pub service_user_id: Option<String>,
    /// That service's project.
    pub service_project_id: Option<String>,
    /// That service's roles, in lower case.
    pub service_roles: BTreeSet<String>,
}

impl Default for Context {
    /// Nobody: without roles, and of a cloud that knows no project of its own for admins.
    fn default() -> Context {
        Context {
            request_id: String::new(),
            user_id: None,
            user_name: None,
            user_domain_id: None,
            project_id: None,
            project_name: None,
            project_domain_id: None,
            domain_id: None,
            roles: BTreeSet::new(),
            is_admin: false,
            is_service: false,
            global_access: false,
            system_scope: None,
            is_admin_project: true,
            service_user_id: None,
            service_project_id: None,
            service_roles: BTreeSet::new(),
        }
    }
}

impl Context {
    /// The server's own identity, for what it does unasked.
    pub fn admin() -> Context {
        Context { is_admin: true, roles: ["admin".to_string()].into(), ..Context::default() }
    }

    /// Whether rows of every project are visible: admins and services, as upstream's queries have it.
    pub fn sees_all(&self) -> bool {
        self.is_admin || self.is_service || self.global_access
    }

    /// The keys of a message's context: the union of what agents from Juno to 29.0.0 read.
    pub fn to_message(&self) -> Map<String, Value> {
        let project = json!(self.project_id);
        let user = json!(self.user_id);
        let message = json!({
            "user": user, "user_id": user, "user_name": self.user_name,
            "project": project, "project_id": project, "project_name": self.project_name,
            "tenant": project, "tenant_id": project, "tenant_name": self.project_name,
            "domain": self.domain_id, "user_domain": self.user_domain_id, "project_domain": self.project_domain_id,
            "system_scope": self.system_scope, "is_admin": self.is_admin, "is_admin_project": self.is_admin_project,
            "read_only": false, "read_deleted": "no", "show_deleted": false, "auth_token": null,
            "request_id": self.request_id, "global_request_id": null, "resource_uuid": null,
            "roles": self.roles, "user_identity": "- - - - -",
        });
        match message {
            Value::Object(map) => map,
            _ => Map::new(),
        }
    }

    /// The context that a message carried.
    pub fn from_message(message: &Value) -> Context {
        let text = |key: &str| message.get(key).and_then(Value::as_str).map(str::to_string);
        let roles = message.get("roles").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Context {
            request_id: text("request_id").unwrap_or_default(),
            user_id: text("user_id").or_else(|| text("user")),
            user_name: text("user_name"),
            user_domain_id: text("user_domain"),
            project_id: text("project_id").or_else(|| text("tenant_id")),
            project_name: text("project_name"),
            project_domain_id: text("project_domain"),
            domain_id: text("domain"),
            roles: roles.iter().filter_map(Value::as_str).map(str::to_lowercase).collect(),
            is_admin: message.get("is_admin").and_then(Value::as_bool).unwrap_or(false),
            system_scope: text("system_scope"),
            is_admin_project: message.get("is_admin_project").and_then(Value::as_bool).unwrap_or(true),
            ..Context::default()
        }
    }
}
