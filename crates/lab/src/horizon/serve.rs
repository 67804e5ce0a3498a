//! The dashboard on the controller: its settings as the guide has them, and Apache with mod_wsgi in front of it.

use std::time::Duration;

use super::settings::{self, LOCAL_SETTINGS, Mend};
use crate::daemon::Daemon;
use crate::host::Host;
use crate::report::{Report, within, words};
use crate::services::http::Target;
use crate::site::Site;

/// Where the guide finds the dashboard.
pub const URL: &str = "http://controller/horizon";
/// Apache's name as a daemon.
const DAEMON: &str = "apache2";
/// Its configuration.
const CONFIG: &str = "/etc/apache2/horizon.conf";
/// How long the dashboard may take to its first page.
const START_MAX: Duration = Duration::from_secs(120);
/// Debian's Python: another one may come first in the path.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// Django's own tool.
const MANAGE: &str = "/usr/share/openstack-dashboard/manage.py";

/// What Debian's openstack-dashboard-apache puts under /horizon, in a file that is read alone.
const APACHE: &str = "ServerRoot /etc/apache2
ServerName controller
PidFile /run/apache2.pid
DefaultRuntimeDir /run
User www-data
Group www-data
Listen 80
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule alias_module /usr/lib/apache2/modules/mod_alias.so
LoadModule mime_module /usr/lib/apache2/modules/mod_mime.so
LoadModule wsgi_module /usr/lib/apache2/modules/mod_wsgi.so
TypesConfig /etc/mime.types
ErrorLog /var/log/lab/apache2.log
WSGISocketPrefix /run/wsgi
WSGIDaemonProcess horizon user=www-data group=www-data processes=1 threads=4
WSGIProcessGroup horizon
WSGIApplicationGroup %{GLOBAL}
WSGIScriptAlias /horizon /usr/share/openstack-dashboard/wsgi.py
Alias /horizon/static /var/lib/openstack-dashboard/static
<Directory /usr/share/openstack-dashboard>
  Require all granted
</Directory>
<Directory /var/lib/openstack-dashboard/static>
  Require all granted
</Directory>
";

/// Takes the guide's steps up to a dashboard that answers: settings as printed, each slip named and mended, services.
///
/// # Errors
/// It does not answer.
pub fn run(site: &Site, report: &mut Report) -> Result<(), String> {
    let host = &site.controller;
    report.step(
        "controller# apt-get install openstack-dashboard apache2 libapache2-mod-wsgi memcached python-memcache",
        "Debian's dashboard of today is there",
        || host.run(&["dpkg-query", "-W", "openstack-dashboard"]).map_err(installed),
    );
    report.step(
        &format!("controller# vim {LOCAL_SETTINGS}"),
        "the guide's lines in it, byte for byte",
        || {
            let text = settings::typed(&read(host, LOCAL_SETTINGS)?, &settings::printed()?);
            host.write(LOCAL_SETTINGS, &text).map_err(words)?;
            settings::printed()
        },
    );
    for mend in settings::mends()? {
        if mend.is_slip() {
            slip(host, report, &mend);
        } else {
            report.note(&format!("{}: {} -> {}: {}", mend.path, mend.printed, mend.mended, mend.why));
        }
        host.write(&mend.path, &mend.made(&read(host, &mend.path)?)?).map_err(words)?;
    }
    report.step(
        "compress styles and scripts for that address",
        "as the package does when settings change",
        || compress(host),
    );
    let done = report.step("controller# service apache2 restart", &format!("{URL} answers"), || start(host))
        & report.step(
            "controller# service memcached restart",
            "it answers, and keeps Horizon's sessions",
            || {
                site.services.memcached_restart()?;
                Ok("as a process of the controller; Keystone, which has its cache there, too".to_owned())
            },
        );
    if done { Ok(()) } else { Err(log(site, 30)) }
}

/// The end of what Apache and the dashboard said.
pub fn log(site: &Site, lines: usize) -> String {
    said(&site.controller, lines)
}

/// What is neither a page that the dashboard wrote into its log nor a warning about Python.
fn said(host: &Host, lines: usize) -> String {
    let log = host.daemon_log(DAEMON, lines * 20);
    let noise = ["<script", "warnings.warn(", "Warning: "];
    let told = |line: &&str| !noise.iter().any(|word| line.contains(word)) && !line.trim_end().ends_with(']');
    let told: Vec<&str> = log.lines().filter(told).collect();
    told[told.len().saturating_sub(lines)..].join("\n")
}

fn installed(error: impl std::fmt::Display) -> String {
    format!("{error}: 'make horizon' installs it")
}

fn read(host: &Host, path: &str) -> Result<String, String> {
    std::fs::read_to_string(host.path(path)).map_err(|error| format!("{path}: {error}"))
}

/// A slip: the dashboard says so, and where it is.
fn slip(host: &Host, report: &mut Report, mend: &Mend) {
    let said = &mend.said;
    report.step("ask Django what it thinks of the settings", &format!("{said:?}, where and why"), || {
        let told = match manage(host, &["check"]) {
            Ok(told) => return Err(format!("it finds nothing wrong: {told}")),
            Err(told) => told,
        };
        let line = told.lines().rfind(|line| line.contains(said));
        let line = line.ok_or_else(|| format!("it does not say so: {told}"))?;
        let place = mend.place(&read(host, &mend.path)?);
        let printed = mend.printed.replace("\\n", " ⏎ ");
        Ok(format!("{}\n{place}: {printed}\nmended: {}: {}", line.trim(), mend.mended, mend.why))
    });
}

/// Runs Django's tool as root on the host.
fn manage(host: &Host, args: &[&str]) -> Result<String, String> {
    let path = format!("PATH={PATH}");
    let mut all = vec!["env", "-i", &path, "LANG=C.UTF-8", "/usr/bin/python3", "-W", "ignore", MANAGE];
    all.extend(args);
    host.run(&all).map_err(words)
}

/// What Debian's package does when a file of its settings changes: scripts hold the dashboard's address.
fn compress(host: &Host) -> Result<String, String> {
    let told = manage(host, &["compress", "--force"])?;
    // The key that it made is root's now; the dashboard makes another.
    host.run(&["rm", "-f", "/var/lib/openstack-dashboard/secret-key/.secret_key_store"]).map_err(words)?;
    Ok(told.lines().last().unwrap_or_default().to_owned())
}

fn start(host: &Host) -> Result<String, String> {
    host.write(CONFIG, APACHE).map_err(words)?;
    if host.daemon_runs(DAEMON) {
        host.end_daemon(DAEMON, "TERM").map_err(words)?;
    }
    let daemon = Daemon::new(DAEMON, &["apache2", "-f", CONFIG, "-DFOREGROUND"]);
    // Variables that speak of another Python, or of another cloud, are none of the dashboard's.
    let mut clean = Daemon::new(DAEMON, &["env", "-i", &format!("PATH={PATH}"), "LANG=C.UTF-8"]);
    clean.words.extend(daemon.words);
    host.start_daemon(&clean).map_err(words)?;
    let target = Target { address: ([127, 0, 0, 1], 80).into(), prefix: "/horizon".to_owned(), token: None };
    within(START_MAX, || {
        let page = target.send(host, "GET", "/auth/login/", None)?;
        if page.status == 200 && page.body.contains("id_username") {
            Ok("the page that asks for user name and password".to_owned())
        } else {
            Err(format!("no page to log in but an answer of status {}", page.status))
        }
    })
    .map_err(|why| format!("{why}\n{}", said(host, 30)))
}
