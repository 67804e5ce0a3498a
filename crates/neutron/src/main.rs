//! The one program: servers, agents and the users' client behind one name.
//!
//! What it is follows from the name it is called by (`neutron-server`, `neutron-l3-agent` …) or, called
//! `neutron`, from the first word. Words that are none of ours are the users' client: `neutron net-list`.

mod config_command;
mod roles;
mod service;

use roles::Role;
use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args: Vec<OsString> = std::env::args_os().collect();
    let called = args.first().map(|a| roles::base_name(a)).unwrap_or_default();
    if let Some(role) = Role::of_program(&called) {
        return service::run(role, args);
    }
    let word = args.get(1).map(|a| a.to_string_lossy().into_owned()).unwrap_or_default();
    if let Some(role) = Role::of_word(&word) {
        args.remove(0);
        return service::run(role, args);
    }
    client::main(args)
}
