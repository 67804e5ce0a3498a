//! A Galera cluster for one test: MariaDB's servers on loopback that certify each other's commits, gone with the test.
//!
//! A new node usually copies another's data with the scripts of Debian's full server package. Here all nodes begin with
//! copies of the same empty data, and a node that was killed goes on from its own with what it missed, so
//! `mariadb-server-core` and `galera-4` are enough: the script that copies is one that says that nothing is to be copied.
#![expect(clippy::unwrap_used, reason = "a test that cannot have its cluster ends")]

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for something that must happen, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(120);
/// Galera itself; `make services` installs it.
const PROVIDER: &str = "/usr/lib/galera/libgalera_smm.so";
/// Root's password, from anywhere.
const PASSWORD: &str = "galera-secret";
/// What a node that comes and the one that helps it run, by the name `wsrep_sst_lab`. They agree on the position from which
/// the missing commits are sent, through a file; a node with another history is refused.
const TRANSFER: &str = r#"#!/bin/sh
note=$(dirname "$0")/position
while [ $# -gt 0 ]; do
  case $1 in
    --role) role=$2 ;;
    --gtid) position=$2 ;;
    --bypass) known=yes ;;
    --mysqld-args) break ;;
  esac
  shift
done
if [ "$role" = joiner ]; then
  rm -f "$note"
  echo ready here
  until [ -s "$note" ]; do sleep 0.05; done
  cat "$note"
else
  [ "$known" = yes ] || { echo "the node that comes has another history" >&2; exit 22; }
  echo "$position" >"$note.new" && mv "$note.new" "$note"
  echo "done $position"
fi
"#;

/// The cluster.
#[derive(Debug)]
pub struct Galera {
    folder: PathBuf,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    port: u16,
    /// Where the others find it, and where it takes what it missed.
    group: u16,
    transfer: u16,
    process: Option<Child>,
}

impl Galera {
    /// Starts a cluster of two: the first has the casting vote, so that it goes on without the second and the second
    /// does not without it.
    ///
    /// # Panics
    /// When a node does not start; its log's end says why.
    #[must_use]
    pub fn of_two(name: &str) -> Galera {
        assert!(Path::new(PROVIDER).exists(), "{PROVIDER} is missing: `make services` installs galera-4");
        let folder = std::env::temp_dir().join(format!("neutron-galera-{name}-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        let mut cluster = Galera { folder, nodes: nodes(2) };
        cluster.prepare();
        // Its first start begins the history; the second node gets what it leaves.
        cluster.run(0, &["--wsrep-new-cluster"]);
        cluster.until_synced(0);
        cluster.stop(0);
        succeed(Command::new("cp").arg("-a").args([cluster.data(0), cluster.data(1)]));
        cluster.run(0, &["--wsrep-new-cluster"]);
        cluster.until_synced(0);
        cluster.run(1, &[]);
        cluster.until_synced(1);
        cluster
    }

    /// How programs name a node: `mysql://root:…@127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self, node: usize) -> String {
        format!("mysql://root:{PASSWORD}@127.0.0.1:{}", self.nodes[node].port)
    }

    /// Ends a node as a crash would.
    ///
    /// # Panics
    /// When it does not run.
    pub fn kill(&mut self, node: usize) {
        let mut process = self.nodes[node].process.take().unwrap();
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Starts a killed node on its data; [`Galera::until_synced`] waits for it.
    ///
    /// # Panics
    /// When its data cannot be read.
    pub fn start(&mut self, node: usize) {
        let file = self.folder.join(format!("{node}.recovery"));
        let log = format!("--log-error={}", file.display());
        succeed(self.command(node).args(["--wsrep-recover", &log]));
        let text = std::fs::read_to_string(&file).unwrap();
        let position = text.rsplit_once("Recovered position: ").unwrap().1.split_whitespace().next().unwrap();
        self.run(node, &[&format!("--wsrep-start-position={position}")]);
        std::fs::remove_file(file).unwrap();
    }

    /// Statements as root on a node; what they print, one row a line.
    ///
    /// # Errors
    /// What the node says instead.
    ///
    /// # Panics
    /// When there is no client.
    pub fn sql(&self, node: usize, statements: &str) -> Result<String, String> {
        let socket = format!("--socket={}", self.data(node).join("s").display());
        let mut command = Command::new("mariadb");
        command.args(["--no-defaults", &socket, "-uroot", "-N", "-B", "-e", statements]);
        let done = command.env("MYSQL_PWD", PASSWORD).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if done.status.success() { Ok(text(&done.stdout)) } else { Err(text(&done.stderr)) }
    }

    /// A figure of a node's, as `SHOW STATUS LIKE` has it.
    ///
    /// # Panics
    /// When the node does not answer.
    #[must_use]
    pub fn status(&self, node: usize, name: &str) -> String {
        let row = self.sql(node, &format!("SHOW STATUS LIKE '{name}'")).unwrap();
        row.split_whitespace().nth(1).unwrap_or_default().to_owned()
    }

    fn data(&self, node: usize) -> PathBuf {
        self.folder.join(node.to_string())
    }

    /// Empty data and the cluster's own script.
    fn prepare(&self) {
        let folder = format!("--datadir={}", self.data(0).display());
        let words =
            ["--no-defaults", "--user=root", "--auth-root-authentication-method=normal", "--skip-test-db"];
        // Servers of other namespaces, whose numbers of processes are the same, would share the names in /tmp.
        let mut install = Command::new("mariadb-install-db");
        succeed(install.args(words).arg(&folder).env("TMPDIR", &self.folder));
        let users = format!(
            "FLUSH PRIVILEGES;\nDELETE FROM mysql.global_priv WHERE user IN ('', 'root');\nFLUSH PRIVILEGES;\n\
             CREATE USER 'root'@'%' IDENTIFIED BY '{PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n"
        );
        let file = self.folder.join("users.sql");
        std::fs::write(&file, users).unwrap();
        let mut bootstrap = Command::new("mariadbd");
        bootstrap
            .args(["--no-defaults", "--user=root", "--bootstrap"])
            .arg(&folder)
            .env("TMPDIR", &self.folder);
        succeed(bootstrap.stdin(std::fs::File::open(file).unwrap()));
        let script = self.folder.join("bin/wsrep_sst_lab");
        std::fs::write(&script, TRANSFER).unwrap();
        std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The words of a node that all of its starts have in common.
    fn command(&self, node: usize) -> Command {
        let data = self.data(node);
        let group: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.group)).collect();
        let Node { port, group: own, transfer, .. } = self.nodes[node];
        let weight = if node == 0 { 2 } else { 1 };
        let options = format!(
            "gmcast.listen_addr=tcp://127.0.0.1:{own};ist.recv_addr=tcp://127.0.0.1:{transfer};\
             pc.weight={weight};gcache.size=64M"
        );
        let mut command = Command::new("setpriv");
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", self.folder.join("bin").display()));
        command.env("TMPDIR", &self.folder);
        command.args(["--pdeathsig", "KILL", "--", "mariadbd", "--no-defaults", "--user=root"]);
        command.args([
            &format!("--datadir={}", data.display()),
            &format!("--socket={}", data.join("s").display()),
            &format!("--port={port}"),
            "--bind-address=127.0.0.1",
            "--character-set-server=utf8mb4",
            "--skip-name-resolve",
            "--binlog-format=ROW",
            "--innodb-autoinc-lock-mode=2",
            // What the process has written outlives it; the machine does not crash here.
            "--innodb-flush-log-at-trx-commit=2",
            "--wsrep-on=ON",
            "--wsrep-sst-method=lab",
            &format!("--wsrep-provider={PROVIDER}"),
            &format!("--wsrep-provider-options={options}"),
            &format!("--wsrep-cluster-address=gcomm://{}", group.join(",")),
            &format!("--wsrep-node-address=127.0.0.1:{own}"),
            &format!("--wsrep-node-name=node{node}"),
        ]);
        command.stdin(Stdio::null());
        command
    }

    fn run(&mut self, node: usize, more: &[&str]) {
        let log = std::fs::File::options().create(true).append(true).open(self.log(node)).unwrap();
        let mut command = self.command(node);
        command.args(more).stdout(log.try_clone().unwrap()).stderr(log);
        self.nodes[node].process = Some(command.spawn().unwrap());
    }

    /// Ends a node as its service would.
    fn stop(&mut self, node: usize) {
        let mut process = self.nodes[node].process.take().unwrap();
        succeed(Command::new("kill").arg(process.id().to_string()));
        process.wait().unwrap();
    }

    fn log(&self, node: usize) -> PathBuf {
        self.folder.join(format!("{node}.log"))
    }

    /// Waits until a node is part of the cluster, has what it missed and takes statements.
    ///
    /// # Panics
    /// When it does not come; its log's end says why.
    pub fn until_synced(&mut self, node: usize) {
        let begin = Instant::now();
        loop {
            let ready = self.sql(node, "SHOW STATUS LIKE 'wsrep_local_state_comment'");
            if ready.is_ok_and(|row| row.contains("Synced")) {
                return;
            }
            let process = self.nodes[node].process.as_mut().unwrap();
            let ended = process.try_wait().unwrap();
            if ended.is_some() || begin.elapsed() > PATIENCE {
                let log = std::fs::read_to_string(self.log(node)).unwrap_or_default();
                let end = log.lines().rev().take(40).collect::<Vec<_>>();
                let end = end.into_iter().rev().collect::<Vec<_>>().join("\n");
                panic!("node {node} of the cluster does not come (ended: {ended:?}):\n{end}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Galera {
    fn drop(&mut self) {
        for process in self.nodes.iter_mut().filter_map(|node| node.process.as_mut()) {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Nodes with free ports.
fn nodes(count: usize) -> Vec<Node> {
    // All are held until the last is found, or one would be found twice.
    let held: Vec<TcpListener> = (0..3 * count).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<u16> = held.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    ports
        .chunks(3)
        .map(|three| Node { port: three[0], group: three[1], transfer: three[2], process: None })
        .collect()
}

fn succeed(command: &mut Command) {
    let done = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(done.status.success(), "{command:?}:\n{}\n{}", text(&done.stdout), text(&done.stderr));
}
