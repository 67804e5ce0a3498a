//! The host crate against the real kernel, in namespaces of the tests' own. Needs root.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod daemon;
mod iptables;
mod netlink;
mod netns;
