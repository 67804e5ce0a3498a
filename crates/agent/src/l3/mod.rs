//! The L3 agent: a namespace for each router it is told to host.

pub mod desired;
pub mod options;
pub mod radvd;
pub mod tables;
