//! `lab openstackclient`: every resource driven with python-openstackclient, which asks Keystone who one is, against the
//! Liberty guide's cloud.

use std::process::Stdio;

use crate::cloud::Programs;
use crate::guide::stage;
use crate::report::{Report, words};
use crate::services::command::keystone_folder;
use crate::site::{Site, openrc, project};

/// Runs every command; false if any failed.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run() -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    report.section("The Liberty guide's cloud, and python-openstackclient in front of it");
    match stage::run(&programs, &mut report) {
        Ok(site) => {
            report.step("create, list, show, set and delete every resource", "each command succeeds", || {
                commands(&site)
            });
        }
        Err(why) => {
            report.step("start the cloud", "it stands", || Err(why));
        }
    }
    Ok(report.end())
}

/// Runs `tools/openstackclient` on the controller; what it prints goes to the terminal as it comes.
fn commands(site: &Site) -> Result<String, String> {
    let script = project().canonicalize().map_err(words)?.join("tools/openstackclient");
    let mut command = site.controller.command(&script.display().to_string());
    command.env("OPENSTACK", keystone_folder().map_err(words)?.join("bin/openstack"));
    command.env("PYTHONWARNINGS", "ignore").envs(openrc("admin", "admin", "admin"));
    let status = command.stdin(Stdio::null()).status().map_err(words)?;
    if status.success() {
        Ok("each did".to_owned())
    } else {
        Err(format!("not all of them: see above\n{}", site.logs(20)))
    }
}
