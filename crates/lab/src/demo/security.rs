//! Security groups, and what an instance must not be able to do.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::reach::floating_address;
use super::{Instances, Show};
use crate::cloud::Cloud;
use crate::instance::{Instance, ping_in_vain};
use crate::report::{within, words};
use crate::users::Users;

/// A rule must be in force after that long.
const RULE_MAX: Duration = Duration::from_secs(2);
/// The port the talk is on.
const TALK_PORT: u16 = 7777;

/// Shows the section.
///
/// # Errors
/// A step that the rest needs failed.
pub fn run(show: &mut Show<'_>, instances: &Instances) -> Result<(), String> {
    groups(show, &instances.first)?;
    spoofing(show, instances);
    rogue(show, instances);
    Ok(())
}

fn groups(show: &mut Show<'_>, first: &Instance) -> Result<(), String> {
    let cloud = show.cloud;
    let address = floating_address(cloud)?;
    show.report.section("Security groups");
    show.typed("security-group-rule-create default --protocol icmp")?;
    show.try_step(&format!("ping {address} from outside"), "an answer within 2 s of the rule", || {
        let began = Instant::now();
        within(RULE_MAX, || {
            cloud.outside.run(&["ping", "-c", "1", "-W", "0.2", &address]).map_err(|error| error.to_string())
        })?;
        Ok(format!("the first answer {:.2} s after the rule", began.elapsed().as_secs_f64()))
    });
    let lab = cloud.programs.lab.display();
    first
        .host
        .sh(&format!("setsid {lab} talk-serve {TALK_PORT} </dev/null >/dev/null 2>&1 &"))
        .map_err(words)?;
    show.typed(&format!("security-group-rule-create default --protocol tcp --port-range-min {TALK_PORT} --port-range-max {TALK_PORT}"))?;
    show.try_step(
        "talk to vm1 over TCP from outside, then remove the rule",
        "answers, then silence within 2 s",
        || cut(cloud, &address),
    );
    Ok(())
}

/// Talks, removes the rule, and returns how long answers still came.
fn cut(cloud: &Cloud, address: &str) -> Result<String, String> {
    let lab = cloud.programs.lab.display().to_string();
    let target = format!("{address}:{TALK_PORT}");
    let begin = Instant::now();
    let mut talk = loop {
        let talk = cloud
            .outside
            .command(&lab)
            .args(["talk-to", &target])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut talk = talk.map_err(words)?;
        std::thread::sleep(Duration::from_millis(200));
        if talk.try_wait().map_err(words)?.is_none() || begin.elapsed() > RULE_MAX {
            break talk;
        }
    };
    let out = talk.stdout.take().ok_or("no output")?;
    let (tell, answers) = mpsc::channel();
    std::thread::spawn(move || {
        for _line in BufReader::new(out).lines().map_while(Result::ok) {
            if tell.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    let result = count(cloud, &answers);
    // It may have ended by itself.
    let _ = talk.kill();
    let _ = talk.wait();
    result
}

fn count(cloud: &Cloud, answers: &mpsc::Receiver<Instant>) -> Result<String, String> {
    const ENOUGH: usize = 10;
    for nth in 0..ENOUGH {
        answers
            .recv_timeout(RULE_MAX)
            .map_err(|_| format!("only {nth} answers before the rule is removed"))?;
    }
    let port = TALK_PORT.to_string();
    let rules =
        cloud.neutron(&["security-group-rule-list", "-f", "value", "-c", "id", "--port_range_min", &port])?;
    cloud.neutron(&["security-group-rule-delete", rules.trim()])?;
    let removed = Instant::now();
    let mut last = removed;
    let mut after = 0;
    while let Ok(at) = answers.recv_timeout(RULE_MAX) {
        if at > removed {
            after += 1;
            last = at;
        }
        if removed.elapsed() > RULE_MAX * 2 {
            return Err(format!("answers still come after {:.2} s", removed.elapsed().as_secs_f64()));
        }
    }
    let time = last.duration_since(removed);
    let saw = format!(
        "{ENOUGH} answers, then {after} more, the last {:.2} s after the removal",
        time.as_secs_f64()
    );
    if time <= RULE_MAX { Ok(saw) } else { Err(saw) }
}

fn spoofing(show: &mut Show<'_>, instances: &Instances) {
    let Instances { first, second, .. } = instances;
    let target = second.ipv4();
    show.report.section("What an instance must not do");
    show.try_step(
        "give vm1's card another MAC address and ping vm2",
        "no answer; with its own again: answers",
        || {
            let set =
                |mac: &str| first.host.run(&["ip", "link", "set", "eth0", "address", mac]).map_err(words);
            set("fa:16:3e:66:66:66")?;
            let vain = ping_in_vain(&first.host, &[&target]);
            set(&first.plug.mac)?;
            restore_route(first)?;
            Ok(format!("{}\n{}", vain?, first.ping(&target)?))
        },
    );
    show.try_step("ping vm2 from an address that is not vm1's", "no answer; from its own: answers", || {
        let change = |word: &str| {
            first.host.run(&["ip", "address", word, "172.16.1.222/24", "dev", "eth0"]).map_err(words)
        };
        change("add")?;
        let vain = ping_in_vain(&first.host, &["-I", "172.16.1.222", &target]);
        change("del")?;
        Ok(format!("{}\n{}", vain?, first.ping(&target)?))
    });
    show.try_step("tell vm2 by ARP that the router is vm1", "vm2 keeps the router's MAC address", || {
        second.ping("172.16.1.1")?;
        let before = neighbour(second)?;
        let claim = ["arping", "-U", "-c", "3", "-w", "2", "-I", "eth0", "-s", "172.16.1.1", "172.16.1.1"];
        first.host.run(&["ip", "address", "add", "172.16.1.1/32", "dev", "eth0"]).map_err(words)?;
        // Whatever it says of its own success: what counts is what vm2 believes.
        let _ = first.host.run(&claim);
        first.host.run(&["ip", "address", "del", "172.16.1.1/32", "dev", "eth0"]).map_err(words)?;
        let after = neighbour(second)?;
        if before == after && !after.contains(&first.plug.mac) {
            Ok(after)
        } else {
            Err(format!("{before} became {after}"))
        }
    });
}

fn neighbour(instance: &Instance) -> Result<String, String> {
    let out = instance.host.run(&["ip", "neighbour", "show", "172.16.1.1"]).map_err(words)?;
    // The state changes by itself; the address must not.
    Ok(out.split(" lladdr ").nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default().to_owned())
}

/// The kernel drops a route when its card's address changes hands.
fn restore_route(instance: &Instance) -> Result<(), String> {
    instance.host.run(&["ip", "route", "replace", "default", "via", "172.16.1.1"]).map(|_| ()).map_err(words)
}

fn rogue(show: &mut Show<'_>, instances: &Instances) {
    let Instances { first, second, .. } = instances;
    // So that the rogue hears of the question at all.
    let heard = show
        .typed("security-group-rule-create default --protocol udp --port-range-min 67 --port-range-max 67");
    let expects = "the rogue offers, its offers go nowhere, the lease comes from Neutron's server";
    show.try_step("run a DHCP server in vm2, ask for a lease in vm1", expects, || {
        heard?;
        std::thread::sleep(RULE_MAX);
        let serve = "dnsmasq --conf-file=/dev/null --port=0 --interface=eth0 --bind-interfaces --no-ping --dhcp-authoritative \
                     --dhcp-range=172.16.1.66,172.16.1.67,1h --dhcp-leasefile=/run/rogue.leases \
                     --pid-file=/run/rogue.pid --log-dhcp --log-facility=/run/rogue.log";
        second.host.sh(serve).map_err(words)?;
        first.forget_lease()?;
        let watch = format!(
            "timeout 6 tcpdump -l -n -e -i eth0 'udp src port 67 and ether src {}' >/run/rogue.seen 2>/dev/null & sleep 0.3",
            second.plug.mac
        );
        first.host.sh(&watch).map_err(words)?;
        let said = first.lease();
        std::thread::sleep(Duration::from_millis(500));
        let seen = first.host.run(&["cat", "/run/rogue.seen"]).map_err(words)?;
        let asked = second.host.run(&["cat", "/run/rogue.log"]).unwrap_or_default();
        second.host.sh("kill $(cat /run/rogue.pid)").map_err(words)?;
        let said = said?;
        let from = said.lines().find(|line| line.starts_with("DHCPACK")).unwrap_or_default().to_owned();
        let offers = asked.lines().filter(|line| line.contains("DHCPOFFER")).count();
        let right = said.contains(&format!("bound to {}", first.ipv4())) && seen.trim().is_empty() && offers > 0;
        let saw = format!("{from}\nthe rogue's {offers} offers: {} reached vm1", seen.lines().count());
        if right { Ok(saw) } else { Err(format!("{saw}\n{said}\n{asked}")) }
    });
}
