//! The laboratory's program: `lab demo`, `lab run`, `lab stop`, `lab bench`, and what runs inside simulated hosts.

use lab::bench::table::Table;
use lab::host::Life;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str =
    "usage: lab demo | run [LISTEN] | stop | bench [--against-python|--two-hosts|--ovs-agent] [--quick]
       lab guide-liberty [printed|mended|provider]
       lab guide-juno [printed|mended|two]
       lab chaos [bridges|switches]
       lab interop [WORDS OF A PART'S TITLE]
       lab horizon [FOLDER FOR SCREENSHOTS]
       lab openstackclient
       lab tempest [PATTERN]
       lab services up|down|env
       lab with-services -- COMMAND...
       lab in-kernel -- COMMAND...
       lab in-uml -- COMMAND...
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let done = match words.as_slice() {
        ["hold", network, name] => lab::hold::outer(network, name, Life::WithStarter),
        ["hold-on", network, name] => lab::hold::outer(network, name, Life::Lasting),
        ["hold-inside", network, name] => lab::hold::inner(network, name),
        ["services", "up"] => lab::services::command::up().and_then(|text| say(&text)),
        ["services", "down"] => lab::services::command::down().and_then(|text| say(&text)),
        ["services", "env"] => lab::services::command::env().and_then(|text| say(&text)),
        ["with-services", "--", command @ ..] => {
            return lab::services::command::with(command).unwrap_or_else(failed);
        }
        ["in-kernel", "--", command @ ..] => return lab::guest::run(command).unwrap_or_else(failed),
        ["in-uml", "--", command @ ..] => return lab::uml::run(None, command).unwrap_or_else(failed),
        ["demo"] => demo(),
        ["run"] => lab::standing::run(lab::standing::API).and_then(|text| say(&text)),
        ["run", listen] => lab::standing::run(listen).and_then(|text| say(&text)),
        ["stop"] => lab::standing::stop().and_then(|text| say(&text)),
        ["nova-metadata", port, secret] => {
            number(port).and_then(|port| lab::tools::nova_metadata(port, secret))
        }
        ["nova", conf] => lab::nova::serve(std::path::Path::new(conf)),
        ["tempest"] => tempest(""),
        ["tempest", pattern] => tempest(pattern),
        ["guide-liberty", only @ ..] => {
            let only = only.first().copied().unwrap_or_default();
            all_well(lab::guide::run(only), "the guide does not work as it should")
        }
        ["guide-juno", only @ ..] => {
            let only = only.first().copied().unwrap_or_default();
            all_well(lab::guide::juno::run(only), "the guide does not work as it should")
        }
        ["chaos", only @ ..] => {
            all_well(lab::chaos::run(only.first().copied().unwrap_or_default()), "something was lost")
        }
        ["interop", only @ ..] => all_well(
            lab::interop::run(only.first().copied().unwrap_or_default()),
            "agents of one kind did not work with the other's server",
        ),
        ["horizon"] => horizon(lab::horizon::PICTURES),
        ["horizon", folder] => horizon(folder),
        ["openstackclient"] => all_well(lab::openstackclient::run(), "a command failed"),
        ["talk-serve", port] => number(port).and_then(lab::tools::talk_serve),
        ["talk-to", address] => lab::tools::talk_to(address),
        ["relay", listen, pid, connect] => {
            number(pid).and_then(|pid| lab::tools::relay(listen, pid, connect))
        }
        ["bench-inside", what, dir] => bench_inside(what, dir),
        ["bench", "--against-python", rest @ ..] => against(rest.contains(&"--quick")),
        ["bench", "--two-hosts"] => in_hosts(lab::bench::two_hosts::run),
        ["bench", "--ovs-agent", rest @ ..] => {
            in_hosts(|| lab::bench::switch_agent::run(rest.contains(&"--quick")))
        }
        ["bench", rest @ ..] => bench(rest.contains(&"--quick")),
        _ => Err(std::io::Error::other(USAGE)),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(error),
    }
}

fn failed(error: std::io::Error) -> ExitCode {
    let _ = std::io::Write::write_fmt(&mut std::io::stderr(), format_args!("lab: {error}\n"));
    ExitCode::FAILURE
}

fn number<T: std::str::FromStr>(text: &str) -> std::io::Result<T> {
    text.parse().map_err(|_| std::io::Error::other(format!("{text} is no such number")))
}

fn say(text: &str) -> std::io::Result<()> {
    std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes())
}

fn demo() -> std::io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    all_well(lab::demo::run(), "the demonstration failed")
}

fn all_well(fine: std::io::Result<bool>, otherwise: &str) -> std::io::Result<()> {
    if fine? { Ok(()) } else { Err(std::io::Error::other(otherwise)) }
}

fn horizon(pictures: &str) -> std::io::Result<()> {
    let fine = lab::horizon::alone(std::path::Path::new(pictures));
    all_well(fine, "the dashboard does not work as it should")
}

/// The program under measurement stands beside this one.
fn neutron() -> std::io::Result<PathBuf> {
    Ok(std::env::current_exe()?.with_file_name("neutron"))
}

fn bench_inside(what: &str, dir: &str) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(lab::bench::wiring::inside(&neutron()?, what, std::path::Path::new(dir)))
}

fn bench(quick: bool) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let table = runtime.block_on(lab::bench::run(&std::env::current_exe()?, &neutron()?, quick))?;
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{table}"))
}

fn against(quick: bool) -> std::io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let table = runtime.block_on(lab::bench::against::run(&neutron()?, quick))?;
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{table}"))
}

fn in_hosts(measure: impl FnOnce() -> std::io::Result<Table>) -> std::io::Result<()> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let table = measure()?;
    std::io::Write::write_fmt(&mut std::io::stdout(), format_args!("{table}"))
}

fn tempest(pattern: &str) -> std::io::Result<()> {
    match lab::tempest::run(pattern)? {
        true => Ok(()),
        false => Err(std::io::Error::other("tempest did not pass")),
    }
}
