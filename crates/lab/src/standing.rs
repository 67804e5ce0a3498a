//! `lab run` and `lab stop`: the demonstration's cloud left standing, with Neutron's API on this machine's loopback.

use std::fmt::Write as _;
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::cloud::{Cloud, Programs};
use crate::demo::{CACHE, guide};
use crate::host::Life;
use crate::instance::Instance;
use crate::lasting;
use crate::users::Users;

/// Where the API is, on the controller and usually on this machine.
pub const API: &str = "127.0.0.1:9696";

fn state() -> PathBuf {
    Path::new(CACHE).join("run.pids")
}

/// Starts the cloud, lets its API be found at `listen` on this machine, and says how to use it.
///
/// # Errors
/// Something does not start; what did start is ended again.
pub fn run(listen: &str) -> io::Result<String> {
    if TcpStream::connect(listen).is_ok() {
        return Err(io::Error::other(format!(
            "something listens on {listen} already; 'make stop' ends an earlier run"
        )));
    }
    std::fs::create_dir_all(CACHE)?;
    let programs = Programs::beside_this_one()?;
    let mut pids = Vec::new();
    match start(&programs, listen, &mut pids) {
        Ok(text) => Ok(text),
        Err(why) => {
            lasting::end(&pids);
            Err(io::Error::other(why))
        }
    }
}

fn start(programs: &Programs, listen: &str, pids: &mut Vec<u32>) -> Result<String, String> {
    let text = |error: io::Error| error.to_string();
    let cloud = Cloud::start(programs.clone(), Life::Lasting).map_err(text)?;
    pids.extend(cloud.holders());
    lasting::save(&state(), pids)?;
    cloud.start_metadata()?;
    cloud.start_neutron()?;
    for command in guide::COMMANDS {
        cloud.neutron(&command.split(' ').collect::<Vec<_>>())?;
    }
    let mut instances = Vec::new();
    for name in ["vm1", "vm2"] {
        let instance = Instance::boot(&cloud, "private", name, &[])?;
        pids.push(instance.host.holder());
        lasting::save(&state(), pids)?;
        instance.lease()?;
        instances.push((name, instance));
    }
    let inside = cloud.controller.pid();
    let relay = Command::new(&programs.lab)
        .args(["relay", listen, &inside.to_string(), API])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(text)?;
    pids.push(relay.id());
    lasting::save(&state(), pids)?;
    let hosts: Vec<(&str, u32, String)> = [
        ("controller", inside, "Neutron, its agents, the taps".to_owned()),
        ("outside", cloud.outside.pid(), "a host on the physical network, 192.168.81.254".to_owned()),
    ]
    .into_iter()
    .chain(instances.iter().map(|(name, instance)| (*name, instance.host.pid(), instance.ipv4())))
    .collect();
    Ok(usage(programs, listen, &hosts))
}

fn usage(programs: &Programs, listen: &str, hosts: &[(&str, u32, String)]) -> String {
    let neutron = programs.neutron.display();
    let elsewhere = if listen == API { String::new() } else { format!("OS_URL=http://{listen} ") };
    let mut text = format!(
        "A cloud stands. Neutron answers on http://{listen}, without credentials:\n\n    \
         {elsewhere}{neutron} net-list\n    {elsewhere}{neutron} router-port-list router\n    \
         OS_AUTH_TYPE=none OS_ENDPOINT=http://{listen} openstack network list\n\n\
         Its hosts, and how to look inside:\n\n"
    );
    for (name, pid, what) in hosts {
        // Writing to a string does not fail.
        let _ = writeln!(text, "    {name:<10}  nsenter -t {pid} -n -m -u -i -p bash    # {what}");
    }
    text.push_str("\nTo end it: make stop\n");
    text
}

/// Ends what [`run`] started.
///
/// # Errors
/// The list of it cannot be read.
pub fn stop() -> io::Result<String> {
    if !state().exists() {
        return Ok("nothing stands\n".to_owned());
    }
    let pids = lasting::alive(&state());
    lasting::end(&pids);
    std::fs::remove_file(state())?;
    Ok(format!("ended {} processes and what they held\n", pids.len()))
}
