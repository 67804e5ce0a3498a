//! neutron-server: the API engine, ML2, IPAM, the resources and what answers the agents.

pub mod agents;
pub mod api;
pub mod app;
pub mod assemble;
pub mod attr;
pub mod catalog;
pub mod check;
pub mod convert;
pub mod db;
pub mod extension;
pub mod extensions;
pub mod fault;
pub mod handlers;
pub mod internal;
pub mod ipam;
pub mod ml2;
pub mod notifier;
pub mod notify;
pub mod policy;
pub mod py;
pub mod quota;
pub mod record;
pub mod request;
pub mod resources;
pub mod serve;
pub mod store;
