//! A simulated host: network, mount, UTS, IPC and PID namespaces of its own, with `/run` of its own and overlays
//! on `/etc`, `/var/lib` and `/var/log`, so that nothing done inside is seen outside.
//!
//! The overlays matter: a DHCP client's script rewrites `/etc/resolv.conf`, and it must not be the machine's.
//! A host is held by a process (`lab hold`) whose end ends everything inside, however it ends.

use nix::sched::{CloneFlags, setns};
use std::io::{self, BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// How long a connection may take to come about.
const CONNECT_MAX: Duration = Duration::from_secs(5);

/// Whether a host ends with the process that started it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// It ends when it is dropped, or with the process that started it, however that ends.
    WithStarter,
    /// It stays until its holder is ended.
    Lasting,
}

/// Whose network a host has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Network {
    /// One of its own, empty but for `lo`.
    Own,
    /// The machine's: what listens on 127.0.0.1 inside is found by everything on the machine.
    Machine,
}

impl Network {
    /// As it is said to the holder.
    fn word(self) -> &'static str {
        match self {
            Network::Own => "own",
            Network::Machine => "machine",
        }
    }

    /// What the holder was told.
    pub fn of_word(word: &str) -> Option<Network> {
        [Network::Own, Network::Machine].into_iter().find(|network| network.word() == word)
    }
}

/// A simulated host. Dropping it ends every process inside and removes its namespaces, unless it is
/// [`Life::Lasting`].
pub struct Host {
    name: String,
    holder: Child,
    life: Life,
    /// The process that is number 1 inside.
    pid: u32,
}

impl Host {
    /// Starts a host. `lab` is the program that can `hold` (usually this one).
    ///
    /// # Errors
    /// When the namespaces cannot be made; root is needed.
    pub fn start(lab: &Path, name: &str, life: Life) -> io::Result<Host> {
        Host::start_in(lab, name, life, Network::Own)
    }

    /// Starts a host whose network may be the machine's.
    ///
    /// # Errors
    /// As [`Host::start`].
    pub fn start_in(lab: &Path, name: &str, life: Life, network: Network) -> io::Result<Host> {
        // A holder that is to end with its starter sees that in the end of its input; one that stays must not hold
        // on to the starter's outputs, or a pipe behind them would never end.
        let (word, input, errors) = match life {
            Life::WithStarter => ("hold", Stdio::piped(), Stdio::inherit()),
            Life::Lasting => ("hold-on", Stdio::null(), Stdio::null()),
        };
        let mut holder = Command::new(lab)
            .args([word, network.word(), name])
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(errors)
            .spawn()?;
        let stdout = holder.stdout.take().ok_or_else(|| io::Error::other("no pipe to the holder"))?;
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line)?;
        match line.trim().strip_prefix("ready ").and_then(|pid| pid.parse().ok()) {
            Some(pid) => Ok(Host { name: name.to_string(), holder, life, pid }),
            None => {
                // It said what is wrong on standard error; all that is left is to reap it.
                let _ = holder.kill();
                let _ = holder.wait();
                Err(io::Error::other(format!("the host {name} did not start; root is needed")))
            }
        }
    }

    /// The name it was started with.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The process that holds it; ending it ends the host.
    pub fn holder(&self) -> u32 {
        self.holder.id()
    }

    /// The process that is number 1 inside, as the machine counts.
    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// A command that will run inside.
    pub fn command(&self, program: &str) -> Command {
        enter(self.pid, program)
    }

    /// Runs `words` inside and returns what it said; a failure holds its words and its output.
    ///
    /// # Errors
    /// When it does not start or ends with a status other than 0.
    pub fn run(&self, words: &[&str]) -> io::Result<String> {
        let (program, args) = words.split_first().ok_or_else(|| io::Error::other("no command"))?;
        check(words, self.command(program).args(args).stdin(Stdio::null()).output()?)
    }

    /// Runs a shell line inside.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn sh(&self, line: &str) -> io::Result<String> {
        self.run(&["sh", "-c", line])
    }

    /// Runs `words` inside a network namespace of this host.
    ///
    /// # Errors
    /// As [`Host::run`].
    pub fn run_in(&self, netns: &str, words: &[&str]) -> io::Result<String> {
        let mut all = vec!["ip", "netns", "exec", netns];
        all.extend(words);
        self.run(&all)
    }

    /// Connects as a program inside would.
    ///
    /// # Errors
    /// The host cannot be entered, or nothing listens there.
    pub fn connect(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.pid))?;
        // A thread enters alone and is gone afterwards; the socket stays where it was made.
        let inside = std::thread::spawn(move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            TcpStream::connect_timeout(&address, CONNECT_MAX)
        });
        inside.join().map_err(|_| io::Error::other("the thread inside ended"))?
    }

    /// Writes a file inside, with the folders above it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn write(&self, path: &str, text: &str) -> io::Result<()> {
        let path = self.path(path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, text)
    }

    /// Listens as a program inside would.
    ///
    /// # Errors
    /// The host cannot be entered, or somebody listens there already.
    pub fn listen(&self, address: SocketAddr) -> io::Result<TcpListener> {
        let namespace = std::fs::File::open(format!("/proc/{}/ns/net", self.pid))?;
        let inside = std::thread::spawn(move || {
            setns(namespace.as_fd(), CloneFlags::CLONE_NEWNET)?;
            TcpListener::bind(address)
        });
        inside.join().map_err(|_| io::Error::other("the thread inside ended"))?
    }

    /// A path inside, as the machine sees it.
    pub fn path(&self, inside: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/root{inside}", self.pid))
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if self.life == Life::Lasting {
            return;
        }
        // Waiting closes the holder's input, which is what it ends by.
        let _ = self.holder.wait();
    }
}

/// A command inside the host whose number 1 is `pid`.
pub fn enter(pid: u32, program: &str) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-t", &pid.to_string(), "-n", "-m", "-u", "-i", "-p", "--", program]);
    // Whatever cloud the machine's user works with is none of this host's.
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("OS_")) {
        command.env_remove(name);
    }
    command
}

fn check(words: &[&str], done: Output) -> io::Result<String> {
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    if done.status.success() {
        return Ok(out);
    }
    let err = String::from_utf8_lossy(&done.stderr).into_owned();
    Err(io::Error::other(format!("{} ({}): {}", words.join(" "), done.status, format!("{out}{err}").trim())))
}
