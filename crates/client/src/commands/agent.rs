//! `agent-*` and the scheduling of networks and routers to agents.

use serde_json::{Value, json};

use crate::api::Params;
use crate::argparse::{Action, Count, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::resource::{AGENT, NETWORK, ROUTER, Resource};

/// How far the old client indents JSON in the cells of an agent.
const INDENT: usize = 5;

static LIST: List = List {
    columns: &["id", "agent_type", "host", "availability_zone", "alive", "admin_state_up", "binary"],
    cells: &[("heartbeat_timestamp", cells::heartbeat_timestamp)],
    source: Source::Collection,
    pages: false,
    sorting: true,
    filters: &[],
    extend: Extend::Alive,
};

static HOSTING_NETWORK: List = List {
    columns: &["id", "host", "admin_state_up", "alive"],
    cells: &[],
    source: Source::Hosting { dest: "network", resource: &NETWORK, path: "/dhcp-agents" },
    pages: false,
    sorting: false,
    filters: &[],
    extend: Extend::Alive,
};

const UPDATE: &[Opt] =
    &[Opt::flag(&["--admin-state-down"], "admin_state").action(Action::False).help("give it no more work")];

const DHCP_AGENT: Pos = Pos::new("dhcp_agent", "DHCP_AGENT", "id of the DHCP agent");
const L3_AGENT: Pos = Pos::new("l3_agent", "L3_AGENT", "id of the L3 agent");
const ON_DHCP_AGENT: &[Pos] = &[DHCP_AGENT, Pos::new("network", "NETWORK", "name or id of the network")];
const ON_L3_AGENT: &[Pos] = &[L3_AGENT, Pos::new("router", "ROUTER", "name or id of the router")];

/// A kind of scheduling: what is given to which kind of agent.
struct Scheduling {
    agent: &'static str,
    spoken: &'static str,
    resource: &'static Resource,
    path: &'static str,
}

static DHCP: Scheduling =
    Scheduling { agent: "dhcp_agent", spoken: "DHCP agent", resource: &NETWORK, path: "dhcp-networks" };
static L3: Scheduling =
    Scheduling { agent: "l3_agent", spoken: "L3 agent", resource: &ROUTER, path: "l3-routers" };

fn give(run: &mut Run<'_>, to: &Scheduling) -> Result<(), Fault> {
    let what = to.resource.name;
    let wanted = run.text(what).to_owned();
    let body: Value = json!({format!("{what}_id"): run.api.id(to.resource, &wanted)?});
    let path = format!("/agents/{}/{}", run.text(to.agent), to.path);
    run.api.request("POST", &path, &Params::new(), Some(&body))?;
    run.say(&format!("Added {what} {wanted} to {}", to.spoken));
    Ok(())
}

fn take(run: &mut Run<'_>, from: &Scheduling) -> Result<(), Fault> {
    let what = from.resource.name;
    let wanted = run.text(what).to_owned();
    let id = run.api.id(from.resource, &wanted)?;
    let path = format!("/agents/{}/{}/{id}", run.text(from.agent), from.path);
    run.api.request("DELETE", &path, &Params::new(), None)?;
    run.say(&format!("Removed {what} {wanted} from {}", from.spoken));
    Ok(())
}

fn add_network(run: &mut Run<'_>) -> Result<(), Fault> {
    give(run, &DHCP)
}

fn remove_network(run: &mut Run<'_>) -> Result<(), Fault> {
    take(run, &DHCP)
}

fn add_router(run: &mut Run<'_>) -> Result<(), Fault> {
    give(run, &L3)
}

fn remove_router(run: &mut Run<'_>) -> Result<(), Fault> {
    take(run, &L3)
}

/// The commands.
pub static COMMANDS: [Command; 9] = [
    Command {
        name: "agent-list",
        about: "List agents.",
        resource: &AGENT,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "agent-show",
        about: "Show information of a given agent.",
        resource: &AGENT,
        verb: Verb::Show { by_name: false, indent: Some(INDENT) },
        options: &[],
        positionals: &[id("AGENT", "id of the agent")],
    },
    Command {
        name: "agent-update",
        about: "Updates the admin status and description for a specified agent.",
        resource: &AGENT,
        verb: Verb::Update {
            by_name: false,
            fields: &[Field::Always("admin_state", "admin_state_up"), Field::Given("description")],
        },
        options: &[UPDATE, options::DESCRIPTION],
        positionals: &[id("AGENT", "id of the agent")],
    },
    Command {
        name: "agent-delete",
        about: "Delete a given agent.",
        resource: &AGENT,
        verb: Verb::Delete { by_name: false },
        options: &[],
        positionals: &[id("AGENT", "ids of agents").count(Count::Many)],
    },
    Command {
        name: "dhcp-agent-list-hosting-net",
        about: "List DHCP agents hosting a network.",
        resource: &AGENT,
        verb: Verb::List(&HOSTING_NETWORK),
        options: &[],
        positionals: &[Pos::new("network", "NETWORK", "name or id of the network")],
    },
    Command {
        name: "dhcp-agent-network-add",
        about: "Add a network to a DHCP agent.",
        resource: &AGENT,
        verb: Verb::Act(add_network),
        options: &[],
        positionals: ON_DHCP_AGENT,
    },
    Command {
        name: "dhcp-agent-network-remove",
        about: "Remove a network from a DHCP agent.",
        resource: &AGENT,
        verb: Verb::Act(remove_network),
        options: &[],
        positionals: ON_DHCP_AGENT,
    },
    Command {
        name: "l3-agent-router-add",
        about: "Add a router to a L3 agent.",
        resource: &AGENT,
        verb: Verb::Act(add_router),
        options: &[],
        positionals: ON_L3_AGENT,
    },
    Command {
        name: "l3-agent-router-remove",
        about: "Remove a router from a L3 agent.",
        resource: &AGENT,
        verb: Verb::Act(remove_router),
        options: &[],
        positionals: ON_L3_AGENT,
    },
];
