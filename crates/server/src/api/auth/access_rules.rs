//! Access rules of application credentials: which requests a restricted token may make.

use serde_json::Value;

/// One request, or many by a pattern, that a restricted token may make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessRule {
    service: String,
    method: String,
    path: String,
}

impl AccessRule {
    /// From a token's body.
    pub fn read(rule: &Value) -> AccessRule {
        let text = |name: &str| rule[name].as_str().unwrap_or_default().to_string();
        AccessRule { service: text("service"), method: text("method"), path: text("path") }
    }

    /// Whether it allows a request.
    pub fn allows(&self, service: &str, method: &str, path: &str) -> bool {
        self.service == service && self.method == method && fits(&self.path, path)
    }
}

/// Whether a path fits a pattern: `*` and `{name}` stand for one or more letters but `/`, `**` for anything.
fn fits(pattern: &str, path: &str) -> bool {
    let (rest, parts) = if let Some(rest) = pattern.strip_prefix("**") {
        return (0..=path.len()).any(|at| path.is_char_boundary(at) && fits(rest, &path[at..]));
    } else if let Some(rest) = pattern.strip_prefix('*') {
        (rest, true)
    } else if let Some((_, rest)) = pattern.strip_prefix('{').and_then(|p| p.split_once('}')) {
        (rest, true)
    } else {
        (pattern, false)
    };
    if parts {
        let longest = path.find('/').unwrap_or(path.len());
        return (1..=longest).any(|at| path.is_char_boundary(at) && fits(rest, &path[at..]));
    }
    match (pattern.chars().next(), path.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => fits(&pattern[a.len_utf8()..], &path[b.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_paths() {
        for (pattern, path, wanted) in [
            ("/v2.0/networks", "/v2.0/networks", true),
            ("/v2.0/networks", "/v2.0/networks/1", false),
            ("/v2.0/networks/{id}", "/v2.0/networks/1", true),
            ("/v2.0/networks/{id}", "/v2.0/networks/1/tags", false),
            ("/v2.0/networks/*", "/v2.0/networks/", false),
            ("/v2.0/**", "/v2.0/networks/1/tags", true),
            ("/v2.0/*/{id}/tags", "/v2.0/ports/1/tags", true),
            ("**", "", true),
        ] {
            assert_eq!(fits(pattern, path), wanted, "{pattern} {path}");
        }
    }
}
