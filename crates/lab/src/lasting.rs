//! What outlives the command that started it: process numbers kept in a file, with the moments they began.

use std::path::Path;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Keeps the numbers of processes that run.
///
/// # Errors
/// The file cannot be written.
pub fn save(file: &Path, pids: &[u32]) -> Result<(), String> {
    let lines: String =
        pids.iter().map(|pid| format!("{pid} {}\n", started(*pid).unwrap_or_default())).collect();
    std::fs::write(file, lines).map_err(|error| error.to_string())
}

/// Those of a file that still run and are the ones that were started.
pub fn alive(file: &Path) -> Vec<u32> {
    let alive = |line: &str| {
        let (pid, moment) = line.split_once(' ')?;
        let pid = pid.parse().ok()?;
        (started(pid).as_deref() == Some(moment)).then_some(pid)
    };
    std::fs::read_to_string(file).unwrap_or_default().lines().filter_map(alive).collect()
}

/// When a process started, in the kernel's ticks: numbers are used again, moments are not.
fn started(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(19).map(str::to_owned)
}

/// Ends processes, the youngest first, and waits until they are gone.
pub fn end(pids: &[u32]) {
    for pid in pids.iter().rev() {
        // It may have ended by itself.
        let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGTERM);
    }
    let gone = |pid: &u32| !Path::new(&format!("/proc/{pid}")).exists();
    for _ in 0..250 {
        if pids.iter().all(gone) {
            return;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}
