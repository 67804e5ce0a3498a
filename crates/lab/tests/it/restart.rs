//! A crash of everything loses no packet, and what is removed by hand comes back.

use std::process::{Child, Stdio};
use std::time::Duration;

use lab::cloud::{Cloud, INTERNET};
use lab::demo::guide;
use lab::host::{Host, Life};
use lab::instance::{Instance, ping};
use lab::report::within;
use lab::users::Users;

use crate::programs;

/// How long agents may take to see and mend what somebody broke.
const REPAIR_MAX: Duration = Duration::from_secs(90);

/// The guide's cloud with two instances on the private network, both with a lease.
fn cloud() -> (Cloud, Instance, Instance) {
    let cloud = Cloud::start(programs(), Life::WithStarter).unwrap();
    cloud.start_neutron().unwrap();
    for command in guide::COMMANDS {
        cloud.neutron(&command.split(' ').collect::<Vec<_>>()).unwrap();
    }
    let boot = |name| {
        let instance = Instance::boot(&cloud, "private", name, &[]).unwrap();
        instance.lease().unwrap_or_else(|why| panic!("{why}\n{}", cloud.log_end()));
        instance
    };
    let (first, second) = (boot("vm1"), boot("vm2"));
    first.ping(&second.ipv4()).unwrap();
    first.ping(INTERNET).unwrap();
    (cloud, first, second)
}

/// A ping every two milliseconds, until it is told to stop.
fn flood(from: &Host, to: &str) -> Child {
    let mut command = from.command("ping");
    command.args(["-q", "-i", "0.002", "-W", "2", to]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Stops a flood and returns how many packets it sent and how many came back.
fn end(from: &Host, flood: Child) -> (u64, u64) {
    // The last packet's answer may be on its way: ping counts it only if it waits a moment.
    from.sh("pkill -INT -x ping || true").unwrap();
    let out = flood.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let line =
        text.lines().find(|line| line.contains("packets transmitted")).unwrap_or_else(|| panic!("{text}"));
    let number =
        |word: &str| line.split(", ").find(|part| part.contains(word)).unwrap().split(' ').next().unwrap();
    (number("transmitted").parse().unwrap(), number("received").parse().unwrap())
}

#[test]
fn a_crash_under_flood_loses_no_packet_and_the_next_start_adopts() {
    let (cloud, first, second) = cloud();
    let inward = flood(&first.host, &second.ipv4());
    let outward = flood(&second.host, INTERNET);
    std::thread::sleep(Duration::from_millis(500));
    cloud.kill_neutron().unwrap();
    std::thread::sleep(Duration::from_secs(1));
    cloud.start_neutron().unwrap();
    // The agents read everything anew meanwhile.
    std::thread::sleep(Duration::from_secs(4));
    let (sent, back) = end(&first.host, inward);
    let (sent_out, back_out) = end(&second.host, outward);
    assert!(sent > 500 && sent_out > 500, "{sent} and {sent_out} packets are no flood");
    // A packet may be under way at the very end.
    assert!(
        sent - back <= 1,
        "{} of {sent} packets between instances were lost\n{}",
        sent - back,
        cloud.log_end()
    );
    assert!(
        sent_out - back_out <= 1,
        "{} of {sent_out} packets to the outside were lost",
        sent_out - back_out
    );
    // It works on: a new instance is wired after the restart.
    let third = Instance::boot(&cloud, "private", "vm3", &[]).unwrap();
    third.lease().unwrap();
    third.ping(&first.ipv4()).unwrap();
}

#[test]
fn what_is_removed_by_hand_is_repaired() {
    let (cloud, first, second) = cloud();
    let controller = &cloud.controller;
    let network = cloud.field(&["net-show", "private"], "id").unwrap();
    let router = cloud.field(&["router-show", "router"], "id").unwrap();
    let bridge = format!("brq{}", &network[..11]);
    let repaired = |what: &str, probe: &dyn Fn() -> Result<String, String>| {
        if let Err(why) = within(REPAIR_MAX, probe) {
            panic!("{what} is not repaired: {why}\n{}", cloud.log_end());
        }
    };

    controller.sh(&format!("kill -9 $(cat /var/lib/neutron/dhcp/{network}/pid)")).unwrap();
    first.forget_lease().unwrap();
    repaired("dnsmasq", &|| first.lease());

    controller.run(&["ip", "link", "set", &first.plug.tap(), "nomaster"]).unwrap();
    repaired("a tap's bridge", &|| first.ping(&second.ipv4()));

    controller.run(&["ip", "link", "del", &bridge]).unwrap();
    repaired("the bridge", &|| first.ping(&second.ipv4()));
    repaired("the bridge's way to the router", &|| first.ping(INTERNET));

    controller.run(&["ip", "netns", "del", &format!("qrouter-{router}")]).unwrap();
    repaired("the router's namespace", &|| first.ping(INTERNET));

    controller.run(&["iptables", "-F", "FORWARD"]).unwrap();
    let chained = || {
        let rules = controller.run(&["iptables", "-S", "FORWARD"]).map_err(|error| error.to_string())?;
        if rules.contains("-j neutron-") { Ok(rules) } else { Err(rules) }
    };
    repaired("the way to the firewall's rules", &chained);
    ping(&first.host, &second.ipv4()).unwrap();
}
