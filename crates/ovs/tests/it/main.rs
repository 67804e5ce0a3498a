//! Both protocols against a real Open vSwitch with its userspace datapath.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so")]

mod bridge;
mod database;
