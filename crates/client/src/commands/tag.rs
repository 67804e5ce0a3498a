//! `tag-add`, `tag-replace`, `tag-remove`.

use serde_json::{Value, json};

use crate::api::Params;
use crate::argparse::Opt;
use crate::command::{Command, Run, Verb};
use crate::fault::Fault;
use crate::resource::{NETWORK, PORT, ROUTER, Resource, SUBNET, SUBNETPOOL};

static TAGGED: [&Resource; 5] = [&NETWORK, &SUBNET, &PORT, &ROUTER, &SUBNETPOOL];

const RESOURCE: &[Opt] = &[
    Opt::new(&["--resource-type"], "resource_type")
        .choices(&["network", "subnet", "port", "router", "subnetpool"])
        .required()
        .help("the kind of resource"),
    Opt::new(&["--resource"], "resource").required().help("name or id of the resource"),
];

const ONE: &[Opt] = &[Opt::new(&["--tag"], "tag").required().help("the tag to add")];
const SEVERAL: &[Opt] =
    &[Opt::many(&["--tag"], "tags").metavar("TAG").required().help("a tag; may be repeated")];
const ONE_OR_ALL: &[Opt] = &[
    Opt::flag(&["--all"], "all").group(1).help("remove all tags"),
    Opt::new(&["--tag"], "tag").group(1).help("the tag to remove"),
];

fn tags_path(run: &mut Run<'_>) -> Result<String, Fault> {
    let kind = run.text("resource_type");
    let Some(resource) = TAGGED.into_iter().find(|resource| resource.name == kind) else {
        return Err(Fault::Command(format!("{kind} has no tags")));
    };
    let wanted = run.text("resource").to_owned();
    Ok(format!("{}/{}/tags", resource.path, run.api.id(resource, &wanted)?))
}

fn add(run: &mut Run<'_>) -> Result<(), Fault> {
    if !run.is_set("tag") {
        return Err(Fault::Command("Cannot add an empty value as tag".to_owned()));
    }
    let path = format!("{}/{}", tags_path(run)?, run.text("tag"));
    run.api.request("PUT", &path, &Params::new(), None)?;
    Ok(())
}

fn replace(run: &mut Run<'_>) -> Result<(), Fault> {
    let path = tags_path(run)?;
    let tags: Value = run.args.get("tags").cloned().unwrap_or_default();
    run.api.request("PUT", &path, &Params::new(), Some(&json!({"tags": tags})))?;
    Ok(())
}

fn remove(run: &mut Run<'_>) -> Result<(), Fault> {
    if !run.is_set("all") && !run.is_set("tag") {
        return Err(Fault::Command("--all or --tag must be specified".to_owned()));
    }
    let mut path = tags_path(run)?;
    if !run.is_set("all") {
        path = format!("{path}/{}", run.text("tag"));
    }
    run.api.request("DELETE", &path, &Params::new(), None)?;
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 3] = [
    Command {
        name: "tag-add",
        about: "Add a tag into the resource.",
        resource: &NETWORK,
        verb: Verb::Act(add),
        options: &[RESOURCE, ONE],
        positionals: &[],
    },
    Command {
        name: "tag-replace",
        about: "Replace all tags on the resource.",
        resource: &NETWORK,
        verb: Verb::Act(replace),
        options: &[RESOURCE, SEVERAL],
        positionals: &[],
    },
    Command {
        name: "tag-remove",
        about: "Remove a tag on the resource.",
        resource: &NETWORK,
        verb: Verb::Act(remove),
        options: &[RESOURCE, ONE_OR_ALL],
        positionals: &[],
    },
];
