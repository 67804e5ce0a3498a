//! The one program: servers, agents and the users' client behind one name.
//!
//! What it is follows from the name it is called by (`neutron-server`, `neutron-l3-agent` …) or, called
//! `neutron`, from the first word. Words that are none of ours are the users' client: `neutron net-list`.

mod config_command;
mod options;
mod roles;

use roles::Role;
use std::process::ExitCode;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().collect();
    let called = args.first().map(|a| roles::base_name(a.as_ref())).unwrap_or_default();
    let word = args.get(1).cloned().unwrap_or_default();
    match Role::of_program(&called).or_else(|| Role::of_word(&word)) {
        Some(Role::Config) => config_command::run(args.get(2..).unwrap_or_default()),
        _ => ExitCode::FAILURE,
    }
}
