//! Child processes that outlive us: dnsmasq, radvd. One reconciler: a [`Daemon`] says which files, which command
//! line and how to make it read its files again; [`ensure`] compares that with what runs and does the least.
//!
//! A daemon found running is ours when its command line is the one we would start it with and it lives in the
//! namespace it should: then it is adopted, whoever started it. Daemons fork into sessions of their own; we
//! only keep their pid files.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::netns::Netns;
use crate::{Error, Result};

/// How long a daemon may take to end before it is killed.
const TERM_TRIES: u32 = 500;
/// How long a daemon may take to write its pid file or to die of a kill.
const PID_TRIES: u32 = 1000;
const TRY_INTERVAL: Duration = Duration::from_millis(2);
/// Characters of a daemon's complaint that we pass on.
const COMPLAINT_MAX: usize = 400;
/// What the name of a pid file is followed by in that of the note of what was read.
const READ_SUFFIX: &str = ".read";

/// A daemon as it should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Daemon {
    /// The files it reads.
    pub files: Vec<ConfigFile>,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Where it writes its process id.
    pub pid_file: PathBuf,
    /// What to do when its files changed.
    pub reload: Reload,
}

/// A file a daemon reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigFile {
    /// Where.
    pub path: PathBuf,
    /// Its text.
    pub text: String,
    /// Permission bits.
    pub mode: u32,
}

/// How a daemon takes note of changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// By a hang-up signal.
    HangUp,
    /// By a restart.
    Restart,
}

/// What [`ensure`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It ran already and as it should.
    Unchanged,
    /// It was told to read its files again.
    Reloaded,
    /// It was started.
    Started,
    /// It was ended and started again.
    Restarted,
}

/// Makes the daemon run in `ns` as described. `before_start` runs before each start, after the files are
/// written; it may write what the daemon only reads once.
///
/// # Errors
/// When a file cannot be written or the daemon ends with a complaint.
pub fn ensure(ns: &Netns, daemon: &Daemon, before_start: &mut dyn FnMut() -> Result<()>) -> Result<Outcome> {
    write_files(&daemon.files)?;
    let running = running(&daemon.pid_file, program(&daemon.argv));
    let right = |pid| command_line(pid).is_some_and(|argv| argv == daemon.argv) && is_in(pid, ns);
    let outcome = match (running, daemon.reload) {
        (None, _) => {
            start(ns, daemon, before_start)?;
            Outcome::Started
        }
        (Some(pid), _) if right(pid) && has_read(daemon, pid) => return Ok(Outcome::Unchanged),
        (Some(pid), Reload::HangUp) if right(pid) => {
            signal(pid, Signal::SIGHUP)?;
            Outcome::Reloaded
        }
        (Some(pid), _) => {
            end(pid)?;
            start(ns, daemon, before_start)?;
            Outcome::Restarted
        }
    };
    note_read(daemon)?;
    Ok(outcome)
}

/// What the process has read, as it is noted beside its pid file after it was told to: were we killed after
/// writing its files and before telling it, nothing else would show that it knows only the old ones.
fn reading(daemon: &Daemon, pid: i32) -> ConfigFile {
    let mut hasher = DefaultHasher::new();
    for file in &daemon.files {
        (&file.path, &file.text).hash(&mut hasher);
    }
    let mut path = daemon.pid_file.clone().into_os_string();
    path.push(READ_SUFFIX);
    ConfigFile { path: path.into(), text: format!("{pid} {:016x}\n", hasher.finish()), mode: 0o644 }
}

fn has_read(daemon: &Daemon, pid: i32) -> bool {
    let wanted = reading(daemon, pid);
    fs::read_to_string(&wanted.path).is_ok_and(|text| text == wanted.text)
}

fn note_read(daemon: &Daemon) -> Result<()> {
    match running(&daemon.pid_file, program(&daemon.argv)) {
        Some(pid) => write_file(&reading(daemon, pid)).map(drop),
        // It ended at once: the next look starts it again.
        None => Ok(()),
    }
}

/// Ends the daemon of a pid file, if it runs, and removes the file. `program` guards against a process id
/// that now belongs to something else.
///
/// # Errors
/// When the process cannot be ended.
pub fn stop(pid_file: &Path, program: &str) -> Result<()> {
    if let Some(pid) = running(pid_file, program) {
        end(pid)?;
    }
    let mut read = pid_file.to_owned().into_os_string();
    read.push(READ_SUFFIX);
    for path in [pid_file, Path::new(&read)] {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(Error::io(format!("removing {}", path.display()), e));
            }
            _ => {}
        }
    }
    Ok(())
}

/// The process of a pid file, if it runs and is an instance of `program`.
#[must_use]
pub fn running(pid_file: &Path, program: &str) -> Option<i32> {
    let pid: i32 = fs::read_to_string(pid_file).ok()?.trim().parse().ok().filter(|pid| *pid > 1)?;
    let argv = command_line(pid)?;
    (base_name(argv.first()?) == base_name(program)).then_some(pid)
}

/// Replaces a file in one step; says whether its text was another one.
///
/// # Errors
/// When the file or its directory cannot be written.
pub fn write_file(file: &ConfigFile) -> Result<bool> {
    let what = |e: io::Error| Error::io(format!("writing {}", file.path.display()), e);
    match fs::read(&file.path) {
        Ok(old) if old == file.text.as_bytes() => return Ok(false),
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {
            let directory = file.path.parent().unwrap_or(Path::new("/"));
            fs::create_dir_all(directory).map_err(what)?;
        }
        Err(e) => return Err(what(e)),
    }
    let mut fresh = file.path.clone().into_os_string();
    fresh.push(".new");
    fs::write(&fresh, &file.text).map_err(what)?;
    fs::set_permissions(&fresh, fs::Permissions::from_mode(file.mode)).map_err(what)?;
    fs::rename(&fresh, &file.path).map_err(what)?;
    Ok(true)
}

fn write_files(files: &[ConfigFile]) -> Result<()> {
    files.iter().try_for_each(|file| write_file(file).map(drop))
}

fn program(argv: &[String]) -> &str {
    argv.first().map(String::as_str).unwrap_or_default()
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// The command line of a live process; none for one that is gone or waits to be reaped.
fn command_line(pid: i32) -> Option<Vec<String>> {
    let bytes = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let bytes = bytes.strip_suffix(&[0])?;
    Some(bytes.split(|byte| *byte == 0).map(|arg| String::from_utf8_lossy(arg).into_owned()).collect())
}

fn is_in(pid: i32, ns: &Netns) -> bool {
    let process = fs::metadata(format!("/proc/{pid}/ns/net"));
    let wanted = match ns.file() {
        Some(file) => file.metadata(),
        None => fs::metadata("/proc/thread-self/ns/net"),
    };
    match (process, wanted) {
        (Ok(process), Ok(wanted)) => (process.dev(), process.ino()) == (wanted.dev(), wanted.ino()),
        _ => false,
    }
}

fn signal(pid: i32, signal: Signal) -> Result<()> {
    match kill(Pid::from_raw(pid), signal) {
        Ok(()) | Err(Errno::ESRCH) => Ok(()),
        Err(e) => Err(Error::io(format!("sending {signal} to process {pid}"), e)),
    }
}

/// Asks the process to end, insists after a second, and comes back when it is gone.
fn end(pid: i32) -> Result<()> {
    signal(pid, Signal::SIGTERM)?;
    if is_gone_after(pid, TERM_TRIES) {
        return Ok(());
    }
    tracing::warn!(pid, "process {pid} did not end when asked to, killing it");
    signal(pid, Signal::SIGKILL)?;
    if is_gone_after(pid, PID_TRIES) {
        return Ok(());
    }
    Err(Error::Odd(format!("process {pid} cannot be ended")))
}

fn is_gone_after(pid: i32, tries: u32) -> bool {
    (0..tries).any(|_| {
        let gone = has_ended(pid);
        if !gone {
            std::thread::sleep(TRY_INTERVAL);
        }
        gone
    })
}

/// Whether a process has ended with all that it held. Its command line is gone before its sockets are closed; only then
/// it waits to be reaped.
fn has_ended(pid: i32) -> bool {
    let Ok(stat) = fs::read(format!("/proc/{pid}/stat")) else { return true };
    // The program's name before it stands in brackets, and may have any in it.
    let stat = String::from_utf8_lossy(&stat);
    stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with(['Z', 'X']))
}

/// Starts the daemon; comes back when it has gone to the background and written its pid file.
fn start(ns: &Netns, daemon: &Daemon, before_start: &mut dyn FnMut() -> Result<()>) -> Result<()> {
    before_start()?;
    if let Some(directory) = daemon.pid_file.parent() {
        fs::create_dir_all(directory).map_err(|e| Error::io(format!("making {}", directory.display()), e))?;
    }
    // Left over from a killed daemon: were it still there, its reader would take it for the new one's.
    fs::remove_file(&daemon.pid_file).ok();
    let program = program(&daemon.argv);
    let spawned = ns.run(|| -> io::Result<(std::process::ExitStatus, String)> {
        let mut child = Command::new(program)
            .args(daemon.argv.iter().skip(1))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let stderr = child.stderr.take();
        let status = child.wait()?;
        // Only a daemon that failed has surely closed its end.
        let mut complaint = String::new();
        if let (false, Some(stderr)) = (status.success(), stderr) {
            stderr.take(COMPLAINT_MAX as u64).read_to_string(&mut complaint)?;
        }
        Ok((status, complaint))
    })?;
    let (status, complaint) = spawned.map_err(|e| Error::io(format!("starting {program}"), e))?;
    if !status.success() {
        let program = daemon.argv.join(" ");
        return Err(Error::Tool { program, status: status.to_string(), stderr: complaint.trim().to_owned() });
    }
    let there = (0..PID_TRIES).any(|_| {
        let there = running(&daemon.pid_file, program).is_some();
        if !there {
            std::thread::sleep(TRY_INTERVAL);
        }
        there
    });
    if there { Ok(()) } else { Err(Error::Odd(format!("{program} wrote no {}", daemon.pid_file.display()))) }
}
