//! Two servers on one database and one broker: one is killed, clients of the other notice nothing.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::load::{Load, Order};
use super::{API_PORT, CONVERGED_MAX, Cloud, converged};
use crate::report::{Report, within, words};
use crate::site::COMPUTE_ADDRESS;

/// How long load goes on after the other server was killed.
const AFTER: Duration = Duration::from_secs(6);

/// Takes the step.
pub fn run(cloud: &Cloud, report: &mut Report) {
    let expects = "every request to the other is acknowledged, all as it should be within 30 s";
    report.step("start a second server on the compute host, kill -9 the first", expects, || {
        second(cloud).map_err(|why| format!("{why}\n{}", cloud.site.logs(12)))
    });
}

fn second(cloud: &Cloud) -> Result<String, String> {
    let site = &cloud.site;
    for file in ["/etc/neutron/neutron.conf", "/etc/neutron/plugins/ml2/ml2_conf.ini"] {
        let text = std::fs::read_to_string(site.controller.path(file)).map_err(words)?;
        site.compute.write(file, &text).map_err(words)?;
    }
    site.compute
        .run(&["ln", "-sf", "/etc/neutron/plugins/ml2/ml2_conf.ini", "/etc/neutron/plugin.ini"])
        .map_err(words)?;
    site.start_unit(&site.compute, "neutron-server.service")?;
    let address: Ipv4Addr = COMPUTE_ADDRESS.parse().map_err(words)?;
    let order = Order { api: SocketAddr::from((address, API_PORT)), ..cloud.order.clone() };
    within(CONVERGED_MAX, || {
        order.target().ask(&order.host, "GET", "/networks?limit=1&fields=id", None).map(|_| ())
    })?;
    let load = Load::start(&order);
    std::thread::sleep(AFTER / 2);
    let before = load.ledger().acknowledged;
    site.controller.end_daemon("neutron-server", "KILL").map_err(words)?;
    std::thread::sleep(AFTER);
    let ledger = load.stop();
    let after = ledger.acknowledged - before;
    let figures = format!(
        "{before} requests acknowledged before, {after} after it, {} not ({:?}), longest silence {:.2} s",
        ledger.failures(),
        ledger.failed,
        ledger.longest_silence.as_secs_f64()
    );
    if ledger.failures() > 0 || after == 0 {
        return Err(figures);
    }
    // The users' command asks the first server, whose address is in the catalog.
    site.start_unit(&site.controller, "neutron-server.service")?;
    let said = within(CONVERGED_MAX, || converged::all(site, &order, &ledger, &cloud.project))?;
    Ok(format!("{figures}\n{said}"))
}
