//! Admission: from a JSON body to bodies whose attributes are known, allowed, complete, converted and checked.
//! Order and words as in `prepare_request_body` and `neutron_lib.api.attributes`.

use crate::attr::{Attr, Body, Default};
use crate::catalog::Shape;
use crate::check::{Wrong, check};
use crate::fault::Fault;
use oslo::context::Context;
use serde_json::{Map, Value, json};

/// What a body asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// POST
    Create,
    /// PUT
    Update,
}

/// The bodies of a request, admitted.
#[derive(Debug)]
pub struct Admitted {
    /// One each; a single request has one.
    pub items: Vec<Body>,
    /// Whether they came as a list.
    pub bulk: bool,
}

fn bad(text: impl Into<String>) -> Fault {
    Fault::BadRequest { text: text.into() }
}

/// The refusal of what is no JSON object.
pub fn invalid_data() -> Fault {
    bad("Body contains invalid data")
}

/// The JSON object in a request's body.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Fault> {
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => Ok(map),
        _ => Err(invalid_data()),
    }
}

/// Admits a body; none when it names neither the resource nor its collection (member actions do not).
pub fn bodies(
    shape: &Shape,
    ctx: &Context,
    mut json: Map<String, Value>,
    verb: Verb,
) -> Result<Option<Admitted>, Fault> {
    let (name, collection) = (shape.resource.name, shape.resource.collection);
    // Upstream looks for the resource's name with an `s` behind it, whatever the plural is.
    let regular = collection.strip_suffix('s') == Some(name);
    if let Some(list) = json.remove(collection).filter(|_| regular) {
        if verb == Verb::Update || !shape.resource.verbs.bulk {
            return Err(bad("Bulk operation not supported"));
        }
        let items = bulk(shape, ctx, list)?;
        return Ok(Some(Admitted { items, bulk: true }));
    }
    match json.remove(name) {
        None => Ok(None),
        Some(item) => Ok(Some(Admitted { items: vec![single(shape, ctx, item, verb)?], bulk: false })),
    }
}

fn bulk(shape: &Shape, ctx: &Context, list: Value) -> Result<Vec<Body>, Fault> {
    if crate::py::is_false(&list) {
        return Err(bad("Resources required"));
    }
    let items = match list {
        Value::Array(items) => items,
        // Python iterates over letters and keys; each is a text where an object should be.
        Value::String(_) | Value::Object(_) => return Err(not_an_object(shape)),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(invalid_data()),
    };
    items.into_iter().map(|item| bulk_item(shape, ctx, item)).collect()
}

fn bulk_item(shape: &Shape, ctx: &Context, item: Value) -> Result<Body, Fault> {
    let item = match item {
        Value::Object(mut map) => map.remove(shape.resource.name).unwrap_or(Value::Object(map)),
        Value::Null | Value::Bool(_) | Value::Number(_) => return Err(invalid_data()),
        other => other,
    };
    single(shape, ctx, item, Verb::Create)
}

fn not_an_object(shape: &Shape) -> Fault {
    bad(format!("Object '{}' contains invalid data", shape.resource.name))
}

/// The refusal of a body that lacks the resource.
pub fn missing(shape: &Shape) -> Fault {
    bad(format!("Unable to find '{}' in request body", shape.resource.name))
}

fn single(shape: &Shape, ctx: &Context, item: Value, verb: Verb) -> Result<Body, Fault> {
    let mut body = match item {
        Value::Object(body) => body,
        Value::Null => return Err(missing(shape)),
        _ => return Err(not_an_object(shape)),
    };
    project(shape, ctx, &mut body, verb)?;
    let unknown: Vec<&str> =
        body.keys().filter(|key| shape.place(key).is_none()).map(String::as_str).collect();
    if !unknown.is_empty() {
        return Err(Fault::UnrecognizedAttribute { attr: unknown.join(", ") });
    }
    match verb {
        Verb::Create => complete(&shape.attributes, &mut body)?,
        Verb::Update => changeable(&shape.attributes, &body)?,
    }
    convert(&shape.attributes, &mut body)?;
    Ok(body)
}

/// Both names of the owner, checked against the caller's own project.
fn project(shape: &Shape, ctx: &Context, body: &mut Body, verb: Verb) -> Result<(), Fault> {
    for (have, lacks) in [("tenant_id", "project_id"), ("project_id", "tenant_id")] {
        if let (Some(value), false) = (body.get(have), body.contains_key(lacks)) {
            let value = value.clone();
            body.insert(lacks.to_string(), value);
        }
    }
    if body.get("project_id") != body.get("tenant_id") {
        return Err(bad("'project_id' and 'tenant_id' do not match"));
    }
    let own = ctx.project_id.as_deref();
    match body.get("project_id") {
        Some(project) if project.as_str() != own && !ctx.sees_all() => Err(bad(
            "Specifying 'project_id' other than the authenticated project in request is not allowed for the current user.",
        )),
        None if verb == Verb::Create && shape.place("project_id").is_some() => {
            let own = own
                .ok_or_else(|| bad("Running without keystone AuthN requires that project_id is specified"))?;
            body.insert("project_id".into(), json!(own));
            body.insert("tenant_id".into(), json!(own));
            Ok(())
        }
        _ => Ok(()),
    }
}

/// The value that a POST without the attribute gets; none = it stays away.
pub fn default_value(default: Default) -> Option<Value> {
    Some(match default {
        Default::Required | Default::Unset => return None,
        Default::Null => Value::Null,
        Default::Bool(flag) => json!(flag),
        Default::Int(number) => json!(number),
        Default::Text(text) => json!(text),
        Default::EmptyList => json!([]),
        Default::EmptyDict => json!({}),
    })
}

fn complete(attributes: &[&'static Attr], body: &mut Body) -> Result<(), Fault> {
    for attr in attributes {
        let given = body.contains_key(attr.name);
        if !attr.post {
            if given {
                return Err(Fault::NotAllowedIn { attr: attr.name.into(), verb: "POST".into() });
            }
            continue;
        }
        if given {
            continue;
        }
        if let Default::Required = attr.default {
            return Err(Fault::RequiredAttribute { attr: attr.name.into() });
        }
        if let Some(value) = default_value(attr.default) {
            body.insert(attr.name.to_string(), value);
        }
    }
    Ok(())
}

fn changeable(attributes: &[&'static Attr], body: &Body) -> Result<(), Fault> {
    match attributes.iter().find(|attr| !attr.put && body.contains_key(attr.name)) {
        Some(attr) => Err(bad(format!("Cannot update read-only attribute {}", attr.name))),
        None => Ok(()),
    }
}

fn convert(attributes: &[&'static Attr], body: &mut Body) -> Result<(), Fault> {
    for attr in attributes {
        let Some(value) = body.get_mut(attr.name) else { continue };
        if let Some(convert) = attr.convert {
            *value = convert(value.take())?;
        }
        check(&attr.check, value).map_err(|wrong| match wrong {
            Wrong::Reason(reason) => Fault::InvalidInput { attr: attr.name.into(), reason },
            Wrong::Fault(fault) => fault,
        })?;
    }
    Ok(())
}
