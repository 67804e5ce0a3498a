//! Events on their way to Nova: in order, bounded, and none that has become too old to matter.

use super::events::Event;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;

/// Events that wait; beyond, the oldest are dropped.
const EVENTS_MAX: usize = 20_000;
/// Seconds after which an event says nothing to Nova any more: it waits 300 s for a port to be plugged.
const AGE_MAX: i64 = 600;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_secs(15);

/// Events on their way.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Mutex<VecDeque<(Event, i64)>>,
    news: Notify,
    gone: Notify,
}

/// How long to wait after so many failures in a row: 1, 2, 4, 8, 15 s.
pub fn patience(failures: u32) -> Duration {
    Duration::from_secs(1 << failures.saturating_sub(1).min(4)).min(PAUSE_MAX)
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, VecDeque<(Event, i64)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds events. `now`: seconds since 1970.
    pub fn put(&self, events: Vec<Event>, now: i64) {
        if events.is_empty() {
            return;
        }
        let mut waiting = self.waiting();
        waiting.extend(events.into_iter().map(|event| (event, now)));
        let surplus = waiting.len().saturating_sub(EVENTS_MAX);
        if surplus > 0 {
            waiting.drain(..surplus);
            tracing::warn!("{surplus} events for Nova are dropped: more than {EVENTS_MAX} wait");
        }
        self.news.notify_one();
    }

    /// Waits until there is something to send.
    pub async fn wait(&self) {
        while self.waiting().is_empty() {
            self.news.notified().await;
        }
    }

    /// Waits until there is nothing to send.
    pub async fn empty(&self) {
        loop {
            let gone = self.gone.notified();
            if self.waiting().is_empty() {
                return;
            }
            gone.await;
        }
    }

    /// What is to be sent now, without what is too old; it stays until [`Queue::done`].
    pub fn due(&self, now: i64) -> Vec<Event> {
        let mut waiting = self.waiting();
        let before = waiting.len();
        waiting.retain(|(_, since)| now - since <= AGE_MAX);
        if waiting.len() < before {
            tracing::warn!("{} events for Nova are dropped: older than {AGE_MAX} s", before - waiting.len());
        }
        if waiting.is_empty() {
            self.gone.notify_waiters();
        }
        waiting.iter().map(|(event, _)| event.clone()).collect()
    }

    /// The first events were sent.
    pub fn done(&self, events: usize) {
        let mut waiting = self.waiting();
        let events = events.min(waiting.len());
        waiting.drain(..events);
        if waiting.is_empty() {
            self.gone.notify_waiters();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::events::Name;
    use super::*;

    fn event(tag: usize) -> Event {
        Event { name: Name::Changed, server_uuid: "s".into(), tag: tag.to_string() }
    }

    #[test]
    fn events_wait_in_order_until_they_are_sent() {
        let queue = Queue::default();
        queue.put(vec![event(1), event(2)], 0);
        queue.put(vec![event(3)], 500);
        assert_eq!(queue.due(600).len(), 3);
        assert_eq!(queue.due(601), [event(3)]);
        queue.done(1);
        assert_eq!(queue.due(601), []);
        queue.put((0..EVENTS_MAX + 5).map(event).collect(), 0);
        assert_eq!(queue.due(0).first(), Some(&event(5)));
    }

    #[test]
    fn patience_grows_and_ends() {
        assert_eq!([1, 2, 3, 4, 5, 99].map(|f| patience(f).as_secs()), [1, 2, 4, 8, 15, 15]);
    }
}
