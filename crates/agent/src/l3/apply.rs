//! Making a router on this host: the namespace and radvd. Everything here may block.

use std::fs;
use std::net::IpAddr;

use host::daemon::{self, ConfigFile, Daemon, Reload};
use host::{Error, Netns, Result, conntrack};
use model::l3::Router;

use super::desired::{desired, namespace_name};
use super::options::Options;
use super::radvd;
use crate::netns::apply::{Announcement, Host};

const RADVD: &str = "radvd";
/// radvd refuses a file that its own user could write to.
const RADVD_CONF_MODE: u32 = 0o444;
/// Prefixes of the devices that are removed with a namespace.
const OWNED: [&str; 2] = ["qr-", "qg-"];

/// A router that is in place.
#[derive(Debug)]
pub struct Done {
    /// Its namespace.
    pub ns: Netns,
    /// Addresses to be announced again.
    pub announced: Vec<Announcement>,
}

/// Makes the router as it should be. `moved` are floating IPs that lead elsewhere than before.
///
/// # Errors
/// When the kernel refuses something or radvd does not start.
pub fn serve(host: &mut Host, router: &Router, moved: &[IpAddr], options: &Options) -> Result<Done> {
    let namespace = desired(router, options);
    let report = host.reconcile(&namespace)?;
    let ns = Netns::open(&namespace.name)?;
    for address in moved {
        conntrack::forget(&ns, *address)?;
    }
    match radvd::config(router, options) {
        Some(config) => {
            daemon::ensure(&ns, &radvd_daemon(&router.id, config, options), &mut || Ok(()))?;
        }
        None => stop_radvd(&router.id, options)?,
    }
    Ok(Done { ns, announced: report.announced })
}

/// radvd as Neutron's own agent starts it.
fn radvd_daemon(router_id: &str, config: String, options: &Options) -> Daemon {
    let path = options.ra_confs.join(format!("{router_id}.radvd.conf"));
    let pid_file = options.external_pids.join(format!("{router_id}.pid.radvd"));
    let mut argv: Vec<String> = [RADVD, "-C"].map(str::to_owned).into();
    argv.extend([path.display().to_string(), "-p".to_owned(), pid_file.display().to_string()]);
    argv.extend(["-m", "syslog"].map(str::to_owned));
    match options.radvd_user.as_str() {
        "root" => {}
        // Without a setting it is told to become who it is: root.
        "" => argv.extend(["-u", "root"].map(str::to_owned)),
        user => argv.extend(["-u".to_owned(), user.to_owned()]),
    }
    let files = vec![ConfigFile { path, text: config, mode: RADVD_CONF_MODE }];
    Daemon { files, argv, pid_file, reload: Reload::HangUp }
}

fn stop_radvd(router_id: &str, options: &Options) -> Result<()> {
    let daemon = radvd_daemon(router_id, String::new(), options);
    daemon::stop(&daemon.pid_file, RADVD)?;
    for file in daemon.files {
        match fs::remove_file(&file.path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io(format!("removing {}", file.path.display()), e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Takes the router away from this host.
///
/// # Errors
/// When radvd cannot be ended or the kernel refuses.
pub fn remove(host: &mut Host, router_id: &str, options: &Options) -> Result<()> {
    stop_radvd(router_id, options)?;
    host.remove(&namespace_name(router_id), &OWNED)
}
