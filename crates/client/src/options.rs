//! Options that many commands share.

use crate::argparse::{Action, Default, Kind, Opt, Section};

const FORMATTERS: &str = "output formatters";
const FORMATTERS_ABOUT: &str = "output formatter options";

/// `-f` and `-c` of lists.
pub const LIST_FORMAT: Section = Section {
    title: FORMATTERS,
    about: FORMATTERS_ABOUT,
    options: &[
        Opt::new(&["-f", "--format"], "formatter")
            .choices(&["csv", "json", "table", "value", "yaml"])
            .default(Default::Text("table"))
            .help("the form of the output: table unless given"),
        COLUMN,
    ],
};

const COLUMN: Opt = Opt::many(&["-c", "--column"], "columns")
    .metavar("COLUMN")
    .default(Default::List)
    .help("show only this column; may be repeated");

const SHOW_FORMAT: Section = Section {
    title: FORMATTERS,
    about: FORMATTERS_ABOUT,
    options: &[
        Opt::new(&["-f", "--format"], "formatter")
            .choices(&["json", "shell", "table", "value", "yaml"])
            .default(Default::Text("table"))
            .help("the form of the output: table unless given"),
        COLUMN,
    ],
};

/// All that shapes the output of one object.
pub const SHOW: [Section; 4] = [SHOW_FORMAT, JSON, SHELL, TABLE];

/// Options of CSV.
pub const CSV: Section = Section {
    title: "CSV Formatter",
    about: "",
    options: &[Opt::new(&["--quote"], "quote_mode")
        .choices(&["all", "minimal", "none", "nonnumeric"])
        .default(Default::Text("nonnumeric"))
        .help("what to put in quotes: nonnumeric unless given")],
};

/// Options of JSON.
pub const JSON: Section = Section {
    title: "json formatter",
    about: "",
    options: &[Opt::flag(&["--noindent"], "noindent").help("all on one line")],
};

const SHELL: Section = Section {
    title: "shell formatter",
    about: "assignments a UNIX shell understands (variable=\"value\")",
    options: &[
        Opt::many(&["--variable"], "variables").default(Default::List),
        Opt::new(&["--prefix"], "prefix")
            .default(Default::Text(""))
            .help("what every variable's name begins with"),
    ],
};

/// Options of tables.
pub const TABLE: Section = Section {
    title: "table formatter",
    about: "",
    options: &[
        Opt::new(&["--max-width"], "max_width")
            .kind(Kind::Int)
            .metavar("<integer>")
            .help("the widest a table may be; below 1: as wide as it takes (also: CLIFF_MAX_TERM_WIDTH)"),
        Opt::flag(&["--fit-width"], "fit_width")
            .help("fit the table to the terminal, which is usual on one (also: CLIFF_FIT_WIDTH=1)"),
        Opt::flag(&["--print-empty"], "print_empty").help("print a table even without rows"),
    ],
};

/// Sorting by the client.
pub const SORT: Section = Section {
    title: FORMATTERS,
    about: FORMATTERS_ABOUT,
    options: &[
        Opt::many(&["--sort-column"], "sort_columns")
            .metavar("SORT_COLUMN")
            .default(Default::List)
            .help("sort the rows by this column; may be repeated, the first counts most"),
        Opt::flag(&["--sort-ascending"], "sort_direction")
            .action(Action::Const("asc"))
            .group(201)
            .help("lowest first"),
        Opt::flag(&["--sort-descending"], "sort_direction")
            .action(Action::Const("desc"))
            .group(201)
            .help("highest first"),
    ],
};

/// The old way to choose JSON, the only format there is.
pub const REQUEST: Section = Section::plain(&[
    Opt::new(&["--request-format"], "request_format").choices(&["json"]).default(Default::Text("json")),
    Opt::new(&["--request_format"], "request_format").choices(&["json"]),
]);

/// What the server shall return.
pub const FIELDS: Section = Section::plain(&[
    Opt::flag(&["-D", "--show-details"], "show_details").help("ask for details"),
    Opt::flag(&["--show_details"], "show_details"),
    Opt::many(&["--fields"], "fields").default(Default::List),
    Opt::many(&["-F", "--field"], "fields")
        .metavar("FIELD")
        .default(Default::List)
        .help("ask the server for this field only; may be repeated"),
]);

/// Lists in parts.
pub const PAGES: Section = Section::plain(&[Opt::new(&["-P", "--page-size"], "page_size")
    .metavar("SIZE")
    .kind(Kind::Int)
    .help("fetch so many at a time")]);

/// Sorting by the server.
pub const SORTING: Section = Section::plain(&[
    Opt::many(&["--sort-key"], "sort_key").metavar("FIELD").default(Default::List).help(
        "have the server sort by this field; may be repeated, each with its --sort-dir (asc unless given)",
    ),
    Opt::many(&["--sort-dir"], "sort_dir")
        .metavar("{asc,desc}")
        .choices(&["asc", "desc"])
        .default(Default::List)
        .help("the direction for a --sort-key; may be repeated"),
]);

/// Whose a new resource is.
pub const TENANT: Section = Section::plain(TENANT_OPTIONS);

/// `--tenant-id` of creations.
pub const TENANT_OPTIONS: &[Opt] = &[
    Opt::new(&["--tenant-id"], "tenant_id").metavar("TENANT_ID").help("the project it belongs to"),
    Opt::new(&["--tenant_id"], "tenant_id"),
];

/// `--admin-state-down` of creations.
pub const ADMIN_STATE_DOWN: &[Opt] = &[
    Opt::flag(&["--admin-state-down"], "admin_state").action(Action::False).help("switched off"),
    Opt::flag(&["--admin_state_down"], "admin_state").action(Action::False),
];

/// `--description`.
pub const DESCRIPTION: &[Opt] = &[Opt::new(&["--description"], "description").help("a description")];

/// `--name`.
pub const NAME: &[Opt] = &[Opt::new(&["--name"], "name").help("a name")];

/// `--qos-policy` of creations.
pub const QOS_CREATE: &[Opt] =
    &[Opt::new(&["--qos-policy"], "qos_policy").group(202).help("name or id of a QoS policy to attach")];

/// `--qos-policy` of updates.
pub const QOS_UPDATE: &[Opt] = &[
    Opt::new(&["--qos-policy"], "qos_policy").group(202).help("name or id of a QoS policy to attach"),
    Opt::flag(&["--no-qos-policy"], "no_qos_policy").group(202).help("detach the QoS policy"),
];

/// `--availability-zone-hint`.
pub const ZONE_HINTS: &[Opt] = &[Opt::many(&["--availability-zone-hint"], "availability_zone_hints")
    .metavar("AVAILABILITY_ZONE")
    .help("a zone to prefer; may be repeated")];

/// `--dns-domain` of creations.
pub const DNS_DOMAIN: &[Opt] = &[Opt::new(&["--dns-domain"], "dns_domain").help("its DNS domain")];
/// `--dns-domain` of updates.
pub const DNS_DOMAIN_UPDATE: &[Opt] = &[
    Opt::new(&["--dns-domain"], "dns_domain").group(203).help("its DNS domain"),
    Opt::flag(&["--no-dns-domain"], "no_dns_domain").group(203).help("without a DNS domain"),
];
/// `--dns-name` of creations.
pub const DNS_NAME: &[Opt] = &[Opt::new(&["--dns-name"], "dns_name").help("its DNS name")];
/// `--dns-name` of updates.
pub const DNS_NAME_UPDATE: &[Opt] = &[
    Opt::new(&["--dns-name"], "dns_name").group(204).help("its DNS name"),
    Opt::flag(&["--no-dns-name"], "no_dns_name").group(204).help("without a DNS name"),
];

/// Subnets and addresses, with words for the help.
pub const fn fixed_ip(help: &'static str) -> Opt {
    Opt::many(&["--fixed-ip"], "fixed_ip")
        .metavar("subnet_id=SUBNET,ip_address=IP_ADDR")
        .kind(Kind::Dict { required: &[], optional: &["subnet_id", "ip_address"] })
        .help(help)
}

/// A route, for a given flag and destination.
pub const fn route(flags: &'static [&'static str], dest: &'static str) -> Opt {
    Opt::many(flags, dest)
        .metavar("destination=CIDR,nexthop=IP_ADDR")
        .kind(Kind::Dict { required: &["destination", "nexthop"], optional: &[] })
        .help("a route; may be repeated")
}
