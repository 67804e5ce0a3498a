//! `neutron db`, also called `neutron-db-manage`: makes the tables, says which there are.

use crate::service::{self, Args};
use clap::{Parser, Subcommand};
use server::assemble;
use server::db::schema::ALEMBIC_HEADS;
use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

#[derive(Debug, Parser)]
#[command(disable_help_subcommand = true)]
struct DbArgs {
    #[command(flatten)]
    service: Args,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make all tables on an empty database, or what is missing of neutron-rs's own on any other.
    Upgrade {
        /// head or heads: the tables of Neutron 29.0.0, the only ones there are.
        revision: String,
    },
    /// Print the revisions that the database has.
    Current,
    /// Print the revisions that there are.
    History,
}

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
        Ok(text) => {
            // A reader that went away is no failure of ours.
            let _ = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(why) => {
            service::complain(&format!("error: {why}"));
            ExitCode::FAILURE
        }
    }
}

fn answer(args: &DbArgs) -> Result<String, String> {
    let heads = || ALEMBIC_HEADS.iter().map(|head| format!("{head} (head)\n")).collect::<String>();
    let config = args.service.config("[database]\nconnection = sqlite:///$state_path/neutron.sqlite\n")?;
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(|e| e.to_string())?;
    match &args.command {
        Command::History => Ok(heads()),
        Command::Upgrade { revision } if revision != "head" && revision != "heads" => Err(format!(
            "there is no revision {revision}: this program has the tables of Neutron 29.0.0 only; use `upgrade head`"
        )),
        Command::Upgrade { .. } => {
            runtime.block_on(assemble::upgrade(&config))?;
            Ok(format!("the database has the tables of Neutron 29.0.0:\n{}", heads()))
        }
        Command::Current => {
            runtime.block_on(assemble::open(&config))?;
            Ok(heads())
        }
    }
}
