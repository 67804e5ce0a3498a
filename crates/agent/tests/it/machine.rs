//! A machine for one test: a thread with network and mount namespaces of its own, so that names of namespaces
//! and devices never meet those of other tests or of the machine below, and nothing can touch its
//! `/etc/resolv.conf`.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Longest wait for something that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine, from inside.
pub struct Machine {
    /// A directory of the test's own, readable by everybody.
    pub state_path: PathBuf,
}

/// Runs `work` on a machine of its own.
pub fn on_a_machine<F>(name: &str, work: impl FnOnce(Machine) -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let state_path = std::env::temp_dir().join(format!("neutron-it-{name}-{}", std::process::id()));
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        mount(Some("/dev/null"), "/etc/resolv.conf", none, MsFlags::MS_BIND, none).unwrap();
        std::fs::create_dir_all(&state_path).unwrap();
        sh("ip link set lo up");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let machine = Machine { state_path: state_path.clone() };
        let outcome =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| runtime.block_on(work(machine))));
        drop(runtime);
        end_daemons(&state_path);
        std::fs::remove_dir_all(&state_path).ok();
        outcome
    });
    if let Err(panic) = thread.join().unwrap() {
        std::panic::resume_unwind(panic);
    }
}

/// Ends what the agents left running on purpose: whatever wrote a pid file below `directory`.
fn end_daemons(directory: &Path) {
    for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            end_daemons(&entry.path());
        } else if entry.path().to_string_lossy().contains("pid") {
            let pid = std::fs::read_to_string(entry.path()).unwrap_or_default();
            if let Ok(pid) = pid.trim().parse() {
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid), nix::sys::signal::Signal::SIGKILL)
                    .ok();
            }
        }
    }
}

/// Runs a shell command and returns what it did.
pub fn try_sh(command: &str) -> Output {
    Command::new("sh").arg("-c").arg(command).stdin(Stdio::null()).output().unwrap()
}

/// Runs a shell command that must succeed; returns what it wrote.
pub fn sh(command: &str) -> String {
    let output = try_sh(command);
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command}: {} {complaint}", output.status);
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Waits until `test` says something.
pub async fn until<T>(what: &str, mut test: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(value) = test() {
            return value;
        }
        assert!(start.elapsed() < PATIENCE, "in vain: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until a shell command succeeds; returns what it wrote.
pub async fn until_sh(command: &str) -> String {
    until(command, || {
        let output = try_sh(command);
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    })
    .await
}
