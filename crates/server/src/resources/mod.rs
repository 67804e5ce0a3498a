//! The resources' business rules, one folder each.

pub mod address_scope;
pub mod agent;
pub mod availability;
pub mod dns;
pub mod flavor;
pub mod floatingip;
pub mod network;
pub mod port;
pub mod quotas;
pub mod rbac;
pub mod router;
pub mod rows;
pub mod security_group;
pub mod subnet;
pub mod subnetpool;
