//! The consuming connection: keeps every seat declared and consumed, on one broker or the next.

use super::connect::words;
use super::topology::{self, Argument, Exchange, Kind, Queue};
use super::{Audience, Inner, Seat, closed, pump};
use futures_util::StreamExt;
use futures_util::future::join_all;
use lapin::options::{
    BasicConsumeOptions, BasicQosOptions, ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, Consumer, Event, ExchangeKind};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often the connection is looked at when nothing happens, and a failed seat is tried again.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// After the broker forgot our queue of replies: how long answers may still come, from servers that took the
/// call before and offer their answer again.
const GRACE: Duration = Duration::from_secs(5);

/// Keeps the connection, until the transport is closed.
pub(super) async fn run(inner: Arc<Inner>) {
    let mut closing = inner.closing.subscribe();
    let mut dialer = inner.dialer("listen");
    let mut lost_at = None;
    loop {
        let report = |trouble: &str| inner.change(|status| status.trouble = Some(trouble.to_string()));
        let (connection, broker) = tokio::select! {
            connected = dialer.connect(report) => connected,
            () = closed(&mut closing) => return,
        };
        tracing::info!("listening through RabbitMQ at {broker}");
        inner.change(|status| status.broker = Some(broker.clone()));
        if let Some(lost_at) = lost_at {
            mourn(&inner, &connection, lost_at).await;
        }
        let mut session = Session::new(&inner, &connection);
        let why = tokio::select! {
            why = session.keep() => why,
            () = closed(&mut closing) => {
                session.end().await;
                let _ = connection.close(200, "the process ends".into()).await;
                return;
            }
        };
        lost_at = Some(Instant::now());
        session.abort();
        let trouble = format!("RabbitMQ at {broker}: {why}");
        tracing::error!("the connection is lost: {trouble}");
        inner.change(|status| {
            (status.up, status.broker, status.trouble) = (false, None, Some(trouble));
        });
    }
}

/// A broker that was restarted knows neither our queue of replies nor the requests that were in its queues: the
/// calls that it took are given up soon, not after their whole time.
async fn mourn(inner: &Arc<Inner>, connection: &Connection, lost_at: Instant) {
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let Ok(channel) = connection.create_channel().await else { return };
    let name = inner.reply_queue.as_str().into();
    if channel.queue_declare(name, passive, FieldTable::default()).await.is_ok() {
        let _ = channel.close(200, "looked".into()).await;
        return;
    }
    let pending = inner.pending.clone();
    tokio::spawn(async move {
        sleep(GRACE).await;
        pending.give_up(lost_at);
    });
}

/// A seat that is consumed.
struct Running {
    channel: Channel,
    queues: Vec<Queue>,
    task: tokio::task::JoinHandle<()>,
}

/// The seats on one connection.
struct Session<'a> {
    inner: &'a Arc<Inner>,
    connection: &'a Connection,
    running: HashMap<usize, Running>,
    /// Seats whose consumers ended.
    ended: (mpsc::UnboundedSender<usize>, mpsc::UnboundedReceiver<usize>),
    /// Messages may have been missed since it was last up: the connection is new, or a queue was gone.
    missed: bool,
}

impl<'a> Session<'a> {
    fn new(inner: &'a Arc<Inner>, connection: &'a Connection) -> Session<'a> {
        Session { inner, connection, running: HashMap::new(), ended: mpsc::unbounded_channel(), missed: true }
    }

    /// Keeps all seats consumed; returns why it cannot any longer.
    async fn keep(&mut self) -> String {
        let mut events = Box::pin(self.connection.events_listener());
        loop {
            let failed = self.reconcile().await;
            if !self.connection.status().connected() {
                return failed.unwrap_or_else(|| "the connection ended".into());
            }
            self.announce(failed);
            let look = sleep_until(Instant::now() + LOOK_EVERY);
            tokio::select! {
                () = self.inner.reseat.notified() => {}
                () = look => {}
                Some(event) = events.next() => {
                    if let Event::Error(e) = event && !self.connection.status().connected() {
                        return words(&e);
                    }
                }
                Some(id) = self.ended.1.recv() => self.ended(id).await,
            }
        }
    }

    /// Ends the seats that nobody wants any more, sets up those that are not there. Returns what failed.
    async fn reconcile(&mut self) -> Option<String> {
        let wanted: Vec<Seat> = self.inner.seats().clone();
        let gone: Vec<usize> =
            self.running.keys().filter(|id| !wanted.iter().any(|s| s.id == **id)).copied().collect();
        for id in gone {
            if let Some(running) = self.running.remove(&id) {
                leave(running).await;
            }
        }
        let missing: Vec<&Seat> = wanted.iter().filter(|seat| !self.running.contains_key(&seat.id)).collect();
        let set_up = join_all(missing.iter().map(|seat| set_up(self.inner, self.connection, seat))).await;
        let mut failed = None;
        for (seat, result) in missing.into_iter().zip(set_up) {
            match result {
                Ok((channel, queues, consumers)) => {
                    let (inner, ended, seat) = (self.inner.clone(), self.ended.0.clone(), seat.clone());
                    let id = seat.id;
                    let task = tokio::spawn(async move {
                        pump::run(&inner, &seat.audience, consumers).await;
                        let _ = ended.send(seat.id);
                    });
                    self.running.insert(id, Running { channel, queues, task });
                }
                Err(what) => {
                    if self.connection.status().connected() {
                        tracing::error!("{what} (trying again in {} s)", LOOK_EVERY.as_secs());
                    }
                    failed = Some(what);
                }
            }
        }
        failed
    }

    /// Tells those who watch how it is.
    fn announce(&mut self, failed: Option<String>) {
        let complete = failed.is_none();
        // Seats that came meanwhile are seen to in the next turn.
        let all = self.inner.seats();
        let up = complete && all.iter().all(|seat| self.running.contains_key(&seat.id));
        let missed = up && std::mem::take(&mut self.missed);
        self.inner.change(|status| {
            status.up = up;
            status.trouble = failed;
            status.epoch += u64::from(missed);
        });
    }

    /// A queue went away under a consumer, or its channel did: set it up again after a while.
    async fn ended(&mut self, id: usize) {
        let Some(running) = self.running.remove(&id) else { return };
        if !self.connection.status().connected() {
            return;
        }
        let name = running.queues.first().map(|queue| queue.name.clone()).unwrap_or_default();
        tracing::warn!("the broker ended the consumer of {name}; it is set up again");
        self.missed = true;
        self.inner.change(|status| status.up = false);
        let _ = running.channel.close(200, "a consumer ended".into()).await;
        let retry = &self.inner.settings.retry;
        sleep(retry.cancelled + retry.splay.mul_f64(rand::random())).await;
    }

    /// Stops listening and takes our own queues back.
    async fn end(&mut self) {
        let running: Vec<Running> = self.running.drain().map(|(_, running)| running).collect();
        let left = join_all(running.into_iter().map(leave));
        let _ = timeout(Duration::from_secs(2), left).await;
    }

    /// Stops what runs, on a connection that is gone.
    fn abort(&mut self) {
        for (_, running) in self.running.drain() {
            running.task.abort();
        }
    }
}

/// Ends a seat. Its own queues would else fill up until the broker removes them.
async fn leave(running: Running) {
    running.task.abort();
    for queue in running.queues.iter().filter(|queue| queue.own) {
        let _ = running.channel.queue_delete(queue.name.as_str().into(), QueueDeleteOptions::default()).await;
    }
    let _ = running.channel.close(200, "nobody listens any more".into()).await;
}

/// Declares the queues of a seat and consumes them.
async fn set_up(
    inner: &Inner,
    connection: &Connection,
    seat: &Seat,
) -> Result<(Channel, Vec<Queue>, Vec<Consumer>), String> {
    let shape = &inner.settings.shape;
    let mut queues = match &seat.audience {
        Audience::Replies => vec![topology::replies(shape, &inner.reply_queue)],
        Audience::Topic { topic, server, fanout_queue, .. } => {
            topology::seat(shape, topic, server, fanout_queue).to_vec()
        }
    };
    let mut declared = declare_all(connection, &queues).await;
    if let Err(what) = &declared
        && what.contains("inequivalent arg 'durable'")
    {
        tracing::warn!("{what}: taken as not durable (see amqp_durable_queues)");
        queues = topology::without_durable(&queues);
        declared = declare_all(connection, &queues).await;
    } else if let Err(what) = &declared
        && what.contains("NOT_FOUND")
    {
        // The exchange of a fanout goes with its last queue, which may be between our two requests.
        declared = declare_all(connection, &queues).await;
    }
    let channel = declared?;
    let prefetch = inner.settings.prefetch;
    channel.basic_qos(prefetch, BasicQosOptions::default()).await.map_err(|e| words(&e))?;
    let mut arguments = FieldTable::default();
    if shape.cancel_on_failover {
        arguments.insert("x-cancel-on-ha-failover".into(), AMQPValue::Boolean(true));
    }
    let mut consumers = Vec::new();
    for (at, queue) in queues.iter().enumerate() {
        let tag = (at + 1).to_string();
        let options = BasicConsumeOptions::default();
        let consumer =
            channel.basic_consume(queue.name.as_str().into(), tag.into(), options, arguments.clone());
        consumers.push(consumer.await.map_err(|e| format!("the queue {}: {}", queue.name, words(&e)))?);
    }
    Ok((channel, queues, consumers))
}

async fn declare_all(connection: &Connection, queues: &[Queue]) -> Result<Channel, String> {
    let channel = connection.create_channel().await.map_err(|e| words(&e))?;
    for queue in queues {
        declare(&channel, queue).await.map_err(|e| {
            let hint = match e.is_amqp_soft_error() && words(&e).contains("inequivalent") {
                true => {
                    "; another program declared it otherwise: give both the same amqp_durable_queues, \
                         rabbit_quorum_queue and rabbit_ha_queues, or delete it while both are stopped"
                }
                false => "",
            };
            format!("the queue {}: {}{hint}", queue.name, words(&e))
        })?;
    }
    Ok(channel)
}

/// Declares a queue, what it hangs on, and hangs it there.
async fn declare(channel: &Channel, queue: &Queue) -> lapin::Result<()> {
    declare_exchange(channel, &queue.exchange).await?;
    let options = QueueDeclareOptions {
        durable: queue.durable,
        auto_delete: queue.auto_delete,
        ..QueueDeclareOptions::default()
    };
    let mut arguments = FieldTable::default();
    for (name, argument) in &queue.arguments {
        let value = match *argument {
            Argument::Text(text) => AMQPValue::LongString(text.into()),
            Argument::Number(number) => AMQPValue::LongLongInt(number.into()),
        };
        arguments.insert((*name).into(), value);
    }
    let name = queue.name.as_str();
    channel.queue_declare(name.into(), options, arguments).await?;
    let (exchange, key) = (queue.exchange.name.as_str(), queue.key.as_str());
    let (options, none) = (QueueBindOptions::default(), FieldTable::default());
    channel.queue_bind(name.into(), exchange.into(), key.into(), options, none).await
}

/// Declares an exchange.
pub(super) async fn declare_exchange(channel: &Channel, exchange: &Exchange) -> lapin::Result<()> {
    let kind = match exchange.kind {
        Kind::Topic => ExchangeKind::Topic,
        Kind::Fanout => ExchangeKind::Fanout,
        Kind::Direct => ExchangeKind::Direct,
    };
    let options = ExchangeDeclareOptions {
        durable: exchange.durable,
        auto_delete: exchange.auto_delete,
        ..ExchangeDeclareOptions::default()
    };
    channel.exchange_declare(exchange.name.as_str().into(), kind, options, FieldTable::default()).await
}
