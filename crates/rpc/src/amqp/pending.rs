//! Calls that wait for their answers.

use crate::Failure;
use serde_json::Value;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What becomes of a call.
pub(super) enum Outcome {
    Answer(Result<Value, Failure>),
    /// The broker forgot it or its answer.
    Lost,
}

struct Call {
    outcome: oneshot::Sender<Outcome>,
    /// When the broker took it.
    taken: Option<Instant>,
}

/// The calls, by `_msg_id`. Cloning shares them.
#[derive(Clone, Default)]
pub(super) struct Pending(Arc<Mutex<HashMap<String, Call>>>);

/// A call's place; dropping it forgets the call.
pub(super) struct Waiting {
    pending: Pending,
    msg_id: String,
    pub(super) outcome: oneshot::Receiver<Outcome>,
}

impl Waiting {
    /// Whether the broker took the call.
    pub(super) fn taken(&self) -> bool {
        self.pending.lock().get(&self.msg_id).is_some_and(|call| call.taken.is_some())
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.pending.lock().remove(&self.msg_id);
    }
}

impl Pending {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Call>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(&self, msg_id: &str) -> Waiting {
        let (sender, outcome) = oneshot::channel();
        self.lock().insert(msg_id.to_string(), Call { outcome: sender, taken: None });
        Waiting { pending: self.clone(), msg_id: msg_id.to_string(), outcome }
    }

    pub(super) fn contains(&self, msg_id: &str) -> bool {
        self.lock().contains_key(msg_id)
    }

    pub(super) fn taken(&self, msg_id: &str, now: Instant) {
        if let Some(call) = self.lock().get_mut(msg_id) {
            call.taken = Some(now);
        }
    }

    /// Settles a call; the second part of an answer in two finds nobody.
    pub(super) fn settle(&self, msg_id: &str, answer: Result<Value, Failure>) {
        if let Some(call) = self.lock().remove(msg_id) {
            // Whoever called may have gone this moment.
            let _ = call.outcome.send(Outcome::Answer(answer));
        }
    }

    /// Gives up the calls that the broker took before it forgot everything.
    pub(super) fn give_up(&self, before: Instant) {
        let mut calls = self.lock();
        let lost = |call: &Call| call.taken.is_some_and(|taken| taken < before);
        let ids: Vec<String> =
            calls.iter().filter(|(_, call)| lost(call)).map(|(id, _)| id.clone()).collect();
        for call in ids.iter().filter_map(|id| calls.remove(id)) {
            let _ = call.outcome.send(Outcome::Lost);
        }
    }
}
