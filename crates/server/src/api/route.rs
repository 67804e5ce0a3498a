//! What a path means. Upstream's framework is lenient: empty parts vanish, `.json` may stand at the end,
//! collections are written with `-` or `_`.

use crate::api::Asked;
use crate::catalog::{Catalog, Shape};
use crate::extension::Route;

/// What a path means.
pub enum Place<'a> {
    /// `/`
    Versions,
    /// `/v2.0`, with `true` for the slash behind it.
    Layout(bool),
    /// `/v2.0/extensions`
    Extensions,
    /// `/v2.0/extensions/{alias}`
    Extension(String),
    /// `/v2.0/networks`
    Collection(&'a Shape),
    /// `/v2.0/networks/{id}`
    Item(&'a Shape, String),
    /// `/v2.0/routers/{id}/add_router_interface`
    Member(&'a Shape, String, String),
    /// `/v2.0/networks/{id}/tags`, or one tag of it.
    Tags(&'a Shape, String, Option<String>),
    /// A path of its own: its parameters, and what answers it by method.
    Route(Vec<String>, Vec<&'static Route>),
    /// Below `/v2.0`, but nothing.
    Nothing,
    /// Outside of the API.
    Outside,
}

impl Place<'_> {
    /// Whether it is shown to everybody, token or not: what lies outside of `/v2.0`, as upstream's pipelines have it.
    pub fn is_public(&self) -> bool {
        matches!(self, Place::Versions | Place::Outside)
    }
}

/// Endings of paths that ask for something else than JSON, of which there is nothing.
const OTHER_ENDINGS: &[&str] =
    &[".xml", ".html", ".htm", ".txt", ".csv", ".pdf", ".png", ".jpg", ".js", ".css"];

/// What the path of a request means.
pub fn place<'a>(catalog: &'a Catalog, asked: &Asked) -> Place<'a> {
    let mut parts: Vec<&str> = asked.path.split('/').filter(|part| !part.is_empty()).collect();
    match parts.first().copied() {
        None => return Place::Versions,
        Some("v2.0") => {}
        Some(_) => return Place::Outside,
    }
    parts.remove(0);
    if let Some(last) = parts.last_mut() {
        if OTHER_ENDINGS.iter().any(|ending| last.ends_with(ending)) {
            return Place::Nothing;
        }
        *last = last.strip_suffix(".json").unwrap_or(last);
    }
    match parts.as_slice() {
        [] => Place::Layout(asked.path.ends_with('/')),
        ["extensions"] => Place::Extensions,
        ["extensions", alias] => Place::Extension((*alias).to_string()),
        parts => own_path(catalog, parts).unwrap_or_else(|| resource(catalog, parts)),
    }
}

fn resource<'a>(catalog: &'a Catalog, parts: &[&str]) -> Place<'a> {
    let Some(shape) = parts.first().and_then(|first| catalog.collection(&first.replace('-', "_"))) else {
        return Place::Nothing;
    };
    match parts {
        [_] => Place::Collection(shape),
        [_, id] => Place::Item(shape, (*id).to_string()),
        [_, id, "tags"] if tagged(catalog, shape) => Place::Tags(shape, (*id).to_string(), None),
        [_, id, "tags", tag] if tagged(catalog, shape) => {
            Place::Tags(shape, (*id).to_string(), Some((*tag).to_string()))
        }
        [_, id, member] => Place::Member(shape, (*id).to_string(), (*member).to_string()),
        _ => Place::Nothing,
    }
}

fn tagged(catalog: &Catalog, shape: &Shape) -> bool {
    catalog.has("standard-attr-tag") && shape.place("tags").is_some()
}

/// Paths that extensions declare in full, tried before the collections.
fn own_path<'a>(catalog: &'a Catalog, parts: &[&str]) -> Option<Place<'a>> {
    let mut found: Option<Vec<String>> = None;
    let mut routes = Vec::new();
    for route in catalog.extensions().iter().flat_map(|e| e.routes) {
        if let Some(parameters) = matches(route.path, parts) {
            found.get_or_insert(parameters);
            routes.push(route);
        }
    }
    found.map(|parameters| Place::Route(parameters, routes))
}

/// The parameters of a path that fits `pattern`.
fn matches(pattern: &str, parts: &[&str]) -> Option<Vec<String>> {
    let mut parameters = Vec::new();
    let mut left = parts.iter();
    for wanted in pattern.split('/').filter(|part| !part.is_empty()) {
        let part = left.next()?;
        if wanted.starts_with('{') {
            parameters.push((*part).to_string());
        } else if wanted.replace('-', "_") != part.replace('-', "_") {
            return None;
        }
    }
    left.next().is_none().then_some(parameters)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_fit_patterns() {
        let fits = |pattern, path: &str| {
            matches(pattern, &path.split('/').filter(|p| !p.is_empty()).collect::<Vec<_>>())
        };
        assert_eq!(fits("/agents/{id}/dhcp-networks", "agents/1/dhcp_networks"), Some(vec!["1".to_string()]));
        assert_eq!(fits("/agents/{id}/dhcp-networks", "agents/1"), None);
        assert_eq!(fits("/agents/{id}", "agents/1/x"), None);
    }
}
