//! `lab tempest [PATTERN]`: OpenStack's own tests of the network API, against the Liberty guide's cloud.

use std::path::Path;
use std::process::Stdio;

use crate::cloud::Programs;
use crate::guide::stage;
use crate::report::{Report, words};
use crate::site::{Site, openrc, project};

/// Where `make tempest` installs tempest, from the project's folder.
const VENV: &str = ".tools/tempest";
/// Where logs and results are left.
pub const RESULTS: &str = "target/tempest";

/// Runs the tests whose name holds `pattern`; false if any of them did not pass.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn run(pattern: &str) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    report.section("The Liberty guide's cloud, and tempest in front of it");
    match stage::run(&programs, &mut report) {
        Ok(site) => {
            report.step("run tempest's tests of the network API", "each of them passes", || {
                tempest(&site, pattern)
            });
        }
        Err(why) => {
            report.step("start the cloud", "it stands", || Err(why));
        }
    }
    Ok(report.end())
}

/// Runs tempest on the controller; what it prints goes to the terminal as it comes.
fn tempest(site: &Site, pattern: &str) -> Result<String, String> {
    let folder = project().canonicalize().map_err(words)?;
    let results = folder.join(RESULTS);
    remove(&results)?;
    let mut command = site.controller.command(&folder.join(VENV).join("bin/python").display().to_string());
    command.arg(folder.join("tests/tempest/run.py")).arg(folder.join("tests/tempest/tests.txt"));
    command.arg(&results).arg(pattern).stdin(Stdio::null());
    command.envs(openrc("admin", "admin", "admin"));
    let status = command.status().map_err(words)?;
    let kept = |site: &Site| std::fs::write(results.join("neutron.log"), site.logs(100_000)).map_err(words);
    kept(site)?;
    if status.success() {
        Ok(format!("logs and results are in {RESULTS}"))
    } else {
        Err(format!(
            "not all of them; {RESULTS}/failures.txt says which and why, neutron.log what Neutron logged"
        ))
    }
}

fn remove(folder: &Path) -> Result<(), String> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(words(error)),
        _ => Ok(()),
    }
}
