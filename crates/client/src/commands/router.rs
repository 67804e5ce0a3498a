//! `router-*` and what the L3 agents serve.

use serde_json::{Map, Value, json};

use crate::api::Params;
use crate::argparse::{Count, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, Fixed, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::resource::{AGENT, FLAVOR, NETWORK, PORT, ROUTER, SUBNET};
use crate::verbs::fixed_ips;

static LIST: List = List {
    columns: &["id", "name", "external_gateway_info", "distributed", "ha"],
    cells: &[("external_gateway_info", cells::external_gateway_info)],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

static ON_AGENT: List = List {
    columns: &["id", "name", "external_gateway_info"],
    cells: &[("external_gateway_info", cells::external_gateway_info)],
    source: Source::OnAgent { dest: "l3_agent", path: "/l3-routers" },
    pages: false,
    sorting: false,
    filters: &[],
    extend: Extend::Nothing,
};

static HOSTING: List = List {
    columns: &["id", "host", "admin_state_up", "alive"],
    cells: &[],
    source: Source::Hosting { dest: "router", resource: &ROUTER, path: "/l3-agents" },
    pages: false,
    sorting: false,
    filters: &[],
    extend: Extend::Alive,
};

const DISTRIBUTED: Opt = Opt::boolean(&["--distributed"], "distributed").help("on every compute host");

const CREATE: &[Opt] = &[
    Opt::new(&["--flavor"], "flavor").help("name or id of a flavour"),
    DISTRIBUTED,
    Opt::boolean(&["--ha"], "ha").help("on several network hosts, one of them active"),
];

const UPDATE: &[Opt] = &[
    Opt::boolean(&["--admin-state-up"], "admin_state").help("switch it on or off"),
    Opt { help: "", ..Opt::boolean(&["--admin_state_up"], "admin_state") },
    DISTRIBUTED,
    options::route(&["--route"], "routes").group(1),
    Opt::flag(&["--no-routes"], "no_routes").group(1).help("remove its routes"),
];

const GATEWAY: &[Opt] = &[
    Opt::flag(&["--enable-snat"], "enable_snat").help("with source NAT"),
    Opt::flag(&["--disable-snat"], "disable_snat").help("without source NAT"),
    options::fixed_ip("a subnet, an address or both on the external network; may be repeated"),
];

const ROUTER_POS: Pos = Pos::new("router", "ROUTER", "name or id of the router");
const INTERFACE: &[Pos] =
    &[ROUTER_POS, Pos::new("interface", "INTERFACE", "SUBNET, subnet=SUBNET or port=PORT, by name or id")];

fn routes(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    if let Some(state) = run.args.get("admin_state") {
        body.insert("admin_state_up".to_owned(), state.clone());
    }
    if run.is_set("no_routes") {
        body.insert("routes".to_owned(), Fixed::Null.json());
    } else if run.is_set("routes") {
        body.insert("routes".to_owned(), run.args["routes"].clone());
    }
    Ok(())
}

fn router_id(run: &mut Run<'_>) -> Result<String, Fault> {
    let wanted = run.text("router").to_owned();
    run.api.id(&ROUTER, &wanted)
}

fn change_interface(run: &mut Run<'_>, action: &str) -> Result<Option<Value>, Fault> {
    let interface = run.text("interface").to_owned();
    let (kind, wanted) = interface.split_once('=').unwrap_or(("subnet", &interface));
    let resource = match kind {
        "subnet" => &SUBNET,
        "port" => &PORT,
        _ => {
            let words = "You must specify either subnet or port for INTERFACE parameter.";
            return Err(Fault::Command(words.to_owned()));
        }
    };
    let router = router_id(run)?;
    let body = json!({format!("{kind}_id"): run.api.id(resource, wanted)?});
    run.api.request("PUT", &format!("/routers/{router}/{action}"), &Params::new(), Some(&body))
}

fn add_interface(run: &mut Run<'_>) -> Result<(), Fault> {
    let answer = change_interface(run, "add_router_interface")?.unwrap_or_default();
    let port = crate::python::text(&answer["port_id"]);
    let line = format!("Added interface {port} to router {}.", run.text("router"));
    run.say(&line);
    Ok(())
}

fn remove_interface(run: &mut Run<'_>) -> Result<(), Fault> {
    change_interface(run, "remove_router_interface")?;
    let line = format!("Removed interface from router {}.", run.text("router"));
    run.say(&line);
    Ok(())
}

fn put_gateway(run: &mut Run<'_>, router: &str, gateway: &Value) -> Result<(), Fault> {
    let body = json!({"router": {"external_gateway_info": gateway}});
    run.api.request("PUT", &format!("/routers/{router}"), &Params::new(), Some(&body))?;
    Ok(())
}

fn set_gateway(run: &mut Run<'_>) -> Result<(), Fault> {
    let router = router_id(run)?;
    let network = run.text("external_network").to_owned();
    let mut gateway = json!({"network_id": run.api.id(&NETWORK, &network)?});
    if run.is_set("enable_snat") {
        gateway["enable_snat"] = json!(true);
    }
    if run.is_set("disable_snat") {
        gateway["enable_snat"] = json!(false);
    }
    if let Some(ips) = fixed_ips(run, "fixed_ip")? {
        gateway["external_fixed_ips"] = ips;
    }
    put_gateway(run, &router, &gateway)?;
    let line = format!("Set gateway for router {}", run.text("router"));
    run.say(&line);
    Ok(())
}

fn clear_gateway(run: &mut Run<'_>) -> Result<(), Fault> {
    let router = router_id(run)?;
    put_gateway(run, &router, &json!({}))?;
    let line = format!("Removed gateway from router {}", run.text("router"));
    run.say(&line);
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 11] = [
    Command {
        name: "router-list",
        about: "List routers that belong to a given tenant.",
        resource: &ROUTER,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "router-show",
        about: "Show information of a given router.",
        resource: &ROUTER,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("ROUTER", "name or id of the router")],
    },
    Command {
        name: "router-create",
        about: "Create a router for a given tenant.",
        resource: &ROUTER,
        verb: Verb::Create(&[
            Field::Always("admin_state", "admin_state_up"),
            Field::IdIf("flavor", "flavor_id", &FLAVOR),
            Field::Given("name"),
            Field::Given("tenant_id"),
            Field::Given("distributed"),
            Field::Given("ha"),
            Field::Given("description"),
            Field::Filled("availability_zone_hints", "availability_zone_hints"),
        ]),
        options: &[options::ADMIN_STATE_DOWN, options::DESCRIPTION, CREATE, options::ZONE_HINTS],
        positionals: &[Pos::new("name", "NAME", "its name")],
    },
    Command {
        name: "router-update",
        about: "Update router's information.",
        resource: &ROUTER,
        verb: Verb::Update {
            by_name: true,
            fields: &[
                Field::With(routes),
                Field::Given("name"),
                Field::Given("distributed"),
                Field::Given("description"),
            ],
        },
        options: &[options::NAME, options::DESCRIPTION, UPDATE],
        positionals: &[id("ROUTER", "name or id of the router")],
    },
    Command {
        name: "router-delete",
        about: "Delete a given router.",
        resource: &ROUTER,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("ROUTER", "names or ids of routers").count(Count::Many)],
    },
    Command {
        name: "router-interface-add",
        about: "Add an internal network interface to a router.",
        resource: &ROUTER,
        verb: Verb::Act(add_interface),
        options: &[],
        positionals: INTERFACE,
    },
    Command {
        name: "router-interface-delete",
        about: "Remove an internal network interface from a router.",
        resource: &ROUTER,
        verb: Verb::Act(remove_interface),
        options: &[],
        positionals: INTERFACE,
    },
    Command {
        name: "router-gateway-set",
        about: "Set the external network gateway for a router.",
        resource: &ROUTER,
        verb: Verb::Act(set_gateway),
        options: &[GATEWAY],
        positionals: &[
            ROUTER_POS,
            Pos::new("external_network", "EXTERNAL-NETWORK", "name or id of the external network"),
        ],
    },
    Command {
        name: "router-gateway-clear",
        about: "Remove an external network gateway from a router.",
        resource: &ROUTER,
        verb: Verb::Act(clear_gateway),
        options: &[],
        positionals: &[ROUTER_POS],
    },
    Command {
        name: "router-list-on-l3-agent",
        about: "List the routers on a L3 agent.",
        resource: &ROUTER,
        verb: Verb::List(&ON_AGENT),
        options: &[],
        positionals: &[Pos::new("l3_agent", "L3_AGENT", "id of the L3 agent")],
    },
    Command {
        name: "l3-agent-list-hosting-router",
        about: "List L3 agents hosting a router.",
        resource: &AGENT,
        verb: Verb::List(&HOSTING),
        options: &[],
        positionals: &[ROUTER_POS],
    },
];
