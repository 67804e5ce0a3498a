//! Extensions, service providers, availability zones, addresses in use, and purging a project.

use serde_json::{Map, Value, json};

use crate::api::Params;
use crate::argparse::{Default, Kind, Opt, Pos};
use crate::command::{Command, Extend, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::resource::{
    AVAILABILITY_ZONE, EXTENSION, FLOATINGIP, NETWORK, NETWORK_IP_AVAILABILITY, PORT, ROUTER, Resource,
    SECURITY_GROUP, SERVICE_PROVIDER,
};
use crate::verbs::sorted;
use crate::{cells, python};

static EXTENSIONS: List = List {
    columns: &["alias", "name"],
    cells: &[],
    source: Source::Collection,
    pages: false,
    sorting: false,
    filters: &[],
    extend: Extend::Nothing,
};

static PROVIDERS: List = List {
    columns: &["service_type", "name", "default"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

static ZONES: List = List {
    columns: &["name", "resource", "state"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

static AVAILABILITY: List = List {
    columns: &["network_id", "network_name", "total_ips", "used_ips"],
    cells: &[],
    source: Source::Collection,
    pages: false,
    sorting: true,
    filters: &[
        Opt::new(&["--ip-version"], "ip_version")
            .kind(Kind::Int)
            .choices(&["4", "6"])
            .default(Default::Number(4))
            .help("4 or 6; 4 unless given"),
        Opt::new(&["--network-id"], "network_id").help("only the network with this id"),
        Opt::new(&["--network-name"], "network_name").help("only networks with this name"),
        Opt::new(&["--tenant-id"], "tenant_id").help("only networks of this project"),
    ],
    extend: Extend::Nothing,
};

fn availability(run: &mut Run<'_>) -> Result<Map<String, Value>, Fault> {
    let wanted = run.text("network_id").to_owned();
    let network = run.api.id(&NETWORK, &wanted)?;
    let path = format!("{}/{network}", NETWORK_IP_AVAILABILITY.path);
    let answer = run.api.request("GET", &path, &Params::new(), None)?;
    match answer.and_then(|mut answer| answer.get_mut(NETWORK_IP_AVAILABILITY.name).map(Value::take)) {
        Some(Value::Object(mut object)) => {
            cells::format_object(&mut object, None);
            Ok(sorted(object))
        }
        Some(_) | None => Err(Fault::Command(python::repr_text(NETWORK_IP_AVAILABILITY.name))),
    }
}

/// What is purged, in the order in which it can be deleted.
static PURGED: [&Resource; 5] = [&FLOATINGIP, &PORT, &ROUTER, &NETWORK, &SECURITY_GROUP];

fn purge(run: &mut Run<'_>) -> Result<(), Fault> {
    let tenant = run.text("tenant").to_owned();
    let mut found: Vec<(&'static Resource, Vec<Value>)> = Vec::new();
    for resource in PURGED {
        let fields: &[&str] = match resource.name {
            "port" => &["id", "tenant_id", "device_id", "device_owner"],
            _ => &["id", "tenant_id"],
        };
        let mut rows =
            run.api.list(resource.path, resource.plural, vec![("fields".to_owned(), json!(fields))])?;
        rows.retain(|row| row["tenant_id"] == json!(tenant));
        found.push((resource, rows));
    }
    let mut total: usize = found.iter().map(|(_, rows)| rows.len()).sum();
    let mut done: usize = 0;
    let (mut deleted, mut failed) = (Vec::new(), Vec::new());
    for (resource, rows) in found {
        let (mut gone, mut left) = (0, 0);
        for row in rows {
            match purge_one(run, resource, &row) {
                Ok(()) => {
                    gone += 1;
                    done += 1;
                }
                Err(_) => {
                    left += 1;
                    total -= 1;
                }
            }
            let percent = (done * 100).checked_div(total).unwrap_or(100);
            run.out.push_str(&format!("\rPurging resources: {percent}% complete."));
        }
        count(&mut deleted, gone, resource);
        count(&mut failed, left, resource);
    }
    let mut words = Vec::new();
    if !deleted.is_empty() {
        words.push(format!("Deleted{}", deleted.join(",")));
    }
    if !failed.is_empty() {
        words.push(format!("The following resources could not be deleted:{}", failed.join(",")));
    }
    let message = if words.is_empty() {
        "Tenant has no supported resources.".to_owned()
    } else {
        format!("{}.", words.join(". "))
    };
    run.say(&format!("\n{message}"));
    Ok(())
}

fn purge_one(run: &mut Run<'_>, resource: &Resource, row: &Value) -> Result<(), Fault> {
    let id = python::text(&row["id"]);
    let owner = row["device_owner"].as_str().unwrap_or_default();
    if resource.name == "port" && owner.starts_with("network:router_interface") {
        let path = format!("/routers/{}/remove_router_interface", python::text(&row["device_id"]));
        run.api.request("PUT", &path, &Params::new(), Some(&json!({"port_id": id})))?;
    } else {
        run.api.request("DELETE", &format!("{}/{id}", resource.path), &Params::new(), None)?;
    }
    Ok(())
}

fn count(words: &mut Vec<String>, number: usize, resource: &Resource) {
    match number {
        0 => {}
        1 => words.push(format!(" 1 {}", resource.name)),
        _ => words.push(format!(" {number} {}", resource.plural)),
    }
}

/// The commands.
pub static COMMANDS: [Command; 7] = [
    Command {
        name: "ext-list",
        about: "List all extensions.",
        resource: &EXTENSION,
        verb: Verb::List(&EXTENSIONS),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "ext-show",
        about: "Show information of a given resource.",
        resource: &EXTENSION,
        verb: Verb::Show { by_name: false, indent: None },
        options: &[],
        positionals: &[id("EXTENSION", "alias of the extension")],
    },
    Command {
        name: "service-provider-list",
        about: "List service providers.",
        resource: &SERVICE_PROVIDER,
        verb: Verb::List(&PROVIDERS),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "availability-zone-list",
        about: "List availability zones.",
        resource: &AVAILABILITY_ZONE,
        verb: Verb::List(&ZONES),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "net-ip-availability-list",
        about: "List IP usage of networks",
        resource: &NETWORK_IP_AVAILABILITY,
        verb: Verb::List(&AVAILABILITY),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "net-ip-availability-show",
        about: "Show IP usage of specific network",
        resource: &NETWORK_IP_AVAILABILITY,
        verb: Verb::Object(availability),
        options: &[],
        positionals: &[Pos::new("network_id", "NETWORK", "name or id of the network")],
    },
    Command {
        name: "purge",
        about: "Delete all resources that belong to a given tenant.",
        resource: &NETWORK,
        verb: Verb::Act(purge),
        options: &[],
        positionals: &[Pos::new("tenant", "TENANT", "id of the project whose resources are deleted")],
    },
];
