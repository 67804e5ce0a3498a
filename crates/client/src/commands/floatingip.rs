//! `floatingip-*`.

use serde_json::{Map, Value, json};

use crate::api::{Params, opens_with_uuid};
use crate::argparse::{Count, Opt, Pos};
use crate::command::{Command, Extend, Field, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::resource::{self, FLOATINGIP, NETWORK};

static LIST: List = List {
    columns: &["id", "fixed_ip_address", "floating_ip_address", "port_id"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const FIXED: &[Opt] = &[
    Opt::new(&["--fixed-ip-address"], "fixed_ip_address")
        .help("which address of the port, if it has several"),
    Opt::new(&["--fixed_ip_address"], "fixed_ip_address"),
];

const PORT: &[Opt] = &[
    Opt::new(&["--port-id"], "port_id").help("id of the port it leads to"),
    Opt::new(&["--port_id"], "port_id"),
];

const ADDRESS: &[Opt] = &[
    Opt::new(&["--floating-ip-address"], "floating_ip_address").help("the address to use"),
    Opt::new(&["--subnet"], "subnet_id").help("id of the subnet to take an address from"),
];

const FLOATINGIP_ID: Pos = Pos::new("floatingip_id", "FLOATINGIP_ID", "id of the floating IP");

fn put(run: &mut Run<'_>, attributes: &Map<String, Value>) -> Result<(), Fault> {
    let path = format!("/floatingips/{}", run.text("floatingip_id"));
    run.api.request("PUT", &path, &Params::new(), Some(&json!({"floatingip": attributes})))?;
    Ok(())
}

fn associate(run: &mut Run<'_>) -> Result<(), Fault> {
    let port = run.text("port_id").to_owned();
    // The old client's help promised a name would do; here it does.
    if !opens_with_uuid(&port) {
        run.args.insert("port_id".to_owned(), json!(run.api.id(&resource::PORT, &port)?));
    }
    let given = |dest: &str| run.args.get(dest).filter(|value| !value.is_null()).cloned();
    let attributes = ["port_id", "fixed_ip_address"]
        .into_iter()
        .filter_map(|dest| given(dest).map(|value| (dest.to_owned(), value)))
        .collect();
    put(run, &attributes)?;
    let line = format!("Associated floating IP {}", run.text("floatingip_id"));
    run.say(&line);
    Ok(())
}

fn disassociate(run: &mut Run<'_>) -> Result<(), Fault> {
    put(run, &Map::from_iter([("port_id".to_owned(), Value::Null)]))?;
    let line = format!("Disassociated floating IP {}", run.text("floatingip_id"));
    run.say(&line);
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 6] = [
    Command {
        name: "floatingip-list",
        about: "List floating IPs that belong to a given tenant.",
        resource: &FLOATINGIP,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "floatingip-show",
        about: "Show information of a given floating IP.",
        resource: &FLOATINGIP,
        verb: Verb::Show { by_name: false, indent: None },
        options: &[],
        positionals: &[id("FLOATINGIP", "id of the floating IP")],
    },
    Command {
        name: "floatingip-create",
        about: "Create a floating IP for a given tenant.",
        resource: &FLOATINGIP,
        verb: Verb::Create(&[
            Field::Id("floating_network_id", "floating_network_id", &NETWORK),
            Field::Given("port_id"),
            Field::Given("tenant_id"),
            Field::Given("fixed_ip_address"),
            Field::Given("description"),
            Field::Given("floating_ip_address"),
            Field::Given("subnet_id"),
            Field::Filled("dns_domain", "dns_domain"),
            Field::Filled("dns_name", "dns_name"),
        ]),
        options: &[options::DESCRIPTION, PORT, FIXED, ADDRESS, options::DNS_DOMAIN, options::DNS_NAME],
        positionals: &[Pos::new(
            "floating_network_id",
            "FLOATING_NETWORK",
            "name or id of the external network",
        )],
    },
    Command {
        name: "floatingip-delete",
        about: "Delete a given floating IP.",
        resource: &FLOATINGIP,
        verb: Verb::Delete { by_name: false },
        options: &[],
        positionals: &[id("FLOATINGIP", "ids of floating IPs").count(Count::Many)],
    },
    Command {
        name: "floatingip-associate",
        about: "Create a mapping between a floating IP and a fixed IP.",
        resource: &FLOATINGIP,
        verb: Verb::Act(associate),
        options: &[FIXED],
        positionals: &[FLOATINGIP_ID, Pos::new("port_id", "PORT", "name or id of the port")],
    },
    Command {
        name: "floatingip-disassociate",
        about: "Remove a mapping from a floating IP to a fixed IP.",
        resource: &FLOATINGIP,
        verb: Verb::Act(disassociate),
        options: &[],
        positionals: &[FLOATINGIP_ID],
    },
];
