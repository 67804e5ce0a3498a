//! `[database] connection` in SQLAlchemy's spelling, taken apart: which database, where, as whom, over TLS or not.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Where the data is.
#[derive(Debug, Clone, PartialEq)]
pub enum Place {
    /// A SQLite file.
    Lite(PathBuf),
    /// A MariaDB or MySQL server.
    Maria(Box<Server>),
}

/// A database on a MariaDB or MySQL server.
#[derive(Clone, PartialEq)]
pub struct Server {
    /// Name or address.
    pub host: String,
    /// TCP port; 3306 where none is given.
    pub port: u16,
    /// The account; none = the server's anonymous one.
    pub user: Option<String>,
    /// Its password.
    pub password: Option<String>,
    /// The database.
    pub database: String,
    /// A Unix socket instead of `host` and `port`.
    pub socket: Option<String>,
    /// The character set of the connection, `charset=`; `utf8` where none is given.
    pub charset: String,
    /// TLS, where any of its parameters is given.
    pub tls: Option<Tls>,
}

/// TLS towards the server, in PyMySQL's parameters.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tls {
    /// `ssl_ca`: whom to believe; none = any certificate is taken, as PyMySQL does.
    pub ca: Option<PathBuf>,
    /// `ssl_cert` and `ssl_key`: our own certificate.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// `ssl_verify_identity`: the certificate must carry the server's name.
    pub verify_name: bool,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(out, "{self}")
    }
}

/// As it may stand in a log: without the password.
impl std::fmt::Display for Server {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let user = self.user.as_deref().unwrap_or("");
        match &self.socket {
            Some(socket) => write!(out, "mysql://{user}@{socket}/{}", self.database),
            None => write!(out, "mysql://{user}@{}:{}/{}", self.host, self.port, self.database),
        }
    }
}

/// Reads a URL.
///
/// # Errors
/// What is wrong with it, and what to write; never its password.
pub fn parse(url: &str) -> Result<Place, String> {
    let (scheme, rest) = url
        .split_once("://")
        .ok_or("this is no URL; write mysql+pymysql://USER:PASSWORD@HOST/DATABASE or sqlite:////PATH")?;
    let (dialect, driver) = scheme.split_once('+').unwrap_or((scheme, ""));
    match dialect {
        "sqlite" => {
            let path = rest.split('?').next().unwrap_or_default().strip_prefix('/').unwrap_or_default();
            if path.is_empty() {
                return Err(
                    "a database in memory would be lost; write sqlite:////PATH with four slashes".into()
                );
            }
            Ok(Place::Lite(PathBuf::from(path)))
        }
        "mysql" | "mariadb" => server(rest).map(|server| Place::Maria(Box::new(server))),
        _ => Err(format!(
            "there is no driver for {dialect}{}{driver}; write mysql+pymysql://USER:PASSWORD@HOST/DATABASE or sqlite:////PATH",
            if driver.is_empty() { "" } else { "+" }
        )),
    }
}

fn server(rest: &str) -> Result<Server, String> {
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, database) = rest.split_once('/').unwrap_or((rest, ""));
    if database.is_empty() {
        return Err("the URL names no database; write mysql+pymysql://USER:PASSWORD@HOST/DATABASE".into());
    }
    // A password may hold an `@` that nobody escaped: the host begins after the last one.
    let (account, address) = match authority.rsplit_once('@') {
        Some((account, address)) => (Some(account), address),
        None => (None, authority),
    };
    let (user, password) = match account.map(|a| a.split_once(':').unwrap_or((a, "\0"))) {
        Some((user, "\0")) => (Some(percent(user)), None),
        Some((user, password)) => (Some(percent(user)), Some(percent(password))),
        None => (None, None),
    };
    let (host, port) = host_and_port(address)?;
    let parameters = parameters(query);
    let given = |name: &str| parameters.get(name).cloned().filter(|v| !v.is_empty());
    Ok(Server {
        host,
        port,
        user,
        password,
        database: percent(database),
        socket: given("unix_socket"),
        charset: charset(given("charset"))?,
        tls: tls(&parameters)?,
    })
}

fn host_and_port(address: &str) -> Result<(String, u16), String> {
    let (host, port) = match address.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, after)) => (host, after.strip_prefix(':').unwrap_or_default()),
        None => address.split_once(':').unwrap_or((address, "")),
    };
    let port = match port {
        "" => 3306,
        text => text.parse().map_err(|_| format!("the port \"{text}\" is no number"))?,
    };
    let host = if host.is_empty() { "localhost".to_string() } else { percent(host) };
    Ok((host, port))
}

fn parameters(query: &str) -> BTreeMap<String, String> {
    let pairs = query.split('&').filter(|part| !part.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(k, v)| (percent(k), percent(v)))
        .collect()
}

/// Names of character sets go into a statement as they are, so only those that hold what Neutron stores are taken.
fn charset(given: Option<String>) -> Result<String, String> {
    match given.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("utf8") => Ok("utf8".into()),
        Some(known @ ("utf8mb3" | "utf8mb4")) => Ok(known.into()),
        Some(other) => Err(format!("charset={other} cannot hold every name; write charset=utf8")),
    }
}

fn tls(parameters: &BTreeMap<String, String>) -> Result<Option<Tls>, String> {
    let given = |name: &str| parameters.get(name).filter(|v| !v.is_empty());
    let flag =
        |name: &str| given(name).is_some_and(|v| matches!(v.to_lowercase().as_str(), "true" | "1" | "yes"));
    if flag("ssl_disabled") || !parameters.keys().any(|k| k.starts_with("ssl")) {
        return Ok(None);
    }
    let identity = match (given("ssl_cert"), given("ssl_key")) {
        (Some(cert), Some(key)) => Some((PathBuf::from(cert), PathBuf::from(key))),
        (None, None) => None,
        _ => return Err("ssl_cert and ssl_key belong together; one of them is missing".into()),
    };
    let ca = given("ssl_ca").map(PathBuf::from);
    if ca.is_none() && (flag("ssl_verify_cert") || flag("ssl_verify_identity")) {
        return Err(
            "ssl_verify_cert and ssl_verify_identity need ssl_ca=FILE, the authority to believe".into()
        );
    }
    Ok(Some(Tls { ca, identity, verify_name: flag("ssl_verify_identity") }))
}

/// `%40` as `@`; what is no escape stays as it is. A `+` stands for itself, as in SQLAlchemy's passwords.
fn percent(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let escaped = (bytes[at] == b'%')
            .then(|| text.get(at + 1..at + 3).and_then(|hex| u8::from_str_radix(hex, 16).ok()))
            .flatten();
        out.push(escaped.unwrap_or(bytes[at]));
        at += if escaped.is_some() { 3 } else { 1 };
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maria(url: &str) -> Server {
        match parse(url) {
            Ok(Place::Maria(server)) => *server,
            other => panic!("{url}: {other:?}"),
        }
    }

    #[test]
    fn urls_of_guides_and_of_today() {
        let plain = maria("mysql://neutron:NEUTRON_DBPASS@controller/neutron");
        assert_eq!((plain.host.as_str(), plain.port, plain.charset.as_str()), ("controller", 3306, "utf8"));
        assert_eq!(plain.password.as_deref(), Some("NEUTRON_DBPASS"));
        for scheme in ["mysql+pymysql", "mysql+mysqldb", "mariadb+mysqlconnector"] {
            assert_eq!(maria(&format!("{scheme}://neutron:NEUTRON_DBPASS@controller/neutron")), plain);
        }
        let odd = maria("mysql+pymysql://n%40n:p%2Fa%3As@s+w%25@[::1]:13306/neutron?charset=UTF8MB4");
        assert_eq!(odd.user.as_deref(), Some("n@n"));
        assert_eq!(odd.password.as_deref(), Some("p/a:s@s+w%"));
        assert_eq!((odd.host.as_str(), odd.port, odd.charset.as_str()), ("::1", 13306, "utf8mb4"));
        assert_eq!(odd.to_string(), "mysql://n@n@::1:13306/neutron", "no password in a log");
        let local = maria("mysql://root@localhost/neutron?unix_socket=/run/mysqld/mysqld.sock");
        assert_eq!((local.password, local.socket.as_deref()), (None, Some("/run/mysqld/mysqld.sock")));
        assert_eq!(parse("sqlite:////var/lib/n.sqlite"), Ok(Place::Lite("/var/lib/n.sqlite".into())));
    }

    #[test]
    fn tls_parameters() {
        assert_eq!(maria("mysql://h/d").tls, None);
        let checked = maria("mysql+pymysql://h/d?charset=utf8&ssl_ca=/etc/ca.pem&ssl_verify_identity=true");
        assert_eq!(
            checked.tls,
            Some(Tls { ca: Some("/etc/ca.pem".into()), identity: None, verify_name: true })
        );
        let own = maria("mysql://h/d?ssl_ca=/ca&ssl_cert=/c&ssl_key=/k");
        assert_eq!(own.tls.unwrap().identity, Some(("/c".into(), "/k".into())));
    }

    #[test]
    fn refusals_say_what_to_write() {
        for (url, words) in [
            ("neutron", "this is no URL"),
            ("sqlite://", "in memory"),
            ("postgresql+psycopg2://h/d", "no driver for postgresql+psycopg2"),
            ("mysql://u:secret@h", "names no database"),
            ("mysql://u:secret@h:x/d", "the port \"x\""),
            ("mysql://u:secret@h/d?charset=latin1", "charset=latin1"),
            ("mysql://u:secret@h/d?ssl_cert=/c", "belong together"),
            ("mysql://u:secret@h/d?ssl_verify_cert=true", "need ssl_ca"),
        ] {
            let refused = parse(url).unwrap_err();
            assert!(refused.contains(words) && !refused.contains("secret"), "{url}: {refused}");
        }
    }
}
