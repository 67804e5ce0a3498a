//! The resources' business rules, one folder each.

pub mod address_scope;
pub mod agent;
pub mod flavor;
pub mod floatingip;
pub mod quotas;
pub mod rbac;
pub mod router;
pub mod security_group;
