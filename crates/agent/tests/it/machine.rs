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

/// An agent with a runtime of its own. Were it a task of the test's, its blocking passes would outlive it, and
/// undo what the next agent does.
pub struct Agent(Option<tokio::runtime::Runtime>);

impl Agent {
    pub fn start(run: impl Future<Output = ()> + Send + 'static) -> Agent {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        runtime.spawn(run);
        Agent(Some(runtime))
    }

    /// Ends it like a kill, except for the step it is at.
    pub async fn end(mut self) {
        let runtime = self.0.take();
        tokio::task::spawn_blocking(move || drop(runtime)).await.unwrap();
    }
}

/// Where a test panics, nobody waits.
impl Drop for Agent {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
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
