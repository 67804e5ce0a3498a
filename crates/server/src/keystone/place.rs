//! Where Keystone's v3 is: addresses of any age lead there, `v2.0` ones and those of port 35357 too. Pure.

use serde_json::Value;

/// The port Keystone listens on.
const PORT: u16 = 5000;

/// A place to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// Without a version and without a slash at its end: `http://controller:5000`.
    pub root: String,
    /// Whether `/v3` was written, so that nobody needs to ask.
    pub v3: bool,
    /// Where it comes from, for the log.
    pub from: &'static str,
}

fn place(url: &str, from: &'static str) -> Place {
    let url = url.trim().trim_end_matches('/');
    let (root, v3) = match url.strip_suffix("/v3") {
        Some(root) => (root, true),
        None => (url.strip_suffix("/v2.0").unwrap_or(url), false),
    };
    Place { root: root.trim_end_matches('/').to_string(), v3, from }
}

/// What to try, in order: as written, then what clients are told, then Keystone's own port on the same host.
pub fn candidates(auth_url: &str, www_authenticate_uri: Option<&str>) -> Vec<Place> {
    let mut all = vec![place(auth_url, "auth_url")];
    all.extend(www_authenticate_uri.map(|url| place(url, "www_authenticate_uri")));
    if let Some(url) = at_keystone_port(auth_url) {
        all.push(place(&url, "Keystone's port on the same host"));
    }
    let mut seen: Vec<Place> = Vec::new();
    for candidate in all {
        if !seen.iter().any(|old| old.root == candidate.root) {
            seen.push(candidate);
        }
    }
    seen
}

/// The same address with port 5000.
fn at_keystone_port(url: &str) -> Option<String> {
    let (scheme, rest) = url.trim().split_once("://")?;
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.parse::<u16>().is_ok() => host,
        _ => return None,
    };
    Some(format!("{scheme}://{host}:{PORT}{path}"))
}

/// Where v3 is, as the list of versions at `root` tells; only its path is taken, because the host it names need
/// not be reachable from here. None when v3 is not offered.
pub fn v3_in(versions: &Value, root: &str) -> Option<String> {
    let all = versions["versions"]["values"].as_array().or_else(|| versions["versions"].as_array());
    let single = versions.get("version").into_iter();
    let v3 = all
        .into_iter()
        .flatten()
        .chain(single)
        .find(|version| version["id"].as_str().is_some_and(|id| id == "v3" || id.starts_with("v3.")))?;
    let href = v3["links"].as_array().into_iter().flatten().find(|link| link["rel"] == "self");
    let path = href.and_then(|link| link["href"].as_str()).and_then(path_of).unwrap_or("/v3");
    Some(format!("{}{}", origin(root), path.trim_end_matches('/')))
}

fn path_of(url: &str) -> Option<&str> {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.find('/').map(|at| &rest[at..])
}

fn origin(url: &str) -> &str {
    let start = url.find("://").map_or(0, |at| at + 3);
    url[start..].find('/').map_or(url, |at| &url[..start + at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn addresses_of_any_age_lead_to_candidates() {
        let roots = |auth_url, www| -> Vec<String> {
            candidates(auth_url, www)
                .into_iter()
                .map(|p| format!("{}{}", p.root, if p.v3 { "+" } else { "" }))
                .collect()
        };
        assert_eq!(
            roots("http://controller:35357/v2.0", Some("http://public:5000/v2.0/")),
            ["http://controller:35357", "http://public:5000", "http://controller:5000"]
        );
        assert_eq!(roots("http://controller:5000/v3/", None), ["http://controller:5000+"]);
        assert_eq!(roots("https://cloud/identity", None), ["https://cloud/identity"]);
        assert_eq!(roots("http://[::1]:35357", None), ["http://[::1]:35357", "http://[::1]:5000"]);
    }

    #[test]
    fn the_list_of_versions_tells_where_v3_is() {
        let one = |href: &str| {
            json!({"versions": {"values": [
            {"id": "v2.0", "links": []}, {"id": "v3.14", "links": [{"rel": "self", "href": href}]}]}})
        };
        for (href, root, wanted) in [
            ("http://inner:5000/v3/", "http://controller:35357", "http://controller:35357/v3"),
            ("https://cloud/identity/v3/", "https://cloud/identity", "https://cloud/identity/v3"),
        ] {
            assert_eq!(v3_in(&one(href), root).as_deref(), Some(wanted));
        }
        assert_eq!(v3_in(&json!({"versions": [{"id": "v2.0"}]}), "http://c:5000"), None);
        let single = json!({"version": {"id": "v3.14", "links": [{"rel": "self", "href": "/v3"}]}});
        assert_eq!(v3_in(&single, "http://c:5000").as_deref(), Some("http://c:5000/v3"));
    }
}
