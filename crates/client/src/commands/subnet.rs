//! `subnet-*`.

use serde_json::{Map, Value, json};

use crate::argparse::{Count, Default, Kind, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::python;
use crate::resource::{NETWORK, SEGMENT, SUBNET, SUBNETPOOL};

static LIST: List = List {
    columns: &["id", "name", "cidr", "allocation_pools"],
    cells: &[
        ("allocation_pools", cells::allocation_pools),
        ("dns_nameservers", cells::dns_nameservers),
        ("host_routes", cells::host_routes),
    ],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const POOL: Kind = Kind::Dict { required: &["start", "end"], optional: &[] };
const MODES: &[&str] = &["dhcpv6-stateful", "dhcpv6-stateless", "slaac"];

const COMMON: &[Opt] = &[
    Opt::new(&["--gateway"], "gateway").metavar("GATEWAY_IP").group(1).help("the address of its gateway"),
    Opt::flag(&["--no-gateway"], "no_gateway").group(1).help("without a gateway"),
    Opt::many(&["--allocation-pool"], "allocation_pools")
        .metavar("start=IP_ADDR,end=IP_ADDR")
        .kind(POOL)
        .help("addresses to hand out; may be repeated"),
    Opt::many(&["--allocation_pool"], "allocation_pools").kind(POOL),
    options::route(&["--host-route"], "host_routes"),
    Opt::many(&["--dns-nameserver"], "dns_nameservers")
        .metavar("DNS_NAMESERVER")
        .help("a name server for its instances; may be repeated"),
    Opt::flag(&["--disable-dhcp"], "disable_dhcp").help("without DHCP"),
    Opt::flag(&["--enable-dhcp"], "enable_dhcp").help("with DHCP"),
    Opt::flag(&["--enable-dhcp=True"], "enable_dhcp"),
    Opt::flag(&["--enable-dhcp=False"], "disable_dhcp"),
];

const CREATE: &[Opt] = &[
    Opt::new(&["--ip-version"], "ip_version")
        .kind(Kind::Int)
        .choices(&["4", "6"])
        .default(Default::Number(4))
        .help("4 or 6; 4 unless given; a subnet pool has its own"),
    Opt::new(&["--ip_version"], "ip_version").kind(Kind::Int).choices(&["4", "6"]),
    Opt::new(&["--ipv6-ra-mode"], "ipv6_ra_mode")
        .kind(Kind::Lower)
        .choices(MODES)
        .help("what router advertisements say"),
    Opt::new(&["--ipv6-address-mode"], "ipv6_address_mode")
        .kind(Kind::Lower)
        .choices(MODES)
        .help("how instances get their address"),
    Opt::new(&["--subnetpool"], "subnetpool")
        .metavar("SUBNETPOOL")
        .help("name or id of a pool to take a CIDR from"),
    Opt::flag(&["--use-default-subnetpool"], "use_default_subnetpool")
        .help("take a CIDR from the default pool"),
    Opt::new(&["--prefixlen"], "prefixlen")
        .metavar("PREFIX_LENGTH")
        .help("the length of a prefix from a pool"),
    Opt::new(&["--segment"], "segment").metavar("SEGMENT").help("the segment it is on"),
];

fn gateway_and_dhcp(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    if run.is_set("disable_dhcp") && run.is_set("enable_dhcp") {
        return Err(Fault::Command("You cannot enable and disable DHCP at the same time.".to_owned()));
    }
    if run.is_set("no_gateway") {
        body.insert("gateway_ip".to_owned(), Value::Null);
    } else if run.is_set("gateway") {
        body.insert("gateway_ip".to_owned(), json!(run.text("gateway")));
    }
    if run.is_set("disable_dhcp") {
        body.insert("enable_dhcp".to_owned(), json!(false));
    }
    if run.is_set("enable_dhcp") {
        body.insert("enable_dhcp".to_owned(), json!(true));
    }
    Ok(())
}

fn pool_and_cidr(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    let mut version = run.args.get("ip_version").cloned().unwrap_or_default();
    match run.text("subnetpool").to_owned() {
        pool if pool == "None" => {
            body.insert("subnetpool_id".to_owned(), Value::Null);
        }
        pool if !pool.is_empty() => {
            let pool = run.api.find(&SUBNETPOOL, &pool, &[])?;
            version = pool["ip_version"].clone();
            body.insert("subnetpool_id".to_owned(), pool["id"].clone());
        }
        _ => {}
    }
    body.insert("ip_version".to_owned(), version.clone());
    let cidr = run.text("cidr").to_owned();
    if !cidr.is_empty() {
        body.insert("cidr".to_owned(), json!(cidr));
        let single = if version == json!(4) { "/32" } else { "/128" };
        if cidr.ends_with(single) {
            run.warnings.push_str(&format!(
                "An IPv{} subnet with a {single} CIDR will have only one usable IP address so the device attached to \
                 it will not have any IP connectivity.\n",
                python::text(&version)
            ));
        }
    }
    gateway_and_dhcp(run, body)?;
    for (dest, flag) in [("ipv6_ra_mode", "--ipv6-ra-mode"), ("ipv6_address_mode", "--ipv6-address-mode")] {
        if run.is_set(dest) {
            if version == json!(4) {
                return Err(Fault::Command(format!("{flag} is invalid when --ip-version is 4")));
            }
            body.insert(dest.to_owned(), json!(run.text(dest)));
        }
    }
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 5] = [
    Command {
        name: "subnet-list",
        about: "List subnets that belong to a given tenant.",
        resource: &SUBNET,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "subnet-show",
        about: "Show information of a given subnet.",
        resource: &SUBNET,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("SUBNET", "name or id of the subnet")],
    },
    Command {
        name: "subnet-create",
        about: "Create a subnet for a given tenant.",
        resource: &SUBNET,
        verb: Verb::Create(&[
            Field::Id("network_id", "network_id", &NETWORK),
            Field::Filled("prefixlen", "prefixlen"),
            Field::Filled("use_default_subnetpool", "use_default_subnetpool"),
            Field::IdIf("segment", "segment_id", &SEGMENT),
            Field::With(pool_and_cidr),
            Field::Given("name"),
            Field::Given("allocation_pools"),
            Field::Given("host_routes"),
            Field::Given("dns_nameservers"),
            Field::Given("description"),
            Field::Filled("tenant_id", "tenant_id"),
        ]),
        options: &[options::NAME, options::DESCRIPTION, COMMON, CREATE],
        positionals: &[
            Pos::new("network_id", "NETWORK", "name or id of its network"),
            Pos::new("cidr", "CIDR", "its CIDR").count(Count::Optional),
        ],
    },
    Command {
        name: "subnet-update",
        about: "Update subnet's information.",
        resource: &SUBNET,
        verb: Verb::Update {
            by_name: true,
            fields: &[
                Field::Given("name"),
                Field::Given("allocation_pools"),
                Field::Given("host_routes"),
                Field::Given("dns_nameservers"),
                Field::Given("description"),
                Field::With(gateway_and_dhcp),
            ],
        },
        options: &[options::NAME, options::DESCRIPTION, COMMON],
        positionals: &[id("SUBNET", "name or id of the subnet")],
    },
    Command {
        name: "subnet-delete",
        about: "Delete a given subnet.",
        resource: &SUBNET,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("SUBNET", "names or ids of subnets").count(Count::Many)],
    },
];
