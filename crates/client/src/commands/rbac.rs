//! `rbac-*`.

use serde_json::{Map, Value, json};

use crate::argparse::{Count, Default, Kind, Opt, Pos};
use crate::command::{Command, Extend, Field, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::resource::{NETWORK, QOS_POLICY, RBAC_POLICY};

static LIST: List = List {
    columns: &["id", "object_type", "object_id"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const TARGET: Opt =
    Opt::new(&["--target-tenant"], "target_tenant").help("the project it is for; * for every one");

const CREATE: &[Opt] = &[
    Opt::new(&["--type"], "type")
        .kind(Kind::Lower)
        .choices(&["network", "qos-policy"])
        .required()
        .help("the kind of object"),
    TARGET.default(Default::Text("*")),
    Opt::new(&["--action"], "action")
        .kind(Kind::Lower)
        .choices(&["access_as_external", "access_as_shared"])
        .required()
        .help("what the project may do with it"),
];

fn object(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    let (resource, kind) =
        if run.text("type") == "network" { (&NETWORK, "network") } else { (&QOS_POLICY, "qos_policy") };
    let wanted = run.text("name").to_owned();
    body.insert("object_id".to_owned(), json!(run.api.id(resource, &wanted)?));
    body.insert("object_type".to_owned(), json!(kind));
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 5] = [
    Command {
        name: "rbac-list",
        about: "List RBAC policies that belong to a given tenant.",
        resource: &RBAC_POLICY,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "rbac-show",
        about: "Show information of a given RBAC policy.",
        resource: &RBAC_POLICY,
        verb: Verb::Show { by_name: false, indent: None },
        options: &[],
        positionals: &[id("RBAC_POLICY", "id of the policy")],
    },
    Command {
        name: "rbac-create",
        about: "Create a RBAC policy for a given tenant.",
        resource: &RBAC_POLICY,
        verb: Verb::Create(&[
            Field::With(object),
            Field::Always("target_tenant", "target_tenant"),
            Field::Always("action", "action"),
        ]),
        options: &[CREATE],
        positionals: &[Pos::new("name", "RBAC_OBJECT", "name or id of the object")],
    },
    Command {
        name: "rbac-update",
        about: "Update RBAC policy for given tenant.",
        resource: &RBAC_POLICY,
        verb: Verb::Update { by_name: false, fields: &[Field::Always("target_tenant", "target_tenant")] },
        options: &[&[TARGET]],
        positionals: &[id("RBAC_POLICY", "id of the policy")],
    },
    Command {
        name: "rbac-delete",
        about: "Delete a RBAC policy.",
        resource: &RBAC_POLICY,
        verb: Verb::Delete { by_name: false },
        options: &[],
        positionals: &[id("RBAC_POLICY", "ids of policies").count(Count::Many)],
    },
];
