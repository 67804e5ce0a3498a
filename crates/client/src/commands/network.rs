//! `net-*`.

use crate::argparse::{Count, Default, Kind, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, Fixed, List, Source, Verb, id};
use crate::options;
use crate::resource::{NETWORK, QOS_POLICY};

const FILTERS: &[Opt] = &[
    Opt::new(&["--tenant-id"], "tenant_id").help("only those of this project"),
    Opt::new(&["--name"], "name").help("only those with this name"),
    Opt::boolean(&["--admin-state-up"], "admin_state_up").help("only those switched on, or off"),
    Opt::new(&["--status"], "status").kind(Kind::Upper).help("only those with this status, such as ACTIVE"),
    Opt::boolean(&["--shared"], "shared").help("only shared ones, or others"),
    Opt::boolean(&["--router:external"], "router:external").help("only external ones, or others"),
    Opt::new(&["--tags"], "tags").metavar("TAG").help("only those with all of these tags (a,b,c)"),
    Opt::new(&["--tags-any"], "tags_any").metavar("TAG").help("only those with any of these tags"),
    Opt::new(&["--not-tags"], "not_tags").metavar("TAG").help("only those without all of these tags"),
    Opt::new(&["--not-tags-any"], "not_tags_any").metavar("TAG").help("only those without any of these tags"),
];

static LIST: List = List {
    columns: &["id", "name", "subnets"],
    cells: &[("subnets", cells::subnets)],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: FILTERS,
    extend: Extend::Subnets,
};

static ON_AGENT: List = List {
    columns: &["id", "name", "subnets"],
    cells: &[("subnets", cells::subnets)],
    source: Source::OnAgent { dest: "dhcp_agent", path: "/dhcp-networks" },
    pages: true,
    sorting: true,
    filters: FILTERS,
    extend: Extend::Subnets,
};

const CREATE: &[Opt] = &[
    Opt::flag(&["--shared"], "shared").default(Default::Absent).help("every project may use it"),
    Opt::new(&["--provider:network_type"], "provider:network_type")
        .metavar("<network_type>")
        .help("how it is made: flat, vlan, vxlan, gre, geneve or local"),
    Opt::new(&["--provider:physical_network"], "provider:physical_network")
        .metavar("<physical_network_name>")
        .help("the physical network it is made over"),
    Opt::new(&["--provider:segmentation_id"], "provider:segmentation_id")
        .metavar("<segmentation_id>")
        .help("the VLAN or tunnel id"),
    Opt::boolean(&["--vlan-transparent"], "vlan_transparent").help("pass VLAN tags through"),
];

/// The commands.
pub static COMMANDS: [Command; 7] = [
    Command {
        name: "net-list",
        about: "List networks that belong to a given tenant.",
        resource: &NETWORK,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "net-external-list",
        about: "List external networks that belong to a given tenant.",
        resource: &NETWORK,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "net-list-on-dhcp-agent",
        about: "List the networks on a DHCP agent.",
        resource: &NETWORK,
        verb: Verb::List(&ON_AGENT),
        options: &[],
        positionals: &[Pos::new("dhcp_agent", "DHCP_AGENT", "id of the DHCP agent")],
    },
    Command {
        name: "net-show",
        about: "Show information of a given network.",
        resource: &NETWORK,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("NETWORK", "name or id of the network")],
    },
    Command {
        name: "net-create",
        about: "Create a network for a given tenant.",
        resource: &NETWORK,
        verb: Verb::Create(&[
            Field::Always("admin_state", "admin_state_up"),
            Field::Given("name"),
            Field::Given("description"),
            Field::Given("shared"),
            Field::Given("tenant_id"),
            Field::Given("vlan_transparent"),
            Field::Given("provider:network_type"),
            Field::Given("provider:physical_network"),
            Field::Given("provider:segmentation_id"),
            Field::IdIf("qos_policy", "qos_policy_id", &QOS_POLICY),
            Field::Filled("availability_zone_hints", "availability_zone_hints"),
            Field::Filled("dns_domain", "dns_domain"),
        ]),
        options: &[
            options::ADMIN_STATE_DOWN,
            CREATE,
            options::DESCRIPTION,
            options::QOS_CREATE,
            options::ZONE_HINTS,
            options::DNS_DOMAIN,
        ],
        positionals: &[Pos::new("name", "NAME", "its name")],
    },
    Command {
        name: "net-update",
        about: "Update network's information.",
        resource: &NETWORK,
        verb: Verb::Update {
            by_name: true,
            fields: &[
                Field::Given("name"),
                Field::Given("description"),
                Field::IdIf("qos_policy", "qos_policy_id", &QOS_POLICY),
                Field::If("no_qos_policy", "qos_policy_id", Fixed::Null),
                Field::Filled("dns_domain", "dns_domain"),
                Field::If("no_dns_domain", "dns_domain", Fixed::EmptyText),
            ],
        },
        options: &[options::NAME, options::DESCRIPTION, options::QOS_UPDATE, options::DNS_DOMAIN_UPDATE],
        positionals: &[id("NETWORK", "name or id of the network")],
    },
    Command {
        name: "net-delete",
        about: "Delete a given network.",
        resource: &NETWORK,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("NETWORK", "names or ids of networks").count(Count::Many)],
    },
];
