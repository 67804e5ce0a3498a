//! oslo.config files: options declared where they are read, values with the place they came from.
//!
//! ```
//! oslo::options! {
//!     /// What the metadata agent reads.
//!     pub struct MetadataOptions in "DEFAULT" {
//!         /// Port of Nova's metadata service.
//!         nova_metadata_port: u16 = 8775;
//!         /// Host of Nova's metadata service.
//!         nova_metadata_host: String = "127.0.0.1".into(), was [("DEFAULT", "nova_metadata_ip")];
//!     }
//! }
//! let config = oslo::config::Config::parse("metadata_agent.ini", "[DEFAULT]\nnova_metadata_ip = controller\n");
//! let options = MetadataOptions::load(&config).unwrap();
//! assert_eq!(options.nova_metadata_host, "controller");
//! assert_eq!(options.nova_metadata_port, 8775);
//! ```

mod parse;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

pub use value::{Multi, Value, nearest};

/// How grave a [`Problem`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gravity {
    /// Worth a line: a deprecated name, an option that has no effect here.
    Note,
    /// Probably a mistake: a name that nobody reads.
    Warning,
    /// The program must not start: a value that cannot be read, a line that is no assignment.
    Error,
}

/// Something wrong with a configuration: what, where, and what to do.
#[derive(Debug, Clone, PartialEq)]
pub struct Problem {
    /// How grave it is.
    pub gravity: Gravity,
    /// The file.
    pub file: String,
    /// The line, from 1; 0 where there is none.
    pub line: usize,
    /// What is wrong and what to do.
    pub text: String,
}

impl Problem {
    fn new(gravity: Gravity, file: &str, line: usize, text: String) -> Problem {
        Problem { gravity, file: file.to_string(), line, text }
    }
    fn error(file: &str, line: usize, text: String) -> Problem {
        Problem::new(Gravity::Error, file, line, text)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file, self.text),
            line => write!(f, "{}:{line}: {}", self.file, self.text),
        }
    }
}

impl std::error::Error for Problem {}

/// An option as it is declared.
#[derive(Debug, Clone, PartialEq)]
pub struct Opt {
    /// `DEFAULT`, `ml2_type_vxlan` …
    pub group: &'static str,
    /// Its name.
    pub name: &'static str,
    /// What it is for, a line or more.
    pub help: String,
    /// `boolean value`, `list value` …
    pub kind: &'static str,
    /// The default as text.
    pub default: Option<String>,
    /// Older names: (group, name).
    pub was: &'static [(&'static str, &'static str)],
}

/// A value as it stands in a file.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    text: String,
    file: String,
    line: usize,
}

/// The values of all files read so far.
#[derive(Debug, Clone, Default)]
pub struct Config {
    entries: BTreeMap<(String, String), Vec<Entry>>,
    defaults: BTreeMap<(String, String), String>,
    problems: Vec<Problem>,
}

/// The option of keystoneauth that names another section to read a section's credentials from.
const AUTH_SECTION: &str = "auth_section";

/// How deep `$name` may refer to other options.
const SUBSTITUTIONS_MAX: usize = 10;

impl Config {
    /// Reads files in order; later assignments win. A file that cannot be read is an error that names it.
    pub fn read(files: &[PathBuf], dirs: &[PathBuf]) -> Result<Config, Problem> {
        let mut config = Config::default();
        for file in files {
            config.read_file(file)?;
        }
        for dir in dirs {
            let list = std::fs::read_dir(dir);
            let list = list.map_err(|e| {
                Problem::error(&dir.display().to_string(), 0, format!("cannot be listed: {e}"))
            })?;
            let mut inside: Vec<PathBuf> = list.filter_map(|e| Some(e.ok()?.path())).collect();
            inside.retain(|p| p.extension().is_some_and(|e| e == "conf"));
            inside.sort();
            for file in inside {
                config.read_file(&file)?;
            }
        }
        Ok(config)
    }

    fn read_file(&mut self, file: &Path) -> Result<(), Problem> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file);
        let text = text.map_err(|e| Problem::error(&name, 0, format!("cannot be read: {e}")))?;
        self.add(&name, &text);
        Ok(())
    }

    /// A configuration from one text, under the name of a file.
    pub fn parse(file: &str, text: &str) -> Config {
        let mut config = Config::default();
        config.add(file, text);
        config
    }

    /// Adds a text on top of what was read.
    pub fn add(&mut self, file: &str, text: &str) {
        let (assignments, problems) = parse::parse(file, text);
        self.problems.extend(problems);
        let mut fresh = BTreeSet::new();
        for a in assignments {
            let key = key(&a.group, &a.name);
            let entry = Entry { text: a.value, file: file.to_string(), line: a.line };
            let entries = self.entries.entry(key.clone()).or_default();
            // A later file replaces what earlier ones said; within a file every assignment is kept.
            if fresh.insert(key) {
                entries.clear();
            }
            entries.push(entry);
        }
    }

    /// Lays another configuration on top of this one.
    pub fn merge(&mut self, over: Config) {
        self.entries.extend(over.entries);
        self.defaults.extend(over.defaults);
        self.problems.extend(over.problems);
    }

    /// Lays what stands in one section of another configuration over a section of this one.
    pub fn lay_section(&mut self, from: &str, other: &Config, group: &str) {
        let from = key(from, "").0;
        let found = other.entries.iter().filter(|((g, _), _)| *g == from);
        self.entries.extend(found.map(|((_, name), e)| (key(group, name), e.clone())));
    }

    /// Sets one value from outside the files (command line, environment).
    pub fn set(&mut self, source: &str, group: &str, name: &str, text: &str) {
        let entry = Entry { text: text.to_string(), file: source.to_string(), line: 0 };
        self.entries.insert(key(group, name), vec![entry]);
    }

    /// Makes declared defaults known, so that `$state_path` resolves where no file sets it.
    pub fn declare(&mut self, options: &[Opt]) {
        for option in options {
            if let Some(default) = &option.default {
                self.defaults.insert(key(option.group, option.name), default.clone());
            }
        }
    }

    /// Whether a file sets the option.
    pub fn is_set(&self, group: &str, name: &str) -> bool {
        self.entries.contains_key(&key(group, name))
    }

    /// Every option, as (section, name), that one of two configurations sets and the other does not set alike.
    pub fn differences(&self, other: &Config) -> Vec<(String, String)> {
        let texts = |config: &Config, key: &(String, String)| {
            let entries = config.entries.get(key).map(Vec::as_slice).unwrap_or_default();
            entries.iter().map(|entry| entry.text.clone()).collect::<Vec<_>>()
        };
        let keys: BTreeSet<_> = self.entries.keys().chain(other.entries.keys()).collect();
        keys.into_iter().filter(|key| texts(self, key) != texts(other, key)).cloned().collect()
    }

    /// `file:line` of the option's last assignment, for messages about its value.
    pub fn place(&self, group: &str, name: &str) -> Option<String> {
        let entry = self.entries.get(&key(group, name))?.last()?;
        Some(format!("{}:{}", entry.file, entry.line))
    }

    /// The section that the option `auth_section` of `group` names, where it holds what `group` declares.
    fn auth_section(&self, group: &str) -> Option<&str> {
        let named = self.entries.get(&key(group, AUTH_SECTION))?.last()?.text.trim();
        (!named.is_empty()).then_some(named)
    }

    /// The configuration as it reads when `[group] auth_section` names another section: what stands there stands in
    /// `group`, as keystoneauth has it.
    #[must_use]
    pub fn with_auth_section(&self, group: &str) -> Config {
        let mut config = self.clone();
        if let Some(section) = self.auth_section(group) {
            config.lay_section(section, self, group);
        }
        config
    }

    /// Reads one option; called by what [`options!`](crate::options) makes.
    pub fn get<T: Value>(&self, option: &Opt, default: T) -> Result<T, Problem> {
        let names = std::iter::once((option.group, option.name)).chain(option.was.iter().copied());
        let found = names.filter_map(|(g, n)| self.entries.get(&key(g, n))).next();
        let Some(entries) = found else {
            return match &option.default {
                Some(text) if text.contains('$') => {
                    self.resolved(option, std::slice::from_ref(text), "the default", 0)
                }
                _ => Ok(default),
            };
        };
        let texts: Vec<String> = entries.iter().map(|e| e.text.clone()).collect();
        let (file, line) = entries.last().map(|e| (e.file.as_str(), e.line)).unwrap_or_default();
        self.resolved(option, &texts, file, line)
    }

    fn resolved<T: Value>(
        &self,
        option: &Opt,
        texts: &[String],
        file: &str,
        line: usize,
    ) -> Result<T, Problem> {
        let wrong =
            |what: String| Problem::error(file, line, format!("[{}] {}: {what}", option.group, option.name));
        let texts = texts.iter().map(|t| self.substitute(option.group, t, 0)).collect::<Result<Vec<_>, _>>();
        T::read_all(&texts.map_err(wrong)?).map_err(|what| wrong(format!("{what} (it takes a {})", T::KIND)))
    }

    /// Replaces `$name`, `${name}`, `${group.name}`; `$$` and `\$` stand for a dollar sign.
    fn substitute(&self, group: &str, text: &str, depth: usize) -> Result<String, String> {
        if depth > SUBSTITUTIONS_MAX {
            return Err(format!("\"{text}\" refers to itself"));
        }
        let mut out = String::new();
        let mut rest = text;
        while let Some(at) = rest.find('$') {
            let (before, after) = (&rest[..at], &rest[at + 1..]);
            if let Some(stem) = before.strip_suffix('\\') {
                out.push_str(stem);
                out.push('$');
                rest = after;
                continue;
            }
            out.push_str(before);
            let (name, tail) = reference(after);
            rest = tail;
            match name {
                "" => out.push('$'),
                "$" => out.push('$'),
                name => out.push_str(&self.substitute(group, &self.lookup(group, name)?, depth + 1)?),
            }
        }
        out.push_str(rest);
        Ok(out)
    }

    fn lookup(&self, group: &str, name: &str) -> Result<String, String> {
        let keys = match name.split_once('.') {
            Some((group, name)) => vec![(group, name)],
            None => vec![(group, name), ("DEFAULT", name)],
        };
        for (group, name) in keys {
            let key = key(group, name);
            let set = self.entries.get(&key).and_then(|e| e.last()).map(|e| e.text.clone());
            if let Some(text) = set.or_else(|| self.defaults.get(&key).cloned()) {
                return Ok(text);
            }
        }
        Err(format!(
            "${name} refers to an option that is neither set nor declared; write $$ for a dollar sign"
        ))
    }

    /// Everything to say about the files: broken lines, unknown names with the nearest known one, deprecated
    /// names, options of Neutron that have no effect here (`idle`: group and name).
    pub fn review(&self, declared: &[Opt], idle: &BTreeSet<(&str, &str)>) -> Vec<Problem> {
        let mut problems = self.problems.clone();
        let named: BTreeMap<String, &str> = declared
            .iter()
            .filter(|o| o.name == AUTH_SECTION)
            .filter_map(|o| Some((key(self.auth_section(o.group)?, "").0, o.group)))
            .collect();
        for ((group, name), entries) in &self.entries {
            let Some(entry) = entries.last() else { continue };
            let say = |gravity, text| Problem::new(gravity, &entry.file, entry.line, text);
            let group = named.get(group).copied().unwrap_or(group);
            if declared.iter().any(|o| same(o.group, group) && o.name == name) {
                continue;
            }
            let older = declared.iter().find(|o| o.was.iter().any(|(g, n)| same(g, group) && n == name));
            if let Some(now) = older {
                let text =
                    format!("[{group}] {name} is an older name of [{}] {}; it is read", now.group, now.name);
                problems.push(say(Gravity::Note, text));
            } else if idle.iter().any(|(g, n)| same(g, group) && n == name) {
                let text = format!("[{group}] {name} is an option of Neutron that has no effect here");
                problems.push(say(Gravity::Note, text));
            } else {
                problems.push(say(Gravity::Warning, unknown(group, name, declared, idle)));
            }
        }
        problems.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
        problems
    }
}

/// Sections are the same in any case, except that `DEFAULT` is written just so; names are as they are.
fn key(group: &str, name: &str) -> (String, String) {
    let group = if group == "DEFAULT" { group.to_string() } else { group.to_lowercase() };
    (group, name.to_string())
}

fn same(a: &str, b: &str) -> bool {
    key(a, "") == key(b, "")
}

fn unknown(group: &str, name: &str, declared: &[Opt], idle: &BTreeSet<(&str, &str)>) -> String {
    let known = || declared.iter().map(|o| (o.group, o.name)).chain(idle.iter().copied());
    let groups: BTreeSet<String> = known().map(|(g, _)| key(g, "").0).collect();
    if !groups.iter().any(|g| same(g, group)) {
        let hint = value::nearest(&group.to_lowercase(), groups.iter().map(String::as_str));
        let hint = hint.map_or_else(String::new, |g| format!("; did you mean [{g}]?"));
        return format!("[{group}] {name}: nobody reads a section of this name{hint}");
    }
    if let Some(near) = value::nearest(name, known().filter(|(g, _)| same(g, group)).map(|(_, n)| n)) {
        return format!("[{group}] {name}: nobody reads an option of this name; did you mean {near}?");
    }
    match known().find(|(_, n)| *n == name) {
        Some((other, _)) => format!("[{group}] {name}: nobody reads it here; it belongs in [{other}]"),
        None => format!("[{group}] {name}: nobody reads an option of this name"),
    }
}

/// The name at the start of what follows a `$`, and the rest; an empty name where there is none.
fn reference(text: &str) -> (&str, &str) {
    if let Some(rest) = text.strip_prefix('$') {
        return ("$", rest);
    }
    if let Some((name, rest)) = text.strip_prefix('{').and_then(|t| t.split_once('}')) {
        return (name, rest);
    }
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(text.len());
    if text.starts_with(|c: char| c.is_ascii_digit()) { ("", text) } else { text.split_at(end) }
}

/// The sample file of some options: every option with its help, its kind and its default, commented out.
pub fn sample(options: &[Opt]) -> String {
    let mut groups: Vec<&str> = Vec::new();
    for option in options {
        if !groups.contains(&option.group) {
            groups.push(option.group);
        }
    }
    let mut out = String::new();
    for group in groups {
        out += &format!("[{group}]\n");
        for option in options.iter().filter(|o| o.group == group) {
            out.push('\n');
            for line in option.help.trim().lines() {
                out += &format!("# {}\n", line.trim());
            }
            out += &format!("# ({})\n", option.kind);
            for (group, name) in option.was {
                out += &format!("# Older name: [{group}] {name}\n");
            }
            out += &match &option.default {
                Some(text) => format!("#{} = {}\n", option.name, text.replace('\n', "\n  ")),
                None => format!("#{} = <None>\n", option.name),
            };
        }
        out.push('\n');
    }
    out
}

/// Declares options once: the struct that code reads, its loader, and its lines in the sample file.
///
/// `name: Type = default, was [("GROUP", "older_name")];` where `was` may be left out. A default that holds
/// `$other` is resolved like a value from a file.
#[macro_export]
macro_rules! options {
    ($(#[$doc:meta])* pub struct $name:ident in $group:literal {
        $($(#[doc = $help:literal])* $field:ident: $type:ty = $default:expr $(, was $was:expr)?;)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name { $($(#[doc = $help])* pub $field: $type,)* }

        impl $name {
            /// The options as they are declared.
            pub fn declared() -> Vec<$crate::config::Opt> {
                vec![$({
                    let default: $type = $default;
                    $crate::config::Opt {
                        group: $group,
                        name: stringify!($field).trim_start_matches("r#"),
                        help: concat!($($help, "\n"),*).to_string(),
                        kind: <$type as $crate::config::Value>::KIND,
                        default: $crate::config::Value::show(&default),
                        was: $crate::was!($($was)?),
                    }
                }),*]
            }

            /// Reads them; the first value that cannot be read is the problem.
            pub fn load(config: &$crate::config::Config) -> Result<$name, $crate::config::Problem> {
                let mut declared = Self::declared().into_iter();
                Ok($name { $($field: match declared.next() {
                    Some(option) => config.get::<$type>(&option, $default)?,
                    None => $default,
                },)* })
            }
        }

        impl Default for $name {
            fn default() -> $name { $name { $($field: $default,)* } }
        }
    };
}

/// The older names of an option; part of [`options!`](crate::options).
#[doc(hidden)]
#[macro_export]
macro_rules! was {
    () => {
        &[]
    };
    ($was:expr) => {
        &$was
    };
}

#[cfg(test)]
mod tests;
