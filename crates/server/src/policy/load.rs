//! From the defaults and the operator's files to the rules in force.
//!
//! Files lie over the defaults; what the defaults were in older releases counts too where `enforce_new_defaults` is
//! off, and older names of rules are read. Mistakes are told with file, line and the nearest name.

use super::Options;
use crate::catalog::Catalog;
use oslo::policy::{Policy, Problem, Written};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Upstream's default rules.
pub(super) const DEFAULTS: &str = include_str!("defaults.yaml");
/// What rules were before, as (rule, its older name or nothing, its older check), written by `tools/policy`.
const DEPRECATED: &str = include_str!("deprecated.tsv");
/// The rule file where `policy_file` is not set and there is no `policy.yaml`.
const OLDER_FILE: &str = "policy.json";

/// The rules in force.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) policy: Policy,
    /// Whether the defaults of older releases count no more.
    pub(super) new_defaults: bool,
    /// Whether tokens of another scope than a project's are refused.
    pub(super) scope: bool,
}

/// Where rules come from.
#[derive(Debug, Default)]
pub(super) struct Source {
    options: Options,
    /// Folders that relative paths start at, the first that has the file counts.
    homes: Vec<PathBuf>,
    declared: Vec<(&'static str, &'static str)>,
}

/// What tells that a file has changed.
pub(super) type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

impl Source {
    pub(super) fn new(options: &Options, home: &Path, catalog: &Catalog) -> Source {
        let declared = catalog.extensions().iter().flat_map(|e| e.policies);
        Source {
            options: options.clone(),
            homes: vec![home.to_path_buf(), PathBuf::from("/etc/neutron")],
            declared: declared.map(|rule| (rule.name, rule.check)).collect(),
        }
    }

    fn find(&self, name: &str) -> Option<PathBuf> {
        self.homes.iter().map(|home| home.join(name)).find(|path| path.exists())
    }

    /// The files to read, in order.
    fn files(&self) -> Vec<PathBuf> {
        let mut main = self.find(&self.options.policy_file);
        if main.is_none() && self.options.policy_file == Options::default().policy_file {
            main = self.find(OLDER_FILE);
        }
        let mut files: Vec<PathBuf> = main.into_iter().collect();
        for dir in self.options.policy_dirs.iter().filter_map(|dir| self.find(dir)) {
            let inside = std::fs::read_dir(dir).into_iter().flatten().flatten();
            let mut inside: Vec<PathBuf> = inside.map(|entry| entry.path()).collect();
            inside.retain(|path| !path.file_name().is_some_and(|n| n.to_string_lossy().starts_with('.')));
            inside.sort();
            files.extend(inside);
        }
        files.retain(|file| file.is_file());
        files
    }

    /// The state of the files.
    pub(super) fn stamp(&self) -> Stamp {
        let state = |file: PathBuf| {
            let about = std::fs::metadata(&file).ok();
            let changed = about.as_ref().and_then(|about| about.modified().ok());
            (file, changed, about.map_or(0, |about| about.len()))
        };
        self.files().into_iter().map(state).collect()
    }

    /// Reads everything; what is odd but no error is returned as lines for the log.
    pub(super) fn load(&self) -> Result<(Loaded, Vec<String>), Problem> {
        let mut policy = Policy::with_default(&self.options.policy_default_rule);
        policy.overlay("the default rules", DEFAULTS)?;
        policy.declare(self.declared.iter().copied())?;
        let known: Vec<String> = policy.names().map(str::to_string).collect();
        let mut written: HashMap<String, (String, Written)> = HashMap::new();
        for file in self.files() {
            let shown = file.display().to_string();
            let text = std::fs::read_to_string(&file).map_err(|e| Problem {
                file: shown.clone(),
                line: 0,
                what: e.to_string(),
            })?;
            for rule in policy.overlay(&shown, &text)? {
                written.insert(rule.name.clone(), (shown.clone(), rule));
            }
        }
        let older = self.older(&mut policy, &written)?;
        let odd = odd(&policy, &known, &older, &written);
        let Options { enforce_new_defaults: new_defaults, enforce_scope: scope, .. } = self.options;
        Ok((Loaded { policy, new_defaults, scope }, odd))
    }

    /// Applies what rules were before; answers with the older names.
    fn older(
        &self,
        policy: &mut Policy,
        written: &HashMap<String, (String, Written)>,
    ) -> Result<Vec<&'static str>, Problem> {
        let mut names = Vec::new();
        for line in DEPRECATED.lines() {
            let mut columns = line.split('\t');
            let (Some(rule), Some(older), Some(check)) = (columns.next(), columns.next(), columns.next())
            else {
                continue;
            };
            names.extend((!older.is_empty()).then_some(older));
            if written.contains_key(rule) || !policy.has(rule) {
                continue;
            }
            let renamed =
                written.get(older).is_some_and(|(_, w)| w.text.as_deref() != Some(&format!("rule:{rule}")));
            if renamed {
                policy.copy(older, rule);
            } else if !self.options.enforce_new_defaults {
                policy.also(rule, check)?;
            }
        }
        Ok(names)
    }
}

/// Rules that nobody asks for, and rules that refer to none.
fn odd(
    policy: &Policy,
    known: &[String],
    older: &[&str],
    written: &HashMap<String, (String, Written)>,
) -> Vec<String> {
    let near = |name: &str| {
        let near = oslo::config::nearest(name, known.iter().map(String::as_str));
        near.map_or_else(String::new, |near| format!("; did you mean {near}?"))
    };
    let mut odd = Vec::new();
    let referred = policy.references();
    for (name, (file, rule)) in written {
        let asked = known.contains(name) || older.contains(&name.as_str());
        if !asked && !referred.contains(&name.as_str()) {
            odd.push(format!(
                "{file}:{}: rule {name}: nobody asks for a rule of this name{}",
                rule.line,
                near(name)
            ));
        }
        for missing in policy.missing(name) {
            odd.push(format!(
                "{file}:{}: rule {name} refers to rule {missing}, which does not exist; it counts as the default \
                 rule{}",
                rule.line,
                near(missing)
            ));
        }
    }
    odd.sort();
    odd
}
