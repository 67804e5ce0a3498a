//! Security groups, their rules, and what binds them to ports.

pub mod default;
pub mod group;
pub mod group_rule;
pub mod port;
pub mod protocol;
pub mod rule;
pub mod template;
