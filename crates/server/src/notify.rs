//! What a commit has to tell others.

use crate::attr::Body;
use tokio::sync::mpsc;

/// One change to one resource, announced inside the transaction and published after its commit.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The resource's singular name: `port`, `network`, `router` …
    pub resource: &'static str,
    /// What happened.
    pub verb: Verb,
    /// The resource's id.
    pub id: String,
    /// The resource before, as an admin sees it; none for a creation.
    pub before: Option<Body>,
    /// The resource after, as an admin sees it; none for a deletion.
    pub after: Option<Body>,
}

/// What happened to a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It is gone.
    Deleted,
}

/// What one transaction announced.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Its row in the outbox ([`crate::outbox`]), to be deleted when it is announced; none where none is kept.
    pub row: Option<String>,
    /// Its changes.
    pub changes: Vec<Change>,
}

/// Transactions whose changes wait for the notifier. A writer without an outbox waits when there are more: the
/// notifier is slower than the API only for a moment, or something is badly wrong.
const TRANSACTIONS_WAITING_MAX: usize = 4096;

/// Where committed changes go. Cloning shares it.
#[derive(Clone)]
pub struct Publisher(mpsc::Sender<Committed>);

/// What takes committed changes, one transaction at a time, in about the order of the commits.
pub type Subscriber = mpsc::Receiver<Committed>;

/// A way from the writers to the one notifier. Without a subscriber, changes vanish.
pub fn channel() -> (Publisher, Subscriber) {
    let (sender, receiver) = mpsc::channel(TRANSACTIONS_WAITING_MAX);
    (Publisher(sender), receiver)
}

impl Publisher {
    /// Hands over what a transaction announced; to be called after its commit. A transaction with a row in the
    /// outbox never waits here: when the notifier has its hands full, a sweep finds the row later.
    pub async fn publish(&self, committed: Committed) {
        if committed.changes.is_empty() {
            return;
        }
        if committed.row.is_some() {
            if self.0.try_send(committed).is_err() {
                tracing::debug!("changes stay in the outbox for now");
            }
        } else if self.0.send(committed).await.is_err() {
            tracing::debug!("nobody listens to changes");
        }
    }
}
