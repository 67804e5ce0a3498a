//! MariaDB: a fresh data folder, root by password from anywhere and without one through the socket.

use super::{Durability, MARIADB_PASSWORD, Services};
use crate::daemon::Daemon;

/// Where it is called locally on its host.
pub const SOCKET: &str = "/run/lab-mariadb.sock";
/// For tests: enough for what they hold.
const BUFFER_POOL_SMALL: &str = "--innodb-buffer-pool-size=128M";
/// For measurements: what a server of a cloud would be given at least.
const BUFFER_POOL_LARGE: &str = "--innodb-buffer-pool-size=512M";

impl Services {
    pub(super) fn mariadb_prepare(&self) -> Result<(), String> {
        let data = self.folder("mariadb")?.display().to_string();
        let datadir = format!("--datadir={data}/db");
        self.run(&[
            "mariadb-install-db",
            "--no-defaults",
            "--user=root",
            "--auth-root-authentication-method=normal",
            "--skip-test-db",
            &datadir,
        ])?;
        // The narrower names of root that the installation makes would come before '%', and have no password.
        let init = format!(
            "DROP USER IF EXISTS 'root'@'127.0.0.1', 'root'@'::1', ''@'localhost';\n\
             CREATE USER IF NOT EXISTS 'root'@'%' IDENTIFIED BY '{MARIADB_PASSWORD}';\n\
             GRANT ALL PRIVILEGES ON *.* TO 'root'@'%' WITH GRANT OPTION;\n\
             CREATE DATABASE IF NOT EXISTS keystone;\n"
        );
        self.write(&self.data.join("mariadb/init.sql"), &init)
    }

    /// Starts it on the data there is.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn mariadb_start(&self) -> Result<(), String> {
        let data = self.data.join("mariadb").display().to_string();
        let large = self.setup.durability == Durability::Disk;
        let [authority, certificate, key] = self.tls_files();
        let words = [
            "mariadbd",
            "--no-defaults",
            "--user=root",
            &format!("--datadir={data}/db"),
            &format!("--init-file={data}/init.sql"),
            &format!("--socket={SOCKET}"),
            &format!("--port={}", self.setup.ports.mariadb),
            &format!("--bind-address={}", self.setup.bind),
            &format!("--ssl-ca={authority}"),
            &format!("--ssl-cert={certificate}"),
            &format!("--ssl-key={key}"),
            "--character-set-server=utf8mb4",
            "--max-connections=1000",
            "--skip-name-resolve",
            "--skip-log-bin",
            if large { BUFFER_POOL_LARGE } else { BUFFER_POOL_SMALL },
        ];
        self.daemon(&Daemon::new("mariadb", &words))
    }

    /// Waits until it answers.
    ///
    /// # Errors
    /// It does not.
    pub fn mariadb_wait(&self) -> Result<(), String> {
        self.wait("mariadb", || self.sql("SELECT 1").map(|_| ()))
    }

    /// Statements as root, as `mysql -u root` on the host would run them; what they print.
    ///
    /// # Errors
    /// One is refused.
    pub fn sql(&self, statements: &str) -> Result<String, String> {
        let socket = format!("--socket={SOCKET}");
        self.run(&["mariadb", "--no-defaults", &socket, "-uroot", "-N", "-B", "-e", statements])
    }
}
