//! What a commit has to tell others.

use crate::attr::Body;

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
