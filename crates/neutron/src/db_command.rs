//! `neutron db`, also called `neutron-db-manage`: makes the tables, says which there are, in upstream's words.

use crate::roles::Role;
use crate::search::Search;
use crate::service::{self, Args};
use clap::{Parser, Subcommand};
use oslo::config::Config;
use server::assemble;
use server::db::schema::ALEMBIC_HEADS;
use server::db::{Make, Revision, revisions};
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(name = "neutron-db-manage", disable_help_subcommand = true)]
struct DbArgs {
    #[command(flatten)]
    service: Args,
    /// The database, instead of what the files say.
    #[arg(long, value_name = "URL")]
    database_connection: Option<String>,
    /// Upstream's tables are those of its sub-project neutron; there are no others here.
    #[arg(long, value_parser = ["neutron"])]
    subproject: Option<String>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
#[command(rename_all = "snake_case")]
enum Command {
    /// Make all tables on an empty database, or what is missing of neutron-rs's own on any other.
    Upgrade {
        /// head or heads, or a release since juno: all make the tables of Neutron 29.0.0, the only ones there are.
        revision: Option<String>,
        /// Upstream's first phase: makes the tables.
        #[arg(long, conflicts_with_all = ["revision", "contract"])]
        expand: bool,
        /// Upstream's second phase: nothing is left to do.
        #[arg(long, conflicts_with = "revision")]
        contract: bool,
    },
    /// Print the revisions that the database has.
    Current {
        /// Say more of each.
        #[arg(long)]
        verbose: bool,
    },
    /// Print the revisions that there are.
    History {
        /// Say more of each.
        #[arg(long)]
        verbose: bool,
    },
    /// Print the newest revisions that there are.
    Heads {
        /// Say more of each.
        #[arg(long)]
        verbose: bool,
    },
    /// Print where the revisions part.
    Branches {
        /// Say more of each.
        #[arg(long)]
        verbose: bool,
    },
    /// Print where the revisions part, and check that their heads are those that are installed.
    #[command(alias = "check-migration")]
    CheckMigration,
    /// Say whether a step is pending that wants all servers to be stopped; exit with 1 when there is one.
    #[command(alias = "has-offline-migrations")]
    HasOfflineMigrations,
}

/// Releases that `upgrade` may be asked for.
const RELEASES: &[&str] = &[
    "icehouse", "juno", "kilo", "liberty", "mitaka", "newton", "ocata", "pike", "queens", "rocky", "stein",
    "train", "ussuri", "victoria", "wallaby", "xena", "yoga", "zed", "2023.1", "2023.2", "2024.1", "2024.2",
    "2025.1", "2025.2", "2026.1", "2026.2",
];

/// Runs the command.
pub fn run(args: Vec<OsString>) -> ExitCode {
    let args = match DbArgs::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    match answer(&args) {
        Ok((text, code)) => {
            // A reader that went away is no failure of ours.
            let _ = std::io::stdout().write_all(text.as_bytes());
            code
        }
        Err(why) => {
            service::complain(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn answer(args: &DbArgs) -> Result<(String, ExitCode), String> {
    let done = |name: &str, text: &str| {
        Ok((format!("Running {name} for neutron ...\n{text}OK\n"), ExitCode::SUCCESS))
    };
    match &args.command {
        Command::History { .. } => done("history", &history()),
        Command::Heads { .. } => done("heads", &heads()),
        Command::Branches { .. } | Command::CheckMigration => done("branches", &branches()),
        Command::Upgrade { revision, expand, contract } => {
            let wanted = wanted(revision.as_deref(), *expand || *contract)?;
            done("upgrade", &upgrade(args, wanted)?)
        }
        Command::Current { .. } => {
            let found = match revision(args)? {
                Revision::Empty => Vec::new(),
                Revision::Heads => ALEMBIC_HEADS.map(|head| format!("{head} (head)")).to_vec(),
                Revision::Other(others) => others,
            };
            done("current", &found.iter().map(|line| format!("{line}\n")).collect::<String>())
        }
        Command::HasOfflineMigrations => Ok(match revision(args)? {
            Revision::Heads => ("No offline migrations pending.\n".into(), ExitCode::SUCCESS),
            _ => (
                "Need to apply migrations from neutron contract branch. This will require all Neutron server \
                 instances to be shutdown before proceeding with the upgrade.\n"
                    .into(),
                ExitCode::FAILURE,
            ),
        }),
    }
}

/// What `upgrade` is asked for, when there is such a thing.
fn wanted(revision: Option<&str>, phase: bool) -> Result<&str, String> {
    match revision {
        None if phase => Ok("heads"),
        None => Err("You must provide a revision or relative delta; use `upgrade head`".into()),
        Some(name) if name == "head" || name == "heads" || ALEMBIC_HEADS.contains(&name) => Ok("heads"),
        Some(name) if RELEASES.contains(&name) => Ok(name),
        Some(name) if name.contains('-') => {
            Err("Negative relative revision (downgrade) not supported".into())
        }
        Some(name) => Err(format!(
            "there is no revision {name}: this program has the tables of Neutron 29.0.0 only; use `upgrade head`"
        )),
    }
}

fn upgrade(args: &DbArgs, wanted: &str) -> Result<String, String> {
    let (config, runtime) = (config(args)?, runtime()?);
    runtime.block_on(async {
        let (db, said) = assemble::connect(&config).await?;
        let words = |stop: server::db::Stop| format!("{said}: {}", stop.words());
        let before = db.revision().await.map_err(words)?;
        db.prepare(Make::WhenEmpty).await.map_err(words)?;
        if before != Revision::Empty {
            return Ok(String::new());
        }
        let not = if wanted == "heads" { String::new() } else { format!(", not those of {wanted}") };
        Ok(format!(
            "The database was empty; it has the tables of Neutron 29.0.0 now ({}){not}.\n",
            ALEMBIC_HEADS.join(", ")
        ))
    })
}

fn revision(args: &DbArgs) -> Result<Revision, String> {
    let (config, runtime) = (config(args)?, runtime()?);
    runtime.block_on(async {
        let (db, said) = assemble::connect(&config).await?;
        db.revision().await.map_err(|stop| format!("{said}: {}", stop.words()))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())
}

/// The configuration of the files named, or of those that a server would find.
fn config(args: &DbArgs) -> Result<Config, String> {
    let home = std::env::var_os("HOME").map(PathBuf::from);
    let search = Search::of("neutron-server", Role::Server.own_files(), home.as_deref(), Path::exists);
    let mut config = args
        .service
        .config_with("[database]\nconnection = sqlite:///$state_path/neutron.sqlite\n", &search)?;
    if let Some(url) = &args.database_connection {
        config.merge(Config::parse("--database-connection", &format!("[database]\nconnection = {url}\n")));
    }
    Ok(config)
}

fn heads() -> String {
    let mut heads: Vec<String> = revisions::all()
        .filter(|r| ALEMBIC_HEADS.contains(&r.id))
        .map(|r| format!("{} ({}) (head)\n", r.id, r.branch))
        .collect();
    heads.sort();
    heads.concat()
}

fn branches() -> String {
    let mut text = String::new();
    for point in revisions::all().filter(|r| r.branch == "branchpoint") {
        text.push_str(&format!("{} (branchpoint)\n", point.id));
        for next in revisions::all().filter(|r| r.parent == point.id) {
            text.push_str(&format!("     -> {} ({})\n", next.id, next.branch));
        }
    }
    text + "\n"
}

fn history() -> String {
    let line = |r: revisions::Revision| {
        let depends = r.depends.map_or_else(String::new, |depends| format!(" ({depends})"));
        let head = if ALEMBIC_HEADS.contains(&r.id) { " (head)" } else { "" };
        format!("{}{depends} -> {} ({}){head}, \n", r.parent, r.id, r.branch)
    };
    revisions::all().map(line).collect()
}
