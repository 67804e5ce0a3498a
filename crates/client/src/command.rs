//! What a command is: a row of data. Only what differs from all others is code.

use serde_json::{Map, Value};

use crate::api::Api;
use crate::argparse::{Args, Opt, Parser, Pos, Section};
use crate::fault::Fault;
use crate::options;
use crate::render::Fit;
use crate::resource::Resource;

/// A command of users.
#[derive(Debug)]
pub struct Command {
    /// How it is called.
    pub name: &'static str,
    /// What it does, in one sentence.
    pub about: &'static str,
    /// The kind of resource it is about.
    pub resource: &'static Resource,
    /// What it does to it.
    pub verb: Verb,
    /// Its own options.
    pub options: &'static [&'static [Opt]],
    /// Its positionals.
    pub positionals: &'static [Pos],
}

/// What a command does.
#[derive(Debug)]
pub enum Verb {
    /// Prints many.
    List(&'static List),
    /// Prints one.
    Show {
        /// Whether a name will do.
        by_name: bool,
        /// How far JSON inside cells is indented.
        indent: Option<usize>,
    },
    /// Makes one and prints it.
    Create(&'static [Field]),
    /// Changes one.
    Update {
        /// Whether a name will do.
        by_name: bool,
        /// Where the body comes from.
        fields: &'static [Field],
    },
    /// Deletes some.
    Delete {
        /// Whether a name will do.
        by_name: bool,
    },
    /// Something else that prints a line.
    Act(fn(&mut Run<'_>) -> Result<(), Fault>),
    /// Something else that prints an object.
    Object(fn(&mut Run<'_>) -> Result<Map<String, Value>, Fault>),
}

/// How a list is fetched and shown.
#[derive(Debug)]
pub struct List {
    /// The columns shown if `-c` does not say.
    pub columns: &'static [&'static str],
    /// The columns that look different in a table.
    pub cells: crate::cells::Cells,
    /// Where it comes from.
    pub source: Source,
    /// Whether `-P` is there.
    pub pages: bool,
    /// Whether `--sort-key` is there.
    pub sorting: bool,
    /// The options that become filters.
    pub filters: &'static [Opt],
    /// What is added to the rows before they are shown.
    pub extend: Extend,
}

/// Where a list comes from.
#[derive(Debug)]
pub enum Source {
    /// The resource's collection.
    Collection,
    /// What an agent serves, below `/agents/ID`.
    OnAgent {
        /// The positional that names the agent.
        dest: &'static str,
        /// The path below it.
        path: &'static str,
    },
    /// The agents that serve a resource, below the resource.
    Hosting {
        /// The positional that names the resource.
        dest: &'static str,
        /// Its kind.
        resource: &'static Resource,
        /// The path below it.
        path: &'static str,
    },
    /// A plain GET of the collection, of which all columns are shown.
    Whole,
}

/// What is added to rows before they are shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Extend {
    /// Nothing.
    Nothing,
    /// The CIDR of each subnet.
    Subnets,
    /// `:-)` or `xxx`.
    Alive,
    /// The names of security groups, and summaries of rules.
    Rules,
}

/// Where a part of a body comes from. `dest` is a destination of the command line, `key` an attribute.
#[derive(Clone, Copy, Debug)]
pub enum Field {
    /// As it is, null included.
    Always(&'static str, &'static str),
    /// Unless null or missing.
    Given(&'static str),
    /// Unless empty.
    Filled(&'static str, &'static str),
    /// If the flag is set: null, true, false, an empty list or an empty text.
    If(&'static str, &'static str, Fixed),
    /// The id of the resource named.
    Id(&'static str, &'static str, &'static Resource),
    /// The id of the resource named, unless empty.
    IdIf(&'static str, &'static str, &'static Resource),
    /// The ids of the resources named, unless empty.
    Ids(&'static str, &'static str, &'static Resource),
    /// A list of subnets and addresses, subnets by name or id, unless empty.
    FixedIps(&'static str, &'static str),
    /// Whatever the function says.
    With(fn(&mut Run<'_>, &mut Map<String, Value>) -> Result<(), Fault>),
}

/// A fixed value in a body.
#[derive(Clone, Copy, Debug)]
pub enum Fixed {
    /// Null.
    Null,
    /// True.
    True,
    /// False.
    False,
    /// `[]`.
    EmptyList,
    /// `""`.
    EmptyText,
}

impl Fixed {
    /// As JSON.
    pub fn json(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::True => Value::Bool(true),
            Self::False => Value::Bool(false),
            Self::EmptyList => Value::Array(Vec::new()),
            Self::EmptyText => Value::String(String::new()),
        }
    }
}

/// One command being run.
#[derive(Debug)]
pub struct Run<'a> {
    /// The command.
    pub command: &'static Command,
    /// The server.
    pub api: &'a mut Api,
    /// What the command's options and positionals took.
    pub args: Args,
    /// The words they did not take.
    pub extras: Vec<String>,
    /// What to print.
    pub out: String,
    /// What to warn of.
    pub warnings: String,
    /// The room for a table.
    pub fit: Fit,
}

impl Run<'_> {
    /// A text from the command line; empty if there is none.
    pub fn text(&self, dest: &str) -> &str {
        self.args.get(dest).and_then(Value::as_str).unwrap_or_default()
    }

    /// Whether a flag is set or an option filled.
    pub fn is_set(&self, dest: &str) -> bool {
        self.args.get(dest).is_some_and(crate::python::truthy)
    }

    /// Whether the output is a table.
    pub fn is_table(&self) -> bool {
        crate::render::Format::of(&self.args) == crate::render::Format::Table
    }

    /// Prints a line.
    pub fn say(&mut self, line: &str) {
        self.out.push_str(line);
        self.out.push('\n');
    }
}

/// The positional of commands about one resource.
pub const fn id(metavar: &'static str, help: &'static str) -> Pos {
    Pos::new("id", metavar, help)
}

impl Command {
    /// Its command line.
    pub fn parser(&self, prog: &str) -> Parser {
        let mut sections = Vec::new();
        match &self.verb {
            Verb::List(list) => {
                sections.extend([
                    options::LIST_FORMAT,
                    options::CSV,
                    options::JSON,
                    options::TABLE,
                    options::SORT,
                ]);
                sections.push(options::REQUEST);
                if !matches!(list.source, Source::Whole) {
                    sections.push(options::FIELDS);
                }
                if list.pages {
                    sections.push(options::PAGES);
                }
                if list.sorting {
                    sections.push(options::SORTING);
                }
            }
            Verb::Show { .. } => {
                sections.extend(options::SHOW.iter().chain([&options::REQUEST, &options::FIELDS]))
            }
            Verb::Object(_) => sections.extend(options::SHOW.iter().chain([&options::REQUEST])),
            Verb::Create(_) => {
                sections.extend(options::SHOW.iter().chain([&options::REQUEST, &options::TENANT]))
            }
            Verb::Update { .. } | Verb::Delete { .. } | Verb::Act(_) => sections.push(options::REQUEST),
        }
        sections.extend(self.options.iter().map(|options| Section::plain(options)));
        if let Verb::List(list) = &self.verb
            && !list.filters.is_empty()
        {
            sections.push(Section { title: "filtering arguments", about: "", options: list.filters });
        }
        Parser {
            prog: format!("{prog} {}", self.name),
            about: self.about.to_owned(),
            sections,
            positionals: self.positionals.to_vec(),
        }
    }
}
