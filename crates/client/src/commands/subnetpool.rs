//! `subnetpool-*`.

use crate::argparse::{Count, Kind, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, Fixed, List, Source, Verb, id};
use crate::options;
use crate::resource::{ADDRESS_SCOPE, SUBNETPOOL};

static LIST: List = List {
    columns: &["id", "name", "prefixes", "default_prefixlen", "address_scope_id", "is_default"],
    cells: &[("prefixes", cells::prefixes)],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const LENGTHS: &[Opt] = &[
    Opt::new(&["--min-prefixlen"], "min_prefixlen").kind(Kind::Int).help("the shortest prefix to hand out"),
    Opt::new(&["--max-prefixlen"], "max_prefixlen").kind(Kind::Int).help("the longest prefix to hand out"),
    Opt::new(&["--default-prefixlen"], "default_prefixlen")
        .kind(Kind::Int)
        .help("the usual prefix to hand out"),
];

const PREFIX: Opt = Opt::many(&["--pool-prefix"], "prefixes").help("a prefix of the pool; may be repeated");
const IS_DEFAULT: Opt =
    Opt::boolean(&["--is-default"], "is_default").help("the default pool of its IP version");

const CREATE: &[Opt] = &[
    PREFIX.required(),
    IS_DEFAULT,
    Opt::flag(&["--shared"], "shared").help("every project may use it"),
    Opt::new(&["--address-scope"], "address_scope")
        .metavar("ADDRSCOPE")
        .help("name or id of its address scope"),
];

const UPDATE: &[Opt] = &[
    PREFIX,
    IS_DEFAULT,
    Opt::new(&["--name"], "name").help("its new name"),
    Opt::new(&["--address-scope"], "address_scope")
        .metavar("ADDRSCOPE")
        .group(1)
        .help("name or id of its address scope"),
    Opt::flag(&["--no-address-scope"], "no_address_scope").group(1).help("in no address scope"),
];

/// The commands.
pub static COMMANDS: [Command; 5] = [
    Command {
        name: "subnetpool-list",
        about: "List subnetpools that belong to a given tenant.",
        resource: &SUBNETPOOL,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "subnetpool-show",
        about: "Show information of a given subnetpool.",
        resource: &SUBNETPOOL,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("SUBNETPOOL", "name or id of the subnet pool")],
    },
    Command {
        name: "subnetpool-create",
        about: "Create a subnetpool for a given tenant.",
        resource: &SUBNETPOOL,
        verb: Verb::Create(&[
            Field::Always("prefixes", "prefixes"),
            Field::Given("name"),
            Field::Given("default_prefixlen"),
            Field::Given("min_prefixlen"),
            Field::Given("max_prefixlen"),
            Field::Given("is_default"),
            Field::Given("description"),
            Field::Given("tenant_id"),
            Field::If("shared", "shared", Fixed::True),
            Field::IdIf("address_scope", "address_scope_id", &ADDRESS_SCOPE),
        ]),
        options: &[options::DESCRIPTION, LENGTHS, CREATE],
        positionals: &[Pos::new("name", "NAME", "its name")],
    },
    Command {
        name: "subnetpool-update",
        about: "Update subnetpool's information.",
        resource: &SUBNETPOOL,
        verb: Verb::Update {
            by_name: true,
            fields: &[
                Field::Given("name"),
                Field::Given("prefixes"),
                Field::Given("default_prefixlen"),
                Field::Given("min_prefixlen"),
                Field::Given("max_prefixlen"),
                Field::Given("is_default"),
                Field::Given("description"),
                Field::IdIf("address_scope", "address_scope_id", &ADDRESS_SCOPE),
                Field::If("no_address_scope", "address_scope_id", Fixed::Null),
            ],
        },
        options: &[options::DESCRIPTION, LENGTHS, UPDATE],
        positionals: &[id("SUBNETPOOL", "name or id of the subnet pool")],
    },
    Command {
        name: "subnetpool-delete",
        about: "Delete a given subnetpool.",
        resource: &SUBNETPOOL,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("SUBNETPOOL", "names or ids of subnet pools").count(Count::Many)],
    },
];
