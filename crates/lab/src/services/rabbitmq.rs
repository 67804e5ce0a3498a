//! RabbitMQ: a node of its own name, with a name server (epmd) of its own.

use std::io::{Read, Write};
use std::net::Ipv4Addr;
use std::time::Duration;

use super::Services;
use crate::daemon::Daemon;

/// Debian's start script; the one in the path would change the user.
const PROGRAM: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
/// A client's first words, AMQP 0-9-1.
const HELLO: &[u8] = b"AMQP\x00\x00\x09\x01";
/// The first octet of a broker's answer: a frame that carries a method.
const METHOD_FRAME: u8 = 1;
/// How long the broker may take for it.
const ANSWER_MAX: Duration = Duration::from_secs(2);

impl Services {
    /// Starts it on the data there is.
    ///
    /// # Errors
    /// The host cannot be entered.
    pub fn rabbitmq_start(&self) -> Result<(), String> {
        let folder = self.folder("rabbitmq")?;
        let file = |name: &str| folder.join(name).display().to_string();
        let (user, password) = &self.setup.rabbitmq_user;
        let (ports, [authority, certificate, key]) = (self.setup.ports, self.tls_files());
        self.write(
            &folder.join("rabbitmq.conf"),
            &format!(
                "listeners.tcp.default = {bind}:{}\nlisteners.ssl.default = {bind}:{}\n\
                 ssl_options.cacertfile = {authority}\nssl_options.certfile = {certificate}\n\
                 ssl_options.keyfile = {key}\nssl_options.verify = verify_peer\n\
                 ssl_options.fail_if_no_peer_cert = false\ndefault_user = {user}\ndefault_pass = {password}\n\
                 loopback_users = none\nlog.console = false\ndisk_free_limit.absolute = 50MB\n",
                ports.rabbitmq,
                ports.rabbitmq_tls,
                bind = self.setup.bind,
            ),
        )?;
        self.write(&folder.join("enabled_plugins"), "[].\n")?;
        self.write(&folder.join("env.conf"), "")?;
        let daemon = Daemon::new("rabbitmq", &[PROGRAM])
            // Then the number of the script stays that of the broker, and it takes signals itself.
            .env("RUNNING_UNDER_SYSTEMD", "true")
            .env("HOME", &file(""))
            .env("RABBITMQ_NODENAME", &format!("lab{}@localhost", ports.rabbitmq))
            .env("RABBITMQ_CONF_ENV_FILE", &file("env.conf"))
            .env("RABBITMQ_CONFIG_FILE", &file("rabbitmq.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", &file("enabled_plugins"))
            .env("RABBITMQ_MNESIA_BASE", &file("mnesia"))
            .env("RABBITMQ_LOG_BASE", &file("log"))
            .env("RABBITMQ_PID_FILE", &file("pid"))
            .env("ERL_EPMD_PORT", &ports.epmd.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_DIST_PORT", &ports.distribution.to_string())
            // Erlang's threads would spin while they wait, on cores that others need.
            .env(
                "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS",
                "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
            );
        self.daemon(&daemon)
    }

    /// Waits until it speaks AMQP.
    ///
    /// # Errors
    /// It does not.
    pub fn rabbitmq_wait(&self) -> Result<(), String> {
        self.wait("rabbitmq", || self.answers_amqp())
    }

    fn answers_amqp(&self) -> Result<(), String> {
        let greet = || {
            let mut stream = self.host.connect((Ipv4Addr::LOCALHOST, self.setup.ports.rabbitmq).into())?;
            stream.set_read_timeout(Some(ANSWER_MAX))?;
            stream.write_all(HELLO)?;
            let mut first = [0];
            stream.read_exact(&mut first)?;
            Ok::<u8, std::io::Error>(first[0])
        };
        match greet() {
            Ok(METHOD_FRAME) => Ok(()),
            Ok(other) => Err(format!("it answers with a frame of type {other}")),
            Err(error) => Err(error.to_string()),
        }
    }
}
