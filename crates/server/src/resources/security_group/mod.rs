//! Security groups, their rules, and what binds them to ports.

pub mod protocol;
pub mod rule;
