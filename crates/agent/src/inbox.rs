//! Notes of what the server said, until the agent comes round to it. Messages may be lost, doubled or late: a
//! note says where to look again, never what to do.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rpc::{Answer, Call, Endpoint, Failure};
use serde_json::{Map, Value};
use tokio::sync::Notify;

/// Notes of one kind of agent.
pub trait Notes: Default + Send + 'static {
    /// The newest version of the server's messages that are understood.
    const VERSION: &'static str;
    /// Takes note of one message; false when the method is unknown.
    fn take_note(&mut self, method: &str, args: &Map<String, Value>) -> bool;
    /// Asks for a look at everything.
    fn want_all(&mut self);
}

/// Where notes are left. Cloning shares it.
#[derive(Debug, Default)]
pub struct Inbox<N>(Arc<Inner<N>>);

#[derive(Debug, Default)]
struct Inner<N> {
    notes: Mutex<N>,
    wake: Notify,
}

impl<N> Clone for Inbox<N> {
    fn clone(&self) -> Self {
        Inbox(self.0.clone())
    }
}

impl<N: Default> Inbox<N> {
    /// Leaves a note and wakes the agent.
    pub fn note<T>(&self, write: impl FnOnce(&mut N) -> T) -> T {
        let done = write(&mut self.lock());
        self.0.wake.notify_one();
        done
    }

    /// Takes all notes out.
    #[must_use]
    pub fn take(&self) -> N {
        std::mem::take(&mut *self.lock())
    }

    /// Waits until there are notes.
    pub async fn woken(&self) {
        self.0.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, N> {
        self.0.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<N: Notes> Inbox<N> {
    /// Asks for a look at everything.
    pub fn want_all(&self) {
        self.note(Notes::want_all);
    }
}

impl<N: Notes> Endpoint for Inbox<N> {
    fn version(&self) -> &str {
        N::VERSION
    }

    fn dispatch<'a>(&'a self, Call { method, args, .. }: Call<'a>) -> Answer<'a> {
        let known = self.note(|notes| notes.take_note(method, &args));
        Box::pin(async move { if known { Ok(Value::Null) } else { Err(Failure::no_such_method(method)) } })
    }
}
