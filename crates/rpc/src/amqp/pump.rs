//! From the broker's deliveries to endpoints and waiting calls.

use super::publish::{Outgoing, Purpose};
use super::{Audience, Inner, unique};
use crate::dispatch::{Endpoint, dispatch};
use crate::wire::{self, Address};
use futures_util::stream::{once, select_all};
use futures_util::{FutureExt, StreamExt};
use lapin::Consumer;
use lapin::message::Delivery;
use lapin::options::BasicAckOptions;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::Instant;

/// Ids of messages by which doubles are known. oslo.messaging remembers 16; a broker that delivers again what was
/// not acknowledged may deliver more than that.
const REMEMBERED: usize = 256;

/// The ids of the latest messages of a seat, whichever connection they came by.
#[derive(Default)]
pub(super) struct Latest(Mutex<VecDeque<String>>);

impl Latest {
    /// Whether a message is new; one without an id always is.
    fn is_new(&self, id: Option<String>) -> bool {
        let Some(id) = id else { return true };
        let mut ids = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ids.contains(&id) {
            return false;
        }
        if ids.len() == REMEMBERED {
            ids.pop_front();
        }
        ids.push_back(id);
        true
    }
}

/// Takes deliveries until a consumer ends. A message is acknowledged before it is worked on: it is taken at most
/// once. No more are taken than may be worked on at once.
pub(super) async fn run(inner: &Arc<Inner>, audience: &Audience, consumers: Vec<Consumer>) {
    // The end of any of them is the end.
    let ending = |consumer: Consumer| consumer.map(Some).chain(once(std::future::ready(None)));
    let mut deliveries = select_all(consumers.into_iter().map(|consumer| Box::pin(ending(consumer))));
    let slots = Arc::new(Semaphore::new(inner.settings.workers));
    loop {
        let Ok(slot) = slots.clone().acquire_owned().await else { return };
        let Some(Some(Ok(delivery))) = deliveries.next().await else { return };
        // The acknowledgement is on its way when it has been asked for; nobody waits for it.
        let _ = delivery.ack(BasicAckOptions::default()).now_or_never();
        match audience {
            Audience::Replies => answer(inner, &delivery),
            Audience::Topic { topic, endpoints, latest, .. } => {
                let (inner, latest) = (inner.clone(), latest.clone());
                let (topic, endpoints) = (topic.clone(), endpoints.clone());
                tokio::spawn(async move {
                    work(&inner, &latest, &topic, &endpoints, &delivery).await;
                    drop(slot);
                });
            }
        }
    }
}

/// A part of an answer to a call of ours.
fn answer(inner: &Inner, delivery: &Delivery) {
    match wire::read_part(&delivery.data) {
        Ok(mut part) => {
            if let Some(msg_id) = part.msg_id.take()
                && let Some(answer) = part.settles()
            {
                inner.pending.settle(&msg_id, answer);
            }
        }
        Err(what) => tracing::warn!("a reply is left out: {what}"),
    }
}

/// A request to an endpoint of ours.
async fn work(
    inner: &Arc<Inner>,
    latest: &Latest,
    topic: &str,
    endpoints: &[Arc<dyn Endpoint>],
    delivery: &Delivery,
) {
    let incoming = match wire::read_request(&delivery.data) {
        Ok(incoming) => incoming,
        Err(what) => return tracing::warn!("a message to {topic} is left out: {what}"),
    };
    if !latest.is_new(incoming.unique_id) {
        return tracing::debug!("a message to {topic} came twice; it is worked on once");
    }
    let method = incoming.request.method.clone();
    let working = dispatch(endpoints, incoming.request);
    let Some(address) = incoming.address else {
        if let Err(failure) = working.await {
            tracing::debug!(%failure, "the cast {method} to {topic} failed");
        }
        return;
    };
    let answer = while_watched(inner, &address, working).await;
    let mut bodies = VecDeque::from(wire::reply(&address, &answer, unique));
    let Some(first) = bodies.pop_front() else { return };
    send(inner, address.queue, first, bodies.pop_front()).await;
}

/// Works on a call, and tells a caller who watches, from time to time, that it is being worked on.
async fn while_watched<T>(inner: &Arc<Inner>, address: &Address, working: impl Future<Output = T>) -> T {
    let Some(every) = address.heartbeat else { return working.await };
    let mut working = std::pin::pin!(working);
    loop {
        match tokio::time::timeout(every, &mut working).await {
            Ok(answer) => return answer,
            Err(_) => {
                let body = wire::heartbeat(address, &unique());
                send(inner, address.queue.clone(), body, None).await;
            }
        }
    }
}

async fn send(inner: &Arc<Inner>, queue: String, body: Vec<u8>, then: Option<Vec<u8>>) {
    let purpose = Purpose::Reply { until: Instant::now() + inner.settings.retry.reply, then };
    // The default exchange: it knows every queue by its name, also those of old clients.
    let reply = Outgoing::new(inner, None, queue, body, purpose);
    // It fails only when the process ends.
    let _ = inner.outgoing.send(reply).await;
}
