//! The rim of OVSDB: a connection that is kept, with a copy of the monitored tables.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value as Json, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt, ReadHalf, WriteHalf};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::Malformed;
use super::message::{Message, Splitter};
use super::replica::{Replica, Watch, monitor_params};
use super::schema::Schema;
use super::transaction::{Outcome, Refused, Transaction};
use crate::remote::{Remote, Stream};

/// Bytes read at once.
const READ_BYTES: usize = 64 * 1024;
/// Calls that may wait for the connection's task.
const CALLS_MAX: usize = 64;
/// The first pause before connecting again; each failure doubles it.
const BACKOFF_MIN: Duration = Duration::from_millis(100);
/// Our name for the one monitor of a connection.
const MONITOR: &str = "neutron";

/// What to connect to and to watch.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The server.
    pub remote: Remote,
    /// `Open_vSwitch`
    pub database: String,
    /// What the copy has.
    pub watches: Vec<Watch>,
    /// After how much silence the server is asked whether it lives; as long again, and it does not.
    pub inactivity_probe: Duration,
    /// Longest pause before connecting again.
    pub backoff_max: Duration,
}

/// What is known of the database.
#[derive(Debug, Clone, Default)]
pub struct State {
    /// Whether the copy is kept up now.
    pub connected: bool,
    /// Counts the connections that brought a whole copy.
    pub connections: u64,
    /// Its columns.
    pub schema: Arc<Schema>,
    /// The copy; after a lost connection what it was then.
    pub replica: Replica,
}

/// Why the database did not do something.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ClientError {
    /// It refused a transaction.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// It refused a call.
    #[error("Open vSwitch's database refused {method}: {error}")]
    Call {
        /// The call.
        method: &'static str,
        /// Its words.
        error: String,
    },
    /// There is no connection, or it was lost before the answer came.
    #[error("Open vSwitch's database {remote} is not connected: is ovsdb-server running?")]
    Disconnected {
        /// The address.
        remote: String,
    },
    /// It did not come to be in time.
    #[error("Open vSwitch did not get there within {seconds} s: {what}")]
    Late {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// It speaks otherwise.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The connection failed.
    #[error("Open vSwitch's database {remote}: {error}")]
    Io {
        /// The address.
        remote: String,
        /// The system's words.
        error: String,
    },
}

struct Call {
    method: &'static str,
    params: Json,
    reply: oneshot::Sender<Result<Json, ClientError>>,
}

/// A connection that is kept. Dropping it ends it.
#[derive(Debug)]
pub struct Client {
    calls: mpsc::Sender<Call>,
    state: watch::Receiver<Arc<State>>,
    remote: String,
    database: String,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Client {
    /// Starts connecting; see [`Client::ready`].
    #[must_use]
    pub fn start(settings: Settings) -> Client {
        let (calls, queue) = mpsc::channel(CALLS_MAX);
        let (publish, state) = watch::channel(Arc::new(State::default()));
        let (remote, database) = (settings.remote.to_string(), settings.database.clone());
        let task = tokio::spawn(keep(settings, queue, publish));
        Client { calls, state, remote, database, task }
    }

    /// What is known now.
    #[must_use]
    pub fn state(&self) -> Arc<State> {
        self.state.borrow().clone()
    }

    /// A view of what is known that can be waited on.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<State>> {
        self.state.clone()
    }

    /// Waits for the first whole copy.
    ///
    /// # Errors
    /// When it does not come within `patience`.
    pub async fn ready(&self, patience: Duration) -> Result<Arc<State>, ClientError> {
        let what = format!("a connection to {}", self.remote);
        self.until(&what, patience, |state| state.connected).await
    }

    /// Waits until `test` says yes.
    ///
    /// # Errors
    /// When it does not within `patience`; `what` says what was hoped for.
    pub async fn until(
        &self,
        what: &str,
        patience: Duration,
        mut test: impl FnMut(&State) -> bool,
    ) -> Result<Arc<State>, ClientError> {
        let mut watch = self.state.clone();
        match timeout(patience, watch.wait_for(|state| test(state))).await {
            Ok(Ok(state)) => Ok(state.clone()),
            Ok(Err(_)) => Err(self.disconnected()),
            Err(_) => Err(ClientError::Late { what: what.to_owned(), seconds: patience.as_secs() }),
        }
    }

    /// Does a transaction. The copy shows it when this comes back.
    ///
    /// # Errors
    /// When it is refused; when the connection is lost nobody knows whether it was done.
    pub async fn transact(&self, transaction: &Transaction) -> Result<Vec<Outcome>, ClientError> {
        let answer = self.call("transact", transaction.params(&self.database)).await?;
        Ok(transaction.outcomes(&answer)?)
    }

    /// Calls a method.
    ///
    /// # Errors
    /// When it is refused or the connection lost.
    pub async fn call(&self, method: &'static str, params: Json) -> Result<Json, ClientError> {
        if !self.state.borrow().connected {
            return Err(self.disconnected());
        }
        let (reply, answer) = oneshot::channel();
        self.calls.send(Call { method, params, reply }).await.map_err(|_| self.disconnected())?;
        answer.await.map_err(|_| self.disconnected())?
    }

    fn disconnected(&self) -> ClientError {
        ClientError::Disconnected { remote: self.remote.clone() }
    }
}

/// Connects, and connects again.
async fn keep(settings: Settings, mut calls: mpsc::Receiver<Call>, publish: watch::Sender<Arc<State>>) {
    let mut backoff = BACKOFF_MIN;
    loop {
        let before = publish.borrow().connections;
        let error = session(&settings, &mut calls, &publish).await;
        publish.send_modify(|state| Arc::make_mut(state).connected = false);
        if publish.borrow().connections > before {
            backoff = BACKOFF_MIN;
        }
        let pause = format_args!("{backoff:?}").to_string();
        tracing::warn!(%error, pause, "connection to Open vSwitch's database lost; trying again in {pause}");
        // Calls that came too late get no answer: their senders see the end of the channel.
        while calls.try_recv().is_ok() {}
        sleep(backoff).await;
        backoff = (backoff * 2).min(settings.backoff_max.max(BACKOFF_MIN));
    }
}

/// One connection, until it fails; that it ends is always an error.
async fn session(
    settings: &Settings,
    calls: &mut mpsc::Receiver<Call>,
    publish: &watch::Sender<Arc<State>>,
) -> ClientError {
    let stream = match timeout(settings.inactivity_probe, settings.remote.connect()).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return io(settings, &error),
        Err(_) => return ClientError::Disconnected { remote: settings.remote.to_string() },
    };
    let (read, write) = tokio::io::split(stream);
    let mut session = Session {
        settings,
        read,
        write,
        splitter: Splitter::default(),
        buffer: vec![0; READ_BYTES],
        heard: Instant::now(),
        probed: false,
        last_id: 0,
        waiting: BTreeMap::new(),
    };
    let outcome = async {
        let state = session.look().await?;
        publish.send_modify(|now| {
            let connections = now.connections + 1;
            *now = Arc::new(State { connections, ..state });
        });
        session.serve(calls, publish).await
    };
    match outcome.await {
        Err(error) => error,
        Ok(never) => match never {},
    }
}

fn io(settings: &Settings, error: &std::io::Error) -> ClientError {
    ClientError::Io { remote: settings.remote.to_string(), error: error.to_string() }
}

type Reply = (&'static str, oneshot::Sender<Result<Json, ClientError>>);

struct Session<'a> {
    settings: &'a Settings,
    read: ReadHalf<Box<dyn Stream>>,
    write: WriteHalf<Box<dyn Stream>>,
    splitter: Splitter,
    buffer: Vec<u8>,
    heard: Instant,
    probed: bool,
    last_id: u64,
    waiting: BTreeMap<u64, Reply>,
}

impl Session<'_> {
    /// The schema and the first copy.
    async fn look(&mut self) -> Result<State, ClientError> {
        let database = &self.settings.database;
        let schema = Arc::new(Schema::read(&self.ask("get_schema", json!([database])).await?)?);
        let params = monitor_params(database, MONITOR, &self.settings.watches, &schema);
        let mut replica = Replica::default();
        match self.ask("monitor_cond", params.clone()).await {
            Ok(rows) => replica.update2(&rows, &schema)?,
            // Servers before 2.6 know only what the RFC says.
            Err(ClientError::Call { .. }) => replica.update(&self.ask("monitor", params).await?)?,
            Err(error) => return Err(error),
        }
        Ok(State { connected: true, connections: 0, schema, replica })
    }

    /// Asks while nothing else goes on.
    async fn ask(&mut self, method: &'static str, params: Json) -> Result<Json, ClientError> {
        self.last_id += 1;
        let id = self.last_id;
        self.send(&Message::request(id, method, params)).await?;
        loop {
            match self.receive().await? {
                Message::Response { id: of, result } if of == json!(id) => {
                    return result.map_err(|error| refused(method, &error));
                }
                Message::Request { id, method, params } => self.answer(id, &method, params).await?,
                Message::Response { .. } | Message::Notification { .. } => {}
            }
        }
    }

    /// Calls go out, answers and updates come in.
    async fn serve(
        &mut self,
        calls: &mut mpsc::Receiver<Call>,
        publish: &watch::Sender<Arc<State>>,
    ) -> Result<std::convert::Infallible, ClientError> {
        loop {
            let message = tokio::select! {
                message = self.receive() => message?,
                call = calls.recv() => {
                    let Some(Call { method, params, reply }) = call else {
                        return std::future::pending().await;
                    };
                    self.last_id += 1;
                    self.waiting.insert(self.last_id, (method, reply));
                    self.send(&Message::request(self.last_id, method, params)).await?;
                    continue;
                }
            };
            match message {
                Message::Request { id, method, params } => self.answer(id, &method, params).await?,
                Message::Response { id, result } => {
                    let waiting = id.as_u64().and_then(|id| self.waiting.remove(&id));
                    if let Some((method, reply)) = waiting {
                        _ = reply.send(result.map_err(|error| refused(method, &error)));
                    }
                }
                Message::Notification { method, params } => take_in(&method, &params, publish)?,
            }
        }
    }

    /// The only request a server makes is the question whether we live.
    async fn answer(&mut self, id: Json, method: &str, params: Json) -> Result<(), ClientError> {
        let result = if method == "echo" { Ok(params) } else { Err(json!("unknown method")) };
        self.send(&Message::Response { id, result }).await
    }

    async fn send(&mut self, message: &Message) -> Result<(), ClientError> {
        let text = message.json().to_string();
        self.write.write_all(text.as_bytes()).await.map_err(|error| io(self.settings, &error))
    }

    /// The next message; asks for a sign of life when it is long in coming. May be dropped at any await:
    /// what was read is kept.
    async fn receive(&mut self) -> Result<Message, ClientError> {
        loop {
            if let Some(text) = self.splitter.next_text()? {
                return Ok(Message::read(&text)?);
            }
            let deadline = self.heard + self.settings.inactivity_probe * if self.probed { 2 } else { 1 };
            match timeout_at(deadline, self.read.read(&mut self.buffer)).await {
                Ok(Ok(0)) => {
                    return Err(ClientError::Disconnected { remote: self.settings.remote.to_string() });
                }
                Ok(Ok(count)) => {
                    self.splitter.feed(self.buffer.get(..count).unwrap_or_default());
                    self.heard = Instant::now();
                    self.probed = false;
                }
                Ok(Err(error)) => return Err(io(self.settings, &error)),
                Err(_) if self.probed => {
                    let what = format!("a sign of life from {}", self.settings.remote);
                    return Err(ClientError::Late {
                        what,
                        seconds: self.settings.inactivity_probe.as_secs(),
                    });
                }
                Err(_) => {
                    self.probed = true;
                    let echo =
                        Message::Request { id: json!("echo"), method: "echo".into(), params: json!([]) };
                    self.send(&echo).await?;
                }
            }
        }
    }
}

fn refused(method: &'static str, error: &Json) -> ClientError {
    ClientError::Call { method, error: error.to_string() }
}

/// An update of the copy.
fn take_in(method: &str, params: &Json, publish: &watch::Sender<Arc<State>>) -> Result<(), ClientError> {
    let updates = params.get(1).ok_or_else(|| Malformed::new("a notification", params));
    let mut outcome = Ok(());
    match method {
        "update" => {
            let updates = updates?;
            publish.send_modify(|state| outcome = Arc::make_mut(state).replica.update(updates));
        }
        "update2" => {
            let updates = updates?;
            publish.send_modify(|state| {
                let state = Arc::make_mut(state);
                outcome = state.replica.update2(updates, &state.schema);
            });
        }
        other => tracing::debug!(method = other, "notification passed over"),
    }
    Ok(outcome?)
}
