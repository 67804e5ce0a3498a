//! The whole of a run: global options, finding the command, help, and the exit code.

use serde_json::Value;

use crate::argparse::parse::{Stop, parse_known};
use crate::argparse::{Args, Default, Kind, Opt, Parser, Section, usage};
use crate::command::{Command, Run};
use crate::commands;
use crate::fault::Fault;
use crate::identity::{Env, Settings, connect};
use crate::python;
use crate::render::Fit;
use crate::verbs;

/// The version of the client whose manners these are.
const VERSION: &str = "9.0.0";
const PROG: &str = "neutron";
/// The width of help where nothing says otherwise.
const WIDTH: usize = 80;

/// What a run depends on beside its words.
#[derive(Debug)]
pub struct Surroundings<'a> {
    /// The environment.
    pub env: &'a dyn Env,
    /// The columns of the terminal that output goes to, if it goes to one.
    pub terminal: Option<usize>,
}

/// What came of a run.
#[derive(Debug, Default, PartialEq)]
pub struct Outcome {
    /// For standard output.
    pub out: String,
    /// For standard error.
    pub err: String,
    /// The exit code.
    pub code: u8,
}

const fn word(
    flags: &'static [&'static str],
    dest: &'static str,
    metavar: &'static str,
    help: &'static str,
) -> Opt {
    Opt::new(flags, dest).metavar(metavar).help(help)
}

const GLOBAL: Section = Section::plain(&[
    Opt::flag(&["--version"], "version").help("show the version and exit"),
    Opt::flag(&["-v", "--verbose", "--debug"], "verbose_level")
        .action(crate::argparse::Action::Count)
        .default(Default::Number(1))
        .help("tell more; -v shows requests and answers"),
    Opt::flag(&["-q", "--quiet"], "quiet").help("tell only what went wrong"),
    word(&["-r", "--retries"], "retries", "NUM", "how often to try again when there is no connection")
        .kind(Kind::Natural),
    word(
        &["--os-service-type"],
        "os_service_type",
        "<os-service-type>",
        "[OS_NETWORK_SERVICE_TYPE] or network",
    ),
    word(&["--os-endpoint-type"], "os_endpoint_type", "<os-endpoint-type>", "[OS_ENDPOINT_TYPE] or public"),
    word(&["--service-type"], "service_type", "<service-type>", "old form of --os-service-type"),
    word(&["--endpoint-type"], "endpoint_type", "<endpoint-type>", "old form of --os-endpoint-type"),
    word(
        &["--os-auth-strategy"],
        "os_auth_strategy",
        "<auth-strategy>",
        "[OS_AUTH_STRATEGY] keystone or noauth",
    ),
    Opt::new(&["--os_auth_strategy"], "os_auth_strategy"),
    word(&["--os-cloud"], "os_cloud", "<cloud>", "[OS_CLOUD] not supported"),
    word(&["--os-auth-url"], "os_auth_url", "<auth-url>", "[OS_AUTH_URL] where Keystone is"),
    Opt::new(&["--os_auth_url"], "os_auth_url"),
    word(&["--os-tenant-name"], "os_tenant_name", "<auth-tenant-name>", "[OS_TENANT_NAME]").group(1),
    word(&["--os-project-name"], "os_project_name", "<auth-project-name>", "[OS_PROJECT_NAME]").group(1),
    Opt::new(&["--os_tenant_name"], "os_tenant_name"),
    word(&["--os-tenant-id"], "os_tenant_id", "<auth-tenant-id>", "[OS_TENANT_ID]").group(2),
    word(&["--os-project-id"], "os_project_id", "<auth-project-id>", "[OS_PROJECT_ID]").group(2),
    word(&["--os-username"], "os_username", "<auth-username>", "[OS_USERNAME]"),
    Opt::new(&["--os_username"], "os_username"),
    word(&["--os-user-id"], "os_user_id", "<auth-user-id>", "[OS_USER_ID]"),
    Opt::new(&["--os_user_id"], "os_user_id"),
    word(&["--os-user-domain-id"], "os_user_domain_id", "<auth-user-domain-id>", "[OS_USER_DOMAIN_ID]"),
    Opt::new(&["--os_user_domain_id"], "os_user_domain_id"),
    word(
        &["--os-user-domain-name"],
        "os_user_domain_name",
        "<auth-user-domain-name>",
        "[OS_USER_DOMAIN_NAME]",
    ),
    Opt::new(&["--os_user_domain_name"], "os_user_domain_name"),
    Opt::new(&["--os_project_id"], "os_project_id"),
    Opt::new(&["--os_project_name"], "os_project_name"),
    word(
        &["--os-project-domain-id"],
        "os_project_domain_id",
        "<auth-project-domain-id>",
        "[OS_PROJECT_DOMAIN_ID]",
    ),
    word(
        &["--os-project-domain-name"],
        "os_project_domain_name",
        "<auth-project-domain-name>",
        "[OS_PROJECT_DOMAIN_NAME]",
    ),
    word(&["--os-cacert"], "os_cacert", "<ca-certificate>", "[OS_CACERT] certificates to trust"),
    word(&["--os-password"], "os_password", "<auth-password>", "[OS_PASSWORD]"),
    Opt::new(&["--os_password"], "os_password"),
    word(&["--os-region-name"], "os_region_name", "<auth-region-name>", "[OS_REGION_NAME]"),
    Opt::new(&["--os_region_name"], "os_region_name"),
    word(&["--os-token"], "os_token", "<token>", "[OS_TOKEN]"),
    Opt::new(&["--os_token"], "os_token"),
    word(
        &["--http-timeout"],
        "http_timeout",
        "<seconds>",
        "[OS_NETWORK_TIMEOUT] how long to wait for an answer",
    )
    .kind(Kind::Float),
    word(&["--os-url"], "os_url", "<url>", "[OS_URL] where Neutron is"),
    Opt::new(&["--os_url"], "os_url"),
    Opt::flag(&["--insecure"], "insecure").help("accept any certificate"),
]);

const ABOUT: &str = "Command-line interface to the Neutron APIs. Options can be set as environment variables, given in \
brackets. With OS_AUTH_URL the user is known to Keystone (v3). Without it, or with OS_AUTH_TYPE=none, requests go \
straight to OS_URL (also OS_ENDPOINT), and if that is not set either to http://127.0.0.1:9696, where 'neutron \
standalone' listens; there OS_PROJECT_ID makes you a member of that project, and without it you are the administrator.";

fn global_parser() -> Parser {
    Parser { prog: PROG.to_owned(), about: ABOUT.to_owned(), sections: vec![GLOBAL], positionals: Vec::new() }
}

/// Runs a command line (without the program's name).
pub fn run(words: &[String], around: &Surroundings<'_>) -> Outcome {
    let mut outcome = Outcome::default();
    if let Err(fault) = dispatch(words, around, &mut outcome) {
        outcome.err.push_str(&fault.to_string());
        outcome.err.push('\n');
        outcome.code = fault.exit_code();
    }
    outcome
}

fn dispatch(words: &[String], around: &Surroundings<'_>, outcome: &mut Outcome) -> Result<(), Fault> {
    let width = around.env.get("COLUMNS").and_then(|text| text.parse().ok()).unwrap_or(WIDTH);
    let named = words.iter().position(|word| commands::all().any(|command| command.name == word));
    let help = words.iter().position(|word| word == "-h" || word == "--help");
    if words.iter().any(|word| word == "bash-completion") {
        outcome.out = completion();
        return Ok(());
    }
    if let (Some(named), Some(help)) = (named, help)
        && help > named
    {
        return help_on(&words[named], width, outcome);
    }
    if named.is_none() && words.iter().any(|word| word == "help") && words.len() == 1 {
        outcome.out = overview(width);
        return Ok(());
    }
    let parser = global_parser();
    let (globals, rest) = match parse_known(&parser, words) {
        Ok(read) => read,
        Err(Stop::Help) => {
            outcome.out = overview(width);
            return Ok(());
        }
        Err(Stop::Error(reason)) => {
            return Err(Fault::Usage(format!("{}{PROG}: error: {reason}", usage::usage(&parser, width))));
        }
    };
    if globals.get("version").is_some_and(python::truthy) {
        outcome.out = format!("{VERSION}\n");
        return Ok(());
    }
    let Some(name) = rest.first() else {
        outcome.out = overview(width);
        return Ok(());
    };
    if name == "help" {
        return help_on(rest.get(1).map_or("", String::as_str), width, outcome);
    }
    let Some(command) = commands::find(name) else {
        return Err(Fault::Command(format!("Unknown command {}", python::repr_list(&rest))));
    };
    execute(command, name, &globals, &rest[1..], around, outcome)
}

fn help_on(name: &str, width: usize, outcome: &mut Outcome) -> Result<(), Fault> {
    if let Some(command) = commands::find(name) {
        outcome.out = usage::help(&command.parser(PROG), width);
        return Ok(());
    }
    let mut near: Vec<&str> = crate::commands().into_iter().filter(|known| known.starts_with(name)).collect();
    near.sort_unstable();
    if name.is_empty() || near.is_empty() {
        return Err(Fault::Command(format!("Unknown command {}", python::repr_list(&[name]))));
    }
    outcome.out = format!("Command \"{name}\" matches:\n");
    for known in near {
        outcome.out.push_str(&format!("  {known}\n"));
    }
    Ok(())
}

fn overview(width: usize) -> String {
    let mut page = usage::help(&global_parser(), width);
    page.push_str("\nCommands for API v2.0:\n");
    let mut all: Vec<&Command> = commands::all().collect();
    all.sort_by_key(|command| command.name);
    let longest = all.iter().map(|command| command.name.len()).max().unwrap_or(0);
    for command in all {
        page.push_str(&format!("  {:longest$}  {}\n", command.name, command.about));
    }
    page
}

fn completion() -> String {
    let mut words: Vec<&str> = crate::commands();
    words.extend(global_parser().options().flat_map(|option| option.flags.iter().copied()));
    for command in commands::all() {
        words.extend(command.parser(PROG).options().flat_map(|option| option.flags.iter().copied()));
    }
    words.sort_unstable();
    words.dedup();
    words.join(" ") + "\n"
}

fn execute(
    command: &'static Command,
    called: &str,
    globals: &Args,
    words: &[String],
    around: &Surroundings<'_>,
    outcome: &mut Outcome,
) -> Result<(), Fault> {
    let width = around.env.get("COLUMNS").and_then(|text| text.parse().ok()).unwrap_or(WIDTH);
    let (args, extras) = read(command, called, words, width)?;
    let settings = Settings { args: globals, env: around.env };
    let mut api = connect(&settings)?;
    let fit = fit(&args, around);
    let mut run =
        Run { command, api: &mut api, args, extras, out: String::new(), warnings: String::new(), fit };
    let result = prepare(&mut run).and_then(|()| verbs::run(&mut run));
    outcome.out = std::mem::take(&mut run.out);
    outcome.err = std::mem::take(&mut run.warnings);
    for line in api.log.into_iter().flatten() {
        outcome.err.push_str(&format!("DEBUG: neutronclient {line}\n"));
    }
    result
}

/// Reads a command's words: its own, and those it does not know.
fn read(
    command: &Command,
    called: &str,
    words: &[String],
    width: usize,
) -> Result<(Args, Vec<String>), Fault> {
    let mut parser = command.parser(PROG);
    parser.prog = format!("{PROG} {called}");
    let dashes = words.iter().position(|word| word == "--");
    let own = &words[..dashes.unwrap_or(words.len())];
    let (mut args, mut unknown) = match parse_known(&parser, own) {
        Ok(read) => read,
        Err(Stop::Help) => (Args::new(), Vec::new()),
        Err(Stop::Error(reason)) => {
            return Err(Fault::Usage(format!(
                "{}{}: error: {reason}\nTry '{PROG} help {called}' for more information.",
                usage::usage(&parser, width),
                parser.prog,
            )));
        }
    };
    // argparse gives an optional positional nothing if an option stands before it.
    if args.get("cidr").is_some_and(Value::is_null)
        && let Some(at) = unknown.iter().position(|word| is_cidr(word))
    {
        args.insert("cidr".to_owned(), Value::String(unknown.remove(at)));
    }
    let extras = dashes.map_or(unknown, |at| words[at..].to_vec());
    Ok((args, extras))
}

fn is_cidr(word: &str) -> bool {
    let Some((address, length)) = word.split_once('/') else { return false };
    match (address.parse::<std::net::IpAddr>(), length.parse::<u8>()) {
        (Ok(std::net::IpAddr::V4(_)), Ok(length)) => length <= 32,
        (Ok(std::net::IpAddr::V6(_)), Ok(length)) => length <= 128,
        _ => false,
    }
}

/// What single commands do to their words before the common verb sees them.
fn prepare(run: &mut Run<'_>) -> Result<(), Fault> {
    match run.command.name {
        "net-external-list" => {
            let external = "--router:external=True".to_owned();
            if !run.extras.contains(&external) {
                run.extras.push(external);
            }
        }
        "router-port-list" => {
            let router = run.text("id").to_owned();
            let id = run.api.id(&crate::resource::ROUTER, &router)?;
            run.extras.push(format!("--device_id={id}"));
        }
        "security-group-rule-list" => {
            let asked = run.args.get("fields").and_then(Value::as_array).cloned().unwrap_or_default();
            run.args.insert("fields".to_owned(), Value::Array(crate::cells::rule_fields(&asked)));
        }
        _ => {}
    }
    Ok(())
}

fn fit(args: &Args, around: &Surroundings<'_>) -> Fit {
    let number = |text: Option<String>| text.and_then(|text| text.parse::<i64>().ok());
    let given = args.get("max_width").and_then(Value::as_i64);
    let widest = given.or_else(|| number(around.env.get("CLIFF_MAX_TERM_WIDTH"))).unwrap_or(0);
    Fit { columns: usize::try_from(widest).ok().filter(|columns| *columns > 0).or(around.terminal) }
}
