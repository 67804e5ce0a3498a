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

#[test]
fn a_relay_leads_from_the_machine_into_a_host() {
    use std::io::{Read, Write};
    let host = Host::start(&lab(), "inner", Life::WithStarter).unwrap();
    let program = lab().display().to_string();
    host.sh(&format!("setsid {program} talk-serve 7777 </dev/null >/dev/null 2>&1 &")).unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut relay = std::process::Command::new(lab())
        .args(["relay", &free, &host.pid().to_string(), "127.0.0.1:7777"])
        .spawn()
        .unwrap();
    let answer = lab::report::within(std::time::Duration::from_secs(5), || {
        let mut stream = std::net::TcpStream::connect(&free).map_err(|error| error.to_string())?;
        let mut answer = [0; 5];
        let said = stream.write_all(b"hello").and_then(|()| stream.read_exact(&mut answer));
        said.map(|()| answer).map_err(|error| error.to_string())
    });
    assert_eq!(answer.as_ref().map(<[u8; 5]>::as_slice), Ok(b"hello".as_slice()));
    // It ends with the host.
    drop(host);
    assert!(relay.wait().unwrap().success());
}
