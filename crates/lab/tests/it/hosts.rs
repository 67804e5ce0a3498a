//! The simulated hosts themselves.

use crate::lab;
use lab::host::{Host, Life};
use lab::underlay::Underlay;

#[test]
fn two_hosts_meet_on_a_wire_and_touch_nothing_else() {
    let before = std::fs::read("/etc/resolv.conf").unwrap_or_default();
    let underlay = Underlay::start(&lab(), Life::WithStarter).unwrap();
    underlay.wire("wire0").unwrap();
    let start = |name| Host::start(&lab(), name, Life::WithStarter).unwrap();
    let (a, b) = (start("alpha"), start("beta"));
    underlay.plug("wire0", &a, "eth0", Some("192.0.2.1/24")).unwrap();
    underlay.plug("wire0", &b, "eth0", Some("192.0.2.2/24")).unwrap();
    a.run(&["ping", "-c1", "-W2", "192.0.2.2"]).unwrap();
    assert_eq!(b.run(&["hostname"]).unwrap().trim(), "beta");
    // The same name in two hosts, and neither on the machine.
    a.run(&["ip", "netns", "add", "same"]).unwrap();
    b.run(&["ip", "netns", "add", "same"]).unwrap();
    assert!(!std::path::Path::new("/run/netns/same").exists());
    a.sh("echo nameserver 192.0.2.9 > /etc/resolv.conf").unwrap();
    assert_eq!(std::fs::read("/etc/resolv.conf").unwrap_or_default(), before);
    let inside = a.pid();
    drop(a);
    assert!(!std::path::Path::new(&format!("/proc/{inside}")).exists());
}
