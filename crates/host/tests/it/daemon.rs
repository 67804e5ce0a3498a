//! A daemon through its life, with dnsmasq; announcements, as a neighbour in the same namespace hears them.

use std::path::PathBuf;

use host::Netns;
use host::daemon::{self, ConfigFile, Daemon, Outcome, Reload};

struct Life {
    ns: Netns,
    daemon: Daemon,
    starts: usize,
}

impl Life {
    fn new(name: &str) -> Life {
        let directory = std::env::temp_dir().join(format!("ntest-daemon-{name}-{}", std::process::id()));
        let pid_file = directory.join("pid");
        let hosts = directory.join("host");
        let argv = [
            "dnsmasq",
            "--no-hosts",
            "--no-resolv",
            "--conf-file=/dev/null",
            "--port=0",
            "--user=root",
            &format!("--pid-file={}", pid_file.display()),
            &format!("--dhcp-hostsfile={}", hosts.display()),
        ];
        let files = vec![ConfigFile { path: hosts, text: "fa:16:3e:00:00:01,one\n".into(), mode: 0o644 }];
        let argv = argv.map(str::to_owned).into();
        let daemon = Daemon { files, argv, pid_file, reload: Reload::HangUp };
        Life { ns: Netns::anonymous().unwrap(), daemon, starts: 0 }
    }

    fn ensure(&mut self) -> Outcome {
        let starts = &mut self.starts;
        let outcome = daemon::ensure(&self.ns, &self.daemon, &mut || {
            *starts += 1;
            Ok(())
        });
        outcome.unwrap()
    }

    fn pid(&self) -> i32 {
        daemon::running(&self.daemon.pid_file, "dnsmasq").unwrap()
    }

    fn directory(&self) -> PathBuf {
        self.daemon.pid_file.parent().unwrap().to_owned()
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        daemon::stop(&self.daemon.pid_file, "dnsmasq").unwrap();
        assert_eq!(daemon::running(&self.daemon.pid_file, "dnsmasq"), None);
        std::fs::remove_dir_all(self.directory()).unwrap();
    }
}

#[test]
fn a_daemon_is_only_disturbed_when_it_must_be() {
    let mut life = Life::new("life");
    assert_eq!(life.ensure(), Outcome::Started);
    let pid = life.pid();
    assert_eq!(life.ensure(), Outcome::Unchanged);

    life.daemon.files[0].text.push_str("fa:16:3e:00:00:02,two\n");
    assert_eq!(life.ensure(), Outcome::Reloaded);
    assert_eq!((life.ensure(), life.pid()), (Outcome::Unchanged, pid));

    life.daemon.reload = Reload::Restart;
    assert_eq!(life.ensure(), Outcome::Unchanged, "how it reloads is not what it reads");
    life.daemon.files[0].text.push_str("fa:16:3e:00:00:03,three\n");
    assert_eq!(life.ensure(), Outcome::Restarted);
    assert_ne!(life.pid(), pid);

    life.daemon.argv.push("--domain=example.org".into());
    assert_eq!(life.ensure(), Outcome::Restarted);
    life.ns = Netns::anonymous().unwrap();
    assert_eq!(life.ensure(), Outcome::Restarted, "it lived in another namespace");
    assert_eq!((life.ensure(), life.starts), (Outcome::Unchanged, 4));
}

/// With many sockets it takes a moment until the last is closed.
#[test]
fn a_daemon_that_is_replaced_has_let_go_of_its_addresses() {
    let mut life = Life::new("addresses");
    let link = host::netlink::Netlink::open(&life.ns).unwrap();
    let lo = link.index_of("lo").unwrap().unwrap();
    link.set_up(lo, true).unwrap();
    life.daemon.argv.retain(|arg| arg != "--port=0");
    let listen = (1..=200).map(|n| format!("--listen-address=127.0.1.{n}"));
    life.daemon.argv.extend(listen.chain(["--bind-interfaces".into(), String::new()]));
    for n in 0..20 {
        let last = life.daemon.argv.last_mut().unwrap();
        *last = format!("--dhcp-lease-max={}", 100 + n);
        let outcome = life.ensure();
        assert_eq!(outcome, if n == 0 { Outcome::Started } else { Outcome::Restarted });
    }
}

#[test]
fn a_pid_of_something_else_is_not_the_daemon() {
    let mut life = Life::new("pid");
    life.ensure();
    let pid = life.pid();
    // The number of a process that is no dnsmasq: our own.
    std::fs::write(&life.daemon.pid_file, format!("{}\n", std::process::id())).unwrap();
    assert_eq!(daemon::running(&life.daemon.pid_file, "dnsmasq"), None);
    daemon::stop(&life.daemon.pid_file, "dnsmasq").unwrap();
    std::fs::write(&life.daemon.pid_file, format!("{pid}\n")).unwrap();
}

#[test]
fn a_complaint_is_passed_on() {
    let mut life = Life::new("complaint");
    life.daemon.argv.push("--no-such-option".into());
    let refused = daemon::ensure(&life.ns, &life.daemon, &mut || Ok(())).unwrap_err().to_string();
    assert!(refused.contains("--no-such-option") && refused.contains("bad command line"), "{refused}");
}

#[test]
fn announcements_reach_the_wire() {
    use host::netlink::{Netlink, NewLink};
    let ns = Netns::anonymous().unwrap();
    let netlink = Netlink::open(&ns).unwrap();
    netlink.add_link("a0", &NewLink::Veth { peer: "b0", peer_ns: None }).unwrap();
    for name in ["a0", "b0"] {
        netlink.set_up_by_name(name).unwrap();
    }
    let received = || {
        let packets = ns.run(|| std::fs::read_to_string("/proc/thread-self/net/dev")).unwrap().unwrap();
        let line = packets.lines().find(|line| line.trim().starts_with("b0:")).unwrap().to_owned();
        line.split_whitespace().nth(2).unwrap().parse::<u32>().unwrap()
    };
    let before = received();
    let addresses = ["10.0.0.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let mac = "fa:16:3e:00:00:01".parse().unwrap();
    host::announce::announce(&ns, "a0", mac, &addresses).unwrap();
    // A request, a reply and an advertisement; the kernel counts when it comes round to it.
    let all_there = || {
        std::thread::sleep(std::time::Duration::from_millis(10));
        received() >= before + 3
    };
    assert!((0..200).any(|_| all_there()));
    let gone = host::announce::announce(&ns, "c0", mac, &addresses).unwrap_err();
    assert!(gone.is_gone());
}
