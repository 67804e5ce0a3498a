//! The users' command: `neutron net-create` and its siblings.
//!
//! A drop-in for the `neutron` command of python-neutronclient 9.0.0, which upstream has dropped since: the same options,
//! the same tables, the same words and exit codes. [`run`] is pure but for the network: it takes the words and the
//! environment and returns what to print.

pub mod api;
pub mod argparse;
pub mod cells;
pub mod command;
pub mod commands;
pub mod extra;
pub mod fault;
pub mod http;
pub mod identity;
pub mod options;
pub mod python;
pub mod render;
pub mod resource;
pub mod shell;
pub mod verbs;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;

pub use shell::{Outcome, Surroundings, run};

/// The names of the users' commands, sorted.
pub fn commands() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = commands::all().map(|command| command.name).collect();
    names.sort_unstable();
    names
}

/// Runs the command line of this process (`words` without the program's name) and prints what comes of it.
pub fn main(words: Vec<OsString>) -> ExitCode {
    let words: Vec<String> = words.into_iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let terminal = std::io::stdout().is_terminal().then(terminal_width).flatten();
    let outcome = run(&words, &Surroundings { env: &identity::ProcessEnv, terminal });
    let printed =
        std::io::stdout().write_all(outcome.out.as_bytes()).and_then(|()| std::io::stdout().flush());
    let _nothing_left_to_tell = std::io::stderr().write_all(outcome.err.as_bytes());
    match printed {
        Ok(()) => ExitCode::from(outcome.code),
        // The reader has gone, as in `neutron net-list | head -1`.
        Err(_) => ExitCode::from(141),
    }
}

fn terminal_width() -> Option<usize> {
    terminal_size::terminal_size().map(|(terminal_size::Width(columns), _)| usize::from(columns))
}
