//! Who asks: with `auth_strategy = noauth` the identity headers are trusted.
//!
//! Upstream's noauth ignores roles; here `X-Roles` counts, so that one machine without Keystone still has
//! projects and admins. A deviation on purpose.

use http::HeaderMap;
use oslo::context::Context;
use std::collections::BTreeSet;

/// The project of a request without any identity header, as upstream's noauth has it.
const FAKE_PROJECT: &str = "fake_project_id";

/// What having a role implies, as Keystone's own implied roles are set up.
const IMPLIED: &[(&str, &[&str])] = &[
    ("admin", &["manager", "member", "reader"]),
    ("manager", &["member", "reader"]),
    ("member", &["reader"]),
];

/// The roles of a caller who names a project but no role.
const ORDINARY: &str = "member";

/// The identity in trusted headers; none at all is an admin of [`FAKE_PROJECT`].
pub fn noauth(headers: &HeaderMap, request_id: String) -> Context {
    let text = |name: &str| {
        let value = headers.get(name).and_then(|v| std::str::from_utf8(v.as_bytes()).ok());
        value.map(str::trim).filter(|v| !v.is_empty()).map(str::to_string)
    };
    let project_id = text("x-project-id").or_else(|| text("x-tenant-id"));
    let (user_id, roles) = (text("x-user-id"), text("x-roles"));
    if project_id.is_none() && user_id.is_none() && roles.is_none() {
        let project_id = Some(FAKE_PROJECT.to_string());
        return Context { request_id, project_id, roles: with_implied("admin"), ..Context::admin() };
    }
    let roles = with_implied(roles.as_deref().unwrap_or(ORDINARY));
    Context {
        request_id,
        user_id,
        project_id,
        project_name: text("x-project-name").or_else(|| text("x-tenant-name")),
        roles,
        ..Context::default()
    }
}

fn with_implied(listed: &str) -> BTreeSet<String> {
    let mut roles: BTreeSet<String> =
        listed.split(',').map(|r| r.trim().to_lowercase()).filter(|r| !r.is_empty()).collect();
    for (role, implied) in IMPLIED {
        if roles.contains(*role) {
            roles.extend(implied.iter().map(|r| (*r).to_string()));
        }
    }
    roles
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_make_an_identity() {
        type Case = (&'static [(&'static str, &'static str)], Option<&'static str>, &'static str);
        let cases: &[Case] = &[
            (&[], Some("fake_project_id"), "admin,manager,member,reader"),
            (&[("x-project-id", "p")], Some("p"), "member,reader"),
            (&[("x-tenant-id", "p"), ("x-roles", "Admin")], Some("p"), "admin,manager,member,reader"),
            (&[("x-roles", "service , reader")], None, "reader,service"),
            (&[("x-project-id", "p"), ("x-roles", "guest")], Some("p"), "guest"),
        ];
        for (given, project, roles) in cases {
            let mut headers = HeaderMap::new();
            for (name, value) in *given {
                headers.insert(*name, value.parse().unwrap());
            }
            let context = noauth(&headers, String::new());
            assert_eq!(context.project_id.as_deref(), *project, "{given:?}");
            assert_eq!(context.roles.into_iter().collect::<Vec<_>>().join(","), *roles, "{given:?}");
        }
    }
}
