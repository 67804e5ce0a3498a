//! TLS: an authority of the servers' own, and the certificate that they show.

use super::Services;

/// Where the files are among the data: `ca.pem`, `cert.pem`, `key.pem`.
const FOLDER: &str = "tls";
/// Words of openssl that both certificates begin with.
const NEW: &str = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30";

/// The line of shell that makes an authority (`ca.pem`) and a certificate of its (`cert.pem`, `key.pem`) in a folder, for
/// 127.0.0.1, localhost and a name.
#[must_use]
pub fn making(folder: &str, name: &str) -> String {
    let names = format!("subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:{name}");
    format!(
        "cd {folder} && {NEW} -subj /CN=lab-authority -keyout ca.key -out ca.pem && \
         {NEW} -CA ca.pem -CAkey ca.key -subj /CN=lab -addext {names} -addext basicConstraints=CA:FALSE \
         -keyout key.pem -out cert.pem"
    )
}

impl Services {
    /// Makes the authority and a certificate for 127.0.0.1 and the host's name.
    pub(super) fn certificates(&self) -> Result<(), String> {
        let folder = self.folder(FOLDER)?.display().to_string();
        let line = making(&folder, self.host.name());
        self.host.sh(&line).map(|_| ()).map_err(|error| error.to_string())
    }

    /// The authority, its server's certificate and key, as the host sees them.
    pub(super) fn tls_files(&self) -> [String; 3] {
        ["ca.pem", "cert.pem", "key.pem"].map(|name| self.data.join(FOLDER).join(name).display().to_string())
    }
}
