//! `address-scope-*`.

use crate::argparse::{Count, Kind, Opt, Pos};
use crate::command::{Command, Extend, Field, Fixed, List, Source, Verb, id};
use crate::options;
use crate::resource::ADDRESS_SCOPE;

static LIST: List = List {
    columns: &["id", "name", "ip_version"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const SHARED: &[Opt] = &[Opt::flag(&["--shared"], "shared").help("every project may use it")];
const SHARE: &[Opt] = &[Opt::boolean(&["--shared"], "shared").help("whether every project may use it")];

/// The commands.
pub static COMMANDS: [Command; 5] = [
    Command {
        name: "address-scope-list",
        about: "List address scopes that belong to a given tenant.",
        resource: &ADDRESS_SCOPE,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "address-scope-show",
        about: "Show information about an address scope.",
        resource: &ADDRESS_SCOPE,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("ADDRESS_SCOPE", "name or id of the address scope")],
    },
    Command {
        name: "address-scope-create",
        about: "Create an address scope for a given tenant.",
        resource: &ADDRESS_SCOPE,
        verb: Verb::Create(&[
            Field::Always("name", "name"),
            Field::Always("ip_version", "ip_version"),
            Field::If("shared", "shared", Fixed::True),
            Field::Given("tenant_id"),
        ]),
        options: &[SHARED],
        positionals: &[
            Pos::new("name", "NAME", "its name"),
            Pos::new("ip_version", "IP_VERSION", "4 or 6").kind(Kind::Int).choices(&["4", "6"]),
        ],
    },
    Command {
        name: "address-scope-update",
        about: "Update an address scope.",
        resource: &ADDRESS_SCOPE,
        verb: Verb::Update { by_name: true, fields: &[Field::Given("name"), Field::Given("shared")] },
        options: &[options::NAME, SHARE],
        positionals: &[id("ADDRESS_SCOPE", "name or id of the address scope")],
    },
    Command {
        name: "address-scope-delete",
        about: "Delete an address scope.",
        resource: &ADDRESS_SCOPE,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("ADDRESS_SCOPE", "names or ids of address scopes").count(Count::Many)],
    },
];
