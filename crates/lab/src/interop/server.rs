//! Whose server a cloud has: this project's, or one of Neutron's own; what those read and how they start.

use std::time::Duration;

use super::python::{LOG_LINES, Release, sound};
use super::wiring::Wiring;
use crate::daemon::Daemon;
use crate::report::{within, words};
use crate::site::{Site, project};
use crate::users::Users;

/// What they read, and where.
const FOLDER: &str = "/etc/neutron/python-server";
/// How long one may take from its start to its first answer.
const START_MAX: Duration = Duration::from_secs(180);

/// A server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Server {
    /// This project's.
    Ours,
    /// Neutron's own.
    Python(Release),
}

impl Server {
    /// How it is spoken of.
    pub(super) fn name(self) -> String {
        match self {
            Server::Ours => "this server".to_owned(),
            Server::Python(release) => format!("the server of Python {}", release.name()),
        }
    }
}

/// The processes that a release's server is made of: its name here, and program and arguments.
fn processes(release: Release) -> Vec<(&'static str, Vec<String>)> {
    let with_conf = |name: &str| {
        vec![release.program(name), "--config-file".to_owned(), format!("{FOLDER}/neutron.conf")]
    };
    match release {
        Release::V25 => vec![("python-neutron-server", with_conf("neutron-server"))],
        Release::V29 => {
            let serve = project().join("tests/onedb/serve.py").display().to_string();
            vec![
                ("python-neutron-api", vec![release.program("python"), serve, "0.0.0.0:9696".to_owned()]),
                ("python-neutron-rpc-server", with_conf("neutron-rpc-server")),
                ("python-neutron-periodic-workers", with_conf("neutron-periodic-workers")),
            ]
        }
    }
}

/// Makes a release's tables and starts its server on the controller.
///
/// # Errors
/// It is not installed, or does not answer.
pub(super) fn start(site: &Site, release: Release, wiring: Wiring) -> Result<(), String> {
    release.installed()?;
    let host = &site.controller;
    host.write(&format!("{FOLDER}/neutron.conf"), &config(release, wiring)).map_err(words)?;
    let conf = format!("{FOLDER}/neutron.conf");
    let manage = release.program("neutron-db-manage");
    host.run(&[&manage, "--config-file", &conf, "upgrade", "heads"]).map_err(words)?;
    for (name, line) in processes(release) {
        let daemon = release.in_its_world(Daemon { name: name.to_owned(), words: line, env: Vec::new() });
        let daemon =
            daemon.env("OS_NEUTRON_CONFIG_DIR", FOLDER).env("OS_NEUTRON_CONFIG_FILES", "neutron.conf");
        host.start_daemon(&daemon).map_err(words)?;
    }
    within(START_MAX, || site.neutron(&["ext-list", "-f", "value", "-c", "alias"]))
        .map_err(|why| format!("{why}\n{}", logs(site, release, 20)))?;
    Ok(())
}

/// The ends of its logs.
pub(super) fn logs(site: &Site, release: Release, lines: usize) -> String {
    let log = |name: &str| {
        let log = site.controller.daemon_log(name, LOG_LINES);
        let told: Vec<&str> = log.lines().filter(|line| !line.contains(" DEBUG ")).collect();
        format!("--- {name}\n{}\n", told[told.len().saturating_sub(lines)..].join("\n"))
    };
    processes(release).iter().map(|(name, _)| log(name)).collect()
}

/// Whether it met nothing unexpected.
///
/// # Errors
/// The lines that say what.
pub(super) fn undisturbed(site: &Site, release: Release) -> Result<String, String> {
    let said: Result<Vec<()>, String> =
        processes(release).iter().map(|(name, _)| sound(&site.controller, name)).collect();
    said.map(|_| "none".to_owned())
}

/// The guide's values under today's names.
fn config(release: Release, wiring: Wiring) -> String {
    let paste = release.folder().join("etc/neutron/api-paste.ini");
    format!(
        "[DEFAULT]\ncore_plugin = ml2\nservice_plugins = router\nauth_strategy = keystone\ndebug = true\n\
         state_path = /var/lib/neutron\napi_paste_config = {}\nbind_host = 0.0.0.0\napi_workers = 1\n\
         rpc_workers = 1\ntransport_url = rabbit://openstack:opst@controller:5672/\n\
         notify_nova_on_port_status_changes = false\nnotify_nova_on_port_data_changes = false\n\
         [experimental]\nlinuxbridge = true\n\
         [oslo_concurrency]\nlock_path = /var/lib/neutron/lock\n\
         [database]\nconnection = mysql+pymysql://neutron:neutron@controller/neutron?charset=utf8mb3\n\
         [keystone_authtoken]\nwww_authenticate_uri = http://controller:5000\nauth_url = http://controller:5000\n\
         auth_type = password\nproject_domain_id = default\nuser_domain_id = default\nproject_name = service\n\
         username = neutron\npassword = neutron\n\
         [ml2]\ntype_drivers = flat,vlan,vxlan\ntenant_network_types = vxlan\n\
         mechanism_drivers = {},l2population\nextension_drivers = port_security\n\
         [ml2_type_flat]\nflat_networks = public\n[ml2_type_vxlan]\nvni_ranges = 1:1000\n\
         [securitygroup]\nenable_security_group = true\nenable_ipset = true\n",
        paste.display(),
        wiring.mechanism()
    )
}
