//! Who makes a request: the identity that policy judges and that travels with every message.

use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The identity behind a request.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Context {
    /// `req-<uuid>`
    pub request_id: String,
    /// The user, where one is known.
    pub user_id: Option<String>,
    /// The project the token is scoped to.
    pub project_id: Option<String>,
    /// The project's name, where known.
    pub project_name: Option<String>,
    /// Roles, in lower case.
    pub roles: BTreeSet<String>,
    /// Whether the rule `context_is_admin` holds: set once, when the context is made.
    pub is_admin: bool,
    /// `all` for a system-scoped token.
    pub system_scope: Option<String>,
}

impl Context {
    /// The server's own identity, for what it does unasked.
    pub fn admin() -> Context {
        Context { is_admin: true, roles: ["admin".to_string()].into(), ..Context::default() }
    }

    /// Whether rows of every project are visible: admins and services, as upstream's queries have it.
    pub fn sees_all(&self) -> bool {
        self.is_admin || self.roles.contains("service")
    }

    /// The keys of a message's context: the union of what agents from Juno to 29.0.0 read.
    pub fn to_message(&self) -> Map<String, Value> {
        let project = json!(self.project_id);
        let user = json!(self.user_id);
        let message = json!({
            "user": user, "user_id": user, "user_name": null,
            "project": project, "project_id": project, "project_name": self.project_name,
            "tenant": project, "tenant_id": project, "tenant_name": self.project_name,
            "domain": null, "user_domain": null, "project_domain": null,
            "system_scope": self.system_scope, "is_admin": self.is_admin, "is_admin_project": true,
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
            project_id: text("project_id").or_else(|| text("tenant_id")),
            project_name: text("project_name"),
            roles: roles.iter().filter_map(Value::as_str).map(str::to_lowercase).collect(),
            is_admin: message.get("is_admin").and_then(Value::as_bool).unwrap_or(false),
            system_scope: text("system_scope"),
        }
    }
}
