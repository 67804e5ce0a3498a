//! The resources' business rules, one folder each.

pub mod flavor;
pub mod floatingip;
pub mod rbac;
pub mod router;
pub mod security_group;
