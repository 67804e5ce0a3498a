//! A server under measurement: started, watched through `/proc`, ended.

use super::http::Connection;
use crate::host::Host;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to answer at all.
const START_MAX: Duration = Duration::from_secs(30);

/// A running `neutron`.
pub struct Server {
    child: Child,
    /// `host:port`
    pub address: String,
    /// From start to the first answer.
    pub started_in: Duration,
}

impl Server {
    /// Starts `neutron ROLE` on a free loopback port with its state in `dir`.
    pub async fn start(neutron: &Path, role: &str, dir: &Path, extra: &str) -> io::Result<Server> {
        std::fs::create_dir_all(dir)?;
        let port = free_port()?;
        let state = dir.display();
        let text = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\nauth_strategy = noauth\nstate_path = {state}\n\
             transport_url = fake:/\n\
             [database]\nconnection = sqlite:///{state}/neutron.sqlite\n{extra}"
        );
        let file = dir.join("neutron.conf");
        std::fs::write(&file, text)?;
        let log = std::fs::File::create(dir.join("log"))?;
        let begin = Instant::now();
        let child = Command::new(neutron)
            .args([role, "--config-file"])
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut server = Server { child, address: format!("127.0.0.1:{port}"), started_in: Duration::ZERO };
        server.first_answer(begin, dir).await?;
        server.started_in = begin.elapsed();
        Ok(server)
    }

    async fn first_answer(&mut self, begin: Instant, dir: &Path) -> io::Result<()> {
        while begin.elapsed() < START_MAX {
            if let Some(status) = self.child.try_wait()? {
                let log = std::fs::read_to_string(dir.join("log")).unwrap_or_default();
                return Err(io::Error::other(format!("the server ended ({status}):\n{log}")));
            }
            if let Ok(mut connection) = Connection::open(&self.address).await
                && connection.send("GET", "/v2.0/networks", "").await.is_ok_and(|a| a.status == 200)
            {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        Err(io::Error::other(format!(
            "no answer within {START_MAX:?}; its log is {}",
            dir.join("log").display()
        )))
    }

    /// Processor time used so far by the process.
    pub fn cpu(&self) -> io::Result<Duration> {
        Ok(cpu_of(&std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?))
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> io::Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let kib =
            status.lines().find_map(|l| l.strip_prefix("VmRSS:")).and_then(|l| l.split_whitespace().next());
        Ok(kib.and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nobody to end or to wait for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub(super) fn free_port() -> io::Result<u16> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A folder that is gone when this is dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    /// A fresh folder below the system's one for temporary files.
    pub fn new(name: &str) -> io::Result<Scratch> {
        let path = std::env::temp_dir().join(format!("neutron-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Scratch(path))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Processor time, from a process's line in `/proc/PID/stat`.
pub(super) fn cpu_of(stat: &str) -> Duration {
    // utime and stime are fields 14 and 15 of proc(5).
    ticks(stat, [11, 12])
}

/// Processor time of its children that have ended and were waited for.
fn cpu_of_children(stat: &str) -> Duration {
    ticks(stat, [13, 14])
}

/// The sum of two fields behind the name, which are in hundredths of a second on Linux.
fn ticks(stat: &str, at: [usize; 2]) -> Duration {
    let after_name = stat.rsplit_once(") ").map(|(_, rest)| rest).unwrap_or_default();
    let fields: Vec<&str> = after_name.split(' ').collect();
    let ticks = |at: usize| fields.get(at).and_then(|t| t.parse::<u64>().ok()).unwrap_or(0);
    Duration::from_millis(at.map(ticks).iter().sum::<u64>() * 10)
}

/// What processes of a simulated host have used so far.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Usage {
    /// How many they are.
    pub count: usize,
    /// Processor time, that of children that have ended included.
    pub cpu: Duration,
    /// Memory in MiB, what they share with others by parts (PSS).
    pub pss_mib: f64,
    /// Resident memory in MiB when each had most.
    pub highest_mib: f64,
}

/// What all processes use together whose command lines contain `words`.
pub(super) fn usage(host: &Host, words: &str) -> io::Result<Usage> {
    let mut all = Usage::default();
    for entry in std::fs::read_dir(host.path("/proc"))? {
        let folder = entry?.path();
        // A process may end while it is looked at.
        let read = |name: &str| std::fs::read(folder.join(name)).unwrap_or_default();
        let line = String::from_utf8_lossy(&read("cmdline")).replace('\0', " ");
        if !line.contains(words) {
            continue;
        }
        let text = |name: &str| String::from_utf8_lossy(&read(name)).into_owned();
        all.count += 1;
        all.cpu += cpu_of(&text("stat")) + cpu_of_children(&text("stat"));
        all.pss_mib += mib(&text("smaps_rollup"), "Pss:");
        all.highest_mib += mib(&text("status"), "VmHWM:");
    }
    Ok(all)
}

/// A figure in KiB of a file in `/proc`, in MiB.
fn mib(text: &str, name: &str) -> f64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// What the figures were measured on: processor, cores, memory, kernel.
pub fn machine() -> io::Result<String> {
    let find = |text: &str, key: &str| {
        let line = text.lines().find(|l| l.starts_with(key));
        line.and_then(|l| l.split_once(':')).map(|(_, v)| v.trim().to_string()).unwrap_or_default()
    };
    let cpu = find(&std::fs::read_to_string("/proc/cpuinfo")?, "model name");
    let memory = find(&std::fs::read_to_string("/proc/meminfo")?, "MemTotal");
    let gib = memory.split(' ').next().and_then(|k| k.parse::<f64>().ok()).unwrap_or(0.0) / 1048576.0;
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let cores = std::thread::available_parallelism()?.get();
    Ok(format!("{cores} cores ({cpu}), {gib:.0} GiB, Linux {}", kernel.trim()))
}
