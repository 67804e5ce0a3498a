//! `security-group-*` and `security-group-rule-*`.

use serde_json::{Map, Value, json};

use crate::argparse::{Count, Default, Kind, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::resource::{SECURITY_GROUP, SECURITY_GROUP_RULE};

/// How far the old client indents the rules in the cells of a group.
const RULES_INDENT: usize = 5;

static LIST: List = List {
    columns: &["id", "name", "security_group_rules"],
    cells: &[("security_group_rules", cells::security_group_rules)],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

static RULES: List = List {
    columns: &["id", "security_group_id", "direction", "ethertype", "port/protocol", "remote"],
    cells: &[],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Rules,
};

const NO_NAMES: &[Opt] =
    &[Opt::flag(&["--no-nameconv"], "no_nameconv").help("show ids of security groups, not names")];

const RULE: &[Opt] = &[
    Opt::new(&["--direction"], "direction")
        .kind(Kind::Lower)
        .choices(&["ingress", "egress"])
        .default(Default::Text("ingress"))
        .help("to the instance or from it"),
    Opt::new(&["--ethertype"], "ethertype").help("IPv4 or IPv6"),
    Opt::new(&["--protocol"], "protocol")
        .kind(Kind::Lower)
        .help("icmp, icmpv6, tcp, udp or a number from 0 to 255"),
    Opt::new(&["--port-range-min"], "port_range_min").help("the first port, or the ICMP type"),
    Opt::new(&["--port_range_min"], "port_range_min"),
    Opt::new(&["--port-range-max"], "port_range_max").help("the last port, or the ICMP code"),
    Opt::new(&["--port_range_max"], "port_range_max"),
    Opt::new(&["--remote-ip-prefix"], "remote_ip_prefix").help("the other side's CIDR"),
    Opt::new(&["--remote_ip_prefix"], "remote_ip_prefix"),
    Opt::new(&["--remote-group-id"], "remote_group_id")
        .metavar("REMOTE_GROUP")
        .help("name or id of the other side's security group"),
    Opt::new(&["--remote_group_id"], "remote_group_id"),
];

fn ethertype(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    let usual = if run.text("protocol") == "icmpv6" { "IPv6" } else { "IPv4" };
    let given = run.text("ethertype");
    body.insert("ethertype".to_owned(), json!(if given.is_empty() { usual } else { given }));
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 9] = [
    Command {
        name: "security-group-list",
        about: "List security groups that belong to a given tenant.",
        resource: &SECURITY_GROUP,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "security-group-show",
        about: "Show information of a given security group.",
        resource: &SECURITY_GROUP,
        verb: Verb::Show { by_name: true, indent: Some(RULES_INDENT) },
        options: &[],
        positionals: &[id("SECURITY_GROUP", "name or id of the security group")],
    },
    Command {
        name: "security-group-create",
        about: "Create a security group.",
        resource: &SECURITY_GROUP,
        verb: Verb::Create(&[
            Field::Always("name", "name"),
            Field::Given("description"),
            Field::Given("tenant_id"),
        ]),
        options: &[options::DESCRIPTION],
        positionals: &[Pos::new("name", "NAME", "its name")],
    },
    Command {
        name: "security-group-update",
        about: "Update a given security group.",
        resource: &SECURITY_GROUP,
        verb: Verb::Update { by_name: true, fields: &[Field::Given("name"), Field::Given("description")] },
        options: &[options::NAME, options::DESCRIPTION],
        positionals: &[id("SECURITY_GROUP", "name or id of the security group")],
    },
    Command {
        name: "security-group-delete",
        about: "Delete a given security group.",
        resource: &SECURITY_GROUP,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("SECURITY_GROUP", "names or ids of security groups").count(Count::Many)],
    },
    Command {
        name: "security-group-rule-list",
        about: "List security group rules that belong to a given tenant.",
        resource: &SECURITY_GROUP_RULE,
        verb: Verb::List(&RULES),
        options: &[NO_NAMES],
        positionals: &[],
    },
    Command {
        name: "security-group-rule-show",
        about: "Show information of a given security group rule.",
        resource: &SECURITY_GROUP_RULE,
        verb: Verb::Show { by_name: false, indent: None },
        options: &[],
        positionals: &[id("SECURITY_GROUP_RULE", "id of the rule")],
    },
    Command {
        name: "security-group-rule-create",
        about: "Create a security group rule.",
        resource: &SECURITY_GROUP_RULE,
        verb: Verb::Create(&[
            Field::Id("security_group_id", "security_group_id", &SECURITY_GROUP),
            Field::Always("direction", "direction"),
            Field::With(ethertype),
            Field::Given("protocol"),
            Field::Given("port_range_min"),
            Field::Given("port_range_max"),
            Field::Given("remote_ip_prefix"),
            Field::Given("tenant_id"),
            Field::Given("description"),
            Field::IdIf("remote_group_id", "remote_group_id", &SECURITY_GROUP),
        ]),
        options: &[options::DESCRIPTION, RULE],
        positionals: &[Pos::new("security_group_id", "SECURITY_GROUP", "name or id of the security group")],
    },
    Command {
        name: "security-group-rule-delete",
        about: "Delete a given security group rule.",
        resource: &SECURITY_GROUP_RULE,
        verb: Verb::Delete { by_name: false },
        options: &[],
        positionals: &[id("SECURITY_GROUP_RULE", "ids of rules").count(Count::Many)],
    },
];
