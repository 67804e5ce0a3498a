//! The publishing connection: sends what waits, in order, and knows of each message whether the broker has it.

use super::connect::words;
use super::consume::declare_exchange;
use super::topology::Exchange;
use super::{Inner, closed};
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, Event};
use std::collections::{HashMap, HashSet, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

/// Messages that are on their way to the broker at once.
const WINDOW: usize = 256;
/// When a message is offered again that found no queue.
const OFFER_AGAIN: Duration = Duration::from_millis(250);
/// How long nothing is sent to a queue of replies that did not come back.
const SHUN: Duration = Duration::from_secs(60);
/// How often a message is tried whose publishing ends the channel.
const TRIES_MAX: u32 = 3;

/// What a message is, and what follows from that when it does not get through.
pub(super) enum Purpose {
    /// Nobody waits: it vanishes where no queue is.
    Cast,
    /// Somebody waits: it is offered again while they do.
    Call { msg_id: String, deadline: Instant },
    /// A caller waits: it is offered again until then. `then` follows when it has arrived.
    Reply { until: Instant, then: Option<Vec<u8>> },
}

/// A message that waits for the broker, or for its word that it has it.
pub(super) struct Outgoing {
    /// None: the default exchange.
    exchange: Option<Exchange>,
    key: String,
    body: Arc<[u8]>,
    purpose: Purpose,
    tries: u32,
    _claim: Claim,
}

/// Counts a message for as long as it exists.
struct Claim {
    unsettled: Arc<AtomicUsize>,
    settled: Arc<AtomicU64>,
    waiting_bytes: Arc<AtomicUsize>,
    bytes: usize,
}

impl Drop for Claim {
    fn drop(&mut self) {
        self.unsettled.fetch_sub(1, Ordering::AcqRel);
        self.settled.fetch_add(1, Ordering::AcqRel);
        self.waiting_bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl Outgoing {
    pub(super) fn new(
        inner: &Inner,
        exchange: Option<Exchange>,
        key: String,
        body: Vec<u8>,
        purpose: Purpose,
    ) -> Outgoing {
        let bytes = if matches!(purpose, Purpose::Cast) { body.len() } else { 0 };
        inner.unsettled.fetch_add(1, Ordering::AcqRel);
        inner.given.fetch_add(1, Ordering::AcqRel);
        inner.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let claim = Claim {
            unsettled: inner.unsettled.clone(),
            settled: inner.settled.clone(),
            waiting_bytes: inner.waiting_bytes.clone(),
            bytes,
        };
        Outgoing { exchange, key, body: body.into(), purpose, tries: 0, _claim: claim }
    }

    /// Nobody waits for it any longer.
    fn is_late(&self, inner: &Inner, now: Instant) -> bool {
        match &self.purpose {
            Purpose::Cast => false,
            Purpose::Call { msg_id, deadline } => *deadline <= now || !inner.pending.contains(msg_id),
            Purpose::Reply { until, .. } => *until <= now,
        }
    }

    fn shown(&self) -> String {
        let exchange = self.exchange.as_ref().map(|exchange| exchange.name.as_str()).unwrap_or_default();
        format!("the message to {exchange} {}", self.key)
    }
}

/// Keeps the connection, until the transport is closed.
pub(super) async fn run(inner: Arc<Inner>, queue: mpsc::Receiver<Outgoing>) {
    let mut closing = inner.closing.subscribe();
    let mut dialer = inner.dialer("send");
    let mut publisher = Publisher {
        inner: &inner,
        queue,
        again: VecDeque::new(),
        sent: VecDeque::new(),
        shunned: HashMap::new(),
        careful: false,
    };
    loop {
        let report = |trouble: &str| inner.change(|status| status.trouble = Some(trouble.to_string()));
        let (connection, broker) = tokio::select! {
            connected = dialer.connect(report) => connected,
            () = closed(&mut closing) => return,
        };
        tracing::info!("sending through RabbitMQ at {broker}");
        let why = tokio::select! {
            why = publisher.keep(&connection) => why,
            () = closed(&mut closing) => {
                let _ = connection.close(200, "the process ends".into()).await;
                return;
            }
        };
        let waiting = publisher.again.len() + publisher.queue.len();
        tracing::error!("the connection is lost: RabbitMQ at {broker}: {why} ({waiting} messages wait)");
        inner.change(|status| status.blocked = None);
    }
}

/// What is to be sent.
struct Publisher<'a> {
    inner: &'a Arc<Inner>,
    queue: mpsc::Receiver<Outgoing>,
    /// What goes before the queue: it was sent, but the broker did not say that it has it.
    again: VecDeque<Outgoing>,
    /// On its way, in order.
    sent: VecDeque<Outgoing>,
    /// Queues of replies that did not come back, and when they are tried again.
    shunned: HashMap<String, Instant>,
    /// One at a time: a channel ended, and it is not known which message the broker cannot bear.
    careful: bool,
}

/// The channels on one connection.
struct Channels<'a> {
    connection: &'a Connection,
    publishing: Channel,
    /// Declares exchanges: what fails there must not end the other one.
    declaring: Option<Channel>,
    /// Exchanges that are known to exist.
    declared: HashSet<String>,
}

impl<'a> Channels<'a> {
    async fn open(connection: &'a Connection) -> lapin::Result<Channels<'a>> {
        let publishing = connection.create_channel().await?;
        publishing.confirm_select(ConfirmSelectOptions::default()).await?;
        Ok(Channels { connection, publishing, declaring: None, declared: HashSet::new() })
    }

    /// Declares an exchange once; as not durable where another program was first, as oslo.messaging does.
    async fn declare(&mut self, exchange: &Exchange) -> lapin::Result<()> {
        if self.declared.contains(&exchange.name) {
            return Ok(());
        }
        let mut result = self.try_declare(exchange).await;
        if result.as_ref().is_err_and(|e| words(e).contains("inequivalent arg 'durable'")) {
            tracing::warn!("{} is taken as not durable (see amqp_durable_queues)", exchange.name);
            result = self.try_declare(&Exchange { durable: false, ..exchange.clone() }).await;
        }
        if result.is_ok() {
            self.declared.insert(exchange.name.clone());
        }
        result
    }

    async fn try_declare(&mut self, exchange: &Exchange) -> lapin::Result<()> {
        let channel = match self.declaring.take() {
            Some(channel) => channel,
            None => self.connection.create_channel().await?,
        };
        declare_exchange(&channel, exchange).await?;
        self.declaring = Some(channel);
        Ok(())
    }
}

type Flight = Pin<Box<dyn Future<Output = lapin::Result<Confirmation>> + Send>>;

impl Publisher<'_> {
    /// Sends on one connection, channel after channel; returns why that came to an end.
    async fn keep(&mut self, connection: &Connection) -> String {
        let mut events = Box::pin(connection.events_listener());
        loop {
            let channels = match Channels::open(connection).await {
                Ok(channels) => channels,
                Err(e) => return words(&e),
            };
            let why = self.flow(channels, &mut events).await;
            self.leave_out_what_arrived(&why);
            // What the broker has not confirmed is sent again, before anything else and in the same order.
            for mut outgoing in std::mem::take(&mut self.sent).into_iter().rev() {
                outgoing.tries += u32::from(self.careful);
                if outgoing.tries < TRIES_MAX {
                    self.again.push_front(outgoing);
                } else {
                    self.drop_message(&outgoing, &why);
                }
            }
            if !connection.status().connected() {
                return why;
            }
            tracing::warn!("a channel ended: {why}");
            self.careful = true;
        }
    }

    /// A channel ends at the message whose exchange is gone, and what was sent before on it has been passed on. To whom
    /// nothing is owed but that, no double is sent: Neutron's own agents log an error for each.
    fn leave_out_what_arrived(&mut self, why: &str) {
        let Some(gone) = missing_exchange(why) else { return };
        let ended = |outgoing: &Outgoing| outgoing.exchange.as_ref().is_some_and(|there| there.name == gone);
        let mut arrives = self.sent.iter().any(ended);
        self.sent.retain(|outgoing| {
            arrives &= !ended(outgoing);
            !(arrives && matches!(outgoing.purpose, Purpose::Cast))
        });
    }

    /// Sends on one channel; returns why that came to an end.
    async fn flow(
        &mut self,
        mut channels: Channels<'_>,
        events: &mut (impl futures_util::Stream<Item = Event> + Unpin),
    ) -> String {
        let mut flying: FuturesOrdered<Flight> = FuturesOrdered::new();
        loop {
            self.careful &= !(self.again.is_empty() && self.sent.is_empty());
            let window = if self.careful { 1 } else { WINDOW };
            let next = async {
                match self.again.pop_front() {
                    Some(outgoing) => Some(outgoing),
                    None => self.queue.recv().await,
                }
            };
            tokio::select! {
                biased;
                Some(landed) = flying.next(), if !flying.is_empty() => match landed {
                    Ok(confirmation) => self.landed(confirmation),
                    Err(e) => return words(&e),
                },
                Some(event) = events.next() => match event {
                    Event::ConnectionBlocked(why) => {
                        tracing::error!("the broker takes no messages: {why}");
                        self.inner.change(|status| status.blocked = Some(why));
                    }
                    Event::ConnectionUnblocked => {
                        tracing::info!("the broker takes messages again");
                        self.inner.change(|status| status.blocked = None);
                    }
                    Event::Error(e) if !channels.connection.status().connected() => return words(&e),
                    _ => {}
                },
                Some(outgoing) = next, if self.sent.len() < window => {
                    match self.take_off(&mut channels, outgoing).await {
                        Ok(Some(flight)) => flying.push_back(flight),
                        Ok(None) => {}
                        Err(why) => return why,
                    }
                }
            }
        }
    }

    /// Sends a message; none where that is pointless or impossible.
    async fn take_off(
        &mut self,
        channels: &mut Channels<'_>,
        mut outgoing: Outgoing,
    ) -> Result<Option<Flight>, String> {
        let now = Instant::now();
        self.shunned.retain(|_, until| *until > now);
        if outgoing.is_late(self.inner, now) || self.shunned.contains_key(&outgoing.key) {
            tracing::debug!("{} is left out: nobody waits for it", outgoing.shown());
            return Ok(None);
        }
        if let Some(exchange) = &outgoing.exchange
            && let Err(e) = channels.declare(exchange).await
        {
            let connected = channels.connection.status().connected();
            outgoing.tries += u32::from(connected);
            if outgoing.tries < TRIES_MAX {
                self.again.push_front(outgoing);
            } else {
                self.drop_message(&outgoing, &words(&e));
            }
            return if connected { Ok(None) } else { Err(words(&e)) };
        }
        let exchange = outgoing.exchange.as_ref().map(|exchange| exchange.name.as_str()).unwrap_or_default();
        let (exchange, key) = (exchange.into(), outgoing.key.as_str().into());
        // Casts may vanish; of the others we want to know that there is no queue.
        let mandatory = !matches!(outgoing.purpose, Purpose::Cast);
        let options = BasicPublishOptions { mandatory, immediate: false };
        let (properties, body) = (properties(&outgoing.purpose, now), outgoing.body.clone());
        let channel = channels.publishing.clone();
        self.sent.push_back(outgoing);
        Ok(Some(Box::pin(async move {
            channel.basic_publish(exchange, key, options, &body, properties).await?.await
        })))
    }

    /// The broker said what became of the oldest message on its way.
    fn landed(&mut self, confirmation: Confirmation) {
        let Some(mut outgoing) = self.sent.pop_front() else { return };
        let refused = confirmation.is_nack();
        let homeless = confirmation.take_message().is_some();
        if !refused && !homeless {
            match outgoing.purpose {
                Purpose::Cast | Purpose::Reply { then: None, .. } => {}
                Purpose::Call { msg_id, .. } => self.inner.pending.taken(&msg_id, Instant::now()),
                Purpose::Reply { until, then: Some(body) } => {
                    let purpose = Purpose::Reply { until, then: None };
                    self.again.push_front(Outgoing::new(self.inner, None, outgoing.key, body, purpose));
                }
            }
            return;
        }
        let now = Instant::now() + OFFER_AGAIN;
        if outgoing.is_late(self.inner, now) {
            if matches!(outgoing.purpose, Purpose::Reply { .. }) {
                tracing::error!("a reply is given up: its queue {} did not come back", outgoing.key);
                self.shunned.insert(outgoing.key, now + SHUN);
            }
            return;
        }
        outgoing.tries += u32::from(refused && matches!(outgoing.purpose, Purpose::Cast));
        if outgoing.tries >= TRIES_MAX {
            return self.drop_message(&outgoing, "the broker refuses it");
        }
        let queue = self.inner.outgoing.clone();
        tokio::spawn(async move {
            sleep(OFFER_AGAIN).await;
            let _ = queue.send(outgoing).await;
        });
    }

    fn drop_message(&self, outgoing: &Outgoing, why: &str) {
        tracing::error!("{} is dropped: {why}", outgoing.shown());
        self.inner.change(|status| status.dropped += 1);
    }
}

/// The exchange that a broker says is not there.
fn missing_exchange(why: &str) -> Option<&str> {
    let (_, rest) = why.split_once("NOT_FOUND - no exchange '")?;
    rest.split_once('\'').map(|(name, _)| name)
}

/// What oslo.messaging sets on every message. A call is not worth keeping once nobody waits for it.
fn properties(purpose: &Purpose, now: Instant) -> BasicProperties {
    let properties = BasicProperties::default()
        .with_content_type("application/json".into())
        .with_content_encoding("utf-8".into())
        .with_headers(FieldTable::default())
        .with_delivery_mode(2)
        .with_priority(0);
    match purpose {
        Purpose::Call { deadline, .. } => {
            let left = deadline.saturating_duration_since(now).as_millis().max(1);
            properties.with_expiration(left.to_string().into())
        }
        Purpose::Cast | Purpose::Reply { .. } => properties,
    }
}
