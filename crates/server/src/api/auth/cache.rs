//! What Keystone said of tokens, for a while: one question per token however many requests wait for the answer.

use super::identity::Identity;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The most tokens that are remembered; each takes about a kilobyte.
const TOKENS_MAX: usize = 8192;
/// Seconds for which a token that Keystone does not know stays refused.
const INVALID_SECONDS: i64 = 60;
/// Seconds for which Keystone is not asked again after it could not be reached: what waited shares one failure.
const UNREACHABLE_SECONDS: i64 = 1;

/// What is known of a token.
#[derive(Debug, Clone)]
pub enum Known {
    /// Keystone confirms it.
    Valid(Arc<Identity>),
    /// Keystone does not know it.
    Invalid,
    /// Keystone could not be asked, or has refused the service; the words.
    Unavailable(Arc<str>),
}

/// What is known of one token, and who is to ask.
#[derive(Debug, Default)]
struct Slot {
    known: Mutex<Option<(Known, i64)>>,
    turn: tokio::sync::Mutex<()>,
}

impl Slot {
    fn fresh(&self, now: i64) -> Option<Known> {
        let known = locked(&self.known);
        known.as_ref().filter(|(_, until)| now < *until).map(|(known, _)| known.clone())
    }
}

/// What Keystone said of tokens.
#[derive(Debug)]
pub struct Cache {
    seconds: i64,
    slots: Mutex<HashMap<String, Arc<Slot>>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Cache {
    /// A cache that believes what Keystone said for so many seconds; 0 or less = not at all.
    pub fn new(seconds: i64) -> Cache {
        Cache { seconds, slots: Mutex::default() }
    }

    /// What is known of a token; `ask` is run by one of those who want to know, while the others wait.
    pub async fn get(&self, token: &str, now: i64, ask: impl AsyncFnOnce() -> Known) -> Known {
        if self.seconds <= 0 {
            return ask().await;
        }
        let slot = self.slot(token, now);
        if let Some(known) = slot.fresh(now) {
            return known;
        }
        let _turn = slot.turn.lock().await;
        if let Some(known) = slot.fresh(now) {
            return known;
        }
        let known = ask().await;
        *locked(&slot.known) = Some((known.clone(), self.until(&known, now)));
        known
    }

    fn until(&self, known: &Known, now: i64) -> i64 {
        match known {
            Known::Valid(identity) => (now + self.seconds).min(identity.expires),
            Known::Invalid => now + self.seconds.min(INVALID_SECONDS),
            Known::Unavailable(_) => now + UNREACHABLE_SECONDS,
        }
    }

    fn slot(&self, token: &str, now: i64) -> Arc<Slot> {
        let mut slots = locked(&self.slots);
        if let Some(slot) = slots.get(token) {
            return slot.clone();
        }
        if slots.len() >= TOKENS_MAX {
            // Slots that somebody waits for stay.
            slots.retain(|_, slot| Arc::strong_count(slot) > 1 || slot.fresh(now).is_some());
        }
        if slots.len() >= TOKENS_MAX {
            // Whoever tries tokens out must not make the valid ones forgotten.
            slots.retain(|_, slot| matches!(slot.fresh(now), Some(Known::Valid(_))));
        }
        if slots.len() >= TOKENS_MAX {
            // All are in use: start anew rather than grow.
            slots.clear();
        }
        slots.entry(token.to_string()).or_default().clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use oslo::context::Context;
    use std::sync::atomic::{AtomicUsize, Ordering};

    fn valid(expires: i64) -> Known {
        Known::Valid(Arc::new(Identity { who: Context::default(), expires, access_rules: None }))
    }

    #[tokio::test]
    async fn each_answer_is_believed_for_its_time() {
        for (seconds, answer, asked_again) in [
            (300, valid(10_000), 300),
            (300, valid(40), 40),
            (300, Known::Invalid, 60),
            (10, Known::Invalid, 10),
            (300, Known::Unavailable("x".into()), 1),
            (-1, valid(10_000), 0),
        ] {
            let (cache, asked) = (Cache::new(seconds), AtomicUsize::new(0));
            let ask = async |now| {
                cache
                    .get("t", now, async || {
                        asked.fetch_add(1, Ordering::Relaxed);
                        answer.clone()
                    })
                    .await
            };
            ask(0).await;
            if asked_again > 0 {
                ask(asked_again - 1).await;
                assert_eq!(asked.load(Ordering::Relaxed), 1, "{answer:?}");
            }
            ask(asked_again).await;
            assert_eq!(asked.load(Ordering::Relaxed), 2, "{answer:?}");
        }
    }

    #[tokio::test]
    async fn many_who_wait_cost_one_question() {
        let (cache, asked) = (Arc::new(Cache::new(300)), Arc::new(AtomicUsize::new(0)));
        let mut waiting = tokio::task::JoinSet::new();
        for _ in 0..50 {
            let (cache, asked) = (cache.clone(), asked.clone());
            waiting.spawn(async move {
                let known = cache.get("t", 0, async || {
                    tokio::task::yield_now().await;
                    asked.fetch_add(1, Ordering::Relaxed);
                    valid(100)
                });
                matches!(known.await, Known::Valid(_))
            });
        }
        assert!(waiting.join_all().await.into_iter().all(|valid| valid));
        assert_eq!(asked.load(Ordering::Relaxed), 1);
    }

    #[tokio::test]
    async fn it_does_not_grow_without_end_and_keeps_what_is_valid() {
        let cache = Cache::new(300);
        cache.get("good", 0, async || valid(100)).await;
        for token in 0..TOKENS_MAX + 10 {
            cache.get(&token.to_string(), 0, async || Known::Invalid).await;
        }
        assert!(locked(&cache.slots).len() <= TOKENS_MAX);
        let asked = AtomicUsize::new(0);
        let ask = async || {
            asked.fetch_add(1, Ordering::Relaxed);
            Known::Invalid
        };
        assert!(matches!(cache.get("good", 1, ask).await, Known::Valid(_)));
        assert_eq!(asked.load(Ordering::Relaxed), 0);
    }
}
