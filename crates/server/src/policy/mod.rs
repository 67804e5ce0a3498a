//! Policy in the API: which rules a request needs, what they look at, and upstream's answers when they refuse.
//!
//! A rule is decided once per caller; only what depends on the target is asked per row, and parents
//! (`project_id:%(network:project_id)s`) are read in one statement for all rows.

mod target;

use crate::attr::{self, Attr, Body};
use crate::catalog::{Catalog, Shape};
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::record::Page;
use crate::request::Rq;
use oslo::context::Context;
use oslo::policy::{Policy, Problem, Verdict};
use serde_json::Value;
use std::path::PathBuf;
use target::Parents;

/// Upstream's default rules.
const DEFAULTS: &str = include_str!("defaults.yaml");

oslo::options! {
    /// Where operators' rules are.
    pub struct Options in "oslo_policy" {
        /// The operator's rules, over the defaults; a relative path starts at the folder of the configuration file.
        policy_file: String = "policy.yaml".into();
        /// Folders with more of such files, read in the order of their names.
        policy_dirs: Vec<String> = vec!["policy.d".into()];
    }
}

/// The rules of a server.
pub struct Rules(Policy);

impl Rules {
    /// Upstream's defaults alone: the table beside this file, and what the extensions declare.
    pub fn defaults(catalog: &Catalog) -> Result<Rules, Problem> {
        let mut policy = Policy::default();
        policy.overlay("the default rules", DEFAULTS)?;
        let declared = catalog.extensions().iter().flat_map(|e| e.policies);
        policy.declare(declared.map(|rule| (rule.name, rule.check)))?;
        Ok(Rules(policy))
    }

    /// The defaults under the operator's file and directories. Relative paths start at `home`, the directory
    /// of the configuration file. A missing file is no error, as upstream's default name need not exist.
    pub fn load(options: &Options, home: &std::path::Path, catalog: &Catalog) -> Result<Rules, Problem> {
        let mut rules = Rules::defaults(catalog)?;
        let mut files = vec![home.join(&options.policy_file)];
        for dir in &options.policy_dirs {
            let inside = std::fs::read_dir(home.join(dir)).into_iter().flatten().flatten();
            let mut inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
            inside.retain(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')));
            inside.sort();
            files.extend(inside);
        }
        for file in files.iter().filter(|file| file.is_file()) {
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(file).map_err(|e| Problem {
                file: shown.clone(),
                line: 0,
                what: e.to_string(),
            })?;
            rules.0.overlay(&shown, &text)?;
        }
        Ok(rules)
    }

    /// Whether the rule `context_is_admin` holds for a caller.
    pub fn is_admin(&self, who: &Context) -> bool {
        matches!(self.0.decide("context_is_admin", who), Verdict::Always)
    }

    /// What a rule says about a caller.
    pub fn decide(&self, rule: &str, who: &Context) -> Verdict {
        self.0.decide(rule, who)
    }
}

/// What a request does to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// POST
    Create,
    /// PUT
    Update,
    /// DELETE
    Delete,
}

impl Doing {
    fn verb(self) -> &'static str {
        match self {
            Doing::Create => "create",
            Doing::Update => "update",
            Doing::Delete => "delete",
        }
    }
}

/// A rule with those of the guarded attributes given, and the text that upstream's refusal prints.
struct Needed {
    rules: Vec<String>,
    text: String,
}

impl Needed {
    fn new(action: &str) -> Needed {
        Needed { rules: vec![action.to_string()], text: format!("rule:{action}") }
    }

    fn attribute(&mut self, rules: &Rules, action: &str, attr: &Attr, value: &Value) {
        let name = format!("{action}:{}", attr.name);
        let parts: Vec<String> = match value {
            Value::Array(items) => {
                items.iter().filter_map(Value::as_object).flat_map(|map| map.keys().cloned()).collect()
            }
            Value::Object(map) => {
                map.keys().filter(|key| rules.0.has(&format!("{name}:{key}"))).cloned().collect()
            }
            _ => Vec::new(),
        };
        let mut text = format!("rule:{name}");
        if !parts.is_empty() {
            let subs: Vec<String> = parts.iter().map(|part| format!("rule:{name}:{part}")).collect();
            text = format!("({text} and ({}))", subs.join(" and "));
        }
        self.rules.extend(parts.iter().map(|part| format!("{name}:{part}")));
        self.rules.push(name);
        self.text = format!("({} and {text})", self.text);
    }
}

fn needed(rq: Rq<'_>, shape: &Shape, doing: Doing, body: &Body) -> Needed {
    let action = format!("{}_{}", doing.verb(), shape.resource.name);
    let mut needed = Needed::new(&action);
    if doing == Doing::Delete {
        return needed;
    }
    for attr in shape.attributes.iter().filter(|attr| attr.guarded) {
        let Some(value) = body.get(attr.name) else { continue };
        if doing == Doing::Create && is_default(attr, value) {
            continue;
        }
        needed.attribute(&rq.app.policy, &action, attr, value);
    }
    needed
}

/// Whether a value is what a POST without the attribute would have got; such a value needs no rule.
fn is_default(attr: &Attr, value: &Value) -> bool {
    match attr.default {
        attr::Default::Required | attr::Default::Unset => false,
        default => crate::api::admit::default_value(default).as_ref() == Some(value),
    }
}

/// Refuses what the caller may not do: 403 for what is visible, 404 for what is not, in upstream's words.
/// `old` is the resource as it is; none for a creation.
pub async fn enforce(
    rq: Rq<'_>,
    tx: &mut Tx,
    shape: &Shape,
    doing: Doing,
    body: &Body,
    old: Option<&Body>,
) -> Result<(), Stop> {
    let needed = needed(rq, shape, doing, body);
    let verdicts: Vec<Verdict> = needed.rules.iter().map(|rule| rq.app.policy.decide(rule, rq.ctx)).collect();
    if verdicts.iter().all(|v| matches!(v, Verdict::Always)) {
        return Ok(());
    }
    let seen = rq.app.policy.decide(&format!("get_{}", shape.resource.name), rq.ctx);
    let keys: Vec<&str> = verdicts.iter().chain([&seen]).flat_map(Verdict::looks_at).collect();
    let target = |name: &str| body.get(name).or_else(|| old.and_then(|old| old.get(name))).cloned();
    let parents = Parents::read(rq, tx, &keys, &[&target]).await?;
    let whole = |name: &str| target(name).or_else(|| parents.value(name, &target));
    if verdicts.iter().all(|verdict| verdict.holds(&whole)) {
        return Ok(());
    }
    let asked: Vec<&str> = verdicts.iter().flat_map(Verdict::looks_at).collect();
    target::network_is_known(rq, tx, &asked, &target).await?;
    if doing != Doing::Create && !seen.holds(&whole) {
        return Err(Fault::no_resource().into());
    }
    Err(Fault::PolicyNotAuthorized { action: needed.text }.into())
}

/// Refuses what one rule does not allow on a target.
pub async fn enforce_rule(rq: Rq<'_>, tx: &mut Tx, rule: &str, target: &Body) -> Result<(), Stop> {
    let verdict = rq.app.policy.decide(rule, rq.ctx);
    let target = |name: &str| target.get(name).cloned();
    let parents = Parents::read(rq, tx, &verdict.looks_at(), &[&target]).await?;
    let whole = |name: &str| target(name).or_else(|| parents.value(name, &target));
    if verdict.holds(&whole) {
        return Ok(());
    }
    Err(Fault::PolicyNotAuthorized { action: format!("rule:{rule}") }.into())
}

/// The rows that the caller may see.
pub async fn seen(rq: Rq<'_>, tx: &mut Tx, shape: &Shape, page: &Page) -> Result<Vec<usize>, Stop> {
    let verdict = rq.app.policy.decide(&format!("get_{}", shape.resource.name), rq.ctx);
    match verdict {
        Verdict::Always => Ok((0..page.rows.len()).collect()),
        Verdict::Never => Ok(Vec::new()),
        Verdict::Depends(_) => {
            let rows: Vec<_> = (0..page.rows.len()).map(|row| target::row(page, row)).collect();
            let targets: Vec<&target::Read<'_>> = rows.iter().map(|row| row as &target::Read<'_>).collect();
            let parents = Parents::read(rq, tx, &verdict.looks_at(), &targets).await?;
            let sees = |row: &usize| {
                let target = target::row(page, *row);
                verdict.holds(&|name: &str| target(name).or_else(|| parents.value(name, &target)))
            };
            Ok((0..page.rows.len()).filter(sees).collect())
        }
    }
}

/// The places of the attributes that the caller may see, judged by one row, as upstream does for a whole list.
pub async fn readable(
    rq: Rq<'_>,
    tx: &mut Tx,
    shape: &Shape,
    page: &Page,
    row: usize,
) -> Result<Vec<usize>, Stop> {
    let mut places = Vec::with_capacity(shape.attributes.len());
    let mut open: Vec<(usize, Verdict)> = Vec::new();
    for (place, attr) in shape.attributes.iter().enumerate().filter(|(_, attr)| attr.visible) {
        let rule = format!("get_{}:{}", shape.resource.name, attr.name);
        if !rq.app.policy.0.has(&rule) {
            places.push(place);
            continue;
        }
        match rq.app.policy.decide(&rule, rq.ctx) {
            Verdict::Always => places.push(place),
            Verdict::Never => {}
            verdict @ Verdict::Depends(_) => open.push((place, verdict)),
        }
    }
    if open.is_empty() {
        return Ok(places);
    }
    let target = target::row(page, row);
    let keys: Vec<&str> = open.iter().flat_map(|(_, verdict)| verdict.looks_at()).collect();
    let parents = Parents::read(rq, tx, &keys, &[&target]).await?;
    let whole = |name: &str| target(name).or_else(|| parents.value(name, &target));
    places.extend(open.iter().filter(|(_, verdict)| verdict.holds(&whole)).map(|(place, _)| *place));
    places.sort_unstable();
    Ok(places)
}

/// The attributes that seeing a row depends on.
pub fn looks_at(rq: Rq<'_>, shape: &Shape) -> Vec<String> {
    let verdict = rq.app.policy.decide(&format!("get_{}", shape.resource.name), rq.ctx);
    verdict.looks_at().into_iter().map(str::to_string).collect()
}

#[cfg(test)]
mod tests;
