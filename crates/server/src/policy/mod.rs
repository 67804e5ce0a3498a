//! Policy in the API: which rules a request needs, what they look at, and upstream's answers when they refuse.
//!
//! A rule is decided once per caller; only what depends on the target is asked per row, and parents
//! (`project_id:%(network:project_id)s`) are read in one statement for all rows.

mod load;
mod target;

pub use target::owner_ask;

use crate::attr::{self, Attr, Body};
use crate::catalog::{Catalog, Shape};
use crate::db::{Stop, Tx};
use crate::fault::Fault;
use crate::record::Page;
use crate::request::Rq;
use load::{Loaded, Source, Stamp};
use oslo::context::Context;
use oslo::policy::{Problem, Verdict};
use serde_json::Value;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use target::Parents;

oslo::options! {
    /// Where operators' rules are.
    pub struct Options in "oslo_policy" {
        /// The operator's rules, over the defaults, as YAML or JSON; a relative path starts at the folder of the
        /// configuration file, then at /etc/neutron. Where it is not set and missing, policy.json is read.
        policy_file: String = "policy.yaml".into();
        /// Folders with more of such files, read in the order of their names.
        policy_dirs: Vec<String> = vec!["policy.d".into()];
        /// The rule that stands in for one that does not exist.
        policy_default_rule: String = "default".into();
        /// Whether the defaults of older releases count no more; if not, they allow what the new ones refuse, and
        /// admins may do everything.
        enforce_new_defaults: bool = true;
        /// Whether tokens that are scoped to the system or to a domain are refused where a project's is wanted.
        enforce_scope: bool = true;
    }
}

/// The rules of a server; they follow the operator's files.
#[derive(Debug)]
pub struct Rules {
    loaded: RwLock<Arc<Loaded>>,
    source: Source,
    /// The second in which the files were looked at last, and what they were like.
    seen: Mutex<(i64, Stamp)>,
}

/// Rules that other rules are made of; all others are asked for by operations, which want a token of a project.
const HELPERS: &[&str] = &[
    "admin_only",
    "admin_or_data_plane_int",
    "admin_or_ext_parent_owner",
    "admin_or_network_owner",
    "admin_or_owner",
    "admin_or_sg_owner",
    "admin_owner_or_network_owner",
    "admin_owner_or_sg_owner",
    "baremetal_device",
    "compute_device",
    "context_is_admin",
    "context_is_advsvc",
    "context_with_global_access",
    "default",
    "ext_parent_owner",
    "external",
    "external_network",
    "manila_device",
    "network_device",
    "network_owner",
    "owner",
    "regular_user",
    "restrict_wildcard",
    "rule_default_sg",
    "service_api",
    "sg_owner",
    "shared",
    "shared_address_groups",
    "shared_address_scopes",
    "shared_qos_policy",
    "shared_security_group",
    "shared_subnetpools",
];

impl Rules {
    /// Upstream's defaults alone: the table beside this file, and what the extensions declare.
    ///
    /// # Errors
    /// A rule that is not understood.
    pub fn defaults(catalog: &Catalog) -> Result<Rules, Problem> {
        let options = Options { policy_file: String::new(), policy_dirs: Vec::new(), ..Options::default() };
        Rules::load(&options, std::path::Path::new("/nonexistent"), catalog)
    }

    /// The defaults under the operator's file and directories. Relative paths start at `home`, the directory
    /// of the configuration file. A missing file is no error, as upstream's default name need not exist.
    ///
    /// # Errors
    /// A rule that is not understood, with file and line.
    pub fn load(options: &Options, home: &std::path::Path, catalog: &Catalog) -> Result<Rules, Problem> {
        let source = Source::new(options, home, catalog);
        let stamp = source.stamp();
        let (loaded, odd) = source.load()?;
        odd.iter().for_each(|line| tracing::warn!("{line}"));
        Ok(Rules { loaded: RwLock::new(Arc::new(loaded)), source, seen: Mutex::new((0, stamp)) })
    }

    /// Reads the files again where they have changed; looks at them once a second. `now`: seconds since 1970.
    pub fn refresh(&self, now: i64) {
        // Whoever comes while another looks goes on with what there is.
        let Ok(mut seen) = self.seen.try_lock() else { return };
        if seen.0 == now {
            return;
        }
        seen.0 = now;
        let stamp = self.source.stamp();
        if stamp != seen.1 {
            seen.1 = stamp;
            self.read_again();
        }
    }

    fn read_again(&self) {
        match self.source.load() {
            Ok((loaded, odd)) => {
                odd.iter().for_each(|line| tracing::warn!("{line}"));
                tracing::info!("the rules of policy were read anew");
                *self.loaded.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(loaded);
            }
            Err(problem) => tracing::error!("{problem}; the rules stay as they were"),
        }
    }

    fn now(&self) -> Arc<Loaded> {
        self.loaded.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether there is a rule of this name.
    pub fn has(&self, rule: &str) -> bool {
        self.now().policy.has(rule)
    }

    /// The rules that operations ask for, in the order of their names.
    pub fn operations(&self) -> Vec<String> {
        let loaded = self.now();
        let mut names: Vec<String> = loaded.policy.names().map(str::to_string).collect();
        names.retain(|name| !HELPERS.contains(&name.as_str()));
        names.sort_unstable();
        names
    }

    fn always(&self, rule: &str, who: &Context) -> bool {
        // Upstream's target is the caller here.
        let own = |name: &str| {
            let text = match name {
                "user_id" => &who.user_id,
                "project_id" | "tenant_id" => &who.project_id,
                "user_domain_id" => &who.user_domain_id,
                "project_domain_id" => &who.project_domain_id,
                "domain_id" => &who.domain_id,
                "system_scope" => &who.system_scope,
                _ => return None,
            };
            Some(text.clone().into())
        };
        self.now().policy.decide(rule, who).holds(&own)
    }

    /// A caller with what the rules say of the caller alone: whether it is an admin, or a service. Who is an admin
    /// already stays one.
    pub fn with_powers(&self, who: Context) -> Context {
        let is_admin = who.is_admin || self.always("context_is_admin", &who);
        let is_service = self.always("service_api", &who) || self.always("context_is_advsvc", &who);
        let global_access = self.always("context_with_global_access", &who);
        Context { is_admin, is_service, global_access, ..who }
    }

    /// What a rule says about a caller.
    pub fn decide(&self, rule: &str, who: &Context) -> Verdict {
        let loaded = self.now();
        if !loaded.new_defaults && who.is_admin {
            return Verdict::Always;
        }
        loaded.policy.decide(rule, who)
    }

    /// What the rule of an operation says about a caller, whose token has to be a project's.
    pub fn decide_scoped(&self, rule: &str, who: &Context) -> Verdict {
        if self.wrong_scope(rule, who).is_some() { Verdict::Never } else { self.decide(rule, who) }
    }

    /// The scope of the caller's token, where it is not the project's that the rule wants.
    fn wrong_scope(&self, rule: &str, who: &Context) -> Option<&'static str> {
        let scope = match who {
            Context { system_scope: Some(_), .. } => "system",
            Context { domain_id: Some(_), .. } => "domain",
            Context { .. } => return None,
        };
        let loaded = self.now();
        let admin = !loaded.new_defaults && who.is_admin;
        let wanted = loaded.scope && !admin && !HELPERS.contains(&rule) && loaded.policy.has(rule);
        wanted.then_some(scope)
    }
}

/// Upstream's refusal of a token of another scope.
fn invalid_scope(rule: &str, scope: &str) -> Fault {
    let action = format!("rule:{rule} requires a scope of ['project'], request was made with {scope} scope.");
    Fault::InvalidScope { action }
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
                map.keys().filter(|key| rules.has(&format!("{name}:{key}"))).cloned().collect()
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
    // Upstream looks at the scope only where no attribute has a rule of its own.
    if let [rule] = needed.rules.as_slice()
        && let Some(scope) = rq.app.policy.wrong_scope(rule, rq.ctx)
    {
        // Who may not do this may not see it either: nothing is told apart from what is not there.
        return Err(match doing {
            Doing::Create => invalid_scope(rule, scope),
            Doing::Update | Doing::Delete => Fault::no_resource(),
        }
        .into());
    }
    let verdicts: Vec<Verdict> = needed.rules.iter().map(|rule| rq.app.policy.decide(rule, rq.ctx)).collect();
    if verdicts.iter().all(|v| matches!(v, Verdict::Always)) {
        return Ok(());
    }
    let target = |name: &str| body.get(name).or_else(|| old.and_then(|old| old.get(name))).cloned();
    if allowed(rq, tx, &verdicts, &target).await? {
        return Ok(());
    }
    let seen = rq.app.policy.decide_scoped(&format!("get_{}", shape.resource.name), rq.ctx);
    let keys: Vec<&str> = verdicts.iter().chain([&seen]).flat_map(Verdict::looks_at).collect();
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

/// Whether all verdicts allow a target by what it says itself, or by who owns its parents: what is nearly always so. If not,
/// more has to be looked at.
async fn allowed(
    rq: Rq<'_>,
    tx: &mut Tx,
    verdicts: &[Verdict],
    target: &target::Read<'_>,
) -> Result<bool, Stop> {
    let holds = |parents: &Parents| {
        let known = |name: &str| parents.known(name, target);
        verdicts.iter().all(|verdict| verdict.settled(&known) == Some(true))
    };
    if holds(&Parents::default()) {
        return Ok(true);
    }
    let keys: Vec<&str> = verdicts.iter().flat_map(Verdict::looks_at).collect();
    Ok(holds(&Parents::owners(rq, tx, &keys, &[target]).await?))
}

/// Refuses what one rule does not allow on a target.
pub async fn enforce_rule(rq: Rq<'_>, tx: &mut Tx, rule: &str, target: &Body) -> Result<(), Stop> {
    if let Some(scope) = rq.app.policy.wrong_scope(rule, rq.ctx) {
        return Err(invalid_scope(rule, scope).into());
    }
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
    let verdict = rq.app.policy.decide_scoped(&format!("get_{}", shape.resource.name), rq.ctx);
    match verdict {
        Verdict::Always => Ok((0..page.rows.len()).collect()),
        Verdict::Never => Ok(Vec::new()),
        Verdict::Depends(_) => {
            let known = |row: usize| {
                let target = target::row(page, row);
                verdict.settled(&|name: &str| Parents::default().known(name, &target))
            };
            // Mostly the rows' own fields decide: whose they are.
            let own: Vec<Option<bool>> = (0..page.rows.len()).map(known).collect();
            if own.iter().all(Option::is_some) {
                return Ok((0..page.rows.len()).filter(|row| own.get(*row) == Some(&Some(true))).collect());
            }
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
        if !rq.app.policy.has(&rule) {
            places.push(place);
            continue;
        }
        match rq.app.policy.decide_scoped(&rule, rq.ctx) {
            Verdict::Always => places.push(place),
            Verdict::Never => {}
            verdict @ Verdict::Depends(_) => open.push((place, verdict)),
        }
    }
    if open.is_empty() {
        return Ok(places);
    }
    let target = target::row(page, row);
    let none = Parents::default();
    let own: Vec<Option<bool>> =
        open.iter().map(|(_, verdict)| verdict.settled(&|name: &str| none.known(name, &target))).collect();
    if own.iter().all(Option::is_some) {
        let held = open.iter().zip(own).filter(|(_, held)| *held == Some(true));
        places.extend(held.map(|((place, _), _)| *place));
        places.sort_unstable();
        return Ok(places);
    }
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
