//! The resources' business rules, one folder each.

pub mod security_group;
