//! `port-*` and `router-port-list`.

use serde_json::{Map, Value, json};

use crate::argparse::{Count, Default, Kind, Opt, Pos};
use crate::cells;
use crate::command::{Command, Extend, Field, Fixed, List, Run, Source, Verb, id};
use crate::fault::Fault;
use crate::options;
use crate::resource::{NETWORK, PORT, QOS_POLICY, SECURITY_GROUP};

static LIST: List = List {
    columns: &["id", "name", "mac_address", "fixed_ips"],
    cells: &[("fixed_ips", cells::fixed_ips)],
    source: Source::Collection,
    pages: true,
    sorting: true,
    filters: &[],
    extend: Extend::Nothing,
};

const COMMON: &[Opt] = &[
    options::fixed_ip("a subnet and an address to use: subnet_id=NAME_OR_ID,ip_address=IP; may be repeated"),
    Opt::many(&["--fixed_ip"], "fixed_ip"),
    Opt::new(&["--device-id"], "device_id").help("the id of the device it belongs to"),
    Opt::new(&["--device_id"], "device_id"),
    Opt::new(&["--device-owner"], "device_owner").help("what kind of device it belongs to"),
    Opt::new(&["--device_owner"], "device_owner"),
];

const VNIC_TYPES: &[&str] = &["direct", "direct-physical", "macvtap", "normal", "baremetal", "smart-nic"];

const CREATE: &[Opt] = &[
    Opt::new(&["--mac-address"], "mac_address").help("its MAC address"),
    Opt::new(&["--mac_address"], "mac_address"),
    Opt::new(&["--vnic-type"], "vnic_type")
        .metavar("<direct | direct-physical | macvtap | normal | baremetal | smart-nic>")
        .kind(Kind::Lower)
        .choices(VNIC_TYPES)
        .help("the kind of virtual network card"),
    Opt::new(&["--vnic_type"], "vnic_type").kind(Kind::Lower).choices(VNIC_TYPES),
    Opt::new(&["--binding-profile"], "binding_profile").help("binding:profile, as JSON"),
    Opt::new(&["--binding_profile"], "binding_profile"),
];

const STATE: &[Opt] = &[
    Opt::new(&["--admin-state-up"], "admin_state_up").choices(&["True", "False"]).help("switch it on or off"),
    Opt::new(&["--admin_state_up"], "admin_state_up").choices(&["True", "False"]),
];

const GROUPS: &[Opt] = &[
    Opt::many(&["--security-group"], "security_groups")
        .metavar("SECURITY_GROUP")
        .default(Default::List)
        .group(1)
        .help("a security group it is in; may be repeated"),
    Opt::flag(&["--no-security-groups"], "no_security_groups").group(1).help("in no security group"),
    Opt::many(&["--extra-dhcp-opt"], "extra_dhcp_opts")
        .kind(Kind::Dict { required: &["opt_name"], optional: &["opt_value", "ip_version"] })
        .default(Default::List)
        .help("a DHCP option: opt_name=NAME,opt_value=VALUE,ip_version={4,6}; may be repeated"),
];

const PAIRS: &[Opt] = &[
    Opt::many(&["--allowed-address-pair"], "allowed_address_pairs")
        .metavar("ip_address=IP_ADDR|CIDR[,mac_address=MAC_ADDR]")
        .kind(Kind::Dict { required: &["ip_address"], optional: &["mac_address"] })
        .default(Default::List)
        .group(2)
        .help("an address it may use beside its own; may be repeated"),
    Opt::flag(&["--no-allowed-address-pairs"], "no_allowed_address_pairs")
        .group(2)
        .help("no further addresses"),
];

fn extra_dhcp_opts(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    const WRONG: &str = "Invalid --extra-dhcp-opt option, can only be: \
        opt_name=<dhcp_option_name>,opt_value=<value>,ip_version={4,6}. You can repeat this option.";
    let mut options = run.args.get("extra_dhcp_opts").and_then(Value::as_array).cloned().unwrap_or_default();
    for option in &mut options {
        if option.get("opt_value").is_none() && option.get("ip_version").is_none() {
            return Err(Fault::Command(WRONG.to_owned()));
        }
        if option.get("opt_value") == Some(&json!("null")) {
            option["opt_value"] = Value::Null;
        }
    }
    if !options.is_empty() {
        body.insert("extra_dhcp_opts".to_owned(), Value::Array(options));
    }
    Ok(())
}

fn binding_profile(run: &mut Run<'_>, body: &mut Map<String, Value>) -> Result<(), Fault> {
    if run.is_set("binding_profile") {
        let profile = serde_json::from_str(run.text("binding_profile"));
        let profile: Value =
            profile.map_err(|error| Fault::Command(format!("--binding-profile is not JSON: {error}")))?;
        body.insert("binding:profile".to_owned(), profile);
    }
    Ok(())
}

/// The commands.
pub static COMMANDS: [Command; 6] = [
    Command {
        name: "port-list",
        about: "List ports that belong to a given tenant.",
        resource: &PORT,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[],
    },
    Command {
        name: "router-port-list",
        about: "List ports that belong to a given tenant, with specified router.",
        resource: &PORT,
        verb: Verb::List(&LIST),
        options: &[],
        positionals: &[id("ROUTER", "name or id of the router")],
    },
    Command {
        name: "port-show",
        about: "Show information of a given port.",
        resource: &PORT,
        verb: Verb::Show { by_name: true, indent: None },
        options: &[],
        positionals: &[id("PORT", "name or id of the port")],
    },
    Command {
        name: "port-create",
        about: "Create a port for a given tenant.",
        resource: &PORT,
        verb: Verb::Create(&[
            Field::Id("network_id", "network_id", &NETWORK),
            Field::Always("admin_state", "admin_state_up"),
            Field::Given("device_id"),
            Field::Given("device_owner"),
            Field::Given("name"),
            Field::Given("description"),
            Field::FixedIps("fixed_ip", "fixed_ips"),
            Field::Given("mac_address"),
            Field::Given("tenant_id"),
            Field::Filled("vnic_type", "binding:vnic_type"),
            Field::With(binding_profile),
            Field::Ids("security_groups", "security_groups", &SECURITY_GROUP),
            Field::If("no_security_groups", "security_groups", Fixed::EmptyList),
            Field::With(extra_dhcp_opts),
            Field::IdIf("qos_policy", "qos_policy_id", &QOS_POLICY),
            Field::Filled("allowed_address_pairs", "allowed_address_pairs"),
            Field::If("no_allowed_address_pairs", "allowed_address_pairs", Fixed::EmptyList),
            Field::Filled("dns_name", "dns_name"),
        ]),
        options: &[
            options::NAME,
            options::DESCRIPTION,
            COMMON,
            options::ADMIN_STATE_DOWN,
            CREATE,
            GROUPS,
            options::QOS_CREATE,
            PAIRS,
            options::DNS_NAME,
        ],
        positionals: &[Pos::new("network_id", "NETWORK", "name or id of its network")],
    },
    Command {
        name: "port-update",
        about: "Update port's information.",
        resource: &PORT,
        verb: Verb::Update {
            by_name: true,
            fields: &[
                Field::Given("device_id"),
                Field::Given("device_owner"),
                Field::Given("name"),
                Field::Given("description"),
                Field::FixedIps("fixed_ip", "fixed_ips"),
                Field::Filled("admin_state_up", "admin_state_up"),
                Field::Ids("security_groups", "security_groups", &SECURITY_GROUP),
                Field::If("no_security_groups", "security_groups", Fixed::EmptyList),
                Field::With(extra_dhcp_opts),
                Field::IdIf("qos_policy", "qos_policy_id", &QOS_POLICY),
                Field::If("no_qos_policy", "qos_policy_id", Fixed::Null),
                Field::Filled("allowed_address_pairs", "allowed_address_pairs"),
                Field::If("no_allowed_address_pairs", "allowed_address_pairs", Fixed::EmptyList),
                Field::Filled("dns_name", "dns_name"),
                Field::If("no_dns_name", "dns_name", Fixed::EmptyText),
            ],
        },
        options: &[
            options::NAME,
            options::DESCRIPTION,
            COMMON,
            STATE,
            GROUPS,
            options::QOS_UPDATE,
            PAIRS,
            options::DNS_NAME_UPDATE,
        ],
        positionals: &[id("PORT", "name or id of the port")],
    },
    Command {
        name: "port-delete",
        about: "Delete a given port.",
        resource: &PORT,
        verb: Verb::Delete { by_name: true },
        options: &[],
        positionals: &[id("PORT", "names or ids of ports").count(Count::Many)],
    },
];
