//! The resources' business rules, one folder each.

pub mod rbac;
pub mod security_group;
