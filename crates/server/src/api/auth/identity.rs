//! What Keystone says of a token, and the context that a request gets from it.

use super::access_rules::AccessRule;
use crate::keystone::authenticate::moment;
use oslo::context::Context;
use serde_json::Value;
use std::collections::BTreeSet;

/// What Keystone says of a token.
#[derive(Debug, Clone, PartialEq)]
pub struct Identity {
    /// The context of its requests, but for what policy and the single request add.
    pub who: Context,
    /// When the token ends, in seconds since 1970.
    pub expires: i64,
    /// What an application credential restricts the token to; none = nothing.
    pub access_rules: Option<Vec<AccessRule>>,
}

/// Reads the body of `GET /v3/auth/tokens`; none where it is no token.
pub fn read(body: &Value) -> Option<Identity> {
    let token = body.get("token")?;
    let text = |path: &str| token.pointer(path).and_then(Value::as_str).map(str::to_string);
    let roles = token["roles"].as_array().map(Vec::as_slice).unwrap_or_default();
    let roles: BTreeSet<String> =
        roles.iter().filter_map(|role| role["name"].as_str()).map(str::to_lowercase).collect();
    let who = Context {
        user_id: Some(text("/user/id")?),
        user_name: text("/user/name"),
        user_domain_id: text("/user/domain/id"),
        project_id: text("/project/id"),
        project_name: text("/project/name"),
        project_domain_id: text("/project/domain/id"),
        domain_id: text("/domain/id"),
        roles,
        system_scope: token.pointer("/system/all").is_some_and(|all| *all == true).then(|| "all".to_string()),
        is_admin_project: token.get("is_admin_project").and_then(Value::as_bool).unwrap_or(true),
        ..Context::default()
    };
    let rules = token.pointer("/application_credential/access_rules").and_then(Value::as_array);
    let access_rules = rules.map(|rules| rules.iter().map(AccessRule::read).collect());
    Some(Identity { who, expires: text("/expires_at").as_deref().and_then(moment)?, access_rules })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tokens_of_every_scope_make_contexts() {
        let user = json!({"id": "u", "name": "demo", "domain": {"id": "default", "name": "Default"}});
        let token = |more: Value| {
            let mut token = json!({"user": user, "roles": [{"id": "1", "name": "Member"}],
                "expires_at": "1970-01-01T00:01:40.000000Z"});
            token.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            read(&json!({"token": token})).unwrap()
        };
        let of_project = token(json!({"project": {"id": "p", "name": "demo", "domain": {"id": "d"}},
            "is_admin_project": false}));
        assert_eq!(of_project.expires, 100);
        assert_eq!(of_project.who.project_id.as_deref(), Some("p"));
        assert_eq!(of_project.who.project_domain_id.as_deref(), Some("d"));
        assert_eq!(of_project.who.roles, ["member".to_string()].into());
        assert!(!of_project.who.is_admin_project);
        assert_eq!(token(json!({"system": {"all": true}})).who.system_scope.as_deref(), Some("all"));
        assert_eq!(token(json!({"domain": {"id": "d"}})).who.domain_id.as_deref(), Some("d"));
        let restricted = token(json!({"application_credential": {"access_rules": []}}));
        assert_eq!(restricted.access_rules, Some(vec![]));
        assert_eq!(read(&json!({"token": {"user": {"id": "u"}}})), None);
        assert_eq!(read(&json!({"error": {}})), None);
    }
}
