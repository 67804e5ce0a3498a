//! The two processes behind a simulated host: the outer one makes the namespaces, the inner one is number 1 there.

use crate::host::{Life, Network};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::waitpid;
use nix::unistd::{Pid, sethostname};
use std::io::{self, Read};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// Folders in which a host keeps what it writes to itself.
const OVERLAID: [&str; 3] = ["etc", "var/lib", "var/log"];

/// `lab hold NETWORK NAME` and `lab hold-on NETWORK NAME`: makes the namespaces, starts number 1 inside, ends with it; the former
/// also at the end of its input, which is the end of the process that started it.
///
/// # Errors
/// When the namespaces cannot be made.
pub fn outer(network: &str, name: &str, life: Life) -> io::Result<()> {
    let kind = known(network)?;
    if life == Life::WithStarter {
        std::thread::spawn(|| {
            // Started before the namespaces: no thread can begin after them. Nothing is ever written to
            // the input: the read returns at its end only.
            let _ = io::stdin().read(&mut [0]);
            end_inside();
        });
    }
    let mut flags = CloneFlags::CLONE_NEWNS
        | CloneFlags::CLONE_NEWUTS
        | CloneFlags::CLONE_NEWIPC
        | CloneFlags::CLONE_NEWPID;
    if kind == Network::Own {
        flags |= CloneFlags::CLONE_NEWNET;
    }
    unshare(flags)?;
    let mut inner =
        Command::new("/proc/self/exe").args(["hold-inside", network, name]).stdin(Stdio::null()).spawn()?;
    INSIDE.store(inner.id(), Ordering::SeqCst);
    inner.wait()?;
    Ok(())
}

fn known(network: &str) -> io::Result<Network> {
    Network::of_word(network).ok_or_else(|| io::Error::other(format!("no such network: {network}")))
}

/// The process that is number 1 inside, once there is one.
static INSIDE: AtomicU32 = AtomicU32::new(0);

/// Ends number 1, and with it everything inside; the holder then reaps it and ends too.
fn end_inside() {
    loop {
        match INSIDE.load(Ordering::SeqCst) {
            0 => std::thread::sleep(Duration::from_millis(2)),
            pid => {
                // It may have ended by itself.
                let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
                return;
            }
        }
    }
}

/// `lab hold-inside NETWORK NAME`: number 1 of the host. Makes its mounts, says so, and reaps orphans for ever.
///
/// # Errors
/// When a mount fails.
pub fn inner(network: &str, name: &str) -> io::Result<()> {
    prctl::set_pdeathsig(Signal::SIGKILL)?;
    let outside = own_number()?;
    let network = known(network)?;
    mounts(network)?;
    sethostname(name)?;
    if network == Network::Own {
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status()?;
        if !up.success() {
            return Err(io::Error::other("ip link set lo up failed"));
        }
    }
    announce(outside)?;
    loop {
        if waitpid(Pid::from_raw(-1), None).is_err() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

/// The number that the machine knows this process by; `/proc` is still the machine's.
fn own_number() -> io::Result<String> {
    let link = std::fs::read_link("/proc/self")?;
    Ok(link.display().to_string())
}

fn announce(pid: String) -> io::Result<()> {
    use io::Write;
    let mut out = io::stdout().lock();
    writeln!(out, "ready {pid}")?;
    out.flush()
}

fn mounts(network: Network) -> io::Result<()> {
    const NONE: Option<&str> = None;
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE)?;
    mount(Some("proc"), "/proc", Some("proc"), MsFlags::empty(), NONE)?;
    if network == Network::Own {
        mount(Some("sysfs"), "/sys", Some("sysfs"), MsFlags::empty(), NONE)?;
    }
    mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), NONE)?;
    for dir in OVERLAID {
        let name = dir.replace('/', "-");
        let (upper, work) = (format!("/run/.overlay/{name}.upper"), format!("/run/.overlay/{name}.work"));
        std::fs::create_dir_all(&upper)?;
        std::fs::create_dir_all(&work)?;
        let target = format!("/{dir}");
        let options = format!("lowerdir={target},upperdir={upper},workdir={work}");
        mount(Some("overlay"), target.as_str(), Some("overlay"), MsFlags::empty(), Some(options.as_str()))?;
    }
    for dir in ["/run/netns", "/run/lock", "/etc/netns", "/var/lib/neutron", "/var/log/neutron"] {
        std::fs::create_dir_all(dir)?;
    }
    // What `ip netns add` expects: a shared mount of its folder.
    mount(Some("/run/netns"), "/run/netns", NONE, MsFlags::MS_BIND, NONE)?;
    mount(NONE, "/run/netns", NONE, MsFlags::MS_SHARED, NONE)?;
    Ok(())
}
