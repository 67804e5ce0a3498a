//! The Juno guide's last section: OpenStack's dashboard in front of the network service, used in a real browser. Logs
//! in, makes a network with its subnet and a router, connects them, looks at every panel, and takes all away again;
//! the API is asked as well after each step.

mod admin;
mod api;
mod browser;
mod member;
mod page;
mod serve;
mod settings;
mod visit;

use std::path::Path;

use crate::cloud::Programs;
use crate::guide::stage;
use crate::report::Report;
use crate::site::Site;
use crate::users::Users;
use page::Dashboard;
pub use visit::Person;
use visit::Visit;

/// Where screenshots are left, from the project's folder.
pub const PICTURES: &str = "target/horizon";
/// A user of a project and the administrator, as the guides have them.
pub const PEOPLE: People<'static> = People {
    member: Person { user: "demo", password: "demo", project: "demo" },
    admin: Person { user: "admin", password: "admin", project: "admin" },
};

/// Who uses the dashboard.
#[derive(Clone, Copy, Debug)]
pub struct People<'a> {
    /// A member of a project.
    pub member: Person<'a>,
    /// The cloud's administrator.
    pub admin: Person<'a>,
}

/// Takes the section's steps on a cloud that has an external network; screenshots go to a folder.
///
/// # Errors
/// The rest needs a step that is not as expected.
pub fn run(site: &Site, report: &mut Report, who: People<'_>, pictures: &Path) -> Result<(), String> {
    report.section("Horizon, in a browser");
    // The dashboard shows what the catalog holds, and no Nova is to be shown here.
    report.step("take the compute service out of Keystone's catalog", "the dashboard knows of none", || {
        site.services.withdraw("compute").map(|()| "it is gone".to_owned())
    });
    serve::run(site, report)?;
    let mut started = None;
    report.step("start headless Chromium on the controller", "it answers", || {
        started = Some(Dashboard::start(&site.controller, pictures)?);
        Ok(format!("screenshots go to {}", pictures.display()))
    });
    let page = started.ok_or("there is no browser")?;
    Visit::new(site, &page, who.member)?.build(report)?;
    report.section("The administrator");
    Visit::new(site, &page, who.admin)?.administer(report, who.member.project)?;
    report.section("The user again");
    Visit::new(site, &page, who.member)?.clear(report)
}

/// `lab horizon [FOLDER]`: the section alone, on the Liberty guide's cloud.
///
/// # Errors
/// This program's own path is unknown, or it is not root's.
pub fn alone(pictures: &Path) -> std::io::Result<bool> {
    if !nix::unistd::geteuid().is_root() {
        return Err(std::io::Error::other("simulated hosts need root"));
    }
    let programs = Programs::beside_this_one()?;
    let mut report = Report::default();
    report.section("The Liberty guide's cloud");
    let done = stage::run(&programs, &mut report).and_then(|site| {
        external(&site, &mut report)?;
        run(&site, &mut report, PEOPLE, pictures)
    });
    if let Err(why) = done {
        report.step("take every step", "none left out", || Err(why));
    }
    Ok(report.end())
}

/// The guide's external network, that a project's router goes out by.
fn external(site: &Site, report: &mut Report) -> Result<(), String> {
    let network = [
        "net-create",
        "public",
        "--router:external",
        "--provider:network_type",
        "flat",
        "--provider:physical_network",
        "public",
    ];
    let subnet = [
        "subnet-create",
        "public",
        "192.168.81.0/24",
        "--name",
        "public",
        "--allocation-pool",
        "start=192.168.81.100,end=192.168.81.200",
        "--gateway",
        "192.168.81.254",
        "--disable-dhcp",
    ];
    let made =
        report.step("neutron net-create public; neutron subnet-create public", "both are there", || {
            Ok(site.neutron(&network)? + &site.neutron(&subnet)?)
        });
    if made { Ok(()) } else { Err("there is no external network".to_owned()) }
}
