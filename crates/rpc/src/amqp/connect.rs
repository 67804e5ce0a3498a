//! Connections to the brokers: one after the other, again and again, with TLS where it is asked for.

use crate::options::{Login, Settings, TlsFiles};
use crate::url::Broker;
use lapin::tcp::{OwnedIdentity, OwnedTLSConfig};
use lapin::uri::{AMQPAuthority, AMQPQueryString, AMQPScheme, AMQPUri, AMQPUserInfo, SASLMechanism};
use lapin::{Connection, ConnectionProperties};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::timeout;

/// How long one broker may take to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// The longest frame that we agree to; messages of any length travel in several. Each connection keeps room for 32 of them in
/// each direction: 8 MiB with the 128 KiB that brokers offer. RabbitMQ 4.1 takes no less than 8 KiB.
const FRAME_BYTES_MAX: u32 = 8 << 10;

/// Connects for one purpose, and remembers where it got to.
pub(super) struct Dialer<'a> {
    settings: &'a Settings,
    /// What the connection is for; part of its name at the broker.
    purpose: &'static str,
    /// The brokers, in the order in which this process tries them.
    order: Vec<&'a Broker>,
    next: usize,
    /// Rung when a broker lets a connection of this process in.
    reached: &'a Notify,
}

impl<'a> Dialer<'a> {
    pub(super) fn new(settings: &'a Settings, purpose: &'static str, reached: &'a Notify) -> Dialer<'a> {
        let mut order: Vec<&Broker> = settings.brokers.iter().collect();
        shuffle(&mut order);
        Dialer { settings, purpose, order, next: 0, reached }
    }

    /// Tries all brokers in turn, waits, tries again, until one lets us in. What went wrong is reported each
    /// time. Returns the connection and its broker.
    pub(super) async fn connect(&mut self, report: impl Fn(&str)) -> (Connection, String) {
        let mut attempt = 0;
        loop {
            let mut trouble = String::new();
            for _ in 0..self.order.len() {
                let Some(broker) = self.order.get(self.next % self.order.len()) else { continue };
                self.next = self.next.wrapping_add(1);
                match timeout(CONNECT_TIMEOUT, open(self.settings, broker, self.purpose)).await {
                    Ok(Ok(connection)) => {
                        self.reached.notify_waiters();
                        return (connection, broker.place());
                    }
                    Ok(Err(e)) => trouble = format!("RabbitMQ at {}: {e}", broker.place()),
                    Err(_) => {
                        let seconds = CONNECT_TIMEOUT.as_secs();
                        trouble = format!("RabbitMQ at {}: no answer within {seconds} s", broker.place());
                    }
                }
                report(&trouble);
            }
            let wait = self.settings.retry.wait(attempt, rand::random());
            tracing::error!(
                "cannot connect to {trouble} (trying again in {:.1} s; see transport_url)",
                wait.as_secs_f64()
            );
            attempt = attempt.saturating_add(1);
            // Where the other connection got in, this one does.
            let _ = timeout(wait, self.reached.notified()).await;
            if self.settings.retry.shuffle {
                shuffle(&mut self.order);
            }
        }
    }
}

/// The brokers of a cluster should have equally many of us.
fn shuffle(order: &mut [&Broker]) {
    use rand::seq::SliceRandom;
    order.shuffle(&mut rand::rng());
}

async fn open(settings: &Settings, broker: &Broker, purpose: &str) -> Result<Connection, String> {
    let mechanism = match settings.login {
        Login::AmqPlain => SASLMechanism::AMQPlain,
        Login::Plain => SASLMechanism::Plain,
        Login::External => SASLMechanism::External,
    };
    let uri = AMQPUri {
        scheme: if settings.tls.is_some() { AMQPScheme::AMQPS } else { AMQPScheme::AMQP },
        authority: AMQPAuthority {
            userinfo: AMQPUserInfo { username: broker.user.clone(), password: broker.password.clone() },
            host: broker.host.clone(),
            port: broker.port,
        },
        vhost: settings.virtual_host.clone(),
        query: AMQPQueryString {
            heartbeat: Some(settings.heartbeat_s),
            auth_mechanism: Some(mechanism),
            frame_max: Some(FRAME_BYTES_MAX),
            ..AMQPQueryString::default()
        },
    };
    let name = format!("{}:{}:{purpose}:{}", program(), std::process::id(), super::unique());
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let tls = match &settings.tls {
        Some(files) => read(files).await?,
        None => OwnedTLSConfig::default(),
    };
    let runtime = lapin::runtime::default_runtime().map_err(|e| e.to_string())?;
    Connection::connect_uri_with_config(uri, properties, tls, runtime).await.map_err(|e| words(&e))
}

/// What the broker or the network said, without the layers around it.
pub(super) fn words(error: &lapin::Error) -> String {
    match error.kind() {
        lapin::ErrorKind::ProtocolError(e) => e.get_message().to_string(),
        lapin::ErrorKind::IOError(e) => match e.to_string() {
            text if text.contains("UnknownIssuer") => {
                format!("{text}; name the authority that signed it in [oslo_messaging_rabbit] ssl_ca_file")
            }
            text => text,
        },
        _ => error.to_string(),
    }
}

/// The files of TLS, read for each connection: certificates are renewed while we run.
async fn read(files: &TlsFiles) -> Result<OwnedTLSConfig, String> {
    let read = async |path: &Path, option: &str| {
        tokio::fs::read(path).await.map_err(|e| format!("{option} = {}: {e}", path.display()))
    };
    // Authorities of the operator's own stand in the system's file.
    let system = || oslo::tls::system_file().map(PathBuf::from);
    let cert_chain = match files.authorities.clone().or_else(system) {
        Some(path) => {
            let bytes = read(&path, "ssl_ca_file").await?;
            Some(String::from_utf8(bytes).map_err(|_| format!("ssl_ca_file = {}: no PEM", path.display()))?)
        }
        None => None,
    };
    let identity = match (&files.certificate, &files.key) {
        (Some(certificate), Some(key)) => Some(OwnedIdentity::PKCS8 {
            pem: read(certificate, "ssl_cert_file").await?,
            key: read(key, "ssl_key_file").await?,
        }),
        (None, None) => None,
        _ => return Err("ssl_cert_file and ssl_key_file belong together: set both or neither".into()),
    };
    Ok(OwnedTLSConfig { identity, cert_chain })
}

/// The name that this program was called by.
fn program() -> String {
    let path = std::env::args_os().next().unwrap_or_default();
    Path::new(&path).file_name().unwrap_or_default().to_string_lossy().into_owned()
}
