//! oslo.config files, oslo.policy rules, request contexts, logs, TLS settings: interfaces of OpenStack that know
//! nothing of networks.

pub mod config;
pub mod context;
pub mod log;
pub mod policy;
pub mod tls;
