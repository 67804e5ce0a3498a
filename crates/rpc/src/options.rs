//! Options of oslo.messaging, and what they come to: which brokers, how to log in, how to declare.

use crate::url::{Broker, Url};
use oslo::config::{Config, Gravity, Opt, Problem};
use std::path::PathBuf;
use std::time::Duration;

oslo::options! {
    /// How messages travel.
    pub struct MessagingOptions in "DEFAULT" {
        /// The broker: rabbit://user:password@host:port[,user:password@host2:port]/virtual_host?option=value.
        /// Characters other than letters, digits and -._~ in user, password and virtual host are written as %nn.
        /// Where it is missing, the older rabbit_* options say where the broker is.
        transport_url: Option<String> = None;
        /// The messaging driver of old files, where transport_url is missing: rabbit, or the name of a module that
        /// means it.
        rpc_backend: Option<String> = None;
        /// The topic exchange of all requests.
        control_exchange: String = "neutron".into();
        /// Seconds to wait for the answer to a call.
        rpc_response_timeout: u64 = 60;
        /// How many messages a listener works on at once.
        executor_thread_pool_size: usize = 64, was [("DEFAULT", "rpc_thread_pool_size")];
    }
}

oslo::options! {
    /// How RabbitMQ is spoken to. Each can stand behind a question mark in transport_url, too.
    pub struct RabbitOptions in "oslo_messaging_rabbit" {
        /// Host of the broker, where transport_url is missing.
        rabbit_host: String = "localhost".into(), was [("DEFAULT", "rabbit_host")];
        /// Port of the broker, where transport_url is missing.
        rabbit_port: u16 = 5672, was [("DEFAULT", "rabbit_port")];
        /// Brokers of a cluster as host:port, where transport_url is missing; rabbit_host:rabbit_port if empty.
        rabbit_hosts: Vec<String> = Vec::new(), was [("DEFAULT", "rabbit_hosts")];
        /// User, where transport_url is missing.
        rabbit_userid: String = "guest".into(), was [("DEFAULT", "rabbit_userid")];
        /// Password, where transport_url is missing.
        rabbit_password: String = "guest".into(), was [("DEFAULT", "rabbit_password")];
        /// Virtual host, where transport_url is missing.
        rabbit_virtual_host: String = "/".into(), was [("DEFAULT", "rabbit_virtual_host")];
        /// How to log in: AMQPLAIN, PLAIN or EXTERNAL.
        rabbit_login_method: String = "AMQPLAIN".into(), was [("DEFAULT", "rabbit_login_method")];
        /// Whether to speak TLS.
        ssl: bool = false, was [("oslo_messaging_rabbit", "rabbit_use_ssl"), ("DEFAULT", "rabbit_use_ssl")];
        /// Certificates of the authorities that may sign the broker's, in PEM.
        ssl_ca_file: String = String::new(), was [("oslo_messaging_rabbit", "kombu_ssl_ca_certs"), ("DEFAULT", "kombu_ssl_ca_certs")];
        /// Our certificate, in PEM, for brokers that ask for one.
        ssl_cert_file: String = String::new(), was [("oslo_messaging_rabbit", "kombu_ssl_certfile"), ("DEFAULT", "kombu_ssl_certfile")];
        /// The key of our certificate, in PEM.
        ssl_key_file: String = String::new(), was [("oslo_messaging_rabbit", "kombu_ssl_keyfile"), ("DEFAULT", "kombu_ssl_keyfile")];
        /// Seconds of silence after which the broker counts as gone; 0 = never.
        heartbeat_timeout_threshold: u16 = 60;
        /// Seconds before the first try to connect again.
        rabbit_retry_interval: u64 = 1, was [("DEFAULT", "rabbit_retry_interval")];
        /// Seconds by which the wait grows with each try.
        rabbit_retry_backoff: u64 = 2, was [("DEFAULT", "rabbit_retry_backoff")];
        /// The longest wait between tries, in seconds. Upstream waits 30; the sooner a process is back, the sooner
        /// its host is up to date.
        rabbit_interval_max: u64 = 5;
        /// Seconds to wait before a listener is set up again whose queue went away.
        kombu_reconnect_delay: f64 = 1.0, was [("DEFAULT", "kombu_reconnect_delay")];
        /// Seconds, chosen at random up to this many, added to kombu_reconnect_delay.
        kombu_reconnect_splay: f64 = 0.0;
        /// Seconds during which a reply is offered again to a caller whose queue is missing.
        kombu_missing_consumer_retry_timeout: u64 = 60, was [("oslo_messaging_rabbit", "kombu_reconnect_timeout")];
        /// Which broker of several to try next: round-robin or shuffle.
        kombu_failover_strategy: String = "round-robin".into();
        /// Whether the exchange and the queues of topics outlive the broker. It must be the same everywhere.
        amqp_durable_queues: bool = false, was [("DEFAULT", "amqp_durable_queues")];
        /// Whether the exchange and the queues of topics go with their last user. It must be the same everywhere.
        amqp_auto_delete: bool = false, was [("DEFAULT", "amqp_auto_delete")];
        /// Whether to ask for queues mirrored by x-ha-policy (RabbitMQ before 3.0). It must be the same everywhere.
        rabbit_ha_queues: bool = false, was [("DEFAULT", "rabbit_ha_queues")];
        /// Whether the queues of topics are quorum queues. It must be the same everywhere.
        rabbit_quorum_queue: bool = false;
        /// Whether reply and fanout queues are quorum queues. It must be the same everywhere.
        rabbit_transient_quorum_queue: bool = false;
        /// How often a quorum queue delivers a message again; 0 = no limit.
        rabbit_quorum_delivery_limit: u32 = 0;
        /// Messages that a quorum queue keeps in memory; 0 = no limit.
        rabbit_quorum_max_memory_length: u32 = 0;
        /// Bytes that a quorum queue keeps in memory; 0 = no limit.
        rabbit_quorum_max_memory_bytes: u32 = 0;
        /// Seconds after which the broker removes reply and fanout queues that nobody reads; 0 = never.
        rabbit_transient_queues_ttl: u32 = 1800;
        /// Messages that the broker sends ahead to a listener; 0 = four for each that it works on at once.
        rabbit_qos_prefetch_count: u16 = 0;
        /// Whether the broker is asked to tell consumers of a mirrored queue that fails over.
        enable_cancel_on_failover: bool = false;
        /// Fanouts through shared streams. They are not spoken here: it must be false everywhere.
        rabbit_stream_fanout: bool = false;
    }
}

/// How exchanges and queues are declared; every process of a cloud must agree.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Shape {
    pub(crate) control_exchange: String,
    /// Exchange and queues of topics are durable.
    pub(crate) durable: bool,
    pub(crate) auto_delete: bool,
    pub(crate) ha: bool,
    pub(crate) quorum: bool,
    pub(crate) transient_quorum: bool,
    /// Arguments of quorum queues: delivery limit, length and bytes in memory; 0 = left out.
    pub(crate) quorum_limits: [(&'static str, u32); 3],
    /// Life of reply and fanout queues that nobody reads, in milliseconds; 0 = for ever.
    pub(crate) transient_ms: u32,
    pub(crate) cancel_on_failover: bool,
}

/// Files of TLS, as configured.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct TlsFiles {
    pub(crate) authorities: Option<PathBuf>,
    pub(crate) certificate: Option<PathBuf>,
    pub(crate) key: Option<PathBuf>,
}

/// How to log in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Login {
    AmqPlain,
    Plain,
    External,
}

/// When to try again.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Retry {
    pub(crate) first: Duration,
    pub(crate) step: Duration,
    pub(crate) longest: Duration,
    /// Before a listener whose queue went away is set up again.
    pub(crate) cancelled: Duration,
    pub(crate) splay: Duration,
    /// How long a reply is offered to a queue that is missing.
    pub(crate) reply: Duration,
    pub(crate) shuffle: bool,
}

impl Retry {
    /// The wait before try `attempt`, counted from 0; `dice` from 0 to 1 takes off up to a quarter, so that the
    /// hosts of a cloud do not come all at once.
    pub(crate) fn wait(&self, attempt: u32, dice: f64) -> Duration {
        let wait = self.first.saturating_add(self.step.saturating_mul(attempt)).min(self.longest);
        wait.mul_f64(1.0 - dice.clamp(0.0, 1.0) / 4.0)
    }
}

/// Everything that speaking to RabbitMQ takes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Settings {
    pub(crate) brokers: Vec<Broker>,
    pub(crate) virtual_host: String,
    pub(crate) tls: Option<TlsFiles>,
    pub(crate) login: Login,
    /// What is agreed with the broker, in seconds; it and we count as gone after twice that. 0 = none.
    pub(crate) heartbeat_s: u16,
    pub(crate) retry: Retry,
    pub(crate) shape: Shape,
    pub(crate) response_timeout: Duration,
    /// Messages that a listener works on at once.
    pub(crate) workers: usize,
    pub(crate) prefetch: u16,
}

/// All options of messaging.
pub fn declared() -> Vec<Opt> {
    [MessagingOptions::declared(), RabbitOptions::declared()].concat()
}

/// The older spellings of the one driver there is.
const RABBIT_BACKENDS: [&str; 6] = [
    "rabbit",
    "kombu",
    "neutron.openstack.common.rpc.impl_kombu",
    "oslo.messaging._drivers.impl_rabbit",
    "oslo.messaging._drivers.impl_rabbit:RabbitDriver",
    "oslo_messaging._drivers.impl_rabbit",
];

/// Options that say that the broker is meant even where transport_url is missing.
const BROKER_NAMES: [&str; 4] = ["rabbit_host", "rabbit_hosts", "rabbit_userid", "rabbit_password"];

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// A value that cannot be read or does not fit another one; no broker named at all.
    pub(crate) fn load(config: &Config) -> Result<Settings, Problem> {
        let general = MessagingOptions::load(config)?;
        let url = match &general.transport_url {
            Some(text) => {
                let url = Url::parse(text);
                Some(url.map_err(|what| problem(config, "DEFAULT", "transport_url", &what))?)
            }
            None => None,
        };
        let config = &overridden(config, url.as_ref());
        let rabbit = RabbitOptions::load(config)?;
        let wrong = |name: &str, what: &str| problem(config, "oslo_messaging_rabbit", name, what);
        let (brokers, virtual_host) = match &url {
            Some(url) => (url.brokers.clone(), url.virtual_host.clone()),
            None => (older_brokers(config, &general, &rabbit)?, rabbit.rabbit_virtual_host.clone()),
        };
        if rabbit.rabbit_stream_fanout {
            let what = "stream queues are not spoken here; set it to false in every process of the cloud";
            return Err(wrong("rabbit_stream_fanout", what));
        }
        if rabbit.rabbit_ha_queues && (rabbit.rabbit_quorum_queue || rabbit.rabbit_transient_quorum_queue) {
            let what = "a queue is either mirrored or a quorum queue; set rabbit_ha_queues = false";
            return Err(wrong("rabbit_ha_queues", what));
        }
        let login = match rabbit.rabbit_login_method.as_str() {
            "AMQPLAIN" => Login::AmqPlain,
            "PLAIN" => Login::Plain,
            "EXTERNAL" => Login::External,
            _ => return Err(wrong("rabbit_login_method", "it is one of AMQPLAIN, PLAIN, EXTERNAL")),
        };
        let shuffle = match rabbit.kombu_failover_strategy.as_str() {
            "round-robin" => false,
            "shuffle" => true,
            _ => return Err(wrong("kombu_failover_strategy", "it is one of round-robin, shuffle")),
        };
        let workers = general.executor_thread_pool_size.max(1);
        let ahead = u16::try_from(workers.saturating_mul(4)).unwrap_or(u16::MAX);
        Ok(Settings {
            brokers,
            virtual_host,
            tls: tls(&rabbit, url.as_ref()),
            login,
            // Either side counts as gone after two beats, and upstream after this one's whole length.
            heartbeat_s: match rabbit.heartbeat_timeout_threshold {
                0 => 0,
                seconds => (seconds / 2).max(1),
            },
            retry: retry(&rabbit, shuffle),
            shape: shape(&general, &rabbit),
            response_timeout: Duration::from_secs(general.rpc_response_timeout.max(1)),
            workers,
            prefetch: if rabbit.rabbit_qos_prefetch_count == 0 {
                ahead
            } else {
                rabbit.rabbit_qos_prefetch_count
            },
        })
    }
}

/// What stands behind the question mark of the URL goes before the files.
fn overridden(config: &Config, url: Option<&Url>) -> Config {
    let mut config = config.clone();
    for (name, value) in url.map(|url| url.options.as_slice()).unwrap_or_default() {
        config.set("transport_url", "oslo_messaging_rabbit", name, value);
    }
    config
}

fn tls(rabbit: &RabbitOptions, url: Option<&Url>) -> Option<TlsFiles> {
    let file = |name: &str| (!name.is_empty()).then(|| PathBuf::from(name));
    (rabbit.ssl || url.is_some_and(|url| url.tls)).then(|| TlsFiles {
        authorities: file(&rabbit.ssl_ca_file),
        certificate: file(&rabbit.ssl_cert_file),
        key: file(&rabbit.ssl_key_file),
    })
}

fn retry(rabbit: &RabbitOptions, shuffle: bool) -> Retry {
    let seconds = |s: f64| Duration::try_from_secs_f64(s).unwrap_or_default();
    Retry {
        first: Duration::from_secs(rabbit.rabbit_retry_interval),
        step: Duration::from_secs(rabbit.rabbit_retry_backoff),
        longest: Duration::from_secs(rabbit.rabbit_interval_max.max(1)),
        cancelled: seconds(rabbit.kombu_reconnect_delay),
        splay: seconds(rabbit.kombu_reconnect_splay),
        reply: Duration::from_secs(rabbit.kombu_missing_consumer_retry_timeout),
        shuffle,
    }
}

fn shape(general: &MessagingOptions, rabbit: &RabbitOptions) -> Shape {
    Shape {
        control_exchange: general.control_exchange.clone(),
        durable: rabbit.amqp_durable_queues || rabbit.rabbit_quorum_queue,
        auto_delete: rabbit.amqp_auto_delete,
        ha: rabbit.rabbit_ha_queues,
        quorum: rabbit.rabbit_quorum_queue,
        transient_quorum: rabbit.rabbit_transient_quorum_queue,
        quorum_limits: [
            ("x-delivery-limit", rabbit.rabbit_quorum_delivery_limit),
            ("x-max-in-memory-length", rabbit.rabbit_quorum_max_memory_length),
            ("x-max-in-memory-bytes", rabbit.rabbit_quorum_max_memory_bytes),
        ],
        transient_ms: rabbit.rabbit_transient_queues_ttl.saturating_mul(1000),
        cancel_on_failover: rabbit.enable_cancel_on_failover,
    }
}

/// The brokers of a file without transport_url.
fn older_brokers(
    config: &Config,
    general: &MessagingOptions,
    rabbit: &RabbitOptions,
) -> Result<Vec<Broker>, Problem> {
    if let Some(backend) = &general.rpc_backend
        && !RABBIT_BACKENDS.contains(&backend.as_str())
    {
        let what =
            "messages travel by RabbitMQ only; write transport_url = rabbit://user:password@host:5672/";
        return Err(problem(config, "DEFAULT", "rpc_backend", what));
    }
    let named = |name: &&str| config.is_set("DEFAULT", name) || config.is_set("oslo_messaging_rabbit", name);
    if general.rpc_backend.is_none() && !BROKER_NAMES.iter().any(named) {
        let what = "it is missing: server and agents meet at a RabbitMQ broker; write transport_url = \
                    rabbit://user:password@host:5672/ into the section [DEFAULT] of neutron.conf";
        return Err(problem(config, "DEFAULT", "transport_url", what));
    }
    let mut places = rabbit.rabbit_hosts.clone();
    if places.is_empty() {
        places.push(match rabbit.rabbit_host.contains(':') && !rabbit.rabbit_host.starts_with('[') {
            true => format!("[{}]:{}", rabbit.rabbit_host, rabbit.rabbit_port),
            false => format!("{}:{}", rabbit.rabbit_host, rabbit.rabbit_port),
        });
    }
    let brokers = places.iter().map(|place| {
        let (host, port) = crate::url::place(place)?;
        Ok(Broker {
            host,
            port: port.unwrap_or(rabbit.rabbit_port),
            user: rabbit.rabbit_userid.clone(),
            password: rabbit.rabbit_password.clone(),
        })
    });
    brokers
        .collect::<Result<_, String>>()
        .map_err(|what| problem(config, "oslo_messaging_rabbit", "rabbit_hosts", &what))
}

/// What is wrong with an option, with the place of its value if it has one.
fn problem(config: &Config, group: &str, name: &str, what: &str) -> Problem {
    let place = config.place(group, name).or_else(|| config.place("DEFAULT", name));
    let place = place.unwrap_or_else(|| "configuration:0".into());
    let (file, line) = place.rsplit_once(':').unwrap_or((&place, "0"));
    let text = format!("[{group}] {name}: {what}");
    Problem { gravity: Gravity::Error, file: file.into(), line: line.parse().unwrap_or(0), text }
}

#[cfg(test)]
mod tests;
