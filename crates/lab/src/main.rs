//! The laboratory's program: `lab hold` behind simulated hosts, `lab bench`.

use lab::host::Life;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "usage: lab bench [--quick]\n";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["hold", name] => lab::hold::outer(name, Life::WithStarter),
        ["hold-on", name] => lab::hold::outer(name, Life::Lasting),
        ["hold-inside", name] => lab::hold::inner(name),
        ["bench", rest @ ..] => bench(rest.contains(&"--quick")),
        _ => Err(std::io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("lab: {error}\n"));
            ExitCode::FAILURE
        }
    }
}

/// The program under measurement stands beside this one.
fn neutron() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("neutron"))
}

fn bench(quick: bool) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let table = runtime.block_on(lab::bench::run(&neutron()?, quick))?;
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{table}"))
}
