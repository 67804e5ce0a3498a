//! Either program on the same services: neutron-rs, or Python Neutron as its operators run it.

use super::http::Connection;
use super::process::free_port;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a program may take to answer at all.
const START_MAX: Duration = Duration::from_secs(120);

/// The services that both use.
#[derive(Debug, Clone)]
pub struct Around {
    /// `mysql://root:…@127.0.0.1:3306`, without a database.
    pub mariadb: String,
    /// `amqp://…`
    pub rabbitmq: String,
    /// `http://127.0.0.1:5000/v3`
    pub keystone: String,
    /// `127.0.0.1:11211`
    pub memcached: String,
}

impl Around {
    /// Those that `lab with-services` started.
    ///
    /// # Errors
    /// It did not.
    pub fn of_environment() -> io::Result<Around> {
        let variable = |name: &str| {
            let missing =
                |_| io::Error::other(format!("{name} is missing: run it by `make bench-against-python`"));
            std::env::var(name).map_err(missing)
        };
        Ok(Around {
            mariadb: variable("LAB_MARIADB_URL")?,
            rabbitmq: variable("LAB_RABBITMQ_URL")?,
            keystone: variable("LAB_KEYSTONE_URL")?,
            memcached: variable("LAB_MEMCACHED")?,
        })
    }

    /// What both read, but for where they listen.
    fn config(&self, database: &str, state: &Path) -> String {
        let connection = self.mariadb.replacen("mysql://", "mysql+pymysql://", 1);
        let transport = self.rabbitmq.replacen("amqp://", "rabbit://", 1);
        let (keystone, memcached, state) = (&self.keystone, &self.memcached, state.display());
        format!(
            "state_path = {state}\nauth_strategy = keystone\ncore_plugin = ml2\nservice_plugins = router\n\
             transport_url = {transport}\ncontrol_exchange = {database}\n\
             notify_nova_on_port_status_changes = false\nnotify_nova_on_port_data_changes = false\n\
             [database]\nconnection = {connection}/{database}?charset=utf8mb3\n\
             [keystone_authtoken]\nwww_authenticate_uri = {keystone}\nauth_url = {keystone}\nauth_type = password\n\
             username = neutron\npassword = service-secret\nproject_name = service\nuser_domain_id = default\n\
             project_domain_id = default\nmemcached_servers = {memcached}\n\
             [oslo_concurrency]\nlock_path = {state}/lock\n\
             [quotas]\nquota_port = -1\nquota_network = -1\nquota_subnet = -1\n\
             [ml2]\ntype_drivers = vxlan\nproject_network_types = vxlan\nmechanism_drivers = openvswitch,l2population\n\
             extension_drivers = port_security\n[ml2_type_vxlan]\nvni_ranges = 1:1000\n"
        )
    }
}

/// A program that runs: one process or several, with their children.
pub struct Program {
    children: Vec<Child>,
    /// `host:port`
    pub address: String,
    /// From start to the first answer to a token's owner.
    pub started_in: Duration,
}

impl Program {
    /// neutron-rs on a database.
    ///
    /// # Errors
    /// It does not start.
    pub async fn ours(
        neutron: &Path,
        around: &Around,
        database: &str,
        dir: &Path,
        token: &str,
    ) -> io::Result<Program> {
        std::fs::create_dir_all(dir)?;
        let port = free_port()?;
        let text = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\n{}",
            around.config(database, dir).replace("openvswitch,l2population", "linuxbridge,l2population")
        );
        let file = dir.join("neutron.conf");
        std::fs::write(&file, text)?;
        finish(
            Command::new(neutron).args(["db", "--config-file"]).arg(&file).args(["upgrade", "head"]),
            dir,
        )?;
        let begin = Instant::now();
        let child = spawn(Command::new(neutron).args(["server", "--config-file"]).arg(&file), dir, "server")?;
        Program { children: vec![child], address: format!("127.0.0.1:{port}"), started_in: Duration::ZERO }
            .answers(begin, token, dir)
            .await
    }

    /// Python Neutron on a database: uWSGI with a worker per processor, RPC server, periodic workers.
    ///
    /// # Errors
    /// It is not installed or does not start.
    pub async fn python(
        venv: &Path,
        around: &Around,
        database: &str,
        dir: &Path,
        token: &str,
    ) -> io::Result<Program> {
        std::fs::create_dir_all(dir.join("lock"))?;
        let (port, program) = (free_port()?, |name: &str| venv.join("bin").join(name));
        let paste = venv.join("etc/neutron/api-paste.ini");
        let workers = std::thread::available_parallelism()?.get();
        let file = dir.join("neutron.conf");
        let text = format!(
            "[DEFAULT]\napi_paste_config = {}\nrpc_workers = 1\n{}",
            paste.display(),
            around.config(database, dir)
        );
        std::fs::write(&file, text)?;
        let ini = dir.join("uwsgi.ini");
        std::fs::write(
            &ini,
            format!(
                "[uwsgi]\nhttp-socket = 127.0.0.1:{port}\nmodule = neutron.wsgi.api:application\nprocesses = {workers}\n\
                 threads = 1\nmaster = true\nlazy-apps = true\nenable-threads = true\nthunder-lock = true\n\
                 die-on-term = true\nneed-app = true\nbuffer-size = 65535\nsocket-timeout = 30\nlisten = 128\n\
                 add-header = Connection: close\nstart-time = %t\ndisable-logging = true\n"
            ),
        )?;
        finish(
            Command::new(program("neutron-db-manage"))
                .arg("--config-file")
                .arg(&file)
                .args(["upgrade", "heads"]),
            dir,
        )?;
        let begin = Instant::now();
        let mut api = Command::new(program("uwsgi"));
        api.arg("--ini").arg(&ini).env("TMPDIR", dir);
        api.env("OS_NEUTRON_CONFIG_DIR", dir).env("OS_NEUTRON_CONFIG_FILES", "neutron.conf");
        let mut children = vec![spawn(&mut api, dir, "api")?];
        for name in ["neutron-rpc-server", "neutron-periodic-workers"] {
            children.push(spawn(Command::new(program(name)).arg("--config-file").arg(&file), dir, name)?);
        }
        Program { children, address: format!("127.0.0.1:{port}"), started_in: Duration::ZERO }
            .answers(begin, token, dir)
            .await
    }

    async fn answers(mut self, begin: Instant, token: &str, dir: &Path) -> io::Result<Program> {
        while begin.elapsed() < START_MAX {
            if let Ok(mut connection) = Connection::open_as(&self.address, token).await
                && connection.send("GET", "/v2.0/networks", "").await.is_ok_and(|a| a.status == 200)
            {
                self.started_in = begin.elapsed();
                return Ok(self);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        Err(io::Error::other(format!("no answer within {START_MAX:?}; its logs are in {}", dir.display())))
    }

    /// The processes with all their descendants.
    fn members(&self) -> io::Result<BTreeSet<u32>> {
        let mut parents = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let Ok(pid) = entry?.file_name().to_string_lossy().parse::<u32>() else { continue };
            if let Some(parent) = field(pid, 1) {
                parents.push((pid, parent));
            }
        }
        let mut all: BTreeSet<u32> = self.children.iter().map(Child::id).collect();
        loop {
            let before = all.len();
            for (pid, parent) in &parents {
                if u32::try_from(*parent).is_ok_and(|parent| all.contains(&parent)) {
                    all.insert(*pid);
                }
            }
            if all.len() == before {
                return Ok(all);
            }
        }
    }

    /// Processor time used so far by all of them.
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn cpu(&self) -> io::Result<Duration> {
        // utime and stime, in hundredths of a second on Linux.
        let ticks = |pid: &u32| field(*pid, 11).unwrap_or(0) + field(*pid, 12).unwrap_or(0);
        Ok(Duration::from_millis(self.members()?.iter().map(ticks).sum::<u64>() * 10))
    }

    /// The memory of all of them in MiB, what they share counted once (PSS).
    ///
    /// # Errors
    /// There is no `/proc`.
    pub fn pss_mib(&self) -> io::Result<f64> {
        let pss = |pid: &u32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
            let line = text.lines().find_map(|line| line.strip_prefix("Pss:"))?;
            line.split_whitespace().next()?.parse::<f64>().ok()
        };
        Ok(self.members()?.iter().filter_map(pss).sum::<f64>() / 1024.0)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let all = self.members().unwrap_or_default();
        for child in &mut self.children {
            // It may have ended by itself; then there is nobody to end or to wait for.
            let _ = child.kill();
            let _ = child.wait();
        }
        for pid in all {
            let pid = nix::unistd::Pid::from_raw(i32::try_from(pid).unwrap_or_default());
            if pid.as_raw() > 1 {
                let _ = nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGKILL);
            }
        }
    }
}

/// A field of `/proc/PID/stat` behind the name: 1 is the parent.
fn field(pid: u32, at: usize) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split(' ').nth(at)?.parse().ok()
}

fn spawn(command: &mut Command, dir: &Path, name: &str) -> io::Result<Child> {
    let log = std::fs::File::create(dir.join(format!("{name}.log")))?;
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()
}

fn finish(command: &mut Command, dir: &Path) -> io::Result<()> {
    let done = command.stdin(Stdio::null()).current_dir(dir).output()?;
    if done.status.success() {
        return Ok(());
    }
    let (said, wrong) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    Err(io::Error::other(format!("{command:?}: {}\n{said}{wrong}", done.status)))
}

/// Where `make bench-against-python` installs Python Neutron.
pub fn venv() -> io::Result<PathBuf> {
    match std::env::var_os("LAB_NEUTRON_VENV") {
        Some(folder) => Ok(PathBuf::from(folder)),
        None => Ok(std::env::current_dir()?.join(".tools/neutron")),
    }
}
