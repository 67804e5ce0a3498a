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

/// Transactions whose changes wait for the notifier. A writer waits when there are more: the notifier is slower
/// than the API only for a moment, or something is badly wrong.
const TRANSACTIONS_WAITING_MAX: usize = 4096;

/// Where committed changes go. Cloning shares it.
#[derive(Clone)]
pub struct Publisher(mpsc::Sender<Vec<Change>>);

/// What takes committed changes, one transaction at a time, in about the order of the commits.
pub type Subscriber = mpsc::Receiver<Vec<Change>>;

/// A way from the writers to the one notifier. Without a subscriber, changes vanish.
pub fn channel() -> (Publisher, Subscriber) {
    let (sender, receiver) = mpsc::channel(TRANSACTIONS_WAITING_MAX);
    (Publisher(sender), receiver)
}

impl Publisher {
    /// Hands over what a transaction announced; to be called after its commit.
    pub async fn publish(&self, changes: Vec<Change>) {
        if !changes.is_empty() && self.0.send(changes).await.is_err() {
            tracing::debug!("nobody listens to changes");
        }
    }
}
