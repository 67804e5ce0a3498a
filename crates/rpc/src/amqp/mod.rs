//! The transport over RabbitMQ.
//!
//! A process has two connections. One consumes: every listener and the one queue of replies have a channel of
//! their own on it (`consume.rs`, `pump.rs`). One publishes: what is to be sent waits in a bounded queue, so that
//! nobody waits for the broker (`publish.rs`). Each is kept by a task that connects again when it breaks.

mod connect;
mod consume;
mod pending;
mod publish;
mod pump;
mod topology;

use crate::dispatch::Endpoint;
use crate::options::Settings;
use crate::wire::{self, Leaving};
use crate::{Error, Outbound, Status};
use connect::Dialer;
use pending::{Outcome, Pending};
use publish::{Outgoing, Purpose};
use serde_json::Value;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, timeout_at};

/// Messages that wait for the broker or for its word that it has them.
const WAITING_MAX: usize = 20_000;
/// Bytes of the casts among them.
const WAITING_BYTES_MAX: usize = 64 << 20;

/// The transport. Cloning shares it.
#[derive(Clone)]
pub(crate) struct Amqp(Arc<Inner>);

/// Who consumes.
#[derive(Clone)]
enum Audience {
    /// We, for answers to our calls.
    Replies,
    /// A server of a topic.
    Topic {
        topic: String,
        server: String,
        fanout_queue: String,
        endpoints: Arc<[Arc<dyn Endpoint>]>,
        latest: Arc<pump::Latest>,
    },
}

/// A place where we consume.
#[derive(Clone)]
struct Seat {
    id: usize,
    audience: Audience,
}

struct Inner {
    settings: Settings,
    seats: Mutex<Vec<Seat>>,
    /// The seats have changed.
    reseat: Notify,
    /// A broker let one of the connections in: the other need not wait.
    reached: Notify,
    pending: Pending,
    /// The queue of answers to our calls.
    reply_queue: String,
    outgoing: mpsc::Sender<Outgoing>,
    /// The other end, until the task takes it.
    departures: Mutex<Option<mpsc::Receiver<Outgoing>>>,
    /// Messages that have not been settled, and the bytes of the casts among them.
    unsettled: Arc<AtomicUsize>,
    /// Messages so far, and those of them that the broker has or that were given up.
    given: AtomicU64,
    settled: Arc<AtomicU64>,
    waiting_bytes: Arc<AtomicUsize>,
    status: watch::Sender<Status>,
    closing: watch::Sender<bool>,
    started: AtomicBool,
}

/// A place at a topic; dropping it stops listening.
pub(crate) struct Seated {
    id: usize,
    inner: Arc<Inner>,
}

impl Drop for Seated {
    fn drop(&mut self) {
        self.inner.seats().retain(|seat| seat.id != self.id);
        self.inner.reseat.notify_one();
    }
}

/// The reply queue's place has this number.
const REPLIES: usize = 0;
static NEXT_ID: AtomicUsize = AtomicUsize::new(REPLIES + 1);

/// 32 hexadecimal digits, as oslo.messaging makes its ids.
pub(crate) fn unique() -> String {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid().simple().to_string()
}

/// Waits until the transport is closed.
async fn closed(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

impl Inner {
    fn seats(&self) -> MutexGuard<'_, Vec<Seat>> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, seat: Seat) {
        let mut seats = self.seats();
        if seats.iter().any(|old| old.id == seat.id) {
            return;
        }
        seats.push(seat);
        // Calls made from here on wait until this one listens, too.
        self.change(|status| status.up = false);
        drop(seats);
        self.reseat.notify_one();
    }

    /// A dialer that tells how it gets on.
    fn dialer(&self, purpose: &'static str) -> Dialer<'_> {
        Dialer::new(&self.settings, purpose, &self.reached)
    }

    /// Changes the status; whoever watches hears of it when it is another one.
    fn change(&self, change: impl FnOnce(&mut Status)) {
        self.status.send_if_modified(|status| {
            let before = status.clone();
            change(status);
            *status != before
        });
    }
}

impl Amqp {
    pub(crate) fn new(settings: Settings) -> Amqp {
        let (outgoing, departures) = mpsc::channel(WAITING_MAX);
        Amqp(Arc::new(Inner {
            settings,
            seats: Mutex::default(),
            reseat: Notify::new(),
            reached: Notify::new(),
            pending: Pending::default(),
            reply_queue: format!("reply_{}", unique()),
            outgoing,
            departures: Mutex::new(Some(departures)),
            unsettled: Arc::default(),
            given: AtomicU64::new(0),
            settled: Arc::default(),
            waiting_bytes: Arc::default(),
            status: watch::Sender::default(),
            closing: watch::Sender::default(),
            started: AtomicBool::new(false),
        }))
    }

    pub(crate) fn response_timeout(&self) -> Duration {
        self.0.settings.response_timeout
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Status> {
        self.0.status.subscribe()
    }

    /// The tasks start with the first use: configurations are read before there is a runtime.
    fn start(&self) {
        if self.0.started.swap(true, Ordering::AcqRel) {
            return;
        }
        let departures = self.0.departures.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(departures) = departures {
            tokio::spawn(publish::run(self.0.clone(), departures));
            tokio::spawn(consume::run(self.0.clone()));
        }
    }

    pub(crate) fn listen(&self, topic: &str, server: &str, endpoints: Vec<Arc<dyn Endpoint>>) -> Seated {
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        let (topic, server) = (topic.to_string(), server.to_string());
        let fanout_queue = format!("{topic}_fanout_{}", unique());
        let (endpoints, latest) = (endpoints.into(), Arc::default());
        let audience = Audience::Topic { topic, server, fanout_queue, endpoints, latest };
        self.0.add(Seat { id, audience });
        self.start();
        Seated { id, inner: self.0.clone() }
    }

    pub(crate) async fn call(&self, request: Outbound<'_>, timeout: Duration) -> Result<Value, Error> {
        let deadline = Instant::now() + timeout;
        let inner = &self.0;
        inner.add(Seat { id: REPLIES, audience: Audience::Replies });
        self.start();
        let mut status = inner.status.subscribe();
        let up = async { status.wait_for(|status| status.up).await.is_ok() };
        if !timeout_at(deadline, up).await.unwrap_or(false) {
            return Err(request.unreachable(self.trouble()));
        }
        let msg_id = unique();
        let mut waiting = inner.pending.add(&msg_id);
        let body = self.body(&request, Some((&msg_id, &inner.reply_queue)));
        let (exchange, key) = topology::route(&inner.settings.shape, request.target);
        let purpose = Purpose::Call { msg_id, deadline };
        let outgoing = Outgoing::new(inner, Some(exchange), key, body, purpose);
        if inner.outgoing.try_send(outgoing).is_err() {
            return Err(request.unreachable(self.trouble()));
        }
        match timeout_at(deadline, &mut waiting.outcome).await {
            Ok(Ok(Outcome::Answer(answer))) => answer.map_err(Error::Remote),
            Ok(_) => {
                Err(request.unreachable("the broker lost it, or its answer, as it was restarted".into()))
            }
            Err(_) if waiting.taken() => Err(request.timed_out(timeout)),
            Err(_) => Err(request.unreachable(self.trouble())),
        }
    }

    pub(crate) fn cast(&self, request: &Outbound<'_>) -> Result<(), Error> {
        let inner = &self.0;
        self.start();
        let body = self.body(request, None);
        let (exchange, key) = topology::route(&inner.settings.shape, request.target);
        let full = inner.waiting_bytes.load(Ordering::Relaxed).saturating_add(body.len()) > WAITING_BYTES_MAX;
        let outgoing = Outgoing::new(inner, Some(exchange), key, body, Purpose::Cast);
        if full || inner.outgoing.try_send(outgoing).is_err() {
            inner.change(|status| status.dropped += 1);
            return Err(request.unreachable(format!("too many messages wait already: {}", self.trouble())));
        }
        Ok(())
    }

    pub(crate) fn given(&self) -> u64 {
        self.0.given.load(Ordering::Acquire)
    }

    pub(crate) fn settled(&self) -> u64 {
        self.0.settled.load(Ordering::Acquire)
    }

    fn body(&self, request: &Outbound<'_>, reply_to: Option<(&str, &str)>) -> Vec<u8> {
        wire::request(&Leaving {
            method: request.method,
            version: request.version,
            namespace: request.namespace,
            args: &request.args,
            context: request.context,
            unique_id: &unique(),
            reply_to,
        })
    }

    /// Why nothing gets through, in words.
    fn trouble(&self) -> String {
        let status = self.0.status.borrow();
        let blocked = || status.blocked.as_ref().map(|why| format!("the broker takes no messages: {why}"));
        let trouble = status.trouble.clone().or_else(blocked);
        trouble.unwrap_or_else(|| "the broker did not take it in time".into())
    }

    pub(crate) async fn close(&self, patience: Duration) {
        let inner = &self.0;
        if !inner.started.load(Ordering::Acquire) {
            return;
        }
        let deadline = Instant::now() + patience;
        while inner.unsettled.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        inner.seats().clear();
        inner.closing.send_replace(true);
        // Both tasks hold a subscription for as long as they run.
        let _ =
            timeout_at(deadline.max(Instant::now() + Duration::from_secs(1)), inner.closing.closed()).await;
    }
}
