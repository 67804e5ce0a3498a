//! Command lines as Python's argparse reads them.
//!
//! The old `neutron` command was built on argparse, and people's scripts rely on its habits: options between
//! positionals, unique prefixes of options, `-fjson`, and unknown options handed through to the server as attributes.
//! This file holds the declarations, `parse` the reading, `usage` the words printed about them.

pub mod parse;
pub mod usage;

use serde_json::{Map, Value};

/// What was read: a value per destination. A destination may be missing, which differs from being null.
pub type Args = Map<String, Value>;

/// How a word becomes a value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// As it is.
    Text,
    /// A decimal integer.
    Int,
    /// A floating point number.
    Float,
    /// An integer not below zero.
    Natural,
    /// Lower case.
    Lower,
    /// Upper case.
    Upper,
    /// `key=value,key=value`; with either list not empty, other keys are refused.
    Dict {
        /// The keys that must be there.
        required: &'static [&'static str],
        /// The keys that may be there.
        optional: &'static [&'static str],
    },
}

/// What an option does when it is met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Action {
    /// Takes one word.
    Store,
    /// Takes one word and appends it to a list.
    Append,
    /// Stores true.
    True,
    /// Stores false.
    False,
    /// Stores a fixed text.
    Const(&'static str),
    /// Counts.
    Count,
}

/// What a destination holds when the option is not given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Default {
    /// Null (false, true, or zero for flags and counters).
    Usual,
    /// Nothing: the destination is missing.
    Absent,
    /// A text.
    Text(&'static str),
    /// A number.
    Number(i64),
    /// An empty list.
    List,
}

/// An option.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its spellings, with dashes.
    pub flags: &'static [&'static str],
    /// Where its value goes.
    pub dest: &'static str,
    /// What it does.
    pub action: Action,
    /// How its word is read.
    pub kind: Kind,
    /// The only words it takes, if not empty.
    pub choices: &'static [&'static str],
    /// How its word is named in messages; empty: the destination in capitals.
    pub metavar: &'static str,
    /// What it holds when not given.
    pub default: Default,
    /// Whether it must be given.
    pub required: bool,
    /// Options of one command with the same number above zero exclude each other.
    pub group: u8,
    /// One sentence; empty: not shown.
    pub help: &'static str,
}

impl Opt {
    /// An option that takes a word.
    pub const fn new(flags: &'static [&'static str], dest: &'static str) -> Self {
        Self {
            flags,
            dest,
            action: Action::Store,
            kind: Kind::Text,
            choices: &[],
            metavar: "",
            default: Default::Usual,
            required: false,
            group: 0,
            help: "",
        }
    }

    /// An option without a word.
    pub const fn flag(flags: &'static [&'static str], dest: &'static str) -> Self {
        Self { action: Action::True, ..Self::new(flags, dest) }
    }

    /// An option that may be repeated.
    pub const fn many(flags: &'static [&'static str], dest: &'static str) -> Self {
        Self { action: Action::Append, ..Self::new(flags, dest) }
    }

    /// An option that takes True or False, missing unless given.
    pub const fn boolean(flags: &'static [&'static str], dest: &'static str) -> Self {
        Self {
            choices: &["True", "true", "False", "false"],
            metavar: "{True,False}",
            default: Default::Absent,
            ..Self::new(flags, dest)
        }
    }

    /// With another action.
    pub const fn action(self, action: Action) -> Self {
        Self { action, ..self }
    }

    /// With another kind of value.
    pub const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Restricted to some words.
    pub const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    /// With a name for its word.
    pub const fn metavar(self, metavar: &'static str) -> Self {
        Self { metavar, ..self }
    }

    /// With another default.
    pub const fn default(self, default: Default) -> Self {
        Self { default, ..self }
    }

    /// That must be given.
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// In a group whose members exclude each other.
    pub const fn group(self, group: u8) -> Self {
        Self { group, ..self }
    }

    /// With a sentence for the help.
    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Whether a word follows it.
    pub fn takes_word(&self) -> bool {
        matches!(self.action, Action::Store | Action::Append)
    }

    /// How messages name it.
    pub fn name(&self) -> String {
        self.flags.join("/")
    }

    /// How messages name its word.
    pub fn word(&self) -> String {
        word(self.metavar, self.choices, &self.dest.to_uppercase())
    }
}

/// How many words a positional takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Count {
    /// Exactly one.
    One,
    /// One or none.
    Optional,
    /// One or more, as a list.
    Many,
}

/// A positional.
#[derive(Clone, Copy, Debug)]
pub struct Pos {
    /// Where its value goes.
    pub dest: &'static str,
    /// How messages name it.
    pub metavar: &'static str,
    /// How many words.
    pub count: Count,
    /// How its words are read.
    pub kind: Kind,
    /// The only words it takes, if not empty.
    pub choices: &'static [&'static str],
    /// One sentence; empty: not shown.
    pub help: &'static str,
}

impl Pos {
    /// A positional of one word.
    pub const fn new(dest: &'static str, metavar: &'static str, help: &'static str) -> Self {
        Self { dest, metavar, count: Count::One, kind: Kind::Text, choices: &[], help }
    }

    /// With another number of words.
    pub const fn count(self, count: Count) -> Self {
        Self { count, ..self }
    }

    /// With another kind of value.
    pub const fn kind(self, kind: Kind) -> Self {
        Self { kind, ..self }
    }

    /// Restricted to some words.
    pub const fn choices(self, choices: &'static [&'static str]) -> Self {
        Self { choices, ..self }
    }

    /// How messages name it.
    pub fn word(&self) -> String {
        word(self.metavar, self.choices, self.dest)
    }
}

fn word(metavar: &str, choices: &[&str], fallback: &str) -> String {
    if !metavar.is_empty() {
        metavar.to_owned()
    } else if !choices.is_empty() {
        format!("{{{}}}", choices.join(","))
    } else {
        fallback.to_owned()
    }
}

/// A heading of the help with its options.
#[derive(Clone, Copy, Debug)]
pub struct Section {
    /// The heading; empty: among the plain options.
    pub title: &'static str,
    /// A line under the heading, may be empty.
    pub about: &'static str,
    /// The options.
    pub options: &'static [Opt],
}

impl Section {
    /// Options without a heading of their own.
    pub const fn plain(options: &'static [Opt]) -> Self {
        Self { title: "", about: "", options }
    }
}

/// All that one command line understands.
#[derive(Clone, Debug)]
pub struct Parser {
    /// How it is called: `neutron net-create`.
    pub prog: String,
    /// What it is for.
    pub about: String,
    /// Its options, in the order of the usage line.
    pub sections: Vec<Section>,
    /// Its positionals.
    pub positionals: Vec<Pos>,
}

impl Parser {
    /// Every option in order.
    pub fn options(&self) -> impl Iterator<Item = &'static Opt> {
        self.sections.iter().flat_map(|section| section.options.iter())
    }
}
