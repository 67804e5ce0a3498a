//! An Open vSwitch for one test: its own folder, its own network namespace, gone with the test.
#![expect(clippy::unwrap_used, reason = "a test that cannot have its switch ends")]

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};

/// Longest wait for something that must happen.
pub const PATIENCE: Duration = Duration::from_secs(20);

/// Names the datapath to use: `system`, the kernel's, where it has one; else the switch's own.
const DATAPATH: &str = "LAB_DATAPATH";

/// `datapath_type` of bridges: `netdev` or `system`.
#[must_use]
pub fn datapath_type() -> &'static str {
    if std::env::var_os(DATAPATH).is_some_and(|value| value == "system") { "system" } else { "netdev" }
}

/// ovsdb-server and ovs-vswitchd.
#[derive(Debug)]
pub struct Switch {
    /// Its database, sockets and logs.
    pub folder: PathBuf,
    /// The named namespace it runs in; none: that of the test.
    netns: Option<String>,
    database: Option<Child>,
    vswitchd: Option<Child>,
}

/// Runs `work` on a thread with network and mount namespaces of its own and a running switch.
///
/// # Panics
/// When the switch does not start, or `work` panics.
pub fn with_a_switch<F>(name: &str, work: impl FnOnce(Switch) -> F + Send + 'static)
where
    F: Future<Output = ()>,
{
    let folder = std::env::temp_dir().join(format!("neutron-ovs-{name}-{}", std::process::id()));
    let thread = std::thread::spawn(move || {
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET).unwrap();
        let none = None::<&str>;
        mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
        mount(Some("tmpfs"), "/run", Some("tmpfs"), MsFlags::empty(), none).unwrap();
        // More than one thread: what blocks in one waits for what runs in the others.
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let switch = Switch::start(folder, None);
        runtime.block_on(work(switch));
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}

impl Switch {
    fn start(folder: PathBuf, netns: Option<String>) -> Switch {
        std::fs::create_dir_all(&folder).unwrap();
        let mut switch = Switch { folder, netns, database: None, vswitchd: None };
        switch.sh("ip link set lo up");
        switch.sh("ovsdb-tool create conf.db /usr/share/openvswitch/vswitch.ovsschema");
        switch.start_database();
        switch.sh("ovs-vsctl --no-wait init");
        switch.start_vswitchd();
        switch
    }

    /// Starts ovsdb-server.
    ///
    /// # Panics
    /// When that fails.
    pub fn start_database(&mut self) {
        let remotes = format!("--remote=punix:{}/db.sock", self.folder.display());
        self.database =
            Some(self.daemon("ovsdb-server", &["conf.db", &remotes, "--remote=ptcp:6640:127.0.0.1"]));
        self.wait_for(&self.database());
    }

    /// Starts ovs-vswitchd and waits until it has made what the database says.
    ///
    /// # Panics
    /// When that fails.
    pub fn start_vswitchd(&mut self) {
        self.vswitchd =
            Some(self.daemon(
                "ovs-vswitchd",
                if datapath_type() == "netdev" { &["--disable-system"] } else { &[] },
            ));
        self.sh("ovs-vsctl --timeout=20 set open_vswitch . external_ids:started=$$");
    }

    /// Ends ovsdb-server as a crash would.
    ///
    /// # Panics
    /// When that fails.
    pub fn stop_database(&mut self) {
        end(self.database.take());
        std::fs::remove_file(self.database()).ok();
    }

    /// Ends ovs-vswitchd as a crash would.
    ///
    /// # Panics
    /// When that fails.
    pub fn stop_vswitchd(&mut self) {
        end(self.vswitchd.take());
    }

    /// The database's socket.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.folder.join("db.sock")
    }

    /// Another switch beside this one, in a named namespace that it makes.
    pub fn beside(&self, netns: &str) -> Switch {
        self.sh(&format!("ip netns add {netns}"));
        Switch::start(self.folder.join(netns), Some(netns.to_owned()))
    }

    fn command(&self, program: &str) -> Command {
        let mut command = match &self.netns {
            Some(netns) => {
                // Not `ip netns exec`: namespaces made in there would be gone with it.
                let mut inside = Command::new("nsenter");
                inside.arg(format!("--net=/run/netns/{netns}")).arg(program);
                inside
            }
            None => Command::new(program),
        };
        command.current_dir(&self.folder).stdin(Stdio::null());
        for name in ["OVS_RUNDIR", "OVS_DBDIR", "OVS_SYSCONFDIR", "OVS_LOGDIR"] {
            command.env(name, &self.folder);
        }
        command
    }

    fn daemon(&self, program: &str, arguments: &[&str]) -> Child {
        let log = std::fs::File::create(self.folder.join(format!("{program}.log"))).unwrap();
        let mut command = self.command("setpriv");
        // Dies with the thread that is the test's machine, whatever becomes of the test.
        command
            .args(["--pdeathsig", "KILL", program])
            .args(arguments)
            .args(["-vconsole:warn", "-vsyslog:off"]);
        command.arg(format!("--pidfile={}/{program}.pid", self.folder.display()));
        command.stdout(Stdio::null()).stderr(log).spawn().unwrap()
    }

    fn wait_for(&self, file: &Path) {
        let start = Instant::now();
        while !file.exists() {
            assert!(start.elapsed() < PATIENCE, "{} does not appear: {}", file.display(), self.logs());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn logs(&self) -> String {
        let read = |program| std::fs::read_to_string(self.folder.join(format!("{program}.log")));
        ["ovsdb-server", "ovs-vswitchd"].map(|p| read(p).unwrap_or_default()).concat()
    }

    /// Runs a shell command that must succeed, with Open vSwitch's tools pointed here; what it wrote.
    ///
    /// # Panics
    /// When it fails.
    pub fn sh(&self, command: &str) -> String {
        let output = self.command("sh").arg("-c").arg(command).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {} {complaint} {}", output.status, self.logs());
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }
}

fn end(child: Option<Child>) {
    if let Some(mut child) = child {
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        end(self.vswitchd.take());
        end(self.database.take());
        std::fs::remove_dir_all(&self.folder).ok();
    }
}
