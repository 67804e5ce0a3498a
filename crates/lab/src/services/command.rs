//! `lab services up|down|env` and `lab with-services -- COMMAND...`: the servers that tests need, on free ports.

use std::fmt::Write as _;
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use super::{DISK, Durability, MARIADB_PASSWORD, People, Ports, Services, Setup};
use crate::demo::CACHE;
use crate::host::{Host, Life, Network};
use crate::lasting;

/// Where `make services` installs Keystone, from the folder where commands are typed.
pub const KEYSTONE: &str = ".tools/keystone";
/// Names another folder.
const KEYSTONE_VARIABLE: &str = "LAB_KEYSTONE_VENV";
/// `disk`: databases on the machine's disk, as measurements want them.
const DURABILITY_VARIABLE: &str = "LAB_DURABILITY";

/// Who there is for tests.
const PEOPLE: People = People {
    admin: "admin-secret",
    projects: &["service", "demo", "strangers"],
    users: &[
        ("neutron", "service-secret", "service", &["admin", "service"]),
        ("nova", "service-secret", "service", &["admin", "service"]),
        ("demo", "demo-secret", "demo", &["member"]),
        ("reader", "reader-secret", "demo", &["reader"]),
        ("stranger", "stranger-secret", "strangers", &["member"]),
        ("manager", "manager-secret", "demo", &["manager"]),
    ],
};

/// The folder of Keystone's programs.
///
/// # Errors
/// The current folder is unknown.
pub fn keystone_folder() -> io::Result<PathBuf> {
    match std::env::var_os(KEYSTONE_VARIABLE) {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => {
            // Tests run in the folder of their package.
            let here = std::env::current_dir()?.join(KEYSTONE);
            Ok(if here.exists() { here } else { crate::site::project().join(KEYSTONE) })
        }
    }
}

/// Starts them on a host with the machine's network; their variables come as a shell reads them.
fn start(host: Arc<Host>) -> io::Result<(Services, String)> {
    let ports = Ports::free()?;
    let disk = std::env::var(DURABILITY_VARIABLE).is_ok_and(|value| value == "disk");
    let setup = Setup {
        ports,
        bind: Ipv4Addr::LOCALHOST,
        durability: if disk { Durability::Disk } else { Durability::Memory },
        rabbitmq_user: ("guest".to_owned(), "guest".to_owned()),
        keystone: keystone_folder()?,
        name: "127.0.0.1".to_owned(),
        people: &PEOPLE,
    };
    let services = Services::start(host, setup).map_err(io::Error::other)?;
    let mut text = String::new();
    for (name, value) in variables(&services) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "export {name}={value}");
    }
    Ok((services, text))
}

fn variables(services: &Services) -> Vec<(&'static str, String)> {
    let ports = services.setup.ports;
    let [authority, ..] = services.tls_files();
    vec![
        ("LAB_MARIADB_URL", format!("mysql://root:{MARIADB_PASSWORD}@127.0.0.1:{}", ports.mariadb)),
        ("LAB_RABBITMQ_URL", format!("amqp://guest:guest@127.0.0.1:{}/", ports.rabbitmq)),
        ("LAB_RABBITMQ_TLS_URL", format!("amqp://guest:guest@127.0.0.1:{}/", ports.rabbitmq_tls)),
        ("LAB_TLS_CA", services.host.path(&authority).display().to_string()),
        ("LAB_KEYSTONE_URL", format!("http://127.0.0.1:{}/v3", ports.keystone)),
        ("LAB_MEMCACHED", format!("127.0.0.1:{}", ports.memcached)),
    ]
}

/// Runs a command with the servers beside it; they end with it or with this process, however that ends.
///
/// # Errors
/// A server or the command does not start.
pub fn with(command: &[&str]) -> io::Result<ExitCode> {
    let (program, args) = command.split_first().ok_or_else(|| io::Error::other("no command after --"))?;
    let lab = std::env::current_exe()?;
    let host = Host::start_in(&lab, "services", Life::WithStarter, Network::Machine)?;
    let (services, _) = start(Arc::new(host))?;
    let status = Command::new("setpriv")
        .args(["--pdeathsig", "TERM", "--", program])
        .args(args)
        .envs(variables(&services))
        .status()?;
    drop(services);
    Ok(ExitCode::from(status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1)))
}

/// Files about servers that were left standing: their processes, their variables, their data on the disk.
fn file(what: &str) -> PathBuf {
    Path::new(CACHE).join(format!("services.{what}"))
}

/// Leaves the servers standing; returns their variables as a shell reads them.
///
/// # Errors
/// A server does not start; those that did are ended.
pub fn up() -> io::Result<String> {
    std::fs::create_dir_all(CACHE)?;
    if !lasting::alive(&file("pids")).is_empty() {
        return env();
    }
    let lab = std::env::current_exe()?;
    let host = Arc::new(Host::start_in(&lab, "services", Life::Lasting, Network::Machine)?);
    let holder = host.holder();
    lasting::save(&file("pids"), &[holder]).map_err(io::Error::other)?;
    match start(host) {
        Ok((services, text)) => {
            std::fs::write(file("env"), &text)?;
            std::fs::write(file("data"), services.leave().display().to_string())?;
            Ok(text)
        }
        Err(why) => {
            lasting::end(&[holder]);
            Err(why)
        }
    }
}

/// The variables of servers that [`up`] left standing.
///
/// # Errors
/// There are none.
pub fn env() -> io::Result<String> {
    if lasting::alive(&file("pids")).is_empty() {
        return Err(io::Error::other("no servers stand: 'lab services up' starts them"));
    }
    std::fs::read_to_string(file("env"))
}

/// Ends what [`up`] started.
///
/// # Errors
/// What it left cannot be removed.
pub fn down() -> io::Result<String> {
    lasting::end(&lasting::alive(&file("pids")));
    if let Ok(data) = std::fs::read_to_string(file("data"))
        && data.starts_with(DISK)
        && Path::new(&data).exists()
    {
        std::fs::remove_dir_all(data)?;
    }
    for what in ["pids", "env", "data"] {
        // It may never have come to that.
        let _ = std::fs::remove_file(file(what));
    }
    Ok("the servers have ended\n".to_owned())
}
