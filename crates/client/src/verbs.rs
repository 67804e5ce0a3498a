//! What most commands do: list, show, create, update, delete.

use serde_json::{Map, Value, json};

use crate::api::Params;
use crate::command::{Extend, Field, List, Run, Source, Verb};
use crate::fault::Fault;
use crate::render::{self, Listing};
use crate::{cells, extra, python};

/// Runs a command.
///
/// # Errors
/// Whatever went wrong first.
pub fn run(run: &mut Run<'_>) -> Result<(), Fault> {
    match &run.command.verb {
        Verb::List(spec) => list(run, spec),
        Verb::Show { by_name, indent } => show(run, *by_name, *indent),
        Verb::Create(fields) => create(run, fields),
        Verb::Update { by_name, fields } => update(run, *by_name, fields),
        Verb::Delete { by_name } => delete(run, *by_name),
        Verb::Act(act) => act(run),
        Verb::Object(make) => {
            let object = make(run)?;
            let text = render::one(object, &run.args, run.fit)?;
            run.out.push_str(&text);
            Ok(())
        }
    }
}

/// The attributes from unknown options; lists are joined to the list of a known option of that name.
fn extras(run: &mut Run<'_>) -> Result<Map<String, Value>, Fault> {
    let mut extras = extra::parse(&run.extras)?;
    extras.retain(|key, value| match (run.args.get_mut(key), value) {
        (Some(Value::Array(known)), Value::Array(more)) if !more.is_empty() => {
            known.append(more);
            false
        }
        (Some(_) | None, _) => true,
    });
    Ok(extras)
}

fn list(run: &mut Run<'_>, spec: &'static List) -> Result<(), Fault> {
    let params = list_params(run, spec)?;
    let mut rows = fetch(run, spec, params)?;
    cells::extend(run, spec, &mut rows)?;
    let (listing, asked) = columns(run, spec, &rows);
    let text = render::list(listing, &run.args, &asked, run.fit)?;
    run.out.push_str(&text);
    Ok(())
}

fn list_params(run: &mut Run<'_>, spec: &List) -> Result<Params, Fault> {
    let extras = extras(run)?;
    let mut params = Params::new();
    let mut set = |key: &str, value: Value| match params.iter_mut().find(|(known, _)| known == key) {
        Some((_, old)) => *old = value,
        None => params.push((key.to_owned(), value)),
    };
    if run.is_set("fields") {
        set("fields", run.args["fields"].clone());
    }
    if run.is_set("show_details") {
        set("verbose", json!("True"));
    }
    for filter in spec.filters.iter().filter(|filter| run.is_set(filter.dest)) {
        let key = filter.dest;
        let hyphened = matches!(key, "tags_any" | "not_tags" | "not_tags_any");
        set(&if hyphened { key.replace('_', "-") } else { key.to_owned() }, run.args[key].clone());
    }
    for (key, value) in extras {
        set(&key, value);
    }
    if run.is_set("page_size") {
        set("limit", run.args["page_size"].clone());
    }
    if spec.sorting {
        let given = |dest: &str| run.args.get(dest).and_then(Value::as_array).cloned().unwrap_or_default();
        let (keys, mut directions) = (given("sort_key"), given("sort_dir"));
        directions.resize(keys.len(), json!("asc"));
        if !keys.is_empty() {
            set("sort_key", Value::Array(keys));
            set("sort_dir", Value::Array(directions));
        }
    }
    Ok(params)
}

fn fetch(run: &mut Run<'_>, spec: &List, params: Params) -> Result<Vec<Value>, Fault> {
    let resource = run.command.resource;
    let path = match &spec.source {
        Source::Collection => return run.api.list(resource.path, resource.plural, params),
        Source::Whole => resource.path.to_owned(),
        Source::OnAgent { dest, path } => format!("/agents/{}{path}", run.text(dest)),
        Source::Hosting { dest, resource, path } => {
            let wanted = run.text(dest).to_owned();
            format!("{}/{}{path}", resource.path, run.api.id(resource, &wanted)?)
        }
    };
    let answer = run.api.request("GET", &path, &params, None)?;
    match answer.and_then(|mut answer| answer.get_mut(resource.plural).map(Value::take)) {
        Some(Value::Array(rows)) => Ok(rows),
        Some(_) | None => Ok(Vec::new()),
    }
}

/// The columns and rows to print, and the names `-c` shall be checked against.
fn columns(run: &Run<'_>, spec: &List, rows: &[Value]) -> (Listing, Vec<String>) {
    let mut known: Vec<String> =
        rows.first().and_then(Value::as_object).map(|row| row.keys().cloned().collect()).unwrap_or_default();
    known.sort();
    let mut asked: Vec<String> =
        run.args.get("columns").and_then(Value::as_array).into_iter().flatten().map(python::text).collect();
    if spec.extend == Extend::Rules {
        asked = asked.iter().map(|name| cells::rule_column(name, false)).collect();
    }
    let mut names = known.clone();
    if known.is_empty() {
        asked.clear();
    } else if matches!(spec.source, Source::Whole) {
        // Every column, chosen by cliff alone.
    } else if !asked.is_empty() {
        names = asked.iter().filter(|name| known.contains(name)).cloned().collect();
    } else if !spec.columns.is_empty() {
        names = usual_columns(run, spec, rows, &known);
    }
    let table = run.is_table();
    let lines = rows
        .iter()
        .map(|row| {
            names.iter().map(|name| cells::cell(row, name, if table { spec.cells } else { &[] })).collect()
        })
        .collect();
    if spec.extend == Extend::Rules && !run.is_set("no_nameconv") {
        names = names.iter().map(|name| cells::rule_column(name, true)).collect();
        asked = names.clone();
    }
    (Listing { columns: names, rows: lines }, asked)
}

fn usual_columns(run: &Run<'_>, spec: &List, rows: &[Value], known: &[String]) -> Vec<String> {
    let has = |name: &str| known.iter().any(|column| column == name);
    let mut names: Vec<String> =
        spec.columns.iter().filter(|name| has(name)).map(|name| (*name).to_owned()).collect();
    if matches!(spec.source, Source::Hosting { path: "/l3-agents", .. })
        && rows.iter().any(|row| row.get("ha_state").is_some())
        && has("ha_state")
    {
        names.push("ha_state".to_owned());
    }
    if !names.iter().any(|name| name == "tenant_id") && has("tenant_id") && run.api.admin {
        let at = |wanted: &str| names.iter().position(|name| name == wanted).unwrap_or(0);
        let place = (at("id").max(at("name")) + 1).min(names.len());
        names.insert(place, "tenant_id".to_owned());
    }
    names
}

fn show(run: &mut Run<'_>, by_name: bool, indent: Option<usize>) -> Result<(), Fault> {
    let resource = run.command.resource;
    let mut params = Params::new();
    if run.is_set("fields") {
        params.push(("fields".to_owned(), run.args["fields"].clone()));
    } else if run.is_set("show_details") {
        params.push(("verbose".to_owned(), json!("True")));
    }
    let wanted = run.text("id").to_owned();
    let id = if by_name { run.api.id(resource, &wanted)? } else { wanted };
    let answer = run.api.request("GET", &format!("{}/{id}", resource.path), &params, None)?;
    print_object(run, answer, indent)
}

fn print_object(run: &mut Run<'_>, answer: Option<Value>, indent: Option<usize>) -> Result<(), Fault> {
    let name = run.command.resource.name;
    let object = answer.and_then(|mut answer| answer.get_mut(name).map(Value::take));
    let Some(Value::Object(mut object)) = object else {
        return Err(Fault::Command(python::repr_text(name)));
    };
    if run.is_table() {
        cells::format_object(&mut object, indent);
    }
    let text = render::one(sorted(object), &run.args, run.fit)?;
    run.out.push_str(&text);
    Ok(())
}

/// The fields by name, as they are printed.
pub fn sorted(object: Map<String, Value>) -> Map<String, Value> {
    let mut fields: Vec<(String, Value)> = object.into_iter().collect();
    fields.sort_by(|a, b| a.0.cmp(&b.0));
    fields.into_iter().collect()
}

fn create(run: &mut Run<'_>, fields: &[Field]) -> Result<(), Fault> {
    let resource = run.command.resource;
    let extras = extras(run)?;
    let mut attributes = body(run, fields)?;
    attributes.extend(extras);
    let body = json!({resource.name: attributes});
    let answer = run.api.request("POST", resource.path, &Params::new(), Some(&body))?;
    if answer.as_ref().is_some_and(|answer| answer.get(resource.name).is_some_and(python::truthy)) {
        if run.is_table() {
            run.say(&format!("Created a new {}:", resource.name));
        }
        return print_object(run, answer, None);
    }
    let text = render::one(Map::from_iter([(String::new(), json!(""))]), &run.args, run.fit)?;
    run.out.push_str(&text);
    Ok(())
}

fn update(run: &mut Run<'_>, by_name: bool, fields: &[Field]) -> Result<(), Fault> {
    let resource = run.command.resource;
    let extras = extras(run)?;
    let mut attributes = body(run, fields)?;
    attributes.extend(extras);
    if attributes.is_empty() {
        return Err(Fault::Command(format!("Must specify new values to update {}", resource.spoken)));
    }
    let wanted = run.text("id").to_owned();
    let id = if by_name { run.api.id(resource, &wanted)? } else { run.api.id_only(resource, &wanted)? };
    let body = json!({resource.name: attributes});
    run.api.request("PUT", &format!("{}/{id}", resource.path), &Params::new(), Some(&body))?;
    run.say(&format!("Updated {}: {wanted}", resource.name));
    Ok(())
}

fn delete(run: &mut Run<'_>, by_name: bool) -> Result<(), Fault> {
    let resource = run.command.resource;
    let wanted: Vec<String> =
        run.args.get("id").and_then(Value::as_array).into_iter().flatten().map(python::text).collect();
    let (mut deleted, mut unknown, mut several) = (Vec::new(), Vec::new(), Vec::new());
    for item in wanted {
        let id = if by_name { run.api.id(resource, &item) } else { Ok(item.clone()) };
        let done = id.and_then(|id| {
            run.api.request("DELETE", &format!("{}/{id}", resource.path), &Params::new(), None)
        });
        match done {
            Ok(_) => deleted.push(item),
            Err(fault) if fault.is_not_found() => unknown.push(item),
            Err(Fault::NotUnique { .. }) => several.push(item),
            Err(fault) => return Err(fault),
        }
    }
    let spoken = resource.spoken;
    if !deleted.is_empty() {
        run.say(&format!("Deleted {spoken}(s): {}", deleted.join(", ")));
    }
    let mut wrong = Vec::new();
    if !unknown.is_empty() {
        wrong.push(format!("Unable to find {spoken}(s) with id(s) '{}'.", unknown.join(", ")));
    }
    if !several.is_empty() {
        wrong.push(format!(
            "Multiple {spoken}(s) matches found for name(s) '{}'. Please use an ID to be more specific.",
            several.join(", ")
        ));
    }
    if wrong.is_empty() { Ok(()) } else { Err(Fault::Command(wrong.join("\n"))) }
}

/// The body the command line stands for.
fn body(run: &mut Run<'_>, fields: &[Field]) -> Result<Map<String, Value>, Fault> {
    let mut body = Map::new();
    for field in fields {
        match *field {
            Field::Always(dest, key) => {
                body.insert(key.to_owned(), run.args.get(dest).cloned().unwrap_or_default());
            }
            Field::Given(dest) => {
                if let Some(value) = run.args.get(dest).filter(|value| !value.is_null()) {
                    body.insert(dest.to_owned(), value.clone());
                }
            }
            Field::Filled(dest, key) => {
                if run.is_set(dest) {
                    body.insert(key.to_owned(), run.args[dest].clone());
                }
            }
            Field::If(dest, key, fixed) => {
                if run.is_set(dest) {
                    body.insert(key.to_owned(), fixed.json());
                }
            }
            Field::Id(dest, key, resource) => {
                let wanted = run.text(dest).to_owned();
                body.insert(key.to_owned(), json!(run.api.id(resource, &wanted)?));
            }
            Field::IdIf(dest, key, resource) => {
                if run.is_set(dest) {
                    let wanted = run.text(dest).to_owned();
                    body.insert(key.to_owned(), json!(run.api.id(resource, &wanted)?));
                }
            }
            Field::Ids(dest, key, resource) => {
                let wanted = run.args.get(dest).and_then(Value::as_array).cloned().unwrap_or_default();
                let ids = wanted
                    .iter()
                    .map(|name| run.api.id(resource, &python::text(name)).map(Value::String))
                    .collect::<Result<Vec<_>, _>>()?;
                if !ids.is_empty() {
                    body.insert(key.to_owned(), Value::Array(ids));
                }
            }
            Field::FixedIps(dest, key) => {
                if let Some(ips) = fixed_ips(run, dest)? {
                    body.insert(key.to_owned(), ips);
                }
            }
            Field::With(function) => function(run, &mut body)?,
        }
    }
    Ok(body)
}

/// Subnets and addresses with the subnets' ids; `None` if none are given.
///
/// # Errors
/// A subnet is not found.
pub fn fixed_ips(run: &mut Run<'_>, dest: &str) -> Result<Option<Value>, Fault> {
    let mut ips = run.args.get(dest).and_then(Value::as_array).cloned().unwrap_or_default();
    for ip in &mut ips {
        if let Some(subnet) = ip.get_mut("subnet_id") {
            let wanted = python::text(subnet);
            *subnet = json!(run.api.id(&crate::resource::SUBNET, &wanted)?);
        }
    }
    Ok(if ips.is_empty() { None } else { Some(Value::Array(ips)) })
}
