//! What the API says about itself: versions, core resources, extensions; and what lies outside of it.

use crate::api::Asked;
use crate::api::answer::Reply;
use crate::api::route::Place;
use crate::app::App;
use crate::extension::Extension;
use crate::fault::Fault;
use serde_json::{Value, json};

/// The resources that upstream lists below `/v2.0/`, in its order.
const CORE: &[(&str, &str)] =
    &[("network", "networks"), ("subnet", "subnets"), ("subnetpool", "subnetpools"), ("port", "ports")];

/// The answer of a path that is no resource's; none for those.
pub fn answer(app: &App, asked: &Asked, place: &Place<'_>) -> Option<Reply> {
    let get = matches!(asked.method.as_str(), "GET" | "OPTIONS");
    Some(match place {
        Place::Outside => Reply::plain_not_found(""),
        Place::Versions if get => Reply::value(200, &versions(asked)),
        Place::Versions => Reply::plain_not_allowed(asked.method.as_str()),
        Place::Layout(_) if !get => Fault::MethodNotAllowed {}.into(),
        Place::Layout(false) => Fault::no_resource().into(),
        Place::Layout(true) => Reply::value(200, &layout(asked)),
        Place::Extensions | Place::Extension(_) if !get => Reply::plain_not_found("Resource not found."),
        Place::Extensions => {
            let all: Vec<Value> =
                app.catalog.extensions().iter().filter(|e| !e.alias.is_empty()).map(|e| shown(e)).collect();
            Reply::value(200, &json!({"extensions": all}))
        }
        Place::Extension(alias) => {
            match app.catalog.extensions().iter().find(|e| e.alias == alias.as_str()) {
                Some(extension) => Reply::value(200, &json!({"extension": shown(extension)})),
                None => Reply::plain_not_found(&format!("Extension with alias {alias} does not exist")),
            }
        }
        Place::Collection(_)
        | Place::Item(..)
        | Place::Member(..)
        | Place::Tags(..)
        | Place::Route(..)
        | Place::Nothing => return None,
    })
}

fn root(asked: &Asked) -> String {
    let url = asked.path_url();
    let path_length = crate::api::query::quote_path(&asked.path).len();
    url[..url.len() - path_length].to_string()
}

fn versions(asked: &Asked) -> Value {
    let links = json!([{"rel": "self", "href": format!("{}/v2.0/", root(asked))}]);
    json!({"versions": [{"id": "v2.0", "status": "CURRENT", "links": links}]})
}

fn layout(asked: &Asked) -> Value {
    let core: Vec<Value> = CORE
        .iter()
        .map(|(name, collection)| {
            let href = format!("{}/v2.0/{collection}", root(asked));
            json!({"name": name, "collection": collection, "links": [{"rel": "self", "href": href}]})
        })
        .collect();
    json!({"resources": core})
}

fn shown(extension: &Extension) -> Value {
    json!({
        "alias": extension.alias, "name": extension.name, "description": extension.description,
        "updated": extension.updated, "links": [],
    })
}
