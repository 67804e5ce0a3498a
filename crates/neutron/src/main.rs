//! The one program: servers, agents and the users' client behind one name.
//!
//! What it is follows from the name it is called by (`neutron-server`, `neutron-l3-agent` …) or, called
//! `neutron`, from the first word. Words that are none of ours are the users' client: `neutron net-list`.

mod args;
mod config_command;
mod db_command;
mod memory;
mod metrics;
mod options;
mod parts;
mod review;
mod roles;
mod run;
mod search;
mod service;

use roles::Role;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let called = args.first().map(|a| roles::base_name(a)).unwrap_or_default();
    if let Some(role) = Role::of_program(&called) {
        return start(role, args);
    }
    if !args.is_empty() {
        args.remove(0);
    }
    let word = args.first().map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    match Role::of_word(&word) {
        Some(role) => start(role, args),
        None => client::main(args),
    }
}

/// Starts a role; `args` begin with the name it was called by.
fn start(role: Role, args: Vec<OsString>) -> ExitCode {
    match role {
        Role::Config => {
            let words: Vec<String> = args.iter().skip(1).map(|a| a.to_string_lossy().into_owned()).collect();
            config_command::run(&words)
        }
        Role::Db => db_command::run(args),
        _ => run::run(role, args),
    }
}
