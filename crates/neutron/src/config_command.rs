//! `neutron config sample` and `neutron config check`.

use crate::{options, roles};
use oslo::config::{Config, Gravity};
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: neutron config sample
       neutron config check FILE...
       neutron config programs

sample  prints every option that this program reads, with its help and default
check   reads files in the given order and says what is wrong with them, with file and line;
        the exit status is 1 when a value cannot be read or a name is unknown
programs
        prints the names that this program may be called by; each is a service or a command of its own
";

/// Runs the command with the words after `config`.
pub fn run(words: &[String]) -> ExitCode {
    let mut out = std::io::stdout().lock();
    // A reader that went away (`| head`) is no failure of ours.
    let mut say = |text: &str| drop(out.write_all(text.as_bytes()));
    match words.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["sample"] => say(&oslo::config::sample(&options::declared())),
        ["check", files @ ..] if !files.is_empty() => {
            let (report, fine) = check(&files.iter().map(PathBuf::from).collect::<Vec<_>>());
            say(&report);
            return if fine { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
        ["programs"] => roles::ROLES.iter().flat_map(|(_, _, names, _)| *names).for_each(|name| {
            say(&format!("{name}\n"));
        }),
        ["-h" | "--help"] => say(USAGE),
        _ => {
            say(USAGE);
            return ExitCode::from(2);
        }
    }
    ExitCode::SUCCESS
}

/// What there is to say about the files, and whether nothing of it is a mistake.
fn check(files: &[PathBuf]) -> (String, bool) {
    let mut config = match Config::read(files, &[]) {
        Ok(config) => config,
        Err(problem) => return (format!("error: {problem}\n"), false),
    };
    config.declare(&options::declared());
    let mut problems = config.review(&options::declared(), &options::idle());
    problems.extend(options::unreadable(&config));
    problems.extend(crate::review::problems(&config));
    let fine = problems.iter().all(|p| p.gravity == Gravity::Note);
    let mut report = String::new();
    for problem in &problems {
        let word = match problem.gravity {
            Gravity::Note => "note",
            Gravity::Warning => "warning",
            Gravity::Error => "error",
        };
        report += &format!("{word}: {problem}\n");
    }
    if fine {
        report += &format!("{} read, nothing wrong\n", if files.len() == 1 { "1 file" } else { "all files" });
    }
    (report, fine)
}
